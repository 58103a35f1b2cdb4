/**
 * Partitions and the clock of the audit store. Real: PostgreSQL, HTTP, the sessions that hold locks, a role with grants only.
 * Fake: the host's date, where a test says so.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { jest } from '@jest/globals';
import type pg from 'pg';
import { StoreUnavailableError } from '../../src/application/audit/ports.js';
import { createAuditStore } from '../../src/infrastructure/prisma/audit-store.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { eventually } from '../support/eventually.js';
import { NOT_THE_DATE } from '../support/fake-date.js';
import { openConnections } from '../support/open-connections.js';
import { event, expectProblem, startIngest, startIngestOn, type TestIngest } from './ingest-set-up.js';

let ingest: TestIngest;

beforeEach(async () => {
  ingest = await startIngest();
});
afterEach(() => ingest.stop());

const query = async (text: string, values: unknown[] = []) => (await ingest.pool.query(text, values)).rows;

/** Oldest first: this month's is the first. */
const partitions = async (): Promise<string[]> =>
  (
    await query(
      `SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'audit.record'::regclass ORDER BY 1`,
    )
  ).map((row) => row.name);

async function dropPartition(index: number): Promise<string> {
  const name = (await partitions()).at(index) as string;
  await query(`DROP TABLE ${name}`);
  return name;
}

/** Runs with a session of its own that is inside a transaction after `statement`. */
async function withSession(statement: string, work: () => Promise<void>): Promise<void> {
  const session = await ingest.pool.connect();
  try {
    await session.query('BEGIN');
    await session.query(statement);
    await work();
  } finally {
    await session.query('ROLLBACK');
    session.release();
  }
}

describe('making partitions', () => {
  it('is not held up by a long reader, and holds no writer up behind it', async () => {
    const name = await dropPartition(-1);
    await withSession('SELECT count(*) FROM audit.record', async () => {
      expect(await ingest.store.ensurePartitions()).toBe(1);
      expect((await ingest.post(event())).status).toBe(201);
    });
    expect(await partitions()).toContain(name);
  });

  it('gives up a lock it does not get, and writers go on while it waits', async () => {
    await dropPartition(-1);
    await withSession('LOCK TABLE audit.record IN SHARE UPDATE EXCLUSIVE MODE', async () => {
      let settled = false;
      const making = ingest.store.ensurePartitions().catch((error: unknown) => error);
      void making.then(() => {
        settled = true;
      });
      await eventually('the partitions to wait for the lock', async () => {
        const rows = await query(
          `SELECT 1 FROM pg_locks WHERE relation = 'audit.record'::regclass AND NOT granted AND mode = 'ShareUpdateExclusiveLock'`,
        );
        return rows.length > 0;
      });
      expect((await ingest.post(event())).status).toBe(201);
      expect(settled).toBe(false);
      const error = await making;
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect((error as StoreUnavailableError).cause).toMatchObject({ code: '55P03' });
    });
    expect(await ingest.store.ensurePartitions()).toBe(1);
  });

  it('makes each once when several apis make them together', async () => {
    await dropPartition(-1);
    await dropPartition(-1);
    const pools = Array.from({ length: 6 }, () => createPool(ingest.auditUrl, { max: 1 }));
    const made = await Promise.all(pools.map((pool) => createAuditStore(pool).ensurePartitions()));
    await Promise.all(pools.map((pool) => pool.end()));
    expect(made.sort()).toEqual([0, 0, 0, 0, 0, 2]);
    expect(await partitions()).toHaveLength(4);
  });

  it('does not take a detached table for the partition whose name it keeps', async () => {
    const name = (await partitions()).at(-1) as string;
    await query(`ALTER TABLE audit.record DETACH PARTITION ${name}`);
    await expect(ingest.store.ensurePartitions()).rejects.toMatchObject({ code: '42P07' });
    await query(`ALTER TABLE ${name} RENAME TO archived`);
    expect(await ingest.store.ensurePartitions()).toBe(1);
  });

  it('gives each its triggers once, always on, and its share of every index and constraint', async () => {
    await dropPartition(0);
    await ingest.store.ensurePartitions();
    const names = await partitions();
    expect(names).toHaveLength(4);
    for (const name of names) {
      const triggers = await query(
        `SELECT tgname, tgenabled, tgparentid <> 0 AS cloned FROM pg_trigger WHERE tgrelid = $1::regclass ORDER BY tgname`,
        [name],
      );
      expect(triggers).toEqual([
        { tgname: 'record_append_only', tgenabled: 'A', cloned: true },
        { tgname: 'record_no_truncate', tgenabled: 'A', cloned: false },
      ]);
      const indexes = await query(
        `SELECT p.relname AS parent FROM pg_index i LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
         LEFT JOIN pg_class p ON p.oid = h.inhparent WHERE i.indrelid = $1::regclass ORDER BY 1`,
        [name],
      );
      expect(indexes.map((row) => row.parent)).toEqual([
        'record_by_action',
        'record_by_actor',
        'record_by_target',
        'record_by_time',
        'record_pkey',
        'record_seal_order',
      ]);
      const constraints = await query(
        `SELECT conname, coninhcount FROM pg_constraint WHERE conrelid = $1::regclass AND contype IN ('c', 'p') ORDER BY 1`,
        [name],
      );
      expect(constraints).toEqual([
        { conname: expect.stringMatching(/^record_\d{4}_\d{2}_pkey$/), coninhcount: 1 },
        { conname: 'record_erased', coninhcount: 1 },
        { conname: 'record_leaf_hash', coninhcount: 1 },
        { conname: 'record_via', coninhcount: 1 },
      ]);
    }
    await ingest.post(event());
    for (const statement of [
      `UPDATE ${names[0]} SET source = 'x'`,
      `DELETE FROM ${names[0]}`,
      `TRUNCATE ${names[0]}`,
    ]) {
      await expect(ingest.pool.query(statement)).rejects.toMatchObject({ code: '23001' });
    }
    expect(await ingest.counts()).toEqual({ records: 1, keys: 1 });
  });
});

