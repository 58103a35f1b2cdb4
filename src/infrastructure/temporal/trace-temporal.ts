/**
 * Temporal's own OpenTelemetry interceptors: the context travels in a header of the start and of every activity. Loaded only
 * where tracing is on; a worker with it runs the bundle that has the workflows' part (`workflow-bundle-traced.js`).
 */
import type { WorkflowClientInterceptor } from '@temporalio/client';
import {
  makeWorkflowExporter,
  OpenTelemetryActivityInboundInterceptor,
  OpenTelemetryActivityOutboundInterceptor,
  OpenTelemetryWorkflowClientInterceptor,
} from '@temporalio/interceptors-opentelemetry-v2';
import type { WorkerOptions } from '@temporalio/worker';
import type { StartedTracing } from '../tracing/start-tracing.js';

export interface TracedTemporal {
  readonly client: WorkflowClientInterceptor;
  readonly worker: Required<Pick<WorkerOptions, 'interceptors' | 'sinks'>>;
}

export function traceTemporal({ tracer, processor, resource }: StartedTracing['forTemporal']): TracedTemporal {
  const exporter = makeWorkflowExporter(processor, resource);
  return {
    client: new OpenTelemetryWorkflowClientInterceptor({ tracer }),
    worker: {
      interceptors: {
        activity: [
          (context) => ({
            inbound: new OpenTelemetryActivityInboundInterceptor(context, { tracer }),
            outbound: new OpenTelemetryActivityOutboundInterceptor(context),
          }),
        ],
      },
      sinks: {
        exporter: {
          export: {
            // By itself it puts all that is known of the run onto its spans: memo, search attributes, the last failure.
            fn: ({ workflowId, runId }, spans: Parameters<typeof exporter.export.fn>[1]) =>
              exporter.export.fn({ temporalWorkflowId: workflowId, run_id: runId } as never, spans),
          },
        },
      },
    },
  };
}
