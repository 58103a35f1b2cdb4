import type { FailedIngest, FailedIngestState } from '../../domain/audit/failed-ingest.js';
import type { FailedIngestRef, FailedIngestStore, PersonsWord } from './ports.js';

/** Why nothing was done: no such row for this caller, or one that is closed already. */
export type NotOpen =
  | { readonly kind: 'missing' }
  | { readonly kind: 'not_open'; readonly state: Exclude<FailedIngestState, 'open'> };

export type DiscardOutcome = { readonly kind: 'discarded'; readonly row: FailedIngest } | NotOpen;

export type DiscardFailedIngest = (ref: FailedIngestRef, word: PersonsWord) => Promise<DiscardOutcome>;

export interface DiscardFailedIngestDeps {
  readonly failedIngest: FailedIngestStore;
  readonly log: { info(fields: object, message: string): void };
}

/**
 * Gives up what could not be stored (R28): the row stays, with who said so and why. The same content failing again is a
 * new row. Throws StoreUnavailableError.
 */
export function discardFailedIngest({ failedIngest, log }: DiscardFailedIngestDeps): DiscardFailedIngest {
  return async (ref, word) => {
    const row = await failedIngest.discard(ref, word);
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
