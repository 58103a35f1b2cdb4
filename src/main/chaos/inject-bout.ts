/** Injects what the schedule wants at once, each with a deadline. A fault that throws, overruns or did not happen is a problem. */
import { seededRandom } from '../dev/seeded-random.js';
import type { ChaosWorld, Fault, FaultId, FaultOutcome } from './ports.js';
import type { ScheduledFault } from './schedule.js';
import { FLOWS_WITHIN_SECONDS } from './watch-line.js';
import { OverdueError, pause, within } from './within.js';

export interface FaultRecord {
  readonly fault: FaultId;
  readonly title: string;
  /** In the schedule, from 1. */
  readonly place: number;
  readonly salt: number;
  /** Since the flow began. */
  readonly plannedAtMs: number;
  readonly atMs: number;
  readonly plannedMs: number;
  /** Until `inject` returned, with what the fault itself waited for. */
  readonly tookMs: number;
  readonly happened: number;
  readonly what: string;
  /** Milliseconds since the epoch. */
  readonly begunAt: number;
  readonly healedAt: number;
  /** Each a sentence; any of them fails the run. */
  readonly problems: readonly string[];
  /** Why it could not be shown on this machine; null: it could. */
  readonly cannotBeShown?: string | null;
  /** Work must flow again within so many seconds, once no breaker keeps it back any more. */
  readonly boundSeconds: number;
  /** How long one still might when all was healed. */
  readonly breakerSeconds: number;
}

export interface Planned {
  readonly entry: ScheduledFault;
  readonly fault: Fault;
  readonly place: number;
}

/** Beyond its duration: a fault also waits until it sees what its row expects. */
const OVERRUN_MS = 240_000;
/** To heal once it was told to. */
const GIVE_UP_MS = 20_000;
/** What it put on may still be on: nothing that comes after it would be told apart from it. */
export const GIVEN_UP = 'given up';

export interface BoutOptions {
  readonly flowBeganAt: number;
  /** Small counts. */
  readonly short: boolean;
  /** Default 1. */
  readonly patience?: number;
  readonly signal: AbortSignal;
}

export async function injectBout(
  world: ChaosWorld,
  bout: readonly Planned[],
  options: BoutOptions,
): Promise<readonly FaultRecord[]> {
  const startMs = Math.min(...bout.map(({ entry }) => entry.atMs));
  const records = await Promise.all(
    bout.map(async (planned) => {
      const offsetMs = planned.entry.atMs - startMs;
      if (offsetMs > 0) {
        await pause(offsetMs, options.signal);
        if (options.signal.aborted) return null; // it has not begun, and does not any more
      }
      return injectOne(world, planned, options);
    }),
  );
  return records.filter((record) => record !== null);
}

async function injectOne(
  world: ChaosWorld,
  { entry, fault, place }: Planned,
  { flowBeganAt, short, patience = 1, signal }: BoutOptions,
): Promise<FaultRecord> {
  const begunAt = Date.now();
  const giveUp = new AbortController();
  const told = AbortSignal.any([signal, giveUp.signal]);
  const { salt, durationMs } = entry;
  const work = inject(world, fault, { random: seededRandom(salt), signal: told, durationMs, short, patience });
  let outcome: FaultOutcome;
  try {
    const given = within(entry.durationMs + OVERRUN_MS, `${fault.id} to be over`, work);
    outcome = await (signal.aborted
      ? within(GIVE_UP_MS, `${fault.id} to heal`, work)
      : untilGivenUp(given, work, fault, signal));
  } catch (error) {
    if (!(error instanceof OverdueError)) throw error;
    giveUp.abort(error);
    const late = await within(GIVE_UP_MS, `${fault.id} to heal once it was given up`, work).catch(
      (reason: Error) => reason,
    );
    const problems = [error.message, ...(late instanceof Error ? [late.message] : late.problems)];
    outcome = { happened: 0, what: GIVEN_UP, healedAt: Date.now(), problems };
  }
  const { cannotBeShown = null } = outcome;
  const unseen =
    outcome.happened > 0 || signal.aborted || cannotBeShown !== null
      ? []
      : [`${fault.id} did not happen, so it shows nothing: ${outcome.what}`];
  return {
    fault: fault.id,
    title: fault.title,
    place,
    salt: entry.salt,
    plannedAtMs: entry.atMs,
    atMs: begunAt - flowBeganAt,
    plannedMs: entry.durationMs,
    tookMs: Date.now() - begunAt,
    happened: outcome.happened,
    what: outcome.what,
    begunAt,
    healedAt: outcome.healedAt,
    problems: [...outcome.problems, ...unseen],
    cannotBeShown,
    boundSeconds: patience * (fault.recoversWithinSeconds ?? FLOWS_WITHIN_SECONDS),
    breakerSeconds: Math.round((outcome.breakerMs ?? 0) / 100) / 10,
  };
}

/** As `given`, but once the run is given up it has only as long as healing takes. */
function untilGivenUp(
  given: Promise<FaultOutcome>,
  work: Promise<FaultOutcome>,
  fault: Fault,
  signal: AbortSignal,
): Promise<FaultOutcome> {
  const aborted = new Promise<FaultOutcome>((resolve, reject) => {
    signal.addEventListener('abort', () => within(GIVE_UP_MS, `${fault.id} to heal`, work).then(resolve, reject), {
      once: true,
    });
  });
  return Promise.race([given, aborted]);
}

/** Never rejects: what a fault throws is told as its problem. */
async function inject(world: ChaosWorld, fault: Fault, context: Parameters<Fault['inject']>[1]): Promise<FaultOutcome> {
  try {
    return await fault.inject(world, context);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if ((error as { cannotBeShown?: unknown } | null)?.cannotBeShown === true) {
      return { happened: 0, what: reason, healedAt: Date.now(), problems: [], cannotBeShown: reason };
    }
    const problems = context.signal.aborted ? [] : [`${fault.id} could not be injected: ${reason}`];
    return { happened: 0, what: reason, healedAt: Date.now(), problems };
  }
}
