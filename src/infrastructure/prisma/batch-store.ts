/** Batches on PostgreSQL (R20): each call is one statement, or, where rows were not found open, one more for each of those. */
import type {
  AttemptStore,
  BatchStore,
  Budget,
  EventRef,
  FallenEvent,
  LoadedBatch,
} from '../../application/delivery/ports.js';
import { healthyView } from '../../domain/delivery/breaker.js';
import { isErrorCode } from '../../domain/delivery/error-catalog.js';
import { isIntegrationError } from '../../domain/delivery/integration-error.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../domain/delivery/policy.js';
import {
  type BreakerRow,
  type EventColumns,
  type OnSettled,
  readBreaker,
  readEvent,
  type SettledRow,
  toSettled,
} from './attempt-store.js';
import {
  FALL_OUT,
  FIND_SETTLED,
  LOAD_BATCH,
  LOAD_DESTINATION,
  READ_BUDGETS,
  SETTLE_BATCH,
} from './batch-statements.js';
import { type PgPool, runStatement } from './pg-pool.js';
import { toStorableJson, toStorableText } from './to-storable.js';

/** `attempts` settles what is not open, one by one. */
export function createBatchStore(
  pool: PgPool,
  attempts: Pick<AttemptStore, 'settle'>,
  onSettled: OnSettled = () => {},
): BatchStore {
  const findSettled = (refs: readonly EventRef[], timeoutMs: number) =>
    runStatement<{ event_id: string }>(pool, {
      name: 'batch_find_settled',
      text: FIND_SETTLED,
      values: [refs.map(({ eventId }) => eventId), refs.map(({ epoch }) => epoch)],
      timeoutMs,
    });
  return {
    async loadBatch({ carrier, destination, events }, maxBytes, timeoutMs) {
      const values = [carrier, events.map(({ eventId }) => eventId), events.map(({ epoch }) => epoch), maxBytes];
      const [rows, [breaker]] = await Promise.all([
        runStatement<BatchRow>(pool, { name: 'batch_load', text: LOAD_BATCH, values, timeoutMs }),
        runStatement<BreakerRow>(pool, {
          name: 'batch_load_destination',
          text: LOAD_DESTINATION,
          values: [destination],
          timeoutMs,
        }),
      ]);
      const view = breaker === undefined ? healthyView(destination) : readBreaker(destination, breaker);
      return { destination: view, ...readBatch(events.length, rows) };
    },

    async readBudgets(events, timeoutMs) {
      const values = [events.map(({ eventId }) => eventId), events.map(({ epoch }) => epoch)];
      const rows = await runStatement<BudgetRow>(pool, {
        name: 'batch_read_budgets',
        text: READ_BUDGETS,
        values,
        timeoutMs,
      });
      return new Map(
        rows.map(({ event_id, policy, codes, since_first_ms }): [string, Budget] => {
          const known = codes.filter(isErrorCode);
          return [event_id, { policy: policy ?? DEFAULT_POLICY, codes: known, sinceFirstMs: since_first_ms }];
        }),
      );
    },

    async settleBatch(receipts, timeoutMs) {
      const startedAt = performance.now();
      const answers = { settled: 0, already: 0, superseded: 0 };
      const done = new Set<string>();
      let refused: unknown = null;
      let bulkRefused: unknown = null;
      try {
        const ordered = inOrder(receipts);
        const values = [...columnsOf(ordered), ordered.map(({ receipt }) => toStorableJson(receipt))];
        const statement = { name: 'batch_settle', text: SETTLE_BATCH, values, timeoutMs };
        const settled = await runStatement<SettledRow & { event_id: string }>(pool, statement);
        for (const { event_id } of settled) done.add(event_id);
        answers.settled = done.size;
        onSettled(settled.map(toSettled));
      } catch (error) {
        // One row that the database refuses must not keep the others: each is settled by itself.
        if (isIntegrationError(error)) throw error;
        bulkRefused = error;
      }
      const open = receipts.filter(({ ref }) => !done.has(ref.eventId));
      for (const { event_id } of open.length === 0
        ? []
        : await findSettled(
            open.map(({ ref }) => ref),
            timeoutMs,
          )) {
        done.add(event_id);
        answers.already += 1;
      }
      for (const { ref, receipt } of open) {
        if (done.has(ref.eventId)) continue;
        const leftMs = Math.max(50, timeoutMs - (performance.now() - startedAt));
        try {
          answers[await attempts.settle({ ...ref, carrier: null }, receipt, null, leftMs)] += 1;
        } catch (error) {
          if (isIntegrationError(error)) throw error;
          refused ??= error;
        }
      }
      if (refused !== null) throw refused;
      return bulkRefused === null ? answers : { ...answers, bulkRefused };
    },

    async fallOut(carrier, events, { runId, worker, doubtful }, timeoutMs) {
      const ordered = inOrder(events);
      const values = [
        carrier,
        ...columnsOf(ordered),
        ordered.map(({ delayMs }) => (delayMs === null ? null : Math.round(delayMs))),
        ordered.map(({ alone }) => alone),
        ordered.map(({ attempts: tries }) => tries.length > 0),
        JSON.stringify(ordered.flatMap(attemptRows)),
      ];
      const fallen = await runStatement(pool, {
        name: 'batch_fall_out',
        text: FALL_OUT,
        values: [...values, runId, worker, doubtful],
        timeoutMs,
      });
      return { fallen: fallen.length, superseded: events.length - fallen.length };
    },
  };
}

