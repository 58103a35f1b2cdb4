// What `outbox doctor` compares with is what the migrations make. Real: PostgreSQL, databases that were just migrated. After
// a new migration: npm run build && node config/write-expected-schema.ts
import { inspectSchema, readExpectedSchema } from '../../src/infrastructure/prisma/inspect-schema.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';

let databases: TestDatabases;
beforeAll(async () => {
  databases = await createTestDatabases();
});
afterAll(() => databases.drop());

it.each(['outbox', 'audit'] as const)('%s: expected-schema.json is fresh', async (target) => {
  // Whatever path a role has: it does not change what is read.
  const url = new URL(databases[`${target}Url`]);
  url.searchParams.set('options', `-c search_path=${target},public`);
  for (const connectionString of [databases[`${target}Url`], url.toString()]) {
    const pool = createPool(connectionString, { max: 1 });
    const facts = await inspectSchema(pool, target).finally(() => pool.end());
    expect(facts.parts).toEqual(await readExpectedSchema(target));
    expect(facts).toMatchObject({ invalidIndexes: [], unguardedPartitions: [] });
  }
});

it('holds the append-only triggers of the audit log enabled always, and what autovacuum is told of deliveries', async () => {
  const audit = await readExpectedSchema('audit');
  const guarded = ['record', 'record_key', 'seal', 'tile', 'checkpoint', 'note', 'epoch'];
  expect(guarded.map((table) => audit?.[`enabled ${table}.${table}_append_only`])).toEqual(guarded.map(() => 'A'));
  expect((await readExpectedSchema('outbox'))?.['settings delivery']).toContain('autovacuum_vacuum_threshold=5000');
});
