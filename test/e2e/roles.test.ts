// Real: api, relay and worker as processes of the built command line, PostgreSQL, Temporal, HTTP between them.
// Fake: the second destination, a scripted HTTP server behind httpHandler.
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import type pg from 'pg';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, outboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';
import { triesUntil } from '../support/tries-until.js';

const KEY = 'test.partner';
let deployment: TestDeployment;
let destination: ScriptedDestination;
let configFile: string;
let api: StartedProcess;
let connection: Connection;
let client: Client;
/** With where the audit log is. */
let environment: Record<string, string>;

beforeAll(async () => {
  deployment = await createTestDeployment();
  destination = await startScriptedDestination();
  configFile = await deployment.configFile(`httpHandler({ routingKey: '${KEY}', url: '${destination.url}' })`);
  api = await deployment.start('api');
  // An api that restarts fails a few in a row: what a breaker does then is another test's, and takes its time.
  environment = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}`, OUTBOX_BREAKER_OPEN_MS: '1000' };
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });
}, 60_000);

afterEach(async () => {
  destination.answer(accept);
  await endLeftoverCli([api]);
});

afterAll(async () => {
  await endLeftoverCli();
  await destination.close();
  await connection.close();
  await deployment.drop();
});

const startWorker = () => deployment.start('worker', environment, ['--config', configFile]);
const startRelay = (more: Record<string, string> = {}) => deployment.start('relay', { ...environment, ...more });
const startBoth = () => Promise.all([startWorker(), startRelay()]);
const runOf = (id: string): WorkflowHandle => client.workflow.getHandle(`${deployment.name}:${id}:0`);
const seenOf = (id: string) => destination.seen.filter(({ key }) => key === id);
const attemptsOf = async (id: string) =>
  (
    await deployment.outbox.query(
      'SELECT n, local, code, finished_at IS NOT NULL AS finished FROM outbox.delivery_attempt WHERE event_id = $1 ORDER BY n',
      [id],
    )
  ).rows;
const count = async (text: string, ...values: unknown[]): Promise<number> =>
  (await deployment.outbox.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${text}`, values)).rows[0]?.n ?? 0;

describe('what a transaction decides', () => {
  async function begin() {
    const connected: pg.PoolClient = await deployment.outbox.connect();
    await connected.query('BEGIN');
    const event = { eventName: 'a.b.c.v1', eventType: 'AUTH', aggregate: { type: 'user', id: '1' }, payload: {} };
    const { rows } = await connected.query('SELECT outbox.record_event($1) AS id', [JSON.stringify(event)]);
    const end = async (how: 'COMMIT' | 'ROLLBACK') => {
      await connected.query(how);
      connected.release();
    };
    return { id: rows[0].id as string, end };
  }

  it('delivers what commits once, nothing of what is rolled back, and a late commit of an early event', async () => {
    const [worker, relay] = await startBoth();
    const early = await begin();
    const gone = await begin();
    await gone.end('ROLLBACK');
    const after = await deployment.append({ aggregate: { type: 'user', id: 'after' } });
    await deployment.untilStatus(after, 'DELIVERED');
    expect([await deployment.status(early.id), await deployment.records(early.id)]).toEqual([null, 0]);
    await early.end('COMMIT');
    await deployment.untilStatus(early.id, 'DELIVERED');
    expect(await deployment.records(early.id)).toBe(1);
    expect(await deployment.records(after)).toBe(1);
    expect([await deployment.status(gone.id), await deployment.records(gone.id)]).toEqual([null, 0]);
    await expect(runOf(gone.id).describe()).rejects.toThrow(/not found/i);
    expect(await stop(relay)).toBe(0);
    expect(await stop(worker, 'SIGINT')).toBe(0);
  }, 90_000);
});

