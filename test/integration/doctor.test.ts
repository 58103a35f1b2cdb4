/**
 * `outbox doctor`: each check made wrong for real, and what it says to do. Real: PostgreSQL, Temporal, an api, the built command
 * line. Fake: that a snapshot is held for five minutes, and the clock of another machine.
 */
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { Runtime } from '@temporalio/worker';
import pg from 'pg';
import type { Check, Finding } from '../../src/application/delivery/doctor/findings.js';
import { judgeSnapshots, SNAPSHOT_HELD_SECONDS } from '../../src/application/delivery/doctor/judge-snapshots.js';
import { defaultTaskQueue } from '../../src/domain/delivery/deployment.js';
import { loadSettings } from '../../src/infrastructure/config/load-settings.js';
import { createDatabaseInspector } from '../../src/infrastructure/prisma/inspect-database.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { plainTemporalTarget } from '../../src/infrastructure/temporal/connect-temporal.js';
import { toSdkLogger } from '../../src/infrastructure/temporal/install-runtime.js';
import { examineAudit } from '../../src/main/doctor-audit.js';
import { examineOutbox } from '../../src/main/doctor-outbox.js';
import { examineAuditApi, examineTemporal, examineTemporalUi } from '../../src/main/doctor-reach.js';
import { EXIT } from '../../src/main/exit-codes.js';
import { packageVersion } from '../../src/main/package-version.js';
import { createDatabaseRoles } from '../support/database-roles.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { fillRecords } from '../support/records.js';
import { createTestDeployment } from '../support/roles.js';
import { temporalAddress, temporalCli } from '../support/temporal.js';
import { startIngestOn } from './ingest-set-up.js';

const DEAD_URL = 'postgresql://someone:hunter2@127.0.0.1:1/nowhere';

let databases: TestDatabases;
let outbox: PgPool;
let audit: PgPool;
beforeEach(async () => {
  databases = await createTestDatabases();
  outbox = createPool(databases.outboxUrl, { max: 3 });
  audit = createPool(databases.auditUrl, { max: 3 });
});
afterEach(async () => {
  await outbox.end();
  await audit.end();
  await databases.drop();
});
afterAll(() => endLeftoverCli());

const settingsOf = (more: Record<string, string> = {}) =>
  loadSettings({ OUTBOX_DATABASE_URL: databases.outboxUrl, AUDIT_DATABASE_URL: databases.auditUrl, ...more }, [
    'doctor',
  ]);
const ofOutbox = async (more: Record<string, string> = {}) =>
  (await examineOutbox(settingsOf(more), new Map())).findings;
const ofAudit = async (url = databases.auditUrl) => (await examineAudit(settingsOf(), url)).findings;

const of = (findings: readonly Finding[], id: Check) => findings.filter((finding) => finding.id === id);
const states = (findings: readonly Finding[], id: Check) => of(findings, id).map(({ state }) => state);
/** Those that are not ok, by check. */
const unwell = (findings: readonly Finding[]) =>
  findings.filter(({ state }) => state !== 'ok').map(({ id, state }) => `${state} ${id}`);

