// How figures are told. Pure; nothing is fake.
import fc from 'fast-check';
import { durationOf, isOpenEnded, percentOf } from '../../src/domain/delivery/figure-words.js';
import { LATENCY_BOUNDS_MS } from '../../src/domain/delivery/latency-histogram.js';

it.each([
  [1, 100],
  [299_999 / 300_000, 99.99],
  [0.995, 99.5],
  [0.29, 29],
  [0.0001, 0.01],
  [0.00009, null],
  [0, 0],
])('a share of %p is %p %%', (share, percent) => {
  expect(percentOf(share)).toBe(percent);
});

it('100 are all, and 0 is none, of however many', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 0, max: 10 ** 9 }), (total, part) => {
      const of = Math.min(part, total);
      const percent = percentOf(of / total);
      expect([percent === 100, percent === 0]).toEqual([of === total, of === 0]);
    }),
  );
});

it('only the last bucket is open', () => {
  expect(LATENCY_BOUNDS_MS.filter(isOpenEnded)).toHaveLength(1);
});

it.each([
  [0, '0 ms'],
  [999.6, '1 s'],
  [12_540, '12.5 s'],
  [125_000, '2 min 5 s'],
  [3_600_000, '1 h'],
  [90_061_000, '1 d 1 h'],
])('%p ms are %s', (ms, words) => {
  expect(durationOf(ms)).toBe(words);
});
