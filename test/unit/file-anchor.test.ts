/** The file anchor. Real: the file, its folder, SHA-256 and Ed25519. Nothing is fake. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { NOTE_TOOLS, sha256 } from '../../src/application/audit/log/note-tools.js';
import { type AnchoredNote, AnchorUnavailableError } from '../../src/application/audit/log/ports.js';
import { heedSignalOfAnchor } from '../../src/application/audit/verify/heed-signal.js';
import { formatCheckpoint } from '../../src/domain/audit/checkpoint.js';
import { signerKey } from '../../src/domain/audit/note-key.js';
import { signNote } from '../../src/domain/audit/signed-note.js';
import { callsWithin } from '../../src/infrastructure/anchor/call-within.js';
import { createFileAnchor } from '../../src/infrastructure/anchor/file-anchor.js';

const key = signerKey(NOTE_TOOLS, 'log.test', new Uint8Array(32).fill(7));
const checkpoint = (size: number, origin = 'log.test'): AnchoredNote => {
  const text = formatCheckpoint({ origin, size, root: sha256(Uint8Array.of(size)) });
  return { kind: 'checkpoint', origin, size, note: signNote(NOTE_TOOLS, text, [key]) };
};

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anchor-'));
  path = join(folder, 'anchor.ndjson');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function all(): Promise<AnchoredNote[]> {
  const notes: AnchoredNote[] = [];
  for await (const note of createFileAnchor(path).readAll()) notes.push(note);
  return notes;
}

it('a file that is not there yet holds nothing; the newest is the largest of its origin, whatever the order', async () => {
  const anchor = createFileAnchor(path);
  expect(await anchor.newest('log.test')).toBeNull();
  expect(await all()).toEqual([]);
  for (const note of [checkpoint(3), checkpoint(9, 'log.test/2'), checkpoint(5), checkpoint(4)]) await anchor.put(note);
  expect(await anchor.newest('log.test')).toEqual(checkpoint(5));
  expect(await anchor.newest('log.test/2')).toEqual(checkpoint(9, 'log.test/2'));
  expect((await all()).map(({ size }) => size)).toEqual([3, 9, 5, 4]);
});

it('what others add is seen, what they take away too', async () => {
  const [mine, other] = [createFileAnchor(path), createFileAnchor(path)];
  await mine.put(checkpoint(3));
  expect((await mine.newest('log.test'))?.size).toBe(3);
  await other.put(checkpoint(6));
  expect((await mine.newest('log.test'))?.size).toBe(6);
  writeFileSync(path, `${JSON.stringify(checkpoint(2))}\n`);
  expect((await mine.newest('log.test'))?.size).toBe(2);
  writeFileSync(`${path}.new`, `${JSON.stringify(checkpoint(1))}\n${JSON.stringify(checkpoint(8))}\n`);
  renameSync(`${path}.new`, path);
  expect((await mine.newest('log.test'))?.size).toBe(8);
});

it('a line that a crash cut off is passed over, and the next one begins anew', async () => {
  const anchor = createFileAnchor(path);
  await anchor.put(checkpoint(3));
  const line = JSON.stringify(checkpoint(4));
  appendFileSync(path, line.slice(0, 60));
  expect((await anchor.newest('log.test'))?.size).toBe(3);
  await anchor.put(checkpoint(5));
  expect((await anchor.newest('log.test'))?.size).toBe(5);
  expect((await all()).map(({ size }) => size)).toEqual([3, 5]);
  expect(readFileSync(path, 'utf8').endsWith('}\n')).toBe(true);
});

it('a line that says something else of a checkpoint than the checkpoint itself is none: an old one cannot pass for the newest', async () => {
  const anchor = createFileAnchor(path);
  await anchor.put(checkpoint(5));
  for (const lie of [
    { ...checkpoint(2), size: 99 },
    { ...checkpoint(99, 'log.test/2'), origin: 'log.test' },
    { kind: 'x' },
    null,
  ]) {
    appendFileSync(path, `${JSON.stringify(lie)}\n`);
  }
  appendFileSync(path, 'no JSON\n\n');
  expect((await anchor.newest('log.test'))?.size).toBe(5);
  expect(await all()).toHaveLength(1);
});

it('a long file is read in pieces: what is newest does not depend on where they end, nor on a tail without an end', async () => {
  const line = `${JSON.stringify(checkpoint(5))}\n`;
  const filler = `${'x'.repeat(999)}\n`.repeat(200); // three pieces of 64 KiB, and an end within a line
  writeFileSync(path, `${filler}${line}${filler}${line.slice(0, 50)}`);
  const anchor = createFileAnchor(path);
  expect(await anchor.newest('log.test')).toEqual(checkpoint(5));
  appendFileSync(path, `${line.slice(50)}${JSON.stringify(checkpoint(9))}\n`);
  expect(await anchor.newest('log.test')).toEqual(checkpoint(9));
  // Nothing that long is a note. It is passed over, and what comes after it is read.
  appendFileSync(path, 'y'.repeat(3 * 1024 * 1024));
  expect(await anchor.newest('log.test')).toEqual(checkpoint(9));
  appendFileSync(path, `\n${JSON.stringify(checkpoint(11))}\n`);
  expect(await anchor.newest('log.test')).toEqual(checkpoint(11));
});

it('a call that hangs is away at its deadline, and so is every other one until it ends', async () => {
  const call = callsWithin('file:x', 50);
  let end = () => {};
  const hanging = call(() => new Promise<void>((resolve) => (end = resolve)));
  await expect(hanging).rejects.toMatchObject({
    name: 'AnchorUnavailableError',
    cause: new Error('expected an answer within 0.05 s'),
  });
  const mute = jest.fn<() => Promise<void>>();
  await expect(call(mute)).rejects.toMatchObject({ cause: new Error('a call before has not ended yet') });
  expect(mute).not.toHaveBeenCalled();
  end();
  await Promise.resolve();
  expect(await call(async () => 7)).toBe(7);
});

(process.platform === 'win32' ? it.skip : it)('a file that never says anything is away, too', async () => {
  execFileSync('mkfifo', [path]);
  const writer = await open(path, 'r+'); // whoever reads waits for what it never writes
  const anchor = createFileAnchor(path, { deadlineMs: 50 });
  const reading = (async () => {
    for await (const _ of anchor.readAll()) throw new Error('expected nothing');
  })();
  await expect(reading).rejects.toThrow(AnchorUnavailableError);
  // Whoever heeds a signal does not wait for the deadline.
  for (const read of ['readAll', 'readBack'] as const) {
    const stopping = new AbortController();
    const next = heedSignalOfAnchor(createFileAnchor(path), stopping.signal)[read]()[Symbol.asyncIterator]().next();
    stopping.abort(new Error('stopped'));
    await expect(next).rejects.toThrow('stopped');
  }
  rmSync(path); // for what has not opened it yet
  await writer.close(); // the end of the file, for all that still read
});

describe('from its end', () => {
  const back = async (most = Number.POSITIVE_INFINITY) => {
    const notes: AnchoredNote[] = [];
    for await (const note of createFileAnchor(path).readBack()) {
      notes.push(note);
      if (notes.length === most) break;
    }
    return notes;
  };

  it('holds the same as from its beginning, whatever its lines are: longer than a part that is read, cut off, of any letters', async () => {
    expect(await back()).toEqual([]);
    writeFileSync(path, '');
    expect(await back()).toEqual([]);
    const anchor = createFileAnchor(path);
    for (let at = 1; at <= 40; at++) {
      await anchor.put(checkpoint(at));
      const note = `${'\u20ac\u{1f600}x'.repeat(at * 900)}`;
      await anchor.put({ kind: 'erased', origin: 'log.test', size: 0, note });
      if (at % 7 === 0) appendFileSync(path, '\n\n{"kind":');
    }
    const forth = await all();
    expect(forth).toHaveLength(80);
    expect(await back()).toEqual(forth.toReversed());
    appendFileSync(path, JSON.stringify(checkpoint(41)));
    expect(await back(2)).toEqual([checkpoint(41), forth.at(-1)]);
  });

  it('is read no further than it is asked for', async () => {
    writeFileSync(path, `${'x'.repeat(200_000)}\n${JSON.stringify(checkpoint(7))}\n`);
    const file = await open(path);
    const read = jest.spyOn(Object.getPrototypeOf(file), 'read');
    try {
      expect(await back(1)).toEqual([checkpoint(7)]);
      expect(read).toHaveBeenCalledTimes(1);
    } finally {
      read.mockRestore();
      await file.close();
    }
  });

  it('what cannot be read is away', async () => {
    mkdirSync(path);
    await expect(back(1)).rejects.toThrow(AnchorUnavailableError);
  });
});

it('what cannot be read or written is away', async () => {
  const anchor = createFileAnchor(join(path, 'below'));
  writeFileSync(path, '');
  await expect(anchor.put(checkpoint(1))).rejects.toThrow(AnchorUnavailableError);
  await expect(anchor.newest('log.test')).rejects.toThrow(AnchorUnavailableError);
});
