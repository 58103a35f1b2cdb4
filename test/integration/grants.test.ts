/**
 * What `outbox grants` says and does, and what each role may not do. Real: PostgreSQL, roles with names that must be quoted,
 * the built command line.
 */
import pg from 'pg';
import { EXIT } from '../../src/main/exit-codes.js';
import { createDatabaseRoles, type DatabaseRoles } from '../support/database-roles.js';
import { asAdmin, createTestDatabases, type TestDatabases } from '../support/databases.js';
import { runOutboxCli } from '../support/outbox-cli.js';
import { event, startIngestOn, type TestIngest } from './ingest-set-up.js';

let databases: TestDatabases;
let roles: DatabaseRoles;
let ingest: TestIngest;
beforeAll(async () => {
  databases = await createTestDatabases();
  roles = await createDatabaseRoles();
  const { code, printed } = await grants('--apply', ...roles.options());
  if (code !== 0) throw new Error(printed);
  ingest = await startIngestOn(databases.auditUrl);
  await ingest.post(event());
});
afterAll(async () => {
  await ingest.stop();
  await roles.drop([databases.outboxUrl, databases.auditUrl]);
  await databases.drop();
});

const grants = (...args: string[]) =>
  runOutboxCli(['grants', ...args], {
    OUTBOX_DATABASE_URL: databases.outboxUrl,
    AUDIT_DATABASE_URL: databases.auditUrl,
  });

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
const asOwner = <T>(target: 'outbox' | 'audit', work: (client: pg.Client) => Promise<T>) =>
  connected(databases[`${target}Url`], work);

/** Each statement by itself, undone: 'ok' or the SQLSTATE. */
const attempt = (role: keyof DatabaseRoles['names'], target: 'outbox' | 'audit', statements: readonly string[]) =>
  connected(roles.urlAs(role, databases[`${target}Url`]), async (client) => {
    const results: string[] = [];
    for (const statement of statements) {
      await client.query('BEGIN');
      results.push(
        await client.query(statement).then(
          () => 'ok',
          (error: pg.DatabaseError) => error.code ?? 'unknown',
        ),
      );
      await client.query('ROLLBACK');
    }
    return results;
  });
const expectRefused = async (
  role: keyof DatabaseRoles['names'],
  target: 'outbox' | 'audit',
  statements: readonly string[],
) => expect(await attempt(role, target, statements)).toEqual(statements.map(() => '42501'));
const expectAllowed = async (
  role: keyof DatabaseRoles['names'],
  target: 'outbox' | 'audit',
  statements: readonly string[],
) => expect(await attempt(role, target, statements)).toEqual(statements.map(() => 'ok'));
/** As to its rights: what the table or the function itself refuses is another matter. */
const expectPermitted = async (
  role: keyof DatabaseRoles['names'],
  target: 'outbox' | 'audit',
  statements: readonly string[],
) => expect(await attempt(role, target, statements)).not.toContain('42501');

/** Every table of ours, with its partitions. */
const tablesOf = async (target: 'outbox' | 'audit') =>
  asOwner(target, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT c.oid::regclass::text AS name FROM pg_class c
       WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1`,
      [target],
    );
    return rows.map(({ name }) => name);
  });

/** What retention removes from. */
const SETTLED = ['event', 'delivery', 'dead_letter', 'event_revision', 'redrive_job', 'notification'];
/** A worker may, and a relay may not. */
const MAKES_A_DESTINATION = "INSERT INTO outbox.destination (name) SELECT 'x' WHERE false";

describe('a producer', () => {
  it('may append, and nothing else, in either database', async () => {
    const appends = `SELECT outbox.record_event('{"eventName":"order.order.placed.v1","eventType":"ORDER","routingKey":"r",
      "aggregate":{"type":"order","id":"1"},"payload":{}}')`;
    await expectAllowed('producer', 'outbox', [appends]);
    const readable = ['outbox.deployment', 'outbox.event_type'];
    for (const table of await tablesOf('outbox')) {
      const reads = [`SELECT FROM ${table}`];
      const changes = [`DELETE FROM ${table}`, `TRUNCATE ${table}`];
      await expectRefused('producer', 'outbox', readable.includes(table) ? changes : [...reads, ...changes]);
    }
    await expectRefused('producer', 'outbox', [
      `UPDATE outbox.delivery SET status = 'DELIVERED'`,
      `UPDATE outbox.deployment SET name = 'x'`,
      'CREATE TABLE outbox.mine ()',
      `INSERT INTO outbox.policy (hash, body) VALUES ('x', '{}')`,
    ]);
    await expectRefused('producer', 'audit', ['SELECT FROM audit.record', 'SELECT audit.ensure_partitions()']);
  });
});

