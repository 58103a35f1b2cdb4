import type { Session, SignIn } from '../../contract/monitor-api.js';
import { MONITOR_PATH, SESSION_PATH } from './paths.js';
import { RequestError, sendSession } from './request.js';
import { endSession, SESSION_ENDED, type SessionState, sessionStore } from './session-store.js';

/** Throws RequestError. */
export async function signIn(word: SignIn): Promise<void> {
  const session = await sendSession<Session>({ method: 'POST', path: SESSION_PATH, body: JSON.stringify(word) });
  sessionStore.set({ kind: 'in', session });
}

/** Ends the session here in any case; where it could not be ended everywhere, that is said. Never rejects. */
export async function signOut(): Promise<void> {
  try {
    const told = await sendSession<{ readonly ended?: boolean } | null>({ method: 'DELETE', path: SESSION_PATH });
    endSession(told?.ended === false ? notEnded('the audit database is away') : null);
  } catch (error) {
    endSession(notEnded(error instanceof Error ? error.message : String(error)));
  }
}

function notEnded(why: string): string {
  return `Signed out on this page only; whoever has its cookie may go on: ${why}`;
}

/** Said once the api can look sessions up again, and finds none. */
const ANSWERS_AGAIN = 'The api answers again: sign in';

/**
 * Whoever is signed in already stays so: asked once when the page is loaded, when the stream breaks off, and again and again
 * while that has no answer. Says whether the api answered, whatever it said. Never rejects.
 */
export async function lookUpSession(): Promise<boolean> {
  const before = sessionStore.get();
  // What somebody did meanwhile is newer than this answer.
  const set = (state: SessionState) => {
    if (sessionStore.get() === before) sessionStore.set(state);
  };
  try {
    set({ kind: 'in', session: await sendSession<Session>({ method: 'GET', path: SESSION_PATH }) });
    return true;
  } catch (error) {
    const refused = error instanceof RequestError && error.status === 401;
    if (refused) set({ kind: 'out', why: whyOut(before), away: null });
    // Of an api that is away nothing is known: whoever was in stays in, and is told so by what is stale.
    else if (before.kind !== 'in') {
      set({ kind: 'out', why: error instanceof Error ? error.message : String(error), away: whatIsAway(error) });
    }
    return isOfTheApi(error);
  }
}

/** What the api says that will be so the next time, too, is not asked again. */
function whatIsAway(error: unknown): 'told' | 'no api' | null {
  if (!isOfTheApi(error)) return 'no api';
  return error.retryable ? 'told' : null;
}

function isOfTheApi(error: unknown): error is RequestError {
  return error instanceof RequestError && error.status > 0 && error.code !== 'unreadable';
}

/** The api itself says that nobody can be looked up, and what works all the same. */
export function saysWhatIsAway(error: unknown): boolean {
  return error instanceof RequestError && error.code === 'session_not_known';
}

function whyOut(before: SessionState): string | null {
  if (before.kind === 'in') return SESSION_ENDED;
  return before.kind === 'out' && before.away !== null ? ANSWERS_AGAIN : null;
}

/**
 * The first thing that the page does. A link that works once holds its secret in the fragment, which reaches no server,
 * proxy or log: it is taken out of the address, and so of the history, before anything else, and posted once.
 */
export async function startSession(): Promise<void> {
  const link = takeLink();
  if (link === null) {
    await lookUpSession();
    return;
  }
  try {
    await signIn({ link });
  } catch (error) {
    endSession(error instanceof Error ? error.message : String(error));
  }
}

function takeLink(): string | null {
  const { hash, pathname, search } = window.location;
  const link = new URLSearchParams(hash.slice(1)).get('link');
  if (link === null || link === '') return null;
  const path = pathname === `${MONITOR_PATH}/sign-in` ? `${MONITOR_PATH}/` : pathname;
  window.history.replaceState(null, '', `${path}${search}`);
  return link;
}
