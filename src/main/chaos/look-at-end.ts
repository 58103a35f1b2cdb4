/** What is looked at once everything has come to its end, beside the books: I8, I9, I10, and the failed runs of I4. */
import type { Books } from './books.js';
import { compareFiguresOfSome } from './compare-figures.js';
import { findCanary } from './find-canary.js';
import { lookAtRuns } from './look-at-runs.js';
import type { ChaosWorld } from './ports.js';
import { verifyAuditLog } from './verify-audit-log.js';
import { within } from './within.js';

export interface Look {
  /** What was looked at, with its bounds. */
  readonly looked: readonly string[];
  /** Each a sentence: an invariant that does not hold. */
  readonly problems: readonly string[];
  /** Each a sentence: what could not be looked at. */
  readonly missing: readonly string[];
}

const LOOK_MS = 240_000;

/** While the roles still run. Never rejects: what cannot be looked at is missing. */
export async function lookAtEnd(world: ChaosWorld, books: Books): Promise<Look> {
  const looks: readonly [string, () => Promise<Look>][] = [
    ['I4, I9: the runs', () => lookAtRuns(world, books)],
    ['I8: the audit log', () => verifyAuditLog(world)],
    ['I9: the canary', () => findCanary(world)],
    ['I10: figures', () => compareFiguresOfSome(world)],
  ];
  const looked: string[] = [];
  const problems: string[] = [];
  const missing: string[] = [];
  for (const [what, look] of looks) {
    try {
      const found = await within(LOOK_MS, what, look());
      looked.push(...found.looked);
      problems.push(...found.problems);
      missing.push(...found.missing);
    } catch (error) {
      missing.push(`${what}: could not be looked at: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { looked, problems, missing };
}
