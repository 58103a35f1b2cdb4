// How the destinations of edited letters are asked before a redrive. The store and the destinations are scripted.
import { jest } from '@jest/globals';
import { redriveLetters } from '../../src/application/delivery/dead-letters/redrive-letters.js';
import type { DeadLetterActions, FoundLetter } from '../../src/application/delivery/dead-letters/redrive-ports.js';

const WORD = { actor: 'ada', reason: 'mended' };
const idOf = (n: number) => `0197d3a0-0000-7000-8000-${String(n).padStart(12, '0')}`;
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Edited letters, open until they are redriven. */
function scripted(count: number) {
  const redriven = new Set<string>();
  const find: DeadLetterActions['find'] = async (ids) =>
    ids.map((id): FoundLetter => {
      const state = redriven.has(id) ? 'redriven' : 'open';
      return { kind: 'letter', id, eventId: id, epoch: 0, state, actor: null, at: null, revisions: 1, editedBy: 'bob' };
    });
  const redrive: DeadLetterActions['redrive'] = async (letters) => {
    for (const { id } of letters) redriven.add(id);
    return letters.map(({ id, eventId }) => ({ id, eventId, epoch: 1 }));
  };
  const actions = { find, redrive } as DeadLetterActions;
  return { actions, ids: Array.from({ length: count }, (_, n) => idOf(n)) };
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** Each question takes so long; how many were under way at most. */
function slowly(ms: number) {
  const seen = { now: 0, most: 0, asked: 0 };
  const ask = async () => {
    seen.asked++;
    seen.most = Math.max(seen.most, ++seen.now);
    await new Promise((resolve) => setTimeout(resolve, ms));
    seen.now--;
    return { kind: 'none' } as const;
  };
  return { seen, ask };
}

it('several at once, fewer than a destination is asked at once by all', async () => {
  const { actions, ids } = scripted(20);
  const { seen, ask } = slowly(1_000);
  const redriving = redriveLetters({ actions, ask, log }, { ids, tenantId: null }, WORD);
  await jest.advanceTimersByTimeAsync(4_000);
  expect((await redriving).map(({ kind }) => kind)).toEqual(ids.map(() => 'redriven'));
  expect(seen).toEqual({ now: 0, most: 6, asked: 20 });
});

it('within ten seconds: who could not be asked by then is not told of, and stays', async () => {
  const { actions, ids } = scripted(100);
  const { seen, ask } = slowly(2_000);
  const redriving = redriveLetters({ actions, ask, log }, { ids, tenantId: null }, WORD);
  await jest.advanceTimersByTimeAsync(10_000);
  const kinds = (await redriving).map(({ kind }) => kind);
  expect(seen.asked).toBe(24);
  expect([kinds.slice(0, 24), kinds.slice(24)]).toEqual([
    Array.from({ length: 24 }, () => 'redriven'),
    Array.from({ length: 76 }, () => 'not-told'),
  ]);
});
