import type { OverviewValue } from '../../contract/overview-api.js';

export type Pause = OverviewValue<'destinations'>['pauses'][number];

/** What is held; null: any. The empty tenant: events without one. */
export type PauseScope = Pick<Pause, 'destination' | 'eventType' | 'tenantId'>;

/** The pause of exactly this scope: a scope has one, and another takes its place. */
export function pauseOf(pauses: readonly Pause[], scope: PauseScope): Pause | null {
  return (
    pauses.find(
      ({ destination, eventType, tenantId }) =>
        destination === scope.destination && eventType === scope.eventType && tenantId === scope.tenantId,
    ) ?? null
  );
}
