/**
 * What relay, Temporal and worker do with pending events, one attempt after another and without waiting: the real
 * dispatcher, error table and policy decide, and the clock is set to when the next attempt is due.
 */

import { dispatchEvent } from '../../application/delivery/dispatch-event.js';
import type { Dispatcher, EffectFinder, Logger } from '../../application/delivery/ports.js';
import { recordDeadLetter } from '../../application/delivery/record-dead-letter.js';
import { NOTHING_CARRIED } from '../../domain/delivery/carried-state.js';
import type { Redactor } from '../../domain/redaction/redactor.js';
import type { MemoryDelivery, MemoryStore } from './memory-store.js';

export interface DeliverPendingDeps {
  readonly store: MemoryStore;
  readonly dispatcher: Dispatcher;
  readonly finder: EffectFinder;
  readonly log: Logger;
  readonly redactor: Redactor;
  readonly random: () => number;
  /** Sets the clock of the store; never back. */
  readonly skipTo: (time: number) => void;
}

/** Ends when no event is pending: each is delivered or dead. `timeoutMs`: of one attempt, in real time. */
export async function deliverPending(deps: DeliverPendingDeps, timeoutMs: number): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const [row] = [...deps.store.rows.values()].filter(isOpen).sort((a, b) => a.dueAt - b.dueAt);
    if (row === undefined) return;
    deps.skipTo(row.dueAt);
    row.status = 'STARTED';
    await attemptOnce(deps, row, { worker: `in-memory#${attempt}`, timeoutMs });
  }
}

async function attemptOnce(
  { store, dispatcher, finder, log, redactor, random }: DeliverPendingDeps,
  { event, epoch }: MemoryDelivery,
  { worker, timeoutMs }: { worker: string; timeoutMs: number },
): Promise<void> {
  const run = { eventId: event.id, epoch, carrier: null };
  const outcome = await dispatchEvent(
    { attempts: store, dispatcher, log, random, redactor, onFencedSettle: () => {}, onEventNotFound: () => {} },
    {
      run,
      mode: 'regular',
      previous: null,
      carried: NOTHING_CARRIED,
      runId: 'in-memory',
      worker,
      deadlines: { storeMs: timeoutMs, sendMs: timeoutMs, totalMs: timeoutMs },
      signal: new AbortController().signal,
    },
  );
  if (outcome.kind !== 'failed' || outcome.delayMs !== null) return;
  const { code, status, attempt: n } = outcome;
  const attempt = n === null ? null : { n, local: false, status };
  const deps = { deadLetters: store, effects: store, attempts: store, finder, log };
  await recordDeadLetter(deps, { run, code, attempt, workflowId: null, runId: null }, new AbortController().signal);
}

function isOpen({ status }: MemoryDelivery): boolean {
  return status === 'PENDING' || status === 'STARTED';
}
