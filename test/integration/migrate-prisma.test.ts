// Real: PostgreSQL, the `prisma` CLI in a process of its own, our front for its WebAssembly engine. The CLI works on a copy
// of config/ and prisma/, so that it can write. Only fake: for `migrate dev`, standard input says that it is a terminal.
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import pg from 'pg';
import { deployMigrations, migrationStatus } from '../../src/infrastructure/prisma/migrations.js';
import { createEmptyDatabase } from '../support/databases.js';
import { type PrismaOutput, runPrisma } from '../support/run-prisma.js';

type Target = 'outbox' | 'audit';
const TARGETS: Target[] = ['outbox', 'audit'];

let database: { url: string; drop(): Promise<void> };
let copy: string;
beforeEach(async () => {
  database = await createEmptyDatabase();
  copy = mkdtempSync(join(tmpdir(), 'prisma-copy-'));
  for (const folder of ['config', 'prisma']) cpSync(folder, join(copy, folder), { recursive: true });
  cpSync('package.json', join(copy, 'package.json'));
  symlinkSync(resolve('node_modules'), join(copy, 'node_modules'));
});
afterEach(async () => {
  await database.drop();
  rmSync(copy, { recursive: true, force: true });
});

/** Runs the CLI as the npm scripts prisma:outbox and prisma:audit do. */
function prisma(target: Target, ...args: string[]): Promise<PrismaOutput> {
  const env = { OUTBOX_DATABASE_URL: database.url, AUDIT_DATABASE_URL: database.url };
  return runPrisma([...args, '--config', `config/prisma-${target}.config.ts`], { cwd: copy, env });
}

const folderOf = (target: Target) => join(copy, 'prisma', target, 'migrations');
const NO_DIFFERENCE = { code: 0, output: expect.stringContaining('No difference detected') };

describe.each(TARGETS)("Prisma's own tools on %s", (target) => {
  it('R29: `prisma migrate status` agrees with our deploy, before and after it', async () => {
    expect(await prisma(target, 'migrate', 'status')).toMatchObject({
      code: 1,
      output: expect.stringContaining('have not yet been applied'),
    });
    await deployMigrations({ databaseUrl: database.url, target });
    expect(await prisma(target, 'migrate', 'status')).toMatchObject({
      code: 0,
      output: expect.stringContaining('Database schema is up to date'),
    });
  });

  it('R29: our status agrees with `prisma migrate deploy`', async () => {
    expect(await prisma(target, 'migrate', 'deploy')).toMatchObject({ code: 0 });
    expect(await migrationStatus({ databaseUrl: database.url, target })).toMatchObject({
      pending: [],
      changed: [],
      failed: [],
      unknown: [],
    });
    expect((await deployMigrations({ databaseUrl: database.url, target })).applied).toEqual([]);
  });

  it('schema.prisma, the migrations and a deployed database say the same', async () => {
    await deployMigrations({ databaseUrl: database.url, target });
    const [migrations, schema] = [`prisma/${target}/migrations`, `prisma/${target}/schema.prisma`];
    const diff = (...sides: string[]) => prisma(target, 'migrate', 'diff', '--exit-code', ...sides);
    expect(await diff('--from-migrations', migrations, '--to-schema', schema)).toMatchObject(NO_DIFFERENCE);
    expect(await diff('--from-config-datasource', '--to-schema', schema)).toMatchObject(NO_DIFFERENCE);
    expect(await diff('--from-migrations', migrations, '--to-config-datasource')).toMatchObject(NO_DIFFERENCE);
  });

  it('a change by hand is found as drift, and named', async () => {
    await deployMigrations({ databaseUrl: database.url, target });
    const table = { outbox: 'outbox.policy', audit: 'audit.api_key' }[target];
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(`ALTER TABLE ${table} ADD COLUMN by_hand text`);
    await client.end();
    const sides = ['--from-migrations', `prisma/${target}/migrations`, '--to-config-datasource', '--exit-code'];
    expect(await prisma(target, 'migrate', 'diff', ...sides)).toMatchObject({
      code: 2,
      output: expect.stringContaining('by_hand'),
    });
  });

  it('`prisma migrate dev` makes the next migration from a changed schema, and our books know it', async () => {
    await deployMigrations({ databaseUrl: database.url, target });
    const path = join(copy, 'prisma', target, 'schema.prisma');
    writeFileSync(
      path,
      `${readFileSync(path, 'utf8')}\nmodel Added {\n  id Int @id\n  note String\n\n  @@map("added")\n}\n`,
    );
    const result = await prisma(target, 'migrate', 'dev', '--name', 'add_table');
    expect(result).toMatchObject({ code: 0 });
    const made = readdirSync(folderOf(target)).filter((name) => name.endsWith('_add_table'));
    expect(made).toHaveLength(1);
    const sql = readFileSync(join(folderOf(target), made[0] ?? '', 'migration.sql'), 'utf8');
    expect(sql).toContain('CREATE TABLE "added"');
    expect(sql).not.toMatch(/DROP|ALTER/); // nothing of what only the SQL files know is taken back
    const status = await migrationStatus({ databaseUrl: database.url, target, directory: folderOf(target) });
    expect(status).toMatchObject({ pending: [], changed: [], failed: [], unknown: [] });
    expect(status.applied).toContain(made[0]);
  });

  it('`prisma generate` writes the client without a database', async () => {
    expect(await prisma(target, 'generate')).toMatchObject({ code: 0 });
    const generated = readdirSync(join(copy, 'src/infrastructure/prisma/generated', target));
    expect(generated).toEqual(expect.arrayContaining(['client.ts', 'models.ts']));
  });
});

it('the front makes a database that is not there yet, when Prisma asks for it', async () => {
  const url = new URL(database.url);
  await database.drop();
  expect(await prisma('outbox', 'migrate', 'deploy')).toMatchObject({ code: 0 });
  expect(await migrationStatus({ databaseUrl: url.href, target: 'outbox' })).toMatchObject({ pending: [] });
});

it('throws its shadow databases away', async () => {
  await prisma('audit', 'migrate', 'diff', '--from-migrations', 'prisma/audit/migrations', '--to-config-datasource');
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query("SELECT datname FROM pg_database WHERE datname LIKE 'prisma_migrate_shadow%'");
  await client.end();
  expect(rows).toEqual([]);
});
