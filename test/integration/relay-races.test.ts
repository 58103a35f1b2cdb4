// Whole relays on a real PostgreSQL, one of them killed as a process. Temporal is played by one table, started_run,
// which like Temporal takes a workflow id once: what is real beyond it is in test/e2e. A lease "ends" by moving due_at
// into the past.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { StartAnswer } from '../../src/application/delivery/ports.js';
import { type Relay, type RelayOptions, relayOutbox } from '../../src/application/delivery/relay-outbox.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { createDeadLetterStore } from '../../src/infrastructure/prisma/dead-letter-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRelayStore } from '../../src/infrastructure/prisma/relay-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';

let databases: TestDatabases;
let pool: PgPool;
const relays: Relay[] = [];

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 20 });
  await pool.query('CREATE TABLE public.started_run (id text PRIMARY KEY, starter text NOT NULL)');
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
});
beforeEach(async () => {
  await pool.query('TRUNCATE outbox.delivery, outbox.dead_letter, outbox.notification, public.started_run');
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map((relay) => relay.stop()));
});

it('R4, F24: eight relays start each of 600 events exactly once', async () => {
  await append(600);
  const counts = [...'abcdefgh'].map((name) => startRelay({ name }).counts);
  await eventually('all to be STARTED', async () => (await statuses()).STARTED === 600);
  expect(await startedRuns()).toBe(600);
  const total = (key: string) => counts.reduce((sum, count) => sum + (count[key] ?? 0), 0);
  expect(total('started')).toBe(600);
  expect(total('existed')).toBe(0);
  expect(total('fenced_relay_writes')).toBe(0);
});

it('R7: a relay killed between start and mark: the next one finds the run and marks it; each event is started once', async () => {
  await append(5);
  const child = spawnRelay('after-start-before-mark');
  await exited(child);
  expect(child.signalCode).toBe('SIGKILL');
  expect(await startedRuns()).toBe(5);
  expect(await statuses()).toEqual({ PENDING: 5 });
  await endLeases();
  const next = startRelay({ name: 'next' });
  await eventually('all to be STARTED', async () => (await statuses()).STARTED === 5);
  expect(next.counts).toMatchObject({ started: 5, existed: 5 });
  expect(await startedRuns(`process ${child.pid}`)).toBe(5);
});

it('R4: a relay killed after its claim: nothing was started, the next one starts all', async () => {
  await append(5);
  await exited(spawnRelay('after-claim'));
  expect(await startedRuns()).toBe(0);
  await endLeases();
  startRelay({ name: 'next' });
  await eventually('all to be STARTED', async () => (await statuses()).STARTED === 5);
  expect(await startedRuns('next')).toBe(5);
});

it('R7: a relay that was away past its lease marks nothing, and counts it', async () => {
  await append(5);
  const away = gate();
  const stale = startRelay({
    name: 'stale',
    failpoint: (point) => (point === 'after-start-before-mark' ? away.wait() : undefined),
  });
  await away.reached;
  await endLeases();
  const other = startRelay({ name: 'other' });
  await eventually('all to be STARTED', async () => (await statuses()).STARTED === 5);
  away.open();
  await eventually('the fenced writes to be counted', async () => stale.counts.fenced_relay_writes === 5);
  expect(other.counts).toMatchObject({ started: 5, existed: 5 });
  expect(await statuses()).toEqual({ STARTED: 5 });
});

it('R7: runs that settle before their mark are overtaken, and stay settled', async () => {
  await append(5);
  const away = gate();
  const relay = startRelay({
    name: 'a',
    failpoint: (point) => (point === 'after-start-before-mark' ? away.wait() : undefined),
  });
  await away.reached;
  await pool.query(`UPDATE outbox.delivery SET status = 'DELIVERED', lease_token = NULL, receipt = '{"id": "r"}'`);
  away.open();
  await eventually('the overtaken marks to be counted', async () => relay.counts.overtaken_marks === 5);
  expect(relay.counts.fenced_relay_writes).toBeUndefined();
  expect(await statuses()).toEqual({ DELIVERED: 5 });
});

it('R8: refused starts end, spend and count nothing; when they are accepted again all go out', async () => {
  await append(50);
  let accept = false;
  const relay = startRelay({ name: 'a', answer: () => (accept ? null : { kind: 'refused', reason: 'UNAVAILABLE' }) });
  await eventually('several refused batches', async () => (relay.counts.refused ?? 0) >= 10);
  const { rows } = await pool.query(
    `SELECT count(*)::integer AS n, max(start_tries) AS tries FROM outbox.delivery WHERE status = 'PENDING'`,
  );
  expect(rows).toEqual([{ n: 50, tries: 0 }]);
  accept = true;
  await eventually('all to be STARTED', async () => (await statuses()).STARTED === 50);
  const spent = await pool.query('SELECT FROM outbox.delivery_attempt UNION ALL SELECT FROM outbox.dead_letter');
  expect(spent.rowCount).toBe(0);
});

it('R8: a row whose start fails beside others for the fifth time is put off five minutes and lives', async () => {
  const ids = await append(6);
  const poison = ids[0] as string;
  await pool.query('UPDATE outbox.delivery SET start_tries = 4 WHERE event_id = $1', [poison]);
  startRelay({ name: 'a', answer: (id) => (id === poison ? { kind: 'refused', reason: 'INVALID_ARGUMENT' } : null) });
  await eventually('the others to be STARTED', async () => (await statuses()).STARTED === 5);
  const row = await eventually('the row to be put off', async () => {
    const text = `SELECT status, start_tries, due_at > now() + interval '290 seconds' AS put_off FROM outbox.delivery WHERE event_id = $1`;
    const found = (await pool.query(text, [poison])).rows[0];
    return (found.start_tries === 5 || found.status === 'DEAD') && found;
  });
  expect(row).toEqual({ status: 'PENDING', start_tries: 5, put_off: true });
});

