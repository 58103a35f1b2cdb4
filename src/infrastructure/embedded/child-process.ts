/**
 * Child processes that outlive a crash of ours on purpose: each runs in its own process group (so that Ctrl-C in a
 * terminal reaches only us, and we stop things in order) and leaves a pid file, by which the next start finds and ends
 * what a killed one left behind. Only a process that is still what the pid file says is ever ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';

export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

export interface SupervisedProcess {
  readonly pid: number;
  /** What it printed, for an error message; of much its beginning and its end. */
  tail(): string;
  hasExited(): boolean;
  /** Rejects with a ServerEndedError when the process ended although nobody stopped it; never resolves. */
  readonly failed: Promise<never>;
  /** Sends the signal, waits, and after `graceMs` sends SIGKILL. Removes the pid file. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<void>;
}

/** A server that was started to stay has ended; the message says which one and the last that it printed. */
export class ServerEndedError extends Error {
  override readonly name = 'ServerEndedError';
}

export interface SpawnOptions extends Identity {
  /** For messages: `PostgreSQL`. */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** The working folder; entered before the user changes, so that user need not be able to reach it. */
  readonly cwd?: string;
  readonly pidFile: string;
  /** Told at once, before it is ready. */
  readonly onSpawn?: (pid: number) => void;
}

const KEPT_CHARACTERS = 4_000;

export async function spawnSupervised(options: SpawnOptions): Promise<SupervisedProcess> {
  const child = spawn(options.command, options.args, {
    env: options.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  // At once: what is between a spawn and its pid file, a kill leaves behind unknown.
  if (child.pid !== undefined) {
    options.onSpawn?.(child.pid);
    writeFileSync(options.pidFile, `${child.pid}\n${options.command}\n`);
  }
  // Of a long one both ends: a server that ends in a stack says at its beginning why.
  let printed = '';
  let first: string | null = null;
  const collect = (chunk: Buffer) => {
    printed += chunk.toString('utf8');
    if (printed.length <= 2 * KEPT_CHARACTERS) return;
    first ??= printed.slice(0, KEPT_CHARACTERS);
    printed = printed.slice(-KEPT_CHARACTERS);
  };
  const kept = () => (first === null ? printed : `${first}\n…\n${printed}`).trim();
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      printed += String(error);
      resolve();
    });
  });
  let ended = false;
  let stopping = false;
  // A second Ctrl-C ends ours at once and waits for nothing; what it started is asked to stop all the same.
  const askToStop = () => void child.kill('SIGINT');
  process.once('exit', askToStop);
  void exited.then(() => {
    ended = true;
    process.off('exit', askToStop);
  });
  const pid = child.pid;
  if (pid === undefined) {
    await exited;
    throw new Error(`could not start ${options.command}: ${printed.trim()}`);
  }
  // The process must not keep ours alive by itself; `stop` is what ends it.
  child.unref();
  const failed = exited.then(() => {
    if (stopping) return new Promise<never>(() => {});
    const last = printed.trim().split('\n').slice(-5).join('\n');
    throw new ServerEndedError(`${options.title} (process ${pid}) ended, and nobody had asked it to: ${last}`);
  });
  failed.catch(() => {}); // for whoever listens; nobody has to
  return {
    pid,
    failed,
    tail: kept,
    hasExited: () => ended,
    async stop(signal, graceMs) {
      stopping = true;
      await endChild(child, exited, signal, graceMs);
      await rm(options.pidFile, { force: true });
    },
  };
}

/** Ends the process that an earlier start of ours recorded in `pidFile`, if it is still that program. */
export async function endLeftover(pidFile: string, signal: NodeJS.Signals, graceMs: number): Promise<boolean> {
  const recorded = await readFile(pidFile, 'utf8').catch(() => null); // no file: nothing was left behind
  if (recorded === null) return false;
  const [pidText, command] = recorded.split('\n');
  const pid = Number(pidText);
  let ended = false;
  // Without /proc (macOS) a reused pid cannot be told from ours: leave it alone, the port check will speak up.
  if (Number.isInteger(pid) && pid > 1 && command && (await commandOf(pid)) === command) {
    await endProcess(pid, signal, graceMs);
    ended = true;
  }
  await rm(pidFile, { force: true });
  return ended;
}

/** Ends a process that is not our child: the signal, and SIGKILL after `graceMs`. */
export async function endProcess(pid: number, signal: NodeJS.Signals, graceMs: number): Promise<void> {
  process.kill(pid, signal);
  if (await goneWithin(pid, graceMs)) return;
  process.kill(pid, 'SIGKILL');
  await goneWithin(pid, 5_000);
}

/** The program that a process runs; the empty string where there is none, or no /proc. */
export async function commandOf(pid: number): Promise<string> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.split('\0')[0] ?? '';
}

async function endChild(child: ChildProcess, exited: Promise<void>, signal: NodeJS.Signals, graceMs: number) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
}

async function goneWithin(pid: number, graceMs: number): Promise<boolean> {
  const deadline = Date.now() + graceMs;
  while (Date.now() < deadline) {
    try {
      process.kill(pid, 0);
    } catch {
      return true; // ESRCH: gone
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
