/**
 * F31 as a property: of any log, any one change by its owner is found, and the record is named where its seal stands. Real:
 * PostgreSQL, the sealer, signatures, a file anchor. Fake: another cluster is one by name only.
 */
import fc from 'fast-check';
import type pg from 'pg';
import type { VerifyReport } from '../../src/application/audit/verify/report.js';
import { type SealedLog, startSealedLog } from './verify-set-up.js';

/** A log: batches, each sealed, some signed, some in a new epoch. */
interface Shape {
  readonly limit: number;
  readonly batches: readonly { readonly size: number; readonly sign: boolean; readonly epoch: boolean }[];
}

const SHAPE: fc.Arbitrary<Shape> = fc.record({
  limit: fc.integer({ min: 3, max: 120 }),
  batches: fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 90 }),
      sign: fc.boolean(),
      epoch: fc.boolean(),
    }),
    { minLength: 3, maxLength: 7 },
  ),
});

type Column = readonly [table: 'record' | 'record_key', column: string, value: string];
const COLUMNS: readonly Column[] = [
  ['record', 'record_id', 'gen_random_uuid()'],
  ['record', 'recorded_at', `recorded_at + interval '1 millisecond'`],
  ['record', 'tenant_id', `'other'`],
  ['record', 'source', `source || '!'`],
  ['record', 'event_id', `event_id || '!'`],
  ['record', 'action', `'x.y'`],
  ['record', 'action_version', 'action_version + 1'],
  ['record', 'category', `category || '!'`],
  ['record', 'operation', `operation || '!'`],
  ['record', 'outcome', `outcome || '!'`],
  ['record', 'severity', `severity || '!'`],
  ['record', 'occurred_at', `occurred_at + interval '1 millisecond'`],
  ['record', 'actor_type', `actor_type || '!'`],
  ['record', 'actor_id', 'NULL'],
  ['record', 'via', `CASE via WHEN 'api' THEN 'import' ELSE 'api' END`],
  ['record', 'key_id', 'gen_random_uuid()'],
  ['record', 'leaf_version', 'leaf_version + 1'],
  ['record', 'salt', `set_byte(salt, 3, get_byte(salt, 3) # 1)`],
  ['record', 'body', `body || '{"reason": "another"}'`],
  ['record', 'body', `body - 'targets'`],
  ['record', 'leaf_hash', `sha256(leaf_hash)`],
  ['record_key', 'record_id', 'gen_random_uuid()'],
  ['record_key', 'recorded_at', `recorded_at - interval '1 microsecond'`],
  ['record_key', 'leaf_hash', 'sha256(leaf_hash)'],
  ['record_key', 'source', `source || '!'`],
  ['record_key', 'event_id', `event_id || '!'`],
  ['record_key', 'tenant_id', `tenant_id || '!'`],
];

/** `at`, `other`: which record of the log, from 0 (the first) to 1. */
type Change =
  | { readonly kind: 'edit'; readonly column: Column; readonly at: number }
  | { readonly kind: 'delete'; readonly identityToo: boolean; readonly at: number }
  | { readonly kind: 'insert'; readonly identityToo: boolean; readonly at: number }
  | { readonly kind: 'swap'; readonly at: number; readonly other: number }
  | { readonly kind: 'swap bodies'; readonly at: number; readonly other: number }
  | { readonly kind: 'seal'; readonly bit: number; readonly at: number }
  | { readonly kind: 'no seal'; readonly at: number }
  | { readonly kind: 'truncate'; readonly at: number };

const part = fc.double({ min: 0, max: 0.9999, noNaN: true });
const CHANGE: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('edit' as const), column: fc.constantFrom(...COLUMNS), at: part }),
  },
  fc.record({ kind: fc.constant('delete' as const), identityToo: fc.boolean(), at: part }),
  fc.record({ kind: fc.constant('insert' as const), identityToo: fc.boolean(), at: part }),
  fc.record({ kind: fc.constantFrom('swap' as const, 'swap bodies' as const), at: part, other: part }),
  fc.record({ kind: fc.constant('seal' as const), bit: fc.integer({ min: 0, max: 255 }), at: part }),
  fc.record({ kind: fc.constant('no seal' as const), at: part }),
  fc.record({ kind: fc.constant('truncate' as const), at: part }),
);

const logs: SealedLog[] = [];
afterEach(async () => {
  for (const log of logs.splice(0)) await log.stop();
});

describe('F31: any single change', () => {
  it('to any log is found, and names the record where its seal stands', async () => {
    await fc.assert(
      fc.asyncProperty(SHAPE, fc.array(CHANGE, { minLength: 10, maxLength: 10 }), async (shape, changes) => {
        const log = await build(shape);
        const order = await log.order();
        expect(await log.verify()).toMatchObject({ first: null, records: order.length, size: order.length });
        for (const change of changes) {
          const at = Math.floor(change.at * order.length);
          const other = 'other' in change ? Math.floor(change.other * order.length) : at;
          if (other === at && change.kind.startsWith('swap')) continue;
          const report = await log.tampered((client) => apply(client, change, order, at, other));
          judge(change, report, order, at, other);
        }
        await log.stop();
        logs.pop();
      }),
      { numRuns: 6, interruptAfterTimeLimit: 100_000 },
    );
  }, 170_000);
});

