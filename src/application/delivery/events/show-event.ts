import type { AnswerOf } from '../../../contract/answers.js';
import type { eventSchema } from '../../../contract/events-api.js';
import { type TemporalUi, temporalRunUrl } from '../../../domain/delivery/temporal-links.js';
import { eventRunId } from '../../../domain/delivery/workflow-ids.js';
import type { EventReader, StoredEvent } from './ports.js';

export interface ShowEventDeps {
  readonly reader: Pick<EventReader, 'show'>;
  readonly deployment: string;
  /** Where runs are opened; null where the address or the namespace is not known. Never throws. */
  readonly temporalUi: () => Promise<TemporalUi | null>;
}

export type ShownEvent = AnswerOf<typeof eventSchema>;
type Run = NonNullable<NonNullable<ShownEvent['delivery']>['run']>;

/**
 * One event with its way: attempts, letters, revisions, and the runs that carried it. By its id, or by that of a letter of
 * it; null where there is none, or it is another tenant's. `tenantId` null: of every tenant.
 * @throws IntegrationError `STORE.UNAVAILABLE`
 */
export async function showEvent(
  { reader, deployment, temporalUi }: ShowEventDeps,
  id: string,
  tenantId: string | null,
): Promise<ShownEvent | null> {
  const stored = await reader.show(id, tenantId);
  if (stored === null) return null;
  const ui = await temporalUi();
  const runOf = (epoch: number, carrier: string | null, runId: string | null): Run => {
    const workflowId = carrier ?? eventRunId({ deployment, eventId: stored.id, epoch });
    return { workflowId, runId, url: ui === null ? null : temporalRunUrl(ui, { workflowId, runId }) };
  };
  const { delivery, attempts, letters, ...event } = stored;
  return {
    ...event,
    delivery: delivery === null ? null : { ...delivery, run: hasRun(stored) ? runOf(...lastRun(stored)) : null },
    attempts: attempts.map(({ carrier, runId, ...attempt }) => ({
      ...attempt,
      run: runOf(attempt.epoch, carrier, runId),
    })),
    letters: letters.map(({ workflowId: _, runId: __, ...letter }) => letter),
  };
}

/** What waits has none in this epoch, or none that anybody knows of: a relay may just be starting it. */
function hasRun({ delivery, letters }: StoredEvent): boolean {
  if (delivery === null || delivery.status === 'PENDING') return false;
  const letter = letters.find(({ epoch }) => epoch === delivery.epoch);
  return letter === undefined || letter.workflowId !== null;
}

/** Of a delivery that succeeded at once nothing tells the run's id: its workflow has one run only. */
function lastRun({ delivery, attempts, letters }: StoredEvent): [number, string | null, string | null] {
  const { epoch = 0, carrier = null } = delivery ?? {};
  const attempt = attempts.findLast((one) => one.epoch === epoch && one.carrier === carrier && one.runId !== null);
  const letter = letters.find((one) => one.epoch === epoch);
  return [epoch, carrier, attempt?.runId ?? letter?.runId ?? null];
}
