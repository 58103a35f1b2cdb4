/** Signed notes, their keys and what stands in them. Real: SHA-256 and Ed25519. The example key is that of Go's sumdb/note. */
import fc from 'fast-check';
import { NOTE_TOOLS, sha256 } from '../../src/application/audit/log/note-tools.js';
import { type AuditNote, AuditNoteError, formatAuditNote, parseAuditNote } from '../../src/domain/audit/audit-note.js';
import { fromBase64, toBase64 } from '../../src/domain/audit/base64.js';
import {
  CheckpointError,
  findBaseProblem,
  formatCheckpoint,
  originOf,
  parseCheckpoint,
} from '../../src/domain/audit/checkpoint.js';
import {
  formatSignerKey,
  formatVerifierKey,
  isKeyName,
  NoteKeyError,
  parseSignerKey,
  parseVerifierKey,
  renameVerifier,
  signerKey,
} from '../../src/domain/audit/note-key.js';
import { openNote, readNoteText, SignedNoteError, signNote } from '../../src/domain/audit/signed-note.js';

// Published with golang.org/x/mod/sumdb/note (its package documentation).
const SIGNER = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const VERIFIER = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const EXAMPLE = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`;

const seed = (n: number) => new Uint8Array(32).fill(n);
const root = sha256(Uint8Array.of(1));
const log = signerKey(NOTE_TOOLS, 'log.example', seed(1));
const next = signerKey(NOTE_TOOLS, 'log.example', seed(2));

describe('keys', () => {
  it("Go's example key reads, and signs as Go does", () => {
    const key = parseSignerKey(NOTE_TOOLS, SIGNER);
    expect(formatVerifierKey(key)).toBe(VERIFIER);
    expect(formatSignerKey(key)).toBe(SIGNER);
    expect(signNote(NOTE_TOOLS, readNoteText(EXAMPLE), [key])).toBe(EXAMPLE);
    expect(openNote(NOTE_TOOLS, EXAMPLE, [parseVerifierKey(NOTE_TOOLS, VERIFIER)]).signedBy).toHaveLength(1);
  });

  it.each([
    VERIFIER,
    SIGNER.replace('PRIVATE', 'private'),
    SIGNER.replace('c74f20a3', 'c74f20a4'),
    SIGNER.replace('PeterNeumann', 'PeterNewmann'),
    SIGNER.replace('+AYEK', '+AoEK'),
    `${SIGNER} `,
    SIGNER.slice(0, -4),
    'PRIVATE+KEY+PeterNeumann+c74f20a3',
    '',
  ])('refuses to sign by %j', (text) => {
    expect(() => parseSignerKey(NOTE_TOOLS, text)).toThrow(NoteKeyError);
  });

  it.each([SIGNER, VERIFIER.replace('c7', 'C7'), VERIFIER.replace('+ARpc', '+AhPc'), VERIFIER.replace('TW', 'TX')])(
    'refuses to verify by %j',
    (text) => {
      expect(() => parseVerifierKey(NOTE_TOOLS, text)).toThrow(NoteKeyError);
    },
  );

  it('what it says of a wrong key holds none of it', () => {
    const wrong = SIGNER.replace('c74f20a3', 'c74f20a4');
    expect(() => parseSignerKey(NOTE_TOOLS, wrong)).toThrow(expect.not.stringContaining('AYEKFALV'));
  });

  it('another name is another identity', () => {
    const renamed = renameVerifier(sha256, log, 'log.example/2');
    expect(renamed.publicKey).toEqual(log.publicKey);
    expect(renamed.id).not.toBe(log.id);
  });
});

describe('notes', () => {
  const note = signNote(NOTE_TOOLS, 'a\n\nb\n', [log, next]);

  it('an empty line in the text is text', () => {
    expect(openNote(NOTE_TOOLS, note, [log])).toEqual({ text: 'a\n\nb\n', signedBy: [log] });
  });

  it('any known key is enough, and unknown ones are passed over', () => {
    expect(openNote(NOTE_TOOLS, note, [next]).signedBy).toEqual([next]);
    expect(openNote(NOTE_TOOLS, note, [log, next]).signedBy).toEqual([log, next]);
    expect(() => openNote(NOTE_TOOLS, note, [signerKey(NOTE_TOOLS, 'log.example', seed(3))])).toThrow(SignedNoteError);
    expect(() => openNote(NOTE_TOOLS, note, [])).toThrow(SignedNoteError);
  });

  it('a known key under another name has not signed', () => {
    expect(() => openNote(NOTE_TOOLS, note, [renameVerifier(sha256, log, 'log.example/2')])).toThrow(SignedNoteError);
  });

  it('one false signature of a known key makes the note false, whatever the others say', () => {
    const lines = note.split('\n');
    const ofAnother = signNote(NOTE_TOOLS, 'another\n', [log]).split('\n').at(-2) as string;
    const forged = lines.with(lines.length - 3, ofAnother).join('\n');
    expect(() => openNote(NOTE_TOOLS, forged, [log, next])).toThrow(/not its own/);
    expect(openNote(NOTE_TOOLS, forged, [next]).signedBy).toEqual([next]);
  });

  it('a signature under another name is not of the key whose id it claims', () => {
    const renamed = note.replace('— log.example ', '— other.example ');
    expect(openNote(NOTE_TOOLS, renamed, [log, next]).signedBy).toEqual([next]);
    expect(() => openNote(NOTE_TOOLS, renamed, [log])).toThrow(SignedNoteError);
  });

  it('a note whose text was changed anywhere is refused', () => {
    fc.assert(
      fc.property(fc.nat({ max: note.length - 1 }), fc.string({ minLength: 1, maxLength: 1 }), (at, put) => {
        const changed = note.slice(0, at) + put + note.slice(at + 1);
        if (changed === note) return;
        let opened: string | null = null;
        try {
          opened = openNote(NOTE_TOOLS, changed, [log, next]).text;
        } catch (error) {
          expect(error).toBeInstanceOf(SignedNoteError);
        }
        // A change of a signature line may make it an unknown key's; the text that is told is the one signed.
        expect([null, 'a\n\nb\n']).toContain(opened);
      }),
      { numRuns: 500 },
    );
  });

  it.each(['a', 'a\tb\n', 'a\r\n', 'a\u0000\n', 'a\ud800\n', ''])('does not sign %j', (text) => {
    expect(() => signNote(NOTE_TOOLS, text, [log])).toThrow(SignedNoteError);
  });

  it.each([
    'a\n',
    'a\n\n',
    `a\n\n${note.split('\n').at(-2)}`,
    'a\n\n- log.example AAAAAAA=\n',
    'a\n\n— log.example AAAA\n',
    `a\n\n${'— x AAAAAAA=\n'.repeat(101)}`,
    `${'a'.repeat(1_000_001)}\n\n— x AAAAAAA=\n`,
  ])('does not read what is no note (%#)', (text) => {
    expect(() => readNoteText(text)).toThrow(SignedNoteError);
  });
});

describe('checkpoints', () => {
  const text = formatCheckpoint({ origin: 'log.example', size: 12, root });

  it('has three lines, and reads back', () => {
    expect(text).toBe(`log.example\n12\n${toBase64(root)}\n`);
    expect(parseCheckpoint(text)).toEqual({ origin: 'log.example', size: 12, root });
  });

  it.each([
    text.replace('12', '012'),
    text.replace('12', '0'),
    text.replace('12', '-1'),
    text.replace('12', '9007199254740993'),
    text.replace('12', '1e3'),
    `${text}extension\n`,
    text.slice(0, -1),
    text.replace('log.example', 'log example'),
    text.replace(/=\n/, '\n'),
    `${text}\n`,
  ])('refuses %j', (wrong) => {
    expect(() => parseCheckpoint(wrong)).toThrow(CheckpointError);
  });

  it('the first branch has the name of the log, a later one its number after it', () => {
    expect([1, 2, 13].map((branch) => originOf('log.example/audit', branch))).toEqual([
      'log.example/audit',
      'log.example/audit/2',
      'log.example/audit/13',
    ]);
  });

  it('a name that could be read as a branch, or as a note, names no log', () => {
    expect(findBaseProblem('log.example/audit')).toBeNull();
    for (const base of ['log.example/2', 'log.example/', 'a b', 'a+b', '', 'temporal-outbox audit note v1']) {
      expect(findBaseProblem(base)).not.toBeNull();
    }
  });
});

describe('audit notes', () => {
  const head = { log: 'log.example', time: '2026-11-28T10:00:00Z', by: 'Ada "L" – ops', reason: 'lost on the 3rd' };
  const point = { branch: 1, size: 7, root };
  const notes: AuditNote[] = [
    { kind: 'branch', ...head, branch: 2, kept: { ...point, size: 0 }, lost: point },
    {
      kind: 'dropped',
      ...head,
      partition: 'record_2026_01',
      rows: 3,
      identities: root,
      runs: [
        { first: 0, count: 2 },
        { first: 9, count: 1 },
      ],
    },
    { kind: 'dropped', ...head, partition: 'record_2026_02', rows: 0, identities: null, runs: [] },
    {
      kind: 'erased',
      ...head,
      records: [{ recordId: '0198c0de-0000-7000-8000-000000000001', leafHash: root }],
      failedIngestIds: [],
    },
    { kind: 'erased', ...head, records: [], failedIngestIds: ['0198c0de-0000-7000-8000-000000000002'] },
  ];

  it.each(notes)('$kind reads back', (note) => {
    expect(parseAuditNote(formatAuditNote(note))).toEqual(note);
  });

  it('a dropped note with two words on its identities is none', () => {
    const text = formatAuditNote(notes[1] as AuditNote);
    const line = `identities ${toBase64(root)}\n`;
    expect(text).toContain(`rows 3\n${line}run 0 2\n`);
    expect(() => parseAuditNote(text.replace(line, line + line))).toThrow(AuditNoteError);
    expect(() => parseAuditNote(text.replace(line, 'identities AA==\n'))).toThrow(AuditNoteError);
  });

  it('the form of a branch note', () => {
    expect(formatAuditNote(notes[0] as AuditNote)).toBe(`temporal-outbox audit note v1
