import type { Logger } from '../ports.js';
import type { DestinationStore, Pause, PauseScope, PersonsWord } from './ports.js';

export interface PauseDeps {
  readonly destinations: Pick<DestinationStore, 'pause' | 'resume' | 'findKnown'>;
  /** Routing keys that have a handler here: known before their first event. */
  readonly handled: readonly string[];
  readonly log: Pick<Logger, 'info'>;
  readonly now: () => Date;
}

/** A name of a pause that nothing has: a slip of the pen holds nothing. */
export interface UnknownName {
  readonly what: 'destination' | 'event type';
  readonly name: string;
  /** What there is instead. */
  readonly known: readonly string[];
}

export type PauseOutcome =
  | { readonly kind: 'paused'; readonly pause: Pause; readonly unknown: readonly UnknownName[] }
  | { readonly kind: 'past' };
export type ResumeOutcome = { readonly kind: 'resumed'; readonly pause: Pause } | { readonly kind: 'not-paused' };

/**
 * Holds what is not sent yet (R6): the relay claims none of it, runs that are under way wait and spend nothing, until the
 * end given (RFC 3339) or a resume. What is being sent at this moment is not called back. A name that nothing has is paused
 * all the same, since its first event may be still to come, and said.
 */
export async function pauseDestination(
  { destinations, handled, log, now }: PauseDeps,
  scope: PauseScope,
  until: string | null,
  word: PersonsWord,
): Promise<PauseOutcome> {
  if (until !== null && new Date(until) <= now()) return { kind: 'past' };
  // A hint: where the database is too busy to give it, the pause is made all the same.
  const known = await destinations.findKnown(scope).catch(() => null);
  const pause = await destinations.pause(scope, until, word);
  const names =
    known === null
      ? []
      : ([
          { what: 'destination', name: scope.destination, known: [...new Set([...known.destinations, ...handled])] },
          { what: 'event type', name: scope.eventType, known: known.eventTypes },
        ] as const);
  const unknown = names.flatMap(({ what, name, known: there }) =>
    name === null || there.includes(name) ? [] : [{ what, name, known: there } satisfies UnknownName],
  );
  log.info({ ...scope, until, actor: word.actor, known: unknown.length === 0 }, 'destination.paused');
  return { kind: 'paused', pause, unknown };
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
