/**
 * A transaction that `recordEvent` takes, without a database: what it appended stands when, and only when, the work given
 * to it ends well. It runs the statements of `recordEvent` and no other.
 */
import { createHash } from 'node:crypto';
import type { NewOutboxEvent } from '../../application/delivery/new-outbox-event.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import type { MemoryDelivery } from './memory-store.js';

/** Prisma's and pg's form in one: spread it into whatever the application's own fake transaction is. */
export interface MemoryTransaction {
  $queryRaw(strings: TemplateStringsArray, ...values: unknown[]): Promise<unknown>;
  $executeRaw(strings: TemplateStringsArray, ...values: unknown[]): Promise<number>;
  query(text: string, values?: unknown[]): Promise<unknown>;
}

export interface MemoryTransactionDeps {
  /** Committed rows by event id. */
  readonly rows: Map<string, MemoryDelivery>;
  readonly now: () => number;
  /** Of events that name none. */
  readonly source: string;
}

export async function runMemoryTransaction<T>(
  { rows, now, source }: MemoryTransactionDeps,
  work: (tx: MemoryTransaction) => Promise<T>,
): Promise<T> {
  const appended: MemoryDelivery[] = [];
  let state = 'open' as 'open' | 'failed' | 'over';

  const run = async (text: string, values: readonly unknown[] = []) => {
    if (state === 'over') throw sqlError('25P01', 'there is no transaction in progress: it has ended');
    if (state === 'failed') throw sqlError('25P02', 'current transaction is aborted');
    if (/^(RELEASE )?SAVEPOINT temporal_outbox$/.test(text)) return [];
    if (!/^SELECT outbox\.record_events\(\$1::jsonb\)/.test(text)) {
      throw new Error(
        `Expected a statement of recordEvent, the in-memory outbox runs no other; got: ${text.slice(0, 80)}`,
      );
    }
    try {
      const events = JSON.parse(String(values[0])) as NewOutboxEvent[];
      return events.map((event) => {
        const row = toRow(event, now(), source);
        refuseDuplicate(rows.has(row.event.id) || appended.some(({ event: { id } }) => id === row.event.id), row);
        appended.push(row);
        return { id: row.event.id };
      });
    } catch (error) {
      state = 'failed';
      throw error;
    }
  };
  const tag = (strings: TemplateStringsArray, ...values: unknown[]) =>
    run(
      strings.reduce((text, part, i) => `${text}$${i}${part}`),
      values,
    );
  const tx: MemoryTransaction = {
    $queryRaw: tag,
    $executeRaw: async (strings, ...values) => (await tag(strings, ...values)).length,
    query: async (text, values) => ({ rows: await run(text, values) }),
  };
  try {
    const result = await work(tx);
    // As PostgreSQL answers COMMIT then: whoever caught the first error must not believe that its events stand.
    if (state === 'failed') throw sqlError('25P02', 'current transaction is aborted');
    for (const row of appended) refuseDuplicate(rows.has(row.event.id), row);
    for (const row of appended) rows.set(row.event.id, row);
    return result;
  } finally {
    state = 'over';
  }
}

/** As `outbox.record_events` completes it; but the content hash is one of its own, see `createMemoryOutbox`. */
function toRow(event: NewOutboxEvent, now: number, source: string): MemoryDelivery {
  const { eventName, eventType, routingKey, aggregate, tenantId, payload, headers } = event;
  const occurredAt = event.occurredAt == null ? now : new Date(event.occurredAt).getTime();
  if (occurredAt > now + MAX_AHEAD_MS)
    throw sqlError('22023', 'event 0: /occurredAt: expected at most 5 minutes ahead');
  const row: OutboxEvent = {
    id: event.id as string,
    eventName,
    eventType,
    routingKey: routingKey ?? 'audit.log',
    source: event.source ?? source,
    aggregateType: aggregate.type,
    aggregateId: aggregate.id,
    aggregateVersion: aggregate.version ?? null,
    tenantId: tenantId ?? '',
    payload: payload as OutboxEvent['payload'],
    headers: headers ?? {},
    contentHash: `sha-256:${createHash('sha256')
      .update(JSON.stringify([eventName, eventType, routingKey, aggregate, tenantId, occurredAt, payload]))
      .digest('hex')}`,
    occurredAt: new Date(occurredAt).toISOString(),
    recordedAt: new Date(now).toISOString(),
    numbersAsStrings: [],
  };
  const availableAt = event.availableAt == null ? now : new Date(event.availableAt).getTime();
  return {
    event: row,
    status: 'PENDING',
    epoch: 0,
    dueAt: Math.max(now, availableAt),
    receipt: null,
    doubtful: false,
    attempts: [],
    deadLetters: [],
  };
}

const MAX_AHEAD_MS = 5 * 60_000;

function refuseDuplicate(known: boolean, { event }: MemoryDelivery): void {
  if (known) throw sqlError('23505', `duplicate key value: an event ${event.id} stands already`);
}

/** Shaped like pg's, so that what reads a SQLSTATE reads it here too. */
function sqlError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
