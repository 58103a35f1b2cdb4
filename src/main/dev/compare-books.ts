/**
 * Compares the accounts of the same events, id by id: what the producer's journal and the imported file say must be, the rows
 * of the outbox, the records of the audit log, the partner's ledger. Believes none of them more than the others.
 *
 * An event that is in neither the journal nor the file is somebody else's (a person who tried something in this database):
 * it is counted apart, and its delivery is reported but no expectation held against it. What a person does with dead
 * letters is an event, too, which nobody's journal has: it must be delivered, and compare-failures holds it against the letters.
 */
import type { Pool } from 'pg';
import { AUDIT_ROUTING_KEY } from '../../application/delivery/handlers/audit-handler.js';
import { toAuditSource } from '../../application/delivery/mappers/to-audit-event.js';
import type { SampleLine } from './import-sample.js';
import type { Expectation, JournalBooks } from './journal.js';
import { type LedgerEntry, SAMPLE_PARTNER_KEY } from './sample-partner.js';

/** What must be, told by those who wanted it. */
export interface Accounts {
  readonly journal: JournalBooks;
  readonly lines: readonly SampleLine[];
  readonly ledger: readonly LedgerEntry[];
}

export interface Tally {
  delivered: number;
  dead: number;
  /** Not delivered, dead or discarded yet. */
  open: number;
  /** In any other state, DISCARDED for one. */
  other: number;
}

export interface Comparison {
  readonly own: Tally;
  readonly imported: Tally;
  /** That dead letters were redriven, edited or discarded. */
  readonly acts: Tally;
  readonly others: Tally;
  readonly records: number;
  /** Orders taken, put off (503) and refused (422) by the partner, each counted once. */
  readonly partner: { readonly taken: number; readonly busy: number; readonly refused: number };
  /** Milliseconds from COMMIT to the record, of the run named. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null;
  /** Each a sentence with the id; empty when the books agree. */
  readonly problems: readonly string[];
}

interface Row {
  readonly id: string;
  readonly tenant: string;
  readonly source: string;
  readonly sourceEventId: string | null;
  readonly routingKey: string;
  readonly eventName: string;
  readonly status: string | null;
  readonly openLetters: number;
  /** Whether a person gave it up. */
  readonly discarded: boolean;
}

export async function compareBooks(
  pools: { outbox: Pool; audit: Pool },
  accounts: Accounts,
  run: string,
): Promise<Comparison> {
  const { journal, lines, ledger } = accounts;
  const rows = await readRows(pools.outbox, 'all');
  const records = await readRecords(pools.audit);
  const tallies = { own: newTally(), imported: newTally(), acts: newTally(), others: newTally() };
  const problems: string[] = [];
  const seen = { ids: new Set<string>(), lines: new Map<string, number>(), records: new Set<string>() };

  const whose = whoseRow(accounts);
  for (const row of rows) {
    const owner = whose(row);
    seen.ids.add(row.id);
    if (owner === 'imported') seen.lines.set(lineOf(row), (seen.lines.get(lineOf(row)) ?? 0) + 1);
    count(tallies[owner], row.status);
    const say = (what: string) => problems.push(`${row.id}: ${what}`);
    if (journal.rolledBack.has(row.id)) say('rolled back, and yet a row of the outbox');
    if (row.status === null) say('no delivery row');
    else if (owner !== 'others') checkState(row, journal.committed.get(row.id)?.expect ?? 'delivered', say);
    const record = identityOf(row);
    seen.records.add(record);
    const found = records.get(record) ?? 0;
    if (row.routingKey === AUDIT_ROUTING_KEY && row.status === 'DELIVERED' && found !== 1) {
      say(`delivered, and ${found} records in the audit log`);
    }
  }
  for (const id of journal.committed.keys()) {
    if (!seen.ids.has(id)) problems.push(`${id}: committed, and no row of the outbox`);
  }
  for (const line of lines) {
    const found = seen.lines.get(lineOf(line)) ?? 0;
    if (found !== 1) problems.push(`${line.sourceEventId}: a line of the import, and ${found} rows of the outbox`);
  }
  for (const identity of records.keys()) {
    if (!seen.records.has(identity))
      problems.push(`${identity}: a record in the audit log without a row of the outbox`);
  }
  comparePartner(rows, journal, ledger, problems);
  return {
    ...tallies,
    records: [...records.values()].reduce((sum, n) => sum + n, 0),
    partner: {
      taken: did(ledger, 'taken').length,
      busy: groupByKey(did(ledger, 'busy')).size,
      refused: groupByKey(did(ledger, 'refused')).size,
    },
    latencyMs: await readLatency(pools.audit, journal, run),
    problems,
  };
}

/** How many events of the journal and the file, and of what was done with dead letters, are still on their way. */
export async function countOpen(outbox: Pool, accounts: Pick<Accounts, 'journal' | 'lines'>): Promise<number> {
  const whose = whoseRow(accounts);
  return (await readRows(outbox, 'open')).filter((row) => whose(row) !== 'others').length;
}

function whoseRow({
  journal,
  lines,
}: Pick<Accounts, 'journal' | 'lines'>): (row: Row) => 'own' | 'imported' | 'acts' | 'others' {
  const known = new Set(lines.map(lineOf));
  return (row) => {
    if (journal.committed.has(row.id) || journal.inDoubt.has(row.id) || journal.rolledBack.has(row.id)) return 'own';
    if (known.has(lineOf(row))) return 'imported';
    return row.eventName.startsWith('outbox.dead_letter.') ? 'acts' : 'others';
  };
}

function newTally(): Tally {
  return { delivered: 0, dead: 0, open: 0, other: 0 };
}

