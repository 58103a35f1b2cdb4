/**
 * `outbox dev`: the whole line on one machine. What it starts it stops, in order, also when it is interrupted while
 * starting; what was killed before is ended at the next start and recovers from its files.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import type { OutboxConfig } from '../../application/delivery/define-config.js';
import { createRedactor } from '../../domain/redaction/redactor.js';
import { loadConfigFile } from '../../infrastructure/config/load-config-file.js';
import { type Environment, loadSettings } from '../../infrastructure/config/load-settings.js';
import { processEnvironment } from '../../infrastructure/config/process-environment.js';
import { createLogger } from '../../infrastructure/log/create-logger.js';
import { runAll } from '../run-all.js';
import { runUntilSignal, watchSignals } from '../run-until-signal.js';
import { StartRefusedError } from '../start-refused-error.js';
import { openDevWorld } from './dev-world.js';
import { runOnce } from './run-once.js';
import { runSampleTraffic } from './sample-traffic.js';
import { sayWhereToLook } from './say-where-to-look.js';
import { watchFailures } from './watch-failures.js';

export interface DevOptions {
  readonly once: boolean;
  /** Seconds; left out: `--once` gives up after ten minutes, otherwise a start waits as long as it takes. */
  readonly startTimeout?: number;
  /** Of what the sample application does. */
  readonly seed: number;
  readonly dataDir: string;
  readonly config?: string;
  /** Allows what dev writes of its own accord to a database that the environment names: migrations, API keys. */
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
  const signals = watchSignals();
  const failure = watchFailures();
  const signal = AbortSignal.any([signals.whileStarting, failure.signal]);
  const deadline = failure.startDeadline(options.startTimeout ?? (options.once ? ONCE_START_SECONDS : null));
  const undo: Undo = [];
  try {
    const { watch } = failure;
    const { doing } = deadline;
    const world = await openDevWorld({ options, dataDir, environment, config, log, signal, undo, watch, doing });
    deadline.met();
    signal.throwIfAborted();
    if (options.once) return await runOnce(world, { seed: options.seed, signal });
    const traffic = world.partner !== null ? runSampleTraffic(world, options.seed) : null;
    if (traffic !== null) undo.push(() => traffic.stop());
    signals.started();
    sayWhereToLook(world, options.seed, process.stdout);
    const roles = { stop: () => stopRunning(undo, failure), failed: failure.failed };
    return await runUntilSignal(roles, { signals, graceMs, log });
  } catch (error) {
    // A connection that breaks is told sooner than the end of the server behind it, which is the reason.
    const reason = await failure.reasonWithin(signals.whileStarting.aborted || undo.length === 0 ? 0 : 1_000);
    if (reason !== null) throw reason;
    if (!signals.whileStarting.aborted) throw error;
    say('Interrupted: stopping what was started.');
    return 130;
  } finally {
    deadline.met(); // or not: what follows is the stop
    await unwind(undo).catch((err: unknown) => {
      log.error({ err }, 'process.stop_failed');
      process.stderr.write(`outbox dev: not everything stopped in order, see ${join(dataDir, 'outbox.log')}\n`);
    });
    await rm(join(dataDir, OWNER_FILE), { force: true });
    signals.release();
  }
}

/** With three minutes for a Temporal CLI that has to be built, on a slow machine more. */
const ONCE_START_SECONDS = 600;
const graceMs = 60_000;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function stopRunning(undo: Undo, failure: ReturnType<typeof watchFailures>): Promise<void> {
  const reason = failure.signal.reason as Error | undefined;
  if (reason !== undefined) process.stderr.write(`outbox dev: ${reason.message}\n`);
  say('Stopping everything in order (Ctrl-C again: at once).');
  await unwind(undo);
  say('Stopped. The next start finds the same data.');
}

/** What to do, last first, to leave nothing running. */
export type Undo = (() => Promise<void>)[];

function unwind(undo: Undo): Promise<void> {
  return runAll(undo.splice(0).reverse());
}

const OWNER_FILE = 'dev.pid';

/** Where the system does not say what a process is (macOS), one that lives counts. */
async function isOutbox(pid: number): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  if (commandLine !== null) return commandLine.includes('outbox');
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux';
  } catch {
    return false;
  }
}

/** One `outbox dev` for a folder: a second would end the first one's servers as leftovers. */
async function takeFolder(dataDir: string): Promise<void> {
  const file = join(dataDir, OWNER_FILE);
  const owner = Number(await readFile(file, 'utf8').catch(() => '0'));
  if (owner !== process.pid && (await isOutbox(owner))) {
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