describe('a process killed at the worst moment', () => {
  it.each([
    ['after-claim', 0],
    ['after-start-before-mark', 2],
  ])(
    'R7: a relay killed %s is taken over when its lease is over; each event is delivered once',
    async (point, existed) => {
      const dying = outboxCli(['relay'], {
        ...deployment.environment,
        ...environment,
        OUTBOX_LEASE_MS: '5000',
        OUTBOX_TEST_FAILPOINT: point,
      });
      const append = `SELECT outbox.record_events(jsonb_agg(e || jsonb_build_object('routingKey', key))) AS id
      FROM unnest($1::text[]) AS key, jsonb_build_object('eventName', 'a.b.c.v1', 'eventType', 'AUTH', 'payload', '{}'::jsonb,
        'aggregate', jsonb_build_object('type', 'user', 'id', '1')) AS e`;
      // In one transaction, so that one claim takes both.
      const { rows } = await deployment.outbox.query<{ id: string }>(append, [[KEY, 'audit.log']]);
      const [partnered, audited] = rows.map(({ id }) => id) as [string, string];
      expect(await dying.ended).toBe('SIGKILL');
      expect([await deployment.status(partnered), await deployment.status(audited)]).toEqual(['PENDING', 'PENDING']);
      const second = await startRelay();
      for (const id of [partnered, audited]) await deployment.untilStatus(id, 'STARTED');
      const worker = await startWorker();
      for (const id of [partnered, audited]) {
        await deployment.untilStatus(id, 'DELIVERED');
        await eventually('the run closed', async () => (await runOf(id).describe()).status.name === 'COMPLETED');
      }
      expect(seenOf(partnered)).toHaveLength(1);
      expect(await deployment.records(audited)).toBe(1);
      expect(await stop(second)).toBe(0);
      const counters = second.lines().find(({ msg }) => msg === 'process.counters')?.counters;
      expect(counters).toMatchObject({ claimed: 2, started: 2, existed });
      expect(await stop(worker)).toBe(0);
    },
    90_000,
  );

  it('R10, R11: a worker killed in an attempt leaves ATTEMPT_LOST, and the event is delivered by the next one', async () => {
    const [first, relay] = await startBoth();
    destination.answer((request, response) => {
      if (seenOf(request.key).length > 1) accept(request, response);
    });
    const id = await deployment.append({ routingKey: KEY });
    await eventually('the request at the destination', async () => seenOf(id).length > 0);
    expect(await stop(first, 'SIGKILL')).toBe('SIGKILL');
    const second = await startWorker();
    await deployment.untilStatus(id, 'DELIVERED');
    expect(await attemptsOf(id)).toEqual([
      { n: 1, local: expect.any(Boolean), code: 'DELIVERY.ATTEMPT_LOST', finished: true },
      { n: 2, local: false, code: null, finished: true },
    ]);
    expect(seenOf(id)).toHaveLength(2);
    expect(await stop(second)).toBe(0);
    expect(await stop(relay)).toBe(0);
  }, 90_000);

  it('a second signal ends a role at once, in the middle of its drain; what it carried is delivered by the next', async () => {
    const [first, relay] = await startBoth();
    destination.answer((request, response) => {
      if (seenOf(request.key).length > 1) accept(request, response);
    });
    const id = await deployment.append({ routingKey: KEY });
    await eventually('the request at the destination', async () => seenOf(id).length > 0);
    first.kill('SIGTERM');
    await eventually('the drain', async () => first.lines().some(({ msg }) => msg === 'process.stopping'));
    expect(await stop(first)).toBe(143);
    expect(first.lines().filter(({ msg }) => msg === 'process.stopped')).toEqual([]);
    const second = await startWorker();
    await deployment.untilStatus(id, 'DELIVERED');
    expect(await stop(second)).toBe(0);
    expect(await stop(relay)).toBe(0);
  }, 90_000);
});

