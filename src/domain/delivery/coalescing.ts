/**
 * Coalescing (R20): whether the events of a type travel many to a run. For backlogs: a run of its own is what makes an event
 * one that a person can open.
 */
export interface Coalescing {
  /** `off`: each event has a run of its own. `adaptive`: above a backlog, and back below it. `always`: whatever waits together. */
  readonly mode: 'off' | 'adaptive' | 'always';
  /** Events in one run, at most. */
  readonly size: number;
  /** Adaptive: so many due events of the type that wait for a destination, and may travel together, switch it on there, */
  readonly above: number;
  /** and fewer than these switch it off, when it has been so for a while. */
  readonly below: number;
}

export const DEFAULT_COALESCING: Coalescing = { mode: 'off', size: 200, above: 1_000, below: 250 };

export const COALESCING_BOUNDS = { minSize: 2, maxSize: 500, maxBacklog: 100_000 } as const;

/** By destination, then by event type, `*` for every other one: how many of its events go into one run. 0 or nothing: one. */
export type CoalescedSizes = Readonly<Record<string, Readonly<Record<string, number>>>>;
