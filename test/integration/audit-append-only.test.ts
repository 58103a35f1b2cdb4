/** What is written stays as it is and can be checked from the stored row. Real: PostgreSQL, HTTP. Fake: nothing. */
import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { event, startIngest, type TestIngest } from './ingest-set-up.js';

let ingest: TestIngest;

beforeAll(async () => {
  ingest = await startIngest();
  await ingest.post(event());
});
afterAll(() => ingest.stop());

const partitions = async (): Promise<string[]> =>
  (
    await ingest.pool.query(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.record'::regclass ORDER BY 1`,
    )
  ).rows.map((row) => row.name);

describe('append-only', () => {
  it('refuses UPDATE, DELETE and TRUNCATE of records, identities and each partition', async () => {
    const before = await ingest.counts();
    const tables = ['audit.record', 'audit.record_key', ...(await partitions())];
    expect(tables.length).toBeGreaterThanOrEqual(6);
    for (const table of tables) {
      const statements = [`TRUNCATE ${table}`];
      if (['audit.record', 'audit.record_key'].includes(table)) {
        statements.push(`UPDATE ${table} SET source = 'x'`, `DELETE FROM ${table}`);
      }
      for (const statement of statements) {
        await expect(ingest.pool.query(statement)).rejects.toMatchObject({ code: '23001' });
      }
    }
    const { rows } = await ingest.pool.query('SELECT tableoid::regclass::text AS name FROM audit.record');
    await expect(ingest.pool.query(`DELETE FROM ${rows[0].name}`)).rejects.toMatchObject({ code: '23001' });
    expect(await ingest.counts()).toEqual(before);
  });

  it('refuses them for a session that plays a replica, too', async () => {
    const client = await ingest.pool.connect();
    try {
      await client.query("SET session_replication_role = 'replica'");
      await expect(client.query('DELETE FROM audit.record')).rejects.toMatchObject({ code: '23001' });
      await expect(client.query('DELETE FROM audit.record_key')).rejects.toMatchObject({ code: '23001' });
      await expect(client.query('TRUNCATE audit.record')).rejects.toMatchObject({ code: '23001' });
    } finally {
      client.release(true);
    }
  });

  it('has partitions for this month and the three after it, and making them again makes none', async () => {
    expect(await partitions()).toHaveLength(4);
    expect(await ingest.store.ensurePartitions()).toBe(0);
  });
});

describe('leaf', () => {
  it('the hash of a receipt can be made again from the stored row alone', async () => {
    const one = event({
      data: { z: 1, a: 1.5, tiny: 5e-324, negativeZero: -0, text: 'é\u{1f600}\u2028', nested: [{ b: 1, a: null }] },
      tenantId: 'leaf',
    });
    const { body: receipt } = await ingest.post(one, { key: await ingest.key(['audit:write'], 'leaf') });
    const { rows } = await ingest.pool.query('SELECT * FROM audit.record WHERE event_id = $1', [one.eventId]);
    const row = rows[0];
    const leaf = canonicalize({
      leafVersion: row.leaf_version,
      recordId: row.record_id,
      recordedAt: row.recorded_at.toISOString(),
      tenantId: row.tenant_id,
      via: row.via,
      keyId: row.key_id,
      salt: row.salt.toString('hex'),
      event: row.body,
    }) as string;
    const hash = createHash('sha256')
      .update(Buffer.from([0]))
      .update(leaf, 'utf8')
      .digest('hex');
    expect(receipt.hash).toBe(`sha-256:${hash}`);
    const keys = await ingest.pool.query(
      `SELECT encode(leaf_hash, 'hex') AS hash FROM audit.record_key WHERE event_id = $1`,
      [one.eventId],
    );
    expect(keys.rows).toEqual([{ hash }]);
  });

  it('two records of the same content have different salts and hashes', async () => {
    const one = event();
    const a = await ingest.post(one);
    const b = await ingest.post({ ...one, source: '/other' });
    expect(a.body.hash).not.toBe(b.body.hash);
    const { rows } = await ingest.pool.query(
      'SELECT count(DISTINCT salt)::int AS salts, min(octet_length(salt)) AS bytes FROM audit.record WHERE event_id = $1',
      [one.eventId],
    );
    expect(rows).toEqual([{ salts: 2, bytes: 16 }]);
  });
});
