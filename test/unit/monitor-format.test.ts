/** Real: what the monitor's page writes numbers, times and durations with. Fake: nothing; locale and zone are given. */
import fc from 'fast-check';
import {
  formatAge,
  formatAmount,
  formatCount,
  formatDuration,
  formatLatency,
  formatMeasured,
  formatRate,
  formatShare,
  formatTime,
  formatUtc,
  fromLocalInput,
  NOT_KNOWN,
  toLocalInput,
  withLocalTimes,
} from '../../src/monitor/logic/format.js';

const BERLIN = { locale: 'en-GB', timeZone: 'Europe/Berlin' };
const ENGLISH = { locale: 'en-US' };

describe('a number of the monitor', () => {
  it('is "or more" at the bound that it was counted to', () => {
    expect(formatCount(9_999, 10_000, ENGLISH)).toBe('9,999');
    expect(formatCount(10_000, 10_000, ENGLISH)).toBe('10,000 or more');
  });

  it('is never 0 for something', () => {
    fc.assert(
      fc.property(fc.double({ min: Number.MIN_VALUE, max: 1e9, noNaN: true }), (amount) => {
        expect(formatAmount(amount, ENGLISH)).not.toBe('0');
      }),
    );
    expect(formatAmount(0, ENGLISH)).toBe('0');
    expect(formatRate(0.001, ENGLISH)).toBe('< 0.01 /s');
    expect(formatRate(42.26, ENGLISH)).toBe('42.3 /s');
    expect(formatRate(1_234.4, ENGLISH)).toBe('1,234 /s');
  });

  it('is 100 % only of all, and not known of nothing', () => {
    expect(formatShare(1, ENGLISH)).toBe('100 %');
    expect(formatShare(0.99999, ENGLISH)).toBe('99.99 %');
    expect(formatShare(0.57, ENGLISH)).toBe('57 %');
    expect(formatShare(0.00001, ENGLISH)).toBe('< 0.01 %');
    expect(formatShare(0, ENGLISH)).toBe('0 %');
    expect(formatShare(null, ENGLISH)).toBe(NOT_KNOWN);
  });

  it('of a percentile is an upper bound, and not known where nothing was measured', () => {
    expect(formatLatency(45)).toBe('≤ 45 ms');
    expect(formatLatency(86_400_000)).toBe('13 h or more');
    expect(formatLatency(null)).toBe(NOT_KNOWN);
  });

  it('that was measured is no bound', () => {
    expect(formatMeasured(45)).toBe('45 ms');
    expect(formatMeasured(86_400_000)).toBe('1 d');
    expect(formatMeasured(null)).toBe(NOT_KNOWN);
  });
});

describe('a duration of the monitor', () => {
  it.each([
    [0, '0 ms'],
    [0.4, '0 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [1_449, '1.4 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
    [86_400_000, '1 d'],
    [90_061_000, '1 d 1 h'],
  ])('of %d ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('is of two units at most, and of some', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e11, noNaN: true }), (ms) => {
        expect(formatDuration(ms)).toMatch(/^\d+(\.\d)? (ms|s|min|h|d)( \d+ (s|min|h))?$/);
      }),
    );
  });
});

describe('a time of the monitor', () => {
  const AT = '2026-11-29T10:00:05.250Z';

  it('is local, with its zone, and UTC for whoever points at it', () => {
    expect(formatTime(AT, BERLIN)).toContain('11:00:05');
    expect(formatTime(AT, BERLIN)).toMatch(/CET|GMT\+1/);
    expect(formatUtc('2026-11-29T12:00:05.25+02:00')).toBe('2026-11-29T10:00:05.250Z');
  });

  it('that is none is shown as it is', () => {
    expect(formatTime('<b>soon</b>', BERLIN)).toBe('<b>soon</b>');
    expect(formatUtc('soon')).toBe('soon');
    expect(formatAge('soon', 0)).toBe(NOT_KNOWN);
  });

  it('has an age, into the future as well, and none within what two clocks differ by', () => {
    const at = Date.parse(AT);
    expect(formatAge(AT, at + 1_999)).toBe('now');
    expect(formatAge(AT, at - 1_999)).toBe('now');
    expect(formatAge(AT, at + 12_900)).toBe('12 s ago');
    expect(formatAge(AT, at - 65_000)).toBe('in 1 min 5 s');
  });

  it('of a field is the one that was chosen there', () => {
    const dates = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
    fc.assert(
      fc.property(dates, (date) => {
        const second = new Date(Math.floor(date.getTime() / 1_000) * 1_000);
        const there = fromLocalInput(toLocalInput(second.toISOString())) ?? '';
        // The hour that comes twice when summer ends is one of the two.
        expect(Math.abs(Date.parse(there) - second.getTime()) % 3_600_000).toBe(0);
      }),
    );
    expect(fromLocalInput('')).toBeNull();
    expect(toLocalInput('soon')).toBe('');
  });

  it('in a sentence of the server is local, too', () => {
    const sentence = withLocalTimes(`the oldest since ${AT}, of 3`, BERLIN);
    expect(sentence).toBe(`the oldest since ${formatTime(AT, BERLIN)}, of 3`);
  });
});
