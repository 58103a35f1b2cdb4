import type { AskedEffect } from '../ask-effect.js';
import type { Logger, RunRef } from '../ports.js';
import { checkWord } from './check-word.js';
import type { DeadLetterState } from './ports.js';
import type { ActedLetter, DeadLetterActions, FoundLetter, PersonsWord } from './redrive-ports.js';

export interface ActDeps {
  readonly actions: DeadLetterActions;
  /** R18: whether the effect stands; what stands is settled by it, unless told not to. Asked for edited payloads only. */
  readonly ask: (run: RunRef, how?: { readonly settle: boolean }) => Promise<AskedEffect>;
  readonly log: Logger;
}

export interface LetterIds {
  /** Of letters, or of events (then the event's latest letter). 1 to 100. */
  readonly ids: readonly string[];
  /** Whose letters are seen; null: everybody's. */
  readonly tenantId: string | null;
}

/** A word about one letter that somebody has looked at. */
export interface SeenLetter extends LetterIds {
  /** How often its payload was edited by then: a letter that was edited since is left alone. Left out: whatever stands now. */
  readonly revisions?: number | undefined;
}

/** As above; or several, of which nobody has looked at each. */
export interface RedriveAsked extends SeenLetter {
  /** Those whose payload was edited stay: what stands of each is sent by whoever names it alone. Default: they are taken. */
  readonly leavesEdited?: boolean;
}

export type NotActed =
  | { readonly kind: 'missing' }
  /** It is closed, and who closed it; or its event has no letter: what it does instead. */
  | {
      readonly kind: 'not-open';
      readonly state: Exclude<DeadLetterState, 'open'> | 'pending' | 'started' | 'delivered' | 'dead';
      readonly actor: string | null;
      readonly at: string | null;
    }
  /** It is open, and its payload is another one than the one that was looked at. `by`: who edited it last. */
  | { readonly kind: 'edited-meanwhile'; readonly revisions: number; readonly by: string | null };

export type RedriveOutcome =
  | ({ readonly kind: 'redriven' } & ActedLetter)
  /** Its payload was edited, and the effect of what was sent before stands: another payload under the same key is refused. */
  | { readonly kind: 'effect-stands' }
  /** Its payload was edited, and its destination did not say whether the effect stands. Ask again later. */
  | { readonly kind: 'not-told' }
  /** Its payload was edited, and several were named that leave such ones out. */
  | { readonly kind: 'edited' }
  | NotActed;
export type DiscardOutcome = ({ readonly kind: 'discarded' } & ActedLetter) | NotActed;

export const MOST_IDS = 100;
/** Below what a destination is asked at once in a process (R18), so that nobody else's question is refused by ours. */
const ASKED_AT_ONCE = 6;
/** Somebody waits for the answer, and a page gives up after fifteen seconds: who could not be asked by then is not told of. */
const ASKED_WITHIN_MS = 8_000;

/**
 * R2: delivers dead events again, on a person's word: a new epoch, so a new workflow id (REJECT_DUPLICATE refuses the old
 * one for as long as Temporal remembers it) and new budgets. The Idempotency-Key stays the event id. What was said of one
 * letter does not redrive a later one of its event. Answers in the order of the ids.
 *
 * The destination of a letter whose payload was edited is asked first (R18), for what it took under the event's
 * Idempotency-Key must not be sent again as something else: some at once, for ten seconds in all. A handler that cannot be asked
 * leaves that to the person.
 * @throws TypeError for ids, revisions of several, an actor or a reason that do not fit; IntegrationError `STORE.UNAVAILABLE`
 */
