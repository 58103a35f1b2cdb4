import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CHAOS = fileURLToPath(new URL('../chaos.mjs', import.meta.url));

/**
 * Whole chaos runs, one after the other, each { run, args }, on a build or on one with a bug (`planted`, null for none).
 * Answers by `run` { status, ms, message }: `message` is what the run printed at its end.
 */
export async function runChaos(runs, { planted, folder, signal }) {
  const found = new Map();
  for (const { run, args } of runs) {
    if (found.has(run)) continue;
    const began = performance.now();
    const more = [...(planted === null ? [] : ['--planted', planted]), '--report', join(folder, 'report')];
    const { code, printed } = await runNode([CHAOS, ...args, ...more], signal);
    // 1 is an incomplete run's, too: that has caught nothing.
    const verdict = /^verdict: (\w+)/m.exec(printed)?.[1];
    const status = code === 0 || code === 1 ? (verdict ?? 'without a verdict') : `ended by ${code}`;
    const message = printed.slice(printed.lastIndexOf('\n\n') + 1);
    found.set(run, { status, ms: Math.round(performance.now() - began), message });
  }
  return found;
}

/** Asked to stop it takes its servers and processes down, so it is not ended by force. */
function runNode(args, signal) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], signal });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    printed += text;
  });
  return new Promise((resolve, reject) => {
    let failure = null;
    child.once('error', (error) => {
      failure = error;
    });
    child.once('close', (code, ended) => (failure ? reject(failure) : resolve({ code: code ?? ended, printed })));
  });
}
