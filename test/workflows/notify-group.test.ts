/**
 * R24: dead letters tell people by runs of their own. Real: Temporal, PostgreSQL, workflows, activities, channels, HTTP on
 * loopback, processes that are killed. Fake: the destination (scripted) and the receivers, servers that keep what they are
 * sent.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { Notifier } from '../../src/application/delivery/notify/ports.js';
import { createLeftBehindStarter } from '../../src/application/delivery/notify/start-left-behind.js';
import type { ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { notifyRunId } from '../../src/domain/delivery/workflow-ids.js';
import { slackNotifier, webhookNotifier } from '../../src/index.js';
import { createNotificationStore } from '../../src/infrastructure/prisma/notification-store.js';
import { createNoticeStarter } from '../../src/infrastructure/temporal/notice-starter.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  createScriptedDispatcher,
  type DeliveryLine,
  type DeliveryStore,
  type LineOptions,
  silentLog,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { type RecordingServer, startRecordingServer } from '../support/recording-server.js';
import { temporalAddress } from '../support/temporal.js';
import { tenAtATime } from '../support/ten-at-a-time.js';

const allowHosts = ['127.0.0.1'];
const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const { dispatcher, script } = createScriptedDispatcher();
const refused = new IntegrationError('HTTP.CLIENT_ERROR', { status: 404 });

let store: DeliveryStore;
let hook: RecordingServer;
let slack: RecordingServer;
const lines: DeliveryLine[] = [];
beforeAll(async () => {
  store = await createDeliveryStore();
});
beforeEach(async () => {
  await store.pool.query('TRUNCATE outbox.notification');
  [hook, slack] = [await startRecordingServer(), await startRecordingServer()];
});
afterEach(async () => {
  for (const line of lines.splice(0)) await line.stop();
  await Promise.all([hook.close(), slack.close()]);
});
afterAll(() => store.close());

const channels = (): Notifier[] => [
  webhookNotifier({ url: `${hook.origin}/hook`, secret: SECRET, allowHosts }),
  slackNotifier({ webhookUrl: `${slack.origin}/services/T0/B0/XXX`, allowHosts }),
];
async function openLine(options: Partial<LineOptions> = {}): Promise<DeliveryLine> {
  const line = await createDeliveryLine({ store, dispatcher, notifiers: channels(), ...options });
  lines.push(line);
  return line;
}
/** A letter as a run writes it; the row for which that run is told to start another. */
async function die({ code = 'HTTP.CLIENT_ERROR', eventType = 'ORDER' }: { code?: ErrorCode; eventType?: string } = {}) {
  const eventId = await store.append({ eventType });
  const input = { run: { eventId, epoch: 0, carrier: null }, code, message: 'm', attempt: null };
  const answer = await store.deadLetters.recordDeadLetter({ ...input, workflowId: 'wf', runId: 'run' }, 5_000);
  return answer.kind === 'superseded' ? null : answer.notify;
}
const starterOf = ({ connection, deployment, taskQueue }: DeliveryLine, giveUpMs = 60_000) =>
  createNoticeStarter({ connection, namespace: 'default', deployment, taskQueue, giveUpMs });
const runOf = ({ client, deployment }: DeliveryLine, id: string) =>
  client.workflow.getHandle(notifyRunId({ deployment, id }));
/** By claimant: rows, rows done, outcome. */
async function claims(): Promise<{ claimed_by: string | null; n: number; done: number; outcome: object | null }[]> {
  const text = `SELECT claimed_by, count(*)::int AS n, count(done_at)::int AS done, outcome
    FROM outbox.notification GROUP BY claimed_by, outcome ORDER BY n`;
  return (await store.pool.query(text)).rows;
}
const allDone = (rows: number) =>
  eventually(`all ${rows} told`, async () => {
    const all = await claims();
    return all.reduce((sum, { done }) => sum + done, 0) === rows && all.every(({ n, done }) => n === done);
  });
const notices = (server: RecordingServer) => server.requests.map(({ body }) => JSON.parse(body).data);

