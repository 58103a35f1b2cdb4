/**
 * Child processes that outlive a crash of ours on purpose: each runs in its own process group (so that Ctrl-C in a
 * terminal reaches only us, and we stop things in order) and leaves a pid file, by which the next start finds and ends
 * what a killed one left behind. Only a process that is still what the pid file says is ever ended.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';

export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
}

export interface SupervisedProcess {
  readonly pid: number;
  /** The last lines that it printed, for an error message. */
  tail(): string;
  /** Resolves when the process has ended, however it ended. */
  readonly exited: Promise<void>;
  hasExited(): boolean;
  /** Sends the signal, waits, and after `graceMs` sends SIGKILL. Removes the pid file. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<void>;
}

export interface SpawnOptions extends Identity {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly pidFile?: string;
}

export async function spawnSupervised(options: SpawnOptions): Promise<SupervisedProcess> {
  const child = spawn(options.command, options.args, {
    env: options.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  let printed = '';
  const collect = (chunk: Buffer) => {
    printed = (printed + chunk.toString('utf8')).slice(-4_000);
  };
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
  if (options.pidFile !== undefined) await writeFile(options.pidFile, `${pid}\n${options.command}\n`);
  return {
    pid,
    exited,
    tail: () => printed.trim(),
    hasExited: () => ended,
    async stop(signal, graceMs) {
      await endChild(child, exited, signal, graceMs);
      if (options.pidFile !== undefined) await rm(options.pidFile, { force: true });
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
  if (Number.isInteger(pid) && pid > 1 && command && (await runsCommand(pid, command))) {
    process.kill(pid, signal);
    if (!(await goneWithin(pid, graceMs))) {
      process.kill(pid, 'SIGKILL');
      await goneWithin(pid, 5_000);
    }
    ended = true;
  }
  await rm(pidFile, { force: true });
  return ended;
}

async function endChild(child: ChildProcess, exited: Promise<void>, signal: NodeJS.Signals, graceMs: number) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
  await exited;
  clearTimeout(timer);
}

async function runsCommand(pid: number, command: string): Promise<boolean> {
  // Without /proc (macOS) a reused pid cannot be told from ours: leave it alone, the port check will speak up.
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return commandLine.split('\0')[0] === command;
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
