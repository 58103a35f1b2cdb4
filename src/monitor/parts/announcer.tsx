import { useEffect, useRef } from 'react';
import { createStore, useStore } from '../data/store.js';
import { plainText } from '../logic/hostile.js';

interface Said {
  readonly text: string;
  /** The same text is said again when this changes. */
  readonly n: number;
}

const saidStore = createStore<Said>({ text: '', n: 0 });

/** Has a screen reader say what happened, once it has said what it is at. The focus stays where it is. */
export function announce(text: string): void {
  saidStore.set({ text, n: saidStore.get().n + 1 });
}

/**
 * Says what has become of something that is watched, whenever `state` is another one; by the text of then, which may change in
 * between without being said. `text`: null: nothing of this one. The first state is no change.
 */
export function useChangeSaid(state: string, text: string | null): void {
  const said = useRef<string | null>(null);
  useEffect(() => {
    if (said.current !== null && said.current !== state && text !== null) announce(text);
    said.current = state;
  }, [state, text]);
}

/** Stands once on the page, from its beginning: what is put into a region later is not read by all. */
export function Announcer() {
  const { text, n } = useStore(saidStore, (said) => said);
  return (
    <div className="unseen" aria-live="polite" aria-atomic="true">
      <span key={n}>{plainText(text)}</span>
    </div>
  );
}
