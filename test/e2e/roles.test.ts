// Real: api, relay and worker as processes of the built command line, PostgreSQL, Temporal, HTTP between them.
// Fake: the second destination, a scripted HTTP server behind httpHandler.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import pg from 'pg';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, outboxCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, type TestDeployment } from '../support/roles.js';
import { type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';

const KEY = 'test.partner';
let deployment: TestDeployment;
let destination: ScriptedDestination;
let folder: string;
let configFile: string;
let api: StartedProcess;
let connection: Connection;
let client: Client;
/** With where the audit log is. */
let environment: Record<string, string>;

beforeAll(async () => {
  deployment = await createTestDeployment();
  destination = await startScriptedDestination();
  folder = await mkdtemp(join(tmpdir(), 'outbox-roles-'));
  configFile = join(folder, 'temporal-outbox.config.ts');
  const entry = new URL('../../dist/src/index.js', import.meta.url).href;
  await writeFile(
    configFile,
    `import { defineConfig, httpHandler } from ${JSON.stringify(entry)};
export default defineConfig({ handlers: [httpHandler({ routingKey: '${KEY}', url: '${destination.url}' })] });\n`,
  );
  api = await deployment.start('api');
  environment = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });
}, 60_000);

afterAll(async () => {
  endLeftoverCli();
  await destination.close();
  await connection.close();
  await deployment.drop();
  await rm(folder, { recursive: true, force: true });
});

const worker = () => deployment.start('worker', environment, ['--config', configFile]);
const relay = (more: Record<string, string> = {}) => deployment.start('relay', { ...environment, ...more });
const stop = async (process: StartedProcess, signal: NodeJS.Signals = 'SIGTERM') => {
  process.kill(signal);
  return process.ended;
};
const runOf = (id: string): WorkflowHandle => client.workflow.getHandle(`${deployment.name}:${id}:0`);
const attemptsOf = async (id: string) =>
  (
    await deployment.outbox.query(
      'SELECT n, local, code, finished_at IS NOT NULL AS finished FROM outbox.delivery_attempt WHERE event_id = $1 ORDER BY n',
      [id],
    )
  ).rows;

