import type { z } from 'zod';
import type { redriveJobSchema } from '../../contract/redrive-job-answers.js';

type Job = z.infer<typeof redriveJobSchema>;

export interface JobProgress {
  /** Letters that are through: redriven, or no longer open when their turn came. */
  readonly done: number;
  /** As many there were when it was made, or fewer by its cap. */
  readonly of: number;
}

/** How far a redrive job is. Letters that were just being written when it was made may come on top. */
export function progressOf({ redriven, skipped, expected, cap }: Job): JobProgress {
  const done = redriven + skipped;
  return { done, of: Math.max(done, Math.min(expected, cap ?? expected)) };
}

/**
 * How many letters a job would take: as many as were counted, or fewer by its cap. `cap` as it was typed; empty: every one that
 * fits by then, also those that nobody has counted.
 */
export function takenBy(count: number, cap: string): number {
  const most = Number(cap.trim());
  return cap.trim() === '' || !Number.isFinite(most) ? count : Math.min(count, most);
}

/** How many went which way, of what was done to several letters at once: the most frequent first. */
export function countOutcomes(outcomes: readonly string[]): readonly (readonly [outcome: string, count: number])[] {
  const counts = new Map<string, number>();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
}
