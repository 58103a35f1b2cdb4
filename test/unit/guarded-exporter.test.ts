// What leaves the process, and what is said of an exporter that fails. Real: spans of the SDK. Fake: the exporter, the clock.
import { SpanStatusCode } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { createGuardedExporter, OUR_SCOPE } from '../../src/infrastructure/tracing/guarded-exporter.js';
import { createLostSpans } from '../../src/infrastructure/tracing/lost-spans.js';

interface Line {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

function recordingLog() {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function spanOf(scope: string): ReadableSpan {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(memory)] });
  const span = provider
    .getTracer(scope)
    .startSpan('work', { attributes: { 'outbox.event.id': 'e', 'user.email': 'x' } });
  span.recordException(new Error('hush'));
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'hush' });
  span.end();
  return memory.getFinishedSpans()[0] as ReadableSpan;
}

async function exported(span: ReadableSpan): Promise<ReadableSpan> {
  const memory = new InMemorySpanExporter();
  const guarded = createGuardedExporter(memory, createLostSpans(recordingLog()));
  await new Promise<void>((resolve) => guarded.export([span], () => resolve()));
  return memory.getFinishedSpans()[0] as ReadableSpan;
}

it.each([OUR_SCOPE, '@temporalio/interceptor-workflow'])(
  'of a span of %s only listed attributes leave',
  async (scope) => {
    const span = spanOf(scope);
    const left = await exported(span);
    expect(left.attributes).toEqual({ 'outbox.event.id': 'e' });
    expect([left.events, left.status]).toEqual([[], { code: SpanStatusCode.ERROR }]);
    expect([left.name, left.spanContext(), left.resource]).toEqual([span.name, span.spanContext(), span.resource]);
  },
);

it("a handler's own span leaves as it is", async () => {
  const span = spanOf('shop');
  expect(await exported(span)).toBe(span);
});

it('a failure is told to the log at once, then once a minute with how much was lost, and when it is over', () => {
  let nowMs = 0;
  let fails = true;
  const inner: SpanExporter = {
    export: (_spans, told) => told(fails ? { code: 1, error: new Error('ECONNREFUSED') } : { code: 0 }),
    shutdown: async () => {},
  };
  const log = recordingLog();
  const guarded = createGuardedExporter(
    inner,
    createLostSpans(log, () => nowMs),
  );
  const told: number[] = [];
  const send = () => guarded.export([spanOf(OUR_SCOPE)], ({ code }) => void told.push(code));
  for (nowMs = 0; nowMs <= 60_000; nowMs += 20_000) send();
  fails = false;
  send();
  send();
  expect(log.lines).toEqual([
    { level: 'warn', fields: { lostSpans: 1, reason: 'ECONNREFUSED' }, message: 'tracing.export_failed' },
    { level: 'warn', fields: { lostSpans: 3, reason: 'ECONNREFUSED' }, message: 'tracing.export_failed' },
    { level: 'info', fields: { lostSpans: 0 }, message: 'tracing.export_works' },
  ]);
  // To the processor it is a success: its own way to say otherwise is an error for each.
  expect(new Set(told)).toEqual(new Set([0]));
});
