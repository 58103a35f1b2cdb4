/**
 * The offline verifier, which shares no code with what it checks, against the vectors of RFC 8785 and RFC 9162
 * (shared/data/vectors; without them those tests say so and pass by) and against exports that are made here. Real:
 * signatures, hashes. Fake: nothing.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { leafHash } from '../../src/application/audit/leaf-hash.js';
import { NOTE_TOOLS, sha256 } from '../../src/application/audit/log/note-tools.js';
import { type ErasedNote, formatAuditNote, parseAuditNote } from '../../src/domain/audit/audit-note.js';
import { formatCheckpoint, originOf } from '../../src/domain/audit/checkpoint.js';
import { compactRange } from '../../src/domain/audit/compact-range.js';
import { inclusionSubtrees, joinSubtrees, type Subtree } from '../../src/domain/audit/merkle-tree.js';
import { formatVerifierKey, type SignerKey, signerKey } from '../../src/domain/audit/note-key.js';
import { openNote, signNote } from '../../src/domain/audit/signed-note.js';
import { canonicalJson, parseKey, provesInclusion, verifyExport } from '../../src/offline/outbox-verify.mts';

const vectors =
  process.env.OUTBOX_VECTORS_DIR ?? fileURLToPath(new URL('../../../shared/data/vectors', import.meta.url));
const present = existsSync(vectors);
if (!present) console.warn(`SKIPPED: no vectors at ${vectors}; OUTBOX_VECTORS_DIR names another folder`);
const withVectors = present ? describe : describe.skip;

withVectors('RFC 8785', () => {
  it.each(present ? readdirSync(`${vectors}/jcs/input`) : ['none'])('%s', (name) => {
    const made = canonicalJson(JSON.parse(readFileSync(`${vectors}/jcs/input/${name}`, 'utf8')));
    const bytes = readFileSync(`${vectors}/jcs/outhex/${name.replace('.json', '.txt')}`, 'utf8').replaceAll(/\s/g, '');
    expect(Buffer.from(made).toString('hex')).toBe(bytes);
  });

  it('numbers as ES6 writes them', () => {
    for (const line of readFileSync(`${vectors}/jcs/es6-number-samples.csv`, 'utf8').trim().split('\n')) {
      const [bits = '', text] = line.trim().split(',');
      expect(canonicalJson(Buffer.from(bits.padStart(16, '0'), 'hex').readDoubleBE())).toBe(text);
    }
  });
});

it('refuses what canonical JSON has no form for', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '\ud800', { '\udc00': 1 }, ['\ud800']]) {
    expect(() => canonicalJson(value)).toThrow();
  }
});

withVectors('RFC 9162', () => {
  interface Probe {
    readonly leaf_index: string;
    readonly tree_size: string;
    readonly root_hex: string;
    readonly leaf_hash_hex: string;
    readonly proof_hex: readonly string[] | null;
    readonly want_error: boolean;
  }
  it('every inclusion probe', () => {
    const probes: Probe[] = JSON.parse(readFileSync(`${vectors}/merkle/inclusion-probes.json`, 'utf8'));
    expect(probes.length).toBeGreaterThan(50);
    for (const probe of probes) {
      const proof = (probe.proof_hex ?? []).map((hash) => Buffer.from(hash, 'hex'));
      const proven = provesInclusion(
        Buffer.from(probe.leaf_hash_hex, 'hex'),
        Number(probe.leaf_index),
        Number(probe.tree_size),
        proof,
        Buffer.from(probe.root_hex, 'hex'),
      );
      expect(proven).toBe(!probe.want_error);
    }
  });
});

const ORIGIN = 'log.test/audit';
const signer = signerKey(NOTE_TOOLS, ORIGIN, randomBytes(32));

/** An export of a log of `size` records, `erased` of them; the lines may be changed before they are read. */
function exportOf(size: number, { erased = [] as number[], branch = 1, by = signer } = {}): string[] {
  const leaves = Array.from({ length: size }, (_, index) => ({
    leafVersion: 1 as const,
    recordId: `0198c0de-0000-7000-8000-${String(index).padStart(12, '0')}`,
    recordedAt: '2026-11-28T10:00:00.000Z',
    tenantId: '',
    via: 'api' as const,
    keyId: '0198c0de-0000-7000-8000-ffffffffffff',
    salt: randomBytes(16).toString('hex'),
    event: { action: 'a.b', data: { z: 1e-7, é: '\u20ac', 10: index } },
  }));
  const hashes = leaves.map(leafHash);
  const rootOf = ({ level, index }: Subtree) => {
    const range = compactRange(sha256);
    for (const hash of hashes.slice(index * 2 ** level, (index + 1) * 2 ** level)) range.append(hash);
    return range.root();
  };
  const range = compactRange(sha256);
  for (const hash of hashes) range.append(hash);
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  const origin = originOf(ORIGIN, branch);
  const ofBranch = signerKey(NOTE_TOOLS, origin, by.seed);
  const note = signNote(NOTE_TOOLS, formatCheckpoint({ origin, size, root: range.root() }), [ofBranch]);
  const lines: object[] = [{ type: 'checkpoint', note }];
  for (const [index, leaf] of leaves.entries()) {
    const proof = inclusionSubtrees(index, size).map((part) => base64(joinSubtrees(sha256, part.map(rootOf))));
    const hash = hashes[index] as Uint8Array;
    const { recordId, recordedAt } = leaf;
    if (erased.includes(index)) {
      lines.push({ type: 'note', note: erasedNote(recordId, hash, by) });
      lines.push({ type: 'erased', index, proof, recordId, recordedAt, hash: base64(hash) });
    } else lines.push({ type: 'record', index, proof, leaf });
  }
  return [...lines, { type: 'end', records: size }].map((line) => JSON.stringify(line));
}

