/**
 * Thousands of events at a destination that fails: how few of them end, how people hear of it, and that others do not wait.
 * Real: api, relay and worker as processes of the built command line, PostgreSQL, Temporal, HTTP and TLS. Fake: the
 * destinations and the receivers of notices, servers that answer by a script.
 */
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { rampLimit } from '../../src/domain/delivery/breaker.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { type RecordingServer, startRecordingServer } from '../support/recording-server.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';

const WINDOW_MS = 3_000;
const HERD = { initialMs: 100, maximumMs: 2_000 };
let deployment: TestDeployment;
let partner: ScriptedDestination;
let secure: Server;
let hook: RecordingServer;
let slack: RecordingServer;
let sentry: RecordingServer;
let roles: StartedProcess;
let connection: Connection;
let client: Client;

beforeAll(async () => {
  deployment = await createTestDeployment();
  partner = await startScriptedDestination();
  hook = await startRecordingServer();
  slack = await startRecordingServer();
  sentry = await startRecordingServer();
  secure = createServer(certificate('renewed'), (request, response) => {
    request.resume().on('end', () => {
      const key = String(request.headers['idempotency-key']);
      if (refusedKeys.has(key)) response.writeHead(422).end();
      else accept({ key, body: '' }, response);
    });
  });
  await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve));
  const secureUrl = `https://127.0.0.1:${(secure.address() as AddressInfo).port}/`;
  const config = await deployment.configFile(
    `httpHandler({ routingKey: 'test.partner', url: '${partner.url}' }),
     httpHandler({ routingKey: 'test.secure', url: '${secureUrl}' })`,
    `policies: {
       HERD: { maxAttempts: 100, backoff: { kind: 'full-jitter', initialMs: ${HERD.initialMs}, maximumMs: ${HERD.maximumMs} } },
       SECURE: { codes: { 'HTTP.TLS': 'final' } },
     },
     notifiers: [
       webhookNotifier({ url: '${hook.origin}/hook', secret: '${SECRET}', allowHosts: ['127.0.0.1'] }),
       slackNotifier({ webhookUrl: '${slack.origin}/services/T0/B0/X', allowHosts: ['127.0.0.1'] }),
       sentryNotifier({ dsn: 'http://key@127.0.0.1:${sentry.port}/42', release: 'shop@1', allowHosts: ['127.0.0.1'] }),
     ]`,
  );
  roles = await deployment.start(
    'relay,worker',
    {
      OUTBOX_BREAKER_OPEN_MS: '300',
      OUTBOX_NOTICE_WINDOW_MS: String(WINDOW_MS),
      NODE_EXTRA_CA_CERTS: fileURLToPath(pem('authority.cert')),
    },
    ['--config', config],
  );
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });
}, 60_000);
afterAll(async () => {
  await endLeftoverCli();
  await connection?.close();
  for (const receiver of [hook, slack, sentry]) await receiver?.close();
  secure?.closeAllConnections();
  secure?.close();
  await partner?.close();
  await deployment?.drop();
});

const SECRET = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
const refusedKeys = new Set<string>();

const rows = async (text: string, ...values: unknown[]) => (await deployment.outbox.query(text, values)).rows;
const count = async (from: string, ...values: unknown[]): Promise<number> =>
  (await rows(`SELECT count(*)::int AS n FROM ${from}`, ...values))[0].n;
const open = (type: string) =>
  count(`outbox.delivery WHERE event_type = $1 AND status IN ('PENDING', 'STARTED')`, type);
/** In one transaction. */
async function append(type: string, n: number, routingKey = 'test.partner'): Promise<string[]> {
  const event = { eventName: 'a.b.c.v1', eventType: type, routingKey, aggregate: { type: 'a', id: '1' }, payload: {} };
  const text = 'SELECT outbox.record_events(jsonb_agg($1::jsonb)) AS id FROM generate_series(1, $2::int)';
  return (await rows(text, JSON.stringify(event), n)).map(({ id }) => id as string);
}
const breaker = async (name: string) =>
  (await rows('SELECT breaker, generation FROM outbox.destination WHERE name = $1', name))[0] ?? {
    breaker: 'closed',
    generation: 0,
  };
const all = (what: string, done: () => Promise<boolean>) => eventually(what, done, 90_000);

