/** The books on a real PostgreSQL and the real api: events of hours that are long over, and what a test does to their rows. */
import { randomUUID } from 'node:crypto';
import { createStandingLookup } from '../../src/application/delivery/books/ask-standing.js';
import { createBooksChecker } from '../../src/application/delivery/books/check-books.js';
import type { StandingLookup } from '../../src/application/delivery/books/ports.js';
import type { Alert, AlertName } from '../../src/application/delivery/notify/alert-ports.js';
import { createHttpClient } from '../../src/infrastructure/http/create-http-client.js';
import { createAlertStore } from '../../src/infrastructure/prisma/alert-store.js';
import { createBookStore } from '../../src/infrastructure/prisma/book-store.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { event as auditEvent, startIngestOn } from '../integration/ingest-set-up.js';
import { createTestDatabases } from './databases.js';
import { silentLog } from './delivery-line.js';

/** Three days ago, whatever the clock says, so that nothing of it is young. */
export const HOUR = `${new Date(Date.now() - 72 * 3_600_000).toISOString().slice(0, 13)}:00:00Z`;

export interface Planted {
  readonly status?: 'PENDING' | 'STARTED' | 'DELIVERED' | 'DEAD' | 'DISCARDED';
  readonly tenantId?: string;
  readonly routingKey?: string;
  /** Of the append. Default: the hour's first minute. */
  readonly at?: string;
  /** Whether the audit log has it. Default: where it is DELIVERED to the audit log. */
  readonly recorded?: boolean;
  /** Whether it has an open letter. Default: where it is DEAD. */
  readonly letter?: boolean;
  readonly source?: string;
  readonly count?: number;
}

export async function createBooksLine() {
  const databases = await createTestDatabases();
  const pool = createPool(databases.outboxUrl, { max: 12 });
  const ingest = await startIngestOn(databases.auditUrl);
  const http = createHttpClient();
  const apiKey = await ingest.key(['audit:write:any-tenant']);
  const audit = { baseUrl: ingest.url, apiKey };
  const store = createBookStore(pool);
  const leases = createLeaseStore(pool);
  const alerts = createAlertStore(pool);
  const hold = { name: 'books', holder: randomUUID() };
  await leases.take(hold, 600_000);
  const counts = new Map<string, number>();

  async function plant(parts: Planted = {}): Promise<string[]> {
    const {
      status = 'DELIVERED',
      tenantId = '',
      routingKey = 'audit.log',
      at = HOUR.replace(':00:00Z', ':01:00Z'),
    } = parts;
    const { source = 'outbox:main', count = 1, letter = status === 'DEAD' } = parts;
    const recorded = parts.recorded ?? (status === 'DELIVERED' && routingKey === 'audit.log');
    const one = {
      eventName: 'order.order.placed.v1',
      eventType: 'ORDER',
      routingKey,
      source,
      tenantId,
      aggregate: { type: 'order', id: '1' },
      payload: { total: 1 },
    };
    const { rows } = await pool.query<{ id: string }>('SELECT outbox.record_events($1::jsonb) AS id', [
      JSON.stringify(Array.from({ length: count }, () => one)),
    ]);
    const ids = rows.map(({ id }) => id);
    await asOf(ids, at);
    await pool.query(
      `UPDATE outbox.delivery SET status = $2, settled_at = CASE WHEN $2 IN ('PENDING', 'STARTED') THEN NULL ELSE $3::timestamptz END,
         started_at = $3::timestamptz, due_at = CASE WHEN $2 = 'PENDING' THEN due_at ELSE $3::timestamptz END,
         receipt = CASE WHEN $2 = 'DELIVERED' THEN '{"id":"r"}'::jsonb END WHERE event_id = ANY ($1)`,
      [ids, status, at],
    );
    if (letter) await write(ids);
    if (recorded) await record(ids);
    return ids;
  }

  /** Its producer committed when nobody looked: the trigger that keeps events as they are is off for this once. */
  async function asOf(ids: readonly string[], at: string): Promise<void> {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SET LOCAL session_replication_role = replica');
      await client.query('UPDATE outbox.event SET recorded_at = $2::timestamptz WHERE id = ANY ($1)', [ids, at]);
      await client.query('COMMIT');
    } finally {
      client.release();
    }
  }

  async function write(ids: readonly string[]): Promise<void> {
    await pool.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count, max_retries)
       SELECT gen_random_uuid(), event_id, epoch, destination, event_type, tenant, 'HTTP.CLIENT_ERROR', 'refused', 1, 1
       FROM outbox.delivery WHERE event_id = ANY ($1)`,
      [ids],
    );
  }

  async function record(ids: readonly string[]): Promise<void> {
    const { rows } = await pool.query<{ id: string; source: string; tenant_id: string }>(
      'SELECT id, source, tenant_id FROM outbox.event WHERE id = ANY ($1)',
      [ids],
    );
    const { toAuditSource } = await import('../../src/application/delivery/mappers/to-audit-event.js');
    for (const { id, source, tenant_id } of rows) {
      const body = auditEvent({
        eventId: id,
        source: toAuditSource(source),
        ...(tenant_id === '' ? {} : { tenantId: tenant_id }),
      });
      const answer = await ingest.post(body, { key: apiKey });
      if (answer.status !== 201) throw new Error(`expected 201, got ${answer.status} ${JSON.stringify(answer.body)}`);
    }
  }

  const standing: StandingLookup = createStandingLookup(http, audit);
  return {
    pool,
    url: databases.outboxUrl,
    ingest,
    audit,
    http,
    store,
    leases,
    hold,
    counts,
    plant,
    asOf,
    record,
    standing,
    checker: (more: Partial<Parameters<typeof createBooksChecker>[0]> = {}) =>
      createBooksChecker({
        store,
        standing,
        alerts,
        log: silentLog,
        random: Math.random,
        count: (name, by = 1) => void counts.set(name, (counts.get(name) ?? 0) + by),
        ...more,
      }),
    /** A turn of a holder of its own, after the time until the next look has passed. */
    async look(more: Partial<Parameters<typeof createBooksChecker>[0]> = {}) {
      await this.checker(more)(hold, new AbortController().signal);
      return this.books();
    },
    due: (hour = HOUR) => pool.query('UPDATE outbox.book_check SET again_at = now() WHERE hour = $1', [hour]),
    async books(hour = HOUR) {
      const books = await store.show(hour);
      if (books === null) throw new Error(`expected books of ${hour}`);
      return books;
    },
    async alert(hour = HOUR): Promise<(Alert & AlertName & { over_at: Date | null }) | null> {
      const text = "SELECT * FROM outbox.alert WHERE kind = 'books_unbalanced' AND subject = $1";
      return (await pool.query(text, [hour])).rows[0] ?? null;
    },
    async close() {
      await http.close();
      await ingest.stop();
      await pool.end();
      await databases.drop();
    },
  };
}

export type BooksLine = Awaited<ReturnType<typeof createBooksLine>>;
