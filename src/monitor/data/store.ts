import { useSyncExternalStore } from 'react';

/** A value that the page has once, outside of its components. */
export interface Store<Value> {
  get(): Value;
  set(value: Value): void;
  /** Answers how to end it. */
  subscribe(changed: () => void): () => void;
}

export function createStore<Value>(initial: Value): Store<Value> {
  let value = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return;
      value = next;
      for (const changed of listeners) changed();
    },
    subscribe(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  };
}

/** `pick` answers a part of the value as it is, never a new object: it is compared with the one before. */
export function useStore<Value, Picked>(store: Store<Value>, pick: (value: Value) => Picked): Picked {
  return useSyncExternalStore(store.subscribe, () => pick(store.get()));
}
