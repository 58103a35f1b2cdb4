// Real: PostgreSQL, an application with Prisma migrations of its own in `public` (applied by the `prisma` CLI), our migrations
// beside them in the same database. What "the same" means is read from the catalogue, rows and their positions included.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { runMigrate } from '../../src/main/migrate.js';
import { createEmptyDatabase } from '../support/databases.js';
import { type PrismaOutput, runPrisma } from '../support/run-prisma.js';

const SCHEMA = `
datasource db {
  provider = "postgresql"
}

enum Plan {
  FREE
  PAID
}

model Account {
  id     Int     @id @default(autoincrement())
  email  String  @unique
  plan   Plan    @default(FREE)
  orders Order[]
}

model Order {
  id        Int      @id @default(autoincrement())
  accountId Int
  account   Account  @relation(fields: [accountId], references: [id])
  placedAt  DateTime @default(now())

  @@index([accountId, placedAt])
}
`;
const CONFIG = `import { defineConfig } from 'prisma/config';
export default defineConfig({
  schema: 'schema.prisma',
  migrations: { path: 'migrations' },
  datasource: { url: process.env.DATABASE_URL },
});
`;

let database: { url: string; drop(): Promise<void> };
let client: pg.Client;
let application: string;
beforeAll(async () => {
  database = await createEmptyDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  application = mkdtempSync(join(tmpdir(), 'application-'));
  symlinkSync(resolve('node_modules'), join(application, 'node_modules'));
  writeFileSync(join(application, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(application, 'schema.prisma'), SCHEMA);
  writeFileSync(join(application, 'prisma.config.ts'), CONFIG);
  mkdirSync(join(application, 'migrations'));
});
afterAll(async () => {
  await client.end();
  await database.drop();
  rmSync(application, { recursive: true, force: true });
});

function prisma(...args: string[]): Promise<PrismaOutput> {
  const PRISMA_SCHEMA_ENGINE_BINARY = resolve('config/prisma-schema-engine.ts');
  return runPrisma(args, { cwd: application, env: { DATABASE_URL: database.url, PRISMA_SCHEMA_ENGINE_BINARY } });
}

const NOT_THERE_TO_COMPARE =
  "ARRAY['relpages', 'reltuples', 'relallvisible', 'relallfrozen', 'relfrozenxid', 'relminmxid']";
const RELATION = "(SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)";
/** Every catalogue row about `public`, without the planner's and vacuum's counts, and what would reach into it from outside. */
const CATALOGUE: Record<string, string> = {
  namespace: "SELECT to_jsonb(t) FROM pg_namespace t WHERE nspname = 'public'",
  class: `SELECT to_jsonb(t) - ${NOT_THERE_TO_COMPARE} FROM pg_class t WHERE oid IN ${RELATION}`,
  attribute: `SELECT to_jsonb(t) FROM pg_attribute t WHERE attrelid IN ${RELATION}`,
  default: `SELECT to_jsonb(t) FROM pg_attrdef t WHERE adrelid IN ${RELATION}`,
  index: `SELECT to_jsonb(t) FROM pg_index t WHERE indrelid IN ${RELATION}`,
  constraint: "SELECT to_jsonb(t) FROM pg_constraint t WHERE connamespace = 'public'::regnamespace",
  trigger: `SELECT to_jsonb(t) FROM pg_trigger t WHERE tgrelid IN ${RELATION}`,
  policy: `SELECT to_jsonb(t) FROM pg_policy t WHERE polrelid IN ${RELATION}`,
  sequence: `SELECT to_jsonb(t) FROM pg_sequence t WHERE seqrelid IN ${RELATION}`,
  function: "SELECT to_jsonb(t) FROM pg_proc t WHERE pronamespace = 'public'::regnamespace",
  type: "SELECT to_jsonb(t) FROM pg_type t WHERE typnamespace = 'public'::regnamespace",
  enum: 'SELECT to_jsonb(t) FROM pg_enum t',
  comment: `SELECT to_jsonb(t) FROM pg_description t WHERE objoid IN ${RELATION}`,
  extension: 'SELECT to_jsonb(t) FROM pg_extension t',
  eventTrigger: 'SELECT to_jsonb(t) FROM pg_event_trigger t',
  defaultRights: 'SELECT to_jsonb(t) FROM pg_default_acl t',
  databaseSettings: 'SELECT to_jsonb(t) FROM pg_db_role_setting t',
};

async function readPublic(): Promise<Record<string, string[]>> {
  const found: Record<string, string[]> = {};
  for (const [kind, sql] of Object.entries(CATALOGUE)) {
    const { rows } = await client.query(`SELECT row::text FROM (${sql}) AS found (row) ORDER BY 1`);
    found[kind] = rows.map(({ row }) => row);
  }
  const { rows: relations } = await client.query(
    "SELECT oid::regclass::text AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S') ORDER BY 1",
  );
  for (const { name } of relations) {
    const { rows } = await client.query(`SELECT ctid::text, xmin::text, t.* FROM ${name} t ORDER BY ctid`);
    found[name] = rows.map((row) => JSON.stringify(row));
  }
  return found;
}

describe('installed beside an application with Prisma migrations of its own', () => {
  it("leaves `public` byte-identical, the application's migration table included", async () => {
    expect(await prisma('migrate', 'dev', '--name', 'init')).toMatchObject({ code: 0 });
    await client.query('INSERT INTO "Account" (email) SELECT n || \'@example.com\' FROM generate_series(1, 50) n');
    await client.query('INSERT INTO "Order" ("accountId") SELECT id FROM "Account"');
    const before = await readPublic();
    expect(Object.keys(before)).toEqual(
      expect.arrayContaining(['"Account"', '_prisma_migrations', '"Account_id_seq"']),
    );
    expect(before.class?.length).toBeGreaterThan(5);

    await runMigrate({ command: 'deploy', outboxUrl: database.url, auditUrl: database.url });
    const event = {
      eventName: 'order.placed.v1',
      eventType: 'ORDER',
      aggregate: { type: 'order', id: '1' },
      payload: {},
    };
    await client.query('SELECT outbox.record_event($1)', [JSON.stringify(event)]);

    expect(await readPublic()).toEqual(before);
  });

  it('sees a change of `public` when there is one', async () => {
    const before = await readPublic();
    await client.query(`UPDATE "Account" SET email = email WHERE id = 1`);
    expect(await readPublic()).not.toEqual(before);
  });

  it('neither sees the migrations of the other: both say up to date, and both go on', async () => {
    expect(await prisma('migrate', 'status')).toMatchObject({ code: 0, output: expect.stringContaining('up to date') });
    const drift = ['migrate', 'diff', '--from-migrations', 'migrations', '--to-config-datasource', '--exit-code'];
    expect(await prisma(...drift)).toMatchObject({ code: 0 });
    writeFileSync(join(application, 'schema.prisma'), `${SCHEMA}\nmodel Note {\n  id Int @id\n}\n`);
    expect(await prisma('migrate', 'dev', '--name', 'notes')).toMatchObject({ code: 0 });
    const status = await runMigrate({ command: 'status', outboxUrl: database.url, auditUrl: database.url });
    expect(status).toMatchObject({ exitCode: 0 });
  });
});
