// Real: PostgreSQL, the packed migrations, producers that append by SQL, a relay that claims and marks, the statement that
// settles. Temporal is played by settling what was started. The processes are of this release: that those of the release
// before live with the schema is by the rules of docs/upgrades.md, and e2e/previous-release.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Relay, relayOutbox } from '../../src/application/delivery/relay-outbox.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { createAttemptStore } from '../../src/infrastructure/prisma/attempt-store.js';
import { createDeadLetterStore } from '../../src/infrastructure/prisma/dead-letter-store.js';
import {
  deployMigrations,
  type MigrationOptions,
  migrationStatus,
} from '../../src/infrastructure/prisma/migrations.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createEmptyDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { PATIENCE } from '../support/patience.js';

const PACKED = readdirSync('prisma/outbox/migrations', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();
/** As many as a release may bring. */
const LATEST = 3;
/** An application that waits longer than this for its own append has failed. */
const APPEND_TIMEOUT_MS = 5_000 * PATIENCE;

let database: { url: string; drop(): Promise<void> };
let pool: PgPool;
let folder: string;
let load: Load | undefined;
beforeEach(async () => {
  database = await createEmptyDatabase();
  pool = createPool(database.url, { max: 10 });
  folder = mkdtempSync(join(tmpdir(), 'migrations-'));
});
afterEach(async () => {
  await load?.stop();
  await pool.end();
  await database.drop();
  rmSync(folder, { recursive: true, force: true });
});

function offer(names: readonly string[]): void {
  for (const name of names) cpSync(`prisma/outbox/migrations/${name}`, join(folder, name), { recursive: true });
}
const deploy = (more: Partial<MigrationOptions> = {}) =>
  deployMigrations({ databaseUrl: database.url, target: 'outbox', directory: folder, deployment: 'main', ...more });

interface Load {
  /** Ids of what was committed. */
  readonly appended: string[];
  /** Every error that an application or a process of ours got. */
  readonly failed: unknown[];
  /** Ends the producers, waits until all that they committed is delivered, ends the relay. */
  drain(): Promise<void>;
  stop(): Promise<void>;
}

/** Producers without a pause, and a relay whose runs settle at once. */
async function startLoad(): Promise<Load> {
  const appended: string[] = [];
  const failed: unknown[] = [];
  let appending = true;
  const producers = Array.from({ length: 3 }, async () => {
    const client = new pg.Client({ connectionString: database.url, statement_timeout: APPEND_TIMEOUT_MS });
    await client.connect();
    while (appending) {
      const event = { eventName: 'a.b.c.v1', eventType: 'A', aggregate: { type: 'user', id: '1' }, payload: {} };
      const { rows } = await client
        .query('SELECT outbox.record_event($1) AS id', [JSON.stringify(event)])
        .catch((error: unknown) => {
          failed.push(error);
          return { rows: [] };
        });
      appended.push(...rows.map(({ id }) => id as string));
    }
    await client.end();
  });
  const relay = startRelay(failed);
  const stop = async () => {
    appending = false;
    await Promise.all(producers);
    await relay.stop();
  };
  return {
    appended,
    failed,
    stop,
    async drain() {
      appending = false;
      await Promise.all(producers);
      await eventually('all to be delivered', async () => (await delivered()) === appended.length);
      await stop();
    },
  };
}

function startRelay(failed: unknown[]): Relay {
  const attempts = createAttemptStore(pool);
  const runs = new Set<Promise<unknown>>();
  const say = (fields: object) => void failed.push(fields);
  const relay = relayOutbox(
    {
      store: createRelayStore(pool),
      deadLetters: createDeadLetterStore(pool),
      time: systemTime,
      telemetry: { log: { debug() {}, info() {}, warn: say, error: say }, count() {} },
      starter: {
        async start({ eventId, epoch, carrier }) {
          const receipt = { id: eventId, hash: 'h', status: 201, replayed: false, at: new Date(0).toISOString() };
          const run = attempts.settle({ eventId, epoch, carrier }, receipt, null, APPEND_TIMEOUT_MS).catch(say);
          runs.add(run);
          void run.then(() => runs.delete(run));
          return { kind: 'started', eager: false };
        },
        startBatch: async () => ({ kind: 'refused', reason: 'nothing is coalesced here' }),
      },
    },
    { policies: { byType: {}, otherwise: 'p' }, maxRuns: 10_000 },
  );
  return {
    hint: relay.hint,
    async stop() {
      await relay.stop();
      await Promise.all(runs);
    },
  };
}

async function delivered(): Promise<number> {
  const text = "SELECT count(*)::int AS n FROM outbox.delivery WHERE status = 'DELIVERED'";
  return (await pool.query(text)).rows[0]?.n ?? 0;
}
const more = (than: number) => eventually('more appends', async () => (load?.appended.length ?? 0) > than + 50);

it('the latest migrations under load: no append, claim or settlement fails, and nothing is lost', async () => {
  offer(PACKED.slice(0, -LATEST));
  await deploy();
  load = await startLoad();
  await more(0);
  const before = load.appended.length;
  offer(PACKED.slice(-LATEST));
  expect((await deploy()).applied).toEqual(PACKED.slice(-LATEST));
  await more(before);
  await load.drain();
  expect(load.failed).toEqual([]);
});

it('a migration of how vacuum works passes beside whoever only reads, a dump for one', async () => {
  const retention = '20261130030000_retention';
  offer(PACKED.slice(0, PACKED.indexOf(retention)));
  await deploy();
  const dump = await pool.connect();
  try {
    await dump.query('BEGIN; LOCK TABLE outbox.event, outbox.delivery_attempt IN ACCESS SHARE MODE');
    offer([retention]);
    expect((await deploy()).applied).toEqual([retention]);
  } finally {
    await dump.query('ROLLBACK');
    dump.release();
  }
});

describe('a migration behind a long transaction', () => {
  const BLOCKED = '99990101000000_blocked';
  let long: pg.Client;
  beforeEach(async () => {
    offer(PACKED);
    await deploy();
    mkdirSync(join(folder, BLOCKED));
    // What an expanding migration may do: it asks for a lock that every writer stands in the way of.
    writeFileSync(join(folder, BLOCKED, 'migration.sql'), 'CREATE INDEX blocked ON outbox.delivery (due_at);');
    long = new pg.Client({ connectionString: database.url });
    await long.connect();
    await long.query('BEGIN; LOCK TABLE outbox.delivery IN ROW EXCLUSIVE MODE');
  });
  afterEach(() => long.end());

  it('lets the application pass between its tries, and is applied once the transaction is over', async () => {
    load = await startLoad();
    const said: string[] = [];
    const deploying = deploy({ log: (message) => said.push(message) });
    await eventually('two tries', async () => said.filter((line) => line.includes('lets go of its locks')).length > 1);
    const { length } = load.appended;
    await more(length);
    expect(said).toContainEqual(expect.stringMatching(/waits for process \d+ .*to let go of a lock/));
    await long.query('COMMIT');
    expect((await deploying).applied).toEqual([BLOCKED]);
    await load.drain();
    expect(load.failed).toEqual([]);
  });

  it('gives up after its time, says what to do, and leaves nothing behind', async () => {
    await expect(deploy({ lockTimeoutMs: 100 })).rejects.toMatchObject({
      code: 'MIGRATE.LOCKED',
      message: expect.stringMatching(/99990101000000_blocked did not get its locks within 0\.1 s.*long transaction/),
    });
    const { pending, failed } = await migrationStatus({
      databaseUrl: database.url,
      target: 'outbox',
      directory: folder,
    });
    expect({ pending, failed }).toEqual({ pending: [BLOCKED], failed: [] });
  });
});
