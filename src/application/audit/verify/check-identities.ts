import type { DroppedNote } from '../../../domain/audit/audit-note.js';
import { type Sha256, sameBytes } from '../../../domain/audit/merkle-hash.js';
import type { KnownExcuses } from './known-excuses.js';
import type { Excuses } from './open-notes.js';
import type { ComparedKeys, VerifyStore } from './ports.js';
import { type Findings, MOST_NAMED } from './report.js';

export interface CheckIdentitiesDeps {
  readonly store: Pick<VerifyStore, 'findStrayKeys' | 'compareKeys'>;
  readonly findings: Findings;
  readonly excuses: KnownExcuses;
  readonly sha256: Sha256;
}

/**
 * The identities, by which a resend is answered. Of records that stand: each is that of its record, which was compared
 * with it. Of dropped months: each leaf that the signed note names has one with its hash, and there are no others; where the
 * note says what they were, none of them was changed.
 */
export async function checkIdentities(deps: CheckIdentitiesDeps): Promise<void> {
  await checkStanding(deps);
  for (const [month, notes] of deps.excuses.now().droppedMonths) await checkDropped(deps, month, notes);
}

async function checkStanding({ store, findings, excuses }: CheckIdentitiesDeps): Promise<void> {
  let known = await excuses.read();
  let strays = await store.findStrayKeys(monthsOf(known));
  // A month that was dropped between the two readings is in the next one, and nothing of it is named.
  while (strays.count > 0) {
    const before = monthsOf(known);
    known = await excuses.read();
    if (monthsOf(known).every((month) => before.includes(month))) break;
    strays = await store.findStrayKeys(monthsOf(known));
  }
  for (const { recordId, stands } of strays.named.slice(0, MOST_NAMED)) {
    const what = stands
      ? 'expected the identity that this record was sent under, found another one that names it'
      : 'expected the record of this identity, found none';
    findings.add({ kind: 'identity', index: null, recordId, what });
  }
  findings.count('identity', strays.count - Math.min(strays.named.length, MOST_NAMED));
}

const monthsOf = ({ droppedMonths }: Excuses): readonly string[] => [...droppedMonths.keys()];

/**
 * Of several notes, which retention signs where a drop did not come through, one was the one that was followed. One that
 * says less does not stand in for one that says what the identities were.
 */
async function checkDropped(
  { store, findings, sha256 }: CheckIdentitiesDeps,
  month: string,
  notes: readonly DroppedNote[],
): Promise<void> {
  const telling = notes.filter(({ identities }) => identities !== null);
  const candidates = telling.length > 0 ? telling : notes;
  const compared = new Map<string, ComparedKeys>();
  let last: ComparedKeys | null = null;
  for (const { runs, identities } of candidates) {
    const key = JSON.stringify(runs);
    last = compared.get(key) ?? (await store.compareKeys(month, runs));
    compared.set(key, last);
    if (fits(last) && (identities === null || sameBytes(identities, digestOf(sha256, last)))) return;
  }
  if (last === null) return;
  const { missing, extra } = last;
  if (fits(last)) {
    const what = `${month}: expected its identities as they were when its records were dropped, found others for the same leaves`;
    findings.add({ kind: 'identity', index: null, recordId: null, what });
    return;
  }
  for (const index of missing.named.slice(0, MOST_NAMED)) {
    const what = `${month}: expected the identity of this dropped record, found none with its leaf's hash`;
    findings.add({ kind: 'identity', index, recordId: null, what });
  }
  for (const recordId of extra.named.slice(0, MOST_NAMED)) {
    // Of two with one hash nobody can say which was sent.
    const what = `${month}: expected one identity for each of its dropped records, found this one, or its like with the same leaf's hash, beside them`;
    findings.add({ kind: 'identity', index: null, recordId, what });
  }
  const named = Math.min(missing.named.length, MOST_NAMED) + Math.min(extra.named.length, MOST_NAMED);
  findings.count('identity', missing.count + extra.count - named);
}

/** Whether a month's identities are exactly those of the leaves. */
export function fits({ missing, extra }: ComparedKeys): boolean {
  return missing.count === 0 && extra.count === 0;
}

/** What a note says of all identities of a month. */
export function digestOf(sha256: Sha256, { chunks }: ComparedKeys): Uint8Array {
  return sha256(Buffer.concat(chunks));
}