describe('the api', () => {
  it('F31: may not update, delete or truncate records, their identities or a partition', async () => {
    const partitions = (await tablesOf('audit')).filter((name) => name.startsWith('audit.record'));
    expect(partitions.length).toBeGreaterThanOrEqual(6);
    for (const table of partitions) {
      await expectRefused('api', 'audit', [
        `UPDATE ${table} SET source = 'x'`,
        `DELETE FROM ${table}`,
        `TRUNCATE ${table}`,
      ]);
    }
    await expectRefused('api', 'audit', [
      'ALTER TABLE audit.record DISABLE TRIGGER ALL',
      'DROP TABLE audit.record',
      `SET session_replication_role = 'replica'`,
      "SELECT audit.drop_partition('record_2020_01', NULL)",
    ]);
  });

  it('F31: says neither where a record stands in the log nor that it was erased', async () => {
    const insert = (
      columns: string,
      values: string,
    ) => `INSERT INTO audit.record (record_id, recorded_at, tenant_id, source,
      event_id, action, action_version, category, operation, outcome, severity, occurred_at, actor_type, via, key_id,
      leaf_version, salt, body ${columns}) VALUES (gen_random_uuid(), now(), '', 's', 'e', 'a', 1, 'c', 'o', 'success', 'info',
      now(), 'user', 'api', gen_random_uuid(), 1, '', '{}' ${values})`;
    await expectAllowed('api', 'audit', [
      insert('', ''),
      insert(', log_epoch', ', 1'),
      insert(', leaf_hash', ', NULL'),
    ]);
    await expectRefused('api', 'audit', [insert(', seq', ', 1'), insert(', tx_id', ", '1'")]);
    await expectRefused('api', 'audit', [`SELECT setval('audit.record_seq', 1)`]);
  });

  it('makes no keys and changes none: it only writes when one was used', async () => {
    await expectAllowed('api', 'audit', ['UPDATE audit.api_key SET last_used_at = now()']);
    await expectRefused('api', 'audit', [
      `INSERT INTO audit.api_key (id, name, prefix, key_hash, scopes) VALUES (gen_random_uuid(), 'x', 'x', '', '{admin}')`,
      `UPDATE audit.api_key SET scopes = '{admin}'`,
      'UPDATE audit.api_key SET revoked_at = NULL',
      'UPDATE audit.api_key SET signing_secret = NULL',
      'DELETE FROM audit.api_key',
      `UPDATE audit.failed_ingest SET body = ''`,
      `UPDATE audit.failed_ingest SET key_id = gen_random_uuid()`,
      'DELETE FROM audit.failed_ingest',
      `UPDATE audit.fingerprint_key SET check_hmac = ''`,
    ]);
  });

  it('asks for a verification, and says of none what it has found', async () => {
    await expectAllowed('api', 'audit', [
      `INSERT INTO audit.verification (id, record_id, asked_by) VALUES (gen_random_uuid(), NULL, 'x')
       ON CONFLICT DO NOTHING RETURNING state, report`,
    ]);
    await expectRefused('api', 'audit', [
      `INSERT INTO audit.verification (id, asked_by, state, ended_at, outcome) VALUES (gen_random_uuid(), 'x', 'done', now(), 'whole')`,
      `UPDATE audit.verification SET outcome = 'whole'`,
      'DELETE FROM audit.verification',
    ]);
  });

  it('reads who may sign in, and changes nobody; it only writes who has signed out', async () => {
    await expectAllowed('api', 'audit', [
      'SELECT name, role, password_hash FROM audit.operator',
      'INSERT INTO audit.session_end (session_id, ends_at) VALUES (gen_random_uuid(), now())',
      'DELETE FROM audit.session_end',
    ]);
    await expectRefused('api', 'audit', [
      `INSERT INTO audit.operator (id, name, role, password_hash) VALUES (gen_random_uuid(), 'x', 'operator', '')`,
      `UPDATE audit.operator SET role = 'operator'`,
      'UPDATE audit.operator SET disabled_at = NULL',
      'DELETE FROM audit.operator',
      'UPDATE audit.session_end SET ends_at = now()',
    ]);
  });

  it('reads the figures and the processes that relays and workers write', async () => {
    for (const table of ['figure', 'process', 'alert']) {
      await expectAllowed('api', 'outbox', [`SELECT * FROM outbox.${table}`]);
      await expectRefused('api', 'outbox', [
        `INSERT INTO outbox.${table} DEFAULT VALUES`,
        `DELETE FROM outbox.${table}`,
      ]);
    }
  });

  it('reads the log that the worker writes, and follows a restored cluster', async () => {
    const tables = ['seal', 'tile', 'checkpoint', 'note', 'epoch', 'lease'];
    await expectAllowed('api', 'audit', [
      ...tables.map((table) => `SELECT FROM audit.${table}`),
      'SELECT audit.ensure_partitions()',
      'SELECT audit.follow_cluster()',
      'SELECT audit.current_epoch()',
    ]);
    for (const table of tables) {
      await expectRefused('api', 'audit', [`INSERT INTO audit.${table} DEFAULT VALUES`, `DELETE FROM audit.${table}`]);
    }
  });
});