describe('databases that were just migrated', () => {
  it('are well, but that nobody runs', async () => {
    expect(unwell(await ofOutbox())).toEqual(['unknown rights', 'wrong processes', 'wrong processes']);
    expect(unwell(await ofAudit())).toEqual(['unknown rights']);
  });

  it('schema.index: a dropped index is made again by what it says; an invalid one is named', async () => {
    await outbox.query('DROP INDEX outbox.delivery_settled');
    const [missing] = of(await ofOutbox(), 'schema.index');
    expect(missing).toMatchObject({ state: 'wrong', detail: expect.stringContaining('delivery_settled is missing') });
    await outbox.query(String(missing?.todo).replace(/^[^:]*: /, ''));
    expect(states(await ofOutbox(), 'schema.index')).toEqual(['ok']);

    await outbox.query(`INSERT INTO outbox.alert (kind, subject, fields) VALUES ('k', 'a', '{}'), ('k', 'b', '{}')`);
    await expect(outbox.query('CREATE UNIQUE INDEX CONCURRENTLY mine ON outbox.alert (kind)')).rejects.toThrow();
    const invalid = of(await ofOutbox(), 'schema.index');
    expect(invalid.map(({ state, detail }) => [state, detail])).toEqual(
      expect.arrayContaining([
        ['wrong', expect.stringContaining('the index mine is not valid')],
        ['warning', expect.stringContaining('index alert.mine is none of ours')],
      ]),
    );
  });

  it('schema.drift: a trigger, a constraint, a column, a function, each by name', async () => {
    await outbox.query('ALTER TABLE outbox.event DISABLE TRIGGER event_insert_only');
    await outbox.query('ALTER TABLE outbox.delivery DROP CONSTRAINT delivery_budget');
    await outbox.query('ALTER TABLE outbox.delivery ADD COLUMN mine text');
    await outbox.query(
      "CREATE OR REPLACE FUNCTION outbox.order_key(aggregate_type text, aggregate_id text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'k' $$",
    );
    const drift = of(await ofOutbox(), 'schema.drift').map(({ state, detail }) => `${state} ${detail}`);
    expect(drift).toHaveLength(4);
    for (const expected of [
      /^wrong .*the trigger event\.event_insert_only is disabled/,
      /^wrong .*constraint delivery\.delivery_budget is missing/,
      /^warning .*column delivery\.mine is none of ours/,
      /^wrong .*function order_key\(.*\) is not as the migrations made it/,
    ]) {
      expect(drift).toContainEqual(expect.stringMatching(expected));
    }
  });

  it('schema.drift: append-only of the records, of each partition by itself', async () => {
    const { rows } = await audit.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.record'::regclass ORDER BY 1 LIMIT 1`,
    );
    await audit.query(`ALTER TABLE ${rows[0]?.name} DISABLE TRIGGER record_no_truncate`);
    await audit.query('ALTER TABLE audit.record_key ENABLE TRIGGER record_key_append_only'); // not always any more
    expect(of(await ofAudit(), 'schema.drift')).toMatchObject([
      { state: 'wrong', detail: expect.stringContaining('record_key_append_only is enabled, expected enabled always') },
      { state: 'wrong', detail: expect.stringMatching(/records in record_\d{4}_\d\d can be changed/) },
    ]);
  });

  it('schema.migrations: one that is pending; nothing is compared with what is not there yet', async () => {
    await outbox.query(
      'DELETE FROM outbox._prisma_migrations WHERE migration_name = (SELECT max(migration_name) FROM outbox._prisma_migrations)',
    );
    const findings = await ofOutbox();
    expect(of(findings, 'schema.migrations')).toMatchObject([{ state: 'wrong', todo: 'run `outbox migrate deploy`' }]);
    expect([states(findings, 'schema.drift'), states(findings, 'schema.index')]).toEqual([['unknown'], ['unknown']]);
  });
});

