/** One role as a process of the built command line, started again whenever it ends, until it is stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { processEnvironment } from '../../infrastructure/config/process-environment.js';
import { readGrowing } from './growing-file.js';
import type { FleetMember, FleetRole, Killed } from './ports.js';
import type { Reaper } from './start-reaper.js';

export interface MemberOptions {
  readonly name: string;
  readonly role: FleetRole;
  /** Of `outbox.js`. */
  readonly cli: string;
  readonly args: readonly string[];
  /** All of it, but PATH and HOME. */
  readonly environment: Readonly<Record<string, string>>;
  /** The relay's and the worker's, or the api's own: kept over restarts. */
  readonly port: number;
  /** What it prints, both streams. */
  readonly outputFile: string;
  readonly reaper: Reaper;
  /** Told of an end that nobody wanted. */
  readonly unwanted: (what: string) => void;
}

export interface KeptMember extends FleetMember {
  /**
   * For good: SIGTERM, SIGKILL after the grace. Its exit code; 0 also in a pause between two processes, of one that was still
   * starting and of one that its failpoint ended.
   */
  stop(): Promise<number | NodeJS.Signals>;
  /** null: it is between two processes. */
  memory(): Promise<number | null>;
  /** Open files and sockets; null as above. */
  handles(): Promise<number | null>;
}

/** How much Node takes before it tidies up: as the image of the roles says, and docs/running.md asks for. */
export const NODE_MEMORY_FLAGS = ['--max-semi-space-size=16', '--max-old-space-size=256'];
const RESTART_AFTER_MS = 1_000;
const STOP_WITHIN_MS = 45_000;
const PROBE_WITHIN_MS = 3_000;
/** A storm of log lines must not become ours: its end is kept. */
const MOST_PRINTED = 32 * 1024 * 1024;
const DO_NOT_END: ReadonlySet<NodeJS.Signals> = new Set(['SIGSTOP', 'SIGCONT', 'SIGUSR1', 'SIGWINCH', 'SIGCHLD']);

interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly ended: Promise<number | NodeJS.Signals>;
  /** A fault, or we, have asked it to end. */
  wanted: boolean;
  /** By this signal of a fault. */
  asked: NodeJS.Signals | null;
  /** It has answered so: from then on it ends in order. */
  ready: boolean;
  /** It kills itself at some point: wanted before anybody could say so. */
  readonly failpoint: boolean;
}

