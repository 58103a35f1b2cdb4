/**
 * Spans, as the product makes them. Off is the default and has no object of its own: whoever may trace gets
 * `tracing?: Tracing` and goes its way without, where it is undefined.
 */
import type { TraceContext } from '../domain/trace-context.js';

/**
 * All that a span of ours may say, and what it means: ids, names, codes, numbers. Nothing else leaves the process (the
 * exporter keeps to this table, docs/tracing.md is held to it): no payload, no actor, no tenant, no aggregate's id, no
 * message of an error, no path or query of a URL.
 */
export const SPAN_ATTRIBUTES = {
  'outbox.event.id': "The event's id.",
  'outbox.event.name': 'What happened: `order.order.placed.v1`.',
  'outbox.event.type': 'The family that chooses the policy: `ORDER`.',
  'outbox.epoch': 'How often the event was given out anew: 0 is the first time.',
  'outbox.destination': 'The routing key.',
  'outbox.carrier': 'The run that carries many events.',
  'outbox.events': 'How many events one claim, one batch or one post is about.',
  'outbox.mode': '`local` or `regular`: the first attempt, or a later one.',
  'outbox.attempt': 'The number of the attempt.',
  'outbox.outcome': '`delivered`, `failed`, `busy`, `superseded`; of a start: `started`, `exists`, `refused`.',
  'outbox.error.code': 'The code of the error table (docs/errors.md), or of a problem of the api.',
  'outbox.receipt.id': "The destination's id of the effect; of the audit log, the record's id.",
  'outbox.request.id': "The request's id in the api's answer and log lines.",
  'http.request.method': 'The method.',
  'http.route': 'The route, with names in place of ids.',
  'http.response.status_code': 'The status that was answered.',
  'server.address': "The destination's host.",
  'server.port': "The destination's port.",
  'error.type': 'The status, or the code, of what failed.',
  temporalWorkflowId: "Temporal's workflow id.",
  run_id: "Temporal's run id.",
  temporalActivityId: "Temporal's activity id.",
} as const;

export type SpanAttributes = { readonly [Name in keyof typeof SPAN_ATTRIBUTES]?: string | number | null | undefined };

export interface SpanStart {
  readonly name: string;
  readonly kind: 'server' | 'client' | 'producer' | 'consumer' | 'internal';
  /** Default: the active span. null: it begins a trace. */
  readonly parent?: TraceContext | null | undefined;
  readonly links?: readonly TraceContext[];
  readonly attributes?: SpanAttributes;
  /** It began so long before this call. */
  readonly beganMsAgo?: number;
  /** Whether requests within tell the other side of the trace. Default: as around it, at first true. */
  readonly tells?: boolean;
}

export interface OpenSpan {
  readonly context: TraceContext;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** It failed, by this code or status; its message stays here. */
  fail(type: string): void;
}

export interface Tracing {
  /** Runs the work in a span that ends with it. What it throws fails the span and is thrown on. */
  inSpan<T>(start: SpanStart, work: (span: OpenSpan) => Promise<T>): Promise<T>;
  /** Runs the work as a part of another span, or (null) of none. */
  within<T>(parent: TraceContext | null, work: () => Promise<T>): Promise<T>;
  /** On the active span. */
  note(attributes: SpanAttributes): void;
  /** Whether there is an active span. */
  isActive(): boolean;
  /** What a request tells the other side: `traceparent`, and `tracestate` where there is one. */
  headers(): Readonly<Record<string, string>>;
}
