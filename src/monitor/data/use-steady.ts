import { useState } from 'react';
import { keepOrder, type SteadyList } from '../logic/steady-list.js';

export interface Steady<Item> extends SteadyList<Item> {
  /** Shows the list as it is now. */
  readonly show: () => void;
}

interface Shown<Item> {
  readonly list: string;
  readonly items: readonly Item[];
}

/**
 * A list that is read again and again, in the order in which it was shown first. `list`: which one it is, so that
 * another filter's or page's begins anew; `latest`: as it is now, undefined while that one is being read; `whole`: it goes on
 * behind none of these.
 */
export function useSteady<Item>(
  list: string,
  latest: readonly Item[] | undefined,
  idOf: (item: Item) => string,
  whole = false,
): Steady<Item> {
  const [shown, setShown] = useState<Shown<Item>>({ list: '', items: [] });
  // In the render itself: no row of the list before is painted once the other one is there.
  if (latest !== undefined && shown.list !== list) setShown({ list, items: latest });
  const steady = keepOrder(shown.items, latest ?? shown.items, idOf, whole);
  return { ...steady, show: () => setShown({ list, items: latest ?? shown.items }) };
}