describe('the worker', () => {
  it('seals: adds to the log and changes nothing of it; notes are written by the function that drops', async () => {
    await expectPermitted('worker', 'audit', [
      ...['seal', 'tile', 'checkpoint', 'lease'].map((table) => `INSERT INTO audit.${table} DEFAULT VALUES`),
    ]);
    await expectAllowed('worker', 'audit', [
      'DELETE FROM audit.lease',
      `UPDATE audit.lease SET name = 'x'`,
      'SELECT FROM audit.record, audit.record_key, audit.note, audit.epoch',
      'SELECT audit.follow_cluster()',
      'SELECT audit.current_epoch()',
    ]);
    await expectPermitted('worker', 'audit', ["SELECT audit.drop_partition('record_2020_01', NULL)"]);
    await expectRefused('worker', 'audit', [
      'UPDATE audit.seal SET first_index = 0',
      'DELETE FROM audit.checkpoint',
      'INSERT INTO audit.note DEFAULT VALUES',
      'INSERT INTO audit.epoch DEFAULT VALUES',
      'INSERT INTO audit.record DEFAULT VALUES',
      'SELECT FROM audit.api_key',
      'SELECT FROM audit.failed_ingest',
      'SELECT FROM audit.operator',
      'SELECT FROM audit.session_end',
    ]);
  });

  it('does the verifications that are asked for', async () => {
    await expectAllowed('worker', 'audit', [
      `INSERT INTO audit.verification (id, asked_by) VALUES (gen_random_uuid(), 'outbox:schedule')`,
      `UPDATE audit.verification SET state = 'asked', holder = NULL, beat_at = NULL, progress = NULL`,
      'DELETE FROM audit.verification',
    ]);
  });

  it('tells of itself, as the relay does, which counts the figures', async () => {
    for (const role of ['relay', 'worker'] as const) {
      await expectPermitted(role, 'outbox', ['INSERT INTO outbox.process DEFAULT VALUES']);
      await expectAllowed(role, 'outbox', ['UPDATE outbox.process SET seen_at = now()']);
    }
    await expectPermitted('relay', 'outbox', ['INSERT INTO outbox.figure DEFAULT VALUES']);
    await expectAllowed('relay', 'outbox', ['DELETE FROM outbox.figure', 'DELETE FROM outbox.process']);
    await expectRefused('worker', 'outbox', ['INSERT INTO outbox.figure DEFAULT VALUES', 'DELETE FROM outbox.figure']);
  });

  it('removes nothing of what was settled, which the relay does', async () => {
    await expectAllowed('relay', 'outbox', [
      ...SETTLED.map((table) => `DELETE FROM outbox.${table}`),
      'DELETE FROM outbox.delivery_attempt',
      'UPDATE outbox.book SET count = count + 1',
    ]);
  });

  it('neither it nor the relay writes an event of somebody, a policy anew, or the name of the deployment', async () => {
    for (const role of ['relay', 'worker'] as const) {
      await expectRefused(role, 'outbox', [
        `UPDATE outbox.event SET source = 'x'`,
        `UPDATE outbox.policy SET body = '{}'`,
        `UPDATE outbox.deployment SET name = 'x'`,
      ]);
    }
    await expectRefused('worker', 'outbox', [
      `INSERT INTO outbox.event DEFAULT VALUES`,
      ...SETTLED.map((table) => `DELETE FROM outbox.${table}`),
    ]);
    await expectRefused('relay', 'audit', ['SELECT FROM audit.record']);
  });
});