describe('the server', () => {
  it('snapshots: a held one is named by its process', async () => {
    const holder = new pg.Client({ connectionString: databases.outboxUrl, application_name: 'nightly report' });
    await holder.connect();
    try {
      await holder.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
      const { rows } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      expect(states(await ofOutbox(), 'snapshots')).toEqual(['ok']);
      // Five minutes later.
      const later = (await createDatabaseInspector(outbox, 'outbox').readHolders()).map((one) =>
        one.kind === 'session' ? { ...one, seconds: (one.seconds ?? 0) + SNAPSHOT_HELD_SECONDS } : one,
      );
      const findings = judgeSnapshots('outbox', later);
      expect(findings).toContainEqual(
        expect.objectContaining({
          state: 'wrong',
          detail: expect.stringMatching(
            new RegExp(
              `session ${rows[0]?.pid} \\(.*nightly report\\) is in a transaction for \\d+ s, idle in transaction`,
            ),
          ),
          todo: expect.stringContaining(`pg_terminate_backend(${rows[0]?.pid})`),
        }),
      );
    } finally {
      await holder.end();
    }
  });

  it('autovacuum: off for a table; other settings than migrated', async () => {
    await outbox.query('ALTER TABLE outbox.delivery SET (autovacuum_enabled = off)');
    expect(of(await ofOutbox(), 'autovacuum')).toMatchObject([
      { state: 'wrong', todo: 'ALTER TABLE outbox.delivery RESET (autovacuum_enabled)' },
    ]);
    await outbox.query('ALTER TABLE outbox.delivery RESET (autovacuum_enabled), SET (fillfactor = 90)');
    expect(of(await ofOutbox(), 'autovacuum')).toMatchObject([
      { state: 'warning', detail: expect.stringContaining('fillfactor=90') },
    ]);
  });

  it('bloat, and autovacuum that does not come: more dead rows than living ones', async () => {
    const client = await outbox.connect();
    await client.query(
      'ALTER TABLE outbox.destination SET (autovacuum_vacuum_threshold = 50, autovacuum_enabled = off)',
    );
    await client.query(`INSERT INTO outbox.destination (name) SELECT 'd' || n FROM generate_series(1, 60000) n`);
    await client.query('DELETE FROM outbox.destination');
    await client.query('SELECT pg_stat_force_next_flush()');
    client.release(true);
    const findings = await eventually('the dead rows are counted', async () => {
      const seen = await ofOutbox();
      return states(seen, 'bloat').includes('warning') && seen;
    });
    expect(of(findings, 'bloat')).toMatchObject([
      { detail: expect.stringMatching(/destination has \d+ dead rows beside \d+ live ones/) },
    ]);
    expect(of(findings, 'autovacuum').map(({ detail }) => detail)).toContainEqual(
      expect.stringMatching(/destination has \d+ dead rows, autovacuum comes above 50, and it was never vacuumed/),
    );
  });

  it('rights: what the role of a process lacks, until it is granted', async () => {
    const roles = await createDatabaseRoles();
    const relay = new pg.Client({
      connectionString: roles.urlAs('relay', databases.outboxUrl),
      application_name: 'temporal-outbox delivery',
    });
    try {
      await relay.connect();
      const [lacking] = of(await ofOutbox(), 'rights');
      expect(lacking).toMatchObject({ state: 'wrong', detail: expect.stringContaining('USAGE on the schema') });
      const urls = { OUTBOX_DATABASE_URL: databases.outboxUrl };
      const granted = await runOutboxCli(
        ['grants', '--apply', '--database', 'outbox', '--relay', roles.names.relay],
        urls,
      );
      expect([granted.code, granted.printed]).toEqual([0, expect.anything()]);
      expect(of(await ofOutbox(), 'rights')).toMatchObject([
        { state: 'ok', detail: expect.stringContaining(roles.names.relay) },
      ]);
      await outbox.query(`REVOKE SELECT ON outbox.figure FROM ${pg.escapeIdentifier(roles.names.relay)}`);
      const [one] = of(await ofOutbox(), 'rights');
      expect(one).toMatchObject({
        state: 'wrong',
        detail: expect.stringMatching(/of the relay may not SELECT on figure$/),
      });
    } finally {
      await relay.end();
      await roles.drop([databases.outboxUrl, databases.auditUrl]);
    }
  });
});

