/**
 * A search that goes back in time looks at so many rows a page, and may find none among them although there are some further
 * back: it goes on from page to page until one has something, nothing is left, or somebody stops it.
 */
export interface SearchBack {
  /** Of the page that it is at; null: the first one. */
  readonly cursor: string | null;
  /** Pages before it, none of which had anything. */
  readonly pages: number;
  /** Rows that those looked at. */
  readonly looked: number;
}

export interface SearchPage {
  readonly items: readonly unknown[];
  readonly next: string | null;
  /** Rows that it looked at. */
  readonly looked: number;
}

export const AT_FIRST: SearchBack = { cursor: null, pages: 0, looked: 0 };

/** As many pages go by themselves; then somebody is asked whether to go on. */
export const PAGES_AT_ONCE = 100;

/** The next place; null where this page has something, or is the last one. */
export function goBack(search: SearchBack, { items, next, looked }: SearchPage): SearchBack | null {
  if (items.length > 0 || next === null) return null;
  return { cursor: next, pages: search.pages + 1, looked: search.looked + looked };
}

/** Whether somebody is asked first. */
export function isLong({ pages }: SearchBack): boolean {
  return pages > 0 && pages % PAGES_AT_ONCE === 0;
}
