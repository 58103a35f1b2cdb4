// Programs that the bench runs beside itself. Each ends with the bench at the latest.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const OUTBOX_CLI = fileURLToPath(new URL('../../dist/src/cli/outbox.js', import.meta.url));

const STOP_WITHIN_MS = 40_000;
const START_WITHIN_MS = 60_000;
const ANSWERS_WITHIN_MS = 5_000;

/**
 * Starts a Node program with exactly this environment (and PATH, HOME) and waits until `started` answers anything.
 * @param {{ title: string, args: readonly string[], env?: Record<string, string>, ipc?: boolean,
 *   started: (line: Record<string, unknown> | null) => unknown }} options `ipc`: `child.send` and `message` work; `started` gets
 *   each line that is JSON, and null every 50 ms; undefined, or a rejection: not yet
 */
export async function startNode({ title, args, env = {}, ipc = false, started }) {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc'] : [])],
  });
  const endWithUs = () => void child.kill('SIGKILL');
  process.once('exit', endWithUs);
  let tail = '';
  const collect = (text) => {
    tail = `${tail}${text}\n`.slice(-4_000);
  };
  let ended = false;
  const exited = new Promise((resolve) => {
    child.once('close', (code, signal) => {
      ended = true;
      process.off('exit', endWithUs);
      resolve(code ?? signal);
    });
  });
  let found = () => {};
  const value = new Promise((resolve) => {
    found = (answer) => answer !== undefined && resolve(answer);
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    collect(line);
    if (line.startsWith('{')) Promise.resolve(started(JSON.parse(line))).then(found, () => {});
  });
  createInterface({ input: child.stderr }).on('line', collect);
  const asking = setInterval(() => Promise.resolve(started(null)).then(found, () => {}), 50);
  const failed = exited.then((how) => Promise.reject(new Error(`${title} ended (${how}):\n${tail}`)));
  failed.catch(() => {}); // for whoever listens
  const stop = async () => {
    if (ended) return;
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await exited;
    clearTimeout(force);
  };
  let late;
  try {
    const tooLate = new Promise((_, reject) => {
      late = setTimeout(() => reject(new Error(`${title} did not start in time:\n${tail}`)), START_WITHIN_MS);
    });
    return {
      pid: child.pid,
      child,
      value: await Promise.race([value, failed, tooLate]),
      failed,
      stop,
      tail: () => tail,
    };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    clearInterval(asking);
    clearTimeout(late);
  }
}

/**
 * Asks a program with `ipc` for a number that it keeps.
 * @param {{ child: import('node:child_process').ChildProcess, failed: Promise<never> }} program
 * @param {string} what
 * @returns {Promise<number>}
 */
export async function askNode({ child, failed }, what) {
  const late = new AbortController();
  const answer = new Promise((resolve) => {
    const hear = (message) => {
      if (!(what in message)) return;
      child.off('message', hear);
      resolve(message[what]);
    };
    child.on('message', hear);
    late.signal.addEventListener('abort', () => child.off('message', hear));
  });
  const tooLate = sleep(ANSWERS_WITHIN_MS, null, { signal: late.signal }).then(() =>
    Promise.reject(new Error(`${what}: no answer in ${ANSWERS_WITHIN_MS} ms`)),
  );
  tooLate.catch(() => {}); // awaited below, or no longer
  child.send({ ask: what });
  try {
    return await Promise.race([answer, failed, tooLate]);
  } finally {
    late.abort();
  }
}
