// What every view of the monitor asks of a million events with 50,000 dead letters, and of 200,000 records: answered within a
// second, by statements that go by indexes and touch no more pages than is said. Real: HTTP, PostgreSQL, the sealer. The rows
// are written directly; the statements are those that the answers were made by, as they were sent.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { EVENTS_PATH } from '../../src/contract/events-api.js';
import {
  ADD_QUARTER,
  COUNT_MINUTE,
  FIND_UNCOUNTED,
  FIND_WHOLE,
  REMOVE_FIGURES,
  REMOVE_PROCESSES,
} from '../../src/infrastructure/prisma/figure-statements.js';
import { DUE_BY_LANE, LETTERS_BY_KIND, OLDEST_LETTER } from '../../src/infrastructure/prisma/gauge-statements.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { openFigures } from '../../src/main/open-overview.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { type Asked, monitorViews } from '../support/monitor-views.js';
import { openTestOps } from '../support/ops.js';
import { type SeededOutbox, seedOutbox, seedRecords } from '../support/seed-monitor.js';
import { startIngestOn, type TestIngest } from './ingest-set-up.js';
import { openLog } from './log-set-up.js';

const EVENTS = 1_000_000;
const OPEN_LETTERS = 50_000;
/** What the page promises. It is many times what is measured, so that no machine fails this for being slow. */
const MOST_MS = 1_000;
const BIG = /^(event|delivery|dead_letter|delivery_attempt|figure|record(_\d{4}_\d{2})?|record_key)$/;

let databases: TestDatabases;
let pool: PgPool;
let ops: ReturnType<typeof openTestOps>;
let ingest: TestIngest;
let key: string;
let seeded: SeededOutbox;
let views: readonly Asked[];

beforeAll(async () => {
  const began = performance.now();
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 4, statementTimeoutMs: 240_000 });
  seeded = await seedOutbox(pool, { events: EVENTS });
  ops = openTestOps(pool);
  // Each answer is read anew: what a process keeps of the last one is not what is looked at here.
  ingest = await startIngestOn(databases.auditUrl, { ops: { ...ops, figures: (query) => openFigures(pool)(query) } });
  await seedRecords(ingest.pool);
  const log = openLog(ingest.pool);
  await log.seal();
  await log.checkpoint();
  key = await ingest.key(['dlq:write', 'audit:read', 'audit:read:any-tenant']);
  const { rows } = await ingest.pool.query('SELECT record_id FROM audit.record ORDER BY recorded_at DESC LIMIT 200');
  views = monitorViews(
    seeded,
    rows.map(({ record_id }) => record_id),
  );
  process.stderr.write(`monitor-plans: seeded in ${Math.round((performance.now() - began) / 1_000)} s\n`);
}, 400_000);
afterAll(async () => {
  await ingest?.stop();
  await ops?.deadLetters.close();
  await pool?.end();
  await databases?.drop();
});

it('stands on as much as it says', async () => {
  const { rows } = await pool.query(
    `SELECT (SELECT count(*)::int FROM outbox.event) AS events, (SELECT count(*)::int FROM outbox.delivery) AS deliveries,
       count(*) FILTER (WHERE state = 'open')::int AS open, count(DISTINCT (event_type, code)) FILTER (WHERE state = 'open')::int AS kinds
     FROM outbox.dead_letter`,
  );
  expect(rows).toEqual([{ events: EVENTS, deliveries: EVENTS, open: OPEN_LETTERS, kinds: 40 }]);
});

describe.each(['overview', 'events', 'dead letters', 'audit log', 'policies'] as const)('%s', (view) => {
  const asked = () => views.filter((one) => one.view === view);

  it('answers within a second', async () => {
    const slow: unknown[] = [];
    for (const one of asked()) {
      // The middle one of five is known when three are on one side of it. What gave up in its own time is late.
      const late: unknown[] = [];
      for (let inTime = 0; inTime < 3 && late.length < 3; ) {
        const began = performance.now();
        const { status, body } = await ask(one);
        const took = performance.now() - began;
        const gaveUp = status === 503 || JSON.stringify(body).includes('"away"');
        if (!gaveUp) expect([one.path, status]).toEqual([one.path, 200]);
        if (took < MOST_MS && !gaveUp) inTime++;
        else late.push(gaveUp ? [took, status, body] : took);
      }
      if (late.length === 3) slow.push([one.path, ...late]);
    }
    expect(slow).toEqual([]);
  }, 240_000);

  it('goes by indexes, whatever the plan is made for', async () => {
    const wrong: unknown[] = [];
    for (const one of asked()) {
      const statements = await statementsOf(() => ask(one));
      expect([one.path, statements.length > 0 || one.path.includes('simulation')]).toEqual([one.path, true]);
      let buffers = 0;
      for (const statement of statements) {
        const plans = await explain(statement);
        buffers += Math.max(...plans.map((plan) => plan.buffers));
        for (const { mode, walked } of plans) {
          if (walked.length > 0) wrong.push({ path: one.path, statement: statement.name, mode, walked });
        }
      }
      if (buffers > one.buffers) wrong.push({ path: one.path, buffers, atMost: one.buffers });
    }
    expect(wrong).toEqual([]);
  }, 240_000);
});