it('F19: down for all, then for a tenth: delays are jittered, it recovers without a herd, all is delivered', async () => {
  const events = 120;
  const answerMs = 200; // as long as an answer takes: calls are under way at once
  let healed = false;
  let recovered: number | null = null;
  let answers = 0;
  let underWay = 0;
  const beyondRamp: object[] = [];
  const answer = (request: { key: string; body: string }, response: ServerResponse) => {
    if (recovered === null) {
      if (healed) recovered = performance.now(); // the trial's
      return void (healed ? accept(request, response) : response.writeHead(503).end());
    }
    underWay += 1;
    // What it admits grows with the time since it closed, which is later than this.
    const most = rampLimit(performance.now() - recovered);
    if (underWay > most) beyondRamp.push({ underWay, most });
    answers += 1;
    const tenth = answers % 10 === 0;
    setTimeout(() => {
      underWay -= 1;
      if (tenth) response.writeHead(503).end();
      else accept(request, response);
    }, answerMs);
  };
  partner.answer(answer);
  const ids = await append('HERD', events);
  await eventually('a trial that failed', async () => (await breaker('test.partner')).generation >= 3);
  healed = true;
  await all('all delivered', async () => (await open('HERD')) === 0);
  expect(await count(`outbox.delivery WHERE event_type = 'HERD' AND status = 'DELIVERED'`)).toBe(ids.length);
  expect(await breaker('test.partner')).toMatchObject({ breaker: 'closed' });
  expect(beyondRamp).toEqual([]);

  const delays = await rows(
    `SELECT n, delay_ms::int AS delay FROM outbox.delivery_attempt
     WHERE event_id = ANY ($1) AND code IN ('HTTP.SERVER_ERROR', 'HTTP.TIMEOUT', 'HTTP.NETWORK') AND delay_ms IS NOT NULL`,
    ids,
  );
  // As many open the breaker; how many more fail before it does is the machine's speed.
  expect(delays.length).toBeGreaterThanOrEqual(10);
  for (const { n, delay } of delays) {
    expect(delay).toBeLessThanOrEqual(Math.min(HERD.maximumMs, HERD.initialMs * 2 ** (n - 1)));
  }
  expect(new Set(delays.map(({ delay }) => delay)).size).toBeGreaterThan(delays.length / 4);
}, 120_000);

it('F28, R24: hundreds die while Slack hangs and Sentry is down: one notice a window, nobody else waits, no run fails for it', async () => {
  const storm = 400;
  // Beside them the alerts about the breaker of the test before may still be told.
  const ofThis = ({ requests }: RecordingServer) => requests.filter(({ body }) => body.includes('STORM'));
  const tries = { slack: 0, sentry: 0 };
  slack.answer = (response) => {
    if (slack.requests.at(-1)?.body.includes('STORM')) tries.slack += 1;
    if (tries.slack === 1) return; // hangs
    response.writeHead(tries.slack === 2 ? 429 : 200, tries.slack === 2 ? { 'retry-after': '1' } : {}).end('ok');
  };
  sentry.answer = (response) => {
    if (sentry.requests.at(-1)?.body.includes('STORM')) tries.sentry += 1;
    response.writeHead(tries.sentry === 1 ? 503 : 200).end('{}');
  };
  partner.answer((request, response) => {
    if (JSON.parse(request.body).type === 'STORM') response.writeHead(422).end();
    else accept(request, response);
  });
  const ids = await append('STORM', storm);
  await all('the storm', async () => (await open('STORM')) < storm - 100);
  const calm = await append('CALM', 30);
  await all('the others', async () => (await open('CALM')) === 0);
  expect(await count(`outbox.delivery WHERE event_id = ANY ($1) AND status = 'DELIVERED'`, calm)).toBe(30);

  await all('all of it dead', async () => (await open('STORM')) === 0);
  const ends = `SELECT event_type AS type FROM outbox.delivery WHERE event_type IN ('STORM', 'CALM') GROUP BY 1 ORDER BY max(settled_at)`;
  expect((await rows(ends)).map(({ type }) => type)).toEqual(['CALM', 'STORM']); // delivered in the middle of it
  expect(await count(`outbox.dead_letter WHERE event_id = ANY ($1) AND state = 'open'`, ids)).toBe(storm);
  const ofStorm = `outbox.notification WHERE event_type = 'STORM'`;
  await all('all of it told', async () => (await count(`${ofStorm} AND done_at IS NOT NULL`)) === storm);
  const claims = await rows(
    `SELECT count(*)::int AS n, max(claimed_at) AS at, min(created_at) AS first, max(created_at) AS last, min(outcome::text) AS outcome
     FROM ${ofStorm} GROUP BY claimed_by ORDER BY 2`,
  );
  for (const { at, first, outcome } of claims) {
    expect(at.getTime() - first.getTime()).toBeGreaterThanOrEqual(WINDOW_MS);
    expect(JSON.parse(outcome)).toEqual({ webhook: 'sent', slack: 'sent', sentry: 'sent' });
  }
  const lastedMs = claims.at(-1).last.getTime() - claims[0].first.getTime();
  expect(claims.length).toBeLessThanOrEqual(Math.floor(lastedMs / WINDOW_MS) + 1);
  const told = ofThis(hook).map(({ body }) => JSON.parse(body).data.count);
  expect(told).toEqual(claims.map(({ n }) => n));
  const shown = ofThis(slack).map(({ body }) => JSON.parse(body));
  expect(shown.filter(({ text, blocks }) => typeof text === 'string' && Array.isArray(blocks))).toHaveLength(
    claims.length + 2,
  );
  expect(ofThis(sentry).filter(({ body }) => body.includes('"fingerprint"'))).toHaveLength(claims.length + 1);

  const runs = async (query: string) =>
    (await client.workflow.count(`TaskQueue = 'outbox-${deployment.name}' AND ${query}`)).count;
  await all('every run closed', async () => (await runs(`ExecutionStatus = 'Running'`)) === 0);
  expect(await runs(`WorkflowType = 'notifyGroup' AND ExecutionStatus != 'Completed'`)).toBe(0);
  const dead = `WorkflowType = 'deliverEvent' AND ExecutionStatus = 'Failed'`;
  expect([await runs(dead), await runs(`${dead} AND OutboxErrorCode = 'HTTP.CLIENT_ERROR'`)]).toEqual([storm, storm]);
}, 180_000);

