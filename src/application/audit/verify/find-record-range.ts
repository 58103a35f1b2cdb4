import type { VerifyStore } from './ports.js';
import type { VerifyRange } from './verify-log.js';

export type RecordRange =
  | { readonly kind: 'sealed'; readonly range: VerifyRange }
  /** It stands, and no seal has it yet. */
  | { readonly kind: 'pending' }
  /** There is none: where it was one, verification of the whole log says what became of it. */
  | { readonly kind: 'missing' };

/** Where to look for one record: the seal that its place belongs to. */
export async function findRecordRange(
  store: Pick<VerifyStore, 'findRecord' | 'findSealOf'>,
  recordId: string,
): Promise<RecordRange> {
  const place = await store.findRecord(recordId);
  if (place === null) return { kind: 'missing' };
  const first = await store.findSealOf(place);
  return first === null ? { kind: 'pending' } : { kind: 'sealed', range: { from: first, to: first + 1 } };
}