describe('the line through separate processes', () => {
  it('delivers what commits, nothing of what is rolled back, and a late commit of an early event', async () => {
    const [w, r] = [await worker(), await relay()];
    const late = new pg.Client({ connectionString: deployment.databases.outboxUrl });
    await late.connect();
    try {
      const event = (n: string) =>
        JSON.stringify({ eventName: 'a.b.c.v1', eventType: 'AUTH', aggregate: { type: 'user', id: n }, payload: {} });
      await late.query('BEGIN');
      const early = (await late.query('SELECT outbox.record_event($1) AS id', [event('early')])).rows[0].id as string;

      await deployment.outbox.query('BEGIN; SELECT 1; ROLLBACK');
      const other = await deployment.outbox.connect();
      await other.query('BEGIN');
      const rolledBack = (await other.query('SELECT outbox.record_event($1) AS id', [event('gone')])).rows[0]
        .id as string;
      await other.query('ROLLBACK');
      other.release();

      const after = await deployment.append({ aggregate: { type: 'user', id: 'after' } });
      await deployment.untilStatus(after, 'DELIVERED');
      expect(await deployment.status(early)).toBeNull();
      await late.query('COMMIT');
      await deployment.untilStatus(early, 'DELIVERED');
      expect(await deployment.records(early)).toBe(1);
      expect(await deployment.records(after)).toBe(1);
      expect([await deployment.status(rolledBack), await deployment.records(rolledBack)]).toEqual([null, 0]);
    } finally {
      await late.end();
    }
    expect(await stop(r)).toBe(0);
    expect(await stop(w)).toBe(0);
  }, 90_000);

  for (const point of ['after-claim', 'after-start-before-mark']) {
    it(`R7: a relay killed ${point} is taken over when its lease is over; the event is delivered once`, async () => {
      const w = await worker();
      const dying = outboxCli(['relay'], {
        ...deployment.environment,
        ...environment,
        OUTBOX_LEASE_MS: '5000',
        OUTBOX_START_TIMEOUT_MS: '500',
        OUTBOX_TEST_FAILPOINT: point,
      });
      const id = await deployment.append({ routingKey: KEY });
      expect(await dying.ended).toBe('SIGKILL');
      const second = await relay();
      await deployment.untilStatus(id, 'DELIVERED');
      expect(destination.seen.filter(({ key }) => key === id)).toHaveLength(1);
      await eventually('the run closed', async () => (await runOf(id).describe()).status.name === 'COMPLETED');
      expect(await stop(second)).toBe(0);
      expect(await stop(w)).toBe(0);
    }, 90_000);
  }

  it('R11: a worker killed in an attempt leaves ATTEMPT_LOST, and the event is delivered by the next one', async () => {
    const r = await relay();
    const first = await worker();
    let held = 0;
    destination.answer((_, response) => {
      held += 1;
      if (held > 1) response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"second"}');
    });
    const id = await deployment.append({ routingKey: KEY });
    await eventually('the request at the destination', async () => held > 0);
    expect(await stop(first, 'SIGKILL')).toBe('SIGKILL');
    const second = await worker();
    await deployment.untilStatus(id, 'DELIVERED');
    expect(await attemptsOf(id)).toEqual([
      { n: 1, local: true, code: 'DELIVERY.ATTEMPT_LOST', finished: true },
      { n: 2, local: false, code: null, finished: true },
    ]);
    expect(held).toBe(2);
    expect(await stop(second)).toBe(0);
    expect(await stop(r)).toBe(0);
  }, 90_000);

  it("a slow destination does not slow another's events; R13: a first retry waits what a 429 asked for", async () => {
    const [w, r] = [await worker(), await relay()];
    const waiting: (() => void)[] = [];
    destination.answer((request, response) => {
      const answer = () =>
        response.writeHead(201, { 'content-type': 'application/json' }).end(`{"id":"${request.key}"}`);
      if (request.body.includes('"slow"')) waiting.push(answer);
      else if (
        request.body.includes('"limited"') &&
        destination.seen.filter(({ key }) => key === request.key).length === 1
      ) {
        response.writeHead(429, { 'retry-after': '2' }).end();
      } else answer();
    });
    const slow = await deployment.append({ routingKey: KEY, payload: { kind: 'slow' } });
    const limited = await deployment.append({ routingKey: KEY, payload: { kind: 'limited' } });
    await eventually('the slow request', async () => waiting.length > 0);
    const others = await Promise.all(Array.from({ length: 30 }, (_, i) => deployment.append({ payload: { i } })));
    for (const id of others) await deployment.untilStatus(id, 'DELIVERED');
    expect(await deployment.status(slow)).toBe('STARTED');
    // The first attempt of the slow one runs out of its 2 s; the regular one is held as well, until now.
    await eventually('an attempt that is held', async () => {
      for (const answer of waiting.splice(0)) answer();
      return (await deployment.status(slow)) === 'DELIVERED';
    });
    await deployment.untilStatus(limited, 'DELIVERED');
    const { events = [] } = await runOf(limited).fetchHistory();
    const timers = events?.flatMap(({ timerStartedEventAttributes: timer }) =>
      timer ? [Number(timer.startToFireTimeout?.seconds)] : [],
    );
    expect(timers).toEqual([2]);
    expect(await stop(r)).toBe(0);
    expect(await stop(w)).toBe(0);
  }, 90_000);

  it('R8, R17: a final refusal ends as one dead letter and a Failed run with its code; nothing else of it is in Temporal', async () => {
    const [w, r] = [await worker(), await relay()];
    destination.answer((_, response) => response.writeHead(422).end('{"why":"hush-answer"}'));
    const id = await deployment.append({ routingKey: KEY, tenantId: 'acme', payload: { marker: 'hush-payload' } });
    await deployment.untilStatus(id, 'DEAD');
    const failure = await runOf(id)
      .result()
      .then(
        () => null,
        (error: { cause?: { type?: string; message?: string } }) => error.cause,
      );
    expect(failure).toMatchObject({ type: 'HTTP.CLIENT_ERROR', message: 'The destination refused the request' });
    const description = await eventually('search attributes', async () => {
      const found = await runOf(id).describe();
      return found.status.name === 'FAILED' ? found : null;
    });
    expect(description.searchAttributes).toMatchObject({
      OutboxEventName: ['order.order.placed.v1'],
      OutboxEventType: ['ORDER'],
      OutboxTenantId: ['acme'],
      OutboxErrorCode: ['HTTP.CLIENT_ERROR'],
    });
    const { rows } = await deployment.outbox.query(
      'SELECT code, retry_count, state, response FROM outbox.dead_letter WHERE event_id = $1',
      [id],
    );
    expect(rows).toEqual([
      expect.objectContaining({
        code: 'HTTP.CLIENT_ERROR',
        retry_count: 1,
        state: 'open',
        response: expect.objectContaining({ status: 422 }),
      }),
    ]);
    const history = JSON.stringify(await runOf(id).fetchHistory());
    expect(history).not.toContain('hush');
    expect(Buffer.from(history).toString()).not.toContain(Buffer.from('hush-payload').toString('base64').slice(0, 12));
    expect(await stop(r)).toBe(0);
    expect(await stop(w)).toBe(0);
    const lines = [...w.lines(), ...r.lines()];
    expect(lines.filter(({ msg, eventId }) => msg === 'delivery.attempted' && eventId === id)).toHaveLength(1);
    expect(lines.filter(({ msg, eventId }) => msg === 'delivery.dead' && eventId === id)).toHaveLength(1);
    const all = w.printed() + r.printed() + api.printed();
    for (const secret of ['hush', deployment.auditApiKey, 'ab'.repeat(32)]) expect(all).not.toContain(secret);
  }, 90_000);

  it('SIGTERM to each role under load: every process exits 0, every event has exactly one record', async () => {
    let processes = { worker: await worker(), relay: await relay() };
    const ids: string[] = [];
    let appending = true;
    const load = (async () => {
      for (let i = 0; appending; i += 1) {
        ids.push(await deployment.append({ payload: { i } }));
        await new Promise((resolve) => setImmediate(resolve));
        if (ids.length >= 400) appending = false;
      }
    })();
    for (const role of ['relay', 'worker'] as const) {
      const before = ids.length;
      await eventually('more events', async () => ids.length > before + 50 || !appending);
      expect(await stop(processes[role])).toBe(0);
      processes = { ...processes, [role]: role === 'relay' ? await relay() : await worker() };
    }
    appending = false;
    await load;
    for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
    const { rows } = await deployment.audit.query(
      'SELECT event_id, count(*)::int AS n FROM audit.record WHERE event_id = ANY ($1) GROUP BY event_id',
      [ids],
    );
    expect(rows.filter(({ n }) => n === 1)).toHaveLength(ids.length);
    const { rows: dead } = await deployment.outbox.query(
      "SELECT event_id FROM outbox.delivery WHERE status = 'DEAD' AND event_id = ANY ($1)",
      [ids],
    );
    expect(dead).toEqual([]);
    expect(await stop(processes.relay)).toBe(0);
    expect(await stop(processes.worker)).toBe(0);
  }, 120_000);
});

