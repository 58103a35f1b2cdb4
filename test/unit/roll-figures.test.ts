/** Which minutes a turn of the duty `figures` counts, and what it does about one that cannot be counted. The store is scripted. */
import type { FigureWriter } from '../../src/application/delivery/monitor/ports.js';
import { rollFigures } from '../../src/application/delivery/monitor/roll-figures.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';

const HOLD = { name: 'figures', holder: '0197d3a0-0000-7000-8000-000000000001' };
const minuteOf = (n: number) => `2026-11-29T${String(10 + Math.floor(n / 60))}:${String(n % 60).padStart(2, '0')}:00Z`;

/** Minutes 0 to `closed`, of which some stand. */
function scripted(closedAtFirst: number, standing: readonly number[] = []) {
  let closed = closedAtFirst;
  const stand = new Set(standing.map(minuteOf));
  const tried: string[] = [];
  const warned: object[] = [];
  const script = { fails: (_: string): unknown => null, held: true, removed: 0 };
  const store: FigureWriter = {
    async findUncounted(since) {
      const from = since === null ? 0 : Date.parse(since);
      const all = Array.from({ length: closed }, (_, n) => minuteOf(n));
      const open = all.filter((one) => Date.parse(one) >= from && !stand.has(one));
      return { minutes: open, closed: minuteOf(closed) };
    },
    async countMinute(_, begins) {
      tried.push(begins);
      const error = script.fails(begins);
      if (error !== null) throw error;
      if (script.held) stand.add(begins);
      return script.held;
    },
    findWhole: async () => [],
    addQuarter: async () => true,
    async removeOld() {
      script.removed++;
    },
  };
  const log = { debug: () => {}, info: () => {}, warn: (fields: object) => void warned.push(fields), error: () => {} };
  const roll = rollFigures({ store, log });
  const close = (more: number) => {
    closed = more;
  };
  return { roll: () => roll(HOLD, new AbortController().signal), tried, warned, stand, script, turn: roll, close };
}

const late = () => new IntegrationError('STORE.UNAVAILABLE');

it('counts thirty in a turn: the last twenty minutes, the newest first, then the oldest, and none that stands', async () => {
  const { roll, tried, stand } = scripted(60, [0, 3, 59]);
  await roll();
  const [newest, oldest] = [
    Array.from({ length: 19 }, (_, n) => 58 - n),
    [1, 2, ...Array.from({ length: 9 }, (_, n) => 4 + n)],
  ];
  expect(tried).toEqual([...newest, ...oldest].map(minuteOf));
  await roll();
  expect(tried).toHaveLength(57);
  expect(stand.size).toBe(60);
  expect(new Set(tried).size).toBe(57);
});

it('a minute that closes meanwhile comes before the old ones, and one that fails keeps none from its turn', async () => {
  const { roll, tried, script, stand, close } = scripted(100);
  script.fails = (minute) => (minute === minuteOf(95) ? late() : null);
  for (let turn = 0; turn < 2; turn++) await expect(roll()).rejects.toThrow();
  close(101);
  await expect(roll()).resolves.toBeUndefined();
  expect(tried.slice(0, 8)).toEqual([99, 98, 97, 96, 95, 95, 100, 95].map(minuteOf));
  for (let turn = 0; turn < 4; turn++) await roll();
  expect([stand.size, stand.has(minuteOf(95))]).toEqual([100, false]);
  expect(tried.filter((one) => one === minuteOf(95))).toHaveLength(3);
});

it('leaves a minute that is not counted in time for the third time, says so, and goes on behind it', async () => {
  const { roll, tried, warned, script, stand } = scripted(5);
  script.fails = (minute) => (minute === minuteOf(2) ? late() : null);
  await expect(roll()).rejects.toThrow();
  await expect(roll()).rejects.toThrow();
  expect([tried.length, stand.size, warned]).toEqual([4, 2, []]); // 4, 3 and twice 2
  await roll();
  expect(warned).toMatchObject([{ minute: minuteOf(2), tries: 3 }]);
  expect([stand.has(minuteOf(2)), stand.size]).toEqual([false, 4]);
  await roll();
  expect(tried.filter((one) => one === minuteOf(2))).toHaveLength(3);
});

it('never leaves one for another reason: a right that is missing is granted some day', async () => {
  const { roll, warned, script, stand } = scripted(2);
  script.fails = () => new Error('permission denied');
  for (let turn = 0; turn < 5; turn++) await expect(roll()).rejects.toThrow('permission denied');
  script.fails = () => null;
  await roll();
  expect([warned, stand.size]).toEqual([[], 2]);
});

it('ends its turn where the lease is gone, or it is told to', async () => {
  const { roll, tried, script, turn } = scripted(5);
  script.held = false;
  await roll();
  expect([tried.length, script.removed]).toEqual([1, 0]);
  script.held = true;
  await turn(HOLD, AbortSignal.abort());
  expect([tried.length, script.removed]).toEqual([1, 0]);
  await roll();
  expect([tried.length, script.removed]).toEqual([6, 1]);
});
