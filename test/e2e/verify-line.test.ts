// Real: the built command line, PostgreSQL, Temporal, toxiproxy, roles as processes. `outbox verify` beside a deployment that
// is at work: it proves the line, and nothing of the deployment moves for it.
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { startOf } from '../../src/main/chaos/reaper.js';
import { asAdmin, createEmptyDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { FOUND_WITHIN_MS, findProxyProgram, programEnvironment } from '../support/find-programs.js';
import { endLeftoverCli, outboxCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';

const [DONE, USAGE, CONFIGURATION, INTERRUPTED] = [0, 64, 78, 130];
let deployment: TestDeployment;
let before: readonly string[];
beforeAll(async () => {
  await findProxyProgram();
  deployment = await createTestDeployment();
}, FOUND_WITHIN_MS);
beforeEach(async () => {
  before = await verifyDatabases();
});
// A run that a test gave up is not the next test's.
afterEach(() => endLeftoverCli(), 60_000);
afterAll(() => deployment.drop(), 60_000);

/** Those that were not there when the test began. */
async function madeDatabases(): Promise<string[]> {
  return (await verifyDatabases()).filter((name) => !before.includes(name));
}

async function verifyDatabases(): Promise<string[]> {
  const { rows } = await asAdmin((client) =>
    client.query<{ name: string }>(
      "SELECT datname AS name FROM pg_database WHERE datname LIKE '%\\_verify\\_%' ORDER BY datname",
    ),
  );
  return rows.map(({ name }) => name);
}

const machine = (name: string) => createHash('sha256').update(name).digest('hex').slice(0, 6);

it('a hundred events go through a line of its own, while roles and open events of the deployment are left as they are', async () => {
  const relay = await deployment.start('relay');
  const open = await deployment.append({ routingKey: 'nobody.handles.it' });
  const left = {
    dead: `outbox_verify_${machine(hostname())}_4194303_1_dead`,
    ofLiving: `outbox_verify_${machine(hostname())}_${process.pid}_${startOf(process.pid)}_beef`,
    elsewhere: `audit_verify_${machine('another.machine')}_4194303_1_dead`,
    ofNobody: 'outbox_verify_mine',
  };
  await asAdmin(async (client) => {
    for (const name of Object.values(left)) await client.query(`CREATE DATABASE ${name}`);
  });
  try {
    const { code, stdout, printed } = await runOutboxCli(['verify', '--json'], {
      ...deployment.environment,
      ...programEnvironment(),
    });
    expect([code, printed]).toEqual([
      DONE,
      expect.stringContaining(`dropped ${left.dead}, which a killed run had left`),
    ]);
    const { verdict, record, books } = JSON.parse(stdout);
    expect([verdict, books.lost, books.doubled, books.phantoms, books.open]).toEqual(['passed', [], [], [], 0]);
    expect(record.committed).toBeGreaterThanOrEqual(100);
    expect(books.delivered + books.dead).toBe(record.committed + books.inDoubt.stand);
    expect(await madeDatabases()).toEqual([left.elsewhere, left.ofLiving, left.ofNobody].sort());
  } finally {
    await asAdmin(async (client) => {
      for (const name of Object.values(left)) await client.query(`DROP DATABASE IF EXISTS ${name}`);
    });
  }
  const { rows: events } = await deployment.outbox.query('SELECT id FROM outbox.event');
  expect(events).toEqual([{ id: open }]);
  const { rows: records } = await deployment.audit.query('SELECT count(*)::int AS n FROM audit.record');
  const { rows: keys } = await deployment.audit.query('SELECT count(*)::int AS n FROM audit.api_key');
  expect([records, keys]).toEqual([[{ n: 0 }], [{ n: 1 }]]);
  expect(['PENDING', 'STARTED']).toContain(await deployment.status(open));
  expect(await stop(relay)).toBe(DONE);
}, 180_000);

it('a role that may make no databases is told how to mend it; two empty ones do, and are empty again', async () => {
  const role = `plain_${randomBytes(4).toString('hex')}`;
  const [outbox, audit] = [await createEmptyDatabase(), await createEmptyDatabase()];
  const nameOf = (url: string) => new URL(url).pathname.slice(1);
  const as = (url: string) => Object.assign(new URL(url), { username: role, password: 'x' }).href;
  await asAdmin(async (client) => {
    await client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
    for (const { url } of [outbox, audit]) await client.query(`ALTER DATABASE ${nameOf(url)} OWNER TO ${role}`);
  });
  const environment = {
    ...deployment.environment,
    ...programEnvironment(),
    OUTBOX_DATABASE_URL: as(deployment.databases.outboxUrl),
    AUDIT_DATABASE_URL: as(deployment.databases.auditUrl),
  };
  try {
    const refused = await runOutboxCli(['verify'], environment);
    expect(refused.code).toBe(CONFIGURATION);
    expect(refused.printed).toContain(`the role ${role} may not: let it (\`ALTER ROLE "${role}" CREATEDB\`)`);
    expect(refused.printed).toContain('--databases OUTBOX_URL,AUDIT_URL');
    expect(await madeDatabases()).toEqual([]);

    const notEmpty = await runOutboxCli(
      ['verify', '--databases', `${deployment.databases.outboxUrl},${as(audit.url)}`],
      environment,
    );
    expect([notEmpty.code, notEmpty.printed]).toEqual([
      CONFIGURATION,
      expect.stringContaining('expected two empty databases'),
    ]);

    const given = ['--databases', `${as(outbox.url)},${as(audit.url)}`];
    const { code, stdout } = await runOutboxCli(['verify', ...given], environment);
    expect([code, stdout]).toEqual([DONE, expect.stringContaining('verdict: passed')]);
    const again = await runOutboxCli(['verify', ...given, '--rate', '0'], environment);
    expect(again.code).toBe(USAGE);
    for (const { url } of [outbox, audit]) expect(await schemasOf(url)).toEqual([]);
  } finally {
    for (const one of [outbox, audit]) await one.drop();
    await asAdmin((client) => client.query(`DROP ROLE ${role}`));
  }
}, 180_000);

async function schemasOf(url: string): Promise<string[]> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "SELECT nspname AS name FROM pg_namespace WHERE nspname IN ('outbox', 'audit', 'chaos')",
    );
    return rows.map(({ name }) => name);
  } finally {
    await client.end();
  }
}

