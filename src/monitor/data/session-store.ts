import type { Session } from '../../contract/monitor-api.js';
import { createStore, useStore } from './store.js';

/** Who is signed in on this page. */
export type SessionState =
  | { readonly kind: 'looking' }
  /**
   * `why`: what happened, for the sign-in view; null: nobody was signed in. `away`: whether somebody is could not be told, and
   * is asked again: by the api, which says what is away, or since there is no api that answers. null: it was told.
   */
  | { readonly kind: 'out'; readonly why: string | null; readonly away: 'told' | 'no api' | null }
  | { readonly kind: 'in'; readonly session: Session };

export const sessionStore = createStore<SessionState>({ kind: 'looking' });

/** Of whoever is signed in; for what is shown to such only. */
export function useSession(): Session {
  const state = useStore(sessionStore, (value) => value);
  if (state.kind !== 'in') throw new Error('Expected somebody to be signed in');
  return state.session;
}

/** Why somebody who was signed in is asked again. */
export const SESSION_ENDED =
  'Your session has ended: sign in again, and go on at the same page. What was being written in a form is gone';

/** The session is over: the sign-in view takes the page's place, and its address stays. */
export function endSession(why: string | null): void {
  sessionStore.set({ kind: 'out', why, away: null });
}

/** Whether the api could look the session up, as its latest answer says. */
export function noteChecked(checked: boolean): void {
  const state = sessionStore.get();
  if (state.kind !== 'in' || state.session.checked === checked) return;
  sessionStore.set({ kind: 'in', session: { ...state.session, checked } });
}