kind branch
log log.example
time 2026-11-28T10:00:00Z
by Ada "L" – ops
reason lost on the 3rd
branch 2
kept 1 0 ${toBase64(root)}
lost 1 7 ${toBase64(root)}
`);
  });

  it.each(notes)('no $kind note passes for a checkpoint, nor the other way round', (note) => {
    expect(() => parseCheckpoint(formatAuditNote(note))).toThrow(CheckpointError);
    expect(() => parseAuditNote(formatCheckpoint({ origin: 'log.example', size: 1, root }))).toThrow();
  });

  it('of an erasure: records first, then rows of failed_ingest, at most a thousand of each, and not nothing', () => {
    const id = (n: number) => `0198c0de-0000-7000-8000-${String(n).padStart(12, '0')}`;
    const ids = (length: number) => Array.from({ length }, (_, n) => id(n));
    const of = (records: number, failed: number): AuditNote => ({
      kind: 'erased',
      ...head,
      records: ids(records).map((recordId) => ({ recordId, leafHash: root })),
      failedIngestIds: ids(failed),
    });
    expect(formatAuditNote(of(1, 1)).split('\n').slice(-3)).toEqual([
      `record ${id(0)} ${toBase64(root)}`,
      `failed_ingest ${id(0)}`,
      '',
    ]);
    expect(parseAuditNote(formatAuditNote(of(1_000, 1_000)))).toEqual(of(1_000, 1_000));
    for (const wrong of [of(0, 0), of(1_001, 0), of(0, 1_001)]) expect(() => formatAuditNote(wrong)).toThrow();
  });

  it.each([
    { by: 'a\nkind dropped' },
    { by: '' },
    { by: 'x'.repeat(201) },
    { reason: 'a\u0007' },
    { reason: 'a\u2028b' },
    { reason: 'x'.repeat(1_001) },
    { log: 'a b' },
    { time: 'yesterday' },
  ])('what would not read back is not written: %j', (wrong) => {
    expect(() => formatAuditNote({ ...(notes[0] as AuditNote), ...wrong })).toThrow();
  });

  it('one line more, less or moved is refused', () => {
    for (const note of notes) {
      const lines = formatAuditNote(note).split('\n');
      // Lists may be shorter; the number of rows beside the runs is for whoever reads the note to compare.
      const fixed = lines.length - 1 - (note.kind === 'dropped' ? note.runs.length : note.kind === 'erased' ? 1 : 0);
      for (let at = 0; at < fixed; at++) {
        // A note of before it was said has no such line.
        const isNeeded = !lines[at]?.startsWith('identities ');
        if (isNeeded) expect(() => parseAuditNote(lines.toSpliced(at, 1).join('\n'))).toThrow();
        expect(() => parseAuditNote(lines.toSpliced(at, 0, 'more').join('\n'))).toThrow();
        if (at > 0) {
          const moved = lines.with(at, lines[at - 1] as string).with(at - 1, lines[at] as string);
          expect(() => parseAuditNote(moved.join('\n'))).toThrow();
        }
      }
    }
  });
});

describe('base64', () => {
  it('whatever bytes, there and back; one spelling only', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => expect(fromBase64(toBase64(bytes))).toEqual(bytes)));
    for (const text of ['AB==', 'A', 'AA', 'AA=', ' AAAA', 'AA_-', 'AAA=A']) expect(fromBase64(text)).toBeNull();
    expect(isKeyName('a+b')).toBe(false);
  });
});
