import type { DiscardFailedIngest } from './discard-failed-ingest.js';
import type { FailedIngestFilter, FailedIngestStore, PersonsWord } from './ports.js';
import type { RetryFailedIngest } from './retry-failed-ingest.js';

/** One call's; what is left is another call's. */
export const MOST_AT_ONCE = 1_000;

export interface MatchingDeps {
  readonly failedIngest: Pick<FailedIngestStore, 'openIds'>;
  readonly retryFailedIngest: RetryFailedIngest;
  readonly discardFailedIngest: DiscardFailedIngest;
}

export interface MatchingTask {
  /** null: of any tenant. */
  readonly tenantId: string | null;
  readonly filter: FailedIngestFilter;
  /** At most `MOST_AT_ONCE`. */
  readonly cap: number;
  /** Only those after this id: the `next` of the call before, whose failures stay open and would come first again. */
  readonly after: string | null;
}

/** How many of those that matched ended how. */
export interface MatchingCounts {
  readonly matched: number;
  /** More match than one call takes: the next call's `after`. null: that was all. */
  readonly next: string | null;
  readonly stored: number;
  readonly otherContent: number;
  readonly discarded: number;
  /** They stay open. `invalid`: what was kept is no event any more. */
  readonly failed: number;
  readonly invalid: number;
  /** Somebody else closed them meanwhile. */
  readonly notOpen: number;
}

const NONE = { stored: 0, otherContent: 0, discarded: 0, failed: 0, invalid: 0, notOpen: 0 };
const COUNTED_AS = {
  stored: 'stored',
  other_content: 'otherContent',
  discarded: 'discarded',
  failed: 'failed',
  invalid: 'invalid',
  missing: 'notOpen',
  not_open: 'notOpen',
} as const;

/** What an act on those that match would be of: counts, changes nothing. */
export async function countMatching(
  deps: Pick<MatchingDeps, 'failedIngest'>,
  task: MatchingTask,
): Promise<MatchingCounts> {
  const { ids, next } = await find(deps, task);
  return { matched: ids.length, next, ...NONE };
}

/**
 * Retries or discards what is open and matches, one after the other, the oldest first: of two contents of one identity the
 * first one is stored. Its set is what was open at its begin, so one that fails again is tried once. What it throws
 * (StoreUnavailableError, FingerprintKeyError) leaves the rest as it was.
 */
export async function actOnMatching(
  deps: MatchingDeps,
  verb: 'retry' | 'discard',
  task: MatchingTask,
  word: PersonsWord,
): Promise<MatchingCounts> {
  const { ids, next } = await find(deps, task);
  const counts = { ...NONE };
  for (const id of ids) {
    const ref = { id, tenantId: task.tenantId };
    const { kind } = await (verb === 'retry' ? deps.retryFailedIngest : deps.discardFailedIngest)(ref, word);
    counts[COUNTED_AS[kind]] += 1;
  }
  return { matched: ids.length, next, ...counts };
}

async function find({ failedIngest }: Pick<MatchingDeps, 'failedIngest'>, { cap, ...query }: MatchingTask) {
  const most = Math.min(cap, MOST_AT_ONCE);
  const found = await failedIngest.openIds({ ...query, limit: most + 1 });
  const ids = found.slice(0, most);
  return { ids, next: found.length > most ? (ids.at(-1) ?? null) : null };
}
