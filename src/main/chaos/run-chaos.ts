/**
 * One chaos run on a world that is laid out: warm up, measure, flow at a fixed rate, faults by the schedule, heal, wait until
 * every event has come to its end, stop the roles. It knows nothing of servers, and judges nothing: judge-run.ts does.
 *
 * Every phase has a deadline. A signal ends the run cleanly: what was put on is taken off, and the record says how far it came.
 */

import type { RunningProducer } from './chaos-producer.js';
import type { StartedFleet } from './fleet.js';
import type { FaultRecord } from './inject-bout.js';
import { measureCapacity } from './measure-capacity.js';
import type { ChaosWorld, Fault } from './ports.js';
import { type FlowInput, runFlow } from './run-flow.js';
import { planSchedule, type ScheduledFault } from './schedule.js';
import { healAll, type SettledDown, settleDown } from './settle-down.js';
import { readLine } from './watch-line.js';
import { type Progress, watchRun } from './watch-run.js';
import type { UsageFigures } from './watch-usage.js';
import { pause, within } from './within.js';

export type RunWorld = ChaosWorld & { readonly producer: RunningProducer; readonly fleet: StartedFleet };

export interface RunOptions {
  /** Of the flow. It goes on, up to twice as long and five minutes, until all events are appended and all faults came. */
  readonly minutes: number;
  /** To append in all, at least. Left out: as many as the time gives. */
  readonly events?: number;
  /** Events a second. Left out: `load` of the measured capacity. Only a given one makes a run the same again. */
  readonly rate?: number;
  /** Of the measured capacity; 0.6. */
  readonly load: number;
  readonly short: boolean;
  /** How many times the seconds that are promised a part may take to be back: of a machine too slow to say; 1. */
  readonly patience?: number;
  readonly overlap: boolean;
  readonly faults: readonly Fault[];
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  /** In place of the steady flow with its faults. It must leave the producer's rate at 0. */
  readonly flow?: (input: FlowInput) => Promise<void>;
}

/** What happened, without a verdict. */
export interface RunRecord {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly short: boolean;
  readonly capacityPerSecond: number | null;
  readonly offeredPerSecond: number;
  readonly flowSeconds: number;
  readonly schedule: readonly ScheduledFault[];
  readonly faults: readonly FaultRecord[];
  /** Open events while nothing was wrong: at most, and what a drain is measured against. */
  readonly baselineOpen: number;
  /** By place: until the backlog of the fault was gone; null where it was not within the time. */
  readonly drainSeconds: Readonly<Record<number, number | null>>;
  readonly committed: number;
  readonly rolledBack: number;
  readonly inDoubt: number;
  readonly neverAppended: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly settled: SettledDown | null;
  /** Resident bytes. */
  readonly memory: UsageFigures;
  /** Open files and sockets, so connections, too. */
  readonly handles: UsageFigures;
  readonly unwanted: readonly string[];
  /** Each a sentence: any of them fails the run. */
  readonly problems: readonly string[];
  /** Each a sentence: with any of them a run shows less than it was asked to. */
  readonly missing: readonly string[];
  readonly interrupted: boolean;
}

const WARM_MS = 120_000;
const STOP_MS = 90_000;

export async function runChaos(world: RunWorld, options: RunOptions): Promise<RunRecord> {
  const { short } = options;
  // A run without one of its roles shows nothing more: it breaks off, and that is the line's fault and no interruption.
  // So it does where what stands between the parts has gone.
  const broken = world.broken === undefined ? [] : [world.broken];
  const signal = AbortSignal.any([options.signal, world.fleet.crashLoop, ...broken]);
  const interrupted = () => options.signal.aborted;
  const startedAt = Date.now();
  const watch = watchRun(world, options);
  const schedule = planSchedule({ seed: world.seed, ...options });
  watch.scheduled = schedule.length;
  const record = {
    capacityPerSecond: null as number | null,
    offeredPerSecond: 0,
    flowSeconds: 0,
    faults: [] as FaultRecord[],
    baselineOpen: 0,
    drainSeconds: {} as Record<number, number | null>,
    settled: null as SettledDown | null,
    neverAppended: 0,
    problems: [] as string[],
    missing: [] as string[],
  };
  try {
    watch.phase = 'warming up';
    await warmUp(world, signal);
    watch.phase = 'measuring';
    if (options.rate === undefined) record.capacityPerSecond = await measureCapacity(world, { signal });
    record.offeredPerSecond = offered(options, record.capacityPerSecond);
    await (options.flow ?? runFlow)({ world, options: { ...options, signal }, schedule, watch, record });
    watch.phase = 'settling';
    record.settled = await settleDown(world, { signal, onState: () => {} });
  } catch (error) {
    if (!interrupted()) record.problems.push(`the run broke off while ${watch.phase}: ${messageOf(error)}`);
  } finally {
    world.producer.rate(0);
    if (watch.phase !== 'settling') {
      watch.phase = 'healing';
      // Of a run that is given up nothing is waited for, and what is away is no problem of the line's.
      const unhealed = await healAll(world, { ready: !signal.aborted });
      if (!interrupted()) record.problems.push(...unhealed);
    }
    await watch.stop();
  }
  if (interrupted()) record.missing.push('it was interrupted');
  const { producer, fleet } = world;
  return {
    ...record,
    startedAt,
    endedAt: Date.now(),
    short,
    schedule,
    committed: producer.committed,
    rolledBack: producer.rolledBack,
    inDoubt: producer.inDoubt,
    refused: Object.fromEntries(producer.refused),
    memory: watch.memory(),
    handles: watch.handles(),
    unwanted: [...fleet.unwanted],
    interrupted: interrupted(),
  };
}

/** By SIGTERM, all roles, once the books were read. Ends that nobody wanted, beyond the `known` that the record has. */
export async function stopRoles({ fleet, producer }: RunWorld, known: number): Promise<readonly string[]> {
  const ends = await Promise.allSettled([
    within(STOP_MS, 'the producer to stop', producer.stop()),
    within(STOP_MS, 'the roles to stop', fleet.close()),
  ]);
  const late = ends.flatMap((end) => (end.status === 'rejected' ? [messageOf(end.reason)] : []));
  return [...late, ...fleet.unwanted.slice(known)];
}

async function warmUp({ fleet, outbox }: RunWorld, signal: AbortSignal): Promise<void> {
  await within(
    WARM_MS,
    'every role to be ready',
    Promise.all(fleet.members.map((member) => member.untilReady(WARM_MS))),
  );
  const until = performance.now() + WARM_MS;
  while ((await readLine(outbox))?.open !== 0) {
    signal.throwIfAborted();
    if (performance.now() > until) throw new Error('expected no open event before the run, there are some');
    await pause(100, signal);
  }
}

/** What was asked for, or a part of what the line can; never more than the events that are wanted need. */
function offered({ rate, load, events, minutes }: RunOptions, capacity: number | null): number {
  const most = rate ?? Math.max(1, (capacity ?? 0) * load);
  const needed = events === undefined ? most : events / (minutes * 60);
  return Math.round(Math.min(most, needed) * 10) / 10;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
