// What is asked about open rows costs what is open, not what was ever delivered: the plans of the real statements on a real
// PostgreSQL, and what they answer. Delivery rows are written directly. Nothing is fake.
import { randomUUID } from 'node:crypto';
import {
  adoptNamespace,
  BEGIN_ADOPTION,
  READ_ADOPTION,
  readAdoption,
} from '../../src/infrastructure/prisma/adopt-namespace.js';
import { createDestinationStore, LIST } from '../../src/infrastructure/prisma/destination-store.js';
import { DUE_BY_LANE } from '../../src/infrastructure/prisma/gauge-statements.js';
import { KNOWN } from '../../src/infrastructure/prisma/known-names.js';
import { BACKLOG, measureBacklog } from '../../src/infrastructure/prisma/measure-backlog.js';
import { countOverdueRuns, OVERDUE_RUNS } from '../../src/infrastructure/prisma/overdue-runs.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createPolicyStore, WALKS } from '../../src/infrastructure/prisma/policy-store.js';
import { ADOPT_FINISH, ADOPT_SOME, FIND_OVERDUE } from '../../src/infrastructure/prisma/reconcile-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';

let databases: TestDatabases;
let pool: PgPool;

const [ID, HOLDER, MOMENT] = [randomUUID(), randomUUID(), '2999-01-01T00:00:00Z'];

const STATEMENTS: readonly (readonly [string, string, readonly unknown[]])[] = [
  ['destinations', LIST, []],
  ['known names', KNOWN, ['dest.9', 'T']],
  ['backlog', BACKLOG, [10_000]],
  ['metrics, due by destination and type', DUE_BY_LANE, []],
  ['adoption, read', READ_ADOPTION, []],
  ['adoption, begun', BEGIN_ADOPTION, [ID, 'd']],
  ['adoption, some', ADOPT_SOME, ['reconcile', HOLDER, MOMENT, 200]],
  ['adoption, finished', ADOPT_FINISH, ['reconcile', HOLDER, MOMENT]],
  ['overdue', FIND_OVERDUE, [300_000, 50]],
  ['metrics, overdue runs', OVERDUE_RUNS, []],
  ...Object.entries(WALKS).flatMap(([kind, { list, apply, from }]) => [
    [`policies, ${kind}`, list, [from, 10_000]] as const,
    [`policies to ${kind}`, apply, [from, 500, '{"byType":{},"otherwise":"p"}', null]] as const,
  ]),
];

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 2 });
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
});

describe.each([
  ['few rows are open', 60_000, 300],
  ['half of them are open', 30_000, 30_000],
] as const)('where %s', (_, delivered, open) => {
  // The statements are explained, not run.
  beforeAll(() => plant({ delivered, open }));

  it.each(STATEMENTS)('%s: walks neither the table nor its primary key', async (_name, text, values) => {
    const client = await pool.connect();
    try {
      await client.query(`PREPARE asked AS ${text}`);
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await client.query(`SET plan_cache_mode = ${mode}`);
        const given = values.length === 0 ? '' : `(${values.map(literal).join(', ')})`;
        const { rows } = await client.query(`EXPLAIN (FORMAT JSON) EXECUTE asked${given}`);
        const scans = scansOf(rows[0]['QUERY PLAN'][0].Plan);
        expect(scans).not.toHaveLength(0);
        expect(scans.filter(({ walks }) => walks)).toEqual([]);
      }
    } finally {
      await client.query('DEALLOCATE ALL');
      await client.query('RESET ALL');
      client.release();
    }
  });
});

it('destinations, adoption and backlog tell the rows of every kind', async () => {
  await plant({ delivered: 10, open: 40 });
  await pool.query(
    `DELETE FROM outbox.delivery WHERE destination = 'dest.1' AND NOT (order_key IS NOT NULL OR carrier IS NOT NULL)`,
  );
  const { destinations } = await createDestinationStore(pool).list();
  expect(destinations.map(({ name, waiting, running }) => [name, waiting, running])).toEqual([
    ['dest.0', 10, 10],
    ['dest.1', 5, 5],
    ['dest.2', 10, 10],
    ['dest.3', 10, 10],
  ]);
  expect((await readAdoption(pool))?.started).toBe(35);
  expect((await measureBacklog(pool)).events).toBe(35);
  await pool.query(
    `UPDATE outbox.delivery SET due_at = now() - interval '1 hour' WHERE order_key IS NOT NULL AND status = 'PENDING'`,
  );
  expect((await measureBacklog(pool)).lagSeconds).toBeGreaterThanOrEqual(3_600);
});

