// Every metric of the table, moved by what it counts, on the built command line. Real: api, relay and worker as processes,
// PostgreSQL, Temporal, HTTP, promtool. Fake: the destination past the process boundary, which answers as it is told.
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { METRIC_NAMES, type MetricName, metricOf } from '../../src/application/metrics/metric-table.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { checkWithPromtool, readSeries, readValue, scrape, watchMetrics } from '../support/scrape.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

const PARTNER = { routingKey: 'test.partner' };
const ORDER = { event_type: 'ORDER' };

let deployment: TestDeployment;
let partner: ScriptedDestination;
let api: StartedProcess;
let relay: StartedProcess;
let worker: StartedProcess;
let config: string[];
let signing: Record<string, string>;

const portOf = ({ metricsPort, probePort }: StartedProcess) => metricsPort || probePort;
const { moved, until } = watchMetrics(() => [relay, worker, api].map(portOf));
const more = (than: number | null) => (value: number | null) => (value ?? 0) > (than ?? 0);
const is = (expected: number) => (value: number | null) => value === expected;
const query = (text: string, ...values: unknown[]) => deployment.outbox.query(text, values);
/** Its run is told something else by then: a later epoch carries the event. */
const moveOn = (id: string) => query('UPDATE outbox.delivery SET epoch = epoch + 1 WHERE event_id = $1', id);
const cli = (...args: string[]) => runOutboxCli(args, deployment.environment);

beforeAll(async () => {
  [deployment, partner] = await Promise.all([createTestDeployment(), startScriptedDestination()]);
  const policies = `policies: { '*': { maxAttempts: 2, backoff: { kind: 'fixed', intervalMs: 50 } } }`;
  // Longer than the default: no attempt is a local one, which a request that is held would outlast.
  const handler = `httpHandler({ routingKey: 'test.partner', url: '${partner.url}', timeoutMs: 60_000 })`;
  config = ['--config', await deployment.configFile(handler, policies)];
  const keys = JSON.parse((await cli('audit', 'keygen', '--origin', 'log.test/metrics', '--json')).stdout);
  signing = { AUDIT_SIGNING_KEYS: keys.signer, AUDIT_CHECKPOINT_MS: '100' };
  api = await deployment.start('api', { OUTBOX_METRICS_PORT: '0', OUTBOX_OPS: 'on', OUTBOX_MONITOR: 'off' });
  const around = {
    OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}`,
    OUTBOX_BREAKER_OPEN_MS: '60000',
    OUTBOX_NOTICE_WINDOW_MS: '0',
    // One start after the other: the first runs are over before the last is started, and marked.
    OUTBOX_STARTS_AT_ONCE: '1',
    // Neither of the two lets anything leave: what may is there for the api to tell.
    OUTBOX_RETENTION_DAYS: '0',
    ...signing,
  };
  deployment.environment.OUTBOX_AUDIT_URL = around.OUTBOX_AUDIT_URL;
  [relay, worker] = await Promise.all([
    deployment.start('relay', around, config),
    deployment.start('worker', around, config),
  ]);
}, 120_000);
afterAll(async () => {
  await endLeftoverCli();
  await partner?.close();
  await deployment?.drop();
});

it('promtool finds nothing to say of what each role tells', async () => {
  for (const role of [api, relay, worker]) {
    const text = await scrape(portOf(role));
    expect(await checkWithPromtool(text)).toBe('');
    expect(readValue(text, 'nodejs_eventloop_lag_seconds')).not.toBeNull();
    // Temporal's own, too.
    const others = readSeries(text).filter(({ labels }) => labels.deployment !== deployment.name);
    expect(others.map(({ name }) => name)).toEqual([]);
  }
  // Only where there is a connection to Temporal, and each of them once.
  const told = async (role: StartedProcess) => (await scrape(portOf(role))).includes('\ntemporal_');
  expect([await told(api), await told(relay), await told(worker)]).toEqual([false, true, true]);
}, 60_000);

it('an api serves it on a port of its own alone', async () => {
  expect(await fetch(`http://127.0.0.1:${api.apiPort}/metrics`)).toMatchObject({ status: 404 });
});

