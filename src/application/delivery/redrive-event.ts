import type { DeadLetterStore, Logger, RedriveAnswer } from './ports.js';

export interface RedriveInput {
  readonly eventId: string;
  /** Of the letter that the person saw: a later one is not redriven by a word said about it. Left out: the open one. */
  readonly epoch?: number | undefined;
  /** Who asks, for the letter: 1 to 200 characters. */
  readonly actor: string;
  /** 1 to 1,000 characters. */
  readonly reason: string;
}

/**
 * R2: delivers a dead event again, on a person's word: a new epoch, so a new workflow id (REJECT_DUPLICATE refuses the
 * old one for as long as Temporal remembers it) and new budgets. The Idempotency-Key stays the event id.
 * @throws TypeError for an epoch that is none, without an actor or a reason; IntegrationError `STORE.UNAVAILABLE`
 */
export async function redriveEvent(
  deps: { readonly deadLetters: DeadLetterStore; readonly log: Logger },
  input: RedriveInput,
): Promise<RedriveAnswer> {
  const { eventId, epoch: letterEpoch, actor, reason } = input;
  if (letterEpoch !== undefined && !(Number.isInteger(letterEpoch) && letterEpoch >= 0 && letterEpoch < 2 ** 31)) {
    throw new TypeError('epoch: expected that of a dead letter, a whole number from 0');
  }
  if (actor.length < 1 || actor.length > 200) throw new TypeError('actor: expected 1 to 200 characters');
  if (reason.length < 1 || reason.length > 1_000) throw new TypeError('reason: expected 1 to 1,000 characters');
  const answer = await deps.deadLetters.redriveEvent(input);
  const epoch = answer.kind === 'redriven' ? answer.epoch : undefined;
  deps.log.info({ eventId, letterEpoch, outcome: answer.kind, epoch }, 'delivery.redriven');
  return answer;
}
