// I9: secrets of every kind are planted, go through success, failure, dead letter, notification and redrive, and are then
// searched for wherever something may be read. Real: api, relay and worker as processes of the built command line at the
// level debug, PostgreSQL, Temporal, HTTP. Fake: the partner, Slack, Sentry and a webhook's receiver, which keep what they got.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { createApiKey } from '../../src/application/audit/create-api-key.js';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import { formatSignerKey, signerKey } from '../../src/domain/audit/note-key.js';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { createAuditApiKeys } from '../../src/infrastructure/prisma/audit-api-keys.js';
import { type Canaries, plantCanaries } from '../support/canaries.js';
import { eventually } from '../support/eventually.js';
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { type RecordingServer, startRecordingServer } from '../support/recording-server.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { temporalAddress } from '../support/temporal.js';
import { textOf } from '../support/text-of.js';

const MADE = [
  'databasePassword',
  'partnerCredential',
  'answerAuthorization',
  'answerCookie',
  'payloadPassword',
  'payloadDiagnosis',
  'slackUrl',
  'sentryKey',
  'collectorToken',
] as const;
type Given = 'workerKey' | 'operatorKey' | 'logSigningKey' | 'webhookSecret' | 'fingerprintKey' | 'secretKey';

let folder: string;
let deployment: TestDeployment;
let canaries: Canaries<(typeof MADE)[number] | Given>;
let partner: RecordingServer;
let collector: OtlpReceiver;
let receivers: Record<'slack' | 'sentry' | 'webhook', RecordingServer>;
let processes: Record<'api' | 'relay' | 'worker', StartedProcess>;
let environment: Record<string, string>;
let config: string;
let connection: Connection;
let operatorKey: string;
let metricsPort: number;
const ids = { recorded: '', flaky: '', refused: '', thrown: '' };

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-canary-'));
  deployment = await createTestDeployment();
  const create = createApiKey({ keys: createAuditApiKeys(deployment.audit) });
  operatorKey = (await create({ name: 'operator', scopes: ['dlq:write', 'audit:read:any-tenant'], tenantId: null }))
    .secret;
  const logKey = formatSignerKey(signerKey(NOTE_TOOLS, 'log.test/canary', randomBytes(32)));
  const given: Record<Given, string> = {
    workerKey: secretOf(deployment.auditApiKey),
    operatorKey: secretOf(operatorKey),
    logSigningKey: logKey.split('+').slice(4).join('+'),
    webhookSecret: randomBytes(33).toString('base64'),
    fingerprintKey: randomBytes(32).toString('hex'),
    secretKey: randomBytes(32).toString('hex'),
  };
  canaries = plantCanaries(MADE, given);
  const { values } = canaries;

  partner = await startRecordingServer();
  collector = await startOtlpReceiver();
  const [slack, sentry, webhook] = await Promise.all([1, 2, 3].map(() => startRecordingServer()));
  receivers = { slack, sentry, webhook } as typeof receivers;
  // Slack fails at first, so that its failure is told of somewhere.
  receivers.slack.answer = (response) => {
    response.writeHead(receivers.slack.requests.length === 1 ? 500 : 200).end(`no ${values.slackUrl}`);
  };
  config = await deployment.configFile(
    `httpHandler({ routingKey: 'test.partner', url: '${partner.origin}/', headers: { authorization: 'Bearer ${values.partnerCredential}' } }),
    defineHandler({ routingKey: 'test.thrower', deliver(event, { log }) {
      log.error({ err: new Error('connect postgres://app:${values.databasePassword}@db/x'), password: event.payload.password }, 'it failed');
      throw new IntegrationError('HTTP.CLIENT_ERROR', { message: 'sent ' + event.payload.diagnosis, cause: new Error('postgres://app:${values.databasePassword}@db/x') });
    } })`,
    `redaction: { keys: ['diagnosis'] }, policies: { ORDER: { backoff: { kind: 'fixed', intervalMs: 50 } } },
    notifiers: [
      slackNotifier({ webhookUrl: '${receivers.slack.origin}/services/T0/B0/${values.slackUrl}', allowHosts: ['127.0.0.1'] }),
      sentryNotifier({ dsn: 'http://${values.sentryKey}@127.0.0.1:${receivers.sentry.port}/42', allowHosts: ['127.0.0.1'] }),
      webhookNotifier({ url: '${receivers.webhook.origin}/hook', secret: 'whsec_${values.webhookSecret}', allowHosts: ['127.0.0.1'] }),
    ],`,
  );
  const withPassword = (url: string) => Object.assign(new URL(url), { password: values.databasePassword }).toString();
  environment = {
    ...deployment.environment,
    OUTBOX_LOG_LEVEL: 'debug',
    OUTBOX_DATABASE_URL: withPassword(deployment.databases.outboxUrl),
    AUDIT_DATABASE_URL: withPassword(deployment.databases.auditUrl),
    AUDIT_FINGERPRINT_KEYS: `t:${values.fingerprintKey}`,
    OUTBOX_NOTICE_WINDOW_MS: '100',
    OUTBOX_TRACES: 'on',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${values.collectorToken}`,
    OTEL_BSP_SCHEDULE_DELAY: '200',
  };
  const args = ['--config', config];
  metricsPort = await freePort(0);
  const api = await deployment.start(
    'api',
    { ...environment, OUTBOX_OPS: 'on', OUTBOX_METRICS_PORT: String(metricsPort), AUDIT_SECRET_KEY: values.secretKey },
    args,
  );
  environment.OUTBOX_AUDIT_URL = `http://127.0.0.1:${api.apiPort}`;
  const signing = {
    AUDIT_SIGNING_KEYS: logKey,
    AUDIT_ANCHOR_FILE: join(folder, 'anchor.ndjson'),
    AUDIT_CHECKPOINT_MS: '200',
  };
  const [worker, relay] = await Promise.all([
    deployment.start('worker', { ...environment, ...signing }, args),
    deployment.start('relay', environment, args),
  ]);
  processes = { api, worker, relay };
  connection = await Connection.connect({ address: temporalAddress() });
  await live();
}, 120_000);

