/** Attempts and settling (R10 to R16): every call is one statement, so that each of them happens wholly or not at all. */
import type {
  AttemptStore,
  BegunAttempt,
  LoadedEvent,
  RunRef,
  SettleAnswer,
  SettledEvent,
} from '../../application/delivery/ports.js';
import { countAttempts } from '../../domain/delivery/attempt-totals.js';
import type { Breaker, DestinationView } from '../../domain/delivery/breaker.js';
import { catalogEntry, isErrorCode } from '../../domain/delivery/error-catalog.js';
import type { JsonObject } from '../../domain/delivery/json.js';
import { parseLossless } from '../../domain/delivery/lossless-json.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../domain/delivery/policy.js';
import type { Receipt } from '../../domain/delivery/receipt.js';
import {
  BEGIN_ATTEMPT,
  FAIL_ATTEMPT,
  FAIL_LOCAL_ATTEMPT,
  LOAD_EVENT,
  REMOVE_ATTEMPT,
  SETTLE,
  SETTLE_DEAD,
  WAIT,
} from './attempt-statements.js';
import { type PgPool, runStatement } from './pg-pool.js';
import { toStorableJson, toStorableText } from './to-storable.js';

/** Told of every row that was settled, once the database has said so. */
export type OnSettled = (settled: readonly SettledEvent[]) => void;

export function createAttemptStore(pool: PgPool, onSettled: OnSettled = () => {}): AttemptStore {
  return {
    async loadEvent(run, timeoutMs) {
      const rows = await runStatement<EventRow>(pool, {
        name: 'delivery_load_event',
        text: LOAD_EVENT,
        values: [run.eventId, run.epoch],
        timeoutMs,
      });
      return readLoaded(run, rows[0]);
    },

    async beginAttempt(run, { previous, unwritten, runId, worker, trial = null }, timeoutMs) {
      const [row] = await runStatement<BegunRow>(pool, {
        name: 'delivery_begin_attempt',
        text: BEGIN_ATTEMPT,
        values: [
          run.eventId,
          run.epoch,
          run.carrier,
          runId,
          worker,
          previous?.code ?? null,
          previous?.status ?? null,
          previous === null ? null : catalogEntry(previous.code).message,
          unwritten.map((end) => end.worker),
          unwritten.map((end) => end.code),
          unwritten.map((end) => end.status),
          catalogEntry('DELIVERY.ATTEMPT_LOST').message,
          trial,
          unwritten.some((end) => end.doubtful === true),
        ],
        timeoutMs,
      });
      const loaded = readLoaded(run, row, trial);
      if (loaded.kind !== 'found') return loaded;
      // The statement began the attempt by the same conditions that `readLoaded` has just read.
      if (row === undefined || row.n === null) throw new TypeError('expected begin_attempt to begin what it found');
      const begun: BegunAttempt = {
        ...loaded,
        kind: 'begun',
        n: row.n,
        lost: row.lost,
        totals: countAttempts(row.earlier_codes.filter(isErrorCode), row.since_first_ms - row.waited_ms),
      };
      return begun;
    },

    async failAttempt(run, attempt, failure, delayMs, timeoutMs) {
      await runStatement(pool, {
        name: attempt.local ? 'delivery_fail_local_attempt' : 'delivery_fail_attempt',
        text: attempt.local ? FAIL_LOCAL_ATTEMPT : FAIL_ATTEMPT,
        values: [
          run.eventId,
          run.epoch,
          attempt.n,
          delayMs,
          failure.code,
          failure.status,
          toStorableText(failure.message),
          failure.stack === null ? null : toStorableText(failure.stack),
          toStorableJson(failure.causes),
          toStorableJson(failure.response),
          failure.field === null ? null : toStorableText(failure.field),
          attempt.runId,
          attempt.worker,
        ],
        timeoutMs,
      });
    },

    async waitForDestination(run, delayMs, timeoutMs) {
      const values = [run.eventId, run.epoch, Math.round(delayMs)];
      await runStatement(pool, { name: 'delivery_wait', text: WAIT, values, timeoutMs });
    },

    async removeAttempt(run, { n, runId, worker, doubtful }, delayMs, timeoutMs) {
      await runStatement(pool, {
        name: 'delivery_remove_attempt',
        text: REMOVE_ATTEMPT,
        values: [run.eventId, run.epoch, n, delayMs, runId, worker, doubtful],
        timeoutMs,
      });
    },

    async settle(run, receipt, attempt, timeoutMs) {
      const startedAt = performance.now();
      const { n = null, runId = null, worker = null } = attempt ?? {};
      const lost = catalogEntry('DELIVERY.ATTEMPT_LOST').message;
      const values = [run.eventId, run.epoch, toStorableJson(receipt), n, runId, worker, lost];
      const [row] = await runStatement<SettledRow>(pool, { name: 'delivery_settle', text: SETTLE, values, timeoutMs });
      if (row !== undefined) {
        onSettled([toSettled(row)]);
        return 'settled';
      }
      const leftMs = Math.max(50, timeoutMs - (performance.now() - startedAt));
      const statement = { name: 'delivery_settle_dead', text: SETTLE_DEAD, values, timeoutMs: leftMs };
      const [found] = await runStatement<SettledRow & { answer: SettleAnswer }>(pool, statement);
      if (found?.answer === 'settled') onSettled([toSettled(found)]);
      return found?.answer ?? 'superseded';
    },
  };
}

