import { spawn } from 'node:child_process';

export interface RunningProcess {
  readonly pid: number;
  /** Everything printed so far, both streams. */
  printed(): string;
  kill(signal: NodeJS.Signals): void;
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

/** Any command as a child process, with exactly this environment. */
export function startProcess(
  [file, ...args]: readonly [string, ...string[]],
  options: { cwd: string; env: Record<string, string> },
): RunningProcess {
  const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  return {
    pid: child.pid ?? 0,
    printed: () => printed,
    kill: (signal) => void child.kill(signal),
    ended: new Promise((resolve) => {
      child.once('error', (error) => {
        printed += String(error);
        resolve(1);
      });
      child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    }),
  };
}
