import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { processEnvironment } from '../../infrastructure/config/process-environment.js';
import { type ReaperLine, startOf } from './reaper.js';

/** Told of everything that a run starts, so that a killed run leaves no process and no folder behind. */
export interface Reaper {
  readonly pid: number;
  /** To be ended by this signal when we are gone; SIGKILL ten seconds later. Default SIGKILL. */
  watch(pid: number, signal?: NodeJS.Signals): void;
  forget(pid: number): void;
  /** To be removed when we are gone. */
  folder(path: string): void;
  /** To be unmounted before folders are removed. */
  mount(path: string): void;
  unmounted(path: string): void;
  /** Ends it. What is still watched or to be removed goes with it, so forget what is to stay. */
  close(): Promise<void>;
}

const CLOSES_WITHIN_MS = 30_000;

/** `onLost`: told when it ended by itself. From then on a kill would leave everything, so the run is to end. */
export function startReaper(onLost: (why: string) => void = () => {}): Reaper {
  // As source under a test, compiled otherwise: it needs nothing but Node.
  const program = fileURLToPath(
    new URL(import.meta.url.endsWith('.ts') ? './reaper.ts' : './reaper.js', import.meta.url),
  );
  const child = spawn(process.execPath, [program], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { PATH: processEnvironment().PATH },
  });
  let closing = false;
  const ended = new Promise<void>((resolve) => {
    const over = (how: unknown) => {
      if (!closing) onLost(`the reaper, which would end what a killed run leaves, has ended by itself: ${how}`);
      closing = true;
      resolve();
    };
    child.once('exit', (code, signal) => over(code ?? signal));
    child.once('error', (error) => over(error.message));
  });
  child.stdin.on('error', () => {}); // it ended: `onLost` says so
  child.unref();
  const tell = (line: ReaperLine) => void child.stdin.write(`${JSON.stringify(line)}\n`);
  return {
    pid: child.pid ?? 0,
    watch(pid, signal = 'SIGKILL') {
      const started = startOf(pid);
      if (started !== null) tell({ watch: { pid, started, signal } });
    },
    forget: (pid) => tell({ forget: pid }),
    folder: (path) => tell({ folder: path }),
    mount: (path) => tell({ mount: path }),
    unmounted: (path) => tell({ unmounted: path }),
    async close() {
      closing = true;
      child.ref();
      child.stdin.end();
      const force = setTimeout(() => child.kill('SIGKILL'), CLOSES_WITHIN_MS);
      await ended;
      clearTimeout(force);
    },
  };
}
