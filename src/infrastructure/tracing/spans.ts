/** The tracing port by OpenTelemetry's API. */
import {
  type Attributes,
  type Context,
  context,
  createContextKey,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapPropagator,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { OpenSpan, SpanAttributes, Tracing } from '../../application/tracing.js';
import type { TraceContext } from '../../domain/trace-context.js';

const KINDS = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  internal: SpanKind.INTERNAL,
} as const;

/** In a context: whether its requests tell the other side of the trace. */
const TELLS = createContextKey('temporal-outbox tells');

export function createTracing(tracer: Tracer, propagator: TextMapPropagator): Tracing {
  const read = (given: TraceContext, into: Context = ROOT_CONTEXT) =>
    propagator.extract(into, given, defaultTextMapGetter);
  const write = (from: Context): Record<string, string> => {
    const carrier: Record<string, string> = {};
    propagator.inject(from, carrier, defaultTextMapSetter);
    return carrier;
  };
  const parentOf = (parent: TraceContext | null | undefined): Context => {
    const active = context.active();
    if (parent === undefined) return active;
    const without = trace.deleteSpan(active);
    return parent === null ? without : read(parent, without);
  };
  return {
    async inSpan(start, work) {
      const around = parentOf(start.parent);
      const links = (start.links ?? []).flatMap((link) => {
        const linked = trace.getSpanContext(read(link));
        return linked === undefined ? [] : [{ context: linked }];
      });
      const began = start.beganMsAgo === undefined ? {} : { startTime: Date.now() - start.beganMsAgo };
      const attributes = toAttributes(start.attributes ?? {});
      const span = tracer.startSpan(start.name, { kind: KINDS[start.kind], links, attributes, ...began }, around);
      const own = trace.setSpan(start.tells === undefined ? around : around.setValue(TELLS, start.tells), span);
      try {
        return await context.with(own, () => work(openSpan(span, () => write(own))));
      } catch (error) {
        fail(span, error);
        throw error;
      } finally {
        span.end();
      }
    },
    within: (parent, work) => context.with(parentOf(parent), work),
    note: (attributes) => void trace.getActiveSpan()?.setAttributes(toAttributes(attributes)),
    isActive: () => trace.getActiveSpan() !== undefined,
    headers: () => (context.active().getValue(TELLS) === false ? {} : write(context.active())),
  };
}

function openSpan(span: Span, headers: () => Record<string, string>): OpenSpan {
  return {
    get context() {
      const { traceparent = '', tracestate } = headers();
      return { traceparent, ...(tracestate === undefined ? {} : { tracestate }) };
    },
    rename: (name) => void span.updateName(name),
    set: (attributes) => void span.setAttributes(toAttributes(attributes)),
    fail: (type) => {
      span.setAttribute('error.type', type);
      span.setStatus({ code: SpanStatusCode.ERROR });
    },
  };
}

/** The code where it has one, else its class: what it says may be anything. */
function fail(span: Span, error: unknown): void {
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    name?: unknown;
  };
  const type = [code, name].find((text) => typeof text === 'string') as string | undefined;
  span.setAttribute('error.type', (type ?? 'Error').slice(0, 100));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

function toAttributes(attributes: SpanAttributes): Attributes {
  const given: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== null) given[name] = value;
  return given;
}
