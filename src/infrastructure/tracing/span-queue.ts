/**
 * Spans that wait for the exporter: the SDK's queue, and a count beside it of those that it did not take, which the SDK itself
 * says in passing and too late.
 */
import { TraceFlags } from '@opentelemetry/api';
import { BatchSpanProcessor, type SpanExporter, type SpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { TracingSettings } from '../config/tracing-variables.js';
import type { LostSpans } from './lost-spans.js';

export interface SpanQueueOptions {
  readonly exporter: SpanExporter;
  readonly queue: TracingSettings['queue'];
  /** Of one post. */
  readonly timeoutMs: number;
  readonly lost: LostSpans;
}

export interface SpanQueue extends SpanProcessor {
  /** Taken, and not sent yet. */
  unsent(): number;
}

export function createSpanQueue({ exporter, queue, timeoutMs, lost }: SpanQueueOptions): SpanQueue {
  let waiting = 0;
  let underWay = 0;
  let open = true;
  const counted: SpanExporter = {
    // Called in the same step in which the spans leave the queue: ours have no resource that is waited for.
    export(spans, told) {
      waiting -= spans.length;
      underWay += spans.length;
      exporter.export(spans, (result) => {
        underWay -= spans.length;
        told(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
  const inner = new BatchSpanProcessor(counted, {
    maxQueueSize: queue.most,
    maxExportBatchSize: queue.batch,
    scheduledDelayMillis: queue.everyMs,
    exportTimeoutMillis: timeoutMs + 1_000,
  });
  return {
    onStart: (span, parent) => inner.onStart(span, parent),
    onEnd(span) {
      const sampled = (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0;
      if (!open || !sampled) return;
      if (waiting < queue.most) {
        waiting += 1;
        lost.queueTakes();
      } else lost.queueFull();
      inner.onEnd(span);
    },
    forceFlush: () => inner.forceFlush(),
    shutdown() {
      open = false;
      return inner.shutdown();
    },
    unsent: () => waiting + underWay,
  };
}