describe('a viewer', () => {
  it('sees no hash of a key, no secret, no payload and no body of what failed, and changes nothing', async () => {
    await expectAllowed('viewer', 'audit', [
      'SELECT * FROM audit.record',
      'SELECT id, name, prefix, scopes, last_used_at, revoked_at, old_secret_until FROM audit.api_key',
      'SELECT id, code, message, state FROM audit.failed_ingest',
      'SELECT id, name, role, created_at, changed_at, disabled_at FROM audit.operator',
      'SELECT * FROM audit.verification',
    ]);
    await expectRefused('viewer', 'audit', [
      'SELECT * FROM audit.api_key',
      'SELECT key_hash FROM audit.api_key',
      'SELECT signing_secret FROM audit.api_key',
      'SELECT old_signing_secret FROM audit.api_key',
      'SELECT body FROM audit.failed_ingest',
      'SELECT FROM audit.fingerprint_key',
      'SELECT password_hash FROM audit.operator',
      'SELECT FROM audit.session_end',
    ]);
    await expectAllowed('viewer', 'outbox', [
      'SELECT id, event_name, tenant_id FROM outbox.event',
      'SELECT * FROM outbox.delivery',
      'SELECT * FROM outbox.figure, outbox.process',
    ]);
    await expectRefused('viewer', 'outbox', [
      'SELECT payload FROM outbox.event',
      'SELECT payload FROM outbox.event_revision',
    ]);
    for (const target of ['outbox', 'audit'] as const) {
      for (const table of await tablesOf(target)) {
        await expectRefused('viewer', target, [`DELETE FROM ${table}`, `INSERT INTO ${table} DEFAULT VALUES`]);
      }
    }
  });
});

