// One trace from the producer's span to the record. Real: api, relay and worker as processes of the built command line,
// PostgreSQL, Temporal, HTTP between them, the producer's OpenTelemetry SDK. Fake: the collector, a server of ours that
// decodes OTLP by the wire format; it is no released collector.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { SPAN_ATTRIBUTES } from '../../src/application/tracing.js';
import { eventually } from '../support/eventually.js';
import { HISTORIES, keptReleases } from '../support/kept-releases.js';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createProducer, type Producer } from '../support/producer.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';

const PARTNER = 'test.partner';
const PRIVATE = 'test.private';
const CANARY = 'canary-4711-hush';
const CLIENT = 3;
const ERROR = 2;

let deployment: TestDeployment;
let receiver: OtlpReceiver;
let producer: Producer;
let destination: ScriptedDestination;
let connection: Connection;
let client: Client;
let api: StartedProcess;
let relay: StartedProcess;
let worker: StartedProcess;

beforeAll(async () => {
  deployment = await createTestDeployment();
  receiver = await startOtlpReceiver();
  producer = createProducer(deployment.outbox, receiver.endpoint);
  destination = await startScriptedDestination();
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });
  const config = await deployment.configFile(
    `httpHandler({ routingKey: '${PARTNER}', url: '${destination.url}?token=${CANARY}' }),
     httpHandler({ routingKey: '${PRIVATE}', url: '${destination.url}', traceContext: false })`,
    `policies: { TOGETHER: { coalescing: { mode: 'always', size: 50 } } }`,
  );
  const args = ['--config', config];
  api = await deployment.start('api', traced('api'));
  const url = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  relay = await deployment.start('relay', { ...url, ...traced('relay') }, args);
  worker = await deployment.start('worker', { ...url, ...traced('worker') }, args);
  // The first one meets processes without a connection, and may take longer than a local attempt has.
  await deployment.untilStatus(await deployment.append({}), 'DELIVERED');
}, 90_000);

afterEach(() => destination.answer(accept));

afterAll(async () => {
  await endLeftoverCli();
  await producer.close();
  await destination.close();
  await receiver.close();
  await connection.close();
  await deployment.drop();
});

function traced(role: string): Record<string, string> {
  return {
    OUTBOX_TRACES: 'on',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-collector-key=its-key',
    OTEL_SERVICE_NAME: `outbox-${role}`,
    OTEL_BSP_SCHEDULE_DELAY: '100',
  };
}

const runOf = (id: string): WorkflowHandle => client.workflow.getHandle(`${deployment.name}:${id}:0`);

const spansOf = (traceId: string) => receiver.spans.filter((span) => span.traceId === traceId);
/** The trace's spans, once those of these names have come: roles send theirs when they end, and one after another. */
const untilSpans = (traceId: string, ...names: string[]) =>
  eventually(`${names} of ${traceId}`, async () => {
    const spans = spansOf(traceId);
    return names.every((name) => spans.some((span) => span.name === name)) ? spans : null;
  });
const named = (spans: readonly ReceivedSpan[], name: string) =>
  spans.find((span) => span.name === name) as ReceivedSpan;
const INGEST = 'POST /integration/v1/audit/logs';

/** From a span up to the root, by name. */
function wayUp(span: ReceivedSpan): string[] {
  const parent = receiver.spans.find(({ spanId, traceId }) => spanId === span.parentId && traceId === span.traceId);
  return [span.name, ...(parent === undefined ? [] : wayUp(parent))];
}

const recordsOf = async (id: string) =>
  (await deployment.audit.query<{ content: string }>('SELECT * FROM audit.record WHERE event_id = $1', [id])).rows;

