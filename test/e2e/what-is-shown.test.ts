// Real: api, relay and worker as processes of the built command line, PostgreSQL, Temporal, HTTP between them.
// Fake: the partner, a scripted HTTP server behind httpHandler. Whatever begins with "hush" must be seen by nobody.
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';
import { textOf } from '../support/text-of.js';

let deployment: TestDeployment;
let partner: ScriptedDestination;
let processes: Record<'api' | 'worker' | 'relay', StartedProcess>;
let connection: Connection;
let client: Client;
const ids = { delivered: '', refused: '', thrown: '', unfit: '' };

beforeAll(async () => {
  deployment = await createTestDeployment();
  partner = await startScriptedDestination();
  partner.answer((_, response) =>
    response.writeHead(422, { 'x-why': 'hush-answer-header' }).end('{"why":"hush-answer"}'),
  );
  const config = await deployment.configFile(`
    httpHandler({ routingKey: 'test.partner', url: '${partner.url}', headers: { authorization: 'Bearer hush-partner-key' },
      timeoutMs: 60_000 }),
    defineHandler({ routingKey: 'test.thrower', deliver: (event) => {
      throw Object.assign(new Error('hush ' + JSON.stringify(event.payload)), { payload: event.payload, detail: 'hush-detail' });
    } }),
    defineHandler({ routingKey: 'test.picky', deliver: () => ({ id: '1' }), schema: { parse(value) {
      throw Object.assign(new Error('hush'), { issues: [{ path: ['marker'], message: 'got ' + value.marker }] });
    } } })`);
  const withPassword = (url: string) => Object.assign(new URL(url), { password: 'hush-database-password' }).toString();
  const environment = {
    OUTBOX_LOG_LEVEL: 'debug',
    OUTBOX_DATABASE_URL: withPassword(deployment.databases.outboxUrl),
    AUDIT_DATABASE_URL: withPassword(deployment.databases.auditUrl),
  };
  const api = await deployment.start('api', environment);
  const line = { ...environment, OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  const [worker, relay] = await Promise.all([
    deployment.start('worker', line, ['--config', config]),
    deployment.start('relay', line, ['--config', config]),
  ]);
  processes = { api, worker, relay };
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });

  // The first one meets processes without a connection, and may take longer than a local attempt has.
  await deployment.untilStatus(await deployment.append({}), 'DELIVERED');
  const event = {
    tenantId: deployment.name,
    payload: { marker: 'hush-payload', actor: { type: 'user', id: 'hush-person' } },
    headers: { actor: { type: 'user', id: 'hush-actor' }, correlationId: 'hush-correlation' },
    aggregate: { type: 'person', id: 'hush-aggregate' },
  };
  ids.delivered = await deployment.append(event);
  ids.refused = await deployment.append({ ...event, routingKey: 'test.partner' });
  ids.thrown = await deployment.append({ ...event, routingKey: 'test.thrower' });
  ids.unfit = await deployment.append({ ...event, routingKey: 'test.picky' });
  await deployment.untilStatus(ids.delivered, 'DELIVERED');
  await deployment.untilStatus(ids.refused, 'DEAD');
  await deployment.untilStatus(ids.unfit, 'DEAD');
  await eventually('a failed attempt of the one that throws', async () => {
    const { rows } = await deployment.outbox.query('SELECT FROM outbox.delivery_attempt WHERE event_id = $1', [
      ids.thrown,
    ]);
    return rows.length > 0;
  });
}, 90_000);

afterAll(async () => {
  await endLeftoverCli();
  await partner.close();
  await connection.close();
  await deployment.drop();
});

const runOf = (id: string): WorkflowHandle => client.workflow.getHandle(`${deployment.name}:${id}:0`);
const linesOf = (id: string, msg: string) =>
  Object.values(processes).flatMap((process) =>
    process.lines().filter((line) => line.msg === msg && line.eventId === id),
  );

it('a refused event is a Failed run whose failure type is the code, found by its search attributes', async () => {
  const failure = await runOf(ids.refused)
    .result()
    .then(
      () => null,
      (error: { cause?: unknown }) => error.cause,
    );
  expect(failure).toMatchObject({
    type: 'HTTP.CLIENT_ERROR',
    message: 'The destination refused the request',
    details: [{ code: 'HTTP.CLIENT_ERROR', status: 422, attempt: 1 }],
  });
  const query = `OutboxErrorCode = 'HTTP.CLIENT_ERROR' AND OutboxTenantId = '${deployment.name}'`;
  const found = await eventually('the run in the list', async () => {
    for await (const run of client.workflow.list({ query })) return run;
    return null;
  });
  expect(found.workflowId).toBe(`${deployment.name}:${ids.refused}:0`);
  expect(found.status.name).toBe('FAILED');
  expect((await runOf(ids.refused).describe()).searchAttributes).toMatchObject({
    OutboxEventName: ['order.order.placed.v1'],
    OutboxEventType: ['ORDER'],
    OutboxTenantId: [deployment.name],
    OutboxErrorCode: ['HTTP.CLIENT_ERROR'],
  });
});

