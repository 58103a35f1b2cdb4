/**
 * OpenTelemetry's SDK, in this folder only and loaded only where tracing is on (by `import()`): a process without it makes no
 * span. What is started never slows or stops what it traces: spans wait in a bounded queue, and are lost when it is full.
 */
import { context, DiagLogLevel, diag, propagation, type Tracer, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { Logger } from '../../application/delivery/ports.js';
import type { Tracing } from '../../application/tracing.js';
import type { Sampling, TracingSettings } from '../config/tracing-variables.js';
import { createGuardedExporter, OUR_SCOPE } from './guarded-exporter.js';
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
  const exporter = createGuardedExporter(new OTLPTraceExporter({ url, headers, timeoutMillis: timeoutMs }), { log });
  const processor = new BatchSpanProcessor(exporter, {
    maxQueueSize: queue.most,
    maxExportBatchSize: queue.batch,
    scheduledDelayMillis: queue.everyMs,
    exportTimeoutMillis: timeoutMs + 1_000,
  });
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
  const propagator = new W3CTraceContextPropagator();
  // What the SDK says of itself (a full queue, another SDK in this process) at debug: the exporter's failures are told above.
  const say = (message: string) => log.debug({ reason: message.slice(0, 300) }, 'tracing.sdk');
  diag.setLogger({ error: say, warn: say, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.WARN);
  // Global, so that a handler's own instrumentation joins in. Where the program has an SDK of its own, that stays.
  const undo = [
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()) && (() => context.disable()),
    propagation.setGlobalPropagator(propagator) && (() => propagation.disable()),
    trace.setGlobalTracerProvider(provider) && (() => trace.disable()),
    () => diag.disable(),
  ];
  const tracer = provider.getTracer(OUR_SCOPE, version);
  const ratio = settings.sampler.root === 'traceidratio' ? { ratio: settings.sampler.ratio } : {};
  log.info({ host: new URL(url).host, serviceName: settings.serviceName, ...ratio }, 'tracing.on');
  return {
    tracing: createTracing(tracer, propagator),
    forTemporal: { tracer, processor, resource },
    async stop() {
      await within(FLUSH_MS, provider.shutdown());
      for (const step of undo) if (step !== false) step();
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

/** What does not come through in time is lost; that it was, the exporter has said. */
async function within(ms: number, flushing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([flushing.catch(() => undefined), late]);
  clearTimeout(timer);
}