describe('a role that must not start', () => {
  it('R1: refuses another deployment than the one that the database holds', async () => {
    const { code, printed } = await runOutboxCli(['relay'], { ...deployment.environment, OUTBOX_DEPLOYMENT: 'other' });
    expect(code).toBe(78);
    expect(printed).toContain(`belongs to deployment "${deployment.name}"`);
  });

  it('B29: names every problem of the configuration at once and starts nothing', async () => {
    const { code, printed } = await runOutboxCli(['worker'], {
      OUTBOX_DATABASE_URL: 'mysql://root:hunter2@x/y',
      OUTBOX_BATCH: 'many',
      OUTBOX_BACTH: '5',
      AUDIT_NOTHING: '1',
    });
    expect(code).toBe(78);
    expect(printed).toContain('OUTBOX_DATABASE_URL: expected postgresql://');
    expect(printed).toContain('OUTBOX_BATCH: expected a whole number from 1 to 1000, got "many"');
    expect(printed).toContain('OUTBOX_BACTH: unknown; did you mean OUTBOX_BATCH?');
    expect(printed).toContain('AUDIT_NOTHING: unknown');
    expect(printed).toContain('OUTBOX_AUDIT_API_KEY: missing (worker)');
    expect(printed).not.toContain('hunter2');
  });

  it('R8: names a namespace that is not there, and a missing search attribute; nothing is dead, nothing is spent', async () => {
    const id = await deployment.append({});
    const wrong = await runOutboxCli(['relay'], { ...deployment.environment, TEMPORAL_NAMESPACE: 'nowhere' });
    expect([wrong.code, wrong.printed]).toEqual([1, expect.stringContaining('namespace "nowhere"')]);
    const missing = await runOutboxCli(['relay'], {
      ...deployment.environment,
      OUTBOX_SEARCH_ATTRIBUTES: 'require',
      OUTBOX_SEARCH_ATTRIBUTE_PREFIX: 'Nobody',
    });
    expect([missing.code, missing.printed]).toEqual([1, expect.stringContaining('NobodyEventName')]);
    expect(await deployment.status(id)).toBe('PENDING');
    expect(await attemptsOf(id)).toEqual([]);
  });

  it('says that a database is not migrated', async () => {
    const { code, printed } = await runOutboxCli(['relay'], {
      ...deployment.environment,
      OUTBOX_DATABASE_URL: deployment.databases.auditUrl,
    });
    expect([code, printed]).toEqual([78, expect.stringContaining('outbox migrate deploy')]);
  });
});
