import { checkFilter } from './check-filter.js';
import type { DeadLetterFilter, DeadLetterReader, DeadLetterState, DeadLetterSummary } from './ports.js';

export interface DeadLetterPage {
  /** The newest first. */
  readonly items: readonly DeadLetterSummary[];
  /** `before` of the next page; null on the last one. */
  readonly next: string | null;
}

/**
 * One page of the letters in one state, 1 to 200.
 * @throws FilterError; IntegrationError `STORE.UNAVAILABLE`
 */
export async function listDeadLetters(
  deps: { readonly letters: DeadLetterReader; readonly now: () => Date },
  filter: DeadLetterFilter & { readonly state: DeadLetterState },
  page: { readonly before: string | null; readonly limit: number },
): Promise<DeadLetterPage> {
  checkFilter(filter, deps.now());
  // One more than asked for says whether there is a next page.
  const rows = await deps.letters.list(filter, { ...page, limit: page.limit + 1 });
  const items = rows.slice(0, page.limit);
  return { items, next: rows.length > page.limit ? (items.at(-1)?.id ?? null) : null };
}