describe('relays and workers', () => {
  const tell = (fields: {
    readonly skewMs?: number;
    readonly version?: string;
    readonly seen?: string;
    readonly says?: object;
  }) =>
    outbox.query(
      `INSERT INTO outbox.process (id, roles, host, pid, version, skew_ms, says, seen_at)
       VALUES ($1, '{relay,worker}', 'machine', 7, $2, $3, $4, clock_timestamp() - $5::interval)`,
      [
        randomUUID(),
        fields.version ?? packageVersion(),
        fields.skewMs ?? 0,
        JSON.stringify(fields.says ?? {}),
        fields.seen ?? '0 s',
      ],
    );

  it('processes: one that tells of itself; silent; of another release; away from Temporal', async () => {
    await tell({ seen: '1 hour' });
    expect(states(await ofOutbox(), 'processes')).toEqual(['wrong', 'wrong']);
    await tell({});
    expect(states(await ofOutbox(), 'processes')).toEqual(['ok']);
    const at = new Date().toISOString();
    await tell({ version: '0.0.1', says: { temporal: { ok: false, reason: 'it does not answer at x', at } } });
    const findings = of(await ofOutbox(), 'processes').map(({ state, detail }) => `${state} ${detail}`);
    expect(findings).toEqual([
      expect.stringMatching(/^wrong .*machine:7 does not reach Temporal: it does not answer at x/),
      expect.stringMatching(/^warning .*is of release 0\.0\.1/),
    ]);
  });

  it("clock: a process whose clock is behind; this machine's is not", async () => {
    await tell({ skewMs: 45_000 });
    const { clocks } = await examineOutbox(settingsOf(), new Map());
    expect(clocks).toMatchObject([{ what: 'this machine (outbox)' }, { what: 'process machine:7', skewMs: 45_000 }]);
    expect(Math.abs(clocks[0]?.skewMs ?? Number.NaN)).toBeLessThan(1_000);
  });

  it('settings: another deployment, another ordering than the database goes by', async () => {
    await outbox.query(`INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('ORDER', 'block', 't')`);
    expect(await examineOutbox(settingsOf(), new Map([['ORDER', 'skip' as const]]))).toMatchObject({
      deployment: 'main',
      namespaceId: null,
      orderingChanges: [{ eventType: 'ORDER', from: 'block', to: 'skip' }],
    });
  });
});

describe('the duties', () => {
  it('reconciler, books, letters, jobs, notices: what is behind', async () => {
    await outbox.query(
      `INSERT INTO outbox.lease (name, holder, until, stopped_reason)
       VALUES ('reconcile', gen_random_uuid(), clock_timestamp(), 'many runs were not found')`,
    );
    await outbox.query(
      `INSERT INTO outbox.book_check (hour, checked_at, gap_count) VALUES ('2026-11-01T10:00:00Z', clock_timestamp(), 2)`,
    );
    await outbox.query(
      `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries, created_at)
       VALUES (gen_random_uuid(), gen_random_uuid(), 0, 'audit.log', 'T', 'HTTP.TLS', 'm', 1, 1, clock_timestamp() - interval '8 days')`,
    );
    await outbox.query(
      `INSERT INTO outbox.redrive_job (id, filter, rate, expected, error, actor, reason)
       VALUES (gen_random_uuid(), '{}', 1, 1, 'the effect could not be asked for', 'ada', 'r')`,
    );
    await outbox.query(
      `INSERT INTO outbox.notification (id, kind, group_key, code, event_type, created_at)
       VALUES (gen_random_uuid(), 'dead_letter', 'g', 'HTTP.TLS', 'T', clock_timestamp() - interval '10 minutes')`,
    );
    const findings = await ofOutbox();
    const seen = (['reconciler', 'books', 'letters', 'jobs', 'notices'] as const).flatMap((id) => of(findings, id));
    expect(seen).toMatchObject([
      { state: 'wrong', detail: 'the duty reconcile has stopped itself: many runs were not found' },
      { state: 'wrong', detail: expect.stringContaining('the oldest 2026-11-01T10:00:00.000Z') },
      { state: 'warning', detail: 'a look at the books is due since 2026-11-01T12:10:00.000Z' },
      { state: 'warning', detail: expect.stringMatching(/open for more than 7 days: 1, the oldest since/) },
      { state: 'wrong', detail: expect.stringContaining('the effect could not be asked for') },
      { state: 'wrong', detail: expect.stringMatching(/nobody was told of in time: 1, the oldest since/) },
    ]);
    // A window that has not passed yet.
    expect(states(await ofOutbox({ OUTBOX_NOTICE_WINDOW_MS: '3600000' }), 'notices')).toEqual(['ok']);
  });

  it('seal, partitions, verification: what waits, what is missing, what was found', async () => {
    await fillRecords(audit, { tenantId: 't', count: 3, from: new Date(Date.now() - 60_000), stepMs: 1 });
    await audit.query(
      `INSERT INTO audit.verification (id, asked_by, state, outcome, ended_at) VALUES ($1, 'ada', 'done', 'broken', clock_timestamp())`,
      [randomUUID()],
    );
    const { rows } = await audit.query<{ name: string }>(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.record'::regclass ORDER BY 1 OFFSET 1`,
    );
    for (const { name } of rows) await audit.query(`DROP TABLE ${name}`);
    const findings = await ofAudit();
    expect(of(findings, 'seal')[0]).toMatchObject({
      state: 'warning',
      detail: expect.stringMatching(/^3 records are not sealed, the oldest for \d+ s/),
    });
    expect(of(findings, 'partitions')).toMatchObject([{ state: 'wrong', detail: expect.stringContaining('0 months') }]);
    expect(of(findings, 'verification')).toMatchObject([{ state: 'wrong' }]);
  });
});