async function build({ limit, batches }: Shape): Promise<SealedLog> {
  const log = await startSealedLog({ limit });
  logs.push(log);
  for (const { size, sign, epoch } of batches) {
    if (epoch) await log.nextEpoch();
    await log.write(size);
    await log.seal();
    if (sign) await log.checkpoint();
  }
  await log.checkpoint();
  return log;
}

const NEW_ID = '00000000-0000-7000-8000-00000000c0de';

async function apply(
  client: pg.Client,
  change: Change,
  order: readonly string[],
  at: number,
  other: number,
): Promise<void> {
  const id = order[at];
  switch (change.kind) {
    case 'edit': {
      const [table, column, value] = change.column;
      const { rowCount } = await client.query(`UPDATE audit.${table} SET ${column} = ${value} WHERE record_id = $1`, [
        id,
      ]);
      expect(rowCount).toBe(1);
      return;
    }
    case 'delete':
      await client.query('DELETE FROM audit.record WHERE record_id = $1', [id]);
      if (change.identityToo) await client.query('DELETE FROM audit.record_key WHERE record_id = $1', [id]);
      return;
    case 'insert': {
      const copy = async (table: string) => {
        const { rows } = await client.query(
          `SELECT string_agg(quote_ident(column_name), ', ') AS all FROM information_schema.columns
           WHERE table_schema = 'audit' AND table_name = $1 AND column_name NOT IN ('record_id', 'event_id')`,
          [table],
        );
        const others = rows[0].all;
        const text = `INSERT INTO audit.${table} (record_id, event_id, ${others})
          SELECT '${NEW_ID}', event_id || ' copy', ${others} FROM audit.${table} WHERE record_id = $1`;
        await client.query(text, [id]);
      };
      await copy('record');
      if (change.identityToo) await copy('record_key');
      return;
    }
    case 'swap':
    case 'swap bodies': {
      const columns = change.kind === 'swap' ? ['log_epoch', 'tx_id', 'seq'] : ['body', 'salt', 'leaf_hash'];
      await client.query(
        `UPDATE audit.record x SET ${columns.map((name) => `${name} = y.${name}`).join(', ')} FROM audit.record y
         WHERE x.record_id = ANY ($1) AND y.record_id = ANY ($1) AND x.record_id <> y.record_id`,
        [[id, order[other]]],
      );
      return;
    }
    case 'seal':
      await client.query(
        `UPDATE audit.seal SET hashes = set_bit(hashes, (($1::bigint - first_index) * 256 + $2)::bigint,
           1 - get_bit(hashes, (($1::bigint - first_index) * 256 + $2)::bigint))
         WHERE first_index <= $1 AND first_index + size > $1`,
        [at, change.bit],
      );
      return;
    case 'no seal':
      await client.query('DELETE FROM audit.seal WHERE first_index <= $1 AND first_index + size > $1', [at]);
      return;
    case 'truncate': {
      const ids = order.slice(at);
      await client.query('DELETE FROM audit.record WHERE record_id = ANY ($1)', [ids]);
      await client.query('DELETE FROM audit.record_key WHERE record_id = ANY ($1)', [ids]);
      await client.query('DELETE FROM audit.checkpoint WHERE size > $1', [at]);
      await client.query('DELETE FROM audit.tile');
      await client.query('DELETE FROM audit.seal WHERE first_index >= $1', [at]);
      await client.query(
        `UPDATE audit.seal SET size = $1::bigint - first_index, hashes = substring(hashes FROM 1 FOR (32 * ($1::bigint - first_index))::integer)
         WHERE first_index + size > $1::bigint`,
        [at],
      );
      return;
    }
  }
}

function judge(change: Change, report: VerifyReport, order: readonly string[], at: number, other: number): void {
  const seen = JSON.stringify({ change, at, other, counts: report.counts, breaks: report.breaks }, null, 1);
  const named = report.breaks.map(({ recordId }) => recordId);
  const indexes = report.breaks.map(({ index }) => index);
  const hold = (holds: boolean) => {
    if (!holds) throw new Error(`not found, or not named: ${seen}`);
  };
  hold(report.first !== null);
  switch (change.kind) {
    case 'edit':
      hold(named.includes(order[at] as string));
      return;
    case 'delete':
      hold(change.identityToo ? indexes.includes(at) : named.includes(order[at] as string));
      return;
    case 'insert':
      hold(named.includes(NEW_ID));
      return;
    case 'swap':
      // Of two neighbours one is in order.
      hold(named.includes(order[at] as string) || named.includes(order[other] as string));
      return;
    case 'swap bodies':
      hold(named.includes(order[at] as string) && named.includes(order[other] as string));
      return;
    case 'seal':
      hold(named.includes(order[at] as string) && indexes.includes(at));
      return;
    case 'no seal':
      hold(report.breaks.some(({ kind }) => kind === 'seal' || kind === 'truncated'));
      return;
    case 'truncate':
      hold((report.counts.truncated ?? 0) > 0);
      return;
  }
}
