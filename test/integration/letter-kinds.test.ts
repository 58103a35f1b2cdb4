// Open dead letters by kind, on a real PostgreSQL: letters are written directly, and what is counted is held against a
// model. Nothing is fake.
import { createLetterKinds, KINDS } from '../../src/infrastructure/prisma/letter-kinds.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';

let databases: TestDatabases;
let pool: PgPool;
beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 2 });
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
});
beforeEach(() => pool.query('TRUNCATE outbox.dead_letter'));

interface Letter {
  readonly eventType: string;
  readonly code: string;
  readonly tenant: string;
  readonly destination: string;
  /** Half an hour into it, so that no test waits at the edge of one. */
  readonly hoursAgo: number;
  readonly state: string;
}

const ALL = { tenantId: null, destination: null };
const listKinds = (filter: Parameters<ReturnType<typeof createLetterKinds>['listKinds']>[0]) =>
  createLetterKinds(pool).listKinds(filter);

async function plant(letters: readonly Letter[]): Promise<void> {
  await pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count, max_retries,
       state, created_at)
     SELECT gen_random_uuid(), gen_random_uuid(), 0, destination, "eventType", tenant, code, 'm', 1, 1, state,
       clock_timestamp() - ("hoursAgo" + 0.5) * interval '1 hour'
     FROM jsonb_to_recordset($1::jsonb) AS r("eventType" text, code text, tenant text, destination text, "hoursAgo" float8, state text)`,
    [JSON.stringify(letters)],
  );
}

const LETTERS = Array.from(
  { length: 400 },
  (_, n): Letter => ({
    eventType: `T${n % 3}`,
    code: n % 4 === 0 ? 'HTTP.TIMEOUT' : 'HTTP.CLIENT_ERROR',
    tenant: ['acme', 'umbrella', '', 'acme', 'acme'][n % 5] as string,
    destination: `d.${n % 14}`,
    hoursAgo: n % 31,
    state: n % 11 === 0 ? 'redriven' : 'open',
  }),
);

it.each([
  ALL,
  { tenantId: 'acme', destination: null },
  { tenantId: '', destination: null },
  { tenantId: null, destination: 'd.3' },
  { tenantId: 'umbrella', destination: 'd.8' },
  { tenantId: 'nobody', destination: null },
])('%j: counts the open ones by type and code, the largest first, and by the hour', async (filter) => {
  await plant(LETTERS);
  const { at, items, more } = await listKinds(filter);
  expect(more).toBe(false);
  expect(Math.abs(Date.now() - Date.parse(at))).toBeLessThan(60_000);
  const meant = LETTERS.filter(
    ({ state, tenant, destination }) =>
      state === 'open' &&
      (filter.tenantId === null || tenant === filter.tenantId) &&
      (filter.destination === null || destination === filter.destination),
  );
  const byKind = Map.groupBy(meant, ({ eventType, code }) => `${eventType} ${code}`);
  expect(items.map(({ eventType, code }) => `${eventType} ${code}`).sort()).toEqual([...byKind.keys()].sort());
  expect(items.map(({ count }) => count)).toEqual(items.map(({ count }) => count).sort((a, b) => b - a));
  for (const { eventType, code, count, first, last, destinations, perHour } of items) {
    const letters = byKind.get(`${eventType} ${code}`) ?? [];
    const ages = letters.map(({ hoursAgo }) => hoursAgo);
    const names = [...new Set(letters.map(({ destination }) => destination))].sort();
    expect({ count, destinations, perHour }).toEqual({
      count: letters.length,
      destinations: names.slice(0, 10),
      perHour: Array.from({ length: 24 }, (_, hour) => ages.filter((age) => age === 23 - hour).length),
    });
    const hoursTo = (time: string) => Math.floor((Date.parse(at) - Date.parse(time)) / 3_600_000);
    expect([hoursTo(first), hoursTo(last)]).toEqual([Math.max(...ages), Math.min(...ages)]);
  }
});

it('a letter that is redriven leaves its kind', async () => {
  await plant(LETTERS.slice(1, 3));
  expect((await listKinds(ALL)).items.map(({ count }) => count)).toEqual([1, 1]);
  await pool.query(`UPDATE outbox.dead_letter SET state = 'redriven' WHERE event_type = 'T1'`);
  expect((await listKinds(ALL)).items).toMatchObject([{ eventType: 'T2', count: 1 }]);
});

it('tells that there are more kinds than it lists', async () => {
  const letter = LETTERS[1] as Letter;
  const many = Array.from({ length: 200 }, (_, n) => ({ ...letter, eventType: `K${n}` }));
  await plant([...many, ...many.slice(0, 1)]);
  const whole = await listKinds(ALL);
  expect([whole.items.length, whole.more, whole.items[0]]).toMatchObject([200, false, { eventType: 'K0', count: 2 }]);
  await plant([{ ...letter, eventType: 'ONE_MORE' }]);
  const cut = await listKinds(ALL);
  expect([cut.items.length, cut.more]).toEqual([200, true]);
});

it('counts from its index alone', async () => {
  await pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, stack, retry_count,
       max_retries, state)
     SELECT gen_random_uuid(), gen_random_uuid(), 0, 'd.' || n % 5, 'T' || n % 9, 't' || n % 7, 'HTTP.TIMEOUT', 'm',
       (SELECT string_agg(md5(n::text || i), '') FROM generate_series(1, 20) i), 1, 1, CASE WHEN n % 10 = 0 THEN 'redriven' ELSE 'open' END
     FROM generate_series(1, 20000) n`,
  );
  // Its pages are visible to all once the commit is written out, which comes a moment later here.
  await eventually('a vacuum that finds every page visible', async () => {
    await pool.query('VACUUM ANALYZE outbox.dead_letter');
    const { rows } = await pool.query(
      `SELECT relallvisible >= 0.95 * relpages AS visible FROM pg_class WHERE oid = 'outbox.dead_letter'::regclass`,
    );
    return rows[0].visible;
  });
  for (const values of [
    [null, null],
    ['t3', null],
    [null, 'd.1'],
  ]) {
    const { rows } = await pool.query(`EXPLAIN ${KINDS}`, values);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index Only Scan using dead_letter_kinds/);
    expect(plan).not.toMatch(/Seq Scan/);
  }
});