it('every source is up, and who it is is told', async () => {
  for (const source of ['outbox_database', 'audit_database', 'temporal', 'sdk']) {
    await until('outbox_source_up', { source }, is(1));
  }
  for (const role of ['api', 'relay', 'worker']) {
    await until('outbox_build_info', { role, deployment: deployment.name }, is(1));
  }
  // Worker Versioning is off; that it is 0 where another build is current: e2e/worker-versions.
  await until('outbox_worker_version_routed', {}, is(1));
  await until('outbox_pool_connections', { pool: 'delivery', state: 'idle' }, more(0));
  await until('outbox_pool_max_connections', { pool: 'delivery' }, is(20));
});

it('an event is appended, claimed, started and recorded', async () => {
  const before = await scrape(portOf(relay));
  const ids = await Promise.all(Array.from({ length: 30 }, () => deployment.append(PARTNER)));
  for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
  // Each is told once; of what was answered too late, on a slow machine, nothing is.
  const some = (value: number | null) => value !== null && value > 0 && value <= 30;
  await until('outbox_claimed_events_total', ORDER, (value) => (value ?? 0) >= 30);
  await until('outbox_commit_to_start_seconds', ORDER, some);
  await until('outbox_delivered_events_total', ORDER, some);
  await until('outbox_commit_to_record_seconds', ORDER, some);
  await until('outbox_start_to_record_seconds', ORDER, some);
  await until('outbox_started_runs_total', { eager: 'no' }, some);
  await until('outbox_claim_duration_seconds', {}, more(readValue(before, 'outbox_claim_duration_seconds')));
  // A run that is over before its mark: one of so many is, sooner or later.
  await eventually(
    'outbox_overtaken_events_total',
    async () => {
      if ((readValue(await scrape(portOf(relay)), 'outbox_overtaken_events_total') ?? 0) > 0) return true;
      const again = await Promise.all(Array.from({ length: 30 }, () => deployment.append(PARTNER)));
      for (const id of again) await deployment.untilStatus(id, 'DELIVERED');
      return false;
    },
    60_000,
  );
  await until('outbox_overtaken_events_total', {}, more(0));
  await until('outbox_appended_events_total', {}, (value) => (value ?? 0) >= 30);
  await until('outbox_table_bytes', { table: 'outbox.event' }, more(0));
  await until('outbox_table_dead_rows', { table: 'outbox.delivery' }, more(0));
}, 120_000);

