import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import type { Anchor, AnchoredNote } from '../../application/audit/log/ports.js';
import { parseCheckpoint } from '../../domain/audit/checkpoint.js';
import { readNoteText } from '../../domain/audit/signed-note.js';
import { callsWithin } from './call-within.js';

/** Of a call, and of each piece or line where more is read: the first look for the newest reads the whole file. */
const DEADLINE_MS = 30_000;
/** No checkpoint is as long: what is, without an end of line, is not kept until one comes. */
const LINE_BYTES = 1024 * 1024;

/**
 * An anchor that is a file of one JSON document a line, added to and never rewritten, on the disk (fsync) before `put`
 * resolves. It proves as much as its place does: a disk that the owner of the database cannot write to. A last line that a
 * crash cut off is passed over, and so is any other that is no note. Every call ends within `deadlineMs`, 30 s unless given.
 */
export function createFileAnchor(path: string, { deadlineMs = DEADLINE_MS } = {}): Anchor {
  const name = `file:${path}`;
  /** How far the file was read, and what was the newest by then: at each checkpoint only what was added is read. */
  let read = { ino: 0, bytes: 0, newest: new Map<string, AnchoredNote>() };

  const call = callsWithin(name, deadlineMs);

  async function catchUp(): Promise<Map<string, AnchoredNote>> {
    const found = await call(() => stat(path).catch(ignoreMissing));
    // Another file, or a shorter one: whoever made it so, what it says now counts.
    if (found === null || found.ino !== read.ino || found.size < read.bytes) {
      read = { ino: found?.ino ?? 0, bytes: 0, newest: new Map() };
    }
    if (found === null || found.size === read.bytes) return read.newest;
    const { newest } = read;
    let begun: Buffer = Buffer.alloc(0);
    const input = createReadStream(path, { start: read.bytes, end: found.size - 1 });
    const parts = input[Symbol.asyncIterator]();
    for (let part = await call(() => parts.next()); !part.done; part = await call(() => parts.next())) {
      const added = Buffer.concat([begun, part.value as Buffer]);
      // Not a line that is not ended yet: it is read again when it is.
      const end = added.length > LINE_BYTES ? added.length : added.lastIndexOf('\n') + 1;
      for (const line of added.subarray(0, end).toString('utf8').split('\n')) {
        const note = parseLine(line);
        if (note?.kind === 'checkpoint' && note.size > (newest.get(note.origin)?.size ?? 0)) {
          newest.set(note.origin, note);
        }
      }
      begun = added.subarray(end);
      read = { ...read, bytes: read.bytes + end };
    }
    return newest;
  }

  return {
    name,

    put: (note) =>
      call(async () => {
        const file = await open(path, 'a+', 0o640);
        try {
          // After a line that a crash cut off the next one begins anew.
          const start = (await endsInLine(file)) ? '' : '\n';
          await file.appendFile(`${start}${JSON.stringify(note)}\n`);
          await file.sync();
        } finally {
          await file.close();
        }
        await syncFolder(dirname(path));
      }),

    newest: async (origin) => (await catchUp()).get(origin) ?? null,

    async *readAll() {
      if ((await call(() => stat(path).catch(ignoreMissing))) === null) return;
      const input = createReadStream(path);
      const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
      try {
        for (;;) {
          const { done, value } = await call(() => lines.next());
          if (done) return;
          const note = parseLine(value);
          if (note !== null) yield note;
        }
      } finally {
        input.destroy();
      }
    },

    async *readBack() {
      if ((await call(() => stat(path).catch(ignoreMissing))) === null) return;
      const file = await call(() => open(path, 'r'));
      try {
        const lines = linesBack(file);
        // Not a loop over them: what the reader throws is not the anchor's being away.
        for (let line = await call(() => lines.next()); !line.done; ) {
          const note = parseLine(line.value);
          if (note !== null) yield note;
          line = await call(() => lines.next());
        }
      } finally {
        await file.close();
      }
    },
  };
}

const BACK_BYTES = 65_536;
const LINE_FEED = 10;

/** The last line first. */
async function* linesBack(file: FileHandle): AsyncGenerator<string, undefined> {
  /** Of the line whose beginning is not read yet, the last part last. */
  let rest: Buffer[] = [];
  for (let end = (await file.stat()).size; end > 0; ) {
    const start = Math.max(0, end - BACK_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    if (bytesRead < end - start) throw new Error(`expected ${end} bytes, found fewer: the file is being cut off`);
    let behind = buffer.length;
    for (
      let at = buffer.lastIndexOf(LINE_FEED);
      at !== -1;
      at = at === 0 ? -1 : buffer.lastIndexOf(LINE_FEED, at - 1)
    ) {
      yield Buffer.concat([buffer.subarray(at + 1, behind), ...rest]).toString('utf8');
      rest = [];
      behind = at;
    }
    rest.unshift(buffer.subarray(0, behind));
    end = start;
  }
  yield Buffer.concat(rest).toString('utf8');
}

const KINDS: ReadonlySet<string> = new Set<AnchoredNote['kind']>(['checkpoint', 'branch', 'dropped', 'erased']);

/** What the line says of a checkpoint must be what the checkpoint says: else an old one could pass for the newest. */
function parseLine(line: string): AnchoredNote | null {
  try {
    const { kind, origin, size, note } = JSON.parse(line) as AnchoredNote;
    if (!KINDS.has(kind) || typeof origin !== 'string' || typeof note !== 'string') return null;
    if (kind !== 'checkpoint') return { kind, origin, size: 0, note };
    const checkpoint = parseCheckpoint(readNoteText(note));
    return checkpoint.origin === origin && checkpoint.size === size ? { kind, origin, size, note } : null;
  } catch {
    return null; // no JSON or no note: a torn line, or somebody's own
  }
}

async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return true;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer.toString() === '\n';
}

/** A new file is only there after a crash when its folder is written, too. Windows knows no such thing. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
