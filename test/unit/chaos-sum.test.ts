// Real: the reports that are kept, and the page that is made of them.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const { describeRuns, RUNS, readNotes, readRuns } = await import(
  new URL('../chaos/sum-runs.mjs', import.meta.url).href
);

it('the page of the kept runs says what their reports say', async () => {
  const runs = await readRuns();
  expect(runs.length).toBeGreaterThan(0);
  expect(await readFile(join(RUNS, 'README.md'), 'utf8')).toBe(describeRuns(runs, await readNotes()));
});

it('counts what failed like all else', () => {
  const run = (seed: number, lost: string[], happened: number) => ({
    name: `seed-${seed}`,
    run: {
      verdict: lost.length === 0 ? 'passed' : 'failed',
      problems: lost,
      missing: [],
      asked: { seed },
      recovery: { flowsAfter: { 1: 2.5, 2: null } },
      record: {
        startedAt: 0,
        endedAt: 3_600_000,
        short: seed === 1,
        committed: 100,
        faults: [
          { fault: 'F1', happened },
          { fault: 'F7', happened: 0 },
        ],
      },
      books: { lost, doubled: [], phantoms: [] },
      booksAfterStop: { lost, doubled: ['I2 e9: …'], phantoms: [] },
    },
  });
  const uncompared = run(3, [], 5);
  Object.assign(uncompared.run, { verdict: 'failed', booksAfterStop: null });
  const page = describeRuns([run(1, [], 3), run(2, ['I1 e1: …'], 1), uncompared]);
  for (const row of [
    '| runs | 3: 1 passed, 2 failed, 0 incomplete |',
    '| of them not compared to the end, and not counted below | 1 |',
    '**[seed-2](seed-2.md)**, failed:\n\n- I1 e1: …\n',
    '| seeds | 3 |',
    '| F1 | 1 | 1 |\n\n',
    '| events committed | 200 |',
    '| faults that happened | 2 |',
    '| lost | 1 |',
    '| doubled effects | 2 |',
    '| hours | 3.0 |',
    '| [seed-2](seed-2.md) | failed | 2 | F1 F7 | 1 | 100 | 1 / 1 / 0 | never |',
    '| [seed-3](seed-3.md) | failed | 3 | F1 F7 | 1 | 100 | not compared | never |',
  ]) {
    expect(page).toContain(row);
  }
});