it('R8: a row that no run could carry is DEAD with its letter, without a run; the others of its batch start', async () => {
  await append(3);
  const bad = randomUUID();
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant) VALUES ($1, 'audit.log', 'AUTH', 'a' || chr(7))`,
    [bad],
  );
  startRelay({ name: 'a' });
  await eventually('three STARTED, one DEAD', async () => {
    const { STARTED, DEAD } = await statuses();
    return STARTED === 3 && DEAD === 1;
  });
  const { rows } = await pool.query('SELECT event_id, code, state, workflow_id, retry_count FROM outbox.dead_letter');
  expect(rows).toEqual([
    { event_id: bad, code: 'DISPATCH.INVALID_EVENT', state: 'open', workflow_id: null, retry_count: 0 },
  ]);
  expect((await pool.query('SELECT FROM public.started_run WHERE id LIKE $1', [`${bad}%`])).rowCount).toBe(0);
});

it('stop under load leaves every row STARTED with its run, or PENDING without a token', async () => {
  await append(2_000);
  const { relay } = startRelay({ name: 'a' });
  await eventually('some to be STARTED', async () => ((await statuses()).STARTED ?? 0) > 0);
  await relay.stop();
  const { rows } = await pool.query(
    `SELECT count(*)::integer AS leased FROM outbox.delivery WHERE lease_token IS NOT NULL`,
  );
  expect(rows).toEqual([{ leased: 0 }]);
  expect(await startedRuns()).toBe((await statuses()).STARTED);
});

it('goes on when the server ends all its connections', async () => {
  const { counts } = startRelay({ name: 'a' });
  await append(5);
  await eventually('the first to be STARTED', async () => (await statuses()).STARTED === 5);
  await pool.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'relay under test'`);
  await eventually('another batch to be STARTED', async () => {
    const { PENDING = 0, STARTED } = await statuses();
    if (PENDING === 0 && STARTED === 5) await append(5);
    return STARTED === 10;
  });
  expect(counts.started).toBe(10);
});

// ---- around the relays ----------------------------------------------------------------------------------------------

function startRelay(options: {
  name: string;
  answer?: (eventId: string) => StartAnswer | null;
  failpoint?: NonNullable<RelayOptions['failpoint']>;
}) {
  const counts: Record<string, number> = {};
  const own = createPool(databases.outboxUrl, { applicationName: 'relay under test' });
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const relay = relayOutbox(
    {
      store: createRelayStore(own),
      deadLetters: createDeadLetterStore(own),
      time: systemTime,
      telemetry: {
        log,
        count: (name, by) => {
          counts[name] = (counts[name] ?? 0) + by;
        },
      },
      starter: {
        async start({ eventId, epoch }) {
          const answer = options.answer?.(eventId) ?? null;
          if (answer !== null) return answer;
          const text = 'INSERT INTO public.started_run (id, starter) VALUES ($1, $2) ON CONFLICT DO NOTHING';
          const { rowCount } = await pool.query(text, [`${eventId}:${epoch}`, options.name]);
          return rowCount === 1 ? { kind: 'started', eager: false } : { kind: 'exists' };
        },
        startBatch: async () => ({ kind: 'refused', reason: 'nothing is coalesced here' }),
      },
    },
    {
      policies: { byType: {}, otherwise: 'p' },
      maxRuns: 10_000,
      ...(options.failpoint === undefined ? {} : { failpoint: options.failpoint }),
    },
  );
  relays.push({
    hint: relay.hint,
    async stop() {
      await relay.stop();
      if (!own.ended) await own.end();
    },
  });
  return { relay, counts };
}

function spawnRelay(failpoint: string): ChildProcess {
  const script = fileURLToPath(new URL('../support/relay-process.mjs', import.meta.url));
  // Without jest's flags: the child is a plain Node process.
  const env = { ...process.env, NODE_OPTIONS: '' };
  return spawn(process.execPath, [script, databases.outboxUrl, failpoint], { env, stdio: 'inherit' });
}

function exited(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => child.once('exit', () => resolve()));
}

/** Something stands still at `wait` until the test opens it. */
function gate() {
  let reach: () => void = () => undefined;
  let open: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    reached,
    open: () => open(),
    wait: () => {
      reach();
      return opened;
    },
  };
}

async function append(count: number): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `SELECT outbox.record_event('{"eventName": "auth.user.signed_in.v1", "eventType": "AUTH", "payload": {},
       "aggregate": {"type": "user", "id": "1"}}') AS id FROM generate_series(1, $1::integer)`,
    [count],
  );
  return rows.map((row) => row.id);
}

async function endLeases(): Promise<void> {
  await pool.query(
    `UPDATE outbox.delivery SET due_at = clock_timestamp() - interval '1 second' WHERE lease_token IS NOT NULL`,
  );
}

async function statuses(): Promise<Record<string, number>> {
  const { rows } = await pool.query('SELECT status, count(*)::integer AS n FROM outbox.delivery GROUP BY status');
  return Object.fromEntries(rows.map((row) => [row.status, row.n]));
}

async function startedRuns(starter?: string): Promise<number> {
  const { rows } = await pool.query(
    'SELECT count(*)::integer AS n FROM public.started_run WHERE starter = coalesce($1, starter)',
    [starter ?? null],
  );
  return rows[0].n;
}
