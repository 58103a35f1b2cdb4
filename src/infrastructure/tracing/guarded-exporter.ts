/**
 * Stands before the exporter. Of a span of ours nothing leaves but what `SPAN_ATTRIBUTES` lists: no message, no stack, no event,
 * whatever a library put there. An exporter that fails is told of once, and once a minute while it goes on; the spans are lost,
 * and nothing else.
 */
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../../application/delivery/ports.js';
import { SPAN_ATTRIBUTES } from '../../application/tracing.js';

/** The name of our own tracer. */
export const OUR_SCOPE = 'temporal-outbox';
/** Those of Temporal's interceptors. */
const TEMPORAL_SCOPES = '@temporalio/';

const SAY_EVERY_MS = 60_000;

export interface GuardedExporterOptions {
  readonly log: Logger;
  /** A clock that does not go back, ms. */
  readonly now?: () => number;
}

export function createGuardedExporter(
  inner: SpanExporter,
  { log, now = () => performance.now() }: GuardedExporterOptions,
): SpanExporter {
  const failures = occasionally(log, now);
  return {
    export(spans, told) {
      inner.export(spans.map(strip), (result) => {
        // 0: success (ExportResultCode). Told as one in any case: the processor's own way to say it is a line for each.
        if (result.code === 0) failures.over();
        else failures.occurred(spans.length, result.error);
        told({ code: 0 });
      });
    },
    shutdown: () => inner.shutdown(),
    forceFlush: async () => inner.forceFlush?.(),
  };
}

/** What a handler's own instrumentation puts on its spans is its own. */
function strip(span: ReadableSpan): ReadableSpan {
  const { name } = span.instrumentationScope;
  if (name !== OUR_SCOPE && !name.startsWith(TEMPORAL_SCOPES)) return span;
  return {
    name: span.name,
    kind: span.kind,
    spanContext: () => span.spanContext(),
    ...(span.parentSpanContext === undefined ? {} : { parentSpanContext: span.parentSpanContext }),
    startTime: span.startTime,
    endTime: span.endTime,
    duration: span.duration,
    ended: span.ended,
    status: { code: span.status.code },
    attributes: Object.fromEntries(
      Object.entries(span.attributes).filter(
        ([key, value]) => Object.hasOwn(SPAN_ATTRIBUTES, key) && ['string', 'number'].includes(typeof value),
      ),
    ),
    links: span.links.map(({ context }) => ({ context })),
    events: [],
    resource: span.resource,
    instrumentationScope: span.instrumentationScope,
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
  };
}

function occasionally(log: Logger, now: () => number) {
  let lost = 0;
  let failing = false;
  let saidAt = Number.NEGATIVE_INFINITY;
  return {
    occurred(spans: number, error: Error | undefined): void {
      lost += spans;
      failing = true;
      if (now() - saidAt < SAY_EVERY_MS) return;
      saidAt = now();
      const reason = (error?.message ?? 'no reason was given').slice(0, 300);
      log.warn({ lostSpans: lost, reason }, 'tracing.export_failed');
      lost = 0;
    },
    over(): void {
      if (failing) log.info({ lostSpans: lost }, 'tracing.export_works');
      failing = false;
      lost = 0;
    },
  };
}
