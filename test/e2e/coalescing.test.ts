// R20 as a whole. Real: the built command line, api, relay and worker as processes, PostgreSQL, Temporal. Fake: destinations
// whose handlers stand in a configuration file.
import { Client, Connection } from '@temporalio/client';
import { openAnswerGate } from '../support/answer-gate.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { temporalAddress } from '../support/temporal.js';

let deployment: TestDeployment;
let connection: Connection;
beforeAll(async () => {
  deployment = await createTestDeployment();
  connection = await Connection.connect({ address: temporalAddress() });
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(async () => {
  await connection.close();
  await deployment.drop();
});

interface Row {
  readonly event_id: string;
  readonly status: string;
  readonly carrier: string | null;
  readonly epoch: number;
}

async function appendMany(count: number, of: object = {}): Promise<void> {
  await deployment.outbox.query(
    `SELECT outbox.record_events((SELECT jsonb_agg($2::jsonb || jsonb_build_object(
       'aggregate', jsonb_build_object('type', 'order', 'id', n::text, 'version', 1), 'payload', jsonb_build_object('n', n)))
     FROM generate_series(1, $1::int) n))`,
    [count, JSON.stringify({ eventName: 'order.order.placed.v1', eventType: 'ORDER', ...of })],
  );
}

async function rowsOf(eventType: string): Promise<Row[]> {
  const { rows } = await deployment.outbox.query<Row>(
    'SELECT event_id, status, carrier, epoch FROM outbox.delivery WHERE event_type = $1',
    [eventType],
  );
  return rows;
}

const settled = (eventType: string, withinMs = 60_000) =>
  eventually(
    `${eventType} settled`,
    async () => {
      const rows = await rowsOf(eventType);
      return rows.length > 0 && rows.every(({ status }) => status === 'DELIVERED' || status === 'DEAD') ? rows : null;
    },
    withinMs,
  );

it('R20: what waits together travels together, each event is one record, and row, run and log say who carried it', async () => {
  const config = await deployment.configFile(
    '',
    `policies: { TOGETHER: { coalescing: { mode: 'always', size: 100 } } }`,
  );
  await appendMany(450, { eventType: 'TOGETHER' });
  const api = await deployment.start('api');
  const url = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  const roles = await deployment.start('relay,worker', url, ['--config', config]);
  const rows = await settled('TOGETHER');
  const carriers = new Map<string | null, number>();
  for (const { carrier } of rows) carriers.set(carrier, (carriers.get(carrier) ?? 0) + 1);
  expect([...carriers.values()].sort()).toEqual([100, 100, 100, 100, 50]);
  expect(rows.every(({ status, epoch }) => status === 'DELIVERED' && epoch === 0)).toBe(true);
  const { rows: records } = await deployment.audit.query(
    `SELECT count(*)::int AS n, count(DISTINCT event_id)::int AS events FROM audit.record WHERE event_id = ANY ($1)`,
    [rows.map(({ event_id }) => event_id)],
  );
  expect(records).toEqual([{ n: 450, events: 450 }]);

  const [carrier] = carriers.keys();
  const client = new Client({ connection });
  const described = await client.workflow.getHandle(carrier as string).describe();
  expect(described.type).toBe('deliverBatch');
  expect(await described.staticSummary()).toBe('100 events (TOGETHER) → audit.log');
  expect(described.memo).toMatchObject({ destination: 'audit.log', events: 100, eventTypes: ['TOGETHER'] });
  await stop(roles);
  const counted = roles.lines().find(({ msg }) => msg === 'process.counters');
  expect(counted).toMatchObject({ counters: { coalesced: 450, started: 450 } });

  // One alone has a run of its own, whatever its policy says.
  const alone = await deployment.append({ eventType: 'TOGETHER' });
  const again = await deployment.start('relay,worker', url, ['--config', config]);
  await deployment.untilStatus(alone, 'DELIVERED');
  await client.workflow.getHandle(`${deployment.name}:${alone}:0`).describe();
  await stop(again);
  await stop(api);
}, 120_000);

it('R20: what fails in a batch goes on in a run of its own, and ends there; the others are not kept', async () => {
  const config = await deployment.configFile('', `policies: { MIXED: { coalescing: { mode: 'always', size: 50 } } }`);
  await appendMany(50, { eventType: 'MIXED' });
  const [poison] = await rowsOf('MIXED');
  const api = await deployment.start('api');
  // Its identity stands with other content: the ingest refuses this one item (R25).
  const taken = await fetch(`http://127.0.0.1:${api.apiPort}/integration/v1/audit/logs`, {
    method: 'POST',
    headers: { authorization: `Bearer ${deployment.auditApiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      ...{
        specVersion: '1.0',
        eventId: poison?.event_id,
        source: `outbox:${deployment.name}`,
        action: 'order.placed',
        actionVersion: 1,
      },
      ...{ category: 'data', operation: 'create', outcome: 'success', occurredAt: '2026-01-01T00:00:00Z' },
      ...{ actor: { type: 'system', id: 'other' }, targets: [{ type: 'order', id: '1' }] },
    }),
  });
  expect(taken.status).toBe(201);
  const url = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  const roles = await deployment.start('relay,worker', url, ['--config', config]);
  const rows = await settled('MIXED');
  expect(rows.filter(({ status }) => status === 'DELIVERED')).toHaveLength(49);
  expect(rows.find(({ status }) => status === 'DEAD')).toMatchObject({
    event_id: poison?.event_id,
    epoch: 1,
    carrier: null,
  });
  const { rows: attempts } = await deployment.outbox.query(
    'SELECT epoch, n, code, carrier IS NOT NULL AS carried FROM outbox.delivery_attempt WHERE event_id = $1 ORDER BY epoch, n',
    [poison?.event_id],
  );
  // Final by its code, so its own run sends nothing again: it asks whether the effect stands, and writes the letter.
  expect(attempts).toEqual([{ epoch: 0, n: 1, code: 'HTTP.ID_CONFLICT', carried: true }]);
  const { rows: letters } = await deployment.outbox.query(
    'SELECT code, retry_count, workflow_id FROM outbox.dead_letter WHERE event_id = $1',
    [poison?.event_id],
  );
  expect(letters).toEqual([
    { code: 'HTTP.ID_CONFLICT', retry_count: 1, workflow_id: `${deployment.name}:${poison?.event_id}:1` },
  ]);
  await stop(roles);
  await stop(api);
}, 120_000);

it('R20: adaptive coalesces above its backlog and stops below the lower one; order per aggregate holds', async () => {
  const config = await deployment.configFile(
    '',
    `policies: { ADAPT: { coalescing: { mode: 'adaptive', size: 100, above: 300, below: 50 },
      ordering: { by: 'aggregate', whenHeadDead: 'block' } } }`,
  );
  const applied = await runOutboxCli(
    ['policies', 'apply', '--ordering', '--config', config, '--actor', 'test'],
    deployment.environment,
  );
  expect(applied.code).toBe(0);
  for (const version of [1, 2, 3]) {
    await deployment.outbox.query(
      `SELECT outbox.record_events((SELECT jsonb_agg(jsonb_build_object('eventName', 'order.order.changed.v1', 'eventType', 'ADAPT',
         'aggregate', jsonb_build_object('type', 'order', 'id', n::text, 'version', $1::int), 'payload', jsonb_build_object('n', n)))
       FROM generate_series(1, 300) n))`,
      [version],
    );
  }
  const api = await deployment.start('api');
  const url = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  const roles = await deployment.start('relay,worker', url, ['--config', config]);
  const said = (msg: string) => roles.lines().find((line) => line.msg === msg && line.eventType === 'ADAPT');
  await settled('ADAPT', 100_000);
  expect(said('relay.coalescing_on')).toMatchObject({ destination: 'audit.log' });
  // When it has been below for half a minute.
  await eventually('coalescing off', async () => said('relay.coalescing_off'), 60_000);
  const { rows: carried } = await deployment.outbox.query(
    `SELECT count(*) FILTER (WHERE carrier IS NOT NULL)::int AS many FROM outbox.delivery WHERE event_type = 'ADAPT'`,
  );
  expect(carried[0].many).toBeGreaterThan(0);
  // Of each order the versions were settled one after the other.
  const { rows: wrong } = await deployment.outbox.query(
    `SELECT d.event_id FROM (
       SELECT d.*, lag(settled_at) OVER (PARTITION BY order_key ORDER BY order_no) AS before FROM outbox.delivery d
       WHERE event_type = 'ADAPT') d WHERE before > settled_at`,
  );
  expect(wrong).toEqual([]);
  // Below it every event has its own run again.
  const id = await deployment.append({ eventType: 'ADAPT', aggregate: { type: 'order', id: 'last', version: 1 } });
  await deployment.untilStatus(id, 'DELIVERED');
  expect((await rowsOf('ADAPT')).find(({ event_id }) => event_id === id)).toMatchObject({ carrier: null });
  await stop(roles);
  await stop(api);
}, 150_000);

it('R20: a worker that dies in a batch loses and doubles nothing', async () => {
  const config = await deployment.configFile('', `policies: { KILLED: { coalescing: { mode: 'always', size: 200 } } }`);
  await appendMany(2_000, { eventType: 'KILLED' });
  const api = await deployment.start('api');
  // Answers are kept back, so that it dies when its events are records and none of them is settled.
  const gate = await openAnswerGate(`http://127.0.0.1:${api.apiPort}`, '/integration/v1/audit/logs');
  gate.mode = 'hold';
  const url = { OUTBOX_AUDIT_URL: gate.url };
  const relay = await deployment.start('relay', url, ['--config', config]);
  const first = await deployment.start('worker', url, ['--config', config]);
  await eventually('a batch to be posted', async () => gate.kept() > 0, 40_000);
  first.kill('SIGKILL');
  await first.ended;
  gate.mode = 'pass';
  const left = await rowsOf('KILLED');
  expect(left.filter(({ status }) => status === 'DELIVERED')).toEqual([]);
  expect(left.filter(({ status, carrier }) => status === 'STARTED' && carrier !== null)).not.toEqual([]);
  const second = await deployment.start('worker', url, ['--config', config]);
  const rows = await settled('KILLED', 100_000);
  expect(rows.filter(({ status }) => status !== 'DELIVERED')).toEqual([]);
  const { rows: records } = await deployment.audit.query(
    `SELECT count(*)::int AS n, count(DISTINCT event_id)::int AS events FROM audit.record WHERE event_id = ANY ($1)`,
    [rows.map(({ event_id }) => event_id)],
  );
  expect(records).toEqual([{ n: 2_000, events: 2_000 }]);
  // By a second post of the batch, whose receipts say so.
  const { rows: again } = await deployment.outbox.query(
    `SELECT count(*)::int AS n FROM outbox.delivery WHERE event_type = 'KILLED' AND (receipt ->> 'replayed')::boolean`,
  );
  expect(again[0].n).toBeGreaterThanOrEqual(200);
  await stop(relay);
  await stop(second);
  await gate.close();
  await stop(api);
}, 150_000);