export interface SettledRow {
  readonly event_type: string;
  readonly since_commit_ms: number;
}

export function toSettled({ event_type: eventType, since_commit_ms: sinceCommitMs }: SettledRow): SettledEvent {
  return { eventType, sinceCommitMs };
}

/** How a destination stands, as its row tells. */
export interface BreakerRow {
  readonly breaker: Breaker;
  readonly generation: number;
  readonly failures: number;
  readonly open_ms: number | null;
  readonly trial_token: string | null;
  readonly blocked_for_ms: number | null;
  readonly closed_for_ms: number | null;
}

/** What makes an OutboxEvent. */
export interface EventColumns {
  readonly id: string;
  readonly event_name: string;
  readonly event_type: string;
  readonly routing_key: string;
  readonly source: string;
  readonly aggregate_type: string;
  readonly aggregate_id: string;
  readonly aggregate_version: string | null;
  readonly tenant_id: string;
  readonly payload: string;
  readonly headers: OutboxEvent['headers'];
  readonly content_hash: string;
  readonly occurred_at: string;
  readonly recorded_at: string;
}

export interface EventRow extends BreakerRow, EventColumns {
  readonly delivery_epoch: number;
  readonly carrier: string | null;
  readonly status: string;
  readonly receipt: Receipt | null;
  readonly waited_ms: number;
  readonly policy: RetryPolicy | null;
  readonly destination: string;
  readonly paused: boolean;
  readonly paused_for_ms: number | null;
}

interface BegunRow extends EventRow {
  readonly n: number | null;
  /** In the order of the attempts. */
  readonly earlier_codes: readonly (string | null)[];
  readonly since_first_ms: number;
  readonly lost: number;
}

/** R15: who may send, and who only learns how the event stands. The statements decide by the same conditions. */
function readLoaded(run: RunRef, row: EventRow | undefined, trial: string | null = null): LoadedEvent {
  if (row === undefined) return { kind: 'not-found' };
  if (row.delivery_epoch !== run.epoch) return { kind: 'superseded' };
  if (row.status === 'DELIVERED' && row.receipt !== null) return { kind: 'delivered', receipt: row.receipt };
  if (row.carrier !== run.carrier) return { kind: 'superseded' };
  if (row.status !== 'PENDING' && row.status !== 'STARTED') return { kind: 'superseded' };
  const destination = readDestination(row);
  const open = row.breaker === 'closed' || (trial !== null && row.trial_token === trial);
  const kind = open && !row.paused ? 'found' : 'blocked';
  return { kind, event: readEvent(row), policy: row.policy ?? DEFAULT_POLICY, destination };
}

function readDestination(row: EventRow): DestinationView {
  return { ...readBreaker(row.destination, row), ...(row.paused ? { pausedForMs: row.paused_for_ms } : {}) };
}

export function readBreaker(name: string, row: BreakerRow): DestinationView {
  return {
    name,
    breaker: row.breaker,
    generation: row.generation,
    failures: row.failures,
    // A half-open one without a trial may be tried at once.
    blockedForMs: row.breaker === 'half_open' && row.trial_token === null ? 0 : Math.max(0, row.blocked_for_ms ?? 0),
    closedForMs: row.closed_for_ms,
    openMs: row.open_ms,
  };
}

export function readEvent(row: EventColumns): OutboxEvent {
  const { value, numbersAsStrings } = parseLossless(row.payload);
  return {
    id: row.id,
    eventName: row.event_name,
    eventType: row.event_type,
    routingKey: row.routing_key,
    source: row.source,
    aggregateType: row.aggregate_type,
    aggregateId: row.aggregate_id,
    aggregateVersion: row.aggregate_version === null ? null : Number(row.aggregate_version),
    tenantId: row.tenant_id,
    // recordEvent and the SQL function take objects only.
    payload: value as JsonObject,
    headers: row.headers,
    contentHash: row.content_hash,
    occurredAt: row.occurred_at,
    recordedAt: row.recorded_at,
    numbersAsStrings,
  };
}