describe('one event', () => {
  it('is one trace, from the span that appended it to the record', async () => {
    const { id, traceId, spanId } = await producer.append({});
    await deployment.untilStatus(id, 'DELIVERED');
    const spans = await untilSpans(traceId, INGEST, 'RunWorkflow:deliverEvent', 'StartWorkflow:deliverEvent');
    const ingest = named(spans, INGEST);
    expect(wayUp(ingest)).toEqual([
      'POST /integration/v1/audit/logs',
      'POST',
      'deliver audit.log',
      'RunActivity:dispatchEvent',
      'StartActivity:dispatchEvent',
      'RunWorkflow:deliverEvent',
      'StartWorkflow:deliverEvent',
      'place order',
    ]);
    const names = (span: ReceivedSpan) => span.resource['service.name'];
    expect(new Set(spans.map(names))).toEqual(new Set(['shop', 'outbox-relay', 'outbox-worker', 'outbox-api']));
    const [record] = await recordsOf(id);
    expect(JSON.stringify(record)).toContain(`00-${traceId}-${spanId}-01`);
    expect(spans.filter(({ status }) => status === ERROR)).toEqual([]);
    expect(ingest.attributes).toMatchObject({
      'http.route': '/integration/v1/audit/logs',
      'http.response.status_code': 201,
    });
    const recordId = (record as unknown as { record_id: string }).record_id;
    expect(named(spans, 'deliver audit.log').attributes).toMatchObject({
      'outbox.event.id': id,
      'outbox.receipt.id': recordId,
    });

    const claim = await eventually('the claim', async () =>
      receiver.spans.find(({ name, links }) => name === 'relay.claim' && links.some((l) => l.spanId === spanId)),
    );
    expect(claim.links).toEqual([{ traceId, spanId }]);
    expect(claim.traceId).not.toBe(traceId);
    const ofProduct = receiver.requests.filter(({ text }) => text.includes('outbox-worker'));
    expect(ofProduct[0]?.headers).toMatchObject({ 'x-collector-key': 'its-key' });
  }, 90_000);

  it('that fails says so by code, attempt and status; its trace goes on over the retries and stands in log and letter', async () => {
    destination.answer((_request, response) => void response.writeHead(404).end());
    const { id, traceId } = await producer.append({ routingKey: PARTNER });
    await deployment.untilStatus(id, 'DEAD');
    const spans = await untilSpans(traceId, 'RunWorkflow:deliverEvent');
    expect(named(spans, 'POST')).toMatchObject({
      status: ERROR,
      attributes: { 'http.response.status_code': 404, 'error.type': '404', 'server.address': '127.0.0.1' },
    });
    expect(named(spans, `deliver ${PARTNER}`)).toMatchObject({
      status: ERROR,
      attributes: { 'outbox.error.code': 'HTTP.CLIENT_ERROR', 'outbox.outcome': 'failed' },
    });
    expect(named(spans, 'RunActivity:recordDeadLetter').parentId).toBe(
      named(spans, 'StartActivity:recordDeadLetter').spanId,
    );
    const line = worker.lines().find(({ msg, eventId }) => msg === 'delivery.attempted' && eventId === id);
    expect(line).toMatchObject({ trace_id: traceId });
    const { rows } = await deployment.outbox.query('SELECT traceparent FROM outbox.dead_letter WHERE event_id = $1', [
      id,
    ]);
    expect(rows[0]?.traceparent).toContain(traceId);
  }, 90_000);

  it('tells its destination of the trace, but for one that is not to know it', async () => {
    const told = await producer.append({ routingKey: PARTNER });
    const untold = await producer.append({ routingKey: PRIVATE });
    for (const { id } of [told, untold]) await deployment.untilStatus(id, 'DELIVERED');
    const toldOf = (id: string) => destination.traceparents[destination.seen.findIndex(({ key }) => key === id)];
    const call = named(await untilSpans(told.traceId, 'POST'), 'POST');
    expect(call.kind).toBe(CLIENT);
    expect(toldOf(told.id)).toBe(`00-${told.traceId}-${call.spanId}-01`);
    expect(toldOf(untold.id)).toBeUndefined();
    const bodyOf = (id: string) => destination.seen.find(({ key }) => key === id)?.body;
    expect(bodyOf(told.id)).toContain(told.traceId);
    expect(bodyOf(untold.id)).toContain(untold.id);
    expect(bodyOf(untold.id)).not.toContain(untold.traceId);
    await untilSpans(untold.traceId, 'POST');
  }, 90_000);
});

it('a batch has a trace of its own with a link to each event, and each event keeps its trace, with a link to the batch', async () => {
  const events = await producer.appendTogether(5, { eventType: 'TOGETHER' });
  for (const { id } of events) await deployment.untilStatus(id, 'DELIVERED');
  const links = events.map(({ traceId, spanId }) => ({ traceId, spanId })).sort(byTrace);
  const batch = await eventually('the start of the batch', async () =>
    receiver.spans.find(({ name }) => name === 'relay.start_batch'),
  );
  const spans = await untilSpans(batch.traceId, INGEST, 'RunWorkflow:deliverBatch', 'relay.claim');
  for (const { links: own } of [batch, named(spans, 'deliver_batch audit.log')]) {
    expect([...own].sort(byTrace)).toEqual(links);
  }
  const ingest = named(spans, INGEST);
  expect(wayUp(ingest)).toEqual([
    'POST /integration/v1/audit/logs',
    'POST',
    'deliver_batch audit.log',
    'RunActivity:dispatchBatch',
    'StartActivity:dispatchBatch',
    'RunWorkflow:deliverBatch',
    'StartWorkflow:deliverBatch',
    'relay.start_batch',
    'relay.claim',
  ]);
  for (const { id, traceId, spanId } of events) {
    const own = (await untilSpans(traceId, 'relay.carried')).filter(({ name }) => name !== 'place order');
    expect(own).toMatchObject([{ name: 'relay.carried', parentId: spanId, links: [{ traceId: batch.traceId }] }]);
    expect(JSON.stringify(await recordsOf(id))).toContain(traceId);
  }
}, 90_000);

