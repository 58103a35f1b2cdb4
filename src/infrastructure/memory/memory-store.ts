/**
 * The delivery's ports over arrays of this process, for tests of applications: one contract suite holds it and the
 * PostgreSQL adapter to the same promises. It knows an event's own run only (no batches, no revisions) and no leases, and
 * it forgets everything.
 */
import { randomUUID } from 'node:crypto';
import type {
  AttemptFailure,
  AttemptStore,
  BegunAttempt,
  DeadLetterStore,
  LoadedEvent,
  RunRef,
} from '../../application/delivery/ports.js';
import { countAttempts } from '../../domain/delivery/attempt-totals.js';
import { maxAttemptsFor } from '../../domain/delivery/decide-after-failure.js';
import { catalogEntry, type ErrorCode } from '../../domain/delivery/error-catalog.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import type { RetryPolicy } from '../../domain/delivery/policy.js';
import type { Receipt } from '../../domain/delivery/receipt.js';

export interface MemoryAttempt {
  readonly epoch: number;
  readonly n: number;
  readonly local: boolean;
  readonly worker: string;
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
  attempts: MemoryAttempt[];
  deadLetters: MemoryDeadLetter[];
}

export interface MemoryStore extends AttemptStore, DeadLetterStore {
  /** By event id, in the order of their commits. */
  readonly rows: Map<string, MemoryDelivery>;
}

export function createMemoryStore({ now, policy }: { now: () => number; policy: RetryPolicy }): MemoryStore {
  const rows = new Map<string, MemoryDelivery>();
  const rowOf = ({ eventId, epoch }: RunRef) => {
    const row = rows.get(eventId);
    return row?.epoch === epoch ? row : undefined;
  };
  const attemptsOf = (row: MemoryDelivery) => row.attempts.filter(({ epoch }) => epoch === row.epoch);
  const unfinished = (row: MemoryDelivery | undefined, n: number | null) =>
    row === undefined ? undefined : attemptsOf(row).find((attempt) => attempt.n === n && !attempt.finished);

  const load = (run: RunRef): LoadedEvent => {
    if (!rows.has(run.eventId)) return { kind: 'not-found' };
    const row = rowOf(run);
    if (row?.status === 'DELIVERED' && row.receipt !== null) return { kind: 'delivered', receipt: row.receipt };
    if (row === undefined || !isOpen(row) || run.carrier !== null) return { kind: 'superseded' };
    return { kind: 'found', event: structuredClone(row.event), policy };
  };
  const insert = (row: MemoryDelivery, attempt: Pick<MemoryAttempt, 'n' | 'local' | 'worker'>): MemoryAttempt => {
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

    async beginAttempt(run, { previous, unwritten, worker }) {
      const loaded = load(run);
      const row = rowOf(run);
      if (loaded.kind !== 'found' || row === undefined) return loaded as Exclude<LoadedEvent, { kind: 'found' }>;
      const earlier = attemptsOf(row);
      for (const attempt of earlier.filter(({ finished }) => !finished)) {
        const end = unwritten.find((candidate) => candidate.worker === attempt.worker);
        if (end?.code === null) remove(row, attempt);
        else close(attempt, end?.code ?? 'DELIVERY.ATTEMPT_LOST', end?.status ?? null);
      }
      if (previous !== null && earlier.every(({ n }) => n !== 1)) {
        close(insert(row, { n: previous.n, local: true, worker: '' }), previous.code, previous.status);
      }
      const history = attemptsOf(row);
      const codes = history.flatMap(({ code }) => (code === null ? [] : [code]));
      const totals = countAttempts(codes, now() - Math.min(now(), ...history.map(({ startedAt }) => startedAt)));
      const n = 1 + Math.max(0, ...[...earlier, ...history].map((attempt) => attempt.n));
      insert(row, { n, local: false, worker });
      const begun: BegunAttempt = { ...loaded, kind: 'begun', n, totals };
      return begun;
    },

    async failAttempt(run, { n, local, worker }, failure, delayMs) {
      const row = rowOf(run);
      moveDue(row, delayMs);
      const standing = row !== undefined && attemptsOf(row).some((attempt) => attempt.n === n);
      const attempt = local && row && !standing ? insert(row, { n, local, worker }) : unfinished(row, n);
      if (attempt === undefined || (local && standing)) return;
      close(attempt, failure.code, failure.status);
      attempt.delayMs = delayMs;
      attempt.failure = structuredClone(failure);
    },

    async removeAttempt(run, n, delayMs) {
      const row = rowOf(run);
      moveDue(row, delayMs);
      const attempt = unfinished(row, n);
      if (row !== undefined && attempt !== undefined) remove(row, attempt);
    },

    async settle(run, receipt, n) {
      const row = rowOf(run);
      const attempt = unfinished(row, n);
      if (attempt !== undefined) attempt.finished = true;
      if (row === undefined) return 'superseded';
      if (row.status === 'DELIVERED') return 'already';
      row.status = 'DELIVERED';
      row.receipt = structuredClone(receipt);
      const letter = openLetter(row);
      if (letter !== undefined) letter.state = 'resolved';
      return 'settled';
    },

    async recordDeadLetter({ run, code, message, attempt }) {
      const row = rowOf(run);
      const standing = row?.status === 'DEAD' ? openLetter(row) : undefined;
      if (standing !== undefined) return { kind: 'already', id: standing.id };
      if (row === undefined || !isOpen(row) || run.carrier !== null) return { kind: 'superseded' };
      row.status = 'DEAD';
      if (attempt !== null) {
        const known = attemptsOf(row).some(({ n }) => n === attempt.n);
        const open =
          unfinished(row, attempt.n) ?? (attempt.local && !known ? insert(row, { ...attempt, worker: '' }) : undefined);
        if (open !== undefined) close(open, code, attempt.status);
      }
      const failed = attemptsOf(row).filter((one) => one.code !== null);
      const last = failed.at(-1);
      const letter: MemoryDeadLetter = {
        id: randomUUID(),
        epoch: row.epoch,
        code,
        message: (last?.code === code ? last.failure?.message : undefined) ?? message,
        field: last?.failure?.field ?? null,
        response: last?.failure?.response ?? null,
        retryCount: failed.filter((one) => one.code !== null && catalogEntry(one.code).spends).length,
        maxRetries: maxAttemptsFor(code, policy),
        state: 'open',
      };
      row.deadLetters.push(letter);
      return { kind: 'recorded', id: letter.id };
    },

    async redriveEvent({ eventId }) {
      const row = rows.get(eventId);
      if (row === undefined) return { kind: 'not-found' };
      const letter = openLetter(row);
      if (row.status !== 'DEAD' || letter === undefined) return { kind: 'not-dead' };
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