describe('what does not answer', () => {
  it('a database: away, and every check of it unknown; one that is not there has to be mended', async () => {
    const findings = await ofOutbox({ OUTBOX_DATABASE_URL: DEAD_URL });
    expect(findings[0]).toMatchObject({ id: 'reach.outbox', state: 'wrong', away: true });
    expect(findings[0]?.detail).toContain('ECONNREFUSED');
    expect(JSON.stringify(findings)).not.toContain('hunter2');
    expect(new Set(findings.slice(1).map(({ state }) => state))).toEqual(new Set(['unknown']));
    const wrongName = new URL(databases.auditUrl);
    wrongName.pathname = '/nothing_of_this_name';
    expect((await ofAudit(wrongName.toString()))[0]).toMatchObject({ id: 'reach.audit', state: 'wrong', away: false });
  });

  it('the audit API: nobody, not ready, an unknown key, a key that may not, and well', async () => {
    const ingest = await startIngestOn(databases.auditUrl);
    try {
      const key = await ingest.key(['audit:write:any-tenant']);
      expect(await examineAuditApi(ingest.url, key)).toMatchObject([{ state: 'ok' }]);
      expect(await examineAuditApi(ingest.url, `tob_${randomBytes(30).toString('hex')}`)).toMatchObject([
        { state: 'wrong', away: false, detail: expect.stringContaining('401') },
      ]);
      const reader = await ingest.key(['dlq:read']);
      expect(await examineAuditApi(ingest.url, reader)).toMatchObject([
        { state: 'wrong', away: false, detail: expect.stringContaining('403') },
      ]);
    } finally {
      await ingest.stop();
    }
    expect(await examineAuditApi('http://name:hunter2@127.0.0.1:1', 'k')).toMatchObject([
      {
        state: 'wrong',
        away: true,
        detail: expect.stringMatching(/^the audit API at http:\/\/127\.0\.0\.1:1 does not answer/),
      },
    ]);
    const [notReady, url] = await answering(503, { status: 'not ready', waitingFor: ['the database'] });
    expect(await examineAuditApi(url, 'k')).toMatchObject([
      { away: true, detail: expect.stringContaining('not ready: the database') },
    ]);
    expect(await examineTemporalUi(url)).toMatchObject([{ id: 'reach.temporal-ui', state: 'warning' }]);
    await new Promise((resolve) => notReady.close(resolve));
    expect(await examineTemporalUi(url)).toMatchObject([{ id: 'reach.temporal-ui', state: 'warning' }]);
  });

  async function answering(status: number, body: object): Promise<[Server, string]> {
    const server = createServer((_, response) => response.writeHead(status).end(JSON.stringify(body)));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
  }
});

