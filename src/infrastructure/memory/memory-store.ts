/**
 * The delivery's ports over arrays of this process, for tests of applications: one contract suite holds it and the
 * PostgreSQL adapter to the same promises. It knows an event's own run only (no batches, no revisions) and no leases, and
 * it forgets everything.
 */
import { randomUUID } from 'node:crypto';
import type {
  AttemptFailure,
  AttemptRef,
  AttemptStore,
  BegunAttempt,
  DeadLetterStore,
  EffectStore,
  LoadedEvent,
  RunRef,
} from '../../application/delivery/ports.js';
import { countAttempts } from '../../domain/delivery/attempt-totals.js';
import { healthyView } from '../../domain/delivery/breaker.js';
import { maxAttemptsFor } from '../../domain/delivery/decide-after-failure.js';
import { catalogEntry, type ErrorCode } from '../../domain/delivery/error-catalog.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import type { RetryPolicy } from '../../domain/delivery/policy.js';
import type { Receipt } from '../../domain/delivery/receipt.js';

export interface MemoryAttempt {
  readonly epoch: number;
  readonly n: number;
  readonly local: boolean;
  /** null: it stands for an attempt that another one tells of. */
  readonly runId: string | null;
  readonly worker: string | null;
  readonly startedAt: number;
  finished: boolean;
  /** null: under way, or delivered. */
  code: ErrorCode | null;
  status: number | null;
  /** Until the next attempt; null where there is none. */
  delayMs: number | null;
  failure: AttemptFailure | null;
}

export interface MemoryDeadLetter {
  readonly id: string;
  readonly epoch: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly field: string | null;
  readonly response: AttemptFailure['response'];
  readonly retryCount: number;
  readonly maxRetries: number;
  state: 'open' | 'redriven' | 'resolved';
}

export interface MemoryDelivery {
  readonly event: OutboxEvent;
  status: 'PENDING' | 'STARTED' | 'DELIVERED' | 'DEAD';
  epoch: number;
  /** Milliseconds since 1970, by the clock of the store. */
  dueAt: number;
  receipt: Receipt | null;
  /** R18: an attempt that left no row may have taken effect. */
  doubtful: boolean;
  attempts: MemoryAttempt[];
  deadLetters: MemoryDeadLetter[];
}

export interface MemoryStore extends AttemptStore, DeadLetterStore, Pick<EffectStore, 'loadDoubtful'> {
  /** By event id, in the order of their commits. */
  readonly rows: Map<string, MemoryDelivery>;
  /** R2: the event's latest letter, where it is open. */
  redrive(
    eventId: string,
  ):
    | { readonly kind: 'redriven'; readonly epoch: number }
    | { readonly kind: 'not-found' | 'no-letter' | 'redriven already' | 'resolved already' };
}

