import { AuditNoteError, type BranchNote, parseAuditNote } from '../../../domain/audit/audit-note.js';
import {
  type Checkpoint,
  CheckpointError,
  findBaseProblem,
  formatCheckpoint,
  originOf,
  parseCheckpoint,
} from '../../../domain/audit/checkpoint.js';
import {
  NoteKeyError,
  renameVerifier,
  type SignerKey,
  signerKey,
  type VerifierKey,
} from '../../../domain/audit/note-key.js';
import { openNote, readNoteText, SignedNoteError, signNote } from '../../../domain/audit/signed-note.js';
import { NOTE_TOOLS } from './note-tools.js';

/**
 * The keys of a log. They are configured under the log's base name; in a later branch each has the branch's name, and so
 * another id, so that a branch's checkpoints are taken for another's by nobody who reads notes.
 */
export interface LogKeys {
  readonly base: string;
  /** All of them sign; none where the process only reads. */
  readonly signers: readonly SignerKey[];
  /** All that ever signed, as far as they are known: the signers' and the old ones. */
  readonly verifiers: readonly VerifierKey[];
}

/** @throws NoteKeyError where the base is none, or a key has another name */
export function logKeys(given: {
  readonly base: string;
  readonly signers: readonly SignerKey[];
  readonly verifiers: readonly VerifierKey[];
}): LogKeys {
  const { base, signers, verifiers } = given;
  const problem = findBaseProblem(base);
  if (problem !== null) throw new NoteKeyError(`the log's name ${JSON.stringify(base)}: ${problem}`);
  const known = [...signers, ...verifiers];
  const other = known.find(({ name }) => name !== base);
  if (other !== undefined)
    throw new NoteKeyError(`expected every key to have the log's name ${base}, got one of ${other.name}`);
  return { base, signers, verifiers: known.filter(({ id }, at) => known.findIndex((key) => key.id === id) === at) };
}

/** @throws SignedNoteError where there is no key to sign with */
export function signCheckpoint(keys: LogKeys, branch: number, { size, root }: Omit<Checkpoint, 'origin'>): string {
  const origin = originOf(keys.base, branch);
  const signers = keys.signers.map(({ seed }) => signerKey(NOTE_TOOLS, origin, seed));
  return signNote(NOTE_TOOLS, formatCheckpoint({ origin, size, root }), signers);
}

/**
 * The checkpoint of a note that a key of ours has signed for this branch; null for any other note, whatever is wrong.
 */
export function openCheckpoint(keys: LogKeys, branch: number, note: string): Checkpoint | null {
  const origin = originOf(keys.base, branch);
  try {
    const verifiers = keys.verifiers.map((key) => renameVerifier(NOTE_TOOLS.sha256, key, origin));
    const checkpoint = parseCheckpoint(openNote(NOTE_TOOLS, note, verifiers).text);
    return checkpoint.origin === origin ? checkpoint : null;
  } catch (error) {
    if (error instanceof SignedNoteError || error instanceof CheckpointError) return null;
    throw error;
  }
}

/** What a note says of itself, nobody's signature looked at; null where it is no checkpoint. */
export function readCheckpoint(note: string): Checkpoint | null {
  try {
    return parseCheckpoint(readNoteText(note));
  } catch (error) {
    if (error instanceof SignedNoteError || error instanceof CheckpointError) return null;
    throw error;
  }
}

/** The branch that an origin names: null where it is none of this log's. */
export function branchOf(base: string, origin: string): number | null {
  if (origin === base) return 1;
  const number = Number(origin.startsWith(`${base}/`) ? origin.slice(base.length + 1) : Number.NaN);
  return Number.isSafeInteger(number) && number > 1 && originOf(base, number) === origin ? number : null;
}

/** Those branch notes that a key of ours has signed for this log, the latest branch last. The others are nobody's word. */
export function openBranchNotes(keys: LogKeys, notes: readonly string[]): BranchNote[] {
  return notes
    .flatMap((note) => {
      try {
        const read = parseAuditNote(openNote(NOTE_TOOLS, note, keys.verifiers).text);
        return read.kind === 'branch' && read.log === keys.base ? [read] : [];
      } catch (error) {
        if (error instanceof SignedNoteError || error instanceof AuditNoteError) return [];
        throw error;
      }
    })
    .sort((a, b) => a.branch - b.branch);
}
