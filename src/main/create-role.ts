/**
 * The roles inside a program of one's own, beside the command line: the same settings, checks and order of stopping, but no
 * signal handlers and no exit. Nothing of a role is loaded before it is created, so that a producer, which needs
 * recordEvent only, pays for neither Temporal nor express.
 */
import { defineConfig, type OutboxConfig } from '../application/delivery/define-config.js';
import { createRedactor } from '../domain/redaction/redactor.js';
import type { RoleName } from './role-name.js';

export interface CreateRolesOptions {
  /** OUTBOX_, AUDIT_ and TEMPORAL_ variables. Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Gives up a start that waits for a database or for Temporal. */
  readonly signal?: AbortSignal;
}

export interface RunningRoles {
  /** Of the audit log's entrance; null without the api. It answers /live and /ready, too. */
  readonly apiPort: number | null;
  /** Of /live and /ready for the relay and the worker, with /metrics where that has no port of its own; null without them. */
  readonly probePort: number | null;
  /** Of /metrics, where OUTBOX_METRICS_PORT gives it one; else null. */
  readonly metricsPort: number | null;
  /**
   * Something was committed: the relay looks now instead of at its next poll, up to a second later. Call it after the
   * commit; before, there is nothing to find. Only ever saves time, costs nothing, may be called at any rate. Does nothing
   * where no relay is among the roles.
   */
  hint(): void;
  /** Stops taking work, finishes what is under way, closes what was opened: relay, worker, api, in this order. */
  stop(): Promise<void>;
  /** Rejects when a role ended by itself; never resolves. Stop then, and end the program. */
  readonly failed: Promise<never>;
}

const ROLES: readonly RoleName[] = ['api', 'relay', 'worker'];

/**
 * Runs roles beside each other in this process. Relay and worker then share one connection to Temporal, and the relay's
 * starts are eager: the first workflow task comes with the answer to the start.
 *
 * Resolves when they run; waits while PostgreSQL or Temporal are away (the api alone does not wait). Throws a
 * ConfigurationError naming every setting that does not fit, a StartRefusedError for another deployment's database, a
 * TypeError for a configuration that does not fit.
 */
export async function createRoles(
  roles: readonly RoleName[],
  config: OutboxConfig = {},
  options: CreateRolesOptions = {},
): Promise<RunningRoles> {
  const unknown = roles.filter((role) => !ROLES.includes(role));
  if (roles.length === 0 || unknown.length > 0) {
    throw new TypeError(`createRoles: expected some of ${ROLES.join(', ')}, got ${unknown.join(', ') || 'none'}`);
  }
  const { loadSettings } = await import('../infrastructure/config/load-settings.js');
  const { processEnvironment } = await import('../infrastructure/config/process-environment.js');
  const { createLogger } = await import('../infrastructure/log/create-logger.js');
  const { startRoles } = await import('./start-roles.js');
  const { environment = processEnvironment(), signal = new AbortController().signal } = options;
  const settings = loadSettings(environment, roles);
  const checked = defineConfig(config);
  const { apiPort, probePort, metricsPort, hint, stop, failed } = await startRoles({
    roles,
    settings,
    config: checked,
    log: createLogger({
      level: settings.logLevel,
      base: { role: roles.join('+'), deployment: settings.deployment },
      redactor: createRedactor(checked.redaction),
    }),
    environment,
    signal,
  });
  return { apiPort, probePort, metricsPort, hint, stop, failed };
}

type CreateRole = (config?: OutboxConfig, options?: CreateRolesOptions) => Promise<RunningRoles>;

/** Claims due events and starts their workflows. As `createRoles(['relay'], …)`. */
export const createRelay: CreateRole = (config, options) => createRoles(['relay'], config, options);

/** Runs the workflows and the handlers of `config`. As `createRoles(['worker'], …)`. */
export const createWorker: CreateRole = (config, options) => createRoles(['worker'], config, options);

/** The audit log's HTTP entrance. As `createRoles(['api'], …)`. */
export const createApi: CreateRole = (config, options) => createRoles(['api'], config, options);
