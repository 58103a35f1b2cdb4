import { type ErasedNote, formatAuditNote, MOST_ERASED } from '../../../domain/audit/audit-note.js';
import { signNote } from '../../../domain/audit/signed-note.js';
import type { LogKeys } from '../log/log-keys.js';
import { NOTE_TOOLS } from '../log/note-tools.js';
import type { Anchor } from '../log/ports.js';
import type { EraseStore, SubjectOfTenant } from './ports.js';

export interface EraseSubjectDeps {
  readonly store: EraseStore;
  readonly keys: LogKeys;
  /** null: none is configured; a restore of a backup brings the erased back, and nobody is told. */
  readonly anchor: Pick<Anchor, 'put'> | null;
  readonly now: () => Date;
  /** A new UUIDv7. */
  readonly newId: () => string;
}

export interface EraseRequest extends SubjectOfTenant {
  /** 1 to 200 characters on one line: who says so. It stands in the signed note for ever. */
  readonly by: string;
  /** 1 to 1,000 characters on one line. For ever, too: nothing of the person belongs in it. */
  readonly reason: string;
}

export interface EraseOutcome {
  readonly records: number;
  readonly failedIngest: number;
  readonly notes: number;
}

/**
 * Takes the content of a subject's records away, and leaves what proves the rest: the place in the log, the leaf's hash,
 * and a signed note that names both. The salt goes with the content, so that nobody can guess it by the hash. The note is
 * at the anchor before anything is erased: whoever restores a backup is told by it what to erase again. A crash in between
 * leaves a note whose records stand whole, which verification names; the same call erases them. Throws
 * StoreUnavailableError, AnchorUnavailableError, AuditNoteError for words that fit on no line.
 */
export function eraseSubject({ store, keys, anchor, now, newId }: EraseSubjectDeps) {
  return async ({ by, reason, ...of }: EraseRequest): Promise<EraseOutcome> => {
    const done = { records: 0, failedIngest: 0, notes: 0 };
    while (true) {
      // No cursor: what is erased is not found again, and what came in meanwhile is.
      const records = await store.find(of, MOST_ERASED);
      if (records.length === 0) return done;
      const note: ErasedNote = { kind: 'erased', log: keys.base, time: now().toISOString(), by, reason, records };
      const signed = signNote(NOTE_TOOLS, formatAuditNote(note), keys.signers);
      await anchor?.put({ kind: 'erased', origin: keys.base, size: 0, note: signed });
      const recordIds = records.map(({ recordId }) => recordId);
      const erased = await store.erase({ noteId: newId(), note: signed, recordIds, by, reason });
      done.records += erased.records;
      done.failedIngest += erased.failedIngest;
      done.notes += 1;
    }
  };
}
