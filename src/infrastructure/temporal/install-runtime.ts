import { IllegalStateError } from '@temporalio/common';
import { type LogMetadata, makeTelemetryFilterString, Runtime, type Logger as SdkLogger } from '@temporalio/worker';
import type { Logger } from '../../application/delivery/ports.js';
import { type SdkMetrics, sdkMetricsListen } from './sdk-metrics.js';

/**
 * Sends every line of Temporal's SDK (its native core, worker, activity and workflow loggers) to our log. Signals stay
 * ours: the roles stop in an order of their own.
 *
 * To be called right before every try to connect: the SDK takes its runtime down with the last connection, a failed one
 * too, and would make a default one for the next (its own log, its own signal handlers). One that is installed and never
 * used would keep the process from ending.
 */
export async function installRuntime(log: Logger, metrics: SdkMetrics | null = null): Promise<void> {
  const address = (await metrics?.findAddress()) ?? null;
  try {
    install(log, address, metrics?.labels);
  } catch (error) {
    if (error instanceof IllegalStateError) return; // it stands already
    if (address === null) throw error;
    // Whatever keeps it from telling its metrics (its port was taken a moment ago) must not keep it from working.
    log.warn({ err: error }, 'metrics.sdk_not_told');
    install(log, null);
  }
}

function install(log: Logger, metricsAddress: string | null, labels: Readonly<Record<string, string>> = {}): void {
  Runtime.install({
    logger: toSdkLogger(log),
    shutdownSignals: [],
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }) },
      ...(metricsAddress === null
        ? {}
        : {
            metrics: {
              globalTags: { ...labels },
              prometheus: {
                bindAddress: metricsAddress,
                countersTotalSuffix: true,
                unitSuffix: true,
                useSecondsForDurations: true,
              },
            },
          }),
    },
  });
  sdkMetricsListen(metricsAddress);
}

/** SDK lines name the task's payloads nowhere, but a workflow's or activity's own fields are passed as they are. */
export function toSdkLogger(log: Logger): SdkLogger {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, meta?: LogMetadata) =>
    log[level]({ ...readable(meta), component: 'temporal' }, message);
  // The attempt's own line says it already, with our numbers.
  const warn = (message: string, meta?: LogMetadata) =>
    at(message === 'Activity failed' ? 'debug' : 'warn')(message, meta);
  const sdk = { trace: at('debug'), debug: at('debug'), info: at('info'), warn, error: at('error') };
  return {
    ...sdk,
    log: (level, message, meta) => sdk[LEVELS[level]](message, meta),
  };
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Without symbols and big numbers, which JSON cannot take. */
function readable(meta: LogMetadata | undefined): Record<string, unknown> {
  const entries = Object.entries(meta ?? {});
  return Object.fromEntries(entries.map(([key, value]) => [key, typeof value === 'bigint' ? value.toString() : value]));
}
