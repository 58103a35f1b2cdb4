/** Files of a run, and its last lines on a terminal. Only numbers, ids and sentences: no payload and no secret. */
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, homedir, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { packageVersion } from '../package-version.js';
import type { ConductedRun } from './conduct-run.js';
import { describeRun } from './report.js';

/** What was asked for, as far as it decides what a run is. */
export interface AskedRun {
  readonly seed: number;
  readonly minutes: number;
  /** In a written run those that the schedule had time for: the others are `notTried`. */
  readonly faults: readonly string[];
  /** As they were typed; null: they were not, so all that mix. Left out: not known. */
  readonly named?: string | null;
  /** That it was asked by. Left out: `npm run chaos`. */
  readonly command?: string;
  readonly events?: number;
  readonly rate?: number;
  readonly patience?: number;
  readonly short: boolean;
  readonly overlap: boolean;
  readonly coalesced?: boolean;
  readonly planted?: string | null;
  /** Of a checkout: the same command gives the same run on the same commit. */
  readonly commit?: string | undefined;
  /** What a Temporal of others keeps its runs in. */
  readonly temporalStore?: string | null;
}

export interface WrittenRun extends ConductedRun {
  readonly version: string;
  readonly node: string;
  /** In words: what it was measured on. */
  readonly machine: string;
  readonly asked: AskedRun;
  /** Of the mix, what found no place in the time that was given: the run says nothing of them. */
  readonly notTried: readonly string[];
}

/** `folder` null: no files. */
export async function writeRun(
  folder: string | null,
  { asked: wanted, conducted }: { readonly asked: AskedRun; readonly conducted: ConductedRun },
): Promise<WrittenRun> {
  const { asked, notTried } = partTried(wanted, conducted.record.schedule);
  const machine = `${availableParallelism()} CPUs, ${Math.round(totalmem() / 2 ** 30)} GiB, ${process.platform} ${process.arch}`;
  const versions = { version: packageVersion(), node: process.versions.node, machine };
  const written: WrittenRun = withoutPaths({ ...versions, asked, notTried, ...conducted });
  if (folder === null) return written;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(written, null, 2)}\n`);
  await writeFile(join(folder, 'report.md'), describeRun(written));
  return written;
}

/** Pure. A report that named all faults of the mix would tell of some that never came. */
export function partTried(
  asked: AskedRun,
  schedule: readonly { readonly fault: string }[],
): Pick<WrittenRun, 'asked' | 'notTried'> {
  const placed = new Set(schedule.map(({ fault }) => fault));
  const [tried, notTried] = [true, false].map((isPlaced) => asked.faults.filter((id) => placed.has(id) === isPlaced));
  return { asked: { ...asked, faults: tried ?? [] }, notTried: notTried ?? [] };
}

/** A report is kept and shown to others: an error's words may name a folder of this machine. */
export function withoutPaths<T>(value: T, paths: readonly string[] = [process.cwd(), tmpdir(), homedir()]): T {
  const named = [...paths].filter((path) => path.length > 1).sort((a, b) => b.length - a.length);
  const json = JSON.stringify(value, (_, inner) =>
    typeof inner === 'string' ? named.reduce((text, path) => text.replaceAll(path, '…'), inner) : inner,
  );
  return JSON.parse(json) as T;
}

const MOST_LINES = 40;

export function summarize(run: WrittenRun): string[] {
  const { asked, notTried, record, books, verdict, problems, missing, recovery } = run;
  const { committed, rolledBack, offeredPerSecond, capacityPerSecond, flowSeconds, memory } = record;
  const peak = Math.max(0, ...Object.values(memory.peak));
  const of = capacityPerSecond === null ? '' : ` of a measured ${Math.round(capacityPerSecond)}`;
  return [
    '',
    ...record.faults.map((fault) => {
      const seconds = recovery.flowsAfter[fault.place];
      const back = seconds === undefined || seconds === null ? '' : `, flows after ${seconds} s`;
      const drained = record.drainSeconds[fault.place];
      const drain = drained === undefined || drained === null ? '' : `, backlog gone after ${drained} s`;
      return `${fault.fault.padEnd(4)}${fault.title}: ${fault.what}${back}${drain}`;
    }),
    `seed ${asked.seed}: ${committed} events committed, ${rolledBack} rolled back, ${offeredPerSecond} a second offered${of}, flow of ${flowSeconds} s`,
    books === null
      ? 'the books were not compared'
      : `${books.lost.length} lost, ${books.doubled.length} doubled, ${books.phantoms.length} phantoms; ${books.delivered} delivered, ` +
        `${books.dead} dead, ${books.discarded} discarded, ${books.open} open; duplicates that were collapsed: ` +
        `${books.duplicates.ledger} at the ledger, ${books.duplicates.audit} at the audit log`,
    `peak memory of one process: ${Math.round(peak / 2 ** 20)} MiB`,
    ...(notTried.length === 0 ? [] : [`not tried, for want of time: ${notTried.join(', ')}`]),
    ...problems.slice(0, MOST_LINES).map((problem) => `PROBLEM   ${problem}`),
    ...(problems.length > MOST_LINES ? [`PROBLEM   and ${problems.length - MOST_LINES} more: see the report`] : []),
    ...missing.map((what) => `MISSING   ${what}`),
    `verdict: ${verdict}`,
  ];
}
