import { recordsOfTurn } from './list-records.js';
import type { RecordFilter, RecordReader, StoredRecord } from './ports.js';

/** Records of a page at most, and how many bytes it should have: one of 1,000 records of 64 KiB would be no page. */
const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;
const FIRST_PAGE = 100;

export interface ExportPage {
  readonly records: readonly StoredRecord[];
  /** Tells how long the page became, so that the next one fits. */
  took(bytes: number): void;
}

/**
 * Every record that a filter means, the oldest first, in pages by keyset: no transaction is open between two of them, and
 * one page is in memory at a time. A page may be empty: so much was looked at in vain. What is recorded while it runs comes
 * at the end; what a transaction that began before ends late may be missed, which the log's order is for, not an export's.
 * Throws StoreUnavailableError.
 */
export async function* exportRecords(
  { reader }: { readonly reader: RecordReader },
  filter: RecordFilter,
): AsyncGenerator<ExportPage> {
  let place: string | null = null;
  let take = FIRST_PAGE;
  let turn = 0;
  do {
    const records = recordsOfTurn(filter, turn, take);
    const { found, place: next } = await reader.look({ filter, order: 'oldest', after: place, records, take });
    place = next;
    turn = found.length === 0 ? turn + 1 : 0;
    const page = await reader.read(found, filter.tenantId);
    let fits = take;
    yield {
      records: page,
      took: (bytes) => {
        fits = Math.floor(PAGE_BYTES / Math.max(1, bytes / Math.max(1, page.length)));
      },
    };
    take = Math.min(PAGE_RECORDS, Math.max(20, fits));
  } while (place !== null);
}
