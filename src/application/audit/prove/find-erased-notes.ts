import { toBase64 } from '../../../domain/audit/base64.js';
import type { ProvableRecord, ProvableStore } from './ports.js';

type Erased = Pick<ProvableRecord, 'recordId' | 'leafHash'>;

/** The id of the note that names a record as erased, with the hash of its leaf; null: none does. */
export type FindErasedNote = (record: Erased) => Promise<string | null>;

/**
 * Reads all notes when the first record is asked for, and again only for one that was erased since. Keeps which note names
 * which record, some 150 bytes for each that was ever erased, and none of the notes: they are read one by one when they are
 * needed. Whether anybody has signed them is for whoever verifies the export. Throws StoreUnavailableError.
 */
export function findErasedNotes(store: Pick<ProvableStore, 'listErasedNotes'>): FindErasedNote {
  let named = new Map<string, string>();
  return async (record) => {
    const line = lineOf(record);
    if (!named.has(line)) named = await readNamed(store);
    return named.get(line) ?? null;
  };
}

async function readNamed(store: Pick<ProvableStore, 'listErasedNotes'>): Promise<Map<string, string>> {
  const named = new Map<string, string>();
  for await (const { id, note } of store.listErasedNotes()) {
    // The oldest that names it: another one is the same word again.
    for (const [, line = ''] of note.matchAll(/^record (\S+ \S+)$/gm)) if (!named.has(line)) named.set(line, id);
  }
  return named;
}

const lineOf = ({ recordId, leafHash }: Erased): string => `${recordId} ${toBase64(leafHash)}`;
