import { createRedactor } from '../domain/redaction/redactor.js';
import { loadConfigFile } from '../infrastructure/config/load-config-file.js';
import { loadSettings } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createLogger } from '../infrastructure/log/create-logger.js';
import { EXIT } from './exit-codes.js';
import type { RoleName } from './role-name.js';
import { runUntilSignal, watchSignals } from './run-until-signal.js';
import { startRoles } from './start-roles.js';
import { watchProcessErrors } from './watch-process-errors.js';

/** `outbox api | relay | worker | run`: checks everything first, runs until a signal, returns the exit code. */
export async function runRolesCommand(roles: readonly RoleName[], options: { config?: string }): Promise<number> {
  const environment = processEnvironment();
  const settings = loadSettings(environment, roles);
  const config = await loadConfigFile(options.config ?? null, process.cwd());
  const log = createLogger({
    level: settings.logLevel,
    base: { role: roles.join('+'), deployment: settings.deployment },
    redactor: createRedactor(config.redaction),
  });
  const signals = watchSignals();
  const errors = watchProcessErrors(log);
  try {
    const running = await startRoles({ roles, settings, config, log, environment, signal: signals.whileStarting });
    signals.started();
    errors.heard();
    const watched = { stop: running.stop, failed: Promise.race([running.failed, errors.failed]) };
    return await runUntilSignal(watched, { signals, graceMs: settings.shutdownGraceMs, log });
  } catch (error) {
    // A signal while waiting for something that is away: stopping was asked for, and nothing was under way.
    // Not returned: a connection that is still being tried would hold the process until its deadline.
    if (signals.whileStarting.aborted) process.exit(EXIT.done);
    throw error;
  } finally {
    signals.release();
    errors.release();
  }
}
