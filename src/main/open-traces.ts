import type { Logger } from 'pino';
import type { Tracing } from '../application/tracing.js';
import type { Environment } from '../infrastructure/config/load-settings.js';
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

/**
 * undefined: off. Then nothing of OpenTelemetry's SDK is loaded.
 * @throws ConfigurationError where OpenTelemetry's variables do not fit
 */
export async function openTraces(
  environment: Environment,
  { roles, log }: { readonly roles: readonly RoleName[]; readonly log: Logger },
): Promise<Traces | undefined> {
  const settings = readTracing(environment);
  if (settings === null) return undefined;
  const { startTracing } = await import('../infrastructure/tracing/start-tracing.js');
  const { tracing, forTemporal, stop } = startTracing(settings, { log, version: packageVersion(), roles });
  if (roles.every((role) => role === 'api')) return { tracing, temporal: null, stop };
  const { traceTemporal } = await import('../infrastructure/temporal/trace-temporal.js');
  return { tracing, temporal: traceTemporal(forTemporal), stop };
}