it('R19: a certificate expires with 5,000 events waiting: tens die, the rest waits, and exactly those who died are offered', async () => {
  // Before it: one delivered, and one dead for a reason of its own. It was not just now.
  const [refused, fine] = (await append('SECURE', 2, 'test.secure')) as [string, string];
  refusedKeys.add(refused);
  await deployment.untilStatus(fine, 'DELIVERED');
  await deployment.untilStatus(refused, 'DEAD');
  await eventually('the success told', async () => (await rows(SUCCESS)).length > 0);
  secure.setSecureContext(certificate('expired'));
  secure.closeAllConnections();
  await rows(
    `UPDATE outbox.destination SET last_success_at = last_success_at - interval '10 min' WHERE name = 'test.secure'`,
  );

  const ids = await append('SECURE', 5_000, 'test.secure');
  const before = (await breaker('test.secure')).generation;
  const dead = () => count('outbox.dead_letter WHERE event_id = ANY ($1)', ids);
  await all('open, and a trial that failed', async () => (await breaker('test.secure')).generation >= before + 3);
  await all('a letter', async () => (await dead()) > 0);
  expect(await dead()).toBeLessThanOrEqual(40);
  expect(await open('SECURE')).toBeGreaterThanOrEqual(ids.length - 40);

  // A run takes its time here: of those that no relay has looked at yet all but some are for tomorrow.
  await rows(
    `UPDATE outbox.delivery SET due_at = now() + interval '1 day' WHERE event_id = ANY (ARRAY(
       SELECT event_id FROM outbox.delivery WHERE event_type = 'SECURE' AND status = 'PENDING' AND lease_token IS NULL
       ORDER BY due_at OFFSET 150 FOR UPDATE SKIP LOCKED))`,
  );
  secure.setSecureContext(certificate('renewed'));
  await all('closed', async () => (await breaker('test.secure')).breaker === 'closed');
  const today = `outbox.delivery WHERE event_id = ANY ($1) AND due_at < now() + interval '12 hours'`;
  await all(
    'what waited delivered',
    async () => (await count(`${today} AND status IN ('PENDING', 'STARTED')`, ids)) === 0,
  );

  const dlq = async (...args: string[]) => {
    const outbox = { OUTBOX_DATABASE_URL: deployment.databases.outboxUrl };
    const { code, stdout, printed } = await runOutboxCli(['dlq', ...args, '--json'], outbox);
    if (code !== 0) throw new Error(printed);
    return JSON.parse(stdout);
  };
  const killed = await dead();
  expect(killed).toBeLessThanOrEqual(40);
  expect(await dlq('redrive', '--outage', 'test.secure', '--dry-run')).toMatchObject({
    count: killed,
    groups: [{ destination: 'test.secure', eventType: 'SECURE', code: 'HTTP.TLS', count: killed }],
  });
  await dlq('redrive', '--outage', 'test.secure', '--reason', 'the certificate is renewed');
  await all('all delivered', async () => (await count(`${today} AND status <> 'DELIVERED'`, ids)) === 0);
  expect(await count(today, ids)).toBeGreaterThan(150 + killed);
  expect(
    await rows(`SELECT event_id FROM outbox.dead_letter WHERE state = 'open' AND destination = 'test.secure'`),
  ).toEqual([{ event_id: refused }]);
  expect(await stop(roles)).toBe(0);
}, 180_000);

const SUCCESS = `SELECT FROM outbox.destination WHERE name = 'test.secure' AND last_success_at IS NOT NULL`;

/** Signed by an authority that only the worker here trusts; protects nothing. */
function certificate(which: 'renewed' | 'expired') {
  return { key: readFileSync(pem('server.key')), cert: readFileSync(pem(`${which}.cert`)) };
}
function pem(name: string): URL {
  return new URL(`../fixtures/certificates/${name}.pem`, import.meta.url);
}
