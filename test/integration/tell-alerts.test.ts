/**
 * R24: alerts told by two processes' duties. Real: PostgreSQL, the lease, the channels, HTTP on loopback, a process that is
 * killed. Fake: the receivers, servers that keep what they are sent.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { AlertStore, Tellings } from '../../src/application/delivery/notify/alert-ports.js';
import type { Notifier } from '../../src/application/delivery/notify/ports.js';
import { type TellAlertsOptions, tellAlerts } from '../../src/application/delivery/notify/tell-alerts.js';
import { watchLimits } from '../../src/application/delivery/notify/watch-limits.js';
import type { Logger } from '../../src/application/delivery/ports.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { type RunningDuty, runUnderLease } from '../../src/application/delivery/run-under-lease.js';
import { slackNotifier, webhookNotifier } from '../../src/index.js';
import { createAlertStore } from '../../src/infrastructure/prisma/alert-store.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { measureBacklog } from '../../src/infrastructure/prisma/measure-backlog.js';
import { createDeliveryStore, type DeliveryStore, silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { type RecordingServer, startRecordingServer } from '../support/recording-server.js';

const allowHosts = ['127.0.0.1'];
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const BREAKER = {
  kind: 'breaker_opened',
  subject: 'audit.log',
  fields: { destination: 'audit.log', code: 'HTTP.TLS', failures: 10 },
} as const;

let store: DeliveryStore;
let alerts: AlertStore;
let hook: RecordingServer;
let slack: RecordingServer;
const duties: RunningDuty[] = [];

beforeAll(async () => {
  store = await createDeliveryStore();
  alerts = createAlertStore(store.pool);
});
beforeEach(async () => {
  await store.pool.query('TRUNCATE outbox.alert, outbox.lease');
  [hook, slack] = [await startRecordingServer(), await startRecordingServer()];
});
afterEach(async () => {
  await Promise.all(duties.splice(0).map((duty) => duty.stop()));
  await Promise.all([hook.close(), slack.close()]);
});
afterAll(() => store.close());

const channels = (): Notifier[] => [
  webhookNotifier({ url: `${hook.origin}/hook`, secret: SECRET, allowHosts }),
  slackNotifier({ webhookUrl: `${slack.origin}/services/T0/B0/XXX`, allowHosts }),
];

/** As one process of the deployment. */
function startTelling(options: TellAlertsOptions = {}, notifiers = channels(), log: Logger = silentLog) {
  const deps = {
    alerts: createAlertStore(store.pool),
    notifiers,
    routes: {},
    links: { deployment: 'test', monitorUrl: null },
    context: { log, time: systemTime },
  };
  const duty = runUnderLease(
    { leases: createLeaseStore(store.pool), time: systemTime, log: silentLog },
    {
      name: 'alerts',
      everyMs: 5,
      leaseMs: 5_000,
      turn: (hold, signal) => tellAlerts(deps, hold, signal, { retryMs: 1, ...options }),
    },
  );
  duties.push(duty);
  return duty;
}
interface Row {
  readonly tellings: Tellings;
  readonly told: boolean;
  readonly told_over: boolean;
}
const row = () =>
  store.one<Row>(
    'SELECT tellings, told_at >= since AS told, coalesce(told_over_at >= over_at, false) AS told_over FROM outbox.alert',
  );
const untilTold = () => eventually('the alert told', async () => (await row()).told);
const untilOver = () => eventually('its end told', async () => (await row()).told_over);
const kinds = (server: RecordingServer) => server.requests.map(({ body }) => JSON.parse(body).type);

it('R24: raised by two roles, with two tellers: each channel is told once, and once when it is over', async () => {
  startTelling();
  startTelling();
  await Promise.all([alerts.raise(BREAKER), createAlertStore(store.pool).raise(BREAKER)]);
  await untilTold();
  await alerts.raise(BREAKER);
  await alerts.end(BREAKER);
  await untilOver();
  expect(kinds(hook)).toEqual(['temporal-outbox.breaker_opened.v1', 'temporal-outbox.breaker_closed.v1']);
  expect(slack.requests).toHaveLength(2);
  expect(JSON.parse(hook.requests[0]?.body ?? '').data).toMatchObject({ destination: 'audit.log', code: 'HTTP.TLS' });
});

