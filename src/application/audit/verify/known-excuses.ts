import type { AuditNote } from '../../../domain/audit/audit-note.js';
import type { Anchor } from '../log/ports.js';
import { type Excuses, excusesOf, type NoteReader, openRows } from './open-notes.js';
import type { VerifyStore } from './ports.js';

/** What signed notes account for, as far as it was read. */
export interface KnownExcuses {
  /** As known; nothing before the first reading. */
  now(): Excuses;
  /**
   * All of it, read anew. To be asked behind the rows that it shall account for: a record is erased, and a month dropped,
   * in one transaction with the note, so whatever the rows show has its note by then. The other way round a drop between
   * the two readings would look like somebody's doing.
   */
  read(): Promise<Excuses>;
  /** Of the losses that were accepted, those that the database has a note of: a few, found without the others. */
  readBranches(): Promise<Excuses>;
  /** All of it, read where it was not yet. */
  all(): Promise<Excuses>;
}

/**
 * `anchor` null: there is none. Its notes are read once, when they are first needed. Throws StoreUnavailableError,
 * AnchorUnavailableError.
 */
export function knowExcuses({
  store,
  anchor,
  reader,
}: {
  readonly store: Pick<VerifyStore, 'readPartitions' | 'readNotes'>;
  readonly anchor: Pick<Anchor, 'readAll'> | null;
  readonly reader: NoteReader;
}): KnownExcuses {
  let known = excusesOf([], []);
  let anchored: readonly AuditNote[] | null = null;
  const read = async (): Promise<Excuses> => {
    anchored ??= anchor === null ? [] : await readAnchoredNotes(anchor, reader);
    // Partitions first: one that is dropped between the two reads has its note in the second.
    const partitions = await store.readPartitions();
    known = excusesOf([...openRows(reader, await store.readNotes()).notes, ...anchored], partitions);
    return known;
  };
  return {
    now: () => known,
    read,
    async readBranches() {
      known = excusesOf(openRows(reader, await store.readNotes('branch')).notes, []);
      return known;
    },
    all: async () => (anchored === null ? read() : known),
  };
}

/** What the anchor says besides checkpoints. Notes that nobody known has signed say nothing: anybody may write there. */
async function readAnchoredNotes(anchor: Pick<Anchor, 'readAll'>, reader: NoteReader): Promise<AuditNote[]> {
  const notes: AuditNote[] = [];
  for await (const { kind, note } of anchor.readAll()) {
    if (kind === 'checkpoint') continue;
    try {
      notes.push(reader.note(note, kind));
    } catch {
      // Nobody's word: no evidence of anything, and nothing that could be mended here.
    }
  }
  return notes;
}
