// Real: `outbox dev` as processes, on databases and a Temporal server that are not its own. Nothing is fake.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createEmptyDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, outboxCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type TestDeployment } from '../support/roles.js';
import { temporalCli } from '../support/temporal.js';

let folder: string;
let deployment: TestDeployment;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-dev-outside-'));
  deployment = await createTestDeployment();
  await deployment.append({ eventName: 'a.b.c.v1', eventType: 'T', aggregate: { type: 'a', id: '1' }, payload: {} });
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(async () => {
  await deployment.drop();
  await rm(folder, { recursive: true, force: true });
});

const ports = { OUTBOX_API_PORT: '18180', OUTBOX_PROBE_PORT: '18181' };
const dev = (environment: Record<string, string>, ...args: string[]) =>
  runOutboxCli(['dev', '--data-dir', folder, ...args], { TEMPORAL_CLI_PATH: temporalCli(), ...ports, ...environment });

/** Everything that stands in a database: each table's rows with the transaction that wrote them, and the catalogue. */
async function contents(url: string): Promise<Record<string, unknown>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found: Record<string, unknown> = {};
    const { rows: tables } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`,
    );
    for (const { name } of tables) {
      found[name] = (
        await client.query(`SELECT t.xmin::text, t.ctid::text, t::text AS row FROM ${name} t ORDER BY t.ctid`)
      ).rows;
    }
    const { rows: sequences } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, sequencename) AS name FROM pg_sequences ORDER BY 1`,
    );
    for (const { name } of sequences) found[name] = (await client.query(`SELECT * FROM ${name}`)).rows;
    for (const [name, columns] of Object.entries(CATALOGUE)) {
      found[name] = (await client.query(`SELECT ${columns} FROM ${name} c ORDER BY c::text`)).rows;
    }
    return found;
  } finally {
    await client.end();
  }
}

/** Whole rows, but of pg_class what a vacuum in the background does not change. */
const CATALOGUE = {
  pg_class: 'oid, relname, relnamespace, relkind, relfilenode, relacl::text, reloptions, relpartbound::text',
  pg_namespace: 'c::text',
  pg_attribute: 'c::text',
  pg_attrdef: 'c::text',
  pg_constraint: 'c::text',
  pg_index: 'c::text',
  pg_inherits: 'c::text',
  pg_proc: 'c::text',
  pg_trigger: 'c::text',
  pg_type: 'c::text',
  pg_depend: 'c::text',
  pg_extension: 'c::text',
  pg_event_trigger: 'c::text',
};

const bothContents = async (outboxUrl: string, auditUrl: string) => [
  await contents(outboxUrl),
  await contents(auditUrl),
];

describe('databases that the environment names', () => {
  it('are refused without --migrate unless all that the roles need is given, and stay byte for byte what they were', async () => {
    const { outboxUrl, auditUrl } = deployment.databases;
    const before = await bothContents(outboxUrl, auditUrl);
    const all = deployment.environment;
    const without = (...names: string[]) =>
      Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)));
    const bare = without('OUTBOX_AUDIT_API_KEY', 'AUDIT_FINGERPRINT_KEYS', 'TEMPORAL_ADDRESS');
    const nothing = await dev(bare);
    expect(nothing.code).toBe(78);
    for (const said of ['--migrate', 'OUTBOX_AUDIT_API_KEY', 'AUDIT_FINGERPRINT_KEYS', 'TEMPORAL_ADDRESS']) {
      expect(nothing.printed).toContain(said);
    }
    for (const name of ['OUTBOX_AUDIT_API_KEY', 'AUDIT_FINGERPRINT_KEYS', 'TEMPORAL_ADDRESS']) {
      const refused = await dev(without(name));
      expect([refused.code, refused.printed]).toEqual([78, expect.stringContaining(`Missing: ${name}`)]);
    }
    const sampled = await dev(bare, '--once', '--sample');
    expect([sampled.code, sampled.printed]).toEqual([78, expect.stringContaining('--migrate')]);
    const once = await dev(all, '--once');
    expect([once.code, once.printed]).toEqual([78, expect.stringContaining('--sample')]);
    const other = await dev({ ...all, OUTBOX_DEPLOYMENT: 'other' });
    expect([other.code, other.printed]).toEqual([78, expect.stringContaining('belongs to deployment')]);

    expect(await bothContents(outboxUrl, auditUrl)).toEqual(before);
  }, 120_000);

  it('are refused without --migrate when they are not migrated, and stay empty', async () => {
    const databases = [await createEmptyDatabase(), await createEmptyDatabase()] as const;
    try {
      const before = await bothContents(databases[0].url, databases[1].url);
      const refused = await dev({
        ...deployment.environment,
        OUTBOX_DATABASE_URL: databases[0].url,
        AUDIT_DATABASE_URL: databases[1].url,
      });
      expect([refused.code, refused.printed]).toEqual([78, expect.stringContaining('are not migrated')]);
      expect(await bothContents(databases[0].url, databases[1].url)).toEqual(before);
    } finally {
      for (const database of databases) await database.drop();
    }
  }, 60_000);

  it('get what roles write and nothing else when everything is given: no key, no sample, the event delivered', async () => {
    const { rows: keys } = await deployment.audit.query('SELECT id FROM audit.api_key ORDER BY id');
    const cli = outboxCli(['dev', '--data-dir', folder], { ...deployment.environment, ...ports });
    await eventually('the page of addresses', async () => cli.printed().includes('Ctrl-C stops'), 60_000);
    await eventually('the event delivered', async () => {
      const { rows } = await deployment.outbox.query("SELECT 1 FROM outbox.delivery WHERE status = 'DELIVERED'");
      return rows.length === 1;
    });
    cli.kill('SIGINT');
    expect(await cli.ended).toBe(0);
    expect((await deployment.audit.query('SELECT id FROM audit.api_key ORDER BY id')).rows).toEqual(keys);
    expect((await deployment.outbox.query('SELECT 1 FROM outbox.event')).rows).toHaveLength(1);
    const { rows } = await deployment.outbox.query("SELECT 1 FROM pg_namespace WHERE nspname = 'sample'");
    expect(rows).toEqual([]);
    // The terminal is told where to look, and no password or key that it was given.
    expect(cli.printed()).toContain('(the one in OUTBOX_DATABASE_URL)');
    expect(cli.printed()).not.toContain(deployment.auditApiKey);
  }, 120_000);
});

describe('a Temporal server that the profile names', () => {
  it('is waited for, in words, and --once gives up in one sentence', async () => {
    const file = join(folder, 'temporal.toml');
    await writeFile(file, '[profile.work]\naddress = "127.0.0.1:1"\napi_key = "hunter2"\n');
    const refused = await dev(
      { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'work' },
      '--once',
      '--start-timeout',
      '30',
    );
    expect(refused.printed).toContain('Temporal: the server at 127.0.0.1:1');
    expect(refused.printed).toContain('waiting for Temporal: expected a Temporal server at 127.0.0.1:1');
    expect(refused.printed).toMatch(/\noutbox: not started within 30 s .*waiting for Temporal/);
    expect(refused.printed).not.toMatch(/hunter2|\n\s+at .*:\d+:\d+/);
    expect(refused.code).toBe(1);
  }, 120_000);

  it('that cannot be read is a sentence before anything is started', async () => {
    const refused = await dev({ TEMPORAL_CONFIG_FILE: join(folder, 'none.toml'), TEMPORAL_PROFILE: 'work' });
    expect([refused.code, refused.printed]).toEqual([78, expect.stringContaining("Profile 'work' not found")]);
    expect(refused.printed).not.toContain('PostgreSQL (');
  }, 60_000);
});
