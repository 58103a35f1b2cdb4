import type { BookReader, HourBooks } from './ports.js';

export interface BookListing {
  /** The newest first. */
  readonly items: readonly HourBooks[];
  /** `before` of the next page; null on the last one. */
  readonly next: string | null;
}

/** One page, 1 to 200 hours. Throws an IntegrationError `STORE.UNAVAILABLE`. */
export async function listBooks(
  books: Pick<BookReader, 'list'>,
  page: { readonly before: string | null; readonly limit: number; readonly gapsOnly: boolean },
): Promise<BookListing> {
  // One more than asked for says whether there is a next page.
  const rows = await books.list({ ...page, limit: page.limit + 1 });
  const items = rows.slice(0, page.limit);
  return { items, next: rows.length > page.limit ? (items.at(-1)?.hour ?? null) : null };
}