export async function redriveLetters(deps: ActDeps, which: RedriveAsked, word: PersonsWord): Promise<RedriveOutcome[]> {
  const { revisions: seen, leavesEdited = false } = which;
  if (seen !== undefined && which.ids.length > 1) throw new TypeError('revisions: expected one id beside it');
  const kept = new Map<string, 'effect-stands' | 'not-told' | 'edited'>();
  const outcomes = await act(deps, which, word, async (found) => {
    const letters = found.filter(({ revisions }) => seen === undefined || revisions === seen);
    const edited = letters.filter(({ revisions }) => revisions > 0);
    if (leavesEdited) for (const { id } of edited.splice(0)) kept.set(id, 'edited');
    const askedFrom = performance.now();
    for (let at = 0; at < edited.length; at += ASKED_AT_ONCE) {
      const some = edited.slice(at, at + ASKED_AT_ONCE);
      if (performance.now() - askedFrom >= ASKED_WITHIN_MS) {
        for (const { id } of some) kept.set(id, 'not-told');
        continue;
      }
      await Promise.all(
        some.map(async ({ id, eventId, epoch }) => {
          const asked = await deps.ask({ eventId, epoch, carrier: null });
          if (asked.kind === 'delivered' || asked.kind === 'superseded') kept.set(id, 'effect-stands');
          if (asked.kind === 'unknown' && asked.again) kept.set(id, 'not-told');
        }),
      );
    }
    const free = letters.filter(({ id }) => !kept.has(id));
    return free.length === 0 ? [] : deps.actions.redrive(free, word);
  });
  return outcomes.map(({ letterId, ...outcome }) => {
    const why = letterId === null ? undefined : kept.get(letterId);
    if (why !== undefined) return { kind: why };
    return outcome.kind === 'acted' ? { ...outcome, kind: 'redriven' } : outcome;
  });
}

/** Gives events up by name: DISCARDED, never deleted. As `redriveLetters`. */
export async function discardLetters(
  deps: Pick<ActDeps, 'actions' | 'log'>,
  which: LetterIds,
  word: PersonsWord,
): Promise<DiscardOutcome[]> {
  const outcomes = await act(deps, which, word, (letters) => deps.actions.discard(letters, word));
  return outcomes.map(({ letterId: _, ...outcome }) =>
    outcome.kind === 'acted' ? { ...outcome, kind: 'discarded' } : outcome,
  );
}

type OpenLetter = Extract<FoundLetter, { kind: 'letter' }>;

async function act(
  { actions, log }: Pick<ActDeps, 'actions' | 'log'>,
  { ids, tenantId, revisions }: SeenLetter,
  word: PersonsWord,
  work: (letters: readonly OpenLetter[]) => Promise<readonly ActedLetter[]>,
): Promise<((({ readonly kind: 'acted' } & ActedLetter) | NotActed) & { readonly letterId: string | null })[]> {
  checkWord(word);
  if (ids.length < 1 || ids.length > MOST_IDS) throw new TypeError(`ids: expected 1 to ${MOST_IDS}`);
  const found = await actions.find(ids, tenantId);
  const open = found.flatMap((letter) => (letter.kind === 'letter' && letter.state === 'open' ? [letter] : []));
  const acted = open.length === 0 ? [] : await work(open);
  const byId = new Map(acted.map((letter) => [letter.id, letter]));
  // Somebody was quicker with those that are left: asked again, for who it was.
  const left = open.some(({ id }) => !byId.has(id));
  const now = left
    ? await actions.find(
        found.map((letter, at) => (letter.kind === 'letter' ? letter.id : (ids[at] as string))),
        tenantId,
      )
    : found;
  const outcomes = now.map((letter) => {
    const done = letter.kind === 'letter' ? byId.get(letter.id) : undefined;
    const letterId = letter.kind === 'letter' ? letter.id : null;
    return { ...(done === undefined ? whyNot(letter, revisions) : ({ kind: 'acted', ...done } as const)), letterId };
  });
  log.info(
    { actor: word.actor, acted: acted.length, asked: ids.length, ids: ids.slice(0, 10) },
    'dead_letters.acted_on',
  );
  return outcomes;
}

/** `seen`: how often its payload had been edited when it was looked at. */
export function whyNot(letter: FoundLetter, seen?: number): NotActed {
  if (letter.kind === 'missing') return letter;
  const nobody = { actor: null, at: null };
  if (letter.kind === 'no-letter') {
    return { kind: 'not-open', state: letter.status.toLowerCase() as 'pending', ...nobody };
  }
  if (letter.state === 'open' && seen !== undefined && letter.revisions !== seen) {
    return { kind: 'edited-meanwhile', revisions: letter.revisions, by: letter.editedBy };
  }
  // Open, and not acted on: its event moves at this moment. Asked again it tells more.
  if (letter.state === 'open') return { kind: 'not-open', state: 'dead', ...nobody };
  const { state, actor, at } = letter;
  return { kind: 'not-open', state, actor, at };
}