it('R24, F28: a channel that answers 500, 429 and nothing is tried again, as the same notice; the other is told once', async () => {
  const answers = [500, 429, 0, 200];
  hook.answer = (response) => {
    const status = answers.shift() ?? 200;
    if (status === 0) response.destroy();
    else response.writeHead(status, status === 429 ? { 'retry-after': '1' } : {}).end();
  };
  startTelling();
  await alerts.raise(BREAKER);
  await untilTold();
  expect((await row()).tellings).toMatchObject({ webhook: { raised: { state: 'sent', tries: 4 } } });
  expect(hook.requests).toHaveLength(4);
  expect(new Set(hook.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(slack.requests).toHaveLength(1);
  expect((await row()).tellings).toMatchObject({
    webhook: { raised: { state: 'sent', tries: 4 } },
    slack: { raised: { state: 'sent', tries: 1 } },
  });
});

it('R24: a channel that refuses is given up at once, one that is down after its time; neither is told that it is over', async () => {
  hook.answer = (response) => void response.writeHead(400).end();
  const down = slackNotifier({ webhookUrl: 'http://127.0.0.1:1/services/T0/B0/XXX', allowHosts, name: 'down' });
  startTelling({ giveUpMs: 50 }, [...channels(), down]);
  await alerts.raise(BREAKER);
  await untilTold();
  await alerts.end(BREAKER);
  await untilOver();
  expect((await row()).tellings).toMatchObject({
    webhook: { raised: { state: 'given_up', tries: 1, code: 'HTTP.CLIENT_ERROR' } },
    slack: { raised: { state: 'sent' }, over: { state: 'sent' } },
    down: { raised: { state: 'given_up', code: expect.stringMatching(/^HTTP\./) } },
  });
  const { webhook, down: lost } = (await row()).tellings;
  expect([webhook?.over, lost?.over]).toEqual([undefined, undefined]);
  expect(hook.requests).toHaveLength(1);
});

it('R24: what every channel gave up is an error in the log, and told anew later, until one takes it or it is over', async () => {
  hook.answer = (response) => void response.writeHead(404).end();
  slack.answer = (response) => void response.writeHead(410).end();
  const errors: { fields: object; message: string }[] = [];
  const log = { ...silentLog, error: (fields: object, message: string) => void errors.push({ fields, message }) };
  const inLog = () => errors.filter(({ message }) => message === 'notice.breaker_opened');
  startTelling({ anewMs: 300 }, channels(), log);
  await alerts.raise(BREAKER);
  await eventually('said in the log twice', async () => inLog().length >= 2);
  expect(inLog()[0]?.fields).toMatchObject({
    notice: { title: 'Breaker open: audit.log' },
    notTaken: { webhook: 'HTTP.CLIENT_ERROR', slack: 'HTTP.CLIENT_ERROR' },
  });
  expect((await row()).told).toBe(null);
  slack.answer = (response) => void response.writeHead(200).end('ok');
  await untilTold();
  // A channel has it: the others are given up for good.
  expect((await row()).tellings).toMatchObject({
    webhook: { raised: { state: 'given_up' } },
    slack: { raised: { state: 'sent' } },
  });
  await alerts.end(BREAKER);
  await untilOver();
  expect(slack.requests.at(-1)?.body).toContain('Breaker closed');
});

it('R24: over before it is told anew: nobody is told of its end', async () => {
  for (const server of [hook, slack]) server.answer = (response) => void response.writeHead(404).end();
  const errors: string[] = [];
  const log = { ...silentLog, error: (_: object, message: string) => void errors.push(message) };
  startTelling({}, channels(), log);
  await alerts.raise(BREAKER);
  await eventually('said in the log', async () => errors.includes('notice.breaker_opened'));
  const before = [hook.requests.length, slack.requests.length];
  await alerts.end(BREAKER);
  await untilOver();
  expect([hook.requests.length, slack.requests.length]).toEqual(before);
  expect(errors.filter((message) => message.startsWith('notice.'))).toEqual(['notice.breaker_opened']);
});

it('R24: over before anybody was told: nobody is', async () => {
  await alerts.raise(BREAKER);
  await alerts.end(BREAKER);
  startTelling();
  await untilOver();
  expect([hook.requests, slack.requests]).toEqual([[], []]);
});

async function killTeller(when: 'before' | 'after'): Promise<void> {
  const script = fileURLToPath(new URL('../support/alerts-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, store.url, `${hook.origin}/hook`, when], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const chunk of child.stdout) if (String(chunk).includes('there')) break;
  child.kill('SIGKILL');
  await once(child, 'exit');
  // The time after which a try counts as lost.
  await store.pool.query(`UPDATE outbox.alert SET tell_from = now()`);
}

it.each([
  ['before', 1],
  ['after', 2],
] as const)('R24: the teller killed %s it has sent: the next one tells it, as the same notice', async (when, posts) => {
  await alerts.raise(BREAKER);
  await killTeller(when);
  startTelling({}, [channels()[0] as Notifier]);
  await untilTold();
  expect(hook.requests).toHaveLength(posts);
  expect(new Set(hook.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect((await row()).tellings).toMatchObject({ webhook: { raised: { state: 'sent', tries: 2 } } });
});

describe('R24: limits', () => {
  const look = (lagSeconds: number, backlog: number) =>
    watchLimits({ measure: () => measureBacklog(store.pool), alerts, log: silentLog }, { lagSeconds, backlog });
  const open = async () => {
    const { rows } = await store.pool.query(
      'SELECT kind, fields FROM outbox.alert WHERE over_at IS NULL ORDER BY kind',
    );
    return rows;
  };
  beforeEach(() => store.pool.query('DELETE FROM outbox.delivery'));

  it('R24: what is due is measured against them; what is put off, running or done is not due', async () => {
    const [old, later, started] = [
      await store.append({ status: 'PENDING' }),
      await store.append({ status: 'PENDING' }),
      await store.append({ status: 'STARTED' }),
    ];
    const due = `UPDATE outbox.delivery SET due_at = now() - interval '1 hour' WHERE event_id = ANY ($1)`;
    await store.pool.query(due, [[old, started]]);
    await store.pool.query(`UPDATE outbox.delivery SET due_at = now() + interval '1 hour' WHERE event_id = $1`, [
      later,
    ]);
    await look(300, 1);
    expect(await open()).toEqual([
      { kind: 'lag_over_limit', fields: { lagSeconds: expect.any(Number), limitSeconds: 300 } },
    ]);
    await store.pool.query(`UPDATE outbox.delivery SET due_at = now() WHERE event_id = $1`, [later]);
    await look(0, 1);
    expect(await open()).toEqual([{ kind: 'backlog_over_limit', fields: { backlog: 2, limit: 1 } }]);
    await look(86_400, 10);
    expect(await open()).toEqual([]);
  });

  it('R24: refused starts are over when no relay has told of one for two minutes', async () => {
    await alerts.raise({ kind: 'relay_batch_failed', subject: '', fields: { reason: 'UNAVAILABLE', count: 3 } });
    await look(300, 10);
    expect(await open()).toHaveLength(1);
    await store.pool.query(`UPDATE outbox.alert SET last_at = now() - interval '121 seconds'`);
    await look(300, 10);
    expect(await open()).toEqual([]);
  });

  it('R24: refused starts are over although what waits cannot be measured', async () => {
    await alerts.raise({ kind: 'relay_batch_failed', subject: '', fields: { reason: 'UNAVAILABLE', count: 3 } });
    await store.pool.query(`UPDATE outbox.alert SET last_at = now() - interval '121 seconds'`);
    const measure = () => measureBacklog(store.pool, Number.NaN);
    await expect(watchLimits({ measure, alerts, log: silentLog }, { lagSeconds: 300, backlog: 10 })).rejects.toThrow();
    expect(await open()).toEqual([]);
  });

  it('R19, R24: events that were not found are over when none was for ten minutes', async () => {
    const fields = { taskQueue: 'outbox-main' };
    await alerts.raise({ kind: 'event_not_found', subject: 'outbox-main', fields });
    await store.pool.query(`UPDATE outbox.alert SET last_at = now() - interval '599 seconds'`);
    await look(300, 10);
    expect(await open()).toEqual([{ kind: 'event_not_found', fields }]);
    await store.pool.query(`UPDATE outbox.alert SET last_at = now() - interval '601 seconds'`);
    await look(300, 10);
    expect(await open()).toEqual([]);
  });
});