afterAll(async () => {
  await endLeftoverCli();
  await Promise.all([partner, collector, ...Object.values(receivers)].map((server) => server.close()));
  await connection?.close();
  await deployment.drop();
  await rm(folder, { recursive: true, force: true });
});

/** The part behind the prefix, which is public. */
function secretOf(key: string): string {
  return key.split('_').slice(2).join('_');
}

/** Success, a failure and its retry, two dead letters, their notices, a redrive by the command line and one over HTTP. */
async function live(): Promise<void> {
  const { values } = canaries;
  let mended = false;
  partner.answer = (response) => {
    const { body, headers } = partner.requests.at(-1) as RecordingServer['requests'][number];
    const { id, aggregate } = JSON.parse(body) as { id: string; aggregate: { id: string } };
    const again = partner.requests.filter((request) => request.headers['idempotency-key'] === id).length > 1;
    if (mended || (aggregate.id === 'flaky' && again)) {
      return void response
        .writeHead(201, { 'content-type': 'application/json' })
        .end(JSON.stringify({ id: `r-${id}` }));
    }
    response.writeHead(aggregate.id === 'flaky' ? 503 : 422, {
      authorization: `Bearer ${values.answerAuthorization}`,
      'set-cookie': `session=${values.answerCookie}; HttpOnly`,
      'x-api-key': values.answerAuthorization,
      'content-type': 'application/json',
    });
    // As some do in development: what came, with its headers, and who it is itself.
    response.end(
      JSON.stringify({
        received: { headers, body: JSON.parse(body) },
        authorization: `Bearer ${values.answerAuthorization}`,
      }),
    );
  };
  const payload = { password: values.payloadPassword, diagnosis: values.payloadDiagnosis, orderId: 'o-1' };
  const event = (id: string, routingKey?: string) => ({ payload, routingKey, aggregate: { type: 'order', id } });
  ids.recorded = await deployment.append({ ...event('recorded'), payload: { ...payload, diagnosis: undefined } });
  ids.flaky = await deployment.append(event('flaky', 'test.partner'));
  ids.refused = await deployment.append(event('refused', 'test.partner'));
  ids.thrown = await deployment.append(event('thrown', 'test.thrower'));
  for (const id of [ids.recorded, ids.flaky]) await deployment.untilStatus(id, 'DELIVERED');
  for (const id of [ids.refused, ids.thrown]) await deployment.untilStatus(id, 'DEAD');
  for (const server of Object.values(receivers)) {
    await eventually('a notice', async () => server.requests.length > (server === receivers.slack ? 1 : 0), 40_000);
  }
  mended = true;
  const redriven = await outbox('dlq', 'redrive', ids.refused, '--reason', 'the partner is mended');
  expect(redriven).toMatchObject({ code: 0 });
  await deployment.untilStatus(ids.refused, 'DELIVERED');
  const again = await ask('/ops/v1/dead-letters/redrive', { ids: [ids.thrown], reason: 'once more' });
  expect(again.status).toBe(200);
}

