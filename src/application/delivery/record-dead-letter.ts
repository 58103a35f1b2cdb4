import { catalogEntry } from '../../domain/delivery/error-catalog.js';
import { type Metrics, NO_METRICS } from '../metrics/metrics.js';
import { type AskEffectDeps, askEffect } from './ask-effect.js';
import type { DeadLetterInput, DeadLetterStore } from './ports.js';

const STORE_TIMEOUT_MS = 5_000;

export type RecordedDeadLetter =
  /** `notify` (R24): the notification row, where the letter opened its group. */
  | { readonly kind: 'recorded' | 'already'; readonly notify?: string }
  /** Not this run's to end: another carries the event by now, or (with `receiptId`) its effect stands and is settled. */
  | { readonly kind: 'superseded'; readonly receiptId?: string; readonly notify?: undefined };

/**
 * R17: writes the dead letter, the status DEAD and the notification row, all or nothing, unless the run is no longer
 * the one that carries the event. R18: where the effect may stand its destination is asked first, and what stands is
 * settled in place of the letter. Safe to call again: the second call answers the letter that stands.
 * @throws IntegrationError `STORE.UNAVAILABLE`
 */
export async function recordDeadLetter(
  deps: AskEffectDeps & { readonly deadLetters: DeadLetterStore; readonly metrics?: Metrics },
  input: Omit<DeadLetterInput, 'message'>,
  signal: AbortSignal,
): Promise<RecordedDeadLetter> {
  const { log, metrics = NO_METRICS } = deps;
  const { run, code, attempt, workflowId } = input;
  const asked = await askEffect(deps, run, { code, signal });
  if (asked.kind === 'delivered') return { kind: 'superseded', receiptId: asked.receiptId };
  const fenced = () => metrics.count('outbox_fenced_writes_total', { write: 'dead_letter' });
  if (asked.kind === 'superseded') {
    fenced();
    return asked;
  }
  const { message } = catalogEntry(code);
  const answer = await deps.deadLetters.recordDeadLetter({ ...input, message }, STORE_TIMEOUT_MS);
  const fields = { eventId: run.eventId, epoch: run.epoch, code, attempt: attempt?.n, workflowId };
  if (answer.kind === 'superseded') fenced();
  if (answer.kind === 'recorded') {
    metrics.count('outbox_dead_events_total', { event_type: answer.eventType ?? 'unknown', code });
    log.error({ ...fields, deadLetterId: answer.id }, 'delivery.dead');
  } else log.warn({ ...fields, outcome: answer.kind }, 'delivery.dead_letter_not_written');
  if (answer.kind === 'superseded' || answer.notify === null) return { kind: answer.kind };
  return { kind: answer.kind, notify: answer.notify };
}
