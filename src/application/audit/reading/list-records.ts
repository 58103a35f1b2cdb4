import type { Look, RecordFilter, RecordReader, StoredRecord } from './ports.js';

/** A page costs no more than this, however little of it the filter means: then it comes short, with where it stands. */
const MOST_RECORDS = 50_000;
/** The last turn included, an answer is there within a second. */
const MOST_MS = 700;

export interface RecordPage {
  readonly records: readonly StoredRecord[];
  /** The next page begins behind this id; null: this was the last one. */
  readonly after: string | null;
  /** How many records were looked at. */
  readonly searched: number;
}

export interface ListDeps {
  readonly reader: RecordReader;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
}

/**
 * A page of the records that a filter means, the newest first. It may be short of `limit`, even empty, and yet not the last
 * one: what is rare is looked for in turns. Throws StoreUnavailableError.
 */
export async function listRecords(
  { reader, clock }: ListDeps,
  filter: RecordFilter,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<RecordPage> {
  const startedAt = clock();
  const found: string[] = [];
  let place = after;
  let searched = 0;
  let turn = 0;
  do {
    // One more than asked for says whether there is a next page.
    const take = limit + 1 - found.length;
    const records = Math.min(recordsOfTurn(filter, turn++, take), MOST_RECORDS - searched);
    const looked = await reader.look({ filter, order: 'newest', after: place, records, take });
    found.push(...looked.found);
    searched += looked.records;
    place = looked.place;
  } while (place !== null && found.length <= limit && searched < MOST_RECORDS && clock() - startedAt < MOST_MS);
  const full = found.length > limit;
  const records = await reader.read(found.slice(0, limit), filter.tenantId);
  return { records, after: full ? (found[limit - 1] ?? null) : place, searched };
}

/** Few at first, for most filters mean something that is near. Texts are long: no turn may take longer than its deadline. */
export function recordsOfTurn(filter: RecordFilter, turn: number, take: number): Look['records'] {
  if (meansAllOnItsWay(filter)) return take;
  if (filter.text !== null) return 1_000;
  return Math.max(take, Math.min(1_000 * 4 ** turn, 16_000));
}

/** Whether nothing is looked at in vain: a tenant's records, an actor's, all of them, of whatever time. */
function meansAllOnItsWay({ tenantId, actorId, recordedFrom: _from, recordedTo: _to, ...rest }: RecordFilter): boolean {
  return Object.values(rest).every((value) => value === null) && (actorId === null || tenantId !== null);
}
