/** Real: when the monitor's page opens and closes its stream. Fake: time and chance. */
import fc from 'fast-check';
import {
  HIDDEN_MS,
  IDLE,
  isStale,
  OPENING_MS,
  SILENCE_MS,
  type StreamEvent,
  type StreamState,
  stepStream,
} from '../../src/monitor/logic/stream-machine.js';

/** Each step at its time; answers the state and what was done. */
function run(steps: readonly (readonly [at: number, event: StreamEvent])[], random = 1) {
  let state: StreamState = IDLE;
  const acts: string[] = [];
  for (const [at, event] of steps) {
    const step = stepStream(state, event, at, random);
    state = step.state;
    if (step.act !== null) acts.push(`${at} ${step.act}`);
  }
  return { state, acts };
}

describe('the stream of the monitor', () => {
  it('is opened at the start and open once something is heard', () => {
    const { state, acts } = run([
      [0, 'start'],
      [500, 'heard'],
    ]);
    expect(acts).toEqual(['0 reopen']);
    expect(state).toMatchObject({ phase: 'open', failures: 0, heardAt: 500 });
    expect(isStale(state, 500 + SILENCE_MS)).toBe(false);
  });

  it('is stale and given up after six seconds of silence, and opened again a second later', () => {
    const { state, acts } = run([
      [0, 'start'],
      [100, 'heard'],
      [100 + SILENCE_MS, 'clock'],
      [101 + SILENCE_MS, 'clock'],
      [1_100 + SILENCE_MS, 'clock'],
      [1_101 + SILENCE_MS, 'clock'],
    ]);
    expect(acts).toEqual(['0 reopen', '6101 close', '7101 reopen']);
    expect(state.phase).toBe('opening');
    expect(isStale(state, 7_101)).toBe(true);
  });

  it('waits 1, 2, 4, 8, then 15 seconds between failures, and begins anew once it was heard', () => {
    let state = run([[0, 'start']]).state;
    const waits: number[] = [];
    let now = 0;
    for (let failure = 0; failure < 6; failure++) {
      state = stepStream(state, 'failed', now, 1).state;
      waits.push(state.retryAt - now);
      now = state.retryAt;
      state = stepStream(state, 'clock', now, 1).state;
      expect(state.phase).toBe('opening');
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    state = stepStream(state, 'heard', now, 1).state;
    expect(stepStream(state, 'failed', now, 0).state.retryAt - now).toBe(750);
  });

  it('that never says a first word is given up', () => {
    const { acts } = run([
      [0, 'start'],
      [OPENING_MS, 'clock'],
      [OPENING_MS + 1, 'clock'],
    ]);
    expect(acts).toEqual(['0 reopen', `${OPENING_MS + 1} close`]);
  });

  it('is closed once the page was hidden for half a minute, and opened when it is shown', () => {
    const { state, acts } = run([
      [0, 'start'],
      [100, 'heard'],
      [1_000, 'hidden'],
      [1_000 + HIDDEN_MS - 1, 'heard'],
      [1_000 + HIDDEN_MS, 'clock'],
      [200_000, 'clock'],
      [300_000, 'shown'],
    ]);
    expect(acts).toEqual(['0 reopen', '31000 close', '300000 reopen']);
    // Minutes old: not for a moment is it shown as if it were of now.
    expect(isStale(state, 300_000)).toBe(true);
    expect(isStale(stepStream(state, 'heard', 300_500, 0).state, 300_500)).toBe(false);
  });

  it('that is read anew after less than a minute is called old only if that takes long', () => {
    const { state } = run([
      [0, 'start'],
      [100, 'heard'],
      [200, 'hidden'],
      [200 + HIDDEN_MS, 'clock'],
      [40_000, 'shown'],
    ]);
    expect(isStale(state, 41_000)).toBe(false);
    expect(isStale(state, 42_001)).toBe(true);
  });

  it('stays open where the page was hidden for a moment', () => {
    const { acts } = run([
      [0, 'start'],
      [100, 'heard'],
      [1_000, 'hidden'],
      [5_000, 'shown'],
      [5_500, 'heard'],
      [7_000, 'clock'],
    ]);
    expect(acts).toEqual(['0 reopen']);
  });

  it('takes nothing from a connection that was given up', () => {
    const { state } = run([
      [0, 'start'],
      [10, 'failed'],
      [20, 'heard'],
      [30, 'failed'],
    ]);
    expect(state).toMatchObject({ phase: 'waiting', failures: 1, heardAt: null });
  });

  it('is not stale where there is none, and is where it failed before the first word', () => {
    expect(isStale(IDLE, 1e9)).toBe(false);
    expect(
      isStale(
        run([
          [0, 'start'],
          [10, 'failed'],
        ]).state,
        20,
      ),
    ).toBe(true);
    expect(isStale(run([[0, 'start']]).state, 1_000)).toBe(false);
  });

  it('in whatever order: opens only what is closed, and closes what it opened', () => {
    const event = fc.constantFrom<StreamEvent>('start', 'heard', 'failed', 'clock', 'hidden', 'shown', 'stop');
    const step = fc.tuple(fc.integer({ min: 0, max: 40_000 }), event);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let state: StreamState = IDLE;
        let now = 0;
        let open = false;
        for (const [after, next] of steps) {
          now += after;
          const { state: then, act } = stepStream(state, next, now, 0.5);
          if (act === 'reopen') open = true;
          if (act === 'close') open = false;
          expect(open).toBe(then.phase === 'opening' || then.phase === 'open');
          state = then;
        }
      }),
    );
  });
});