/** With what a person on call has in the environment; what it printed is searched, too. */
const printedByCli: string[] = [];
async function outbox(...args: string[]) {
  const ended = await runOutboxCli(args, environment);
  printedByCli.push(ended.printed);
  return ended;
}

async function ask(path: string, body?: object) {
  const response = await fetch(`http://127.0.0.1:${processes.api.apiPort}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, text: `${[...response.headers].join('\n')}\n${await response.text()}` };
}

it('all of them have been where they belong: none is searched for in vain', () => {
  const { values } = canaries;
  const [first] = partner.requests;
  expect(first?.headers.authorization).toBe(`Bearer ${values.partnerCredential}`);
  expect(first?.body).toContain(values.payloadPassword);
  expect(first?.body).toContain(values.payloadDiagnosis);
  expect(receivers.slack.requests[0]?.path).toContain(values.slackUrl);
  expect(JSON.stringify(receivers.sentry.requests[0])).toContain(values.sentryKey);
  expect(canaries.found(`x${Buffer.from(`xy${values.slackUrl}z`).toString('base64')}`)).toEqual(['slackUrl in base64']);
});

it('dead letters, attempts and every other row but the event itself hold none', async () => {
  for (const [pool, schema, holds] of [
    [deployment.outbox, 'outbox', '[redacted'],
    [deployment.audit, 'audit', ids.recorded],
  ] as const) {
    const tables = await pool.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname = $1`,
      [schema],
    );
    let all = '';
    // outbox.event is the application's own row, and stays what was appended.
    for (const { name } of tables.rows.filter((table) => table.name !== 'outbox.event')) {
      const { rows } = await pool.query<{ text: string }>(`SELECT to_jsonb(t)::text AS text FROM ${name} t`);
      const text = rows.map((row) => row.text).join('\n');
      expect([name, canaries.found(text)]).toEqual([name, []]);
      all += text;
    }
    expect(all).toContain(holds);
  }
});

it("Temporal's histories of all runs, memo and search attributes hold none, raw or decoded", async () => {
  const client = new Client({ connection });
  const query = `WorkflowId STARTS_WITH '${deployment.name}:'`;
  const runs = await eventually('five runs and a notice of two groups in the list', async () => {
    const found = [];
    for await (const run of client.workflow.list({ query })) found.push(run);
    return found.length >= 6 && found.some(({ workflowId }) => workflowId.includes(':notify:')) && found;
  });
  let all = '';
  for (const { workflowId, runId } of runs) {
    const run = client.workflow.getHandle(workflowId, runId);
    const [history, described] = [await run.fetchHistory(), await run.describe()];
    const text = [textOf([history, described]), JSON.stringify(history), JSON.stringify(described.raw)].join('\n');
    expect([workflowId, canaries.found(text)]).toEqual([workflowId, []]);
    all += text;
  }
  for (const id of Object.values(ids)) expect(all).toContain(id);
});