function count(tally: Tally, status: string | null): void {
  if (status === 'DELIVERED') tally.delivered += 1;
  else if (status === 'DEAD') tally.dead += 1;
  else if (status === 'PENDING' || status === 'STARTED') tally.open += 1;
  else tally.other += 1;
}

function checkState(row: Row, expect: Expectation, say: (what: string) => void): void {
  const { status, openLetters, discarded } = row;
  const open = status === 'PENDING' || status === 'STARTED'; // told once, as a number
  // A person at the terminal may have given up one that was left for him.
  const givenUp = status === 'DISCARDED' && expect === 'redriven' && discarded;
  if (!open && status !== 'DELIVERED' && !givenUp) {
    say(`${status}, and was expected to be delivered${expect === 'redriven' ? ' once it was redriven' : ''}`);
  }
  if ((status === 'DEAD') !== (openLetters === 1)) say(`${status} with ${openLetters} open dead letters`);
}

/** Each delivered event did there what its transaction wanted, once; no other event did anything. */
function comparePartner(
  rows: readonly Row[],
  journal: JournalBooks,
  ledger: readonly LedgerEntry[],
  problems: string[],
): void {
  const taken = groupByKey(did(ledger, 'taken'));
  const refused = groupByKey(did(ledger, 'refused'));
  const busy = groupByKey(did(ledger, 'busy'));
  const sent = new Map(rows.filter((row) => row.routingKey === SAMPLE_PARTNER_KEY).map((row) => [row.id, row]));
  for (const [id, { status }] of sent) {
    const effects = taken.get(id) ?? [];
    if (status === 'DELIVERED' && effects.length !== 1) {
      problems.push(`${id}: delivered, and ${effects.length} orders taken by the partner`);
    }
    if (status === 'DEAD' && effects.length > 0) problems.push(`${id}: dead, and yet an order taken by the partner`);
    const entry = journal.committed.get(id);
    if (entry?.expect === 'redriven' && !refused.has(id)) problems.push(`${id}: never refused by the partner`);
    const wanted = entry?.partner;
    const [times, asked] = [busy.get(id)?.length ?? 0, wanted?.busy ?? 0];
    if (status === 'DELIVERED' && entry !== undefined && times !== asked) {
      problems.push(`${id}: the partner was to be busy ${asked} times, and was ${times} times`);
    }
    for (const effect of wanted === undefined ? [] : effects) {
      if (effect.order === wanted?.order && effect.items === wanted?.items) continue;
      problems.push(`${id}: the partner took other than was asked for (order ${effect.order}, ${effect.items} items)`);
    }
  }
  for (const key of taken.keys()) {
    if (!sent.has(key)) problems.push(`${key}: an order taken by the partner without a row of the outbox`);
  }
}

function did(ledger: readonly LedgerEntry[], what: LedgerEntry['did']): LedgerEntry[] {
  return ledger.filter((entry) => entry.did === what);
}

function groupByKey(entries: readonly LedgerEntry[]): Map<string, LedgerEntry[]> {
  return Map.groupBy(entries, ({ key }) => key);
}

/** R25: what an audit record is known by. */
function identityOf({ tenant, source, id }: Pick<Row, 'tenant' | 'source' | 'id'>): string {
  return JSON.stringify([tenant, toAuditSource(source), id]);
}

function lineOf({ tenant, source, sourceEventId }: Pick<Row, 'tenant' | 'source' | 'sourceEventId'>): string {
  return JSON.stringify([tenant, source, sourceEventId]);
}

async function readRows(pool: Pool, which: 'all' | 'open'): Promise<Row[]> {
  const { rows } = await pool.query<Row>(
    `SELECT e.id, e.tenant_id AS tenant, e.source, e.headers->'import'->>'sourceEventId' AS "sourceEventId",
            e.routing_key AS "routingKey", e.event_name AS "eventName", d.status,
            (SELECT count(*)::int FROM outbox.dead_letter l WHERE l.event_id = e.id AND l.state = 'open') AS "openLetters",
            EXISTS (SELECT FROM outbox.dead_letter l WHERE l.event_id = e.id AND l.state = 'discarded') AS discarded
     FROM outbox.event e LEFT JOIN outbox.delivery d ON d.event_id = e.id
     WHERE $1 OR d.status IN ('PENDING', 'STARTED')`,
    [which === 'all'],
  );
  return rows;
}

/** What came through the outbox; others may post to the same audit log. */
async function readRecords(pool: Pool): Promise<Map<string, number>> {
  const { rows } = await pool.query<{ tenant: string; source: string; id: string; n: number }>(
    `SELECT tenant_id AS tenant, source, event_id AS id, count(*)::int AS n
     FROM audit.record WHERE via = 'outbox' GROUP BY tenant_id, source, event_id`,
  );
  return new Map(rows.map((row) => [JSON.stringify([row.tenant, row.source, row.id]), row.n]));
}

async function readLatency(pool: Pool, journal: JournalBooks, run: string): Promise<Comparison['latencyMs']> {
  const { rows } = await pool.query<{ id: string; at: string }>(
    `SELECT event_id AS id, extract(epoch FROM recorded_at) * 1000 AS at FROM audit.record WHERE via = 'outbox'`,
  );
  const measured: number[] = [];
  for (const { id, at } of rows) {
    const committed = journal.committed.get(id);
    // A record may be there before the journal's line is written: that is 0, not a negative time.
    if (committed?.run === run) measured.push(Math.max(0, Number(at) - committed.at));
  }
  if (measured.length === 0) return null;
  measured.sort((a, b) => a - b);
  const quantile = (q: number) =>
    Math.round(measured[Math.min(measured.length - 1, Math.ceil(q * measured.length) - 1)] ?? 0);
  return { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) };
}
