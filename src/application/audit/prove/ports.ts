import type { AuditRecord } from '../../../domain/audit/audit-record.js';
import type { Place } from '../verify/ports.js';

/** A record as an export with proofs has it. */
export interface ProvableRecord {
  readonly recordId: string;
  readonly recordedAt: string;
  /** Microseconds since 1970, as text: where the next page begins, to the row. */
  readonly recordedAtMicros: string;
  readonly place: Place;
  readonly leafHash: Uint8Array;
  /** null: it was erased. */
  readonly leaf: AuditRecord | null;
}

export interface ProvableFilter {
  /** null: everybody's; the empty string: those without a tenant. */
  readonly tenantId: string | null;
}

/** Every method throws StoreUnavailableError when the database cannot answer. */
export interface ProvableStore {
  /** Behind the one given, the oldest first: of a tenant by time and id, of everybody by id, which is the same order. */
  readPage(
    filter: ProvableFilter,
    behind: Pick<ProvableRecord, 'recordId' | 'recordedAtMicros'> | null,
    limit: number,
  ): Promise<readonly ProvableRecord[]>;
  /** For each place, the first index of the seal that holds it; null: none does yet. */
  findSeals(places: readonly Place[]): Promise<readonly (number | null)[]>;
  /** The hashes of the seal that begins at this index, end to end; null: there is none. */
  readSeal(firstIndex: number): Promise<Uint8Array | null>;
  /** Signed notes that records were erased, the oldest first, some of them in memory at a time. */
  listErasedNotes(): AsyncIterable<ErasedNoteRow>;
  readNote(id: string): Promise<string | null>;
}

export interface ErasedNoteRow {
  readonly id: string;
  readonly note: string;
}