it('the entrance of the audit log counts requests and what became of their events', async () => {
  const id = await deployment.append({ routingKey: 'audit.log' });
  await deployment.untilStatus(id, 'DELIVERED');
  await until('audit_ingest_requests_total', { status: '201' }, more(0));
  await until('audit_ingest_records_total', { outcome: 'stored' }, more(0));
  await until('audit_ingest_duration_seconds', {}, more(0));
  const post = (body: object) =>
    fetch(`http://127.0.0.1:${api.apiPort}/integration/v1/audit/logs`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${deployment.auditApiKey}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  expect((await post({})).status).toBe(422);
  await until('audit_ingest_requests_total', { status: '422' }, is(1));
  await until('audit_ingest_records_total', { outcome: 'refused' }, is(1));
  // The worker has keys: nobody has to ask it.
  await until('audit_verification_ok', {}, is(1));
  await until('audit_verified_timestamp_seconds', {}, more(1_700_000_000));
  await until('audit_unsigned_records', {}, is(0));
  await until('audit_unsigned_seconds', {}, is(0));
  await until('audit_unverified_seconds', {}, (value) => value !== null && value < 600);
}, 60_000);

it('a failure is counted by its code, its letter by type and code, and people are told', async () => {
  partner.answer((_, response) => response.writeHead(422).end());
  const id = await deployment.append(PARTNER);
  await deployment.untilStatus(id, 'DEAD');
  partner.answer(accept);
  const [{ code: written }] = (await query('SELECT code FROM outbox.dead_letter')).rows;
  expect(written).toMatch(/^HTTP\./);
  await until('outbox_failed_attempts_total', { code: written }, more(0));
  await until('outbox_dead_events_total', { ...ORDER, code: written }, is(1));
  await until('outbox_open_dead_letters', { ...ORDER, code: written }, is(1));
  await until('outbox_oldest_open_dead_letter_age_seconds', {}, more(0));
  await until('outbox_notices_total', { channel: 'log', outcome: 'sent' }, more(0));
}, 60_000);

it('a row that no run could carry fails before it is started', async () => {
  await query(
    `INSERT INTO outbox.delivery (event_id, destination, event_type, tenant)
     VALUES (gen_random_uuid(), 'test.partner', 'ODD', 'a' || chr(7))`,
  );
  await until('outbox_start_failures_total', { kind: 'invalid' }, is(1));
  await until('outbox_dead_events_total', { event_type: 'ODD', code: 'DISPATCH.INVALID_EVENT' }, is(1));
});

it('what is under way is told; what comes too late is fenced', async () => {
  let held: ServerResponse | undefined;
  const hold = () => {
    held = undefined;
    partner.answer((_, response) => {
      held = response;
    });
  };
  const untilHeld = () => eventually('a request that is held', async () => held);
  hold();
  const slow = await deployment.append(PARTNER);
  await untilHeld();
  await until('outbox_in_flight_runs', { destination: 'test.partner' }, more(0));
  await moveOn(slow);
  (held as unknown as ServerResponse).writeHead(201, { 'content-type': 'application/json' }).end('{"id":"late"}');
  await until('outbox_fenced_writes_total', { write: 'settle' }, is(1));

  hold();
  const failing = await deployment.append(PARTNER);
  await untilHeld();
  await moveOn(failing);
  (held as unknown as ServerResponse).writeHead(422).end();
  await until('outbox_fenced_writes_total', { write: 'dead_letter' }, is(1));
  partner.answer(accept);
  await query(`DELETE FROM outbox.delivery WHERE event_id = ANY ($1)`, [slow, failing]);
}, 90_000);

it('a pause, and what waits behind it', async () => {
  await until('outbox_destination_state', { destination: 'test.partner', state: 'closed' }, is(1));
  expect((await cli('destinations', 'pause', 'test.partner', '--reason', 'r')).code).toBe(0);
  await until('outbox_destination_state', { destination: 'test.partner', state: 'paused' }, is(1));
  const held = await deployment.append({ ...PARTNER, eventType: 'HELD' });
  await until('outbox_due_events', { destination: 'test.partner', event_type: 'HELD' }, is(1));
  await until('outbox_oldest_due_age_seconds', {}, more(0));
  expect((await cli('destinations', 'resume', 'test.partner', '--reason', 'r')).code).toBe(0);
  await deployment.untilStatus(held, 'DELIVERED');
  await until('outbox_due_events', { event_type: 'HELD' }, (value) => value === null || value === 0);
}, 60_000);

it('a transaction that stays open holds snapshots, and the sealing', async () => {
  const holder = await deployment.audit.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT pg_current_xact_id()');
    const id = await deployment.append({ routingKey: 'audit.log' });
    await deployment.untilStatus(id, 'DELIVERED');
    await until('outbox_held_snapshot_seconds', {}, more(0));
    await until('outbox_held_snapshot_transactions', {}, more(0));
    await until('audit_unsealed_records', {}, more(0));
    await until('audit_seal_lag_seconds', {}, more(0));
  } finally {
    await holder.query('ROLLBACK');
    holder.release();
  }
  await until('audit_unsealed_records', {}, is(0));
}, 60_000);

it('an hour whose books have a gap', async () => {
  await until('outbox_unbalanced_books', {}, is(0));
  // Of this hour, which nobody looks at before it is over; what a look finds is the books' own test.
  await query(
    `INSERT INTO outbox.book_check (hour, checked_at, gap_count, again_at)
     VALUES (date_trunc('hour', now(), 'UTC'), now(), 1, NULL)`,
  );
  await until('outbox_unbalanced_books', {}, is(1));
  await until('outbox_books_checked_timestamp_seconds', {}, more(1_700_000_000));
});

it('an event that may have left long ago', async () => {
  await until('outbox_retention_lag_seconds', {}, is(0));
  const id = randomUUID();
  const long = "date_trunc('hour', now() - interval '60 days', 'UTC')";
  await query(
    `INSERT INTO outbox.event (id, source, event_name, event_type, routing_key, aggregate_type, aggregate_id, payload, content_hash,
       occurred_at, recorded_at)
     VALUES ($1, 'test', 'order.order.placed.v1', 'ORDER', 'test.partner', 'order', 'o-1', '{}', 'h', ${long}, ${long})`,
    id,
  );
  await query(
    `INSERT INTO outbox.delivery (event_id, status, destination, event_type, tenant, settled_at)
     VALUES ($1, 'DISCARDED', 'test.partner', 'ORDER', '', ${long})`,
    id,
  );
  await query(`INSERT INTO outbox.book_check (hour, checked_at, gap_count, closed) VALUES (${long}, now(), 0, true)`);
  await until('outbox_retention_lag_seconds', {}, more(0));
  await query('DELETE FROM outbox.delivery WHERE event_id = $1', id);
}, 60_000);

