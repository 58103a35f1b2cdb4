/**
 * Stands before the exporter. Of a span of ours nothing leaves but what `SPAN_ATTRIBUTES` lists: no message, no stack, no event,
 * whatever a library put there. Of an exporter that fails the spans are lost, and nothing else.
 */
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import { SPAN_ATTRIBUTES } from '../../application/tracing.js';
import type { LostSpans } from './lost-spans.js';

/** The name of our own tracer. */
export const OUR_SCOPE = 'temporal-outbox';
/** Those of Temporal's interceptors. */
const TEMPORAL_SCOPES = '@temporalio/';

export function createGuardedExporter(
  inner: SpanExporter,
  lost: Pick<LostSpans, 'exportFailed' | 'exportWorks'>,
): SpanExporter {
  return {
    export(spans, told) {
      inner.export(spans.map(strip), (result) => {
        // 0: success (ExportResultCode). Told as one in any case: the processor's own way to say it is a line for each.
        if (result.code === 0) lost.exportWorks();
        else lost.exportFailed(spans.length, result.error);
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
