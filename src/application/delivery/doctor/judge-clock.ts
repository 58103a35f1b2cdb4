import { type Finding, orOk, warning, wrong } from './findings.js';

/** The database's clock ahead of this machine's, in milliseconds, and by how much that may be wrong. */
export interface ClockFacts {
  readonly what: string;
  readonly skewMs: number;
  readonly withinMs: number;
}

const WARN_MS = 1_000;
/** Signed requests hold for five minutes, and leases for half a minute. */
const WRONG_MS = 30_000;

/** Of both databases as seen from here, and of each process as it said itself. None: nothing is said. */
export function judgeClocks(clocks: readonly ClockFacts[]): readonly Finding[] {
  if (clocks.length === 0) return [];
  const todo = 'let every machine follow the same time (NTP), the database servers first';
  const found = clocks.flatMap(({ what, skewMs, withinMs }): Finding[] => {
    const least = Math.abs(skewMs) - withinMs;
    if (least < WARN_MS) return [];
    const detail = `${what} is ${Math.abs(skewMs)} ms ${skewMs > 0 ? 'behind' : 'ahead of'} its database's clock (± ${withinMs} ms)`;
    return [least < WRONG_MS ? warning('clock', detail, todo) : wrong('clock', detail, todo)];
  });
  return orOk(found, 'clock', `every clock is within ${WARN_MS / 1_000} s of its database's`);
}
