// Roles that a program starts one by one share OpenTelemetry's globals. Real: the SDK, its globals, OTLP to a server of ours.
import { context, propagation, trace } from '@opentelemetry/api';
import { readTracing } from '../../src/infrastructure/config/tracing-variables.js';
import { type StartedTracing, startTracing } from '../../src/infrastructure/tracing/start-tracing.js';
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };
let receiver: OtlpReceiver;
const started: StartedTracing[] = [];
beforeAll(async () => {
  receiver = await startOtlpReceiver();
});
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});
afterAll(() => receiver.close());

function start(name: string): StartedTracing {
  const settings = readTracing({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint, OTEL_SERVICE_NAME: name });
  if (settings === null) throw new Error('expected tracing to be on');
  const one = startTracing(settings, { log: silent, version: '0', roles: [name] });
  started.push(one);
  return one;
}

/** The trace that a request within a span of a handler would carry, by the program's globals. */
async function carriedBy(one: StartedTracing): Promise<string | undefined> {
  return one.tracing.inSpan({ name: 'outer', kind: 'internal' }, async () => {
    await new Promise(setImmediate);
    const carrier: Record<string, string> = {};
    propagation.inject(context.active(), carrier);
    return carrier.traceparent;
  });
}

it.each([
  ['first', 0],
  ['last', 1],
])('one that started %s may stop: the other goes on, and with it all that handlers trace', async (_, stops) => {
  const both = [start('a'), start('b')];
  const handlers = trace.getTracer('shop');
  const [stopping, staying] = [both[stops], both[1 - stops]] as [StartedTracing, StartedTracing];
  await stopping.stop();
  await stopping.stop(); // changes nothing
  expect(await carriedBy(staying)).toMatch(/^00-/);
  handlers.startSpan(`by the handler, ${stops}`).end();
  handlers.startActiveSpan(`around it, ${stops}`, (span) => span.end());
  await staying.stop();
  const sent = receiver.spans.filter(({ name }) => name.endsWith(`, ${stops}`));
  expect(sent.map(({ resource }) => resource['service.name'])).toEqual(stops === 0 ? ['b', 'b'] : ['a', 'a']);

  // The last one has left nothing behind, and who comes after it finds all in place again.
  expect(handlers.startSpan('late').isRecording()).toBe(false);
  const carrier = {};
  propagation.inject(
    trace.setSpanContext(context.active(), { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }),
    carrier,
  );
  expect(carrier).toEqual({});
  const after = start('c');
  expect(await carriedBy(after)).toMatch(/^00-/);
  expect(handlers.startSpan('anew').isRecording()).toBe(true);
});
