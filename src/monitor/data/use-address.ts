import { useMemo } from 'react';
import { useLocation } from 'wouter';
// The router's own decodes the whole of it first, so that what was written as %2541 would come out as A.
import { useSearch } from 'wouter/use-browser-location';
import { type Params, readParams, writeParams } from '../logic/search-params.js';

export interface Address<Name extends string> {
  readonly params: Params<Name>;
  /** Goes to the same view with these. */
  readonly go: (params: Params<Name>) => void;
  /** Where a link with these leads to. */
  readonly to: (params: Params<Name>) => string;
}

/** What the view's address says, of `names`, which must be the same array in each render. */
export function useAddress<Name extends string>(names: readonly Name[]): Address<Name> {
  const search = useSearch();
  const [path, navigate] = useLocation();
  const params = useMemo(() => readParams(search, names), [search, names]);
  const to = (next: Params<Name>) => `${path}${writeParams(next)}`;
  return { params, to, go: (next) => navigate(to(next)) };
}
