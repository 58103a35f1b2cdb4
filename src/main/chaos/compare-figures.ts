/**
 * I10: what /metrics and the monitor say is what SQL says, once nothing moves any more. Counters begin anew with their
 * processes, so gauges are compared. Gauges and parts may be some seconds old: they are asked until they agree.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { OverviewPartName, OverviewValue } from '../../contract/overview-api.js';
import { loadSettings } from '../../infrastructure/config/load-settings.js';
import { GAUGE_BOUND } from '../../infrastructure/prisma/gauge-statements.js';
import { openStatus, type Status } from '../read-status.js';
import { LEDGER_KEY } from './chaos-config.js';
import { ownEvents } from './faults/own-events.js';
import { until } from './faults/wait.js';
import type { Look } from './look-at-end.js';
import type { ChaosWorld } from './ports.js';
import { runCliOrThrow } from './run-cli.js';
import { readLine } from './watch-line.js';

/** It only bounds what is wrong: a busy machine shows its figures later. */
const WITHIN_MS = 120_000;
const PAUSE_MS = 1_500;
const SCRAPE_TIMEOUT_MS = 10_000;

/** Counted row by row, by no index and no function of ours. */
interface Counts {
  readonly due: number;
  readonly running: number;
  readonly letters: number;
}

/** `withinMs`: how long they may disagree. */
export async function compareFigures(
  { outbox, fleet, environment }: Pick<ChaosWorld, 'outbox' | 'fleet' | 'environment'>,
  withinMs = WITHIN_MS,
): Promise<Look> {
  const status = openStatus(loadSettings(environment, ['status']));
  const scraped = fleet.members.filter(({ role, probePort }) => role !== 'api' && probePort !== null);
  try {
    const until = Date.now() + withinMs;
    for (;;) {
      const counts = await count(outbox);
      const told = await Promise.all([
        readMonitor(status),
        ...scraped.map(({ name, probePort }) => readMetrics(name, probePort as number)),
      ]);
      const problems = told.flatMap((one) => differences(one, counts));
      if (problems.length > 0 && Date.now() < until) {
        await sleep(PAUSE_MS);
        continue;
      }
      const { due, running, letters } = counts;
      const who = told.map(({ name }) => name).join(', ');
      const looked = `I10: ${who} say ${due} due, ${running} running and ${letters} letters, as SQL counts them`;
      return { looked: problems.length === 0 ? [looked] : [], problems, missing: [] };
    }
  } finally {
    await status.close();
  }
}

/** Of the ledger, paused. */
const WAITING = 7;
const AGREE_WITHIN_MS = 60_000;
const SETTLED_WITHIN_MS = 60_000;

/** The same while some events are due and stay so, for nobody claims what a person has paused: two zeros would show little. */
export async function compareFiguresOfSome(world: ChaosWorld): Promise<Look> {
  const destinations = (verb: 'pause' | 'resume') =>
    runCliOrThrow(
      world.cli,
      ['destinations', verb, LEDGER_KEY, '--reason', 'chaos: figures', '--actor', 'chaos', '--json'],
      world.environment,
    );
  try {
    await destinations('pause');
    await world.producer.append(ownEvents(world, WAITING));
    return await compareFigures(world, AGREE_WITHIN_MS);
  } finally {
    await destinations('resume').catch(() => destinations('resume'));
    // The roles stop soon, and what is open then is lost: these, and what the outbox tells of the pause.
    const { signal } = new AbortController();
    const allSettled = async () => (await readLine(world.outbox))?.open === 0;
    await until(allSettled, { withinMs: SETTLED_WITHIN_MS, signal, everyMs: 250 });
  }
}

interface Told {
  readonly name: string;
  /** null: it is not told, or counted to a bound only. */
  readonly counts: { readonly [Name in keyof Counts]: number | null };
}

function differences({ name, counts }: Told, wanted: Counts): string[] {
  return (Object.keys(wanted) as (keyof Counts)[]).flatMap((what) => {
    const came = counts[what];
    if (came === wanted[what] || (came !== null && came >= GAUGE_BOUND)) return [];
    return [`I10 ${name}: expected ${wanted[what]} ${what}, as SQL counts them, came ${came ?? 'none'}`];
  });
}

async function count(outbox: pg.Pool): Promise<Counts> {
  const { rows } = await outbox.query<Counts>(
    `SELECT (SELECT count(*)::int FROM outbox.delivery WHERE status = 'PENDING' AND due_at <= clock_timestamp()) AS due,
       (SELECT count(*)::int FROM outbox.delivery WHERE status = 'STARTED') AS running,
       (SELECT count(*)::int FROM outbox.dead_letter WHERE state = 'open') AS letters`,
  );
  return rows[0] as Counts;
}

async function readMonitor(status: { read(): Promise<Status> }): Promise<Told> {
  const { parts } = await status.read();
  const told = <Name extends OverviewPartName>(name: Name) =>
    (parts.find((part) => part.name === name)?.value ?? null) as OverviewValue<Name> | null;
  return {
    name: 'the monitor',
    counts: {
      due: told('backlog')?.due ?? null,
      running: told('runs')?.inFlight ?? null,
      letters: told('letters')?.open ?? null,
    },
  };
}

async function readMetrics(name: string, port: number): Promise<Told> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
  return { name: `/metrics of ${name}`, counts: readScrape(answer.status, await answer.text()) };
}

/** Pure. A page that is none, or that says itself that a part was not read, tells nothing: a gauge that is not there is no 0. */
export function readScrape(status: number, text: string): Told['counts'] {
  const told = (part: string, metric: string) => (status === 200 && isRead(text, part) ? sumOf(text, metric) : null);
  return {
    due: told('due', 'outbox_due_events'),
    running: told('destinations', 'outbox_in_flight_runs'),
    letters: told('letters', 'outbox_open_dead_letters'),
  };
}

function isRead(text: string, part: string): boolean {
  const labels = ['source="outbox_database"', `part="${part}"`];
  return text
    .split('\n')
    .some(
      (line) =>
        line.startsWith('outbox_source_part_up{') &&
        labels.every((label) => line.includes(label)) &&
        line.endsWith('} 1'),
    );
}

/** Over all labels. 0: it has no series, as where there is nothing to count. */
function sumOf(text: string, metric: string): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) || line.startsWith(`${metric} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
