/**
 * What is sealed, and in which order. Real: PostgreSQL, HTTP, sessions that hold their transactions open. Fake: another
 * cluster is one by name only, its epoch's row changed by the owner.
 */
import pg from 'pg';
import { createLagStore } from '../../src/infrastructure/prisma/lag-store.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { asAdmin } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { openConnections } from '../support/open-connections.js';
import { event, startIngest, type TestIngest } from './ingest-set-up.js';
import { leafOfRow, openLog, readLeaves, readSeals, recordLeaves, rootOf, withoutTriggers } from './log-set-up.js';

let ingest: TestIngest;
beforeEach(async () => {
  ingest = await startIngest();
});
afterEach(() => ingest.stop());

const many = (count: number) => Array.from({ length: count }, () => event());

/** A session that has written in its transaction and does not end it: its record is in doubt. */
async function holdTransaction(): Promise<{ client: pg.Client; recordId: string }> {
  const client = new pg.Client({ connectionString: ingest.auditUrl });
  await client.connect();
  await client.query('BEGIN');
  const { rows } = await client.query(
    `INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category, operation,
       outcome, severity, occurred_at, actor_type, via, key_id, leaf_version, salt, body, leaf_hash)
     VALUES (gen_random_uuid(), clock_timestamp(), '', 's', gen_random_uuid()::text, 'a', 1, 'c', 'o', 'success', 'info', now(),
       'user', 'api', gen_random_uuid(), 1, '\\x00', '{}', sha256('held')) RETURNING record_id`,
  );
  return { client, recordId: rows[0].record_id };
}

describe('the sealer', () => {
  it('fifty writers while it runs, one holding its transaction: every record is sealed once, in order', async () => {
    await openConnections(ingest.pool, 50);
    const log = openLog(ingest.pool, { limit: 7 });
    const held = await holdTransaction();
    let writing = true;
    const sealing = (async () => {
      while (writing) await log.seal();
    })();
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        for (const batch of [many(3), many(1), many(4)]) expect((await ingest.post(batch)).status).toBe(207);
      }),
    );
    const meanwhile = await readLeaves(ingest.pool);
    expect(meanwhile).toHaveLength(0); // all of them began after the held one
    await held.client.query('COMMIT');
    await held.client.end();
    writing = false;
    await sealing;
    await log.seal();
    expect(await ingest.counts()).toEqual({ records: 401, keys: 400 });
    const leaves = await readLeaves(ingest.pool);
    expect(new Set(leaves).size).toBe(401);
    expect(leaves).toEqual(await recordLeaves(ingest.pool));
    expect(await log.tree().root(401)).toEqual(rootOf(leaves));
    expect(await log.seal()).toBe(0);
  });

  it('what began before a held transaction is sealed, what rolled back is not', async () => {
    const log = openLog(ingest.pool);
    await ingest.post(many(2));
    const held = await holdTransaction();
    await ingest.post(many(3));
    expect(await log.seal()).toBe(2);
    await held.client.query('ROLLBACK');
    await held.client.end();
    expect(await log.seal()).toBe(3);
    expect(await readLeaves(ingest.pool)).toEqual(await recordLeaves(ingest.pool));
  });

  it('several at once seal each record once', async () => {
    const sealers = Array.from({ length: 6 }, () => openLog(ingest.pool, { limit: 5 }));
    await ingest.post(many(200));
    const sealed = await Promise.all(sealers.map((one) => one.seal()));
    expect(sealed.reduce((sum, count) => sum + count, 0)).toBe(200);
    expect(await readLeaves(ingest.pool)).toEqual(await recordLeaves(ingest.pool));
    expect((await readSeals(ingest.pool)).map(({ size }) => size)).toEqual(Array(40).fill(5));
  });

  it('the leaf beside the record is that of its key, and can be made again from the row', async () => {
    await ingest.post(many(3));
    const { rows } = await ingest.pool.query(
      `SELECT r.*, k.leaf_hash AS key_hash FROM audit.record r JOIN audit.record_key k USING (record_id)`,
    );
    expect(rows).toHaveLength(3);
    for (const row of rows) {
      const made = leafOfRow(row);
      expect(row.leaf_hash).toEqual(made);
      expect(row.key_hash).toEqual(made);
    }
  });

  it('a record from before the column is sealed by the hash of its key, a stray without any holds nothing up', async () => {
    await ingest.post(many(2));
    await withoutTriggers(ingest.pool, ['record'], () => ingest.pool.query('UPDATE audit.record SET leaf_hash = NULL'));
    await ingest.pool.query(
      `INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category, operation,
         outcome, severity, occurred_at, actor_type, via, key_id, leaf_version, salt, body)
       SELECT gen_random_uuid(), recorded_at, tenant_id, source, event_id || 'x', action, action_version, category, operation,
         outcome, severity, occurred_at, actor_type, via, key_id, leaf_version, salt, body FROM audit.record LIMIT 1`,
    );
    expect(await openLog(ingest.pool).seal()).toBe(3);
    const { rows } = await ingest.pool.query(
      `SELECT encode(k.leaf_hash, 'hex') AS hash FROM audit.record r JOIN audit.record_key k USING (record_id) ORDER BY r.tx_id, r.seq`,
    );
    expect(await readLeaves(ingest.pool)).toEqual([...rows.map(({ hash }) => hash), '00'.repeat(32)]);
  });
});