describe('one destination beside others', () => {
  it("a slow destination, its room full, does not slow another's events: thirty are DELIVERED while its own are STARTED", async () => {
    const [worker, relay] = await Promise.all([startWorker(), startRelay({ OUTBOX_MAX_RUNS: '3' })]);
    const held: (() => void)[] = [];
    destination.answer((request, response) => void held.push(() => accept(request, response)));
    const append = () => deployment.append({ routingKey: KEY });
    const slow = await Promise.all(Array.from({ length: 5 }, append));
    await eventually('the slow requests', async () => held.length >= 3);
    const others = await Promise.all(Array.from({ length: 30 }, (_, i) => deployment.append({ payload: { i } })));
    for (const id of others) await deployment.untilStatus(id, 'DELIVERED');
    const statuses = await Promise.all(slow.map((id) => deployment.status(id)));
    expect(statuses.sort()).toEqual(['PENDING', 'PENDING', 'STARTED', 'STARTED', 'STARTED']);
    // First attempts may have run out of their two seconds by now; then regular ones are held as well.
    await eventually(
      'the slow ones',
      async () => {
        for (const answer of held.splice(0)) answer();
        return (await count("outbox.delivery WHERE event_id = ANY ($1) AND status = 'DELIVERED'", slow)) === 5;
      },
      40_000,
    );
    expect(await stop(relay)).toBe(0);
    expect(await stop(worker)).toBe(0);
  }, 90_000);

  it('R13: the first retry of a 429 with Retry-After: 2 comes after a timer of two seconds and less than one of backoff', async () => {
    // Healthy, whatever the tests before saw of it: a first attempt at a slow one is regular.
    await deployment.outbox.query('DELETE FROM outbox.destination');
    const [worker, relay] = await startBoth();
    destination.answer((request, response) => {
      if (seenOf(request.key).length > 1) accept(request, response);
      else response.writeHead(429, { 'retry-after': '2' }).end();
    });
    const expected = [2, 'HTTP.RATE_LIMITED', null];
    // A first attempt that finds its database too late is another retry, or runs out.
    const seen = await triesUntil(expected, async () => {
      const id = await deployment.append({ routingKey: KEY });
      await deployment.untilStatus(id, 'DELIVERED');
      const { events } = await runOf(id).fetchHistory();
      const timers = (events ?? []).flatMap(({ timerStartedEventAttributes: timer }) =>
        timer ? [Number(timer.startToFireTimeout?.seconds)] : [],
      );
      return [...timers, ...(await attemptsOf(id)).map(({ code }) => code)];
    });
    expect(seen).toContainEqual(expected);
    expect(await stop(relay)).toBe(0);
    expect(await stop(worker)).toBe(0);
  }, 90_000);
});

describe('SIGTERM under load', () => {
  it('to each role in turn: each exits 0, and each committed event has exactly one record', async () => {
    const start = {
      relay: () => startRelay(),
      worker: () => startWorker(),
      api: () => deployment.start('api', { OUTBOX_API_PORT: String(api.apiPort) }),
    };
    const running = { api, worker: await start.worker(), relay: await start.relay() };
    const ids: string[] = [];
    const open = () => count("outbox.delivery WHERE status IN ('PENDING', 'STARTED')");
    let appending = true;
    const load = (async () => {
      while (appending) if ((await open()) < 60) ids.push(await deployment.append({ payload: { n: ids.length } }));
    })();
    for (const role of ['relay', 'worker', 'api'] as const) {
      const before = ids.length;
      await eventually('load', async () => ids.length > before + 20 && (await open()) > 20);
      expect(await stop(running[role])).toBe(0);
      running[role] = await start[role]();
      if (role === 'api') api = running.api;
    }
    appending = false;
    await load;
    for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
    expect(await count('outbox.dead_letter WHERE event_id = ANY ($1)', ids)).toBe(0);
    const { rows } = await deployment.audit.query<{ id: string }>('SELECT event_id AS id FROM audit.record ORDER BY 1');
    const { rows: committed } = await deployment.outbox.query<{ id: string }>(
      "SELECT id::text FROM outbox.event WHERE routing_key = 'audit.log' ORDER BY 1",
    );
    expect(rows.map(({ id }) => id)).toEqual(committed.map(({ id }) => id));
    expect(await stop(running.relay)).toBe(0);
    expect(await stop(running.worker)).toBe(0);
  }, 120_000);

  it('to relay and worker in one process, which start runs eagerly: exit 0, one record each', async () => {
    const first = await deployment.start('relay,worker', environment);
    const ids = await Promise.all(Array.from({ length: 60 }, (_, i) => deployment.append({ payload: { i } })));
    await eventually('work under way', async () => (await count("outbox.delivery WHERE status = 'STARTED'")) > 0);
    expect(await stop(first)).toBe(0);
    const counters = first.lines().find(({ msg }) => msg === 'process.counters')?.counters;
    expect(counters).toMatchObject({ eager: expect.any(Number) });
    const second = await deployment.start('relay,worker', environment);
    for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
    for (const id of ids) expect(await deployment.records(id)).toBe(1);
    expect(await stop(second)).toBe(0);
  }, 90_000);
});

describe('a signal while starting', () => {
  it('is not lost: a worker that is told to stop as it comes up, stops', async () => {
    const starting = outboxCli(['worker'], { ...deployment.environment, ...environment });
    await eventually('the worker to come up', async () => starting.printed().includes('Worker state changed'));
    starting.kill('SIGTERM');
    expect(await starting.ended).toBe(0);
  }, 60_000);
});
