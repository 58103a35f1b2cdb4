/** A container's process without a container: the image's user where this may become it, nothing of the machine's environment. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface ContainerProcess {
  readonly pid: number;
  stdout(): string;
  /** Everything printed so far, both streams. */
  printed(): string;
  /** The JSON log lines so far. */
  lines(): Record<string, unknown>[];
  /** As an engine does: the signal, and after the grace SIGKILL. The exit code, or the signal that ended it. */
  stop(graceMs: number): Promise<number | NodeJS.Signals>;
  readonly ended: Promise<number | NodeJS.Signals>;
}

export interface ContainerOptions {
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly user: { uid: number; gid: number } | null;
}

export function startContainer([file, ...args]: readonly string[], options: ContainerOptions): ContainerProcess {
  const { cwd, env, user } = options;
  const child = spawn(file as string, args, { cwd, env, ...user, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  const lines: Record<string, unknown>[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{')) lines.push(JSON.parse(line));
  });
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('error', (error) => {
      stderr += String(error);
      resolve(1);
    });
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
  });
  running.add(child);
  void ended.then(() => running.delete(child));
  return {
    pid: child.pid ?? 0,
    stdout: () => stdout,
    printed: () => stdout + stderr,
    lines: () => lines,
    ended,
    async stop(graceMs) {
      const late = setTimeout(() => child.kill('SIGKILL'), graceMs);
      child.kill('SIGTERM');
      const code = await ended;
      clearTimeout(late);
      return code;
    },
  };
}

const running = new Set<ReturnType<typeof spawn>>();

/** For afterAll: a test that failed in the middle leaves nothing running. */
export async function endContainers(): Promise<void> {
  await Promise.all(
    [...running].map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once('close', () => resolve());
          child.kill('SIGKILL');
        }),
    ),
  );
}
