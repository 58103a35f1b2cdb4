import type { AuditRecord } from '../../../domain/audit/audit-record.js';
import type { Place } from '../verify/ports.js';

/** A record as an export with proofs has it. */
export interface ProvableRecord {
  readonly recordId: string;
  readonly recordedAt: string;
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
  /** By record id, behind the one given, the oldest first. */
  readPage(filter: ProvableFilter, behind: string | null, limit: number): Promise<readonly ProvableRecord[]>;
  /** For each place, the first index and the hashes of the seal that holds it; null: none does yet. */
  findSeals(
    places: readonly Place[],
  ): Promise<readonly ({ readonly firstIndex: number; readonly hashes: Uint8Array } | null)[]>;
}