describe('outbox grants', () => {
  const rightsOf = () =>
    Promise.all(
      (['outbox', 'audit'] as const).map((target) =>
        asOwner(target, async (client) => {
          const { rows } = await client.query(
            `SELECT c.relname, a.attname, x.grantee::regrole::text AS grantee, x.privilege_type FROM pg_class c
             CROSS JOIN LATERAL (SELECT '' AS attname, c.relacl AS acl
               UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid) a
             CROSS JOIN LATERAL aclexplode(a.acl) x
             WHERE c.relnamespace = $1::regnamespace ORDER BY 1, 2, 3, 4`,
            [target],
          );
          return rows;
        }),
      ),
    );

  it('prints plain statements, quoted, that create no role; psql applies the same as --apply', async () => {
    const before = await rightsOf();
    expect(before.flat().length).toBeGreaterThan(100);
    const { code, stdout } = await grants('--print', ...roles.options());
    expect(code).toBe(0);
    const statements = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('--'));
    for (const statement of statements) expect(statement).toMatch(/^(GRANT|REVOKE|BEGIN|COMMIT)\b.*;$/);
    expect(stdout).toContain(`TO ${pg.escapeIdentifier(roles.names.api)};`);
    expect(stdout).not.toMatch(/CREATE|ROLE/);
    const [, outbox = '', audit = ''] = stdout.split(/-- the \w+ database\n/);
    await asOwner('outbox', (client) => client.query(outbox));
    await asOwner('audit', (client) => client.query(audit));
    expect(await rightsOf()).toEqual(before);
    const again = await grants('--apply', ...roles.options());
    expect([again.code, await rightsOf()]).toEqual([0, before]);
  });

  it('takes what was granted by hand or by an older version', async () => {
    const before = await rightsOf();
    const api = pg.escapeIdentifier(roles.names.api);
    await asOwner('audit', (client) =>
      client.query(`GRANT ALL ON ALL TABLES IN SCHEMA audit TO ${api}; GRANT CREATE ON SCHEMA audit TO ${api}`),
    );
    expect((await grants('--apply', '--database', 'audit', ...roles.options('api'))).code).toBe(0);
    expect(await rightsOf()).toEqual(before);
    await expectRefused('api', 'audit', ['CREATE TABLE audit.mine ()']);
  });

  it('names every role that is not there, before anything is applied anywhere', async () => {
    const before = await rightsOf();
    const viewer = pg.escapeIdentifier(roles.names.viewer);
    const wrong = await grants(
      '--apply',
      '--viewer',
      roles.names.viewer,
      '--api',
      'nobody "1"',
      '--worker',
      'nobody 2',
    );
    expect(wrong.code).toBe(EXIT.failed);
    expect(wrong.printed).toContain('nobody "1" (audit): no such role');
    expect(wrong.printed).toContain('nobody 2 (outbox): no such role');
    expect(await rightsOf()).toEqual(before);
    const printed = await grants(
      '--print',
      '--database',
      'audit',
      '--viewer',
      roles.names.viewer,
      '--api',
      'nobody "1"',
    );
    expect([printed.code, printed.stdout]).toEqual([0, expect.stringContaining(`TO "nobody ""1""";`)]);
    expect(printed.stdout).toContain(`TO ${viewer};`);
    expect(printed.printed).toContain('nobody "1" (audit): no such role');
  });

  it('refuses a role that owns the tables or acts for their owner: nothing bounds it', async () => {
    const member = pg.escapeIdentifier(`${roles.names.api} of the owner`);
    await asAdmin((client) => client.query(`CREATE ROLE ${member} IN ROLE postgres`));
    try {
      for (const name of ['postgres', `${roles.names.api} of the owner`]) {
        const { code, printed } = await grants('--apply', '--database', 'audit', '--api', name);
        expect([code, printed]).toEqual([EXIT.failed, expect.stringContaining(`${name} (audit): owns what is there`)]);
      }
    } finally {
      await asAdmin((client) => client.query(`DROP ROLE ${member}`));
    }
  });

  it('one role for two parts has the rights of both', async () => {
    const one = roles.names.relay;
    expect((await grants('--apply', '--database', 'outbox', '--relay', one, '--worker', one)).code).toBe(0);
    await expectAllowed('relay', 'outbox', [MAKES_A_DESTINATION, 'UPDATE outbox.redrive_job SET rate = 1']);
    expect((await grants('--apply', ...roles.options())).code).toBe(0);
    await expectRefused('relay', 'outbox', [MAKES_A_DESTINATION]);
  });

  it.each([
    [['--apply', '--print', '--api', 'x'], 'expected one of --print and --apply'],
    [['--api', 'x'], 'expected one of --print and --apply'],
    [['--apply'], 'expected at least one of --producer, --relay, --worker, --api, --viewer'],
    [['--apply', '--api', ''], 'expected 1 to 63 characters'],
  ])('%j is wrong usage', async (args, why) => {
    const { code, printed } = await grants(...args);
    expect([code, printed]).toEqual([EXIT.usage, expect.stringContaining(why)]);
  });

  it('--json prints the statements of each database; --help has examples', async () => {
    const { stdout } = await grants('--print', '--json', ...roles.options('relay'));
    const printed = JSON.parse(stdout);
    expect([printed.audit, printed.outbox.length > 10]).toEqual([[], true]);
    expect((await grants('--help')).stdout.split('\nExamples:\n')[1]).toContain('outbox grants --print');
  });
});
