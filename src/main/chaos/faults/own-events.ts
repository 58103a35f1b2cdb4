/** Events that a fault appends itself. Their ids are known before they are committed, so that the ledger can answer them apart. */

import { v7 as uuidV7 } from 'uuid';
import { LEDGER_KEY } from '../chaos-config.js';
import type { ChaosEvent, ChaosWorld, LedgerMode } from '../ports.js';

export type OwnEvent = ChaosEvent & { readonly id: string };

export function ownEvents(
  { canary }: ChaosWorld,
  howMany: number,
  more: Partial<Pick<ChaosEvent, 'routingKey' | 'eventType' | 'expect' | 'tenantId' | 'payload'>> = {},
): readonly OwnEvent[] {
  return Array.from({ length: howMany }, (_, n) => {
    const id = uuidV7();
    return {
      routingKey: LEDGER_KEY,
      eventName: 'chaos.thing.changed.v1',
      eventType: 'CHAOS',
      tenantId: `tenant-${n % 10}`,
      payload: { n, note: `a fault's own, ${n}`, secret: canary },
      ...more,
      id,
      aggregate: { type: 'chaos', id: `own-${id}` },
    };
  });
}

export const idsOf = (events: readonly OwnEvent[]): readonly string[] => events.map(({ id }) => id);

type Decide = (request: { readonly eventId: string; readonly n: number }) => LedgerMode;

/** The ledger answers these as said and takes all others. */
export function answerOwn({ ledger }: ChaosWorld, ids: readonly string[], decide: Decide): void {
  const own = new Set(ids);
  ledger.mode((request) => (own.has(request.eventId) ? decide(request) : { kind: 'take' }));
}

export async function healLedger({ ledger }: ChaosWorld): Promise<void> {
  ledger.mode(() => ({ kind: 'take' }));
}

/** Requests of each key, as they came. */
export function requestsOf({ ledger }: ChaosWorld, ids: readonly string[]) {
  const own = new Set(ids);
  return ledger.requests.filter(({ eventId }) => own.has(eventId));
}
