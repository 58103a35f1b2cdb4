/** How figures are told, wherever they are: the page and the terminal say the same of one number. */
import { LONGEST_LATENCY_MS } from './latency-histogram.js';

/**
 * A share (0 to 1) in per cent, rounded towards nothing to hundredths: 100 are all, and 0 is none. null: more than none, and
 * less than a hundredth.
 */
export function percentOf(share: number): number | null {
  if (share > 0 && share < 0.0001) return null;
  // What a double lacks to the next hundredth is no miss.
  return Math.floor(share * 10_000 + 1e-6) / 100;
}

/** Whether a percentile of counted figures is of the last bucket, which has no upper bound: 13 hours, or more. */
export function isOpenEnded(ms: number): boolean {
  return ms >= LONGEST_LATENCY_MS;
}

/** What is said of such a one. */
export const OPEN_ENDED = '13 h or more';

/** The two largest units of it: `340 ms`, `12.5 s`, `2 min 5 s`, `3 d`. */
export function durationOf(ms: number): string {
  if (Math.round(ms) < 1_000) return `${Math.round(ms)} ms`;
  if (Math.round(ms / 100) < 600) return `${Math.round(ms / 100) / 10} s`;
  const seconds = Math.round(ms / 1_000);
  const units: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const largest = units.findIndex(([count]) => count > 0);
  return units
    .slice(largest, largest + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
