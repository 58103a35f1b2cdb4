/** The part of a run in which events flow and faults come, until all that was asked for has come, or the time is up. */
import type pg from 'pg';
import { until } from './faults/wait.js';
import { type FaultRecord, GIVEN_UP, injectBout, type Planned } from './inject-bout.js';
import type { Fault } from './ports.js';
import type { RunOptions, RunWorld } from './run-chaos.js';
import { boutsOf, type ScheduledFault } from './schedule.js';
import { healAll } from './settle-down.js';
import { allFlowSince, readLine } from './watch-line.js';
import type { RunWatch } from './watch-run.js';
import { pause } from './within.js';

/** At least, after a fault, however late the schedule is: new work must be seen to flow without the next one. */
const REST_MS = { short: 1_500, long: 5_000 };
const OWED_MS = 60_000;
/** And so many events: else nothing would show that new work flows. Of a flow that stands still no more is waited for. */
const REST_EVENTS = 12;
const REST_EVENTS_MS = 20_000;
/** At six tenths of its capacity the line makes up for a minute without it in a minute and a half. */
const DRAIN_MS = { short: 120_000, long: 300_000 };
/** Of a drained line, in events: a poll's worth is always on its way. */
const LEAST_BASELINE = 20;

export interface FlowInput {
  readonly world: RunWorld;
  readonly options: RunOptions;
  readonly schedule: readonly ScheduledFault[];
  readonly watch: RunWatch;
  readonly record: {
    readonly capacityPerSecond: number | null;
    offeredPerSecond: number;
    flowSeconds: number;
    faults: FaultRecord[];
    baselineOpen: number;
    drainSeconds: Record<number, number | null>;
    neverAppended: number;
    problems: string[];
    missing: string[];
  };
}

export async function runFlow({ world, options, schedule, watch, record }: FlowInput): Promise<void> {
  const { producer } = world;
  const { signal, minutes, events = 0, short, patience = 1 } = options;
  const before = producer.committed;
  const began = performance.now();
  const flowBeganAt = Date.now();
  const elapsedMs = () => performance.now() - began;
  const lastMs = minutes * 120_000 + 300_000;
  const byId = new Map(options.faults.map((fault) => [fault.id, fault]));
  const placed = schedule.map(
    (entry, at): Planned => ({ entry, fault: byId.get(entry.fault) as Fault, place: at + 1 }),
  );
  producer.rate(record.offeredPerSecond);
  watch.phase = 'quiet';
  let at = 0;
  for (const bout of boutsOf(schedule)) {
    const planned = placed.slice(at, at + bout.length);
    at += bout.length;
    await pause((bout[0]?.atMs ?? 0) - elapsedMs(), signal);
    signal.throwIfAborted();
    if (watch.phase === 'quiet') record.baselineOpen = Math.max(LEAST_BASELINE, watch.mostOpen());
    watch.phase = 'flow';
    if (elapsedMs() > lastMs) {
      record.missing.push(`${schedule.length - at + bout.length} faults of the schedule were not reached in time`);
      break;
    }
    watch.faults = bout.map(({ fault }) => fault);
    const found = await injectBout(world, planned, { flowBeganAt, short, patience, signal });
    watch.faults = [];
    record.faults.push(...found);
    watch.done = record.faults.length;
    signal.throwIfAborted();
    if (found.some(({ what }) => what === GIVEN_UP)) break;
    const withinMs = patience * (short ? DRAIN_MS.short : DRAIN_MS.long);
    const seconds = await drain(world, record, found, withinMs, signal);
    for (const { place } of found) record.drainSeconds[place] = seconds;
    await untilFlowing(world.outbox, found, signal);
    await rest(producer, short ? REST_MS.short : REST_MS.long, signal);
  }
  watch.phase = 'flow';
  while (elapsedMs() < minutes * 60_000 || producer.committed - before < events) {
    if (elapsedMs() > lastMs) break;
    await pause(100, signal);
    signal.throwIfAborted();
  }
  if (record.baselineOpen === 0) record.baselineOpen = Math.max(LEAST_BASELINE, watch.mostOpen());
  const until = performance.now() + OWED_MS;
  while (producer.owed > record.offeredPerSecond && performance.now() < until) {
    await pause(50, signal);
    signal.throwIfAborted();
  }
  producer.rate(0);
  record.flowSeconds = Math.round(elapsedMs() / 100) / 10;
  record.neverAppended = producer.owed > record.offeredPerSecond ? producer.owed : 0;
  if (producer.committed - before < events) {
    record.missing.push(`of ${events} events ${producer.committed - before} were appended in ${record.flowSeconds} s`);
  }
  watch.phase = 'healing';
  record.problems.push(...(await healAll(world)));
}

/**
 * Until an event of each lane came to its end whose run was started after the heal, or the time for that has passed: a next
 * fault before it would be blamed on this one.
 */
async function untilFlowing(outbox: pg.Pool, found: readonly FaultRecord[], signal: AbortSignal): Promise<void> {
  const healedAt = Math.max(...found.map((one) => one.healedAt));
  const given = Math.max(...found.map(({ boundSeconds, breakerSeconds }) => boundSeconds + breakerSeconds)) * 1_000;
  const flowing = () => allFlowSince(outbox, Date.now() - healedAt);
  await until(flowing, { withinMs: healedAt + given - Date.now(), signal, everyMs: 200 });
  signal.throwIfAborted();
}

async function rest(producer: RunWorld['producer'], leastMs: number, signal: AbortSignal): Promise<void> {
  const enough = producer.committed + REST_EVENTS;
  const until = performance.now() + REST_EVENTS_MS;
  await pause(leastMs, signal);
  while (producer.committed < enough && performance.now() < until) {
    signal.throwIfAborted();
    await pause(50, signal);
  }
}

/** Seconds from the heal until no more is open than before the faults, with the flow on; null where it was not in time. */
async function drain(
  { outbox, producer }: RunWorld,
  { baselineOpen }: { baselineOpen: number },
  found: readonly FaultRecord[],
  deadlineMs: number,
  signal: AbortSignal,
): Promise<number | null> {
  const healedAt = Math.max(...found.map((one) => one.healedAt));
  const drained = async () => {
    const line = await readLine(outbox);
    return line !== null && line.open <= baselineOpen && producer.owed <= baselineOpen;
  };
  const came = await until(drained, { withinMs: deadlineMs, signal, everyMs: 200 });
  signal.throwIfAborted();
  return came ? Math.max(0, Math.round((Date.now() - healedAt) / 100) / 10) : null;
}