describe('temporal', () => {
  beforeEach(() => {
    try {
      Runtime.install({ logger: toSdkLogger(silentLog), shutdownSignals: [] });
    } catch {
      // The last test's connection has left it standing.
    }
  });
  const expected = { taskQueue: 'nobody-polls-this', keptNamespaceId: null, longestDeadlineMs: 3_600_000 };
  const ask = (namespace: string, address = temporalAddress()) =>
    examineTemporal(plainTemporalTarget(address, namespace), expected);

  it('nobody polls the queue; how long closed runs are kept', async () => {
    const findings = await ask('default');
    expect(states(findings, 'reach.temporal')).toEqual(['ok']);
    expect(of(findings, 'temporal.pollers')).toMatchObject([
      { state: 'wrong', detail: expect.stringContaining('nobody-polls-this for workflows and activities') },
    ]);
    const other = { ...expected, keptNamespaceId: randomUUID() };
    const [reach] = await examineTemporal(plainTemporalTarget(temporalAddress(), 'default'), other);
    expect(reach).toMatchObject({ id: 'reach.temporal', state: 'wrong', away: false });
  });

  it('a namespace that keeps runs for an hour', async () => {
    const namespace = `short-${randomBytes(4).toString('hex')}`;
    const create = ['operator', 'namespace', 'create', '--namespace', namespace, '--retention', '1h'];
    await promisify(execFile)(temporalCli(), [...create, '--address', temporalAddress()]);
    // The server gets to know it a moment later.
    const findings = await eventually('the namespace is known', async () => {
      const seen = await ask(namespace);
      return states(seen, 'temporal.retention')[0] !== 'unknown' && seen;
    });
    expect(of(findings, 'temporal.retention')).toMatchObject([
      { state: 'wrong', detail: expect.stringContaining('for 1 h'), todo: expect.stringContaining('--retention 24h') },
    ]);
  });

  it('no such namespace has to be mended; nobody there is away', async () => {
    expect((await ask('no-such-namespace'))[0]).toMatchObject({ id: 'reach.temporal', state: 'wrong', away: false });
    const findings = await ask('default', '127.0.0.1:1');
    expect(findings[0]).toMatchObject({ id: 'reach.temporal', state: 'wrong', away: true });
    expect(findings.slice(1).map(({ state }) => state)).toEqual(['unknown', 'unknown']);
  });
});

describe('the command', () => {
  const doctor = (environment: Record<string, string>, ...args: string[]) =>
    runOutboxCli(['doctor', ...args], { TEMPORAL_ADDRESS: '127.0.0.1:1', ...environment });

  it('69 where nothing is wrong but what does not answer; one document with --json, and no secret', async () => {
    const { code, stdout, printed } = await doctor({ OUTBOX_DATABASE_URL: DEAD_URL }, '--json');
    const document = JSON.parse(stdout);
    expect([code, document.verdict]).toEqual([EXIT.unavailable, 'unavailable']);
    expect(document.checks.map(({ id }: Finding) => id)).toContain('schema.index');
    expect(document.skipped).toMatchObject([
      { why: 'AUDIT_DATABASE_URL is not set' },
      { why: 'OUTBOX_AUDIT_API_KEY is not set' },
      { why: 'OUTBOX_TEMPORAL_UI_URL is not set' },
    ]);
    expect(printed).not.toContain('hunter2');
  });

  it('1 where something is wrong, with what to do; 78 for a setting that does not fit', async () => {
    const { code, stdout } = await doctor({ OUTBOX_DATABASE_URL: databases.outboxUrl });
    expect(code).toBe(EXIT.failed);
    expect(stdout).toMatch(/^wrong +processes +no relay tells of itself.*\n +-> start one: `outbox relay`/m);
    expect(stdout).toMatch(
      /^not looked at: reach\.audit, seal, partitions, verification: AUDIT_DATABASE_URL is not set$/m,
    );
    expect((await doctor({})).code).toBe(EXIT.configuration);
  });

  it('0 where relay, worker and api run, each with its own database and key; warnings count with --strict', async () => {
    const deployment = await createTestDeployment();
    try {
      const api = await deployment.start('api');
      const audited = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
      await deployment.start('relay,worker', audited);
      const environment = { ...deployment.environment, ...audited, OUTBOX_SEARCH_ATTRIBUTE_PREFIX: 'Outbox' };
      const well = await eventually('doctor finds nothing wrong', async () => {
        const seen = await doctor(environment, '--json');
        return seen.code === EXIT.done && JSON.parse(seen.stdout);
      });
      expect(well.checks).toContainEqual(
        expect.objectContaining({
          id: 'temporal.pollers',
          state: 'ok',
          detail: expect.stringContaining(defaultTaskQueue(deployment.name)),
        }),
      );
      const unused = { ...environment, OUTBOX_SEARCH_ATTRIBUTES: 'off' };
      expect((await doctor(unused)).code).toBe(EXIT.done);
      expect((await doctor(unused, '--strict')).code).toBe(EXIT.failed);
    } finally {
      await endLeftoverCli();
      await deployment.drop();
    }
  }, 120_000);
});
