/** What the roles take over a run, memory or handles. A process that was started again begins anew: growth is told of one process's time. */
import type { Fleet } from './ports.js';

export interface UsageFigures {
  /** By member. */
  readonly peak: Readonly<Record<string, number>>;
  /** By member, a minute, of the time after the first ten minutes, of its process that grew most; empty where none lived long enough. */
  readonly growthPerMinute: Readonly<Record<string, number>>;
  /** By member, once a minute from its beginning on: of the process that ran last. */
  readonly eachMinute: Readonly<Record<string, readonly number[]>>;
}

export interface UsageWatch {
  sample(): Promise<void>;
  figures(): UsageFigures;
}

/** What a process fills first (code, pools, caches) is no growth. */
const SETTLED_MS = 10 * 60_000;
/**
 * Less than this shows the garbage collector's rhythm, and what the last fault asked for: over seven minutes workers that end at
 * 380 MiB, below their bound, "grew" by 4.9 a minute (seed 63), over fifty by 0.75 (seed 62).
 */
const LEAST_SPAN_MS = 20 * 60_000;

/** `read`: how much each member has now. */
export function watchUsage(
  fleet: Pick<Fleet, 'members'>,
  read: () => Promise<ReadonlyMap<string, number>>,
  now: () => number = Date.now,
): UsageWatch {
  const peak = new Map<string, number>();
  /** Of the process that runs now, by member. */
  const lives = new Map<string, { pid: number; since: number; points: [number, number][]; minutes: number[] }>();
  const growth = new Map<string, number>();
  /** Of those that have ended. */
  const before = new Map<string, number>();
  return {
    async sample() {
      const at = now();
      const pids = new Map(fleet.members.map(({ name, pid }) => [name, pid]));
      for (const [name, amount] of await read()) {
        peak.set(name, Math.max(peak.get(name) ?? 0, amount));
        const pid = pids.get(name) ?? 0;
        let life = lives.get(name);
        if (life === undefined || life.pid !== pid) {
          const grew = growth.get(name);
          if (grew !== undefined) before.set(name, grew);
          life = { pid, since: at, points: [], minutes: [] };
          lives.set(name, life);
        }
        if (at - life.since >= life.minutes.length * 60_000) life.minutes.push(amount);
        if (at - life.since < SETTLED_MS) continue;
        life.points.push([at, amount]);
        if (at - (life.points[0]?.[0] ?? at) >= LEAST_SPAN_MS) {
          growth.set(name, Math.max(before.get(name) ?? Number.NEGATIVE_INFINITY, slopePerMinute(life.points)));
        }
      }
    },
    figures: () => ({
      peak: Object.fromEntries(peak),
      growthPerMinute: Object.fromEntries(growth),
      eachMinute: Object.fromEntries([...lives].map(([name, { minutes }]) => [name, minutes])),
    }),
  };
}

/** Least squares. */
export function slopePerMinute(points: readonly (readonly [number, number])[]): number {
  const n = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n;
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return under === 0 ? 0 : (over / under) * 60_000;
}
