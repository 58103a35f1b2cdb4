// Real: a process of its own that goes through start, run and stop with the built code, and the signals of the system.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MODULE = pathToFileURL(fileURLToPath(new URL('../../dist/src/main/run-until-signal.js', import.meta.url))).href;

/** Says each step, and looks at nothing until it was answered: what was sent by then is received, and not yet looked at. */
const PROGRAM = `
  import { existsSync } from 'node:fs';
  import { runUntilSignal, watchSignals } from '${MODULE}';
  const [folder, stops, fails] = process.argv.slice(1);
  const say = (line) => {
    process.stdout.write(line + '\\n');
    while (!existsSync(folder + '/' + line));
  };
  const log = { info() {}, warn() {}, error() {} };
  const signals = watchSignals();
  const server = setInterval(() => {}, 60_000); // what a role holds its process with
  say('starting');
  await new Promise((resolve) => setTimeout(() => setImmediate(resolve))); // once past what the system has for the process
  say('made');
  signals.started();
  say('running');
  const failed = fails === 'fails' ? Promise.reject(new Error('a part')) : new Promise(() => {});
  const stop = async () => {
    say(signals.whileStarting.aborted ? 'stopping the start' : 'stopping');
    if (stops === 'hangs') await new Promise(() => {});
    say('stopped');
  };
  process.exitCode = await runUntilSignal({ stop, failed }, { signals, graceMs: 60_000, log });
  signals.release();
  clearInterval(server);
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'signals-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function run(
  answers: Record<string, NodeJS.Signals>,
  { stops = 'ends', fails = 'works' }: { stops?: 'ends' | 'hangs'; fails?: 'works' | 'fails' } = {},
) {
  await rm(folder, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), 'signals-'));
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM, folder, stops, fails], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  });
  const printed: string[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n').filter(Boolean)) {
      printed.push(line);
      const answer = answers[line];
      if (answer !== undefined) child.kill(answer);
      void writeFile(join(folder, line), '');
    }
  });
  const code = await new Promise((resolve) => child.once('close', (exit, signal) => resolve(exit ?? signal)));
  return { code, printed };
}

describe('signals', () => {
  it('hears one that comes in the instant between the start and the run', async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      for (const step of ['made', 'running']) {
        expect(await run({ [step]: signal })).toEqual({
          code: 0,
          printed: ['starting', 'made', 'running', 'stopping', 'stopped'],
        });
      }
    }
  });

  it('stops what a start has made although the signal came while it was made', async () => {
    expect(await run({ starting: 'SIGTERM' })).toEqual({
      code: 0,
      printed: ['starting', 'made', 'running', 'stopping the start', 'stopped'],
    });
  });

  it('ends at once at a second one, and at the first one that comes while a failure is being stopped', async () => {
    expect(await run({ running: 'SIGTERM', stopping: 'SIGINT' }, { stops: 'hangs' })).toMatchObject({ code: 130 });
    expect(await run({ stopping: 'SIGTERM' }, { stops: 'hangs', fails: 'fails' })).toMatchObject({ code: 143 });
  });

  it('exits with 1 when a part has failed', async () => {
    expect(await run({}, { fails: 'fails' })).toEqual({
      code: 1,
      printed: ['starting', 'made', 'running', 'stopping', 'stopped'],
    });
  });
});
