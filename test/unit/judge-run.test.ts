/** R21, R22: what the reconciler concludes. Nothing is fake. */
import fc from 'fast-check';
import { type JudgedRun, judgeRun, MOST_REDISPATCHES, stopReason } from '../../src/domain/delivery/judge-run.js';

const KINDS: readonly JudgedRun[] = [
  { kind: 'running', stuck: false },
  { kind: 'running', stuck: true },
  { kind: 'terminated', byUs: true },
  { kind: 'terminated', byUs: false },
  { kind: 'closed', eventNotFound: false },
  { kind: 'closed', eventNotFound: true },
  { kind: 'not-found' },
  { kind: 'unknown' },
];
const [goesOn, stuck, byUs, byPerson, closed, notHere, gone, unknown] = KINDS as readonly [
  JudgedRun,
  JudgedRun,
  JudgedRun,
  JudgedRun,
  JudgedRun,
  JudgedRun,
  JudgedRun,
  JudgedRun,
];

it('R22: terminated by a person is a letter, however often it was dispatched', () => {
  for (const n of [0, 3, 9]) expect(judgeRun(byPerson, n)).toEqual({ kind: 'letter', code: 'WORKFLOW.TERMINATED' });
});

it('R22: closed without settling, not found, or ended by us: again, three times without a person, then a letter', () => {
  for (const [run, code] of [
    [closed, 'WORKFLOW.LOST'],
    [gone, 'WORKFLOW.LOST'],
    [byUs, 'WORKFLOW.STUCK'],
  ] as const) {
    expect([0, 1, 2, 3, 4].map((n) => judgeRun(run, n))).toEqual(
      ['redispatch', 'redispatch', 'redispatch', 'letter', 'letter'].map((kind) =>
        kind === 'letter' ? { kind, code } : { kind, code, counted: true },
      ),
    );
  }
  expect(MOST_REDISPATCHES).toBe(3);
});

it('R22: one that goes on, and one that Temporal did not tell of, is left alone; a stuck one is ended first', () => {
  expect(judgeRun(goesOn, 9)).toEqual({ kind: 'put-off' });
  expect(judgeRun(unknown, 9)).toEqual({ kind: 'put-off' });
  expect(judgeRun(stuck, 0)).toEqual({ kind: 'terminate' });
});

it('R19, R22: one whose worker does not have the event is dispatched again, and never a letter, however often', () => {
  for (const n of [0, 3, 9]) {
    const verdict = { kind: 'redispatch', code: 'DISPATCH.EVENT_NOT_FOUND', counted: false };
    expect(judgeRun(notHere, n)).toEqual(verdict);
  }
});

it('R20, R22: the run of a batch is no event’s: its events are dispatched again, however often, and never a letter', () => {
  for (const n of [0, 3, 9]) {
    for (const [run, code] of [
      [byPerson, 'WORKFLOW.TERMINATED'],
      [closed, 'WORKFLOW.LOST'],
      [gone, 'WORKFLOW.LOST'],
      [byUs, 'WORKFLOW.STUCK'],
    ] as const) {
      expect(judgeRun(run, n, true)).toEqual({ kind: 'redispatch', code, counted: true });
    }
    for (const run of [goesOn, stuck, unknown, notHere]) expect(judgeRun(run, n, true)).toEqual(judgeRun(run, n));
  }
});

const of = (n: number, run: JudgedRun) => Array.from({ length: n }, () => run);

it('R21: more than a few per cent of a tick, and more than a few, are the environment', () => {
  expect(stopReason([...of(4, gone)])).toBeNull();
  expect(stopReason([...of(5, gone)])).toBe('RUNS_LOST');
  expect(stopReason([...of(5, gone), ...of(95, goesOn)])).toBeNull();
  expect(stopReason([...of(6, gone), ...of(94, goesOn)])).toBe('RUNS_LOST');
  expect(stopReason([...of(3, gone), ...of(3, closed), ...of(44, goesOn)])).toBe('RUNS_LOST');
  expect(stopReason([...of(5, stuck), ...of(45, goesOn)])).toBe('RUNS_STUCK');
  expect(stopReason([...of(4, stuck), ...of(4, gone), ...of(42, goesOn)])).toBeNull();
});

it('R21: what was not told counts on neither side, and no number of terminated ones stops it', () => {
  expect(stopReason([...of(5, gone), ...of(500, unknown)])).toBe('RUNS_LOST');
  expect(stopReason(of(50, byPerson))).toBeNull();
  expect(stopReason(of(50, byUs))).toBeNull();
  expect(stopReason(of(50, notHere))).toBeNull();
});

it('R21: more that go on never begin a stop', () => {
  const some = fc.array(fc.constantFrom(...KINDS), { maxLength: 60 });
  fc.assert(
    fc.property(some, fc.nat(100), (runs, more) => {
      if (stopReason(runs) === null) expect(stopReason([...runs, ...of(more, goesOn)])).toBeNull();
    }),
  );
});
