/**
 * I9: the secret of the payloads stands in no printed line, no notice, and no row but those of the events themselves. Of
 * Temporal's histories see look-at-runs.ts.
 */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type pg from 'pg';
import { canaryForms } from './canary-forms.js';
import type { Look } from './look-at-end.js';
import type { ChaosWorld } from './ports.js';

/** The payload belongs there, and its edited forms. */
const OF_THE_PAYLOAD = ['outbox.event', 'outbox.event_revision'];

export async function findCanary(
  world: Pick<ChaosWorld, 'canary' | 'folder' | 'notices' | 'outbox' | 'audit'>,
): Promise<Look> {
  const { canary, folder, notices, outbox, audit } = world;
  const forms = canaryForms(canary);
  const holds = (text: string) => forms.some((form) => text.includes(form));
  const problems: string[] = [];
  // Of each process that ever was: those that a fault added are gone, their files are not.
  const files = (await readdir(folder)).filter((file) => file.endsWith('.log')).sort();
  let lines = 0;
  for (const file of files) {
    const printed = await searchLines(join(folder, file), holds);
    lines += printed.lines;
    if (printed.first !== null) {
      const name = file.slice(0, -'.log'.length);
      problems.push(`I9 ${name}: expected no secret in what it prints, line ${printed.first} holds it`);
    }
  }
  for (const [n, { channel, body }] of notices.received.entries()) {
    if (holds(body)) problems.push(`I9 ${channel}: expected no secret in a notice, notice ${n + 1} holds it`);
  }
  const tables = [...(await searchTables(outbox, 'outbox', forms)), ...(await searchTables(audit, 'audit', forms))];
  for (const { name, rows } of tables) {
    if (rows > 0) problems.push(`I9 ${name}: expected no secret outside of the payload, ${rows} rows hold it`);
  }
  const looked = `I9: ${lines} printed lines of ${files.length} processes, ${notices.received.length} notices, all rows of ${tables.length} tables`;
  const missing = files.length === 0 ? ['I9: no process has printed anything'] : [];
  return { looked: [looked], problems, missing };
}

/** `first`: the number of the first line that holds it. */
async function searchLines(file: string, holds: (text: string) => boolean) {
  let [lines, first] = [0, null as number | null];
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    lines += 1;
    if (first === null && holds(line)) first = lines;
  }
  return { lines, first };
}

interface SearchedTable {
  readonly name: string;
  readonly rows: number;
}

async function searchTables(pool: pg.Pool, schema: string, forms: readonly string[]): Promise<SearchedTable[]> {
  const { rows: tables } = await pool.query<{ name: string; quoted: string }>(
    `SELECT n.nspname || '.' || c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
    [schema],
  );
  const found: SearchedTable[] = [];
  for (const { name, quoted } of tables) {
    if (OF_THE_PAYLOAD.includes(name)) continue;
    const { rows } = await pool.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM ${quoted} t WHERE t::text LIKE ANY ($1::text[])`,
      [forms.map((form) => `%${form}%`)],
    );
    found.push({ name, rows: rows[0]?.n ?? 0 });
  }
  return found;
}
