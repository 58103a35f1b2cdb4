/** One attempt of a batch as its parts see it: what it was given, what it has to hand on, and what became of its events. */
import { type BatchState, type BatchTally, NO_TALLY } from '../../../domain/delivery/batch-state.js';
import type { AttemptDeadlines } from '../../../domain/delivery/delivery-timeouts.js';
import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import type { Redactor } from '../../../domain/redaction/redactor.js';
import type { Metrics } from '../../metrics/metrics.js';
import type { BatchDispatcher, BatchRef, BatchStore, LoadedBatch, Logger } from '../ports.js';
import type { Semaphore } from '../semaphore.js';

export interface DispatchBatchDeps {
  readonly batches: BatchStore;
  readonly dispatcher: BatchDispatcher;
  readonly log: Logger;
  readonly random: () => number;
  readonly redactor: Redactor;
  /** Batches of a destination that this worker has in hand: each may hold `MAX_BATCH_BYTES` of payloads several times over. */
  readonly placesOf: (destination: string) => Semaphore;
  /** By destination: how long its last post took, in ms. */
  readonly lastTookMs: Map<string, number>;
  readonly onFencedSettle: (count: number) => void;
  readonly onEventNotFound: () => void;
  readonly metrics?: Metrics;
}

export interface DispatchBatchInput {
  readonly batch: BatchRef;
  readonly mode: 'local' | 'regular';
  readonly state: BatchState;
  readonly runId: string;
  /** As of a single event's. */
  readonly runStartedAt?: number | undefined;
  readonly worker: string;
  readonly deadlines: AttemptDeadlines;
  readonly signal: AbortSignal;
}

export interface BatchAttempt {
  readonly input: DispatchBatchInput;
  readonly startedAt: number;
  state: BatchState;
  tally: BatchTally;
}

/**
 * Goes on with what earlier attempts have counted. What they delivered or let go is, to whoever looks at all events again,
 * another run's by now; so that much is taken off beforehand.
 */
export function beginAttempt(input: DispatchBatchInput): BatchAttempt {
  const tally = input.state.tally ?? NO_TALLY;
  return {
    input,
    startedAt: performance.now(),
    state: input.state,
    tally: { ...tally, superseded: -tally.delivered - tally.fellOut - tally.gaveBack },
  };
}

/** By the load of all events, which finds everything that is delivered, whichever attempt it was. */
export function recount(attempt: BatchAttempt, found: Pick<LoadedBatch, 'delivered' | 'superseded' | 'missing'>): void {
  const { delivered, superseded, missing } = found;
  const { fellOut, gaveBack } = attempt.tally;
  attempt.tally = { ...attempt.tally, delivered, superseded: superseded + missing - fellOut - gaveBack };
}

/** For the next attempt, which finds out anew what is another run's. undefined: nothing. */
export function tallySoFar({ tally }: BatchAttempt): BatchTally | undefined {
  const { delivered, fellOut, gaveBack, code } = tally;
  return delivered + fellOut + gaveBack === 0 && code === null ? undefined : { ...tally, superseded: 0 };
}

export function endTally({ tally }: BatchAttempt): BatchTally {
  return { ...tally, superseded: Math.max(0, tally.superseded) };
}

export function add(attempt: BatchAttempt, more: Partial<BatchTally>): void {
  const { tally } = attempt;
  attempt.tally = {
    delivered: tally.delivered + (more.delivered ?? 0),
    fellOut: tally.fellOut + (more.fellOut ?? 0),
    gaveBack: tally.gaveBack + (more.gaveBack ?? 0),
    superseded: tally.superseded + (more.superseded ?? 0),
    code: more.code ?? tally.code,
  };
}

export function leftMs({ input, startedAt }: BatchAttempt): number {
  return input.deadlines.totalMs - (performance.now() - startedAt);
}

/** For one call to the store. */
export function storeMs(attempt: BatchAttempt): number {
  return Math.max(50, Math.min(attempt.input.deadlines.storeMs, leftMs(attempt)));
}

/** Tries again, 100 ms apart, until the attempt's deadline or a shutdown; then throws the last error. */
export async function withinDeadline<T>(attempt: BatchAttempt, work: (timeoutMs: number) => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work(storeMs(attempt));
    } catch (error) {
      const away = isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE';
      if (!away || attempt.input.signal.aborted || leftMs(attempt) < 150) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export function logFields({ input: { batch, mode, runId, worker, state } }: BatchAttempt) {
  const { carrier, destination, events } = batch;
  return { carrier, destination, events: events.length, mode, runId, worker, tries: state.tries.length };
}
