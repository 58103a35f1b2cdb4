// Real: PostgreSQL, the packed migration files, and where said a deployer in a process of its own that is killed.
// Files that do not exist in the package (broken, slow, newer ones) are written to a folder of the test's own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { deployMigrations, migrationStatus } from '../../src/infrastructure/prisma/migrations.js';
import { runMigrate } from '../../src/main/migrate.js';
import { createEmptyDatabase } from '../support/databases.js';

let database: { url: string; drop(): Promise<void> };
let client: pg.Client;
let folder: string;
beforeEach(async () => {
  database = await createEmptyDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  folder = mkdtempSync(join(tmpdir(), 'migrations-'));
});
afterEach(async () => {
  await client.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, sql: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration.sql'), sql);
}

const deployFolder = async () =>
  (await deployMigrations({ databaseUrl: database.url, target: 'outbox', directory: folder })).applied;
const statusOfFolder = () => migrationStatus({ databaseUrl: database.url, target: 'outbox', directory: folder });
const tables = async () =>
  (
    await client.query("SELECT relname FROM pg_class WHERE relnamespace = 'outbox'::regnamespace AND relkind = 'r'")
  ).rows.map(({ relname }) => relname as string);

describe('migrate deploy', () => {
  it("R29: applies the packed files in the order of their names and keeps Prisma's books in each schema", async () => {
    for (const target of ['outbox', 'audit'] as const) {
      const packed = readdirSync(`prisma/${target}/migrations`, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
        .sort();
      expect((await deployMigrations({ databaseUrl: database.url, target })).applied).toEqual(packed);
      const { rows } = await client.query(`SELECT * FROM ${target}._prisma_migrations ORDER BY finished_at`);
      expect(rows).toEqual(
        packed.map((name) => ({
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          checksum: createHash('sha256')
            .update(readFileSync(`prisma/${target}/migrations/${name}/migration.sql`))
            .digest('hex'),
          migration_name: name,
          started_at: expect.any(Date),
          finished_at: expect.any(Date),
          logs: null,
          rolled_back_at: null,
          applied_steps_count: 1,
        })),
      );
      expect((await deployMigrations({ databaseUrl: database.url, target })).applied).toEqual([]);
    }
  });

  it('R29: an index of a large table is not built by surprise: it was made beforehand, or somebody said that all may wait', async () => {
    const packed = readdirSync('prisma/outbox/migrations', { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
    const guard = packed.find((name) => name.endsWith('_before_large_indexes')) as string;
    const monitor = packed.find((name) => name.endsWith('_monitor')) as string;
    const sqlOf = (name: string) => readFileSync(`prisma/outbox/migrations/${name}/migration.sql`, 'utf8');
    for (const name of packed.filter((one) => one < guard)) write(name, sqlOf(name));
    await deployFolder();
    for (const name of [guard, monitor]) write(name, sqlOf(name));
    // Every table is a large one.
    const databaseUrl = `${database.url}?options=${encodeURIComponent('-c outbox.large_bytes=-1')}`;
    const deploy = (wait: boolean) => deployMigrations({ databaseUrl, target: 'outbox', directory: folder, wait });
    await expect(deploy(false)).rejects.toMatchObject({
      code: 'MIGRATE.SQL',
      message: expect.stringMatching(
        /would wait for delivery_settled on delivery \(.*\), .*docs\/running\.md.*--wait$/,
      ),
    });
    expect((await statusOfFolder()).pending).toEqual([guard, monitor]);
    await client.query(sqlOf(monitor).match(/CREATE INDEX IF NOT EXISTS delivery_settled [^;]+/)?.[0] ?? '');
    await expect(deploy(false)).rejects.toMatchObject({
      message: expect.stringMatching(/would wait for event_by_aggregate on event/),
    });
    expect((await deploy(true)).applied).toEqual([guard, monitor]);
  });

  it('R29: deployers at the same moment apply each file once, and all of them end well', async () => {
    write('1_count', 'CREATE TABLE outbox.run (at timestamptz); INSERT INTO outbox.run VALUES (now());');
    write('2_again', 'INSERT INTO outbox.run VALUES (now());');
    const applied = await Promise.all(Array.from({ length: 6 }, deployFolder));
    expect(applied.filter((names) => names.length > 0)).toEqual([['1_count', '2_again']]);
    expect((await client.query('SELECT count(*)::int AS n FROM outbox.run')).rows).toEqual([{ n: 2 }]);
  });

  it('R29: a deployer that waits longer than its deadline says who it waits for, and applies nothing', async () => {
    await client.query("SELECT pg_advisory_lock(hashtextextended('temporal-outbox migrate outbox', 0))");
    const waiting = deployMigrations({ databaseUrl: database.url, target: 'outbox', lockTimeoutMs: 50 });
    await expect(waiting).rejects.toMatchObject({
      code: 'MIGRATE.LOCKED',
      message: expect.stringContaining('another deployer'),
    });
    expect((await migrationStatus({ databaseUrl: database.url, target: 'outbox' })).applied).toEqual([]);
  });

  it('R29: a changed applied file is refused by name, and a new one beside it is not applied', async () => {
    write('1_first', 'CREATE TABLE outbox.a ();');
    await deployFolder();
    write('1_first', 'CREATE TABLE outbox.a (); -- edited');
    write('2_second', 'CREATE TABLE outbox.b ();');
    await expect(deployFolder()).rejects.toMatchObject({
      code: 'MIGRATE.CHANGED',
      message: expect.stringContaining('1_first'),
    });
    expect(await tables()).not.toContain('b');
    expect(await statusOfFolder()).toMatchObject({ changed: ['1_first'], pending: ['2_second'] });
  });

  it('R29: a failed row is refused by name until it is marked rolled back, and then the file runs again', async () => {
    write('1_first', 'CREATE TABLE outbox.a ();');
    await deployFolder();
    await client.query('DROP TABLE outbox.a');
    await client.query("UPDATE outbox._prisma_migrations SET finished_at = NULL, logs = 'ERROR'");
    await expect(deployFolder()).rejects.toMatchObject({
      code: 'MIGRATE.FAILED',
      message: expect.stringContaining('1_first'),
    });
    expect((await statusOfFolder()).failed).toEqual(['1_first']);
    await client.query('UPDATE outbox._prisma_migrations SET rolled_back_at = now()');
    expect(await deployFolder()).toEqual(['1_first']);
  });

  it('R29: a file that fails halfway leaves nothing of itself, keeps those before it, and can be mended', async () => {
    write('1_first', 'CREATE TABLE outbox.a ();');
    write('2_broken', 'CREATE TABLE outbox.b (); SELECT 1 / 0;');
    await expect(deployFolder()).rejects.toMatchObject({
      code: 'MIGRATE.SQL',
      message: expect.stringMatching(/2_broken.*division by zero/),
    });
    expect(await statusOfFolder()).toMatchObject({ applied: ['1_first'], pending: ['2_broken'], failed: [] });
    expect(await tables()).not.toContain('b');
    write('2_broken', 'CREATE TABLE outbox.b ();');
    expect(await deployFolder()).toEqual(['2_broken']);
  });

  it('R29: after a deployer is killed in the middle of a file, the next one finds it undone and applies it', async () => {
    await client.query('SELECT pg_advisory_lock(71)');
    // It waits until it is let go: by a deployer's own short time for locks it could just be between two tries.
    write('1_slow', 'CREATE TABLE outbox.a (); SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(71);');
    const deployer = startDeployer();
    const exited = once(deployer, 'exit');
    await until(async () => {
      const { rows } = await client.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 71 AND NOT granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows.length > 0;
    });
    deployer.kill('SIGKILL');
    await exited;
    await client.query('SELECT pg_advisory_unlock(71)');
    expect(await deployFolder()).toEqual(['1_slow']);
    expect(await statusOfFolder()).toMatchObject({ applied: ['1_slow'], pending: [], failed: [] });
  });

  it('R29: an older package leaves a newer database alone, and does not add to it what the newer one lacks', async () => {
    write('1_first', 'CREATE TABLE outbox.a ();');
    write('3_newer', 'CREATE TABLE outbox.c ();');
    await deployFolder();
    rmSync(join(folder, '3_newer'), { recursive: true });
    expect(await deployFolder()).toEqual([]);
    expect((await statusOfFolder()).unknown).toEqual(['3_newer']);
    write('2_other', 'CREATE TABLE outbox.b ();');
    await expect(deployFolder()).rejects.toMatchObject({
      code: 'MIGRATE.DIVERGED',
      message: expect.stringMatching(/3_newer.*2_other/),
    });
  });

  it('R29: a role that may not create schemas deploys into the one that was made for it', async () => {
    const role = `deployer_${new URL(database.url).pathname.slice(1)}`;
    await client.query(`CREATE ROLE ${role} LOGIN`);
    await client.query(`CREATE SCHEMA outbox AUTHORIZATION ${role}`);
    const url = new URL(database.url);
    url.username = role;
    const { applied } = await deployMigrations({ databaseUrl: url.href, target: 'outbox' });
    expect(applied.length).toBeGreaterThan(0);
    await client.query(`DROP OWNED BY ${role}`);
    await client.query(`DROP ROLE ${role}`);
  });

  it('names the database it cannot reach without its password', async () => {
    const databaseUrl = 'postgresql://someone:hunter2@127.0.0.1:1/nowhere';
    const error = await deployMigrations({ databaseUrl, target: 'audit' }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'MIGRATE.UNREACHABLE' });
    expect(String(error)).toMatch(/audit: cannot connect to the database/);
    expect(String(error)).not.toContain('hunter2');
  });
});

describe('outbox migrate', () => {
  it('status changes nothing in an empty database, lists what is pending and exits 1', async () => {
    const result = await runMigrate({ command: 'status', outboxUrl: database.url, auditUrl: database.url });
    expect(result.exitCode).toBe(1);
    expect(result.text).toMatch(/^outbox: 0 applied; \d+ pending \(\d+_init.*\)\naudit: 0 applied; \d+ pending/);
    const { rows } = await client.query("SELECT 1 FROM pg_namespace WHERE nspname IN ('outbox', 'audit')");
    expect(rows).toEqual([]);
  });

  it('R32: outbox and audit live in one database as well as in two, each with its own books', async () => {
    const both = { outboxUrl: database.url, auditUrl: database.url };
    expect(await runMigrate({ command: 'deploy', ...both })).toMatchObject({ exitCode: 0 });
    expect(await runMigrate({ command: 'status', ...both })).toMatchObject({ exitCode: 0 });
    const second = await createEmptyDatabase();
    const two = { outboxUrl: second.url, auditUrl: database.url };
    expect(await runMigrate({ command: 'deploy', ...two })).toMatchObject({ exitCode: 0 });
    const other = new pg.Client({ connectionString: second.url });
    await other.connect();
    const { rows } = await other.query(
      "SELECT nspname FROM pg_namespace WHERE nspname IN ('outbox', 'audit') ORDER BY 1",
    );
    expect(rows).toEqual([{ nspname: 'outbox' }]);
    await other.end();
    await second.drop();
  });

  it('R32: no role is created, and no migration asks for one', async () => {
    const roles = async () => (await client.query('SELECT rolname FROM pg_roles ORDER BY 1')).rows;
    const before = await roles();
    await runMigrate({ command: 'deploy', outboxUrl: database.url, auditUrl: database.url });
    expect(await roles()).toEqual(before);
    for (const target of ['outbox', 'audit']) {
      for (const entry of readdirSync(`prisma/${target}/migrations`, { recursive: true, encoding: 'utf8' })) {
        if (!entry.endsWith('.sql')) continue;
        const sql = readFileSync(join('prisma', target, 'migrations', entry), 'utf8').replaceAll(/--.*$/gm, '');
        expect(sql).not.toMatch(/\b(create|alter|drop)\s+(role|user|group)\b/i);
      }
    }
  });

  it('R1: deploy stores the deployment name once, keeps it when none is given, and refuses another', async () => {
    const deploy = (deployment?: string) =>
      runMigrate({ command: 'deploy', outboxUrl: database.url, deployment, json: true }).then(
        ({ text }) => JSON.parse(text).deployment,
      );
    expect(await deploy('eu-1')).toBe('eu-1');
    expect(await deploy()).toBe('eu-1');
    await expect(deploy('us-1')).rejects.toMatchObject({
      code: 'MIGRATE.DEPLOYMENT',
      message: expect.stringMatching(/"eu-1", not to "us-1"/),
    });
    await expect(deploy('EU 1')).rejects.toMatchObject({ code: 'MIGRATE.DEPLOYMENT' });
    expect((await client.query('SELECT name FROM outbox.deployment')).rows).toEqual([{ name: 'eu-1' }]);
  });

  it('R1: the name is stored under the lock of the deploy, and a wrong one is refused before anything is applied', async () => {
    // The default is evaluated by the statement that stores the name, in the session that should hold the lock.
    write(
      '1_first',
      `CREATE FUNCTION outbox.locks() RETURNS bigint LANGUAGE sql
         RETURN (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = pg_backend_pid());
       CREATE TABLE outbox.deployment (name text, locks bigint DEFAULT outbox.locks());`,
    );
    const options = { databaseUrl: database.url, target: 'outbox', directory: folder } as const;
    expect(await deployMigrations({ ...options, deployment: 'eu-1' })).toEqual({
      applied: ['1_first'],
      deployment: 'eu-1',
    });
    expect((await client.query('SELECT * FROM outbox.deployment')).rows).toEqual([{ name: 'eu-1', locks: '1' }]);
    write('2_second', 'CREATE TABLE outbox.second ();');
    await expect(deployMigrations({ ...options, deployment: 'us-1' })).rejects.toMatchObject({
      code: 'MIGRATE.DEPLOYMENT',
    });
    expect(await tables()).not.toContain('second');
    expect((await deployMigrations({ ...options, deployment: 'eu-1' })).deployment).toBe('eu-1');
    expect(await tables()).toContain('second');
  });

  it('R1: the deployment of a new database is "main" unless it is named', async () => {
    const { text } = await runMigrate({ command: 'deploy', outboxUrl: database.url });
    expect(text).toMatch(/deployment: main$/);
  });

  it('makes the audit partitions of the coming months at every deploy', async () => {
    await runMigrate({ command: 'deploy', auditUrl: database.url });
    const count = async () =>
      (await client.query("SELECT count(*)::int AS n FROM pg_inherits WHERE inhparent = 'audit.record'::regclass"))
        .rows[0].n;
    const made = await count();
    expect(made).toBeGreaterThan(1);
    const { rows } = await client.query(
      "SELECT max(inhrelid::regclass::text) AS last FROM pg_inherits WHERE inhparent = 'audit.record'::regclass",
    );
    await client.query(`DROP TABLE ${rows[0].last}`);
    await runMigrate({ command: 'deploy', auditUrl: database.url });
    expect(await count()).toBe(made);
  });
});

/** A deployer of the built package, in a process of its own, so that it can be killed. */
function startDeployer(): ChildProcess {
  const options = JSON.stringify({ databaseUrl: database.url, target: 'outbox', directory: folder });
  const script = `const { deployMigrations } = await import('./dist/src/infrastructure/prisma/migrations.js');
    await deployMigrations(${options});`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
}

async function until(state: () => Promise<boolean>): Promise<void> {
  while (!(await state())) await new Promise((resolve) => setTimeout(resolve, 10));
}