it('notices hold none but what opens the door to their own receiver', () => {
  for (const [name, server] of Object.entries(receivers)) {
    // A Slack URL is where the notice goes; a DSN's key is how Sentry knows whose it is.
    const text =
      name === 'sentry'
        ? JSON.stringify(server.requests)
        : server.requests.map(({ body, headers }) => body + JSON.stringify(headers)).join('\n');
    expect([name, canaries.found(text, name === 'sentry' ? ['sentryKey'] : [])]).toEqual([name, []]);
    expect(text).toContain('HTTP.CLIENT_ERROR');
  }
});

it('no answer of an api holds one: every path of its OpenAPI document that reads, the pages, the stream', async () => {
  const document = await ask('/openapi.json');
  const { paths } = JSON.parse(document.text.slice(document.text.indexOf('\n{'))) as {
    paths: Record<string, { get?: { parameters?: { name: string; in: string; required?: boolean }[] } }>;
  };
  const letters = await deployment.outbox.query<{ id: string }>('SELECT id FROM outbox.dead_letter');
  const records = await deployment.audit.query<{ id: string }>('SELECT record_id AS id FROM audit.record');
  const given = [...Object.values(ids), ...[...letters.rows, ...records.rows].map(({ id }) => id)];
  let answered = 0;
  for (const [path, { get }] of Object.entries(paths)) {
    if (get === undefined || path.endsWith('/stream')) continue;
    const places = path.includes('{') ? given.map((id) => path.replaceAll(/\{[^}]+\}/g, id)) : [path];
    const query = path.endsWith('/consistency') ? '?from=1&to=1' : '';
    // The whole payload, for whoever may edit it, is the event's own; the redacted one is none.
    const whole = path.endsWith('/dead-letters/{id}/payload');
    for (const place of places) {
      for (const asked of whole ? [place, `${place}?redacted=true`] : [place + query]) {
        const { status, text } = await ask(asked);
        if (status === 200) answered += 1;
        const except = whole && !asked.includes('?') ? (['payloadPassword', 'payloadDiagnosis'] as const) : [];
        expect([asked, canaries.found(text, except)]).toEqual([asked, []]);
      }
    }
  }
  expect(answered).toBeGreaterThan(20);
  for (const page of ['/monitor', '/monitor/dead-letters', '/monitor/events']) {
    const { status, text } = await ask(page);
    expect([page, status, canaries.found(text)]).toEqual([page, 200, []]);
  }
  expect(canaries.found(await firstOfTheStream())).toEqual([]);
});