it("a refused request's problem and log line carry the caller's trace", async () => {
  const traceId = 'ab'.repeat(16);
  const answer = await fetch(`http://127.0.0.1:${api.apiPort}/integration/v1/audit/logs`, {
    method: 'POST',
    headers: { authorization: 'Bearer nobody', traceparent: `00-${traceId}-${'cd'.repeat(8)}-01` },
  });
  expect(answer.status).toBe(401);
  expect(await answer.json()).toMatchObject({ code: 'unauthorized', traceId });
  const span = await eventually('its span', async () => spansOf(traceId)[0]);
  expect(span).toMatchObject({ parentId: 'cd'.repeat(8), attributes: { 'outbox.error.code': 'unauthorized' } });
  const line = api.lines().find(({ code, trace_id }) => code === 'unauthorized' && trace_id === traceId);
  expect(line).toBeDefined();
}, 60_000);

describe('histories', () => {
  const bundle = async (name: string) => ({
    code: await readFile(fileURLToPath(new URL(`../../dist/${name}`, import.meta.url)), 'utf8'),
  });
  async function replay(history: unknown, name: string): Promise<Error | undefined> {
    const options = { workflowBundle: await bundle(name) };
    for await (const { error } of Worker.runReplayHistories(options, [{ workflowId: 'main:replayed:0', history }])) {
      return error;
    }
    throw new Error('expected the replay to answer');
  }

  it('of traced runs replay without tracing, and the committed ones of untraced runs with it', async () => {
    destination.answer((request, response) => {
      if (destination.seen.filter(({ key }) => key === request.key).length > 1) accept(request, response);
      else response.writeHead(500).end();
    });
    const { id } = await producer.append({ routingKey: PARTNER });
    await deployment.untilStatus(id, 'DELIVERED');
    await runOf(id).result();
    const history = await runOf(id).fetchHistory();
    for (const name of ['workflow-bundle.js', 'workflow-bundle-traced.js']) {
      expect({ name, error: await replay(history, name) }).toEqual({ name, error: undefined });
    }
    const History = history.constructor as unknown as { fromObject(json: object): object };
    const replayTraced = async (file: string) => {
      const kept = History.fromObject(JSON.parse(await readFile(join(HISTORIES, file), 'utf8')));
      return replay(kept, 'workflow-bundle-traced.js');
    };
    const releases = await keptReleases();
    expect(releases.length).toBeGreaterThan(0);
    for (const { version, histories } of releases) {
      expect({ version, histories: histories.length }).not.toEqual({ version, histories: 0 });
      for (const name of histories) {
        const file = join(version, name);
        expect({ file, error: await replayTraced(file) }).toEqual({ file, error: undefined });
      }
    }
    // Of another order of steps: the gate can fail.
    expect((await replayTraced('must-fail.json'))?.name).toBe('DeterminismViolationError');
  }, 120_000);
});

it('an event leaves nothing of itself in a span but what the table lists, nor does a failure or a URL', async () => {
  destination.answer((_request, response) => void response.writeHead(500).end(CANARY));
  const event = {
    payload: { note: CANARY },
    headers: { actor: { id: CANARY }, correlationId: CANARY },
    tenantId: CANARY,
    aggregate: { type: 'order', id: CANARY },
  };
  const audited = await producer.append(event);
  const failing = await producer.append({ ...event, routingKey: PARTNER });
  await deployment.untilStatus(audited.id, 'DELIVERED');
  await eventually('a second attempt', async () => destination.seen.filter(({ key }) => key === failing.id).length > 1);
  // A stop sends what is left.
  for (const process of [relay, worker, api]) expect(await stop(process)).toBe(0);
  await untilSpans(audited.traceId, INGEST);
  await untilSpans(failing.traceId, 'POST', `deliver ${PARTNER}`, 'RunActivity:dispatchEvent');
  expect(receiver.requests.filter(({ text }) => text.includes(CANARY))).toEqual([]);
  const ours = receiver.spans.filter(({ resource }) => resource['service.name'] !== 'shop');
  const unlisted = ours.flatMap(({ attributes }) => Object.keys(attributes)).filter((key) => !(key in SPAN_ATTRIBUTES));
  expect(unlisted).toEqual([]);
  expect(ours.filter(({ events, statusMessage }) => events > 0 || statusMessage !== '')).toEqual([]);
}, 90_000);

const byTrace = (a: { traceId: string }, b: { traceId: string }) => a.traceId.localeCompare(b.traceId);
