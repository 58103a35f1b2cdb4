/**
 * Appending in the producer's own transaction. Uses only what the transaction offers, found by shape: nothing of ours,
 * of Prisma or of pg is imported at run time, so it works with whatever version the application has.
 */
import { context, isSpanContextValid, trace } from '@opentelemetry/api';
import { v7 as uuidV7 } from 'uuid';
import { encodeNewEvent, type NewOutboxEvent } from '../../application/delivery/new-outbox-event.js';
import type { TraceContext } from '../../domain/trace-context.js';

/**
 * A transaction with tagged templates: Prisma's interactive one (`prisma.$transaction(async (tx) => …)`), or Drizzle's
 * and Kysely's `sql` tag in two lines (examples/producers). A whole PrismaClient has `$connect` and does not compile.
 */
export interface TagTransaction {
  $queryRaw(strings: TemplateStringsArray, ...values: unknown[]): PromiseLike<unknown>;
  $executeRaw(strings: TemplateStringsArray, ...values: unknown[]): PromiseLike<unknown>;
  readonly $connect?: never;
}

/** A connection in a transaction: pg's client after BEGIN, and what is shaped like it. A pool does not compile. */
export interface QueryTransaction {
  query(text: string, values?: unknown[]): PromiseLike<unknown>;
  readonly totalCount?: never;
}

export type OutboxTransaction = TagTransaction | QueryTransaction;

/** What was given is not in a transaction: the event would stand although the business rows were rolled back. */
export class NotInTransactionError extends Error {
  override readonly name = 'NotInTransactionError';
  readonly code = '25P01';

  constructor(cause: unknown) {
    super(
      'recordEvent expects a transaction, got a connection outside of one: nothing was appended. ' +
        'Call it with the client that BEGIN ran on, or with the `tx` of $transaction(async (tx) => …)',
      { cause },
    );
  }
}

/**
 * Appends one event and its delivery; both stand when, and only when, the transaction commits. Returns the event's id.
 * Throws an IntegrationError `DISPATCH.INVALID_EVENT` before anything is sent (the transaction is still good), a
 * NotInTransactionError, or the database's error (23505: the id exists; 22023: names the field).
 */
export async function recordEvent(tx: OutboxTransaction, event: NewOutboxEvent): Promise<string> {
  const [id] = await recordEvents(tx, [event]);
  return id as string;
}

/** As `recordEvent`, for many in one statement: all or none. Returns the ids in the order given. */
export async function recordEvents(tx: OutboxTransaction, events: readonly NewOutboxEvent[]): Promise<string[]> {
  if (events.length === 0) return [];
  const defaults = { id: () => uuidV7(), trace: activeTrace() };
  const encoded = events.map((event) => encodeNewEvent(event, defaults));
  const json = `[${encoded.map((event) => event.json).join(',')}]`;
  const statements = '$queryRaw' in tx ? byTag(tx) : byQuery(tx);
  // PostgreSQL refuses SAVEPOINT outside a transaction (25P01): the only thing that tells the two apart for certain.
  try {
    await statements.savepoint();
  } catch (error) {
    throw saysNoTransaction(error) ? new NotInTransactionError(error) : error;
  }
  await statements.release();
  await statements.append(json);
  return encoded.map((event) => event.id);
}

interface Statements {
  savepoint(): PromiseLike<unknown>;
  release(): PromiseLike<unknown>;
  append(json: string): PromiseLike<unknown>;
}

function byTag(tx: TagTransaction): Statements {
  return {
    savepoint: () => tx.$executeRaw`SAVEPOINT temporal_outbox`,
    release: () => tx.$executeRaw`RELEASE SAVEPOINT temporal_outbox`,
    append: (json) => tx.$queryRaw`SELECT outbox.record_events(${json}::jsonb)::text AS id`,
  };
}

function byQuery(tx: QueryTransaction): Statements {
  return {
    savepoint: () => tx.query('SAVEPOINT temporal_outbox'),
    release: () => tx.query('RELEASE SAVEPOINT temporal_outbox'),
    append: (json) => tx.query('SELECT outbox.record_events($1::jsonb)::text AS id', [json]),
  };
}

/** The SQLSTATE, wherever the client keeps it: pg `code`, Prisma 6 `meta.code`, Prisma 7 deep inside `meta`, a cause. */
function saysNoTransaction(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > 6) return false;
  const { code, originalCode, meta, cause, driverAdapterError } = error as Record<string, unknown>;
  return (
    code === '25P01' ||
    originalCode === '25P01' ||
    [meta, cause, driverAdapterError].some((inner) => saysNoTransaction(inner, depth + 1))
  );
}

/** Where the producer's own trace stands; null without one. */
function activeTrace(): TraceContext | null {
  const span = trace.getSpanContext(context.active());
  if (span === undefined || !isSpanContextValid(span)) return null;
  const flags = span.traceFlags.toString(16).padStart(2, '0');
  const traceparent = `00-${span.traceId}-${span.spanId}-${flags}`;
  const tracestate = span.traceState?.serialize() ?? '';
  return { traceparent, ...(tracestate === '' ? {} : { tracestate }) };
}
