/**
 * What a production-like run must show, written before the first one: `npm run chaos:production -- --list-criteria`. Whoever
 * changes a bound after a run says so in docs/reliability/production.md, with the run.
 *
 * `kind: 'promise'`: broken, the run has failed. `kind: 'shown'`: the run was not the one that was asked for, so that the others
 * show less than they say; it is incomplete.
 */

const ISSUE = 'goals of the chaos work';
const POINT = 'the production-like run: what it is to be';

/**
 * @typedef {object} Criterion
 * @property {string} id of the figure that is judged
 * @property {'promise' | 'shown'} kind
 * @property {string} what
 * @property {number} [most]
 * @property {number} [least]
 * @property {string} unit
 * @property {string} reason
 * @property {string} source
 * @property {string} [unlessBecause] why the figure may be missing without the run being less
 *
 * @type {readonly Criterion[]}
 */
export const CRITERIA = [
  {
    id: 'lost',
    kind: 'promise',
    what: 'events lost',
    most: 0,
    unit: 'events',
    reason: 'every committed event ends delivered with its effect, or as an open dead letter',
    source: `docs/reliability/README.md, the promise; I1; ${ISSUE}`,
  },
  {
    id: 'doubled',
    kind: 'promise',
    what: 'doubled effects',
    most: 0,
    unit: 'events',
    reason: 'the key collapses what comes twice',
    source: `R2; I2; ${ISSUE}`,
  },
  {
    id: 'phantoms',
    kind: 'promise',
    what: 'phantoms',
    most: 0,
    unit: 'events',
    reason: 'nothing is known of a transaction that was rolled back',
    source: `I3; ${ISSUE}`,
  },
  {
    id: 'uncompleted',
    kind: 'promise',
    what: 'offered, and not delivered, dead or discarded at the end',
    most: 0,
    unit: 'events',
    reason: 'completion equals what was offered, or the line was not up to the load',
    source: ISSUE,
  },
  {
    id: 'neverRecovered',
    kind: 'promise',
    what: 'bursts, slow periods and storms after which the lag did not come back to its baseline, or none while events flowed',
    most: 0,
    unit: 'spans',
    reason: 'a load that the line carries on the whole leaves nothing behind',
    source: `I5; ${ISSUE}`,
  },
  {
    id: 'recoveryOverArithmeticSeconds',
    kind: 'promise',
    what: 'longest time until lag and backlog are back at their baseline, or the next span begins, beyond what offered rate, measured capacity and the time that the breaker was away give',
    most: 30,
    unit: 's',
    reason:
      'a backlog takes its arithmetic; what is longer was lost in waiting. 30 s: backoffs of up to 5 s each, the ramp of the relay',
    source: `I5; ${ISSUE}: new work flows ≤ 10 s after a part is back, and a take-over ≤ 35 s`,
  },
  {
    id: 'breakerAfterStormSeconds',
    kind: 'promise',
    what: "longest time that the ledger's breaker stayed away after a storm",
    most: 100,
    unit: 's',
    reason:
      'it rests twice as long each time: at most as long as the storm once more, and twice that where its trial meets the tenth that still fails; asked for once that time is over by the next run that wakes',
    source: 'R19; docs/decisions/recovery.md',
  },
  {
    id: 'quietOverOwnSeconds',
    kind: 'promise',
    what: 'p95 of the delivery latency of the nine quiet tenants in a burst, less three times their own outside',
    most: 2,
    unit: 's',
    reason:
      "one tenant's burst is not the others' outage: lanes take turns, so they wait for a turn and not for the burst",
    source: `R5; ${POINT}: fairness`,
  },
  {
    id: 'unexplainedDuplicates',
    kind: 'promise',
    what: 'requests that were collapsed, beyond the answers that were lost before',
    most: 0,
    unit: 'requests',
    reason:
      'nothing is killed in this run, so what comes twice is what timed out or was cut: each has an attempt of its event that says so',
    source: `R10, R15; ${POINT}: duplicates`,
  },
  {
    id: 'unwantedExits',
    kind: 'promise',
    what: 'processes that ended by themselves',
    most: 0,
    unit: 'processes',
    reason: 'no process exits by itself',
    source: `I7; ${ISSUE}`,
  },
  {
    id: 'memoryGrowthMebibytesPerMinute',
    kind: 'promise',
    what: "growth of a process's memory after its first ten minutes",
    most: 1,
    unit: 'MiB a minute',
    reason: 'memory is bounded; the first ten minutes fill code, pools and caches',
    source: `I7; ${ISSUE}`,
    unlessBecause: 'a process that lived for less than a quarter of an hour shows no slope',
  },
  {
    id: 'violations',
    kind: 'promise',
    what: 'violations that the oracle finds, all invariants together, also once the roles have stopped',
    most: 0,
    unit: 'violations',
    reason: 'journal, ledger and rows agree, event by event',
    source: 'I1 to I10; docs/reliability/oracle.md',
  },
  {
    id: 'sampledShare',
    kind: 'shown',
    what: 'seconds of the flow whose lag was sampled',
    least: 0.9,
    unit: 'of 1',
    reason: 'a second without a sample may hide a lag',
    source: `${POINT}: lag, each second`,
  },
  {
    id: 'committedOfPlanned',
    kind: 'shown',
    what: 'events that were committed, of those that were planned',
    least: 0.99,
    unit: 'of 1',
    reason: 'a producer that does not keep up spares the line',
    source: POINT,
  },
  {
    id: 'burstOverMean',
    kind: 'shown',
    what: 'rate of the commits within the bursts, over the mean of the flow',
    least: 8,
    unit: 'times',
    reason: 'ten are planned; what the database does not take within a burst comes right after it',
    source: POINT,
  },
  {
    id: 'noisyShareOff',
    kind: 'shown',
    what: "distance of the noisy tenant's share from a half",
    most: 0.05,
    unit: 'of 1',
    reason: 'without a noisy tenant nothing is shown of fairness',
    source: POINT,
  },
  {
    id: 'stormRefusals',
    kind: 'shown',
    what: 'requests that the storms refused',
    least: 1,
    unit: 'requests',
    reason: 'a storm that nobody met shows nothing',
    source: POINT,
  },
  {
    id: 'longestAnswerSeconds',
    kind: 'shown',
    what: 'longest time that the destination held an answer back',
    least: 5,
    unit: 's',
    reason: 'the tail up to 10 s must be met, for it is longer than a local attempt may take',
    source: POINT,
  },
  {
    id: 'carriedShare',
    kind: 'shown',
    what: 'delivered events of the audit log that a batch carried',
    least: 0.25,
    unit: 'of 1',
    reason:
      'one that is due alone has a run of its own, so between bursts most go alone; half of all events come in bursts',
    source: `${POINT}: coalesced; docs/coalescing.md`,
    unlessBecause: 'it was run per event',
  },
];

