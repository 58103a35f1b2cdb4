/** Which runs of Temporal are of no event. Nothing is fake: ids and rows written by hand. */
import type { BookRow } from '../../src/main/chaos/books.js';
import { withoutRow } from '../../src/main/chaos/look-at-runs.js';

const STANDS = '01890000-0000-7000-8000-000000000001';
const GONE = '01890000-0000-7000-8000-000000000002';
const books = { rows: new Map([[STANDS, {} as BookRow]]) };

test('a run of an event without a row is a phantom, whatever its epoch, and told once', () => {
  const ids = [`main:${STANDS}:0`, `main:${GONE}:0`, `main:${GONE}:1`, `main:${GONE}:1`];
  expect(withoutRow(ids, books, 'main')).toEqual([
    expect.stringContaining(
      `I3 ${GONE}: expected nothing, for the outbox has no row of it; came the run main:${GONE}:0`,
    ),
    expect.stringContaining(`came the run main:${GONE}:1`),
  ]);
});

test('batches, notices and runs of other deployments are of no event here', () => {
  const ids = [`main:batch:${GONE}`, `main:notify:${GONE}`, `other:${GONE}:0`, 'something else'];
  expect(withoutRow(ids, books, 'main')).toEqual([]);
});
