import type { LeafRun } from '../../../domain/audit/audit-note.js';
import { checkRows } from '../verify/check-rows.js';
import type { KnownExcuses } from '../verify/known-excuses.js';
import type { Place, VerifyStore } from '../verify/ports.js';
import { comparePlaces, readWindows } from '../verify/read-windows.js';
import { collectFindings, type VerifyReport } from '../verify/report.js';
import { monthNumber, monthOf } from './months.js';

export type Scan =
  | { readonly kind: 'sound'; readonly rows: number; readonly runs: readonly LeafRun[] }
  /** Something in it, or sealed beside it, is not as it was sealed: nothing of it may be dropped. */
  | { readonly kind: 'broken'; readonly first: VerifyReport['first'] };

/**
 * Reads a month's records against their seals, as verification does, and finds which leaves are theirs. Whatever is sealed
 * among them is looked at, too: next to the turn of a month records of both lie among each other.
 */
export async function scanPartition(
  store: VerifyStore,
  excuses: KnownExcuses,
  partition: string,
  places: { readonly first: Place; readonly last: Place },
  signal?: AbortSignal,
): Promise<Scan> {
  const findings = collectFindings();
  const deps = { store, findings, excuses };
  const start = (await store.findSealOf(places.first)) ?? 0;
  const after = (await store.findSeal(start))?.after ?? null;
  const size = (await store.readHead())?.size ?? 0;
  const month = monthNumber(partition);
  const runs: { first: number; count: number }[] = [];
  let rows = 0;
  for await (const window of readWindows({ store, findings }, { start, end: size, after })) {
    signal?.throwIfAborted();
    const { seen } = await checkRows(deps, window);
    const [first] = findings.named();
    if (first !== undefined) return { kind: 'broken', first };
    const indexes = new Map(window.hashes.map((hash, at) => [Buffer.from(hash).toString('base64'), window.first + at]));
    for (const row of seen) {
      if (row.hash === null || monthOf(row.recordedAt) !== month) continue;
      const index = indexes.get(Buffer.from(row.hash).toString('base64'));
      if (index === undefined) continue;
      rows += 1;
      const run = runs.at(-1);
      if (run !== undefined && run.first + run.count === index) run.count += 1;
      else runs.push({ first: index, count: 1 });
    }
    if (comparePlaces(window.upTo, places.last) >= 0) break;
  }
  return { kind: 'sound', rows, runs };
}
