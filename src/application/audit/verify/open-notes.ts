import { type AuditNote, type BranchNote, type DroppedNote, parseAuditNote } from '../../../domain/audit/audit-note.js';
import { type Checkpoint, originOf, parseCheckpoint } from '../../../domain/audit/checkpoint.js';
import { type NoteTools, renameVerifier, type VerifierKey } from '../../../domain/audit/note-key.js';
import { openNote } from '../../../domain/audit/signed-note.js';
import type { NoteRow } from './ports.js';

/** Whose signatures count: the log's base name, and all keys that ever signed it. */
export interface KnownKeys {
  readonly base: string;
  readonly verifiers: readonly VerifierKey[];
}

/** Reads signed notes. What is not signed by a known key, or says something else than it stands for, is an Error. */
export interface NoteReader {
  /** @throws Error saying what does not fit */
  checkpoint(note: string, branch: number): Checkpoint;
  /** @throws Error saying what does not fit */
  note(note: string, kind: string): AuditNote;
}

export function noteReader(tools: NoteTools, { base, verifiers }: KnownKeys): NoteReader {
  const renamed = new Map<number, VerifierKey[]>();
  const keysOf = (branch: number): VerifierKey[] => {
    const known =
      renamed.get(branch) ?? verifiers.map((key) => renameVerifier(tools.sha256, key, originOf(base, branch)));
    renamed.set(branch, known);
    return known;
  };
  return {
    checkpoint(note, branch) {
      const opened = parseCheckpoint(openNote(tools, note, keysOf(branch)).text);
      const origin = originOf(base, branch);
      if (opened.origin !== origin) throw new Error(`expected a checkpoint of ${origin}, got one of ${opened.origin}`);
      return opened;
    },
    note(note, kind) {
      const opened = parseAuditNote(openNote(tools, note, keysOf(1)).text);
      if (opened.log !== base) throw new Error(`expected a note on ${base}, got one on ${opened.log}`);
      if (opened.kind !== kind) throw new Error(`expected a note of kind ${kind}, got ${opened.kind}`);
      return opened;
    },
  };
}

/** What signed notes account for. */
export interface Excuses {
  /** Whether a leaf's record was dropped with its partition. */
  isDropped(index: number): boolean;
  /** The hash that a signed note names for an erased record; null: no note names it. */
  erasedHash(recordId: string): Uint8Array | null;
  readonly erased: ReadonlyMap<string, Uint8Array>;
  /** The oldest first. */
  readonly branches: readonly BranchNote[];
  /** Months that are gone, each with what its notes say. */
  readonly droppedMonths: ReadonlyMap<string, readonly DroppedNote[]>;
}

/**
 * A note that a partition was dropped accounts for nothing while the partition stands: it was signed before the drop, which
 * may never have come.
 */
export function excusesOf(notes: readonly AuditNote[], partitions: readonly string[]): Excuses {
  const erased = new Map<string, Uint8Array>();
  const branches: BranchNote[] = [];
  const droppedMonths = new Map<string, DroppedNote[]>();
  for (const note of notes) {
    if (note.kind === 'branch') {
      // The anchor has it, too.
      if (!branches.some(({ branch, time }) => branch === note.branch && time === note.time)) branches.push(note);
    } else if (note.kind === 'erased')
      for (const { recordId, leafHash } of note.records) erased.set(recordId, leafHash);
    else if (!partitions.includes(note.partition)) {
      droppedMonths.set(note.partition, [...(droppedMonths.get(note.partition) ?? []), note]);
    }
  }
  const runs = [...droppedMonths.values()].flat().flatMap((note) => note.runs);
  runs.sort((a, b) => a.first - b.first);
  return {
    isDropped: (index) => {
      let [low, high] = [0, runs.length];
      while (low < high) {
        const middle = (low + high) >> 1;
        if ((runs[middle]?.first ?? 0) <= index) low = middle + 1;
        else high = middle;
      }
      // Of several notes on one month the runs are the same, so the one before is the one that may reach this far.
      const run = runs[low - 1];
      return run !== undefined && index < run.first + run.count;
    },
    erasedHash: (recordId) => erased.get(recordId) ?? null,
    erased,
    branches: branches.sort((a, b) => a.branch - b.branch),
    droppedMonths,
  };
}

/** The rows that are what they say, and why the others are not. */
export function openRows(
  reader: NoteReader,
  rows: readonly NoteRow[],
): { readonly notes: AuditNote[]; readonly broken: { readonly id: string; readonly why: string }[] } {
  const notes: AuditNote[] = [];
  const broken: { id: string; why: string }[] = [];
  for (const { id, kind, note } of rows) {
    try {
      notes.push(reader.note(note, kind));
    } catch (error) {
      broken.push({ id, why: error instanceof Error ? error.message : String(error) });
    }
  }
  return { notes, broken };
}
