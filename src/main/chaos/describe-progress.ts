import type { Progress } from './watch-run.js';

/** One line for a terminal. */
export function describeProgress({ phase, elapsedMs, committed, open, faults, done, scheduled }: Progress): string {
  const seconds = Math.round(elapsedMs / 1_000);
  const clock = `${String(Math.floor(seconds / 60)).padStart(2)}:${String(seconds % 60).padStart(2, '0')}`;
  const now = faults.length === 0 ? '' : `  now ${faults.join(' and ')}`;
  return `${clock}  ${phase.padEnd(10)}  ${committed} committed, ${open ?? 'unknown'} open  ${done} of ${scheduled} faults${now}`;
}