it.each([
  [['--chaos', '--faults', 'F1,F7,F15'], 'F7, F15 would restart, stop or fill servers that others use'],
  [['--chaos', '--faults', 'F99'], 'got F99'],
  [['--faults', 'F1'], 'add --chaos'],
] as const)('refuses %j before anything is started', async (args, sentence) => {
  const { code, printed } = await runOutboxCli(['verify', ...args], deployment.environment);
  expect([code, printed]).toEqual([USAGE, expect.stringContaining(sentence)]);
  expect(await madeDatabases()).toEqual([]);
});

it('refuses a URL that no proxy can stand in for, and a role with too few connections, before anything is made', async () => {
  const { outboxUrl, auditUrl } = deployment.databases;
  const compared = new URL(outboxUrl);
  compared.searchParams.set('sslmode', 'require');
  const unproxied = await runOutboxCli(['verify'], { ...deployment.environment, OUTBOX_DATABASE_URL: compared.href });
  expect([unproxied.code, unproxied.printed]).toEqual([
    CONFIGURATION,
    expect.stringContaining('OUTBOX_DATABASE_URL: the roles of a verification reach PostgreSQL through a proxy'),
  ]);

  const role = `narrow_${randomBytes(4).toString('hex')}`;
  const as = (url: string) => Object.assign(new URL(url), { username: role, password: 'x' }).href;
  await asAdmin((client) => client.query(`CREATE ROLE ${role} LOGIN CREATEDB PASSWORD 'x' CONNECTION LIMIT 10`));
  try {
    const urls = { OUTBOX_DATABASE_URL: as(outboxUrl), AUDIT_DATABASE_URL: as(auditUrl) };
    const { code, printed } = await runOutboxCli(['verify'], { ...deployment.environment, ...urls });
    expect([code, printed]).toEqual([
      CONFIGURATION,
      expect.stringMatching(
        /expected \d+ free connections at the server of both databases, there are \d \(\d of 10 are open\)/,
      ),
    ]);
  } finally {
    await asAdmin((client) => client.query(`DROP ROLE ${role}`));
  }
  expect(await verifyDatabases()).toEqual([]);
});

it('lists the faults that it can do, which are none of those that need servers of their own', async () => {
  const { code, stdout } = await runOutboxCli(['verify', '--list']);
  expect(code).toBe(DONE);
  expect(stdout).toMatch(/^F1 +kill -9 a relay/m);
  expect(stdout).not.toMatch(/^F(7|9|15) /m);
});

it('with faults: stopped by SIGTERM in the middle of them it heals, stops and leaves nothing behind', async () => {
  const run = outboxCli(['verify', '--chaos', '--faults', 'F18', '--seed', '4', '--rate', '10'], {
    ...deployment.environment,
    ...programEnvironment(),
  });
  await eventually('a fault that holds', async () => run.printed().includes('now F18'), 120_000);
  const made = await madeDatabases();
  expect(made.length).toBe(2);
  expect(await stop(run)).toBe(INTERRUPTED);
  expect(run.stdout()).toContain('MISSING   it was interrupted');
  expect(await madeDatabases()).toEqual([]);
}, 180_000);
