/**
 * The tables of the Merkle log, on a database that has records already, and what an owner who is no superuser may do there.
 * Real: PostgreSQL, the packed migrations, HTTP for the records. Nothing is fake.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import pg from 'pg';
import { findPrototypeKey, findUnstorable } from '../../src/contract/json-value.js';
import { deployMigrations } from '../../src/infrastructure/prisma/migrations.js';
import { asAdmin, createEmptyDatabase } from '../support/databases.js';
import { event, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';
import { leafOfRow, openLog, readLeaves } from './log-set-up.js';

const COLUMNS = `record_id, recorded_at, tenant_id, source, event_id, action, action_version, category, operation, outcome,
  severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body`;
const insertRecord = (recordedAt: string) => `
WITH key AS (
  INSERT INTO audit.record_key SELECT '', 's', gen_random_uuid()::text, gen_random_uuid(), ${recordedAt}, 'k', sha256('f'), sha256('leaf') RETURNING *
)
INSERT INTO audit.record (${COLUMNS}) SELECT record_id, recorded_at, tenant_id, source, event_id, 'a', 1, 'c', 'o', 'success', 'info', now(),
  'user', 'u-1', 'api', gen_random_uuid(), 1, '\\x00', '{"a": 1}' FROM key RETURNING record_id`;

describe('on a database that stands, owned by a role that is no superuser', () => {
  const role = `owner_${process.pid}_${Date.now()}`;
  let database: { url: string; drop(): Promise<void> };
  let folder: string;
  let client: pg.Client;
  let ownerUrl: string;
  beforeEach(async () => {
    database = await createEmptyDatabase();
    const name = new URL(database.url).pathname.slice(1);
    await asAdmin(async (admin) => {
      await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`);
      await admin.query(`ALTER DATABASE ${name} OWNER TO ${role}`);
    });
    const url = new URL(database.url);
    [url.username, url.password] = [role, 'x'];
    ownerUrl = url.toString();
    folder = mkdtempSync(join(tmpdir(), 'migrations-'));
    cpSync('prisma/audit/migrations/20261123000000_init', join(folder, '20261123000000_init'), { recursive: true });
    await deployMigrations({ databaseUrl: ownerUrl, target: 'audit', directory: folder });
    cpSync('prisma/audit/migrations', folder, { recursive: true });
    client = new pg.Client({ connectionString: ownerUrl });
    await client.connect();
  });
  afterEach(async () => {
    await client.end();
    await database.drop();
    await asAdmin((admin) => admin.query(`DROP ROLE ${role}`));
    rmSync(folder, { recursive: true, force: true });
  });
  const migrate = () => deployMigrations({ databaseUrl: ownerUrl, target: 'audit', directory: folder });

  it('partitions made before and after have the columns, the checks, the default and the triggers, ALWAYS', async () => {
    await client.query(insertRecord('clock_timestamp()'));
    await migrate();
    await client.query('SELECT audit.ensure_partitions(5)');
    const { rows } = await client.query(
      `SELECT c.relname AS name,
         (SELECT count(*)::int FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('leaf_hash', 'erased_at')) AS columns,
         (SELECT count(*)::int FROM pg_constraint k WHERE k.conrelid = c.oid AND k.conname IN ('record_leaf_hash', 'record_erased')) AS checks,
         (SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
          WHERE d.adrelid = c.oid AND a.attname = 'log_epoch') AS epoch,
         (SELECT string_agg(t.tgname || ' ' || t.tgenabled::text || ' ' || p.proname, ', ' ORDER BY t.tgname)
          FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = c.oid) AS triggers
       FROM pg_class c WHERE c.oid = 'audit.record'::regclass
         OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'audit.record'::regclass)`,
    );
    expect(rows).toHaveLength(7);
    for (const row of rows) {
      expect(row).toEqual({
        name: row.name,
        columns: 2,
        checks: 2,
        epoch: 'audit.current_epoch()',
        triggers: 'record_append_only A refuse_change_but_erasure, record_no_truncate A refuse_change',
      });
    }
  });

  it('records of before are sealed first, whatever hash they carry beside them', async () => {
    await client.query(insertRecord('clock_timestamp()'));
    await migrate();
    const ingest = await startIngestOn(ownerUrl);
    try {
      expect((await ingest.post(event())).status).toBe(201);
      expect(await openLog(ingest.pool).seal()).toBe(2);
      expect((await readLeaves(ingest.pool))[0]).toBe(
        (await client.query(`SELECT encode(sha256('leaf'), 'hex') AS hash`)).rows[0].hash,
      );
    } finally {
      await ingest.stop();
    }
  });

  it('records that came from another cluster are of an epoch before this one', async () => {
    await client.query(insertRecord('clock_timestamp()'));
    await client.query('ALTER TABLE audit.record DISABLE TRIGGER USER');
    await client.query(`UPDATE audit.record SET tx_id = '4000000000'`);
    await migrate();
    const { rows } = await client.query('SELECT epoch, cluster_id FROM audit.epoch ORDER BY epoch');
    expect(rows).toEqual([
      { epoch: 1, cluster_id: expect.stringMatching(/^not \d+$/) },
      { epoch: 2, cluster_id: expect.stringMatching(/^\d+$/) },
    ]);
  });

  it('says by name what it lacks where the cluster may not be asked for', async () => {
    const admin = new pg.Client({ connectionString: database.url });
    await admin.connect();
    await admin.query('REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC');
    await admin.end();
    await expect(migrate()).rejects.toMatchObject({
      code: 'MIGRATE.SQL',
      message: expect.stringMatching(
        new RegExp(`GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system\\(\\) TO ${role}`),
      ),
    });
  });

  it('what was sealed and signed is added to only', async () => {
    await migrate();
    await client.query(`INSERT INTO audit.seal VALUES (0, 1, 1, '5', 1, sha256('x'))`);
    await client.query(`INSERT INTO audit.tile VALUES (0, 0, sha256('x'))`);
    await client.query(`INSERT INTO audit.checkpoint VALUES (1, 1, sha256('x'), 'n')`);
    await client.query(`INSERT INTO audit.note VALUES (gen_random_uuid(), 'branch', 'n')`);
    for (const table of ['epoch', 'seal', 'tile', 'checkpoint', 'note']) {
      for (const statement of [
        `UPDATE audit.${table} SET ${table === 'seal' ? 'sealed_at = now()' : table === 'tile' ? 'root = root' : 'created_at = now()'}`,
        `DELETE FROM audit.${table}`,
        `TRUNCATE audit.${table}`,
      ]) {
        await expect(client.query(statement)).rejects.toMatchObject({ code: '23001' });
      }
    }
  });
});

describe('on a new database', () => {
  let ingest: TestIngest;
  beforeAll(async () => {
    ingest = await startIngest();
  });
  afterAll(() => ingest.stop());

  const erase = (what = '', where = 'true') =>
    ingest.pool.query(
      `UPDATE audit.record SET body = '{}', salt = '', actor_id = NULL, erased_at = clock_timestamp() ${what} WHERE ${where}`,
    );

  it('an update that is an erasure passes, once; nothing else does', async () => {
    const { body } = await ingest.post(event());
    const mine = `record_id = '${body.recordId}'`;
    for (const change of [
      `, tenant_id = 'x'`,
      `, leaf_hash = sha256('x')`,
      `, leaf_hash = NULL`,
      `, event_id = 'x'`,
      ', seq = seq + 1',
      `, tx_id = '1'`,
      ', log_epoch = 2',
      `, recorded_at = recorded_at + interval '1 second'`,
    ]) {
      await expect(erase(change, mine)).rejects.toMatchObject({ code: '23001' });
    }
    for (const kept of [`body = '{"a": 1}'`, `salt = '\\x01'`, `actor_id = 'u'`]) {
      const set = {
        body: `'{}'`,
        salt: `''`,
        actor_id: 'NULL',
        [kept.split(' = ')[0] as string]: kept.split(' = ')[1],
      };
      const columns = Object.entries(set).map(([column, value]) => `${column} = ${value}`);
      const statement = `UPDATE audit.record SET ${columns.join(', ')}, erased_at = now() WHERE ${mine}`;
      await expect(ingest.pool.query(statement)).rejects.toMatchObject({ code: '23514' });
    }
    await expect(ingest.pool.query(`UPDATE audit.record SET body = '{}' WHERE ${mine}`)).rejects.toMatchObject({
      code: '23001',
    });

    const before = (await ingest.pool.query(`SELECT leaf_hash FROM audit.record WHERE ${mine}`)).rows;
    expect((await erase('', mine)).rowCount).toBe(1);
    const { rows } = await ingest.pool.query(`SELECT body, salt, actor_id, leaf_hash FROM audit.record WHERE ${mine}`);
    expect(rows).toEqual([{ body: {}, salt: Buffer.alloc(0), actor_id: null, leaf_hash: before[0].leaf_hash }]);
    await expect(erase('', mine)).rejects.toMatchObject({ code: '23001' });
    await expect(ingest.pool.query(`UPDATE audit.record SET erased_at = NULL WHERE ${mine}`)).rejects.toMatchObject({
      code: '23001',
    });
    await expect(ingest.pool.query(`DELETE FROM audit.record WHERE ${mine}`)).rejects.toMatchObject({ code: '23001' });
  });

  it('whatever an event holds: read back from its row it has the same leaf', async () => {
    const storable = (value: unknown) => findUnstorable(value, 1).length === 0 && findPrototypeKey(value) === null;
    const text = (max: number) => fc.string({ unit: 'binary', minLength: 1, maxLength: max }).filter(storable);
    const events = fc.array(
      fc.record({
        data: fc
          .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }))
          .filter(storable),
        actor: fc.record({ type: fc.constant('user' as const), id: text(40), name: text(60) }),
        metadata: fc
          .dictionary(
            fc.stringMatching(/^[A-Za-z0-9_-]{1,40}$/),
            fc.oneof(fc.double({ noDefaultInfinity: true, noNaN: true }), fc.boolean(), text(60)).filter(storable),
            { maxKeys: 10 },
          )
          .filter(storable),
        outcomeReason: text(60),
      }),
      { minLength: 40, maxLength: 60 },
    );
    const leaves = new Map<string, string>();
    await fc.assert(
      fc.asyncProperty(events, async (parts) => {
        const { body } = await ingest.post(parts.map((part) => ({ ...event(), ...part })));
        for (const { status, receipt } of body.results) {
          expect(status).toBe(201);
          leaves.set(receipt.recordId, receipt.hash);
        }
      }),
      { numRuns: 8 },
    );
    const { rows } = await ingest.pool.query('SELECT * FROM audit.record WHERE erased_at IS NULL');
    expect(rows.length).toBe(leaves.size);
    for (const row of rows) {
      const made = leafOfRow(row);
      expect(made.equals(row.leaf_hash)).toBe(true);
      expect(leaves.get(row.record_id)).toBe(`sha-256:${made.toString('hex')}`);
    }
  });
});