/** Rows are locked in one order by everybody, so that no two of them wait for each other. */
function inOrder<Item extends { readonly ref: EventRef }>(items: readonly Item[]): Item[] {
  return [...items].sort((a, b) => (a.ref.eventId < b.ref.eventId ? -1 : 1));
}

/** Ids and epochs, as two lists. */
function columnsOf(items: readonly { readonly ref: EventRef }[]): [string[], number[]] {
  return [items.map(({ ref }) => ref.eventId), items.map(({ ref }) => ref.epoch)];
}

function attemptRows({ ref, delayMs, attempts }: FallenEvent): object[] {
  return attempts.map(({ local, code, status, message, stack, causes, response, field }, index) => ({
    event_id: ref.eventId,
    epoch: ref.epoch,
    n: index + 1,
    local,
    code,
    status,
    message: toStorableText(message),
    stack: stack === null ? null : toStorableText(stack),
    causes: JSON.parse(toStorableJson(causes) ?? 'null'),
    response: JSON.parse(toStorableJson(response) ?? 'null'),
    field: field === null ? null : toStorableText(field),
    delay_ms: index === attempts.length - 1 && delayMs !== null ? Math.round(delayMs) : null,
  }));
}

type BatchRow = {
  readonly event_id: string;
  readonly epoch: number;
  readonly state: 'carried' | 'held' | 'delivered' | 'superseded';
} & (EventColumns | { readonly id: null });

interface BudgetRow {
  readonly event_id: string;
  readonly policy: RetryPolicy | null;
  readonly codes: readonly string[];
  readonly since_first_ms: number;
}

function readBatch(asked: number, rows: readonly BatchRow[]): Omit<LoadedBatch, 'destination'> {
  const events: LoadedBatch['events'][number][] = [];
  const held: EventRef[] = [];
  const over: EventRef[] = [];
  let delivered = 0;
  let superseded = 0;
  for (const row of rows) {
    const ref = { eventId: row.event_id, epoch: row.epoch };
    if (row.state === 'delivered') delivered += 1;
    else if (row.state === 'superseded') superseded += 1;
    else if (row.state === 'held') held.push(ref);
    else if (row.id === null) over.push(ref);
    else events.push({ ref, event: readEvent(row) });
  }
  return { events, held, over, delivered, superseded, missing: asked - rows.length };
}
