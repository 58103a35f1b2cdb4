/**
 * When which fault comes: pure, from the seed, the time and the faults alone. The same for the same seed, whatever the machine
 * and the measured rate. What a fault draws while it is injected comes from the salt of its place, so that it may draw more or
 * less than in another version without moving what comes after it.
 */
import { seededRandom } from '../dev/seeded-random.js';
import type { Fault, FaultId } from './ports.js';

type PlannedFault = Pick<Fault, 'id' | 'weight' | 'duration' | 'resources'>;

export interface ScheduledFault {
  /** Since the flow began. A run that is behind injects later, in the same order. */
  readonly atMs: number;
  readonly fault: FaultId;
  readonly durationMs: number;
  /** Seeds the fault's own random. */
  readonly salt: number;
}

export interface ScheduleOptions {
  readonly seed: number;
  /** Of the flow. */
  readonly minutes: number;
  /** The chosen ones, in any order. None: no faults. */
  readonly faults: readonly PlannedFault[];
  /** A run in CI: short faults, short gaps. */
  readonly short: boolean;
  /** A soak: now and then one begins while another holds that takes hold of other things. */
  readonly overlap?: boolean;
}

/** A quiet line first: what the lag is measured against. */
const QUIET_MS = { short: 3_000, long: 10_000 };
/** Between the planned end of a fault and the next: what new work needs to flow again is measured in it. */
const GAP_MS = { short: [2_000, 4_000], long: [6_000, 14_000] } as const;
const OVERLAP_ODDS = 0.3;
/** What holds for less is over before another could begin within it. */
const OVERLAPPED_MS = 1_000;

/**
 * One fault alone comes again and again. Of several each comes once, in an order of the seed, where the time allows; then they are
 * drawn by their weight (0: not drawn again).
 */
export function planSchedule(options: ScheduleOptions): readonly ScheduledFault[] {
  const { seed, minutes, short, overlap = false } = options;
  // By id: the order in which faults were named is no part of the schedule.
  const faults = [...options.faults].sort((a, b) => numberOf(a.id) - numberOf(b.id));
  const byId = new Map(faults.map((fault) => [fault.id, fault]));
  const random = seededRandom(seed);
  const endMs = minutes * 60_000;
  const plan: ScheduledFault[] = [];
  const pace = short ? 'short' : 'long';
  let atMs = QUIET_MS[pace];
  /** Whether the last one overlaps none: never three at once. */
  let alone = true;

  const prepare = (fault: PlannedFault) => {
    const salt = Math.floor(random() * 2 ** 32);
    // Of a random of its own: how often a fault asks it moves nothing else.
    const durationMs = Math.max(0, Math.round(fault.duration(seededRandom(salt), short)));
    return { fault: fault.id, durationMs, salt };
  };
  const place = (fault: PlannedFault): boolean => {
    const [least, most] = GAP_MS[pace];
    const gapMs = Math.round(least + random() * (most - least));
    const next = prepare(fault);
    const before = plan.at(-1);
    // Drawn always, so that the option alone decides whether the rest of the draws are the same.
    const within = random();
    if (
      overlap &&
      within < OVERLAP_ODDS &&
      before !== undefined &&
      alone &&
      mayOverlap(byId.get(before.fault) as PlannedFault, before.durationMs, fault)
    ) {
      const startMs = Math.round(before.atMs + before.durationMs * 0.5);
      if (startMs + next.durationMs + gapMs > endMs) return false;
      plan.push({ atMs: startMs, ...next });
      alone = false;
      atMs = Math.max(atMs, startMs + next.durationMs + gapMs);
      return true;
    }
    if (atMs + next.durationMs + least > endMs) return false;
    plan.push({ atMs, ...next });
    alone = true;
    atMs += next.durationMs + gapMs;
    return true;
  };

  for (const fault of shuffled(faults, random)) place(fault);
  const drawn = faults.some(({ weight }) => weight > 0)
    ? faults.filter(({ weight }) => weight > 0)
    : faults.map((fault) => ({ ...fault, duration: fault.duration.bind(fault), weight: 1 }));
  // A draw that does not fit any more may be followed by a shorter one; a few in a row end it.
  for (let misses = 0; drawn.length > 0 && misses < 3; ) misses = place(draw(drawn, random)) ? 0 : misses + 1;
  return plan;
}

/** @throws RangeError where one of the faults, which were asked for by name, has no time to come; with how many minutes would do */
export function refuseUnplaced(options: ScheduleOptions): void {
  const missingIn = (minutes: number) => {
    const came = new Set(planSchedule({ ...options, minutes }).map(({ fault }) => fault));
    return options.faults.map(({ id }) => id).filter((id) => !came.has(id));
  };
  const missing = missingIn(options.minutes);
  if (missing.length === 0) return;
  let enough = Math.ceil(options.minutes);
  while (missingIn(enough).length > 0) enough += Math.max(1, Math.round(enough / 20));
  throw new RangeError(
    `no time for ${missing.join(', ')} in ${options.minutes} ${options.minutes === 1 ? 'minute' : 'minutes'}: with this seed all of them come in --minutes ${enough}`,
  );
}

/** Faults whose times touch: they are injected together, and recovery is measured once all of them are healed. */
export function boutsOf(schedule: readonly ScheduledFault[]): readonly (readonly ScheduledFault[])[] {
  const bouts: ScheduledFault[][] = [];
  let endMs = Number.NEGATIVE_INFINITY;
  for (const entry of schedule) {
    const bout = entry.atMs < endMs ? bouts.at(-1) : undefined;
    if (bout === undefined) bouts.push([entry]);
    else bout.push(entry);
    endMs = Math.max(endMs, entry.atMs + entry.durationMs);
  }
  return bouts;
}

/** Both name what they take hold of, and share none of it; and not within what is over at once. */
function mayOverlap(first: PlannedFault, heldMs: number, second: PlannedFault): boolean {
  if (first.resources === undefined || second.resources === undefined) return false;
  return heldMs >= OVERLAPPED_MS && !first.resources.some((one) => second.resources?.includes(one));
}

function numberOf(id: FaultId): number {
  return Number(id.slice(1));
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const rest = [...items];
  const order: T[] = [];
  while (rest.length > 0) order.push(...rest.splice(Math.floor(random() * rest.length), 1));
  return order;
}

function draw<T extends { readonly weight: number }>(items: readonly T[], random: () => number): T {
  const sum = items.reduce((total, { weight }) => total + weight, 0);
  let left = random() * sum;
  for (const item of items) {
    left -= item.weight;
    if (left < 0) return item;
  }
  return items.at(-1) as T;
}
