/** Real: where the parts of the monitor's charts stand. Fake: nothing. */
import fc from 'fast-check';
import { layOutBars, layOutGaps, layOutLine, niceCeiling, type Span } from '../../src/monitor/logic/chart.js';
import { percentiles, perMinute } from '../../src/monitor/logic/figure-spans.js';

const BOX = { width: 100, height: 50 };
const counted = (value: number | null, minutes = 1): Span => ({ minutes, counted: true, value });
/** Counts and milliseconds: nothing is smaller than this and more than nothing. */
const VALUE = fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e12, noNaN: true }));
const gap = (minutes = 1): Span => ({ minutes, counted: false, value: null });

describe('the figures of a day, which are quarters of an hour and minutes', () => {
  const at = '2026-11-29T10:00:00.000Z';
  const series = [
    { at, minutes: 15, delivered: 300, died: 150, p95Ms: 40 },
    { at, minutes: 1, delivered: 20, died: 10, p95Ms: 86_400_000 },
    { at, minutes: 1, delivered: null, died: null, p95Ms: null },
    { at, minutes: 1, delivered: 0, died: 0, p95Ms: null },
  ];

  it('are as many a minute, so that the newest minutes stand as high as the quarters before them', () => {
    expect(perMinute(series, 'died').map(({ value }) => value)).toEqual([10, 10, null, 0]);
    expect(perMinute(series, 'delivered').map(({ value }) => value)).toEqual([20, 20, null, 0]);
    expect(perMinute(series, 'died').map(({ counted: was }) => was)).toEqual([true, true, false, true]);
  });

  it('have percentiles as they are', () => {
    expect(percentiles(series).map(({ value }) => value)).toEqual([40, 86_400_000, null, null]);
  });
});

describe('the ceiling of a chart', () => {
  it('is 1, 2 or 5 times a power of ten, no value is above it, and it is not far', () => {
    fc.assert(
      fc.property(fc.array(VALUE, { maxLength: 50 }), (values) => {
        const ceiling = niceCeiling(values);
        const most = Math.max(0, ...values);
        expect(ceiling).toBeGreaterThanOrEqual(most);
        if (most > 0) expect(ceiling / most).toBeLessThanOrEqual(2.5 + 1e-9);
      }),
    );
    expect(niceCeiling([3, null, 17])).toBe(20);
  });

  it('is 1 where there is nothing', () => {
    expect(niceCeiling([])).toBe(1);
    expect(niceCeiling([0, null])).toBe(1);
  });
});

describe('the bars of a chart', () => {
  it('stand beside each other, as wide as their spans are long', () => {
    expect(layOutBars([counted(10, 15), counted(5, 5)], 10, BOX)).toEqual([
      { index: 0, x: 0, y: 0, width: 75, height: 50 },
      { index: 1, x: 75, y: 25, width: 25, height: 25 },
    ]);
  });

  it('are not there where nobody counted, while a zero is one without a height', () => {
    const bars = layOutBars([counted(0), gap(), counted(1)], 1, BOX);
    expect(bars.map(({ index, height }) => [index, height])).toEqual([
      [0, 0],
      [2, 50],
    ]);
  });

  it('stay within the box', () => {
    const span = fc.record({ minutes: fc.integer({ min: 1, max: 15 }), value: fc.option(VALUE) });
    fc.assert(
      fc.property(fc.array(span, { minLength: 1, maxLength: 100 }), (given) => {
        const spans = given.map(({ minutes, value }) => ({ minutes, counted: value !== null, value }));
        for (const bar of layOutBars(spans, niceCeiling(spans.map(({ value }) => value)), BOX)) {
          expect(bar.x).toBeGreaterThanOrEqual(0);
          expect(bar.x + bar.width).toBeLessThanOrEqual(BOX.width + 1e-6);
          expect(bar.y).toBeGreaterThanOrEqual(-1e-6);
          expect(bar.height).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('the gaps of a chart', () => {
  it('are what nobody counted, neighbours as one; what had nothing to measure is none', () => {
    expect(layOutGaps([gap(), gap(), counted(null), gap(2)], BOX)).toEqual([
      { x: 0, width: 40 },
      { x: 60, width: 40 },
    ]);
  });
});

describe('the line of a chart', () => {
  it('breaks where there is no value, and a lone one is a dash', () => {
    const spans = [counted(0), counted(10), counted(null), counted(5), gap()];
    expect(layOutLine(spans, 10, BOX)).toBe('M10 50L30 0M60 25H80');
  });

  it('of nothing is nothing', () => {
    expect(layOutLine([], 1, BOX)).toBe('');
    expect(layOutLine([gap()], 1, BOX)).toBe('');
  });
});
