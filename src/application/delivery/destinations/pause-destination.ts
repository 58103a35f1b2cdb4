import type { Logger } from '../ports.js';
import type { DestinationStore, Pause, PauseScope, PersonsWord } from './ports.js';

export interface PauseDeps {
  readonly destinations: Pick<DestinationStore, 'pause' | 'resume' | 'findKnown' | 'findPause'>;
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

/** Another pause of the scope is in force than the one that was looked at. null: it ended just now. */
export interface PausedMeanwhile {
  readonly kind: 'paused-meanwhile';
  readonly pause: Pause | null;
}

export type PauseOutcome =
  | { readonly kind: 'paused'; readonly pause: Pause; readonly unknown: readonly UnknownName[] }
  | { readonly kind: 'past' }
  | PausedMeanwhile;
export type ResumeOutcome =
  | { readonly kind: 'resumed'; readonly pause: Pause }
  | { readonly kind: 'not-paused' }
  | PausedMeanwhile;

export interface PauseAsked {
  /** RFC 3339; null: until it is resumed. */
  readonly until: string | null;
  /** The pause of the same scope that was looked at, null where there was none; left out: whichever is in force gives way. */
  readonly replaces?: string | null | undefined;
}

/**
 * Holds what is not sent yet (R6): the relay claims none of it, runs that are under way wait and spend nothing, until the
 * end given (RFC 3339) or a resume. What is being sent at this moment is not called back. A name that nothing has is paused
 * all the same, since its first event may be still to come, and said.
 */
export async function pauseDestination(
  { destinations, handled, log, now }: PauseDeps,
  scope: PauseScope,
  { until, replaces }: PauseAsked,
  word: PersonsWord,
): Promise<PauseOutcome> {
  if (until !== null && new Date(until) <= now()) return { kind: 'past' };
  // A hint: where the database is too busy to give it, the pause is made all the same.
  const known = await destinations.findKnown(scope).catch(() => null);
  const pause = await destinations.pause(scope, until, word, replaces);
  if (pause === null) return { kind: 'paused-meanwhile', pause: await destinations.findPause(scope) };
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

/** Ends the pause of exactly this scope; a wider one goes on. `id`: the one that was looked at, so that no other ends. */
export async function resumeDestination(
  { destinations, log }: PauseDeps,
  scope: PauseScope,
  word: PersonsWord,
  id?: string,
): Promise<ResumeOutcome> {
  const pause = await destinations.resume(scope, word, id);
  if (pause === null) {
    const other = id === undefined ? null : await destinations.findPause(scope);
    return other === null ? { kind: 'not-paused' } : { kind: 'paused-meanwhile', pause: other };
  }
  log.info({ ...scope, actor: word.actor }, 'destination.resumed');
  return { kind: 'resumed', pause };
}