it('ten failures in a row open the breaker', async () => {
  partner.answer((_, response) => response.writeHead(500).end());
  await Promise.all(Array.from({ length: 20 }, () => deployment.append(PARTNER)));
  await until('outbox_destination_state', { destination: 'test.partner', state: 'open' }, is(1));
  await until('outbox_failed_attempts_total', { code: 'HTTP.SERVER_ERROR' }, (value) => (value ?? 0) >= 10);
  partner.answer(accept);
}, 60_000);

it('a table that hangs is told as such, and holds up neither the scrape nor what else is read', async () => {
  const locker = await deployment.outbox.connect();
  try {
    await locker.query('BEGIN');
    await locker.query('LOCK TABLE outbox.dead_letter IN ACCESS EXCLUSIVE MODE');
    // It is answered while the lock is held.
    const text = await eventually('a scrape that could not read all of it', async () => {
      const answer = await scrape(portOf(worker));
      return readValue(answer, 'outbox_source_part_up', { source: 'outbox_database', part: 'letters' }) === 0 && answer;
    });
    expect(readValue(text, 'outbox_source_up', { source: 'outbox_database' })).toBe(1);
    expect(readValue(text, 'outbox_oldest_due_age_seconds')).not.toBeNull();
    expect(readValue(text, 'outbox_oldest_open_dead_letter_age_seconds')).toBeNull();
    expect(readValue(text, 'outbox_source_up', { source: 'audit_database' })).toBe(1);
    expect(readValue(text, 'outbox_delivered_events_total')).not.toBeNull();
  } finally {
    await locker.query('ROLLBACK');
    locker.release();
  }
  await until('outbox_source_part_up', { source: 'outbox_database', part: 'letters' }, is(1));
}, 60_000);

it('a log that is sealed and no more signed, as by a worker without keys', async () => {
  expect(await stop(worker)).toBe(0);
  worker = await deployment.start('worker', {}, config);
  const id = await deployment.append({ routingKey: 'audit.log' });
  await deployment.untilStatus(id, 'DELIVERED');
  await until('audit_unsigned_records', {}, more(0));
  await until('audit_unsigned_seconds', {}, more(0));
}, 60_000);

it('relay and worker in one process start eagerly', async () => {
  for (const role of [relay, worker]) expect(await stop(role)).toBe(0);
  // Nobody carries out what is under way and nobody looks at the books: the api tells it.
  [relay, worker] = [api, api];
  await query(
    `INSERT INTO outbox.delivery (event_id, status, destination, event_type, tenant, started_at, due_at)
     VALUES (gen_random_uuid(), 'STARTED', 'nobody', 'LATE', '', now(), now() - interval '6 minutes')`,
  );
  await query(`INSERT INTO outbox.book_check (hour, again_at) VALUES ('2026-01-01', now() - interval '3 hours')`);
  await until('outbox_overdue_runs', { destination: 'nobody' }, is(1));
  await until('outbox_books_late_seconds', {}, more(7_200));
  await query(`DELETE FROM outbox.delivery WHERE destination = 'nobody'`);
  await query(`DELETE FROM outbox.book_check WHERE hour = '2026-01-01'`);
  relay = await deployment.start('relay,worker', signing, config);
  worker = relay;
  const id = await deployment.append({ routingKey: 'audit.log' });
  await deployment.untilStatus(id, 'DELIVERED');
  await until('outbox_started_runs_total', { eager: 'yes' }, more(0));
  expect(await checkWithPromtool(await scrape(portOf(relay)))).toBe('');
}, 60_000);

it('there is no metric that nothing above has moved, and none that the table does not have', async () => {
  expect(METRIC_NAMES.filter((name) => !moved.has(name))).toEqual([]);
  for (const role of [api, relay]) {
    const told = new Set(readSeries(await scrape(portOf(role))).map(({ name }) => name));
    const ours = [...told]
      .filter((name) => /^(outbox|audit)_/.test(name))
      .map((name) => name.replace(/_(bucket|sum|count)$/, ''))
      .filter((name) => metricOf(name as MetricName) === undefined);
    expect(ours).toEqual([]);
  }
});
