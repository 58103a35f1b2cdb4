// R20 as a whole. Real: the built command line, api, relay and worker as processes, PostgreSQL, Temporal. Fake: destinations
// whose handlers stand in a configuration file.
import { Client, Connection } from '@temporalio/client';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
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
