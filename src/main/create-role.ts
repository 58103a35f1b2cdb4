/**
 * The roles inside a program of one's own, beside the command line: the same settings, checks and order of stopping, but no
 * signal handlers and no exit. Nothing of a role is loaded before it is created, so that a producer, which needs
 * recordEvent only, pays for neither Temporal nor express.
 */
import { defineConfig, type OutboxConfig } from '../application/delivery/define-config.js';
import { createRedactor } from '../domain/delivery/redaction/redactor.js';
import type { RoleName } from './role.js';

export interface CreateRoleOptions {
  /** OUTBOX_, AUDIT_ and TEMPORAL_ variables. Default: the environment of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Gives up a start that waits for a database or for Temporal. */
  readonly signal?: AbortSignal;
}

export interface RunningRole {
  /** Of the audit log's entrance for the api, of /live and /ready for the relay and the worker. */
  readonly port: number;
  /** Stops taking work, finishes what is under way, closes what it opened. */
  stop(): Promise<void>;
  /** Rejects when the role ended by itself; never resolves. Stop it then, and end the program. */
  readonly failed: Promise<never>;
}

type CreateRole = (config?: OutboxConfig, options?: CreateRoleOptions) => Promise<RunningRole>;

/**
 * Claims due events and starts their workflows. Resolves when it runs; waits while PostgreSQL or Temporal are away.
 * Throws a ConfigurationError naming every setting that does not fit, a StartRefusedError for another deployment's
 * database, a TypeError for a configuration that does not fit.
 */
export const createRelay: CreateRole = (config, options) => createRole('relay', config, options);

/** Runs the workflows and the handlers of `config`. Otherwise as `createRelay`. */
export const createWorker: CreateRole = (config, options) => createRole('worker', config, options);

/** The audit log's HTTP entrance. Otherwise as `createRelay`, but it starts without its database, too. */
export const createApi: CreateRole = (config, options) => createRole('api', config, options);

async function createRole(
  role: RoleName,
  config: OutboxConfig = {},
  options: CreateRoleOptions = {},
): Promise<RunningRole> {
  const { loadSettings } = await import('../infrastructure/config/load-settings.js');
  const { processEnvironment } = await import('../infrastructure/config/process-environment.js');
  const { createLogger } = await import('../infrastructure/log/create-logger.js');
  const { startRoles } = await import('./start-roles.js');
  const { environment = processEnvironment(), signal = new AbortController().signal } = options;
  const settings = loadSettings(environment, [role]);
  const checked = defineConfig(config);
  const started = await startRoles({
    roles: [role],
    settings,
    config: checked,
    log: createLogger({
      level: settings.logLevel,
      base: { role, deployment: settings.deployment },
      redactor: createRedactor(checked.redaction),
    }),
    environment,
    signal,
  });
  const port = role === 'api' ? started.apiPort : started.probePort;
  return { port: port ?? 0, stop: started.stop, failed: started.failed };
}
