/**
 * OpenTelemetry's SDK, in this folder only and loaded only where tracing is on (by `import()`): a process without it makes no
 * span. What is started never slows or stops what it traces: spans wait in a bounded queue, and are lost when it is full.
 */
import type { Tracer } from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  ParentBasedSampler,
  type Sampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../../application/delivery/ports.js';
import type { Tracing } from '../../application/tracing.js';
import type { Sampling, TracingSettings } from '../config/tracing-variables.js';
import { createGuardedExporter, OUR_SCOPE } from './guarded-exporter.js';
import { createLostSpans } from './lost-spans.js';
import { shareGlobals } from './share-globals.js';
import { createSpanQueue } from './span-queue.js';
import { createTracing } from './spans.js';

export interface StartedTracing {
  readonly tracing: Tracing;
  /** For Temporal's interceptors, which make spans of their own. */
  readonly forTemporal: { readonly tracer: Tracer; readonly processor: SpanProcessor; readonly resource: Resource };
  /** Sends what waits, for two seconds at most. */
  stop(): Promise<void>;
}

/** A claim of the greatest batch has a link for each of its events. */
const MOST_LINKS = 1_000;
const FLUSH_MS = 2_000;

export function startTracing(
  settings: TracingSettings,
  options: { readonly log: Logger; readonly version: string; readonly roles: readonly string[] },
): StartedTracing {
  const { log, version, roles } = options;
  const { url, headers, timeoutMs, queue } = settings;
  const lost = createLostSpans(log);
  const exporter = createGuardedExporter(new OTLPTraceExporter({ url, headers, timeoutMillis: timeoutMs }), lost);
  const processor = createSpanQueue({ exporter, queue, timeoutMs, lost });
  const resource = resourceFromAttributes({
    'outbox.roles': roles.join('+'),
    'service.version': version,
    ...settings.resource,
    'service.name': settings.serviceName,
  });
  const provider = new BasicTracerProvider({
    sampler: toSampler(settings.sampler),
    spanProcessors: [processor],
    spanLimits: { linkCountLimit: MOST_LINKS },
    resource,
  });
  const endUse = shareGlobals({ provider, log });
  const tracer = provider.getTracer(OUR_SCOPE, version);
  const ratio = settings.sampler.root === 'traceidratio' ? { ratio: settings.sampler.ratio } : {};
  log.info({ host: new URL(url).host, serviceName: settings.serviceName, ...ratio }, 'tracing.on');
  return {
    tracing: createTracing(tracer, new W3CTraceContextPropagator()),
    forTemporal: { tracer, processor, resource },
    async stop() {
      // First: from now on a handler's spans are those of whoever else traces here.
      endUse();
      await within(FLUSH_MS, provider.shutdown());
      lost.stopped(processor.unsent());
    },
  };
}

function toSampler({ root, ratio, byParent }: Sampling): Sampler {
  const own =
    root === 'traceidratio'
      ? new TraceIdRatioBasedSampler(ratio)
      : root === 'always_on'
        ? new AlwaysOnSampler()
        : new AlwaysOffSampler();
  return byParent ? new ParentBasedSampler({ root: own }) : own;
}

/** What does not come through in time is lost. */
async function within(ms: number, flushing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([flushing.catch(() => undefined), late]);
  clearTimeout(timer);
}
