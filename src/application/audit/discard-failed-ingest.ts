import type { FailedIngest, FailedIngestState } from '../../domain/audit/failed-ingest.js';
import { checkFingerprintKeys, type FingerprintKeys } from './fingerprint.js';
import type { AuditStore, FailedIngestRef, FailedIngestStore, PersonsWord } from './ports.js';
import { recordOfPerson } from './record-of-person.js';

/** Why nothing was done: no such row for this caller, or one that is closed already. */
export type NotOpen =
  | { readonly kind: 'missing' }
  | { readonly kind: 'not_open'; readonly state: Exclude<FailedIngestState, 'open'> };

export type DiscardOutcome = { readonly kind: 'discarded'; readonly row: FailedIngest } | NotOpen;

export type DiscardFailedIngest = (ref: FailedIngestRef, word: PersonsWord) => Promise<DiscardOutcome>;

export interface DiscardFailedIngestDeps {
  readonly failedIngest: FailedIngestStore;
  readonly store: Pick<AuditStore, 'keepKeyChecks'>;
  readonly fingerprintKeys: FingerprintKeys;
  readonly log: { info(fields: object, message: string): void };
}

/**
 * Gives up what could not be stored (R28): its body goes, the row stays, with who said so and why. The same content failing
 * again is a new row. An audit record tells of it, in the same transaction. Throws StoreUnavailableError and FingerprintKeyError.
 */
export function discardFailedIngest({
  failedIngest,
  store,
  fingerprintKeys,
  log,
}: DiscardFailedIngestDeps): DiscardFailedIngest {
  return async (ref, word) => {
    await checkFingerprintKeys(store, fingerprintKeys);
    const row = await failedIngest.discard(ref, word, recordOfPerson(fingerprintKeys, 'discarded', word));
    if (row === null) return whyNotOpen(failedIngest, ref);
    const fields = { event: 'ingest.discarded', failedIngestId: row.id, actor: word.actor };
    log.info(fields, 'a failed event was discarded');
    return { kind: 'discarded', row };
  };
}

/** After a statement that found no open row. */
export async function whyNotOpen(failedIngest: FailedIngestStore, ref: FailedIngestRef): Promise<NotOpen> {
  const row = await failedIngest.find(ref);
  // Open it cannot be any more: nothing opens a row again.
  return row === null || row.state === 'open' ? { kind: 'missing' } : { kind: 'not_open', state: row.state };
}
