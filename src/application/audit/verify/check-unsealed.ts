import type { Place, VerifyStore } from './ports.js';
import { type Findings, MOST_NAMED } from './report.js';

/**
 * Records behind the head, returned as a count and not blamed, and those among them that no sealer will ever take.
 */
export async function checkUnsealed(
  { store, findings }: { readonly store: VerifyStore; readonly findings: Findings },
  behind: Place | null,
): Promise<number> {
  const { pending, strays } = await store.readUnsealed(behind);
  for (const recordId of strays.named.slice(0, MOST_NAMED)) {
    const what =
      'expected a place that the sealer still comes to, found one of no epoch, or of no transaction of this server';
    findings.add({ kind: 'inserted', index: null, recordId, what });
  }
  findings.count('inserted', strays.count - Math.min(strays.named.length, MOST_NAMED));
  return pending;
}
