// Nothing is fake: the verdict of a run, from records written by hand, and how faults are chosen.
import { chooseFaults } from '../../src/main/chaos/choose-faults.js';
import type { ChaosComparison } from '../../src/main/chaos/compare-chaos.js';
import type { FaultRecord } from '../../src/main/chaos/inject-bout.js';
import { judgeRun, type RunFindings } from '../../src/main/chaos/judge-run.js';
import type { Fault } from '../../src/main/chaos/ports.js';

const FAULT: FaultRecord = {
  fault: 'F1',
  title: 'kill',
  place: 1,
  salt: 1,
  plannedAtMs: 0,
  atMs: 0,
  plannedMs: 1,
  tookMs: 1,
  happened: 1,
  what: 'killed',
  begunAt: 1,
  healedAt: 2,
  problems: [],
  boundSeconds: 10,
  breakerSeconds: 0,
};
const BOOKS = {
  ...{ lost: [], doubled: [], phantoms: [], violations: [] },
  duplicates: { ledger: 0, audit: 0, unexplained: 0, carried: 0 },
} as unknown as ChaosComparison;
const GOOD: RunFindings = {
  record: {
    startedAt: 0,
    endedAt: 1,
    short: false,
    capacityPerSecond: null,
    offeredPerSecond: 8,
    flowSeconds: 60,
    schedule: [{ atMs: 0, fault: 'F1', durationMs: 1, salt: 1 }],
    faults: [FAULT],
    baselineOpen: 20,
    drainSeconds: { 1: 2 },
    committed: 100,
    rolledBack: 5,
    inDoubt: 0,
    neverAppended: 0,
    refused: {},
    settled: { open: 0, unsent: 0, silent: true, tookMs: 1 },
    memory: { peak: {}, growthPerMinute: { 'relay-1': 500_000 }, eachMinute: {} },
    handles: { peak: {}, growthPerMinute: { 'relay-1': 0.5 }, eachMinute: {} },
    unwanted: [],
    problems: [],
    missing: [],
    interrupted: false,
  },
  books: BOOKS,
  booksAfterStop: BOOKS,
  problems: [],
  missing: [],
  looked: [],
  recovery: { flowsAfter: { 1: 10 }, newestAfter: {} },
};
const withRecord = (more: Partial<RunFindings['record']>): RunFindings => ({
  ...GOOD,
  record: { ...GOOD.record, ...more },
});
const lost = { ...BOOKS, lost: ['I1 x: gone'], violations: ['I1 x: gone'] };

const duplicated = { ...BOOKS, duplicates: { ledger: 1, audit: 0, unexplained: 1, carried: 0 } };
const CONTROL: RunFindings = {
  ...withRecord({ schedule: [], faults: [], drainSeconds: {} }),
  recovery: { flowsAfter: {}, newestAfter: {} },
};

it('what a breaker keeps back is not blamed on the line', () => {
  const kept = withRecord({ faults: [{ ...FAULT, breakerSeconds: 4.2 }] });
  const after = (seconds: number) => ({ ...kept, recovery: { flowsAfter: { 1: seconds }, newestAfter: {} } });
  expect(judgeRun(after(14.2)).verdict).toBe('passed');
  expect(judgeRun(after(14.3)).problems).toEqual([expect.stringContaining('within 14.2 s of F1, it took 14.3 s')]);
});

it('duplicates that a failed attempt excuses are collapsed, and nothing wrong; of others only where runs began anew', () => {
  const excused = { ...BOOKS, duplicates: { ledger: 5, audit: 2, unexplained: 0, carried: 2 } };
  expect(judgeRun({ ...GOOD, books: excused }).verdict).toBe('passed');
  const anew = withRecord({ schedule: [{ atMs: 0, fault: 'F16', durationMs: 1_000, salt: 1 }] });
  expect(judgeRun({ ...anew, books: duplicated }).problems).toEqual([]);
  // Of a batch no event's row tells what was lost; without faults nothing was.
  expect(judgeRun({ ...CONTROL, books: excused }).problems).toEqual([expect.stringContaining('I2')]);
});

it('a fault that healed while another was under way needs no recovery of its own', () => {
  const faults = [FAULT, { ...FAULT, place: 2, begunAt: 2, healedAt: 9 }];
  const run = withRecord({ faults, drainSeconds: { 1: 1, 2: 1 } });
  expect(judgeRun({ ...run, recovery: { flowsAfter: { 2: 1 }, newestAfter: {} } }).verdict).toBe('passed');
});

it('a run that was asked for in full and seen in full passes', () => {
  expect(judgeRun(GOOD)).toEqual({ verdict: 'passed', problems: [], missing: [] });
});