describe('R24: a storm', () => {
  it('R24: 1,000 letters of one group written at once: one notice, every row told by it', async () => {
    const letters = await tenAtATime(1_000, () => die());
    const asked = letters.filter((rowId) => rowId !== null);
    const line = await openLine();
    for (const rowId of asked) await starterOf(line).start(rowId, 5_000);
    const results = await Promise.all(asked.map((rowId) => runOf(line, rowId).result()));
    expect(results.filter(({ count }) => count > 0)).toEqual([
      { count: 1_000, outcome: { webhook: 'sent', slack: 'sent' } },
    ]);
    expect(await claims()).toEqual([
      { claimed_by: expect.any(String), n: 1_000, done: 1_000, outcome: { webhook: 'sent', slack: 'sent' } },
    ]);
    expect([notices(hook).map(({ count }) => count), slack.requests.length]).toEqual([[1_000], 1]);
  });

  it('R24: while events die, notices are as many as claims, no more than runs, and tell of every row once', async () => {
    const line = await openLine({ notices: { windowMs: 300, giveUpMs: 60_000 } });
    const ids = await Promise.all(Array.from({ length: 60 }, () => store.append()));
    for (const id of ids) script(id, refused);
    await Promise.all(ids.map((id) => line.start(id)));
    await Promise.all(ids.map((id) => expect(line.run(id).result()).rejects.toThrow()));
    await allDone(60);
    const told = notices(hook).map(({ count }) => count as number);
    expect(told.toSorted()).toEqual((await claims()).map(({ n }) => n).toSorted());
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(60);
    const query = `TaskQueue = '${line.taskQueue}' AND WorkflowType = 'notifyGroup'`;
    const runs = await eventually('the runs listed', async () => {
      const { count } = await line.client.workflow.count(query);
      return count >= told.length ? count : null;
    });
    expect(runs).toBeLessThan(60);
  });

  it('R24: two groups, two notices', async () => {
    const line = await openLine();
    const types = ['ORDER', 'USER', 'ORDER', 'USER', 'ORDER', 'USER'];
    const ids = await Promise.all(types.map((eventType) => store.append({ eventType })));
    for (const id of ids) script(id, refused);
    await Promise.all(ids.map((id) => line.start(id)));
    await allDone(6);
    const told = notices(hook).map(({ eventType, count }) => [eventType, count]);
    const total = (type: string) => told.reduce((sum, [eventType, n]) => (eventType === type ? sum + n : sum), 0);
    expect([total('ORDER'), total('USER')]).toEqual([3, 3]);
    expect(slack.requests).toHaveLength(hook.requests.length);
  });
});

describe('R24: a channel', () => {
  it('R24, F28: that answers 500, 429 and nothing at all is asked again with the same id; the other hears once', async () => {
    const answers = [500, 429, 0];
    hook.answer = (response) => {
      const status = answers.shift() ?? 200;
      if (status === 0) response.destroy();
      else response.writeHead(status, status === 429 ? { 'retry-after': '1' } : {}).end();
    };
    const line = await openLine();
    const rowId = (await die()) as string;
    await starterOf(line).start(rowId, 5_000);
    expect(await runOf(line, rowId).result()).toEqual({ count: 1, outcome: { webhook: 'sent', slack: 'sent' } });
    expect(hook.requests).toHaveLength(4);
    expect(new Set(hook.requests.map(({ headers }) => headers['webhook-id']))).toEqual(
      new Set([notifyRunId({ deployment: line.deployment, id: rowId })]),
    );
    expect(slack.requests).toHaveLength(1);
  });

  it('R24: that refuses, is down or never answers is given up; what became of each stands in the rows', async () => {
    hook.answer = (response) => void response.writeHead(400).end();
    slack.answer = () => {};
    const down = slackNotifier({ webhookUrl: 'http://127.0.0.1:1/services/T0/B0/XXX', allowHosts, name: 'down' });
    const errors: { message: string; fields: object }[] = [];
    const log = { ...silentLog, error: (fields: object, message: string) => void errors.push({ message, fields }) };
    const line = await openLine({ notifiers: [...channels(), down], log });
    const rowId = (await die()) as string;
    // Longer than the delay that the server would retry a final answer after.
    await starterOf(line, 7_000).start(rowId, 5_000);
    const outcome = { webhook: 'HTTP.CLIENT_ERROR', slack: 'HTTP.TIMEOUT', down: expect.stringMatching(/^HTTP\./) };
    expect(await runOf(line, rowId).result()).toEqual({ count: 1, outcome });
    expect(await claims()).toEqual([{ claimed_by: expect.any(String), n: 1, done: 1, outcome }]);
    expect(errors).toMatchObject([
      { message: 'notice.dead_letters', fields: { notice: { count: 1 }, notTaken: outcome } },
    ]);
    expect(hook.requests).toHaveLength(1);
  });

  it('R24: that hangs delays no delivery: the run of the event has failed with its code, its letter stands', async () => {
    slack.answer = () => {};
    const line = await openLine();
    const id = await store.append();
    script(id, refused);
    await line.start(id);
    await expect(line.run(id).result()).rejects.toMatchObject({ cause: { type: 'HTTP.CLIENT_ERROR' } });
    expect(await store.delivery(id)).toMatchObject({ status: 'DEAD' });
    const [row] = await store.notifications(id);
    const run = runOf(line, row?.id);
    expect((await run.describe()).status.name).toBe('RUNNING');
    await run.terminate();
  });
});

