// Real: everything. `npm run chaos` as a process, on servers of its own: PostgreSQL with fsync, Temporal on another PostgreSQL,
// two relays, two workers, an api, toxiproxy between all of them. The most telling faults, short, by one seed.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  FOUND_WITHIN_MS,
  findProxyProgram,
  findTemporalPrograms,
  programEnvironment,
} from '../support/find-programs.js';
import { type RunningProcess, startProcess } from '../support/start-process.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CHAOS = join(ROOT, 'test/chaos/chaos.mjs');
const { PATH = '', HOME = '' } = process.env;
const MINUTE = 60_000;
/** A run that is asked to stop heals, and stops its roles and servers in order. */
const STOPS_WITHIN_MS = 2 * MINUTE;
let folder: string;
let running: RunningProcess | null = null;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-chaos-test-'));
  await findProxyProgram();
  await findTemporalPrograms();
}, FOUND_WITHIN_MS);
// Of a test that was given up, too: nothing of it runs on, or holds Jest by its pipes.
afterEach(async () => {
  const left = running;
  if (left === null) return;
  left.kill('SIGTERM');
  const force = setTimeout(() => left.kill('SIGKILL'), STOPS_WITHIN_MS); // its reaper ends the rest
  await left.ended;
  clearTimeout(force);
}, STOPS_WITHIN_MS + MINUTE);
afterAll(() => rm(folder, { recursive: true, force: true }));

function chaos(...args: string[]): RunningProcess {
  const run = startProcess([process.execPath, CHAOS, ...args], {
    cwd: ROOT,
    env: { PATH, HOME, ...programEnvironment() },
  });
  running = run;
  void run.ended.then(() => {
    if (running === run) running = null;
  });
  return run;
}

/** Its exit code; asked to stop at the deadline, so that it is its own last lines that tell where it stood. */
async function endOf(run: RunningProcess, withinMs: number) {
  const deadline = setTimeout(() => run.kill('SIGTERM'), withinMs);
  const code = await run.ended;
  clearTimeout(deadline);
  return code;
}

it.each([
  ['--faults', 'F99', 'got F99'],
  ['--seed', 'x', 'expected a whole number'],
  ['--planted', 'nothing-like-it', 'expected one of'],
])('%s %s is refused before anything is started', async (option, value, sentence) => {
  const run = chaos(option, value);
  expect([await run.ended, run.printed()]).toEqual([64, expect.stringContaining(sentence)]);
  expect(run.printed()).not.toContain('PostgreSQL');
});

it(
  'under killed, stopped and restarted parts, a bad network and a refusing destination nothing is lost, doubled or made up',
  async () => {
    const faults = ['F1', 'F3', 'F7', 'F15', 'F17', 'F18', 'F21'];
    const run = chaos(
      // Seconds are for runs of one's own: here the machine is whatever it is.
      ...['--seed', '9', '--short', '--minutes', '1.5', '--rate', '5', '--patience', '3'],
      ...['--faults', faults.join(','), '--report', folder],
    );
    const code = await endOf(run, 16 * MINUTE);
    const last = run.printed().slice(-6_000);
    expect([code, last]).toEqual([0, expect.stringContaining('verdict: passed')]);

    const { verdict, problems, missing, record, books, booksAfterStop } = JSON.parse(
      await readFile(join(folder, 'report.json'), 'utf8'),
    );
    expect([verdict, problems, missing]).toEqual(['passed', [], []]);
    for (const found of [books, booksAfterStop]) {
      expect([found.lost, found.doubled, found.phantoms, found.open]).toEqual([[], [], [], 0]);
    }
    const evidence = record.faults as { fault: string; happened: number; what: string }[];
    expect(new Set(evidence.map(({ fault }) => fault))).toEqual(new Set(faults));
    expect(evidence.filter(({ happened }) => happened < 1)).toEqual([]);
    expect(record.committed).toBeGreaterThan(200);
    expect(books.delivered + books.dead).toBeGreaterThanOrEqual(record.committed);
    // Takes minutes on two cores that are idle; a machine that is slower by far is no fault of the line.
  },
  20 * MINUTE,
);