function erasedNote(recordId: string, leaf: Uint8Array, by: SignerKey): string {
  const text = formatAuditNote({
    kind: 'erased',
    log: ORIGIN,
    time: '2026-11-28T10:00:00Z',
    by: 'x',
    reason: 'y',
    records: [{ recordId, leafHash: leaf }],
    failedIngestIds: ['0198c0de-0000-7000-8000-00000000000f'],
  });
  return signNote(NOTE_TOOLS, text, [by]);
}

function droppedNote(): string {
  const head = { log: ORIGIN, time: '2026-11-28T10:00:00Z', by: 'x', reason: 'y' };
  const note = { kind: 'dropped' as const, ...head, partition: 'record_2026_01', rows: 0, identities: null, runs: [] };
  return signNote(NOTE_TOOLS, formatAuditNote(note), [signer]);
}

const noteOf = (lines: readonly string[], at: number): string => JSON.parse(lines[at] as string).note;

async function read(lines: readonly string[], keys = [parseKey(formatVerifierKey(signer))], origin = ORIGIN) {
  async function* each() {
    yield* lines;
  }
  return verifyExport(each(), { origin, keys });
}

describe('an export', () => {
  it('whole, with erased records, of any size, is proven and complete', async () => {
    for (const size of [1, 2, 3, 7, 8, 33]) {
      expect(await read(exportOf(size, { erased: [0, 5] }))).toEqual({
        origin: ORIGIN,
        size,
        records: size - (size > 5 ? 2 : 1),
        erased: size > 5 ? 2 : 1,
        complete: true,
      });
    }
  });

  it('of a part is proven, and not complete', async () => {
    const [first = '', ...rest] = exportOf(9);
    const some = [...rest.slice(2, 5), JSON.stringify({ type: 'end', records: 3 })];
    expect(await read([first, ...some])).toMatchObject({ records: 3, size: 9, complete: false });
    expect(await read([first, ...some.slice(0, 3).reverse(), ...some.slice(3)])).toMatchObject({ records: 3 });
  });

  it('of one record alone, cut out with the checkpoint before it and an end behind it, is proven; changed it is not', async () => {
    const lines = exportOf(9);
    const one = [lines[0] as string, lines[4] as string, '{"type":"end","records":1}'];
    expect(await read(one)).toMatchObject({ records: 1, size: 9, complete: false });
    await expect(read(edit(one, 1, '"action":"a.b"', '"action":"a.c"'))).rejects.toThrow(/line 2: leaf 3/);
  });

  it('of a branch is of the same log', async () => {
    expect(await read(exportOf(3, { branch: 2 }))).toMatchObject({ origin: `${ORIGIN}/2`, complete: true });
  });

  it.each<[string, (lines: string[]) => string[], RegExp]>([
    ['cut off before its end', (lines) => lines.slice(0, -1), /line 11: expected the end/],
    ['cut off in the middle', (lines) => lines.slice(0, 4), /line 5: expected the end/],
    ['without anything', () => [], /line 1: expected the end/],
    ['with a line taken out', (lines) => lines.toSpliced(3, 1), /line 10: expected 8 records before the end, found 7/],
    ['with a record twice', (lines) => lines.toSpliced(4, 0, lines[3] as string), /line 5: leaf 2: here twice/],
    [
      'that goes on behind the end',
      (lines) => [...lines, lines[1] as string],
      /line 12: expected nothing behind the end/,
    ],
    ['without a checkpoint', (lines) => lines.slice(1), /line 1: expected a checkpoint first/],
    ['with a second one', (lines) => lines.toSpliced(1, 0, lines[0] as string), /line 2: expected a record/],
    ['with a larger checkpoint', (lines) => edit(lines, 0, '\\n8\\n', '\\n9\\n'), /line 1: a false signature/],
    ['with another index', (lines) => edit(lines, 2, '"index":1', '"index":3'), /line 3: leaf 3/],
    ['with an index behind the log', (lines) => edit(lines, 2, '"index":1', '"index":8'), /line 3: leaf 8/],
    ['with a changed record', (lines) => edit(lines, 2, '"action":"a.b"', '"action":"a.c"'), /line 3: leaf 1/],
    [
      'with a key twice',
      (lines) => edit(lines, 2, '"action":"a.b"', '"action":"a.c","action":"a.b"'),
      /as the export wrote/,
    ],
    ['with a number in another spelling', (lines) => edit(lines, 2, '1e-7', '0.0000001'), /as the export wrote/],
    [
      'with an erased record that nobody signed',
      (lines) => edit(lines, 6, 'reason y', 'reason z'),
      /line 7: a false signature/,
    ],
    [
      'with an erased record of another hash',
      (lines) => edit(lines, 7, '"hash":"', '"hash":"AAAA'),
      /line 8: wrong base64/,
    ],
    ['with an erased record before its note', (lines) => swap(lines, 6, 7), /line 7: expected a signed note before it/],
    [
      'with an erased record without its note',
      (lines) => lines.toSpliced(6, 1),
      /line 7: expected a signed note before/,
    ],
    [
      'with a note of another kind',
      (lines) => lines.with(6, JSON.stringify({ type: 'note', note: droppedNote() })),
      /line 7: expected a signed note that records were erased/,
    ],
    ['with no JSON', (lines) => lines.with(2, '{'), /line 3/],
  ])('%s is not', async (_, change, message) => {
    await expect(read(change(exportOf(8, { erased: [5] })))).rejects.toThrow(message);
  });

  it('an erased record borrows no other one’s note', async () => {
    const lines = exportOf(8, { erased: [4, 5] });
    expect(lines[7]).toContain('"type":"note"');
    await expect(read(lines.toSpliced(7, 1))).rejects.toThrow(/line 8: expected a signed note/);
  });

  it('a note stands for all that it names', async () => {
    const lines = exportOf(8, { erased: [4, 5] });
    const [first, second] = [5, 7].map((at) => parseAuditNote(openNote(NOTE_TOOLS, noteOf(lines, at), [signer]).text));
    const both = { ...first, records: [first, second].flatMap((note) => (note as ErasedNote).records) } as ErasedNote;
    const note = signNote(NOTE_TOOLS, formatAuditNote(both), [signer]);
    const once = lines.with(5, JSON.stringify({ type: 'note', note })).toSpliced(7, 1);
    expect(await read(once)).toMatchObject({ erased: 2, complete: true });
  });

  it('an export of before notes had lines of their own is read, and held to the same', async () => {
    const lines = exportOf(8, { erased: [4, 5] });
    const inline = (at: number, note: string) => JSON.stringify({ ...JSON.parse(lines[at] as string), note });
    const before = [...lines.slice(0, 5), inline(6, noteOf(lines, 5)), inline(8, noteOf(lines, 7)), ...lines.slice(9)];
    expect(await read(before)).toMatchObject({ erased: 2, complete: true });
    await expect(read(before.with(6, inline(8, noteOf(lines, 5))))).rejects.toThrow(/line 7: expected a signed note/);
    await expect(read(before.with(6, inline(8, 'x')))).rejects.toThrow(/line 7: /);
  });

  it('of another log, or another key, is not', async () => {
    const lines = exportOf(3);
    await expect(read(lines, undefined, 'other.test')).rejects.toThrow(/expected a checkpoint of other.test/);
    const other = signerKey(NOTE_TOOLS, ORIGIN, randomBytes(32));
    await expect(read(lines, [parseKey(formatVerifierKey(other))])).rejects.toThrow(/no signature/);
    expect(
      await read(
        lines,
        [other, signer].map((key) => parseKey(formatVerifierKey(key))),
      ),
    ).toMatchObject({ size: 3 });
    expect(() => parseKey(formatVerifierKey(signer).replace('log.test', 'log.tess'))).toThrow();
  });

  it('with any one byte changed is not (property)', async () => {
    const lines = exportOf(13, { erased: [2] });
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 90 }), async (line, at, by) => {
        const text = lines[line % lines.length] as string;
        const place = at % text.length;
        const code = ((text.charCodeAt(place) - 32 + by) % 95) + 32;
        const changed = text.slice(0, place) + String.fromCharCode(code) + text.slice(place + 1);
        const outcome = await read(lines.with(line % lines.length, changed)).catch(() => null);
        // What an erased record says of its time is not in the log any more, so nobody can prove it.
        const unproven = text.includes('"type":"erased"') && isWithin(text, place, 'recordedAt');
        if (!unproven) expect(outcome).toBeNull();
      }),
      { numRuns: 400 },
    );
  });
});

const swap = (lines: string[], a: number, b: number): string[] =>
  lines.with(a, lines[b] as string).with(b, lines[a] as string);

const edit = (lines: string[], at: number, from: string, to: string): string[] => {
  expect(lines[at]).toContain(from);
  return lines.with(at, (lines[at] as string).replace(from, to));
};

function isWithin(text: string, place: number, name: string): boolean {
  const start = text.indexOf(`"${name}"`);
  return place >= start && place < text.indexOf(',', start);
}
