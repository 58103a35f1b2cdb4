/** What a part of the overview tells when its look fails, is late, or is asked for twice. Fake: the look, and the clock. */
import { partReader, type SeenPart } from '../../src/application/overview-part.js';

type Seen = SeenPart<'auditDatabase'>;

let at: number;
const deps = { explain: (error: unknown) => `because ${(error as Error).message}`, now: () => new Date(at) };
beforeEach(() => {
  at = Date.UTC(2026, 10, 29);
});

const seen = (tookMs: number, trouble: string | null = null): Seen => ({ value: { tookMs }, trouble });

it('is ok, or failing with why, by what the look has found', async () => {
  const looks = [seen(1), seen(2, 'slow')];
  const read = partReader('auditDatabase', async () => looks.shift() as Seen, deps);
  const part = { name: 'auditDatabase', at: '2026-11-29T00:00:00.000Z' };
  expect(await read()).toEqual({ ...part, state: 'ok', reason: null, value: { tookMs: 1 } });
  expect(await read()).toEqual({ ...part, state: 'failing', reason: 'slow', value: { tookMs: 2 } });
});

it('is away with the last value and its time, never with an empty one; without one it has none', async () => {
  const looks: (() => Promise<Seen>)[] = [
    () => Promise.reject(new Error('first')),
    async () => seen(3),
    () => Promise.reject(new Error('second')),
  ];
  const read = partReader('auditDatabase', () => (looks.shift() as () => Promise<Seen>)(), deps);
  expect(await read()).toMatchObject({ state: 'away', at: null, reason: 'because first', value: null });
  expect(await read()).toMatchObject({ state: 'ok', reason: null });
  at += 60_000;
  expect(await read()).toEqual({
    name: 'auditDatabase',
    state: 'away',
    at: '2026-11-29T00:00:00.000Z',
    reason: 'because second',
    value: { tookMs: 3 },
  });
});

it('one that is late is away meanwhile, is not asked for a second time, and is the next value when it comes', async () => {
  let looks = 0;
  let answer: (found: Seen) => void = () => {};
  const look = () => {
    looks++;
    return new Promise<Seen>((resolve) => {
      answer = resolve;
    });
  };
  const read = partReader('auditDatabase', look, { ...deps, withinMs: 20 });
  const away = { state: 'away', reason: 'no answer within 20 ms', value: null };
  expect(await Promise.all([read(), read()])).toMatchObject([away, away]);
  expect(await read()).toMatchObject(away);
  expect(looks).toBe(1);
  answer(seen(7));
  expect(await read()).toMatchObject({ state: 'ok', value: { tookMs: 7 } });
  const next = read();
  answer(seen(8));
  expect(await next).toMatchObject({ state: 'ok', value: { tookMs: 8 } });
  expect(looks).toBe(2);
});

it('one that fails behind its deadline ends nothing', async () => {
  let fail: (error: Error) => void = () => {};
  const look = () =>
    new Promise<Seen>((_, reject) => {
      fail = reject;
    });
  const read = partReader('auditDatabase', look, { ...deps, withinMs: 20 });
  expect(await read()).toMatchObject({ state: 'away', reason: 'no answer within 20 ms' });
  const next = read();
  fail(new Error('late'));
  expect(await next).toMatchObject({ state: 'away', reason: 'because late' });
});
