/** Real: the counters of addresses and the limiter of keys. Fake: the clock, the response's headers. */
import { jest } from '@jest/globals';
import type { Response } from 'express';
import fc from 'fast-check';
import type { ApiKey } from '../../src/domain/audit/api-key.js';
import { counterOf } from '../../src/http/failed-keys.js';
import { createKeyLimits } from '../../src/http/key-limits.js';

const SECRET = new Uint8Array(32).fill(1);
const same = (a: string, b: string) => counterOf(SECRET, a) === counterOf(SECRET, b);

describe('counters of addresses', () => {
  it('are a bounded number, whatever comes', () => {
    const seen = Array.from({ length: 5_000 }, (_, n) => Number(counterOf(SECRET, `10.0.${n >> 8}.${n & 255}`)));
    for (const counter of seen) expect(counter >= 0 && counter < 65_536 && Number.isInteger(counter)).toBe(true);
    expect(new Set(seen).size).toBeGreaterThan(4_500); // spread over them
  });

  it('are one for a /64 of IPv6 and for an address in both of its forms, and others under another secret', () => {
    expect(same('2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(true);
    expect(same('2001:db8::1', '2001:db8:0:0:9::')).toBe(true);
    expect(same('fe80::1%eth0', 'fe80::2')).toBe(true);
    expect(same('2001:db8:1:2::1', '2001:db8:1:3::1')).toBe(false);
    expect(same('::ffff:192.0.2.1', '192.0.2.1')).toBe(true);
    expect(same('192.0.2.1', '192.0.2.2')).toBe(false);
    expect(counterOf(new Uint8Array(32).fill(2), '192.0.2.1')).not.toBe(counterOf(SECRET, '192.0.2.1'));
  });
});

describe('the rate of a key', () => {
  beforeEach(() => void jest.useFakeTimers({ now: 0, doNotFake: ['nextTick', 'queueMicrotask'] }));
  afterEach(() => void jest.useRealTimers());

  it('holds over time however it is spent: never more than a burst and a batch beyond what was earned', async () => {
    const key = { id: 'k', scopes: ['audit:write'] } as unknown as ApiKey;
    const batches = fc.array(fc.tuple(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 0, max: 120 })), {
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(batches, fc.integer({ min: 20, max: 2_000 }), async (spent, ratePerMinute) => {
        jest.setSystemTime(0);
        const res = { set: () => res } as unknown as Response;
        const limits = createKeyLimits({ perMinute: null });
        const limited = { ...key, ratePerMinute };
        const burst = Math.max(500, ratePerMinute);
        let sent = 0;
        let seconds = 0;
        for (const [events, wait] of spent) {
          const admitted = await limits.admit(limited, res).then(
            () => true,
            () => false,
          );
          if (admitted) {
            await limits.charge(limited, events - 1, res);
            sent += events;
          }
          // A window's end may lie between: twice the burst, as every fixed window has it, and the last batch.
          expect(sent).toBeLessThanOrEqual((seconds * ratePerMinute) / 60 + 2 * burst + 500);
          jest.advanceTimersByTime(wait * 1_000);
          seconds += wait;
        }
      }),
      { numRuns: 200 },
    );
  });

  it('many at once each pay for what they took', async () => {
    const told: string[] = [];
    const res = { set: (all: Record<string, string>) => void told.push(String(all.RateLimit)) } as unknown as Response;
    const limits = createKeyLimits({ perMinute: 600 });
    const key = { id: 'k', scopes: ['audit:write'], ratePerMinute: null } as unknown as ApiKey;
    await Promise.all([0, 1, 2].map(() => limits.admit(key, res)));
    await Promise.all([0, 1, 2].map(() => limits.charge(key, 599, res)));
    // 1,800 events, 600 of them the minute's: the others are two more.
    expect(told.at(-1)).toBe('"events";r=0;t=180');
  });

  it('is given back when the window has ended', async () => {
    const headers: string[] = [];
    const res = {
      set: (all: Record<string, string>) => void headers.push(String(all.RateLimit)),
    } as unknown as Response;
    const limits = createKeyLimits({ perMinute: 500 });
    const key = { id: 'k', scopes: ['audit:write'], ratePerMinute: null } as unknown as ApiKey;
    await limits.admit(key, res);
    await limits.charge(key, 499, res);
    await expect(limits.admit(key, res)).rejects.toMatchObject({
      code: 'rate_limited',
      headers: { 'Retry-After': '60' },
    });
    jest.advanceTimersByTime(59_999);
    await expect(limits.admit(key, res)).rejects.toMatchObject({ headers: { 'Retry-After': '1' } });
    jest.advanceTimersByTime(1);
    await limits.admit(key, res);
    expect(headers).toEqual([
      '"events";r=499;t=60',
      '"events";r=0;t=60',
      '"events";r=0;t=60',
      '"events";r=0;t=1',
      '"events";r=499;t=60',
    ]);
  });
});