/**
 * Each criterion with what was measured. Pure.
 * @param {Readonly<Record<string, number | null | undefined>>} figures by the criterion's id; null: not measured
 * @param {readonly Criterion[]} criteria
 * @returns {{ verdict: 'passed' | 'failed' | 'incomplete', judged: readonly (Criterion & { bound: string, measured: number | null, verdict: 'holds' | 'broken' | 'not shown' | 'not asked' })[] }}
 */
export function judgeCriteria(figures, criteria = CRITERIA) {
  const judged = criteria.map((criterion) => {
    const measured = figures[criterion.id] ?? null;
    return { ...criterion, bound: boundOf(criterion), measured, verdict: verdictOf(criterion, measured) };
  });
  const has = (kind, verdict) => judged.some((one) => one.kind === kind && one.verdict === verdict);
  const less = has('promise', 'not shown') || has('shown', 'broken') || has('shown', 'not shown');
  return { verdict: has('promise', 'broken') ? 'failed' : less ? 'incomplete' : 'passed', judged };
}

/** A run is no better than the worse of its two verdicts: the oracle's, and that of the criteria. */
export function worseOf(...verdicts) {
  return ['failed', 'incomplete', 'passed'].find((one) => verdicts.includes(one));
}

export function boundOf({ most, least, unit }) {
  return most === undefined ? `≥ ${least} ${unit}` : `≤ ${most} ${unit}`;
}

function verdictOf({ most = Number.POSITIVE_INFINITY, least = Number.NEGATIVE_INFINITY, unlessBecause }, measured) {
  if (measured === null) return unlessBecause === undefined ? 'not shown' : 'not asked';
  // NaN is in no bound.
  return measured >= least && measured <= most ? 'holds' : 'broken';
}
