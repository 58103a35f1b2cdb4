/** A producer with an OpenTelemetry SDK of its own, that exports to the same receiver as the product. */
import { context, type Span, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type pg from 'pg';
import { type NewOutboxEvent, recordEvent } from '../../src/index.js';

export interface Appended {
  readonly id: string;
  readonly traceId: string;
  readonly spanId: string;
}

export interface Producer {
  /** Appends in a transaction, in a span of its own: the event's id and the span. */
  append(event: Partial<NewOutboxEvent>): Promise<Appended>;
  /** As many, each in a span and a trace of its own, in one transaction: nobody sees some of them. */
  appendTogether(count: number, event: Partial<NewOutboxEvent>): Promise<Appended[]>;
  close(): Promise<void>;
}

export function createProducer(outbox: pg.Pool, endpoint: string): Producer {
  const exporter = new OTLPTraceExporter({ url: `${endpoint}/v1/traces` });
  const provider = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    resource: resourceFromAttributes({ 'service.name': 'shop' }),
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const inSpan = <T>(work: (span: Span) => Promise<T>): Promise<T> => {
    const span = provider.getTracer('shop').startSpan('place order');
    return context.with(trace.setSpan(context.active(), span), () => work(span)).finally(() => span.end());
  };
  const appendTogether: Producer['appendTogether'] = async (count, event) => {
    const client = await outbox.connect();
    try {
      await client.query('BEGIN');
      const appended: Appended[] = [];
      for (let n = 0; n < count; n += 1) appended.push(await inSpan((span) => appendOne(client, event, span)));
      await client.query('COMMIT');
      return appended;
    } finally {
      client.release();
    }
  };
  return {
    append: async (event) => (await appendTogether(1, event))[0] as Appended,
    appendTogether,
    close: async () => {
      await provider.shutdown();
      context.disable();
    },
  };
}

async function appendOne(client: pg.PoolClient, event: Partial<NewOutboxEvent>, span: Span): Promise<Appended> {
  const id = await recordEvent(client, {
    ...{ eventName: 'order.order.placed.v1', eventType: 'ORDER', aggregate: { type: 'order', id: '1' }, payload: {} },
    ...event,
  });
  const { traceId, spanId } = span.spanContext();
  return { id, traceId, spanId };
}
