import type { Logger } from 'pino';
import type { Tracing } from '../application/tracing.js';
import type { Environment } from '../infrastructure/config/load-settings.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { readTracing } from '../infrastructure/config/tracing-variables.js';
import type { TracedTemporal } from '../infrastructure/temporal/trace-temporal.js';
import { packageVersion } from './package-version.js';
import type { RoleName } from './role-name.js';

export interface Traces {
  readonly tracing: Tracing;
  /** null in an api, which has no use for Temporal. */
  readonly temporal: TracedTemporal | null;
  /** Sends what waits, with a deadline. */
  stop(): Promise<void>;
}

export interface OpenTracesOptions {
  readonly settings: Pick<Settings, 'traces'>;
  readonly roles: readonly RoleName[];
  readonly log: Logger;
}

/**
 * undefined: off. Then nothing of OpenTelemetry's SDK is loaded, and none of its variables matters.
 * @throws ConfigurationError where OUTBOX_TRACES=on and OpenTelemetry's variables do not fit
 */
export async function openTraces(
  environment: Environment,
  { settings, roles, log }: OpenTracesOptions,
): Promise<Traces | undefined> {
  if (settings.traces === 'off') return undefined;
  const tracingSettings = readTracing(environment);
  if (tracingSettings === null) {
    log.info({ by: 'OTEL_SDK_DISABLED or OTEL_TRACES_EXPORTER' }, 'tracing.off');
    return undefined;
  }
  const { startTracing } = await import('../infrastructure/tracing/start-tracing.js');
  const { tracing, forTemporal, stop } = startTracing(tracingSettings, { log, version: packageVersion(), roles });
  if (roles.every((role) => role === 'api')) return { tracing, temporal: null, stop };
  const { traceTemporal } = await import('../infrastructure/temporal/trace-temporal.js');
  return { tracing, temporal: traceTemporal(forTemporal), stop };
}
