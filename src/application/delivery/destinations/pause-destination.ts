import type { Logger } from '../ports.js';
import type { DestinationStore, Pause, PauseScope, PersonsWord } from './ports.js';

export interface PauseDeps {
  readonly destinations: Pick<DestinationStore, 'pause' | 'resume'>;
  readonly log: Pick<Logger, 'info'>;
  readonly now: () => Date;
}

export type PauseOutcome = { readonly kind: 'paused'; readonly pause: Pause } | { readonly kind: 'past' };
export type ResumeOutcome = { readonly kind: 'resumed'; readonly pause: Pause } | { readonly kind: 'not-paused' };

/**
 * Holds what is not sent yet (R6): the relay claims none of it, runs that are under way wait and spend nothing, until the
 * end given (RFC 3339) or a resume. What is being sent at this moment is not called back.
 */
export async function pauseDestination(
  { destinations, log, now }: PauseDeps,
  scope: PauseScope,
  until: string | null,
  word: PersonsWord,
): Promise<PauseOutcome> {
  if (until !== null && new Date(until) <= now()) return { kind: 'past' };
  const pause = await destinations.pause(scope, until, word);
  log.info({ ...scope, until, actor: word.actor }, 'destination.paused');
  return { kind: 'paused', pause };
}

/** Ends the pause of exactly this scope; a wider one goes on. */
export async function resumeDestination(
  { destinations, log }: PauseDeps,
  scope: PauseScope,
  word: PersonsWord,
): Promise<ResumeOutcome> {
  const pause = await destinations.resume(scope, word);
  if (pause === null) return { kind: 'not-paused' };
  log.info({ ...scope, actor: word.actor }, 'destination.resumed');
  return { kind: 'resumed', pause };
}
