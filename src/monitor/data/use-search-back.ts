import { type UseQueryResult, useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { AT_FIRST, goBack, isLong, type SearchBack } from '../logic/search-back.js';
import type { ListOptions } from './queries.js';

/** A page of a list that is looked for back in time. */
interface Page {
  readonly items: readonly unknown[];
  readonly next: string | null;
}

export interface Searched<Found extends Page> {
  /** Of the page to show: the first one as soon as it has something, unless the search has found something further back. */
  readonly query: UseQueryResult<Found, Error>;
  /** Tells one page from another. */
  readonly at: string;
  /** It goes on by itself; false: it has found something, has ended, or was stopped. */
  readonly going: boolean;
  /** How many rows were looked at, up to the page that is shown. */
  readonly looked: number;
  readonly stop: () => void;
  /** null: there is nothing to go on to, or it goes on anyway. */
  readonly goOn: (() => void) | null;
  /** What is new since something was found further back, and how it is shown: rows give way to none by themselves. */
  readonly ahead: { readonly fresh: number; readonly show: () => void } | null;
}

interface State {
  readonly list: string;
  readonly search: SearchBack;
  readonly stopped: boolean;
}

/**
 * Goes on from an empty page to the next one by itself, so that one search is one act. `list`: which search; `first`: its first
 * page, which goes on being read for what is new; `pageAt`: the one at a cursor.
 */
export function useSearchBack<Found extends Page>(
  list: string,
  first: UseQueryResult<Found, Error>,
  pageAt: (cursor: string) => ListOptions<Found>,
  lookedAt: (page: Found) => number,
): Searched<Found> {
  const [kept, setKept] = useState<State | null>(null);
  const { search, stopped } = kept?.list === list ? kept : { search: AT_FIRST, stopped: false };
  const further = useQuery({ ...pageAt(search.cursor ?? ''), enabled: search.cursor !== null });
  const atFront = foundIn(first);
  const atFirst = search.cursor === null || (atFront > 0 && foundIn(further) === 0);
  const query = atFirst ? first : further;
  const page = query.isPlaceholderData ? undefined : query.data;
  const looked = page === undefined ? 0 : lookedAt(page);
  const next = page === undefined ? null : goBack(search, { items: page.items, next: page.next, looked });
  const held = stopped || isLong(search);
  const nextCursor = held ? null : (next?.cursor ?? null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once for each page; `next` is made anew in each render
  useEffect(() => {
    if (nextCursor !== null && next !== null) setKept({ list, search: next, stopped: false });
  }, [list, nextCursor]);
  return {
    query,
    at: JSON.stringify([list, atFirst ? null : search.cursor]),
    going: nextCursor !== null || (!atFirst && !stopped && page === undefined && query.error === null),
    looked: looked + (atFirst ? 0 : search.looked),
    stop: () => setKept({ list, search, stopped: true }),
    goOn: held && next !== null ? () => setKept({ list, search: next, stopped: false }) : null,
    ahead:
      atFirst || atFront === 0
        ? null
        : { fresh: atFront, show: () => setKept({ list, search: AT_FIRST, stopped: false }) },
  };
}

function foundIn({ isPlaceholderData, data }: UseQueryResult<Page, Error>): number {
  return isPlaceholderData ? 0 : (data?.items.length ?? 0);
}