async function firstOfTheStream(): Promise<string> {
  const origin = `http://127.0.0.1:${processes.api.apiPort}`;
  const signedIn = await fetch(`${origin}/monitor/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin },
    body: JSON.stringify({ key: operatorKey }),
  });
  expect([signedIn.ok, canaries.found(await signedIn.text())]).toEqual([true, []]);
  const cookie = signedIn.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ');
  expect(canaries.found(cookie)).toEqual([]);
  const giveUp = new AbortController();
  const stream = await fetch(`${origin}/monitor/stream`, { headers: { cookie }, signal: giveUp.signal });
  let text = '';
  for await (const chunk of stream.body as ReadableStream<Uint8Array>) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.includes('"snapshot"') && text.includes('\n\n')) break;
  }
  giveUp.abort();
  return text;
}

it('metrics of every role hold none', async () => {
  for (const port of [metricsPort, processes.relay.probePort, processes.worker.probePort]) {
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    const text = await response.text();
    expect([port, response.status, canaries.found(text)]).toEqual([port, 200, []]);
    expect(text).toContain('# TYPE');
  }
});

it('the command line prints none: what it shows, and what it says of settings that do not fit', async () => {
  const { values } = canaries;
  const letter = (await deployment.outbox.query<{ id: string }>('SELECT id FROM outbox.dead_letter LIMIT 1')).rows[0];
  const record = (await deployment.audit.query<{ id: string }>('SELECT record_id AS id FROM audit.record LIMIT 1'))
    .rows[0];
  const bad = (option: string) => deployment.configFile('', `notifiers: [${option}],`);
  const looks = [
    ['status', '--json'],
    ['doctor', '--json', '--config', config],
    ['events', 'list'],
    ...Object.values(ids).map((id) => ['events', 'show', id]),
    ['dlq', 'kinds'],
    ['dlq', 'list', '--state', 'redriven', '--json'],
    ['dlq', 'show', String(letter?.id)],
    ['destinations', 'list', '--json'],
    ['policies', '--json', '--config', config],
    ['books', '--json'],
    ['audit', 'list', '--json'],
    ['audit', 'show', String(record?.id)],
    ['audit', 'export'],
    ['audit', 'status', '--json'],
    ['keys', 'list', '--json'],
    ['temporal', 'adopt', '--json'],
    ['grants', '--print', '--worker', 'somebody'],
    ['policies', '--config', await bad(`slackNotifier({ webhookUrl: 'http://hooks.example/${values.slackUrl}' })`)],
    ['policies', '--config', await bad(`sentryNotifier({ dsn: 'https://${values.sentryKey}@sentry.example/' })`)],
    [
      'policies',
      '--config',
      await bad(`webhookNotifier({ url: 'https://127.0.0.1/', secret: 'whsec_${values.webhookSecret}!' })`),
    ],
  ];
  for (const args of looks) await outbox(...args);
  expect(printedByCli.join('\n')).toContain('[redacted');
  const away = `postgresql://outbox:${values.databasePassword}@127.0.0.1:1/shop`;
  for (const wrong of [
    { OUTBOX_DATABASE_URL: away },
    { OUTBOX_DATABASE_URL: away.replace('postgresql', 'mysql') },
    { AUDIT_FINGERPRINT_KEYS: `${values.fingerprintKey}` },
    { AUDIT_SIGNING_KEYS: `PRIVATE+KEY+${values.logSigningKey}` },
    { AUDIT_SECRET_KEY: `${values.secretKey}0` },
  ]) {
    for (const args of [['status'], ['migrate', 'status'], ['relay'], ['api'], ['worker']]) {
      // A role whose settings do fit would stay up.
      if (args.length === 1 && args[0] !== 'status' && wrong.OUTBOX_DATABASE_URL === away) continue;
      const ended = await runOutboxCli(args, { ...environment, AUDIT_SECRET_KEY: values.secretKey, ...wrong });
      printedByCli.push(ended.printed);
    }
  }
  for (const printed of printedByCli) expect([printed, canaries.found(printed)]).toEqual([printed, []]);
}, 120_000);

it('no process has printed one, down to debug', async () => {
  for (const role of Object.values(processes)) expect(await stop(role)).toBe(0);
  for (const role of Object.values(processes)) {
    expect(
      role
        .printed()
        .split('\n')
        .filter((line) => canaries.found(line).length > 0),
    ).toEqual([]);
  }
  const printed = Object.values(processes)
    .map((role) => role.printed())
    .join('\n');
  expect(printed).toContain('"level":"debug"');
  expect(printed).toContain('[redacted');
  expect(printed).toContain(ids.refused);
});

it('traces hold none: every span that the collector got until the roles were stopped', () => {
  const text = collector.requests.map((request) => request.text).join('\n');
  expect(canaries.found(text)).toEqual([]);
  expect(canaries.found(JSON.stringify(collector.spans))).toEqual([]);
  expect(collector.spans.some(({ status }) => status === 2)).toBe(true);
  for (const id of [ids.recorded, ids.flaky, ids.refused, ids.thrown]) expect(text).toContain(id);
  expect(JSON.stringify(collector.requests[0]?.headers)).toContain(canaries.values.collectorToken);
});