it('lists what there is of every state', async () => {
  for (const one of views.filter(({ path }) => /^\/ops\/v1\/events\?state=\w+$/.test(path))) {
    const { body } = await ask(one);
    expect([one.path, body.items.length]).toEqual([one.path, 50]);
  }
});

describe('what is rare and long ago', () => {
  beforeAll(async () => {
    const id = randomUUID();
    await pool.query(
      `INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id, tenant_id, payload,
         content_hash, occurred_at, recorded_at)
       SELECT $1, 'order.thing.v1', 'ORDER', 'audit.log', '/s', 'order', 'rare', 'only-one', '{}', 'h', at, at
       FROM (SELECT min(recorded_at) - interval '1 minute' AS at FROM outbox.event) oldest`,
      [id],
    );
    await pool.query(
      `INSERT INTO outbox.delivery (event_id, status, destination, event_type, tenant, settled_at)
       VALUES ($1, 'DEAD', 'audit.log', 'ORDER', 'only-one', now())`,
      [id],
    );
    await pool.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count, max_retries,
         created_at)
       SELECT gen_random_uuid(), id, 0, 'audit.log', 'ORDER', 'only-one', 'HTTP.TIMEOUT', 'm', 1, 1, recorded_at + interval '1 second'
       FROM outbox.event WHERE id = $1`,
      [id],
    );
  });

  const page = async (query: string) => {
    const began = performance.now();
    const { status, body } = await ask({ path: `${EVENTS_PATH}?${query}` });
    expect([query, status]).toEqual([query, 200]);
    return { ...body, took: performance.now() - began };
  };

  it('is found by going on: a page that is empty and not the last one says so, and none takes a second', async () => {
    const slow: number[] = [];
    let looked = 0;
    let cursor = '';
    for (let n = 1; ; n++) {
      const { items, next, searched, took } = await page(`tenantId=only-one${cursor}`);
      if (took >= MOST_MS) slow.push(took);
      looked += searched.events;
      if (next === null) {
        expect([items.length, searched.backTo]).toEqual([1, null]);
        break;
      }
      expect([items.length, searched.backTo]).toEqual([0, expect.any(String)]);
      expect(n).toBeLessThan(200);
      cursor = `&cursor=${next}`;
    }
    expect(looked).toBeGreaterThan(EVENTS);
    expect(slow.length).toBeLessThanOrEqual(2); // of a hundred, on a machine that has other work
  }, 240_000);

  it('is found at once where it is dead, beside fifty thousand that are dead as well', async () => {
    const { items, next, searched } = await page('state=dead&tenantId=only-one');
    expect([items.length, next, searched.events]).toEqual([1, null, 1]);
  });
});

describe('what is counted behind a minute', () => {
  const holder = randomUUID();
  beforeAll(() =>
    pool.query(`INSERT INTO outbox.lease (name, holder, until) VALUES ('figures', $1, now() + interval '1 hour')`, [
      holder,
    ]),
  );

  it.each([
    ['FIND_UNCOUNTED', FIND_UNCOUNTED, () => [null], 20_000],
    ['COUNT_MINUTE', COUNT_MINUTE, () => ['figures', holder, seeded.uncountedMinute], 5_000],
    ['FIND_WHOLE', FIND_WHOLE, () => [8], 20_000],
    ['ADD_QUARTER', ADD_QUARTER, () => ['figures', holder, seeded.uncountedQuarter], 5_000],
    ['REMOVE_FIGURES', REMOVE_FIGURES, () => ['figures', holder, 5_000], 30_000],
    ['REMOVE_PROCESSES', REMOVE_PROCESSES, () => ['figures', holder, 5_000], 5_000],
  ] as const)('%s goes by indexes', async (name, text, values, most) => {
    const statement: Statement = { database: pool, name, text, values: values() };
    for (const { mode, buffers, walked } of await explain(statement)) {
      expect({ mode, walked }).toEqual({ mode, walked: [] });
      expect(buffers).toBeLessThan(most);
    }
  });
});

it.each([
  ['DUE_BY_LANE', DUE_BY_LANE, 5_000],
  ['LETTERS_BY_KIND', LETTERS_BY_KIND, 60_000],
  ['OLDEST_LETTER', OLDEST_LETTER, 100],
])('a scrape goes by indexes: %s', async (name, text, most) => {
  for (const { mode, buffers, walked } of await explain({ database: pool, name, text, values: [] })) {
    expect({ mode, walked }).toEqual({ mode, walked: [] });
    expect(buffers).toBeLessThan(most);
  }
});

interface Statement {
  readonly database: PgPool;
  /** undefined: planned for its values each time. */
  readonly name: string | undefined;
  readonly text: string;
  readonly values: readonly unknown[];
}

function ask({ path, body }: Pick<Asked, 'path' | 'body'>) {
  return ingest.post(body ?? null, { path, method: body === undefined ? 'GET' : 'POST', key });
}

/** What is sent to either database while the work is done, but for what begins and ends transactions. */
async function statementsOf(work: () => Promise<unknown>): Promise<readonly Statement[]> {
  const sent: Statement[] = [];
  const { query } = pg.Client.prototype;
  const watched = function (this: pg.Client, given: unknown, ...more: unknown[]) {
    const config = typeof given === 'string' ? { text: given, values: more[0] } : (given as pg.QueryConfig);
    const values = Array.isArray(config.values) ? config.values : [];
    const database = databases.auditUrl.endsWith(`/${this.database}`) ? ingest.pool : pool;
    if (/\b(FROM|UPDATE|INTO)\b/i.test(config.text)) {
      sent.push({ database, name: 'name' in config ? config.name : undefined, text: config.text, values });
    }
    return (query as (...args: unknown[]) => unknown).call(this, given, ...more);
  };
  pg.Client.prototype.query = watched as typeof query;
  try {
    await work();
  } finally {
    pg.Client.prototype.query = query;
  }
  return sent;
}

interface Explained {
  readonly mode: string;
  readonly buffers: number;
  /** Large tables that were read whole, or in great part. */
  readonly walked: readonly string[];
}

/** Run and taken back; what is prepared by a name also by the plan that PostgreSQL keeps for whatever values. */
async function explain({ database, name, text, values }: Statement): Promise<readonly Explained[]> {
  const client = await database.connect();
  const explained: Explained[] = [];
  try {
    for (const mode of name === undefined ? ['custom'] : ['custom', 'generic']) {
      await client.query('BEGIN');
      await client.query(`SET LOCAL plan_cache_mode = force_${mode}_plan`);
      await client.query(`PREPARE asked AS ${text}`);
      const given = values.length === 0 ? '' : `(${values.map(literal).join(', ')})`;
      const { rows } = await client.query(`EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE asked${given}`);
      await client.query('ROLLBACK');
      await client.query('DEALLOCATE asked');
      const { Plan: plan } = rows[0]['QUERY PLAN'][0];
      explained.push({ mode, buffers: plan['Shared Hit Blocks'] + plan['Shared Read Blocks'], walked: walksOf(plan) });
    }
    return explained;
  } finally {
    client.release(true);
  }
}

function literal(value: unknown): string {
  if (value === null || value === undefined) return 'NULL';
  if (value instanceof Date) return pg.escapeLiteral(value.toISOString());
  if (Buffer.isBuffer(value)) return `'\\x${value.toString('hex')}'`;
  if (Array.isArray(value)) return pg.escapeLiteral(`{${value.map((item) => JSON.stringify(item)).join(',')}}`);
  return pg.escapeLiteral(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** Of one table, by one statement: above the 50,000 letters that are counted, and the 60,000 of a large search. */
const MOST_ROWS = 100_000;
/** Months ahead have no records, and one that has just begun has few: no index is quicker. */
const MONTH = /^record_\d/;
const FEW_ROWS = 2_000;

function walksOf(node: PlanNode): string[] {
  const { 'Node Type': type, 'Relation Name': table = '', Plans: plans = [] } = node;
  // Both are of one loop.
  const rows = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
  const whole = type === 'Seq Scan' && !(MONTH.test(table) && rows <= FEW_ROWS);
  // An index that is walked from end to end to throw its rows away is no better than the table.
  const walked = type.includes('Scan') && rows > MOST_ROWS;
  const here = BIG.test(table) && (whole || walked) ? [`${type} ${table}: ${rows} rows`] : [];
  return [...here, ...plans.flatMap(walksOf)];
}
