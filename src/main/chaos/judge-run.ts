/**
 * What a run shows. Pure. `failed`: something did not hold. `incomplete`: nothing failed, and less was shown than was asked
 * for. `passed` is said only of a run that was asked for in full and seen in full.
 */
import type { ChaosComparison } from './compare-chaos.js';
import { isOverlapped } from './recovery.js';
import type { Recovery } from './recovery-by-lane.js';
import type { RunRecord } from './run-chaos.js';

export type Verdict = 'passed' | 'failed' | 'incomplete';

export interface JudgedRun {
  readonly verdict: Verdict;
  /** Each a sentence. */
  readonly problems: readonly string[];
  readonly missing: readonly string[];
}

export interface RunFindings {
  readonly record: RunRecord;
  /** While the roles ran, and after they had stopped; null: the books were not read. */
  readonly books: ChaosComparison | null;
  readonly booksAfterStop: ChaosComparison | null;
  /** Of reading, stopping and what else was looked at once the run was over. */
  readonly problems: readonly string[];
  /** Of what else was looked at: each a sentence that says what was not shown. */
  readonly missing: readonly string[];
  /** What else was looked at, with its bounds. */
  readonly looked: readonly string[];
  /** By place in the schedule. What is held against a bound is `flowsAfter`. */
  readonly recovery: Recovery;
}

/** Bytes and handles a minute, of one process's time after its first ten minutes. */
const MOST_GROWTH = 1024 * 1024;
const MOST_HANDLES = 2;

export function judgeRun(findings: RunFindings): JudgedRun {
  const { record, books, booksAfterStop, recovery } = findings;
  const said = new Set(books?.violations);
  const problems = [
    ...record.problems,
    ...record.faults.flatMap(({ place, problems: own }) => own.map((problem) => `fault ${place}: ${problem}`)),
    ...(books?.violations ?? []),
    ...(booksAfterStop?.violations ?? [])
      .filter((violation) => !said.has(violation))
      .map((one) => `${one} (after the roles had stopped)`),
    ...record.unwanted.map((end) => `I7 ${end}`),
    ...lateRecoveries(record, recovery),
    ...(record.short ? [] : backlogsLeft(record)),
    ...unbounded(record),
    ...neverSilent(record),
    ...doubledForNothing(findings),
    ...findings.problems,
  ];
  const missing = [
    ...record.missing,
    ...findings.missing,
    ...(books === null || booksAfterStop === null ? ['the books were not compared to the end'] : []),
    ...(record.committed === 0 ? ['no event was appended'] : []),
    ...(record.neverAppended > 0
      ? [`${record.neverAppended} events that were offered could not be appended any more`]
      : []),
    ...neverCame(record),
    ...record.faults.flatMap(({ fault, cannotBeShown }) =>
      cannotBeShown == null ? [] : [`${fault} cannot be shown here: ${cannotBeShown}`],
    ),
    ...(record.short ? backlogsLeft(record) : []),
    // Of books that were not read this is said already.
    ...(books === null ? [] : unmeasuredRecoveries(record, recovery)),
    ...unmeasuredMemory(record),
  ];
  const verdict = problems.length > 0 ? 'failed' : missing.length > 0 ? 'incomplete' : 'passed';
  return { verdict, problems, missing };
}

function lateRecoveries({ faults }: RunRecord, { flowsAfter: seconds }: Recovery): string[] {
  return faults.flatMap(({ place, fault, boundSeconds, breakerSeconds }) => {
    const took = seconds[place];
    const bound = Math.round((boundSeconds + breakerSeconds) * 10) / 10;
    if (took === undefined || (took !== null && took <= bound)) return [];
    const came = took === null ? 'it was not seen to' : `it took ${took} s`;
    return [`fault ${place}: expected work to flow within ${bound} s of ${fault}, ${came}`];
  });
}

/** What no event came after, and no other fault excuses, was not measured. */
function unmeasuredRecoveries({ faults }: RunRecord, { flowsAfter: seconds }: Recovery): string[] {
  return faults.flatMap((fault) => {
    if (seconds[fault.place] !== undefined || fault.cannotBeShown != null || isOverlapped(fault, faults)) return [];
    return [
      `fault ${fault.place}: no event was started after ${fault.fault}, so how soon new work flowed again is not known`,
    ];
  });
}

/** I5, with the flow on. The wait of a short run is too short to blame anybody: there it is missing. */
function backlogsLeft({ faults, drainSeconds, baselineOpen }: RunRecord): string[] {
  return faults.flatMap(({ place, fault }) =>
    drainSeconds[place] === null
      ? [
          `I5 fault ${place}: expected no more than ${baselineOpen} open events again after ${fault}, with the flow on; it did not come to that in time`,
        ]
      : [],
  );
}

function neverSilent({ settled }: RunRecord): string[] {
  return settled === null || settled.silent
    ? []
    : ['I2 expected no more requests at the ledger once every event had come to its end; it never fell silent'];
}

/** F16: a run that begins anew, its first one lost with the server's data, knows nothing of what that had sent. */
const SENDS_ANEW = 'F16';

/** Only an attempt that failed excuses a second request, with faults and without. */
function doubledForNothing({ record: { schedule }, books }: RunFindings): string[] {
  if (books === null || schedule.some(({ fault }) => fault === SENDS_ANEW)) return [];
  const { ledger, audit, unexplained, carried } = books.duplicates;
  // Of a batch it cannot be told which attempt was lost: without faults none was.
  const count = unexplained + (schedule.length === 0 ? carried : 0);
  if (count === 0) return [];
  return [
    `I2 expected no duplicates without failed attempts, came ${count} of ${ledger} at the ledger and ${audit} at the audit log`,
  ];
}

/** Shorter runs are not asked for it: a process is looked at after ten minutes, for twenty at least. */
const MEMORY_SHOWN_MS = 40 * 60_000;

function unmeasuredMemory({ memory, startedAt, endedAt }: RunRecord): string[] {
  if (endedAt - startedAt < MEMORY_SHOWN_MS) return [];
  const roleOf = (name: string) => name.replace(/-\d+$/, '');
  const shown = new Set(Object.keys(memory.growthPerMinute).map(roleOf));
  const roles = new Set(Object.keys(memory.peak).map(roleOf));
  return [...roles]
    .filter((role) => !shown.has(role))
    .map((role) => `I7: no ${role} lived long enough to say whether its memory grows`);
}

function unbounded({ memory, handles }: RunRecord): string[] {
  const kept = Object.entries(handles.growthPerMinute)
    .filter(([, more]) => more > MOST_HANDLES)
    .map(
      ([name, more]) =>
        `I7 ${name}: expected at most ${MOST_HANDLES} more open files and sockets a minute, came ${more.toFixed(1)}`,
    );
  const grown = Object.entries(memory.growthPerMinute)
    .filter(([, bytes]) => bytes > MOST_GROWTH)
    .map(
      ([name, bytes]) =>
        `I7 ${name}: expected its memory to grow by at most 1 MiB a minute, it grew by ${(bytes / MOST_GROWTH).toFixed(1)} MiB`,
    );
  return [...grown, ...kept];
}

/** A fault that was planned and never injected is missing, unless the run says so in words of its own. */
function neverCame({ schedule, faults, missing }: RunRecord): string[] {
  if (faults.length >= schedule.length || missing.length > 0) return [];
  return [`${schedule.length - faults.length} of ${schedule.length} faults of the schedule did not come`];
}
