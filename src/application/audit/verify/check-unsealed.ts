import type { Excuses } from './open-notes.js';
import type { Place, VerifyStore } from './ports.js';
import { type Findings, MOST_NAMED } from './report.js';

/**
 * What stands outside of the seals: records behind the head, returned as a count and not blamed, and those among them that
 * no sealer will ever take; identities whose record is gone.
 */
export async function checkUnsealed(
  { store, findings }: { readonly store: VerifyStore; readonly findings: Findings },
  behind: Place | null,
  excuses: Excuses,
): Promise<number> {
  const { pending, strays } = await store.readUnsealed(behind);
  for (const recordId of strays.named) {
    const what =
      'expected a place that the sealer still comes to, found one of no epoch, or of no transaction of this server';
    findings.add({ kind: 'inserted', index: null, recordId, what });
  }
  findings.count('inserted', strays.count - strays.named.length);

  const keys = await store.findKeysWithoutRecord([...excuses.droppedMonths.keys()]);
  for (const recordId of keys.named.slice(0, MOST_NAMED)) {
    findings.add({ kind: 'identity', index: null, recordId, what: 'expected the record of this identity, found none' });
  }
  findings.count('identity', keys.count - Math.min(keys.named.length, MOST_NAMED));

  for (const [month, notes] of excuses.droppedMonths) {
    const standing = await store.countKeys(month);
    // Of several notes, which retention signs where a drop did not come through, one was the one that was followed.
    if (notes.some(({ rows }) => rows === standing)) continue;
    const what = `${month}: expected the identities of its ${notes.at(-1)?.rows} dropped records, found ${standing}`;
    findings.add({ kind: 'identity', index: null, recordId: null, what });
  }
  return pending;
}
