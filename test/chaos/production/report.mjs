/** A production-like run as a page: criterion, bound, measured, verdict first; then what was measured. Pure but for `writeProduction`. */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { table } from '../markdown.mjs';

const MEBIBYTE = 2 ** 20;
const MOST_SENTENCES = 100;

/**
 * @param {string} folder
 * @param {object} run
 * @param {{ version: string, withoutPaths: <T>(value: T) => T }} product of the build that ran
 */
export async function writeProduction(folder, run, { version, withoutPaths }) {
  const machine = `${availableParallelism()} CPUs, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`;
  const written = withoutPaths({ version, node: process.versions.node, machine, ...run });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(written, null, 1)}\n`);
  await writeFile(join(folder, 'report.md'), describeProduction(written));
  return written;
}

/** Markdown. The same run gives the same page. */
export function describeProduction(run) {
  const { asked, verdict, problems, missing, looked } = run;
  return `${[
    `# Production-like run, seed ${asked.seed}, ${asked.coalesced ? 'coalesced' : 'per event'}: ${verdict}`,
    `\`${commandOf(run)}\``,
    '## Criteria',
    table(['criterion', 'bound', 'measured', 'verdict'], run.criteria.map(criterionRow)),
    '## Conditions',
    table(['', ''], conditionsOf(run)),
    '## Throughput, lag, fairness',
    table(['', ''], figuresOf(run)),
    '## Bursts, the slow period, storms',
    table(
      ['', 'at, s', 'for, s', 'back at the baseline after, s', 'arithmetic, s'],
      (run.measured?.recoveries ?? []).map(spanRow),
    ),
    '## Memory',
    table(['process', 'peak (VmHWM), MiB', 'growth, MiB a minute'], memoryOf(run)),
    '## Looked at besides',
    list(looked, 'Nothing.'),
    '## Problems',
    list(problems, 'None.'),
    '## Not shown',
    list(missing, 'Nothing is missing of what was asked for.'),
  ].join('\n\n')}\n`;
}

/** The last lines on a terminal. */
export function summarizeProduction({ criteria, problems, missing, verdict }) {
  return [
    '',
    ...criteria.map((one) => `${one.verdict.padEnd(9)}  ${one.what}: ${say(one.measured)} (${one.bound})`),
    ...problems.slice(0, MOST_SENTENCES).map((problem) => `PROBLEM    ${problem}`),
    ...missing.map((what) => `MISSING    ${what}`),
    `verdict: ${verdict}`,
  ];
}

/** As it is given again: with the very rate, and so the very plan. */
function commandOf({ asked, plan }) {
  const { seed, events, minutes, coalesced, fairness, maxRuns } = asked;
  return [
    `npm run chaos:production -- --seed ${seed} --events ${events}`,
    `--rate ${plan?.meanPerSecond ?? asked.rate ?? '?'}`,
    ...(minutes === undefined ? [] : [`--minutes ${minutes}`]),
    coalesced ? '--coalesced' : '--per-event',
    ...(fairness ? ['--fairness'] : []),
    ...(maxRuns === undefined ? [] : [`--max-runs ${maxRuns}`]),
  ].join(' ');
}

function criterionRow({ what, bound, measured, verdict }) {
  return [what, bound, say(measured), verdict];
}

function conditionsOf({ record, plan, version, node, machine, temporalVersion, asked }) {
  return [
    ['begun', new Date(record.startedAt).toISOString()],
    ['took', `${Math.round((record.endedAt - record.startedAt) / 1_000)} s, ${record.flowSeconds} s of it with events`],
    [
      'version',
      `${version}${asked.commit === undefined ? '' : ` (${asked.commit})`}, Node ${node}, Temporal ${temporalVersion}${asked.fairness ? ' with matching.enableFairness' : ''}`,
    ],
    ['machine', machine],
    ['capacity, measured with answers after 50 ms', `${say(record.capacityPerSecond)} events a second`],
    [
      'offered, on the mean',
      plan === null
        ? 'nothing'
        : `${say(plan.meanPerSecond)} events a second${asked.rate === undefined ? '' : ', as asked'}`,
    ],
    [
      'between bursts, in bursts',
      plan === null ? 'nothing' : `${say(plan.calmPerSecond)}, ${say(plan.burstPerSecond)} a second`,
    ],
    [
      'committed, rolled back, in doubt',
      `${record.committed}, ${record.rolledBack}, ${record.inDoubt}; with those that the capacity was measured by`,
    ],
    ['never appended', `${record.neverAppended}`],
  ];
}

function figuresOf({ measured, books, carriedShare, plan }) {
  if (measured === null) return [['nothing was measured', '']];
  const { lag, fairness, bySecond } = measured;
  const rates = (seconds) => {
    const flow = seconds.slice(0, Math.ceil(plan.seconds));
    const mean = flow.reduce((sum, count) => sum + count, 0) / Math.max(1, flow.length);
    return `${say(mean)} a second on the mean, ${Math.max(0, ...flow)} at most`;
  };
  const told = ({ events, p50, p95 }) => `${say(p50)} s, ${say(p95)} s of ${events} events`;
  return [
    ['committed', rates(bySecond.committed)],
    ['settled while it flowed', rates(bySecond.settled)],
    [
      'lag of the oldest due event: median, p95, max',
      `${say(lag.median)} s, ${say(lag.p95)} s, ${say(lag.max)} s of ${lag.samples} samples`,
    ],
    ['baseline of lag and open events', `${say(lag.baseline.lagSeconds)} s, ${lag.baseline.open}`],
    ['bursts that nothing else touched', `${fairness.cleanBursts}`],
    ['quiet tenants outside: p50, p95', told(fairness.quiet.outside)],
    ['quiet tenants in a burst: p50, p95', told(fairness.quiet.burst)],
    ['of it until the start was marked: p50, p95', told(fairness.quiet.untilStarted)],
    ['quiet tenants in a burst, what goes in order: p50, p95', told(fairness.quiet.inOrder)],
    ['noisy tenant outside: p50, p95', told(fairness.noisy.outside)],
    ['noisy tenant in a burst: p50, p95', told(fairness.noisy.burst)],
    ...(books === null
      ? []
      : [
          [
            'duplicates that were collapsed',
            `${books.duplicates.ledger} at the ledger, ${books.duplicates.audit} at the audit log`,
          ],
          ['delivered, dead with their letters', `${books.delivered}, ${books.dead}`],
        ]),
    ...(carriedShare === null ? [] : [["of the audit log's, carried by a batch", `${say(100 * carriedShare)} %`]]),
  ];
}

function spanRow({ kind, fromMs, toMs, tookSeconds, arithmeticSeconds, joined }) {
  return [
    kind,
    say(fromMs / 1_000),
    say((toMs - fromMs) / 1_000),
    tookSeconds === null
      ? 'never'
      : `${say(tookSeconds)}${joined === null ? '' : `, the next came after ${say(joined)}`}`,
    say(arithmeticSeconds),
  ];
}

function memoryOf({ peakBytes, record }) {
  return Object.entries(peakBytes).map(([name, bytes]) => {
    const growth = record.memory.growthPerMinute[name];
    return [name, say(bytes / MEBIBYTE), growth === undefined ? 'too short to say' : say(growth / MEBIBYTE)];
  });
}

function list(sentences, none) {
  if (sentences.length === 0) return none;
  const more = sentences.length - MOST_SENTENCES;
  return [
    ...sentences.slice(0, MOST_SENTENCES).map((sentence) => `- ${sentence.replaceAll(/\s+/g, ' ')}`),
    ...(more > 0 ? [`- and ${more} more, in report.json`] : []),
  ].join('\n');
}

function say(value) {
  return value === null || value === undefined ? '–' : `${Math.round(value * 100) / 100}`;
}
