// The tracing port over OpenTelemetry's SDK. Real: SDK, propagator, context manager. Fake: the exporter, which keeps the spans.
import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { traceDispatcher, traceFinder, traceHttp } from '../../src/application/delivery/trace-dispatch.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { createTracing } from '../../src/infrastructure/tracing/spans.js';

const memory = new InMemorySpanExporter();
const provider = new BasicTracerProvider({
  sampler: new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  spanProcessors: [new SimpleSpanProcessor(memory)],
});
const tracing = createTracing(provider.getTracer('test'), new W3CTraceContextPropagator());
const contextOf = (letter: string, flags = '01') => ({
  traceparent: `00-${letter.repeat(32)}-${letter.repeat(16)}-${flags}`,
});
const traceOf = (traceparent?: string) => traceparent?.split('-')[1];

beforeAll(() => void context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
afterAll(() => context.disable());
beforeEach(() => memory.reset());

it('a span is below the active one, below another, or begins a trace, and links lead where they are told', async () => {
  await tracing.inSpan({ name: 'outer', kind: 'internal', parent: contextOf('a') }, async (outer) => {
    await tracing.inSpan({ name: 'inner', kind: 'client' }, async () => {});
    await tracing.inSpan({ name: 'root', kind: 'consumer', parent: null, links: [contextOf('b')] }, async () => {});
    await tracing.within(contextOf('c'), async () => {
      expect(traceOf(tracing.headers().traceparent)).toBe('c'.repeat(32));
    });
    await tracing.within(null, async () => expect(tracing.headers()).toEqual({}));
    expect(tracing.headers()).toEqual(outer.context);
  });
  const [inner, root, outer] = memory.getFinishedSpans();
  expect(outer?.parentSpanContext).toMatchObject({ traceId: 'a'.repeat(32), spanId: 'a'.repeat(16) });
  expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
  expect(root?.parentSpanContext).toBeUndefined();
  expect(root?.links.map(({ context: { traceId } }) => traceId)).toEqual(['b'.repeat(32)]);
});

it('what a trace has decided not to keep is not kept, and told on', async () => {
  await tracing.inSpan(
    { name: 'unsampled', kind: 'internal', parent: contextOf('a', '00') },
    async ({ context: own }) => {
      expect(own.traceparent).toMatch(/^00-a{32}-[0-9a-f]{16}-00$/);
      expect(tracing.headers()).toEqual(own);
    },
  );
  expect(memory.getFinishedSpans()).toEqual([]);
});

it('what the work throws fails its span by code, or by class, and is thrown on as it is', async () => {
  for (const error of [new IntegrationError('HTTP.TIMEOUT', { message: 'hush' }), new RangeError('hush')]) {
    const failing = tracing.inSpan({ name: 'failing', kind: 'internal' }, () => Promise.reject(error));
    await expect(failing).rejects.toBe(error);
  }
  const spans = memory.getFinishedSpans();
  expect(spans.map(({ attributes }) => attributes['error.type'])).toEqual(['HTTP.TIMEOUT', 'RangeError']);
  expect(JSON.stringify(spans.map(({ attributes, status, events }) => [attributes, status, events]))).not.toContain(
    'hush',
  );
});

it("requests carry the trace, a handler's own header stays, and a destination that is not to know is not told", async () => {
  const sent: Record<string, string>[] = [];
  const http = traceHttp(tracing, {
    send: async ({ headers = {} }) => {
      sent.push({ ...headers });
      return { status: 200, headers: {}, body: '' };
    },
    close: async () => {},
  });
  const request = { method: 'POST', url: 'https://partner.example/path?token=hush', timeoutMs: 1_000 } as const;
  const receipt = { id: 'r', hash: null, status: 200, at: '2026-01-01T00:00:00Z', replayed: false };
  const handlerOf = (routingKey: string, traceContext?: boolean) => ({
    ...{ routingKey, deliver: async () => receipt },
    ...(traceContext === undefined ? {} : { traceContext }),
  });
  const dispatcher = traceDispatcher(
    tracing,
    {
      dispatch: async () => {
        await http.send(request);
        await http.send({ ...request, headers: { TraceParent: 'own' } });
        return receipt;
      },
      dispatchBatch: async () => 'busy',
    },
    [handlerOf('open'), handlerOf('private', false)],
  );
  const options = { mode: 'local', timeoutMs: 1_000, signal: new AbortController().signal } as const;
  const within = { ...contextOf('a'), tracestate: 'vendor=1' };
  for (const routingKey of ['open', 'private']) {
    const dispatch = () => dispatcher.dispatch({ id: 'e', routingKey } as never, options);
    await tracing.inSpan({ name: 'run', kind: 'internal', parent: within }, dispatch);
  }
  expect(sent).toEqual([
    { traceparent: expect.stringMatching(/^00-a/), tracestate: 'vendor=1' },
    { TraceParent: 'own' },
    {},
    { TraceParent: 'own' },
  ]);
  const call = memory.getFinishedSpans().find(({ name }) => name === 'POST');
  expect(call?.attributes).toEqual({
    ...{ 'http.request.method': 'POST', 'http.response.status_code': 200 },
    ...{ 'server.address': 'partner.example', 'server.port': 443 },
  });
  expect(traceOf(sent[0]?.traceparent)).toBe(call?.spanContext().traceId);
});

it('a destination is asked after an effect in the event’s own trace where no run is under way, and told as it may be', async () => {
  const told: (string | undefined)[] = [];
  const plain = {
    find: async () => {
      told.push(traceOf(tracing.headers().traceparent));
      return { kind: 'none' } as const;
    },
  };
  const handlers = [{ routingKey: 'private', traceContext: false, deliver: () => Promise.reject() }];
  const finder = traceFinder(tracing, plain, handlers);
  const options = { timeoutMs: 1_000, signal: new AbortController().signal };
  const find = (routingKey: string) => finder.find({ id: 'e', routingKey, headers: contextOf('d') } as never, options);
  await find('open');
  await tracing.inSpan({ name: 'run', kind: 'internal', parent: contextOf('e') }, () => find('open'));
  await find('private');
  expect(told).toEqual(['d'.repeat(32), 'e'.repeat(32), undefined]);
});
