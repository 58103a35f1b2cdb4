/** One attempt of a batch as its parts see it: what it was given, what it has to hand on, and what became of its events. */
import type { BatchState, BatchTally } from '../../../domain/delivery/batch-state.js';
import type { AttemptDeadlines } from '../../../domain/delivery/delivery-timeouts.js';
import { isIntegrationError } from '../../../domain/delivery/integration-error.js';
import type { Redactor } from '../../../domain/redaction/redactor.js';
import type { BatchDispatcher, BatchRef, BatchStore, Logger } from '../ports.js';
import type { Semaphore } from '../semaphore.js';

export interface DispatchBatchDeps {
  readonly batches: BatchStore;
  readonly dispatcher: BatchDispatcher;
  readonly log: Logger;
  readonly random: () => number;
  readonly redactor: Redactor;
  /** Batches that this worker has in hand at once: each may hold `MAX_BATCH_BYTES` of payloads several times over. */
  readonly places: Semaphore;
  readonly onFencedSettle: (count: number) => void;
  readonly onEventNotFound: () => void;
}

export interface DispatchBatchInput {
  readonly batch: BatchRef;
  readonly mode: 'local' | 'regular';
  readonly state: BatchState;
  readonly runId: string;
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

/** Tries again, 100 ms apart, until the attempt's deadline or a shutdown; then throws the last error. */
export async function withinDeadline<T>(
  { input, startedAt }: BatchAttempt,
  work: (timeoutMs: number) => Promise<T>,
): Promise<T> {
  const leftMs = () => input.deadlines.totalMs - (performance.now() - startedAt);
  for (;;) {
    try {
      return await work(Math.max(50, Math.min(input.deadlines.storeMs, leftMs())));
    } catch (error) {
      const away = isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE';
      if (!away || input.signal.aborted || leftMs() < 150) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

export function logFields({ input: { batch, mode, runId, worker, state } }: BatchAttempt) {
  const { carrier, destination, events } = batch;
  return { carrier, destination, events: events.length, mode, runId, worker, tries: state.tries.length };
}
