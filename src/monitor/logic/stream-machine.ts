/**
 * When the stream of the overview is opened, closed and opened again, as a function: the browser's EventSource would
 * try for ever at the same pace, and does not notice a connection that went silent.
 *
 *   idle --start--> opening --heard--> open --6 s of silence, or a failure--> waiting --its time has come--> opening …
 *   any --hidden for 30 s--> paused --shown--> opening
 *
 * HTTP/1.1 has six connections to an origin: a tab that nobody looks at gives its own back.
 */

export interface StreamState {
  readonly phase: 'idle' | 'opening' | 'open' | 'waiting' | 'paused';
  /** Failures since it was heard last. */
  readonly failures: number;
  /** When something came last; null: never. */
  readonly heardAt: number | null;
  /** Since when it is in this phase. */
  readonly since: number;
  /** While `waiting`: until when. */
  readonly retryAt: number;
  /** Since when nobody can see the page; null: somebody can. */
  readonly hiddenAt: number | null;
}

/** `clock` comes about every second. */
export type StreamEvent = 'start' | 'heard' | 'failed' | 'clock' | 'hidden' | 'shown' | 'stop';

export interface StreamStep {
  readonly state: StreamState;
  /** What is to be done now. `reopen`: close what there is first. */
  readonly act: 'reopen' | 'close' | null;
}

/** The server says something every other second. */
export const SILENCE_MS = 6_000;
/** Until the first word: an api that has just started may be slow. */
export const OPENING_MS = 10_000;
export const HIDDEN_MS = 30_000;
/**
 * Whoever comes back to the page is not told at once that it is old, for it is being read anew; but what is older than a minute
 * is not shown as if it were of now for a moment.
 */
const REOPENING_MS = 2_000;
const FORGIVEN_MS = 60_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;

export const IDLE: StreamState = { phase: 'idle', failures: 0, heardAt: null, since: 0, retryAt: 0, hiddenAt: null };

/** `random`: from 0 up to 1; a wait is its three quarters at least, so that many pages do not come back at once. */
export function stepStream(state: StreamState, event: StreamEvent, now: number, random: number): StreamStep {
  switch (event) {
    case 'start':
      return state.phase === 'idle' ? open(state, now) : { state, act: null };
    case 'stop':
      return { state: { ...IDLE, heardAt: state.heardAt, hiddenAt: state.hiddenAt }, act: 'close' };
    case 'heard':
      // What comes late from one that was given up tells nothing of the next one.
      if (state.phase !== 'opening' && state.phase !== 'open') return { state, act: null };
      return { state: { ...state, ...since(state, 'open', now), failures: 0, heardAt: now }, act: null };
    case 'failed':
      return state.phase === 'opening' || state.phase === 'open' ? fail(state, now, random) : { state, act: null };
    case 'hidden':
      return { state: { ...state, hiddenAt: state.hiddenAt ?? now }, act: null };
    case 'shown': {
      const seen = { ...state, hiddenAt: null };
      return state.phase === 'paused' ? open(seen, now) : { state: seen, act: null };
    }
    case 'clock':
      return tick(state, now, random);
  }
}

/** Whether what is shown may no longer be so. */
export function isStale({ phase, failures, heardAt, since: at }: StreamState, now: number): boolean {
  if (phase === 'idle') return false;
  const forgiven = heardAt === null || now - heardAt < FORGIVEN_MS;
  if (phase === 'opening' && failures === 0 && forgiven && now - at <= REOPENING_MS) return false;
  return heardAt === null ? phase === 'waiting' || now - at > SILENCE_MS : now - heardAt > SILENCE_MS;
}

function tick(state: StreamState, now: number, random: number): StreamStep {
  const { phase, hiddenAt } = state;
  if (phase === 'idle' || phase === 'paused') return { state, act: null };
  if (hiddenAt !== null && now - hiddenAt >= HIDDEN_MS) {
    return { state: { ...state, ...since(state, 'paused', now) }, act: 'close' };
  }
  if (phase === 'waiting') return now >= state.retryAt ? open(state, now) : { state, act: null };
  const silent = phase === 'open' ? now - (state.heardAt ?? now) > SILENCE_MS : now - state.since > OPENING_MS;
  return silent ? fail(state, now, random) : { state, act: null };
}

function open(state: StreamState, now: number): StreamStep {
  return { state: { ...state, ...since(state, 'opening', now) }, act: 'reopen' };
}

function fail(state: StreamState, now: number, random: number): StreamStep {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(state.failures, 10));
  const failures = state.failures + 1;
  const retryAt = now + wait * (0.75 + random * 0.25);
  return { state: { ...state, ...since(state, 'waiting', now), failures, retryAt }, act: 'close' };
}

function since(state: StreamState, phase: StreamState['phase'], now: number) {
  return { phase, since: state.phase === phase ? state.since : now };
}