export function startMember(options: MemberOptions): KeptMember {
  const { name, role, port, reaper, unwanted } = options;
  let stopping = false;
  let starts = 0;
  let last: Running = run(options.environment);
  let live: Running | null = last;
  keep(last);

  function run(environment: Readonly<Record<string, string>>): Running {
    starts += 1;
    const output = openSync(options.outputFile, 'a', 0o600);
    const { PATH, HOME } = processEnvironment();
    const child = spawn(process.execPath, [...NODE_MEMORY_FLAGS, options.cli, ...options.args], {
      env: { PATH, HOME, ...environment },
      stdio: ['ignore', output, output],
      // Of its own group: a Ctrl-C at the run is not the roles', which are stopped in order.
      detached: true,
    });
    closeSync(output);
    child.unref();
    if (child.pid === undefined) {
      child.on('error', () => {}); // told by the throw
      throw new Error(`${name}: ${process.execPath} could not be started`);
    }
    reaper.watch(child.pid);
    const ended = new Promise<number | NodeJS.Signals>((resolve) => {
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    });
    const failpoint = environment.OUTBOX_TEST_FAILPOINT !== undefined;
    return { child, pid: child.pid, ended, wanted: false, asked: null, ready: false, failpoint };
  }

  function keep(running: Running): void {
    void running.ended.then(async (how) => {
      reaper.forget(running.pid);
      if (live === running) live = null;
      const wanted = running.wanted || (running.failpoint && how === 'SIGKILL');
      if (!wanted) unwanted(`${name} (process ${running.pid}) ended by itself: ${how}; it printed ${tail()}`);
      else if (!endedAsAsked(running, how)) {
        unwanted(`${name} (process ${running.pid}) ended with ${how} after ${running.asked}; it printed ${tail()}`);
      }
      if (stopping) return;
      await sleep(RESTART_AFTER_MS);
      if (stopping) return;
      // A failpoint would end it at once again, for ever.
      const { OUTBOX_TEST_FAILPOINT: _, ...environment } = options.environment;
      last = run(environment);
      live = last;
      keep(last);
    });
  }

  const lines = readGrowing(options.outputFile, MOST_PRINTED);
  const tail = () => lines.text().slice(-2_000).trim().split('\n').slice(-4).join(' | ').slice(-1_500);

  function handleOf(running: Running): Killed {
    const { pid, ended } = running;
    return { pid, ended, nextReady: (withinMs) => untilReady(withinMs, running) };
  }

  async function untilReady(withinMs: number, butNot: Running | null): Promise<void> {
    const deadline = Date.now() + withinMs;
    let answer = 'nothing yet';
    for (;;) {
      const asked = live;
      if (asked !== null && asked !== butNot && !asked.wanted) {
        answer = await askReady(port);
        // Of the process that was asked, and not of one that has ended meanwhile.
        if (answer === 'ready' && live === asked && !asked.wanted) {
          asked.ready = true;
          return;
        }
      }
      if (stopping) throw new Error(`${name} is stopped, and was to become ready`);
      if (Date.now() > deadline) {
        throw new Error(`${name} was not ready in ${withinMs} ms: /ready says ${answer}; it printed ${tail()}`);
      }
      await sleep(100);
    }
  }

  return {
    name,
    role,
    get pid() {
      return last.pid;
    },
    get starts() {
      return starts;
    },
    probePort: role === 'api' ? null : port,
    apiPort: role === 'api' ? port : null,
    printed: lines.text,
    timesPrinted: lines.times,
    kill(signal) {
      const killed = handleOf(last);
      if (live === null) return killed;
      if (!DO_NOT_END.has(signal)) Object.assign(live, { wanted: true, asked: signal });
      live.child.kill(signal);
      return killed;
    },
    expectEnd() {
      last.wanted = true;
      return handleOf(last);
    },
    ended: () => last.ended,
    untilReady: (withinMs) => untilReady(withinMs, null),
    async stop() {
      stopping = true;
      const running = live;
      if (running === null) return 0;
      let forced = false;
      Object.assign(running, { wanted: true, asked: null }); // whoever stops it looks at the answer
      running.child.kill('SIGTERM');
      running.child.kill('SIGCONT'); // a stopped one would not see it
      const force = setTimeout(() => {
        forced = true;
        running.child.kill('SIGKILL');
      }, STOP_WITHIN_MS);
      const how = await running.ended;
      clearTimeout(force);
      const starting = !running.ready && how === 'SIGTERM';
      const ownDeath = running.failpoint && how === 'SIGKILL' && !forced;
      return starting || ownDeath ? 0 : how;
    },
    async memory() {
      if (live === null) return null;
      const status = await readFile(`/proc/${live.pid}/status`, 'utf8').catch(() => ''); // it ended, or there is no /proc
      const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
      return kilobytes === undefined ? null : Number(kilobytes) * 1_024;
    },
    async handles() {
      if (live === null) return null;
      const open = await readdir(`/proc/${live.pid}/fd`).catch(() => null); // it ended, or there is no /proc
      return open?.length ?? null;
    },
  };
}

/** In order after SIGTERM, but where it was still starting and heard nothing yet; of SIGKILL; of what it was asked by else, anyhow. */
function endedAsAsked({ asked, ready, failpoint }: Running, how: number | NodeJS.Signals): boolean {
  if (failpoint && how === 'SIGKILL') return true;
  if (asked === 'SIGTERM') return how === 0 || !ready;
  return asked !== 'SIGKILL' || how === 'SIGKILL';
}

async function askReady(port: number): Promise<string> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(PROBE_WITHIN_MS) });
    const text = await answer.text();
    return answer.status === 200 ? 'ready' : `${answer.status} ${text.slice(0, 300)}`;
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    return cause?.code ?? String(error);
  }
}
