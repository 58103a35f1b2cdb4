import { sameBytes } from '../../../domain/audit/merkle-hash.js';
import type { SeenRow } from './read-row.js';

export interface Window {
  /** Index of the first hash. */
  readonly first: number;
  /** As they were sealed. */
  readonly hashes: readonly Uint8Array[];
  /** As they stand now, in the order of records. */
  readonly rows: readonly SeenRow[];
}

/** What a window holds that an untouched one does not. */
export type Mismatch =
  | { readonly kind: 'edited' | 'moved'; readonly index: number; readonly row: SeenRow; readonly what: string }
  /** A sealed hash that no row here has. */
  | { readonly kind: 'missing'; readonly index: number; readonly hash: Uint8Array }
  /** `index`: of the leaf that it stands before. */
  | { readonly kind: 'inserted'; readonly index: number; readonly row: SeenRow };

/**
 * Sealed hashes against rows, by position where all is well, else as sets: so that one deleted row makes one mismatch and
 * not as many as stand behind it. `isDropped`: leaves whose records may be missing.
 */
export function matchWindow({ first, hashes, rows }: Window, isDropped: (index: number) => boolean): Mismatch[] {
  const fits = rows.length === hashes.length && rows.every((row, at) => isFor(row, hashes[at] as Uint8Array));
  if (fits && rows.every(({ differences }) => differences.length === 0)) return [];

  const places = new Map<string, number[]>();
  for (const [at, hash] of hashes.entries()) places.set(key(hash), [...(places.get(key(hash)) ?? []), at]);
  const placeOf = rows.map(({ hash }) => (hash === null ? undefined : places.get(key(hash))?.shift()));
  const inOrder = longestRise(placeOf);

  const found: Mismatch[] = [];
  const taken = new Set(placeOf);
  const open = new Set([...hashes.keys()].filter((at) => !taken.has(at) && !isDropped(first + at)));
  const left: number[] = [];
  rows.forEach((row, at) => {
    const place = placeOf[at];
    if (place === undefined) left.push(at);
    else if (!inOrder.has(at)) found.push({ kind: 'moved', index: first + place, row, what: MOVED });
    else if (row.differences.length > 0) found.push({ kind: 'edited', index: first + place, row, what: told(row) });
  });
  for (const [at, place] of pair(rows, left, hashes, open, placeOf, inOrder)) {
    const row = rows[at] as SeenRow;
    if (place === null) found.push({ kind: 'inserted', index: first + standsBefore(at, placeOf, inOrder), row });
    else found.push({ kind: 'edited', index: first + place, row, what: told(row) });
  }
  for (const at of open) found.push({ kind: 'missing', index: first + at, hash: hashes[at] as Uint8Array });
  return found.sort((a, b) => a.index - b.index);
}

const MOVED = 'expected the record at the place in the order where it was sealed';

/** Pairs rows whose leaf was not sealed with hashes that no leaf has; takes those hashes out of `open`. */
function* pair(
  rows: readonly SeenRow[],
  left: readonly number[],
  hashes: readonly Uint8Array[],
  open: Set<number>,
  placeOf: readonly (number | undefined)[],
  inOrder: ReadonlySet<number>,
): Generator<[row: number, place: number | null]> {
  const claimed = new Map([...open].map((at) => [key(hashes[at] as Uint8Array), at]));
  const rest: number[] = [];
  for (const at of left) {
    const claim = rows[at]?.claims.find((hash) => open.has(claimed.get(key(hash)) ?? -1));
    const place = claim === undefined ? undefined : claimed.get(key(claim));
    if (place === undefined) rest.push(at);
    else {
      open.delete(place);
      yield [at, place];
    }
  }
  // Whoever changed all of the hashes left the place: as many rows as hashes between two untouched neighbours are theirs.
  const gapsOfHashes = Map.groupBy(open, (place) => standsBefore(null, placeOf, inOrder, place));
  for (const [gap, group] of Map.groupBy(rest, (at) => standsBefore(at, placeOf, inOrder))) {
    const free = gapsOfHashes.get(gap) ?? [];
    for (const [nth, at] of group.entries()) {
      const place = free.length === group.length ? (free[nth] as number) : null;
      if (place !== null) open.delete(place);
      yield [at, place];
    }
  }
}

/** The place of the next untouched row behind a row, or behind a place. */
function standsBefore(
  row: number | null,
  placeOf: readonly (number | undefined)[],
  inOrder: ReadonlySet<number>,
  place = -1,
): number {
  for (const at of inOrder) {
    const standsAt = placeOf[at] as number;
    if (row === null ? standsAt > place : at > row) return standsAt;
  }
  return placeOf.length === 0 ? 0 : Math.max(0, ...placeOf.filter((at) => at !== undefined)) + 1;
}

function told({ differences }: SeenRow): string {
  const inside = differences.length === 0 ? 'the row and its identity agree' : `differs: ${differences.join(', ')}`;
  return `expected the leaf that was sealed (${inside})`;
}

/** Rows (by index, ascending) of a longest sequence of rising places: what a few moved rows leave in order. */
function longestRise(placeOf: readonly (number | undefined)[]): ReadonlySet<number> {
  const ends: number[] = []; // of sequences by length, the row whose place is least
  const before = new Map<number, number | undefined>();
  placeOf.forEach((place, row) => {
    if (place === undefined) return;
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((placeOf[ends[middle] as number] as number) < place) low = middle + 1;
      else high = middle;
    }
    before.set(row, ends[low - 1]);
    ends[low] = row;
  });
  const rise: number[] = [];
  for (let row = ends.at(-1); row !== undefined; row = before.get(row)) rise.push(row);
  return new Set(rise.reverse());
}

const isFor = ({ hash }: SeenRow, sealed: Uint8Array): boolean => hash !== null && sameBytes(hash, sealed);
const key = (hash: Uint8Array): string => Buffer.from(hash).toString('base64');
