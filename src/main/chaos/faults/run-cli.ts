/** The command line as a person runs it, a process of its own. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ChaosWorld } from '../ports.js';

/** The built command line that this code is part of. */
export const CLI = fileURLToPath(new URL('../../../cli/outbox.js', import.meta.url));

const MOST_MS = 60_000;

export async function runCli(
  { environment }: ChaosWorld,
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  const over = AbortSignal.any([signal, AbortSignal.timeout(MOST_MS)]);
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: over,
    killSignal: 'SIGKILL',
  });
  const printed = { out: '', err: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    printed.out += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    printed.err += chunk.toString('utf8');
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', (ended) => resolve(ended));
    child.once('error', () => resolve(null)); // given up, or never started: no code
  });
  return { code, ...printed };
}
