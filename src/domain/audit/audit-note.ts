/**
 * What is signed beside checkpoints: that a loss was accepted (`branch`), that a partition was dropped (`dropped`), that
 * records, and what could not be stored, were erased (`erased`). One text form, so that a note read back is the note that was written, byte for byte.
 * Such notes are signed under the log's base name. Their second line is never a number: none can pass for a checkpoint.
 */
import { fromBase64, toBase64 } from './base64.js';
import { HASH_BYTES } from './merkle-hash.js';
import { isKeyName } from './note-key.js';

const FIRST_LINE = 'temporal-outbox audit note v1';
/** Of an `erased` note: so that one stays small enough for any reader of notes. */
export const MOST_ERASED = 1_000;

export interface NoteHead {
  /** The log's base name. */
  readonly log: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  /** Who, 1 to 200 characters on one line. */
  readonly by: string;
  /** Why, 1 to 1,000 characters on one line. */
  readonly reason: string;
}

/** A size of a branch with its root. Size 0: the empty log. */
export interface BranchPoint {
  readonly branch: number;
  readonly size: number;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

export interface BranchNote extends NoteHead {
  readonly kind: 'branch';
  /** The branch that begins. */
  readonly branch: number;
  /** The newest known checkpoint that the tree still agrees with. */
  readonly kept: BranchPoint;
  /** The newest known checkpoint: what is given up lies between the two. */
  readonly lost: BranchPoint;
}

/** Leaves `first` to `first + count - 1`. */
export interface LeafRun {
  readonly first: number;
  readonly count: number;
}

export interface DroppedNote extends NoteHead {
  readonly kind: 'dropped';
  /** `record_YYYY_MM`. */
  readonly partition: string;
  readonly rows: number;
  /** 32 bytes: a hash of all identities of the month (docs/audit-log.md says of what). null: an old note, which has none. */
  readonly identities: Uint8Array | null;
  readonly runs: readonly LeafRun[];
}

export interface ErasedNote extends NoteHead {
  readonly kind: 'erased';
  /** Each record with the hash of its leaf, which stays: at most MOST_ERASED. */
  readonly records: readonly { readonly recordId: string; readonly leafHash: Uint8Array }[];
  /** Rows of `failed_ingest` that were emptied: at most MOST_ERASED, and one of both lists is not empty. */
  readonly failedIngestIds: readonly string[];
}

export type AuditNote = BranchNote | DroppedNote | ErasedNote;

export class AuditNoteError extends Error {
  override readonly name = 'AuditNoteError';
}

/** @throws AuditNoteError for what the form has no room for: a second line, a control character, a text too long */
export function formatAuditNote(note: AuditNote): string {
  const text = [
    FIRST_LINE,
    `kind ${note.kind}`,
    `log ${note.log}`,
    `time ${note.time}`,
    `by ${note.by}`,
    `reason ${note.reason}`,
    ...bodyOf(note),
    '',
  ].join('\n');
  parseAuditNote(text); // what could not be read back must not be signed
  return text;
}

/** @throws AuditNoteError for any text that `formatAuditNote` does not make */
export function parseAuditNote(text: string): AuditNote {
  const lines = text.split('\n');
  if (lines.shift() !== FIRST_LINE || lines.pop() !== '') throw new AuditNoteError(`expected "${FIRST_LINE}" first`);
  const read = new LineReader(lines);
  const kind = read.value('kind', /^(branch|dropped|erased)$/);
  const head: NoteHead = {
    log: read.value('log', /^\S+$/, isKeyName),
    time: read.value('time', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/),
    by: read.value('by', /^.{1,200}$/u),
    reason: read.value('reason', /^.{1,1000}$/u),
  };
  const note = readBody(kind as AuditNote['kind'], head, read);
  read.end();
  return note;
}

function bodyOf(note: AuditNote): string[] {
  switch (note.kind) {
    case 'branch':
      return [`branch ${note.branch}`, `kept ${pointText(note.kept)}`, `lost ${pointText(note.lost)}`];
    case 'dropped':
      return [
        `partition ${note.partition}`,
        `rows ${note.rows}`,
        ...(note.identities === null ? [] : [`identities ${toBase64(note.identities)}`]),
        ...note.runs.map(({ first, count }) => `run ${first} ${count}`),
      ];
    case 'erased':
      return [
        ...note.records.map(({ recordId, leafHash }) => `record ${recordId} ${toBase64(leafHash)}`),
        ...note.failedIngestIds.map((id) => `failed_ingest ${id}`),
      ];
  }
}

function readBody(kind: AuditNote['kind'], head: NoteHead, read: LineReader): AuditNote {
  switch (kind) {
    case 'branch': {
      const branch = Number(read.value('branch', WHOLE));
      const kept = readPoint(read.value('kept', POINT));
      const lost = readPoint(read.value('lost', POINT));
      return { kind, ...head, branch, kept, lost };
    }
    case 'dropped': {
      const partition = read.value('partition', /^record_\d{4}_\d\d$/);
      const rows = Number(read.value('rows', WHOLE));
      const [identities, ...more] = read.values('identities', /^\S+$/).map(readHash);
      if (more.length > 0) throw new AuditNoteError('expected one line "identities …", got several');
      const runs = read.values('run', /^(0|[1-9]\d{0,15}) [1-9]\d{0,15}$/).map((run) => {
        const [first = 0, count = 0] = run.split(' ').map(Number);
        return { first, count };
      });
      return { kind, ...head, partition, rows, identities: identities ?? null, runs };
    }
    case 'erased': {
      const records = read.values('record', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12} \S+$/).map((record) => {
        const [recordId = '', base64 = ''] = record.split(' ');
        return { recordId, leafHash: readHash(base64) };
      });
      const failedIngestIds = read.values('failed_ingest', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      const most = Math.max(records.length, failedIngestIds.length);
      if (most === 0 || most > MOST_ERASED) {
        throw new AuditNoteError(`expected 1 to ${MOST_ERASED} records, or rows of failed_ingest, got ${most}`);
      }
      return { kind, ...head, records, failedIngestIds };
    }
  }
}

const WHOLE = /^(0|[1-9]\d{0,15})$/;
const POINT = /^[1-9]\d{0,8} (0|[1-9]\d{0,15}) \S+$/;

const pointText = ({ branch, size, root }: BranchPoint): string => `${branch} ${size} ${toBase64(root)}`;

function readPoint(text: string): BranchPoint {
  const [branch, size, base64 = ''] = text.split(' ');
  return { branch: Number(branch), size: Number(size), root: readHash(base64) };
}

function readHash(base64: string): Uint8Array {
  const hash = fromBase64(base64);
  if (hash?.length !== HASH_BYTES) throw new AuditNoteError('expected the base64 of 32 bytes');
  return hash;
}

/** Lines of a word and a value, in one order and without any that is not asked for. */
class LineReader {
  readonly #lines: string[];

  constructor(lines: readonly string[]) {
    this.#lines = [...lines];
  }

  value(word: string, form: RegExp, fits: (value: string) => boolean = () => true): string {
    const line = this.#lines.shift();
    const value = line?.startsWith(`${word} `) ? line.slice(word.length + 1) : null;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
    if (value === null || !form.test(value) || /[\u0000-\u001f\u007f-\u009f]/.test(value) || !fits(value)) {
      throw new AuditNoteError(`expected a line "${word} …" of its form, got ${JSON.stringify(line?.slice(0, 200))}`);
    }
    return value;
  }

  values(word: string, form: RegExp): string[] {
    const found: string[] = [];
    while (this.#lines[0]?.startsWith(`${word} `)) found.push(this.value(word, form));
    return found;
  }

  end(): void {
    const [line] = this.#lines;
    if (line !== undefined)
      throw new AuditNoteError(`expected no more lines, got ${JSON.stringify(line.slice(0, 200))}`);
  }
}