it('the dead letter keeps what the destination answered', async () => {
  const { rows } = await deployment.outbox.query(
    'SELECT code, retry_count, state, response FROM outbox.dead_letter WHERE event_id = $1',
    [ids.refused],
  );
  expect(rows).toEqual([
    {
      code: 'HTTP.CLIENT_ERROR',
      retry_count: 1,
      state: 'open',
      response: expect.objectContaining({ status: 422, body: expect.stringContaining('hush-answer') }),
    },
  ]);
});

it('one wide line for a failed attempt and one for a dead letter, with what a person looks for', async () => {
  expect(linesOf(ids.refused, 'delivery.attempted')).toEqual([
    expect.objectContaining({
      level: 'warn',
      role: 'worker',
      deployment: deployment.name,
      epoch: 0,
      eventName: 'order.order.placed.v1',
      destination: 'test.partner',
      mode: 'regular',
      attempt: 1,
      maxAttempts: 1,
      outcome: 'final',
      code: 'HTTP.CLIENT_ERROR',
      status: 422,
      durationMs: expect.any(Number),
      runId: expect.any(String),
      worker: expect.any(String),
    }),
  ]);
  expect(linesOf(ids.refused, 'delivery.dead')).toEqual([
    expect.objectContaining({
      level: 'error',
      epoch: 0,
      code: 'HTTP.CLIENT_ERROR',
      attempt: 1,
      workflowId: `${deployment.name}:${ids.refused}:0`,
      deadLetterId: expect.any(String),
    }),
  ]);
  const delivered = linesOf(ids.delivered, 'delivery.attempted').filter(({ outcome }) => outcome === 'delivered');
  expect(delivered).toEqual([
    expect.objectContaining({
      level: 'debug',
      mode: expect.stringMatching(/^(local|regular)$/),
      durationMs: expect.any(Number),
    }),
  ]);
});

it('Temporal holds ids, names and codes, and nothing of the content: no payload, actor, aggregate id, answer or message', async () => {
  for (const id of Object.values(ids)) {
    const seen = textOf([await runOf(id).fetchHistory(), await runOf(id).describe()]);
    expect(seen).toContain(id);
    expect(seen).not.toContain('hush');
  }
});

it('/live and /ready of every role answer', async () => {
  const { api, relay, worker } = processes;
  for (const port of [api.apiPort, relay.probePort, worker.probePort]) {
    for (const path of ['live', 'ready']) {
      expect((await fetch(`http://127.0.0.1:${port}/${path}`)).status).toBe(200);
    }
  }
});

it('every line of every role is JSON with level, time and message, down to debug; none holds a secret or content', async () => {
  const url = `http://127.0.0.1:${processes.api.apiPort}/integration/v1/audit/logs`;
  const post = (body: string, key: string) =>
    fetch(url, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    }).then(({ status }) => status);
  expect(await post('{"actor":"hush-post"}', `${deployment.auditApiKey.slice(0, 13)}_hushhushhush`)).toBe(401);
  expect(await post('{"hush-field":"hush-post"}', deployment.auditApiKey)).toBe(422);
  expect(await post('{"hush-cut', deployment.auditApiKey)).toBe(400);

  for (const role of ['relay', 'worker', 'api'] as const) expect(await stop(processes[role])).toBe(0);
  for (const [role, { stdout, printed }] of Object.entries(processes)) {
    const lines = stdout()
      .split('\n')
      .filter((line) => line !== '');
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({
        level: expect.any(String),
        time: expect.any(String),
        msg: expect.any(String),
        role,
      });
    }
    for (const secret of ['hush', deployment.auditApiKey, deployment.auditApiKey.slice(13), 'ab'.repeat(32)]) {
      expect(printed()).not.toContain(secret);
    }
  }
});

it('with search attributes off a run names none, also when it fails', async () => {
  partner.answer((_, response) => response.writeHead(422).end());
  const config = await deployment.configFile(`httpHandler({ routingKey: 'test.off', url: '${partner.url}' })`);
  const off = await deployment.start('relay,worker', { OUTBOX_SEARCH_ATTRIBUTES: 'off' }, ['--config', config]);
  const id = await deployment.append({ routingKey: 'test.off', tenantId: deployment.name });
  await deployment.untilStatus(id, 'DEAD');
  const description = await eventually('the run failed', async () => {
    const found = await runOf(id).describe();
    return found.status.name === 'FAILED' ? found : null;
  });
  expect(Object.keys(description.searchAttributes).filter((name) => name.startsWith('Outbox'))).toEqual([]);
  expect(await stop(off)).toBe(0);
});
