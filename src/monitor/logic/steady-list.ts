/** A list that somebody reads while it changes. */
export interface SteadyList<Item> {
  /** In the order in which they were shown first, each as it is now. */
  readonly items: readonly Item[];
  /** How many there are that are not shown. */
  readonly fresh: number;
  /** Ids of those that are shown and are in the list no more. */
  readonly gone: ReadonlySet<string>;
}

/**
 * Rows never move under the pointer: what is new is counted, what changed changes in its place, what left stays and is
 * marked. `whole`: the list goes on behind none of its rows. Of one that does nobody can tell what became of those behind the
 * last one that is still there: new ones may have pushed them off the page.
 */
export function keepOrder<Item>(
  shown: readonly Item[],
  latest: readonly Item[],
  idOf: (item: Item) => string,
  whole = false,
): SteadyList<Item> {
  const now = new Map(latest.map((item) => [idOf(item), item]));
  const known = new Set(shown.map(idOf));
  const lastThere = whole ? shown.length - 1 : shown.findLastIndex((item) => now.has(idOf(item)));
  return {
    items: shown.map((item) => now.get(idOf(item)) ?? item),
    fresh: latest.filter((item) => !known.has(idOf(item))).length,
    gone: new Set(
      shown
        .slice(0, lastThere + 1)
        .map(idOf)
        .filter((id) => !now.has(id)),
    ),
  };
}