export function createMemoryStore({ now, policy }: { now: () => number; policy: RetryPolicy }): MemoryStore {
  const rows = new Map<string, MemoryDelivery>();
  const rowOf = ({ eventId, epoch }: RunRef) => {
    const row = rows.get(eventId);
    return row?.epoch === epoch ? row : undefined;
  };
  const attemptsOf = (row: MemoryDelivery) => row.attempts.filter(({ epoch }) => epoch === row.epoch);
  const unfinished = (eventId: string, epoch: number) =>
    (rows.get(eventId)?.attempts ?? []).filter((attempt) => attempt.epoch === epoch && !attempt.finished);
  const findOwn = ({ eventId, epoch }: RunRef, own: AttemptRef | null) =>
    unfinished(eventId, epoch).find(
      ({ n, runId, worker }) => n === own?.n && runId === own.runId && worker === own.worker,
    );

  const load = (run: RunRef): LoadedEvent => {
    if (!rows.has(run.eventId)) return { kind: 'not-found' };
    const row = rowOf(run);
    if (row?.status === 'DELIVERED' && row.receipt !== null) return { kind: 'delivered', receipt: row.receipt };
    if (row === undefined || !isOpen(row) || run.carrier !== null) return { kind: 'superseded' };
    const destination = healthyView(row.event.routingKey);
    return { kind: 'found', event: structuredClone(row.event), policy, destination };
  };
  const insert = (
    row: MemoryDelivery,
    attempt: Pick<MemoryAttempt, 'n' | 'local' | 'runId' | 'worker'>,
  ): MemoryAttempt => {
    const fresh = { finished: false, code: null, status: null, delayMs: null, failure: null };
    const inserted = { ...fresh, ...attempt, epoch: row.epoch, startedAt: now() };
    row.attempts = [...row.attempts, inserted].sort((a, b) => a.epoch - b.epoch || a.n - b.n);
    return inserted;
  };
  const remove = (row: MemoryDelivery, gone: MemoryAttempt) => {
    row.attempts = row.attempts.filter((attempt) => attempt !== gone);
  };
  const moveDue = (row: MemoryDelivery | undefined, delayMs: number | null) => {
    if (row?.status === 'STARTED' && delayMs !== null) row.dueAt = now() + delayMs;
  };

  return {
    rows,

    async loadEvent(run) {
      return load(run);
    },

    async beginAttempt(run, { previous, unwritten, runId, worker }) {
      const loaded = load(run);
      const row = rows.get(run.eventId);
      const earlier = row === undefined ? [] : row.attempts.filter(({ epoch }) => epoch === run.epoch);
      // What its own run left is closed even where it may not send: nobody else will.
      let lost = 0;
      for (const attempt of earlier.filter(
        (one) => !one.finished && (loaded.kind === 'found' || one.runId === runId),
      )) {
        const end = unwritten.find((one) => attempt.runId === runId && one.worker === attempt.worker);
        if (end === undefined) lost += 1;
        if (row !== undefined && end?.code === null) remove(row, attempt);
        else close(attempt, end?.code ?? 'DELIVERY.ATTEMPT_LOST', end?.status ?? null);
      }
      if (row !== undefined && unwritten.some(({ doubtful }) => doubtful)) row.doubtful = true;
      if (loaded.kind !== 'found' || row === undefined) return loaded as Exclude<LoadedEvent, { kind: 'found' }>;
      if (previous !== null && earlier.every(({ n }) => n !== 1)) {
        if (previous.code === 'DELIVERY.ATTEMPT_LOST') lost += 1;
        close(insert(row, { n: previous.n, local: true, runId, worker: null }), previous.code, previous.status);
      }
      const history = attemptsOf(row);
      const codes = history.flatMap(({ code }) => (code === null ? [] : [code]));
      const totals = countAttempts(codes, now() - Math.min(now(), ...history.map(({ startedAt }) => startedAt)));
      const n = 1 + Math.max(0, ...[...earlier, ...history].map((attempt) => attempt.n));
      insert(row, { n, local: false, runId, worker });
      const begun: BegunAttempt = { ...loaded, kind: 'begun', n, lost, totals };
      return begun;
    },

    async failAttempt(run, { n, local, runId, worker }, failure, delayMs) {
      const row = rowOf(run);
      moveDue(row, delayMs);
      const missing = row !== undefined && attemptsOf(row).every((attempt) => attempt.n !== n);
      const attempt = local ? missing && insert(row, { n, local, runId, worker }) : findOwn(run, { n, runId, worker });
      if (!attempt) return;
      close(attempt, failure.code, failure.status);
      attempt.delayMs = delayMs;
      attempt.failure = structuredClone(failure);
    },

    async waitForDestination(run, delayMs) {
      moveDue(rowOf(run), delayMs);
    },

    async removeAttempt(run, own, delayMs) {
      moveDue(rowOf(run), delayMs);
      const row = rows.get(run.eventId);
      const attempt = findOwn(run, own);
      if (row !== undefined && attempt !== undefined) remove(row, attempt);
      if (row !== undefined && own.doubtful) row.doubtful = true;
    },

    async settle(run, receipt, own) {
      const row = rowOf(run);
      const attempt = findOwn(run, own);
      if (attempt !== undefined) attempt.finished = true;
      if (row === undefined) return 'superseded';
      if (row.status === 'DELIVERED') return 'already';
      row.status = 'DELIVERED';
      row.receipt = structuredClone(receipt);
      for (const earlier of unfinished(run.eventId, run.epoch)) {
        if (own !== null && earlier.n < own.n) close(earlier, 'DELIVERY.ATTEMPT_LOST', null);
      }
      const letter = openLetter(row);
      if (letter !== undefined) letter.state = 'resolved';
      return 'settled';
    },

    async recordDeadLetter({ run, code, message, attempt }) {
      const row = rowOf(run);
      const standing = row?.status === 'DEAD' ? openLetter(row) : undefined;
      if (standing !== undefined) return { kind: 'already', id: standing.id, notify: null };
      if (row === undefined || !isOpen(row) || run.carrier !== null) return { kind: 'superseded' };
      row.status = 'DEAD';
      if (attempt !== null) {
        const { n, local, status } = attempt;
        const unwritten = unfinished(run.eventId, run.epoch).find((one) => one.n === n && !one.local);
        const missing = local && attemptsOf(row).every((one) => one.n !== n);
        const ended = unwritten ?? (missing ? insert(row, { n, local, runId: null, worker: null }) : undefined);
        if (ended !== undefined) close(ended, code, status);
      }
      const failed = attemptsOf(row).filter((one) => one.code !== null);
      // After the count: those lost only now tell nothing of why it ended.
      for (const lost of unfinished(run.eventId, run.epoch)) close(lost, 'DELIVERY.ATTEMPT_LOST', null);
      const last = failed.at(-1);
      const letter: MemoryDeadLetter = {
        id: randomUUID(),
        epoch: row.epoch,
        code,
        message: (last?.code === code ? last.failure?.message : undefined) ?? message,
        field: last?.failure?.field ?? null,
        response: failed.findLast((one) => one.failure?.response)?.failure?.response ?? null,
        retryCount: failed.filter((one) => one.code !== null && catalogEntry(one.code).spends).length,
        maxRetries: maxAttemptsFor(code, policy),
        state: 'open',
      };
      row.deadLetters.push(letter);
      return { kind: 'recorded', id: letter.id, notify: null };
    },

    async loadDoubtful(run, state) {
      const row = rowOf(run);
      if (row === undefined || !(state === 'open' ? isOpen(row) : row.status === 'DEAD')) return null;
      const doubtful =
        row.doubtful || row.attempts.some(({ code }) => code === null || catalogEntry(code).effect === 'unknown');
      return { event: structuredClone(row.event), doubtful, mayAsk: true };
    },

    redrive(eventId) {
      const row = rows.get(eventId);
      if (row === undefined) return { kind: 'not-found' };
      const letter = row.deadLetters.at(-1);
      if (letter === undefined) return { kind: 'no-letter' };
      if (letter.state !== 'open') return { kind: `${letter.state} already` };
      letter.state = 'redriven';
      Object.assign(row, { status: 'PENDING', epoch: row.epoch + 1, dueAt: now() });
      return { kind: 'redriven', epoch: row.epoch };
    },
  };
}

function isOpen({ status }: MemoryDelivery): boolean {
  return status === 'PENDING' || status === 'STARTED';
}

function openLetter({ epoch, deadLetters }: MemoryDelivery): MemoryDeadLetter | undefined {
  return deadLetters.find((letter) => letter.epoch === epoch && letter.state === 'open');
}

function close(attempt: MemoryAttempt, code: ErrorCode, status: number | null): void {
  Object.assign(attempt, { finished: true, code, status });
}
