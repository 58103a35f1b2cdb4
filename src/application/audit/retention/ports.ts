import type { Place } from '../verify/ports.js';

/** A month of records, as a partition that is attached. */
export interface Partition {
  /** `record_YYYY_MM`. */
  readonly name: string;
  /** The places of its first and last record; null: it has none. */
  readonly places: { readonly first: Place; readonly last: Place } | null;
}

/** Every method throws StoreUnavailableError when the database cannot answer. */
export interface RetentionStore {
  /** The names of what is attached, the oldest first. */
  listPartitions(): Promise<readonly string[]>;
  look(name: string): Promise<Partition>;
  countRows(name: string): Promise<number>;
  /** The place of the last record that is sealed below an anchored checkpoint; null: there is none. */
  readAnchoredPlace(): Promise<Place | null>;
  /**
   * Drops it, with the note's row. `busy`: others use the records so that it could not be had within two seconds. Throws
   * what the database refuses it for.
   */
  drop(name: string, note: string): Promise<'dropped' | 'busy'>;
}
