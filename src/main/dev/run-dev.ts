/**
 * `outbox dev`: the whole line on one machine. What it starts it stops, in order, also when it is interrupted while
 * starting; what was killed before is ended at the next start and recovers from its files.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import type { OutboxConfig } from '../../application/delivery/define-config.js';
import { createRedactor } from '../../domain/delivery/redaction/redactor.js';
import { loadConfigFile } from '../../infrastructure/config/load-config-file.js';
import { type Environment, loadSettings } from '../../infrastructure/config/load-settings.js';
import { processEnvironment } from '../../infrastructure/config/process-environment.js';
import { createLogger } from '../../infrastructure/log/create-logger.js';
import { runAll } from '../run-all.js';
import { abortOnSignal, runUntilSignal } from '../run-until-signal.js';
import { StartRefusedError } from '../start-refused-error.js';
import { openDevWorld } from './dev-world.js';
import { runOnce } from './run-once.js';
import { runSampleTraffic } from './sample-traffic.js';
import { sayWhereToLook } from './say-where-to-look.js';

export interface DevOptions {
  readonly once: boolean;
  readonly dataDir: string;
  readonly config?: string;
  /** Allows migrations on a database that the environment names. */
  readonly migrate: boolean;
  /** Allows sample traffic into a database that the environment names. */
  readonly sample: boolean;
}

export async function runDev(options: DevOptions): Promise<number> {
  const environment = processEnvironment();
  // Before anything is started: a wrong setting is said at once. What dev itself provides is filled in later.
  loadSettings(environment, []);
  const dataDir = resolve(options.dataDir);
  await mkdir(dataDir, { recursive: true });
  const config = await loadConfigFile(options.config ?? null, process.cwd());
  const log = openLog(dataDir, environment, config);
  await takeFolder(dataDir);
  const starting = abortOnSignal();
  const undo: Undo = [];
  try {
    const world = await openDevWorld({ options, dataDir, environment, config, log, signal: starting.signal, undo });
    starting.signal.throwIfAborted();
    if (options.once) return await runOnce(world, starting.signal);
    const traffic = world.samples ? runSampleTraffic(world) : null;
    if (traffic !== null) undo.push(() => traffic.stop());
    sayWhereToLook(world, process.stdout);
    starting.release();
    return await runUntilSignal({ stop: () => unwind(undo), failed: world.roles.failed }, { graceMs: 60_000, log });
  } catch (error) {
    if (!starting.signal.aborted) throw error;
    process.stdout.write('interrupted: stopping what was started\n');
    return 130;
  } finally {
    await unwind(undo);
    starting.release();
  }
}

/** What to do, last first, to leave nothing running. */
export type Undo = (() => Promise<void>)[];

function unwind(undo: Undo): Promise<void> {
  return runAll(undo.splice(0).reverse());
}

/** One `outbox dev` for a folder: a second would end the first one's servers as leftovers. */
async function takeFolder(dataDir: string): Promise<void> {
  const file = join(dataDir, 'dev.pid');
  const owner = Number(await readFile(file, 'utf8').catch(() => '0'));
  const commandLine = owner > 0 ? await readFile(`/proc/${owner}/cmdline`, 'utf8').catch(() => '') : '';
  if (owner !== process.pid && commandLine.includes('outbox')) {
    throw new StartRefusedError(
      `outbox dev (process ${owner}) runs on ${dataDir}: stop it first, or name another folder with --data-dir`,
    );
  }
  await writeFile(file, String(process.pid));
}

/** The roles' log lines go to a file: the terminal is for people. */
function openLog(dataDir: string, environment: Environment, config: OutboxConfig): Logger {
  const { logLevel } = loadSettings(environment, []);
  const redactor = createRedactor(config.redaction);
  return createLogger({ level: logLevel, base: { role: 'dev' }, redactor, file: join(dataDir, 'outbox.log') });
}
