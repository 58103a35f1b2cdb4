/**
 * Compares three accounts of the same events, id by id: the producer's journal, the rows of the outbox, the records of the
 * audit log. Believes none of them more than the others.
 */
import type { Pool } from 'pg';
import { AUDIT_ROUTING_KEY } from '../../application/delivery/handlers/audit-handler.js';
import type { JournalBooks } from './journal.js';

export interface Comparison {
  readonly committed: number;
  readonly rolledBack: number;
  readonly inDoubt: number;
  readonly imported: number;
  readonly delivered: number;
  readonly dead: number;
  readonly records: number;
  /** Committed events that are neither delivered nor dead nor discarded yet. */
  readonly open: number;
  /** Milliseconds from COMMIT to the record, of the run named. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  /** Each a sentence with the id; empty when the books agree. */
  readonly problems: readonly string[];
}

interface Row {
  readonly id: string;
  readonly source: string;
  readonly routingKey: string;
  readonly status: string | null;
  readonly openLetters: number;
}

export async function compareBooks(
  pools: { outbox: Pool; audit: Pool },
  journal: JournalBooks,
  options: { readonly ownSource: string; readonly run: string },
): Promise<Comparison> {
  const rows = await readOutbox(pools.outbox);
  const records = await readRecords(pools.audit);
  const problems: string[] = [];
  let delivered = 0;
  let dead = 0;
  let open = 0;
  let imported = 0;

  for (const row of rows.values()) {
    const own = row.source === options.ownSource;
    if (!own) imported += 1;
    if (own && journal.rolledBack.has(row.id)) problems.push(`${row.id}: rolled back, and yet a row of the outbox`);
    else if (own && !journal.committed.has(row.id) && !journal.inDoubt.has(row.id)) {
      problems.push(`${row.id}: a row of the outbox that the producer knows nothing of`);
    }
    const expect = journal.committed.get(row.id)?.expect ?? 'delivered';
    if (row.status === null) problems.push(`${row.id}: no delivery row`);
    else if (row.status === 'PENDING' || row.status === 'STARTED') open += 1;
    else if (row.status === 'DELIVERED') {
      delivered += 1;
      if (expect === 'dead') problems.push(`${row.id}: delivered, and was expected to be refused`);
    } else if (row.status === 'DEAD') {
      dead += 1;
      if (expect === 'delivered') problems.push(`${row.id}: dead, and was expected to be delivered`);
    }
    if ((row.status === 'DEAD') !== (row.openLetters === 1)) {
      problems.push(`${row.id}: ${row.status} with ${row.openLetters} open dead letters`);
    }
    const found = records.get(row.id) ?? 0;
    if (row.routingKey === AUDIT_ROUTING_KEY && row.status === 'DELIVERED' && found !== 1) {
      problems.push(`${row.id}: delivered, and ${found} records in the audit log`);
    }
  }
  for (const id of journal.committed.keys()) {
    if (!rows.has(id)) problems.push(`${id}: committed, and no row of the outbox`);
  }
  for (const id of journal.rolledBack) {
    if (records.has(id)) problems.push(`${id}: rolled back, and yet a record in the audit log`);
  }
  for (const id of records.keys()) {
    if (!rows.has(id)) problems.push(`${id}: a record in the audit log without a row of the outbox`);
  }
  return {
    committed: journal.committed.size,
    rolledBack: journal.rolledBack.size,
    inDoubt: journal.inDoubt.size,
    imported,
    delivered,
    dead,
    open,
    records: [...records.values()].reduce((sum, n) => sum + n, 0),
    latencyMs: await readLatency(pools.audit, journal, options),
    problems,
  };
}

async function readOutbox(pool: Pool): Promise<Map<string, Row>> {
  const { rows } = await pool.query<Row>(
    `SELECT e.id, e.source, e.routing_key AS "routingKey", d.status,
            (SELECT count(*)::int FROM outbox.dead_letter l WHERE l.event_id = e.id AND l.state = 'open') AS "openLetters"
     FROM outbox.event e LEFT JOIN outbox.delivery d ON d.event_id = e.id`,
  );
  return new Map(rows.map((row) => [row.id, row]));
}

/** What came through the outbox; others may post to the same audit log. */
async function readRecords(pool: Pool): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ id: string; n: number }>(
    `SELECT event_id AS id, count(*)::int AS n FROM audit.record WHERE via = 'outbox' GROUP BY event_id`,
  );
  return new Map(rows.map((row) => [row.id, row.n]));
}

async function readLatency(pool: Pool, journal: JournalBooks, options: { ownSource: string; run: string }) {
  const { rows } = await pool.query<{ id: string; at: string }>(
    `SELECT event_id AS id, extract(epoch FROM recorded_at) * 1000 AS at FROM audit.record WHERE source = $1`,
    [options.ownSource],
  );
  const measured: number[] = [];
  for (const { id, at } of rows) {
    const committed = journal.committed.get(id);
    // A record may be there before the journal's line is written: that is 0, not a negative time.
    if (committed?.run === options.run) measured.push(Math.max(0, Number(at) - committed.at));
  }
  if (measured.length === 0) return null;
  measured.sort((a, b) => a - b);
  const quantile = (q: number) =>
    Math.round(measured[Math.min(measured.length - 1, Math.ceil(q * measured.length) - 1)] ?? 0);
  return { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) };
}