it.each<[string, RunFindings, string]>([
  ['a lost event', { ...GOOD, books: lost }, 'I1 x: gone'],
  ['what only the second reading shows', { ...GOOD, booksAfterStop: lost }, 'I1 x: gone (after the roles had stopped)'],
  [
    'a fault that says what did not hold',
    withRecord({ faults: [{ ...FAULT, problems: ['no way'] }] }),
    'fault 1: no way',
  ],
  ['a process that ended by itself', withRecord({ unwanted: ['relay-1 ended with 1'] }), 'I7 relay-1 ended with 1'],
  ['a recovery above its bound', { ...GOOD, recovery: { flowsAfter: { 1: 10.1 }, newestAfter: {} } }, 'it took 10.1 s'],
  [
    'a recovery that was not seen to',
    { ...GOOD, recovery: { flowsAfter: { 1: null }, newestAfter: {} } },
    'it was not seen to',
  ],
  [
    'a backlog that stayed',
    withRecord({ drainSeconds: { 1: null } }),
    'I5 fault 1: expected no more than 20 open events',
  ],
  [
    'memory that grows',
    withRecord({ memory: { peak: {}, growthPerMinute: { 'api-1': 3 * 2 ** 20 }, eachMinute: {} } }),
    'I7 api-1',
  ],
  [
    'connections that are never closed',
    withRecord({ handles: { peak: {}, growthPerMinute: { 'worker-1': 2.5 }, eachMinute: {} } }),
    'I7 worker-1: expected at most 2 more open files and sockets a minute, came 2.5',
  ],
  [
    'a backlog of a fault that was not the last one',
    withRecord({
      faults: [FAULT, { ...FAULT, place: 2, begunAt: 3, healedAt: 4 }],
      drainSeconds: { 1: null, 2: 1 },
      problems: [],
    }),
    'I5 fault 1:',
  ],
  [
    'a ledger that never fell silent',
    withRecord({ settled: { open: 0, unsent: 0, silent: false, tookMs: 1 } }),
    'I2 expected no more requests',
  ],
  [
    'a duplicate without faults',
    { ...CONTROL, books: duplicated },
    'I2 expected no duplicates without failed attempts, came 1',
  ],
  [
    'a duplicate that no failed attempt excuses',
    { ...GOOD, books: duplicated },
    'I2 expected no duplicates without failed attempts, came 1',
  ],
  ['a run that broke off', withRecord({ problems: ['broke off'] }), 'broke off'],
  ['what was looked at besides', { ...GOOD, problems: ['I8 broken'] }, 'I8 broken'],
])('%s fails it, in a sentence', (_, findings, sentence) => {
  const { verdict, problems } = judgeRun(findings);
  expect([verdict, problems]).toEqual(['failed', [expect.stringContaining(sentence)]]);
});

it.each<[string, RunFindings, string]>([
  ['an interrupted run', withRecord({ missing: ['it was interrupted'] }), 'it was interrupted'],
  ['books that were read once', { ...GOOD, booksAfterStop: null }, 'the books were not compared to the end'],
  ['no event at all', withRecord({ committed: 0 }), 'no event was appended'],
  ['events that were never appended', withRecord({ neverAppended: 3 }), '3 events that were offered'],
  [
    'a fault that never came',
    withRecord({ faults: [], drainSeconds: {} }),
    '1 of 1 faults of the schedule did not come',
  ],
  [
    'a fault that this machine cannot show',
    withRecord({ faults: [{ ...FAULT, happened: 0, cannotBeShown: 'not root' }] }),
    'F1 cannot be shown here: not root',
  ],
  [
    'a recovery that nothing showed',
    { ...GOOD, recovery: { flowsAfter: {}, newestAfter: {} } },
    'fault 1: no event was started after F1',
  ],
  [
    'a backlog that a short run did not wait for',
    withRecord({ short: true, drainSeconds: { 1: null } }),
    'I5 fault 1:',
  ],
  [
    'memory of a long run that nobody lived long enough to show',
    withRecord({
      endedAt: 2_400_000,
      memory: { peak: { 'api-1': 1, 'api-2': 1 }, growthPerMinute: {}, eachMinute: {} },
    }),
    'I7: no api lived long enough',
  ],
  ['what could not be looked at', { ...GOOD, missing: ['I9: no history'] }, 'I9: no history'],
])('%s is incomplete, never passed', (_, findings, sentence) => {
  const { verdict, missing } = judgeRun(findings);
  expect([verdict, missing]).toEqual(['incomplete', [expect.stringContaining(sentence)]]);
});

describe('the choice of faults', () => {
  const known = [
    { id: 'F1', weight: 2 },
    { id: 'F3', weight: 1 },
    { id: 'F27', weight: 0 },
  ] as unknown as Fault[];
  const ids = (asked?: string) => chooseFaults(asked, known).map(({ id }) => id);

  it.each([
    [undefined, ['F1', 'F3']],
    ['none', []],
    ['all', ['F1', 'F3', 'F27']],
    ['f27, F1,F27', ['F27', 'F1']],
  ] as const)('%s: %j', (asked, wanted) => expect(ids(asked)).toEqual(wanted));

  it.each(['F2', 'F1,', '', 'F1;F3'])('%j is refused by name', (asked) => {
    expect(() => ids(asked)).toThrow(/expected some of F1, F3, F27, or none, or all; got/);
  });
});
