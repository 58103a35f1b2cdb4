import type { AuditNote } from '../../../domain/audit/audit-note.js';
import { NOTE_TOOLS } from '../log/note-tools.js';
import type { Anchor } from '../log/ports.js';
import { type KnownKeys, type NoteReader, noteReader } from '../verify/open-notes.js';
import type { Erased, EraseStore } from './ports.js';

export interface EraseAgainDeps {
  readonly store: EraseStore;
  readonly keys: KnownKeys;
  readonly anchor: Pick<Anchor, 'readAll'>;
  readonly newId: () => string;
}

/**
 * After a restore: erases what signed notes at the anchor name and what stands whole again, by those very notes. Returns how
 * much. Notes that no known key has signed are passed over. Throws StoreUnavailableError, AnchorUnavailableError.
 */
export function eraseAgain({ store, keys, anchor, newId }: EraseAgainDeps) {
  return async (): Promise<Erased> => {
    const reader = noteReader(NOTE_TOOLS, keys);
    const done = { records: 0, failedIngest: 0 };
    for await (const { kind, note } of anchor.readAll()) {
      const opened = kind === 'erased' ? openNote(reader, note) : null;
      if (opened?.kind !== 'erased') continue;
      const records = await store.findWhole(opened.records.map(({ recordId }) => recordId));
      const failedIngestIds = await store.findFailed(opened.failedIngestIds, null);
      if (records.length + failedIngestIds.length === 0) continue;
      const { by, reason } = opened;
      const erased = await store.erase({ noteId: newId(), note, records, failedIngestIds, by, reason });
      done.records += erased.records;
      done.failedIngest += erased.failedIngest;
    }
    return done;
  };
}

function openNote(reader: NoteReader, note: string): AuditNote | null {
  try {
    return reader.note(note, 'erased');
  } catch {
    return null; // signed by no known key, or no note: anybody may write to a file
  }
}
