// Real: who is looked at for, when, and what is told. Fake: the parts, and time.
import { jest } from '@jest/globals';
import type { OverviewPart } from '../../src/contract/overview-api.js';
import { createSnapshots, type PartListener, type PartReaders } from '../../src/http/snapshots.js';
import { fakeParts } from '../support/monitor.js';

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: jest.fn() };
const backlog = { due: 0, reads: 0 };
const books = { reads: 0 };
const parts = (): PartReaders =>
  fakeParts({
    backlog: async () => {
      backlog.reads++;
      const value = { due: backlog.due, lagSeconds: 0 };
      return { name: 'backlog', state: 'ok', at: new Date().toISOString(), reason: null, value };
    },
    books: async () => {
      books.reads++;
      return { name: 'books', state: 'ok', at: null, reason: null, value: null };
    },
  });

function listener() {
  const heard: string[] = [];
  const begun: (readonly OverviewPart[])[] = [];
  const one: PartListener = {
    begin: (all) => begun.push(all),
    change: (part, json) => {
      expect(JSON.parse(json)).toEqual(part);
      heard.push(part.name);
    },
  };
  return { one, heard, begun };
}

beforeEach(() => {
  jest.useFakeTimers();
  Object.assign(backlog, { due: 0, reads: 0 });
  books.reads = 0;
});
afterEach(() => {
  jest.useRealTimers();
});

it('looks for nobody, and for whoever comes at everything, each part at its own pace', async () => {
  const snapshots = createSnapshots(parts(), log);
  await jest.advanceTimersByTimeAsync(60_000);
  expect(backlog.reads).toBe(0);
  const { one, begun } = listener();
  const stop = await snapshots.listen(one);
  expect(begun).toEqual([expect.arrayContaining([expect.objectContaining({ name: 'backlog' })])]);
  expect(begun[0]).toHaveLength(12);
  expect([backlog.reads, books.reads]).toEqual([1, 1]);
  await jest.advanceTimersByTimeAsync(30_000);
  expect([backlog.reads, books.reads]).toEqual([16, 3]);
  stop();
});

it('stops with the last one who listens, and looks anew for the next one', async () => {
  const snapshots = createSnapshots(parts(), log);
  const [first, second] = [listener(), listener()];
  const stopFirst = await snapshots.listen(first.one);
  const stopSecond = await snapshots.listen(second.one);
  expect(backlog.reads).toBe(1);
  stopFirst();
  stopFirst(); // again is nothing
  await jest.advanceTimersByTimeAsync(2_000);
  expect(backlog.reads).toBe(2);
  stopSecond();
  await jest.advanceTimersByTimeAsync(60_000);
  expect(backlog.reads).toBe(2);
  backlog.due = 7;
  const third = listener();
  const stop = await snapshots.listen(third.one);
  expect(third.begun[0]).toContainEqual(expect.objectContaining({ name: 'backlog', value: { due: 7, lagSeconds: 0 } }));
  stop();
});

it('tells a change once to each, and nothing where only the time of the look is another', async () => {
  const snapshots = createSnapshots(parts(), log);
  const [first, second] = [listener(), listener()];
  const stops = [await snapshots.listen(first.one), await snapshots.listen(second.one)];
  await jest.advanceTimersByTimeAsync(10_000);
  expect(first.heard).toEqual([]);
  backlog.due = 1;
  await jest.advanceTimersByTimeAsync(10_000);
  expect([first.heard, second.heard]).toEqual([['backlog'], ['backlog']]);
  for (const stop of stops) stop();
});

it('goes on with the others, and with it, where a reader breaks its word and throws', async () => {
  let fails = true;
  const broken = fakeParts({
    alerts: async () => {
      if (fails) throw new Error('a bug');
      return { name: 'alerts', state: 'ok', at: null, reason: null, value: [] };
    },
  });
  const snapshots = createSnapshots(broken, log);
  const { one, begun, heard } = listener();
  const stop = await snapshots.listen(one);
  // Told as away: one that was not there would be taken for one that they may not see, and what is left for well.
  expect(begun[0]).toHaveLength(12);
  expect(begun[0]).toContainEqual({
    name: 'alerts',
    state: 'away',
    at: null,
    reason: expect.stringContaining('monitor.part_failed'),
    value: null,
  });
  expect(log.error).toHaveBeenCalled();
  fails = false;
  await jest.advanceTimersByTimeAsync(5_000);
  expect(heard).toEqual(['alerts']);
  stop();
});
