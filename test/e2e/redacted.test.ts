// Real: api, relay and worker as processes of the built command line, PostgreSQL, Temporal, HTTP between them.
// Fake: the partner, a scripted HTTP server that echoes what it was sent. "hush" stands in secrets and personal data only.
import { Client, Connection } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';
import { textOf } from '../support/text-of.js';

let deployment: TestDeployment;
let partner: ScriptedDestination;
let processes: StartedProcess[];
let connection: Connection;
const ids = { refused: '', thrown: '', final: '', mapped: '', unfit: '', delivered: '' };

/** Told by their names in the payload; as text anywhere else they look like nothing. */
const SAID = { password: 'hush pass"wörd', customer: { phone: 'hush 12 34', address: { street: 'hush street 5' } } };
/** Told by their look. */
const SEEN =
  'hush.person@example.com, 4111 1111 1111 1111, Bearer hush-bearer-1, postgres://app:hush@db/x, case-hush77';
const QUOTED = `refused ${SAID.password} of ${SAID.customer.phone} at ${SAID.customer.address.street}: ${SEEN}`;

beforeAll(async () => {
  deployment = await createTestDeployment();
  partner = await startScriptedDestination();
  partner.answer(({ body }, response) => {
    // The address lies across the 4 KiB at which a kept body is cut.
    const filler = 'x '.repeat((4_096 - body.length - 12) / 2);
    response
      .writeHead(422, {
        location: `/?token=hush-location&mail=hush.person@example.com`,
        'x-request-id': encodeURIComponent(SAID.password),
        server: 'partner',
      })
      .end(`${body} ${filler} hush.person@example.com ${QUOTED}`);
  });
  const quoted = JSON.stringify(QUOTED);
  const config = await deployment.configFile(
    `httpHandler({ routingKey: 'test.partner', url: '${partner.url}', timeoutMs: 60_000 }),
    defineHandler({ routingKey: 'test.thrower', timeoutMs: 60_000, deliver(event, { log }) {
      const error = new TypeError(${quoted}, { cause: new Error(${quoted}, { cause: ${quoted} }) });
      log.error({ err: error.cause.message.split(': ')[1], note: ${JSON.stringify(SEEN)}, password: 'hush' }, ${JSON.stringify(SEEN)});
      throw error;
    } }),
    defineHandler({ routingKey: 'test.final', timeoutMs: 60_000, deliver() {
      throw new IntegrationError('HTTP.CLIENT_ERROR', { message: ${quoted}, field: '/hush.person@example.com',
        cause: new Error(${quoted}), response: { status: 400, headers: { cookie: 'hush', 'x-note': ${quoted} }, body: ${quoted} } });
    } }),
    defineHandler({ routingKey: 'test.picky', timeoutMs: 60_000, deliver: () => ({ id: '1' }), schema: { parse() {
      throw Object.assign(new Error(${quoted}), { issues: [{ path: ['hush.person@example.com'], message: ${quoted} }] });
    } } })`,
    `mappers: { 'audit.me.wrong': () => { throw new Error(${quoted}); } },
    redaction: { patterns: [/case-\\w+/g] },`,
  );
  const api = await deployment.start('api', { OUTBOX_LOG_LEVEL: 'debug' });
  const line = { OUTBOX_LOG_LEVEL: 'debug', OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  processes = [
    api,
    ...(await Promise.all([
      deployment.start('worker', line, ['--config', config]),
      deployment.start('relay', line, ['--config', config]),
    ])),
  ];
  connection = await Connection.connect({ address: temporalAddress() });
  const event = { payload: { ...SAID, note: SEEN }, headers: { 'x-api-key': 'hush-header-key' } };
  ids.refused = await deployment.append({ ...event, routingKey: 'test.partner' });
  ids.thrown = await deployment.append({ ...event, routingKey: 'test.thrower' });
  ids.final = await deployment.append({ ...event, routingKey: 'test.final' });
  ids.unfit = await deployment.append({ ...event, routingKey: 'test.picky' });
  ids.mapped = await deployment.append({ ...event, eventName: 'audit.me.wrong.v1' });
  ids.delivered = await deployment.append({ ...event, payload: { ...SAID, kept: 'ada@example.com' } });
  for (const id of [ids.refused, ids.final, ids.unfit, ids.mapped]) await deployment.untilStatus(id, 'DEAD');
  await deployment.untilStatus(ids.delivered, 'DELIVERED');
  await eventually(
    'a failed attempt of the one that throws',
    async () => (await rowsOf('delivery_attempt', ids.thrown)).length > 0,
  );
}, 90_000);

afterAll(async () => {
  await endLeftoverCli();
  await partner.close();
  await connection.close();
  await deployment.drop();
});

async function rowsOf(table: string, id: string): Promise<{ row: Record<string, unknown>; text: string }[]> {
  const text = `SELECT to_jsonb(t) AS row, to_jsonb(t)::text AS text FROM outbox.${table} t WHERE event_id = $1 AND message IS NOT NULL`;
  return (await deployment.outbox.query(text, [id])).rows;
}

it.each(Object.keys(ids).filter((name) => name !== 'delivered') as (keyof typeof ids)[])(
  'I9: the attempt of the event %s, and its dead letter, hold no secret and no personal data',
  async (name) => {
    const found = [...(await rowsOf('delivery_attempt', ids[name])), ...(await rowsOf('dead_letter', ids[name]))];
    expect(found.length).toBeGreaterThanOrEqual(name === 'thrown' ? 1 : 2);
    for (const { text } of found) {
      expect(text).not.toMatch(/hush|4111 1111/);
      expect(text).toContain('[redacted');
    }
  },
);

it('I9: what helps to find the fault is still there', async () => {
  const [refused] = await rowsOf('dead_letter', ids.refused);
  expect(refused?.row).toMatchObject({
    message: 'The destination refused the request (status 422)',
    response: {
      status: 422,
      headers: {
        server: 'partner',
        location: '/?token=[redacted]&mail=[redacted email]',
        'x-request-id': '[redacted]',
      },
      body: expect.stringMatching(new RegExp(`^\\{.*"id":"${ids.refused}"`)),
    },
  });
  const [thrown] = await rowsOf('delivery_attempt', ids.thrown);
  expect(thrown?.row).toMatchObject({
    message: expect.stringMatching(/^TypeError: refused \[redacted\] of \[redacted\]/),
    stack: expect.stringMatching(/config\.ts:\d+:\d+/),
    causes: [{ name: 'TypeError' }, { name: 'Error' }, { name: 'Thrown string' }],
  });
});

it("I9: Temporal's whole histories hold none of it, and only the catalogue's sentences", async () => {
  const client = new Client({ connection });
  for (const id of Object.values(ids)) {
    const run = client.workflow.getHandle(`${deployment.name}:${id}:0`);
    const history = await run.fetchHistory();
    const seen = textOf([history, await run.describe()]) + JSON.stringify(history);
    expect(seen).toContain(id);
    expect(seen).not.toMatch(/hush|4111 1111|redacted/);
  }
});

it('the audit record holds no secret of the payload, and who it was', async () => {
  const { rows } = await deployment.audit.query<{ text: string }>(
    'SELECT to_jsonb(r)::text AS text FROM audit.record r WHERE event_id = $1',
    [ids.delivered],
  );
  expect(rows).toHaveLength(1);
  expect(rows[0]?.text).not.toContain(SAID.password.slice(0, 9));
  expect(rows[0]?.text).toContain(SAID.customer.phone);
  expect(rows[0]?.text).toContain('ada@example.com');
});

it('I9: no role has printed any of it, down to debug', async () => {
  for (const role of processes) expect(await stop(role)).toBe(0);
  const printed = processes.map((role) => role.printed()).join('\n');
  expect(printed).toContain(ids.thrown);
  expect(printed).toContain('[redacted email]');
  expect(printed.split('\n').filter((line) => /hush|4111 1111/.test(line))).toEqual([]);
});