describe('R24: left behind', () => {
  const lookerOf = (line: DeliveryLine, atOnce?: number) => {
    const deps = { store: createNotificationStore(store.pool), starter: starterOf(line), log: silentLog };
    const options = { windowMs: 0, graceMs: 0, ...(atOnce === undefined ? {} : { atOnce }) };
    const start = createLeftBehindStarter(deps, options);
    return () => start(new AbortController().signal);
  };
  const look = (line: DeliveryLine) => lookerOf(line)();

  it('R24: a group whose run was never started, and one whose run was terminated, are told by the next look', async () => {
    const line = await openLine();
    await die({ eventType: 'USER' });
    slack.answer = () => {};
    const rowId = (await die()) as string;
    await starterOf(line).start(rowId, 5_000);
    await eventually('the webhook told', async () => hook.requests.length === 1);
    await runOf(line, rowId).terminate();
    slack.answer = (response) => void response.end();
    await look(line);
    await allDone(2);
    expect(await claims()).toHaveLength(2);
    // Again, with the same id: the receiver can collapse it.
    const orders = hook.requests.filter(({ body }) => JSON.parse(body).data.eventType === 'ORDER');
    expect(new Set(orders.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('R24: a run that is on its way is left alone, and one that has told is not started again', async () => {
    const held: ServerResponse[] = [];
    slack.answer = (response) => void held.push(response);
    const line = await openLine();
    const rowId = (await die()) as string;
    await starterOf(line).start(rowId, 5_000);
    await eventually('the webhook told', async () => hook.requests.length === 1);
    await look(line);
    expect(await starterOf(line).start(rowId, 5_000)).toEqual({ kind: 'exists' });
    slack.answer = (response) => void response.end();
    for (const response of held) response.end();
    await allDone(1);
    await runOf(line, rowId).result();
    await look(line);
    expect((await runOf(line, rowId).describe()).status.name).toBe('COMPLETED');
    // Started all the same, it finds nothing to claim.
    expect(await starterOf(line).start(rowId, 5_000)).toEqual({ kind: 'started' });
    expect(await runOf(line, rowId).result()).toEqual({ count: 0, outcome: {} });
    expect(hook.requests).toHaveLength(1);
  });

  it.each([
    ['its end', 'done_at = NULL, outcome = NULL'],
    ['its claim and its end', 'done_at = NULL, outcome = NULL, claimed_by = NULL, claimed_at = NULL'],
  ])('R24: the database goes back to before a run wrote %s: it is told again, as the same notice', async (_, lost) => {
    const line = await openLine();
    const rowId = (await die()) as string;
    await starterOf(line).start(rowId, 5_000);
    await runOf(line, rowId).result();
    await store.pool.query(`UPDATE outbox.notification SET ${lost}`);
    await look(line);
    await allDone(1);
    expect(hook.requests).toHaveLength(2);
    expect(new Set(hook.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  });

  it('R24: one that is behind as many as a look takes, all on their way, is reached by the next look', async () => {
    slack.answer = () => {};
    const line = await openLine();
    const healthy = [(await die()) as string, (await die({ eventType: 'USER' })) as string];
    const mute = (await die({ eventType: 'AUTH' })) as string;
    for (const rowId of healthy) await starterOf(line).start(rowId, 5_000);
    await eventually('both claimed', async () => (await claims()).filter(({ claimed_by }) => claimed_by).length === 2);
    await starterOf(line).start(mute, 5_000);
    await eventually('all claimed', async () => (await claims()).filter(({ claimed_by }) => claimed_by).length === 3);
    await runOf(line, mute).terminate();
    const next = lookerOf(line, 2);
    await next();
    expect((await runOf(line, mute).describe()).status.name).toBe('TERMINATED');
    await next();
    expect((await runOf(line, mute).describe()).status.name).toBe('RUNNING');
    for (const rowId of [...healthy, mute]) await runOf(line, rowId).terminate();
  });
});

it('R24: a worker killed before it sends, or before it notes that it has sent: the next one goes on, as the same notice', async () => {
  // Both at once: what the server waits for before it gives an attempt up is the same time.
  await Promise.all([
    killOne({ when: 'before', eventType: 'ORDER', receiver: hook, posts: 1 }),
    killOne({ when: 'after', eventType: 'USER', receiver: slack, posts: 2 }),
  ]);
});

async function killOne({ when, eventType, receiver, posts }: KilledAt): Promise<void> {
  const line = await openLine({ run: false });
  const rowId = (await die({ eventType })) as string;
  const processFile = fileURLToPath(new URL('../support/notify-process.mjs', import.meta.url));
  const args = [processFile, store.url, temporalAddress(), line.taskQueue, `${receiver.origin}/hook`, when];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await starterOf(line).start(rowId, 5_000);
  for await (const chunk of child.stdout) if (String(chunk).includes('there')) break;
  child.kill('SIGKILL');
  await once(child, 'exit');
  const webhook = webhookNotifier({ url: `${receiver.origin}/hook`, secret: SECRET, allowHosts });
  await openLine({ deployment: line.deployment, notifiers: [webhook] });
  const outcome = { webhook: 'sent' };
  expect(await runOf(line, rowId).result()).toEqual({ count: 1, outcome });
  expect(new Set(receiver.requests.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  expect(receiver.requests).toHaveLength(posts);
  const claimant = notifyRunId({ deployment: line.deployment, id: rowId });
  expect(await claims()).toContainEqual({ claimed_by: claimant, n: 1, done: 1, outcome });
}

interface KilledAt {
  readonly when: 'before' | 'after';
  readonly eventType: string;
  readonly receiver: RecordingServer;
  readonly posts: number;
}
