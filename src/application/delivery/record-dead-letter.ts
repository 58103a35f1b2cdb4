import { catalogEntry } from '../../domain/delivery/error-catalog.js';
import type { DeadLetterInput, DeadLetterStore, Logger } from './ports.js';

const STORE_TIMEOUT_MS = 5_000;

/**
 * R17: writes the dead letter, the status DEAD and the notification row, all or nothing, unless the run is no longer
 * the one that carries the event. Safe to call again: the second call answers the letter that stands.
 * @throws IntegrationError `STORE.UNAVAILABLE`
 */
export async function recordDeadLetter(
  deps: { readonly deadLetters: DeadLetterStore; readonly log: Logger },
  input: Omit<DeadLetterInput, 'message'>,
): Promise<{ readonly kind: 'recorded' | 'already' | 'superseded' }> {
  const { message } = catalogEntry(input.code);
  const answer = await deps.deadLetters.recordDeadLetter({ ...input, message }, STORE_TIMEOUT_MS);
  const { eventId, epoch } = input.run;
  const fields = { eventId, epoch, code: input.code, attempt: input.attempt?.n, workflowId: input.workflowId };
  if (answer.kind === 'recorded') deps.log.error({ ...fields, deadLetterId: answer.id }, 'delivery.dead');
  else deps.log.warn({ ...fields, outcome: answer.kind }, 'delivery.dead_letter_not_written');
  return { kind: answer.kind };
}