describe('an insert without its partition', () => {
  it('makes it and is written, fifty at once', async () => {
    await openConnections(ingest.pool, 50);
    const name = await dropPartition(0);
    const answers = await Promise.all(Array.from({ length: 50 }, () => ingest.post(event())));
    const refused = answers.filter(({ status }) => status !== 201).map(({ status, body }) => ({ status, body }));
    expect({ refused, logs: refused.length > 0 ? ingest.logs : [] }).toEqual({ refused: [], logs: [] });
    expect(await partitions()).toContain(name);
    expect(await ingest.counts()).toEqual({ records: 50, keys: 50 });
  });

  it('B28: that may not make it is answered 503 with Retry-After, never a final error, and nothing is half written', async () => {
    const role = await grantedRole();
    const limited = await startIngestOn(role.url);
    try {
      const failed = limited.logs.filter(({ fields }) => fields.event === 'partitions.failed');
      expect(failed).toEqual([
        { level: 'error', fields: expect.objectContaining({ err: expect.objectContaining({ code: '42501' }) }) },
      ]);
      expect((await limited.post(event())).status).toBe(201);

      await dropPartition(0);
      const one = event();
      for (const body of [one, [one]]) {
        const answer = await limited.post(body);
        expectProblem(answer, 503, 'store_unavailable');
        expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
        expect(answer.body.retryable).toBe(true);
      }
      expect(await ingest.counts()).toEqual({ records: 0, keys: 1 });
      await ingest.store.ensurePartitions();
      expect((await limited.post(one)).status).toBe(201);
    } finally {
      await limited.stop();
      await role.drop();
    }
  });

  it('keeps the cause: a check of the table that fails is an error of ours, not a missing partition', async () => {
    await query(`ALTER TABLE audit.record ADD CONSTRAINT never CHECK (event_id = 'x')`);
    expectProblem(await ingest.post(event()), 500, 'internal');
  });

  /** A login that may do what an api does, but not make partitions. */
  async function grantedRole(): Promise<{ url: string; drop(): Promise<void> }> {
    const name = `api_${randomBytes(4).toString('hex')}`;
    await query(`CREATE ROLE ${name} LOGIN PASSWORD 'only-for-this-test'`);
    await query(`GRANT USAGE ON SCHEMA audit TO ${name}`);
    await query(
      `GRANT SELECT, INSERT ON audit.record, audit.record_key, audit.api_key, audit.fingerprint_key TO ${name}`,
    );
    await query(`GRANT SELECT, INSERT, UPDATE ON audit.failed_ingest TO ${name}`);
    await query(`GRANT USAGE ON SEQUENCE audit.record_seq TO ${name}`);
    const url = new URL(ingest.auditUrl);
    url.username = name;
    url.password = 'only-for-this-test';
    return {
      url: url.toString(),
      drop: async () => {
        await query(`DROP OWNED BY ${name}`);
        await query(`DROP ROLE ${name}`);
      },
    };
  }
});

describe("the server's clock", () => {
  const DAY_MS = 86_400_000;
  afterEach(() => {
    jest.useRealTimers();
  });

  const databaseNow = async (): Promise<number> =>
    (await query(`SELECT date_trunc('milliseconds', clock_timestamp()) AS now`))[0].now.getTime();

  it.each([-400, -40, 40, 400])(
    "is the database's: a host %d days off writes into the right partition",
    async (days) => {
      const current = (await partitions())[0];
      const [expiring, expired] = [
        await ingest.key(['audit:write'], null, new Date(Date.now() + 3_600_000)),
        await ingest.key(['audit:write'], null, new Date(Date.now() - 3_600_000)),
      ];
      jest.useFakeTimers({ now: Date.now() + days * DAY_MS, doNotFake: NOT_THE_DATE });

      const before = await databaseNow();
      expect(Math.abs(before - Date.now())).toBeGreaterThan(30 * DAY_MS); // the host really is off
      const one = event({ eventId: randomUUID(), occurredAt: new Date(before).toISOString() });
      const answers = [await ingest.post(one, { key: expiring }), ...(await ingest.post([event()])).body.results];
      const after = await databaseNow();
      expect(answers.map(({ status }) => status)).toEqual([201, 201]);
      const rows = await query('SELECT tableoid::regclass::text AS name, recorded_at, record_id FROM audit.record');
      expect(rows).toHaveLength(2);
      for (const { name, recorded_at, record_id } of rows) {
        expect(name).toBe(current);
        expect(recorded_at.getTime()).toBeGreaterThanOrEqual(before);
        expect(recorded_at.getTime()).toBeLessThanOrEqual(after);
        expect(Number.parseInt(record_id.replace('-', '').slice(0, 12), 16)).toBe(recorded_at.getTime());
      }
      expect(answers[0].body.recordedAt).toBe(rows[0].recorded_at.toISOString());

      const ahead = event({ occurredAt: new Date(before + DAY_MS).toISOString() });
      expectProblem(await ingest.post(ahead), 422, 'invalid_event');
      expectProblem(await ingest.post(event(), { key: expired }), 401, 'unauthorized');
    },
  );

  it('is kept in whole milliseconds, so that the row and the leaf say the same', async () => {
    await Promise.all(Array.from({ length: 10 }, () => ingest.post(event())));
    const rows: pg.QueryResultRow[] = await query(
      `SELECT count(*)::int AS n FROM audit.record WHERE recorded_at <> date_trunc('milliseconds', recorded_at)`,
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});
