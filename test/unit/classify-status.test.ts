/** Pure: every status, and Retry-After in every form. */
import fc from 'fast-check';
import { classifyStatus } from '../../src/domain/delivery/classify-status.js';
import { parseRetryAfter } from '../../src/domain/delivery/parse-retry-after.js';

/** Design §6, written out: the rest of each hundred is what its first row says. */
const EXPECTED: readonly (readonly [from: number, to: number, code: string | null])[] = [
  [100, 199, 'HTTP.BAD_RESPONSE'],
  [200, 299, null],
  [300, 399, 'HTTP.BAD_RESPONSE'],
  [400, 499, 'HTTP.CLIENT_ERROR'],
  [500, 599, 'HTTP.SERVER_ERROR'],
  [401, 401, 'HTTP.UNAUTHORIZED'],
  [403, 403, 'HTTP.UNAUTHORIZED'],
  [408, 408, 'HTTP.SERVER_ERROR'],
  [425, 425, 'HTTP.SERVER_ERROR'],
  [429, 429, 'HTTP.RATE_LIMITED'],
  [501, 501, 'HTTP.CLIENT_ERROR'],
  [505, 505, 'HTTP.CLIENT_ERROR'],
];

describe('classifyStatus', () => {
  it('gives every status from 100 to 599 its code', () => {
    for (let status = 100; status <= 599; status++) {
      const expected = EXPECTED.filter(([from, to]) => status >= from && status <= to).at(-1)?.[2];
      expect([status, classifyStatus(status, {})]).toEqual([status, expected]);
    }
  });

  it('takes a 503 with Retry-After, and no other 5xx, for rate limiting', () => {
    expect(classifyStatus(503, { 'retry-after': '5' })).toBe('HTTP.RATE_LIMITED');
    expect(classifyStatus(503, { 'retry-after': '' })).toBe('HTTP.SERVER_ERROR');
    expect(classifyStatus(500, { 'retry-after': '5' })).toBe('HTTP.SERVER_ERROR');
  });

  it('is total: what is no HTTP status is outside the agreement', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.integer({ max: 99 }), fc.integer({ min: 600 })), (status) => {
        fc.pre(!(Number.isInteger(status) && status >= 100 && status <= 599));
        expect(classifyStatus(status, {})).toBe('HTTP.BAD_RESPONSE');
      }),
    );
  });
});

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 10, 23, 9, 0, 0);

  it.each([
    ['0', 0],
    ['2', 2_000],
    [' 120 ', 120_000],
    ['9'.repeat(400), Number.POSITIVE_INFINITY],
    ['Mon, 23 Nov 2026 09:00:30 GMT', 30_000],
    ['Monday, 23-Nov-26 09:00:30 GMT', 30_000],
    ['Mon Nov 23 09:00:30 2026', 30_000],
    ['Sun Nov  1 09:00:00 2026', -22 * 86_400_000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37) - now],
    ['Sunday, 06-Nov-94 08:49:37 GMT', Date.UTC(1994, 10, 6, 8, 49, 37) - now],
    ['Thu, 31 Dec 2026 23:59:60 GMT', Date.UTC(2027, 0, 1) - now],
  ])('reads %s', (value, expected) => {
    expect(parseRetryAfter(value, now)).toBe(expected);
  });

  it.each([
    null,
    undefined,
    '',
    '-5',
    '+5',
    '1.5',
    '1e3',
    '0x10',
    'soon',
    '5, 10',
    'Mon, 31 Feb 2026 09:00:30 GMT',
    'Mon, 23 Nov 2026 24:00:00 GMT',
    'Mon, 23 Nov 2026 23:60:00 GMT',
    'Mon, 23 Nov 2026 00:00:61 GMT',
    'Mon, 23 Nov 2026 00:00:99 GMT',
    'Mon, 23 Nov 2026 09:60:00 GMT',
    'Mon, 23 Foo 2026 09:00:30 GMT',
    'Mon, 23 Nov 2026 09:00:30 CET',
    '2026-11-23T09:00:30Z',
  ])('takes %p for nothing', (value) => {
    expect(parseRetryAfter(value, now)).toBeNull();
  });

  it('reads every second of a century in each of the three forms of RFC 9110', () => {
    const from = Math.ceil(Date.UTC(1977, 0, 1) / 1_000);
    fc.assert(
      fc.property(fc.integer({ min: from, max: Date.UTC(2076, 11, 31) / 1_000 }), (second) => {
        const at = new Date(second * 1_000);
        const [, weekday, day, month, year, time] = /^(\w+), (\d+) (\w+) (\d+) (\S+) GMT$/.exec(at.toUTCString()) ?? [];
        const long = {
          Mon: 'Monday',
          Tue: 'Tuesday',
          Wed: 'Wednesday',
          Thu: 'Thursday',
          Fri: 'Friday',
          Sat: 'Saturday',
        };
        for (const text of [
          at.toUTCString(),
          `${long[weekday as keyof typeof long] ?? 'Sunday'}, ${day}-${month}-${year?.slice(2)} ${time} GMT`,
          `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`,
        ])
          expect([text, parseRetryAfter(text, now)]).toEqual([text, at.getTime() - now]);
      }),
      { numRuns: 500 },
    );
  });

  it('never throws and never answers NaN', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9 :,A-Za-z-]{0,40}$/)), (value) => {
        expect(parseRetryAfter(value, now)).not.toBeNaN();
      }),
    );
  });
});