describe('another cluster', () => {
  const moveCluster = () =>
    withoutTriggers(ingest.pool, ['epoch'], () =>
      ingest.pool.query(`UPDATE audit.epoch SET cluster_id = 'the one before'`),
    );
  const epochs = async () => (await ingest.pool.query('SELECT epoch, cluster_id FROM audit.epoch ORDER BY epoch')).rows;
  const cluster = async () =>
    (await ingest.pool.query('SELECT system_identifier::text AS id FROM pg_control_system()')).rows[0].id;

  it('the first epoch is that of the cluster of the migration', async () => {
    expect(await epochs()).toEqual([{ epoch: 1, cluster_id: await cluster() }]);
  });

  it('writers begin its epoch, all at once one, and no record is lost or refused for it', async () => {
    await ingest.post(many(2));
    await moveCluster();
    const answers = await Promise.all(Array.from({ length: 10 }, () => ingest.post(event())));
    expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(201));
    expect(await epochs()).toEqual([
      { epoch: 1, cluster_id: 'the one before' },
      { epoch: 2, cluster_id: await cluster() },
    ]);
    const { rows } = await ingest.pool.query(
      'SELECT log_epoch, count(*)::int AS count FROM audit.record GROUP BY 1 ORDER BY 1',
    );
    expect(rows).toEqual([
      { log_epoch: 1, count: 2 },
      { log_epoch: 2, count: 10 },
    ]);
  });

  it('the sealer seals what the old epoch still has, whatever its transaction ids, then the new one; no seal holds both', async () => {
    await ingest.post(many(4));
    // As from a cluster that had given out many more transaction ids than this one.
    await withoutTriggers(ingest.pool, ['record'], () =>
      ingest.pool.query(`UPDATE audit.record SET tx_id = (tx_id::text::bigint + 1000000000)::text::xid8`),
    );
    await moveCluster();
    const log = openLog(ingest.pool, { limit: 3 });
    await ingest.post(many(5));
    expect(await log.seal()).toBe(9);
    expect((await readSeals(ingest.pool)).map(({ epoch, size }) => [epoch, size])).toEqual([
      [1, 3],
      [1, 1],
      [2, 3],
      [2, 2],
    ]);
    expect(await readLeaves(ingest.pool)).toEqual(await recordLeaves(ingest.pool));
    await ingest.post(many(1));
    expect(await log.seal()).toBe(1);
  });

  it('a sealer without writers follows the cluster, too', async () => {
    await moveCluster();
    expect(await openLog(ingest.pool).seal()).toBe(0);
    expect(await epochs()).toHaveLength(2);
    expect(await openLog(ingest.pool).seal()).toBe(0);
    expect(await epochs()).toHaveLength(2);
  });

  it('where it cannot be followed the request is told to come again, and nothing is stored', async () => {
    await moveCluster();
    await ingest.pool.query('ALTER FUNCTION audit.follow_cluster() RENAME TO gone');
    const answer = await ingest.post(event());
    expect(answer.status).toBe(503);
    expect(await ingest.counts()).toEqual({ records: 0, keys: 0 });
  });
});

describe('who holds it up', () => {
  it('counts what waits, and names the session that holds its transaction open', async () => {
    const lag = createLagStore(ingest.pool);
    await ingest.post(many(3));
    await openLog(ingest.pool).seal();
    expect(await lag.readLag()).toMatchObject({ size: 3, unsealed: 0, oldestUnsealedAt: null });
    const held = await holdTransaction();
    await ingest.post(many(2));
    expect(await lag.readLag()).toMatchObject({ size: 3, unsealed: 2, oldestUnsealedAt: expect.any(Date) });
    const { rows } = await held.client.query('SELECT pg_backend_pid()::text AS pid');
    // Other sessions of the test's server may be older for a moment.
    await eventually('the session that holds', async () => (await lag.readOldestTransaction())?.id === rows[0].pid);
    expect(await lag.readOldestTransaction()).toMatchObject({
      kind: 'session',
      id: rows[0].pid,
      database: new URL(ingest.auditUrl).pathname.slice(1),
      state: 'idle in transaction',
      since: expect.any(Date),
    });

    const role = `looks_${Date.now()}`;
    await asAdmin((client) => client.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`));
    const url = new URL(ingest.auditUrl);
    [url.username, url.password] = [role, 'x'];
    const other = createPool(url.toString(), { max: 1 });
    try {
      expect(await createLagStore(other).readOldestTransaction()).toMatchObject({
        id: rows[0].pid,
        state: null,
        since: null,
      });
    } finally {
      await other.end();
      await asAdmin((client) => client.query(`DROP ROLE ${role}`));
    }
    await held.client.query('ROLLBACK');
    await held.client.end();
  });
});
