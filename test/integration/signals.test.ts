// Real: a process of its own that goes through start, run and stop with the built code, and the signals of the system.
import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MODULE = pathToFileURL(fileURLToPath(new URL('../../dist/src/main/run-until-signal.js', import.meta.url))).href;

/** Says each step, and is busy for a moment after it: what comes then is received, but not yet looked at. */
const PROGRAM = `
  import { runUntilSignal, watchSignals } from '${MODULE}';
  const say = (line) => { process.stdout.write(line + '\\n'); const until = Date.now() + 200; while (Date.now() < until); };
  const log = { info() {}, warn() {}, error() {} };
  const [stepMs, stopMs, failure] = process.argv.slice(1).map(Number);
  const signals = watchSignals();
  const server = setInterval(() => {}, 60_000); // what a role holds its process with
  say('starting');
  await new Promise((resolve) => setTimeout(resolve, stepMs));
  say('made');
  signals.started();
  say('running');
  const failed = new Promise((_, reject) => failure > 0 && setTimeout(() => reject(new Error('a part')), failure));
  const stop = async () => {
    say(signals.whileStarting.aborted ? 'stopping the start' : 'stopping');
    await new Promise((resolve) => setTimeout(resolve, stopMs));
    say('stopped');
  };
  process.exitCode = await runUntilSignal({ stop, failed }, { signals, graceMs: 60_000, log });
  signals.release();
  clearInterval(server);
`;

async function run(args: readonly number[], answers: Record<string, NodeJS.Signals>) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n').filter(Boolean)) {
      const answer = answers[line];
      if (answer !== undefined) child.kill(answer);
    }
    printed += chunk.toString();
  });
  const code = await new Promise((resolve) => child.once('close', (exit, signal) => resolve(exit ?? signal)));
  return { code, printed: printed.trim().split('\n') };
}

describe('signals', () => {
  it('hears one that comes in the instant between the start and the run', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      for (const step of ['made', 'running']) {
        expect(await run([1, 1, 0], { [step]: signal })).toEqual({
          code: 0,
          printed: ['starting', 'made', 'running', 'stopping', 'stopped'],
        });
      }
    }
  });

  it('stops what a start has made although the signal came while it was made', async () => {
    expect(await run([1, 1, 0], { starting: 'SIGTERM' })).toEqual({
      code: 0,
      printed: ['starting', 'made', 'running', 'stopping the start', 'stopped'],
    });
  });

  it('ends at once at a second one, and at the first one that comes while a failure is being stopped', async () => {
    expect(await run([1, 60_000, 0], { running: 'SIGTERM', stopping: 'SIGINT' })).toMatchObject({ code: 130 });
    expect(await run([1, 60_000, 300], { stopping: 'SIGTERM' })).toMatchObject({ code: 143 });
  });

  it('exits with 1 when a part has failed', async () => {
    expect(await run([1, 1, 300], {})).toEqual({
      code: 1,
      printed: ['starting', 'made', 'running', 'stopping', 'stopped'],
    });
  });
});