it('the oldest one that waits is found behind more rows than are counted', async () => {
  await pool.query('TRUNCATE outbox.delivery');
  await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, due_at)
    SELECT gen_random_uuid(), 'dest.0', 'A', now() - interval '1 minute' FROM generate_series(1, 10001)`);
  await pool.query(`INSERT INTO outbox.delivery (event_id, destination, event_type, due_at)
    VALUES (gen_random_uuid(), 'dest.0', 'B', now() - interval '1 hour')`);
  const { events, lagSeconds } = await measureBacklog(pool);
  expect(events).toBe(10_000);
  expect(lagSeconds).toBeGreaterThanOrEqual(3_600);
  expect((await measureBacklog(pool, 20_000)).events).toBe(10_002);
});

it('what is overdue is told of every destination that has something under way, of both kinds', async () => {
  await plant({ delivered: 10, open: 40 });
  await pool.query(
    `UPDATE outbox.delivery SET due_at = now() - interval '6 minutes' WHERE status = 'PENDING' OR destination IN ('dest.0', 'dest.1')`,
  );
  expect(await countOverdueRuns(pool)).toEqual([
    { destination: 'dest.0', overdue: 10 },
    { destination: 'dest.1', overdue: 10 },
    { destination: 'dest.2', overdue: 0 },
    { destination: 'dest.3', overdue: 0 },
  ]);
});

it('policies are listed and pointed to across pages, rows that became due at the same moment included', async () => {
  await plant({ delivered: 10, open: 1_200 });
  const store = createPolicyStore(pool);
  await pool.query(
    `UPDATE outbox.delivery SET policy_hash = 'old', due_at = '2026-01-01' WHERE status IN ('PENDING', 'STARTED')`,
  );
  expect(await store.applyToOpen({ byType: {}, otherwise: 'new' }, null)).toEqual({ changed: 2_400, held: 0 });
  await pool.query(`UPDATE outbox.delivery SET policy_hash = NULL WHERE event_id IN (
    SELECT event_id FROM outbox.delivery WHERE status = 'PENDING' LIMIT 3)`);
  const open = await store.listOpen();
  expect(open).toEqual([
    { eventType: 'T', hash: null, open: 3 },
    { eventType: 'T', hash: 'new', open: 2_397 },
  ]);
});

it('an adoption that begins while another one goes on is not ended with it', async () => {
  await pool.query('TRUNCATE outbox.delivery');
  await pool.query(`UPDATE outbox.deployment SET adopting_before = NULL`);
  const { deployment } = (await readAdoption(pool)) ?? { deployment: '' };
  const before = async () =>
    (await pool.query(`SELECT adopting_before::text AS before FROM outbox.deployment`)).rows[0].before;
  await pool.query(
    `INSERT INTO outbox.lease (name, holder, until) VALUES ('reconcile', $1, now() + interval '1 hour')`,
    [HOLDER],
  );
  await adoptNamespace(pool, randomUUID(), deployment);
  const first = await before();
  await adoptNamespace(pool, randomUUID(), deployment);
  const second = await before();
  expect((await pool.query(ADOPT_FINISH, ['reconcile', HOLDER, first])).rowCount).toBe(0);
  expect(await before()).toBe(second);
  expect((await pool.query(ADOPT_FINISH, ['reconcile', HOLDER, second])).rowCount).toBe(1);
});

/** In an emptied table: `open` rows waiting and as many started, half of each ordered or carried, over four destinations. */
async function plant({ delivered, open }: { delivered: number; open: number }): Promise<void> {
  await pool.query('TRUNCATE outbox.delivery');
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant, status, receipt, started_at, settled_at)
     SELECT gen_random_uuid(), 'dest.' || n % 4, 'T', 't' || n % 20, 'DELIVERED', '{}', now(), now() FROM generate_series(1, $1::integer) n`,
    [delivered],
  );
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, status, started_at, carrier, order_key, order_no, due_at)
     SELECT gen_random_uuid(), 'dest.' || n % 4, 'T', s, CASE s WHEN 'STARTED' THEN now() END,
       CASE WHEN s = 'STARTED' AND n % 8 < 4 THEN 'batch-' || n % 3 END,
       CASE WHEN s = 'PENDING' AND n % 8 < 4 THEN 'key-' || n % 50 END, CASE WHEN s = 'PENDING' AND n % 8 < 4 THEN n END,
       now() - interval '1 second'
     FROM generate_series(1, $1::integer) n, unnest(ARRAY['PENDING', 'STARTED']) s`,
    [open],
  );
  await pool.query('VACUUM ANALYZE outbox.delivery');
}

function literal(value: unknown): string {
  if (value === null) return 'NULL';
  if (Array.isArray(value)) return `ARRAY[${value.map((item) => `'${item}'`).join(', ')}]`;
  return typeof value === 'number' ? `${value}` : `'${value}'`;
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** Every access to deliveries; `walks`: all of the table, or of its primary key rather than the events named. */
function scansOf(node: PlanNode): { readonly scan: string; readonly walks: boolean }[] {
  const index = node['Index Name'] ?? '';
  const scan = `${node['Node Type']} ${index} ${node['Index Cond'] ?? ''}`;
  const ofDelivery = node['Relation Name'] === 'delivery' || index.startsWith('delivery_');
  const walks =
    node['Node Type'] === 'Seq Scan' || (index === 'delivery_pkey' && !node['Index Cond']?.includes('event_id ='));
  const here = ofDelivery && node['Node Type'].includes('Scan') ? [{ scan, walks }] : [];
  return [...here, ...(node.Plans ?? []).flatMap(scansOf)];
}
