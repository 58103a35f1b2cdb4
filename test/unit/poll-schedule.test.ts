// Pure: no clock, no random of its own. Nothing is fake.
import fc from 'fast-check';
import { DEFAULT_POLL, nextPoll, startPolling } from '../../src/application/delivery/poll-schedule.js';

const nothing = { claimed: 0, batch: 200, unfinished: false };

describe('the poll schedule', () => {
  it('looks again at once after a full batch', () => {
    expect(nextPoll(startPolling(DEFAULT_POLL, 0), { ...nothing, claimed: 200 }, DEFAULT_POLL, 5, 0.5).waitMs).toBe(0);
  });

  it('stays at 25 ms while events came in the last 10 s', () => {
    const state = nextPoll(startPolling(DEFAULT_POLL, 0), { ...nothing, claimed: 1 }, DEFAULT_POLL, 1_000, 0.5).state;
    expect(nextPoll(state, nothing, DEFAULT_POLL, 10_999, 0.99).waitMs).toBe(25);
    expect(nextPoll(state, nothing, DEFAULT_POLL, 11_000, 0.99).waitMs).toBeGreaterThan(25);
  });

  it('backs off to one second when nothing comes, and is back at the floor with the first event', () => {
    let state = startPolling(DEFAULT_POLL, 0);
    const waits: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      const next = nextPoll(state, nothing, DEFAULT_POLL, 20_000, 1 - Number.EPSILON);
      state = next.state;
      waits.push(next.waitMs);
    }
    expect(waits).toEqual([50, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
    expect(nextPoll(state, { ...nothing, claimed: 1 }, DEFAULT_POLL, 20_000, 0.5).waitMs).toBe(25);
  });

  it('does not take an unfinished walk over the lanes for silence', () => {
    expect(
      nextPoll(startPolling(DEFAULT_POLL, 0), { ...nothing, unfinished: true }, DEFAULT_POLL, 60_000, 0.5).waitMs,
    ).toBe(25);
  });

  it('goes on backing off from round to round over more lanes than one claim walks', () => {
    let state = startPolling(DEFAULT_POLL, 0);
    const waits: number[] = [];
    for (let i = 0; i < 14; i += 1) {
      const next = nextPoll(state, { ...nothing, unfinished: i % 2 === 0 }, DEFAULT_POLL, 20_000, 1 - Number.EPSILON);
      state = next.state;
      waits.push(next.waitMs);
    }
    expect(waits).toEqual([25, 50, 25, 100, 25, 200, 25, 400, 25, 800, 25, 1_000, 25, 1_000]);
  });

  it('waits between the floor, less its jitter, and one second, whatever happens', () => {
    const outcome = fc.record({ claimed: fc.nat(200), batch: fc.constant(200), unfinished: fc.boolean() });
    const step = fc.record({ outcome, later: fc.nat(30_000), random: fc.double({ min: 0, max: 0.999, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let now = 0;
        let state = startPolling(DEFAULT_POLL, now);
        for (const { outcome, later, random } of steps) {
          now += later;
          const next = nextPoll(state, outcome, DEFAULT_POLL, now, random);
          state = next.state;
          if (outcome.claimed >= outcome.batch) expect(next.waitMs).toBe(0);
          else expect(next.waitMs).toBeGreaterThanOrEqual(DEFAULT_POLL.floorMs);
          expect(next.waitMs).toBeLessThanOrEqual(DEFAULT_POLL.idleMs);
        }
      }),
    );
  });
});
