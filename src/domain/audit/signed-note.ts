/**
 * C2SP signed-note: a text, an empty line, and a line for each signature, `— <name> <base64 of key id and signature>`. The
 * text is what is signed, its last newline included.
 */
import { fromBase64, toBase64 } from './base64.js';
import { sameBytes } from './merkle-hash.js';
import type { NoteTools, SignerKey, VerifierKey } from './note-key.js';

/** A note that cannot be read, or that nobody known has signed. */
export class SignedNoteError extends Error {
  override readonly name = 'SignedNoteError';
}

export interface OpenedNote {
  /** Ends in a newline. */
  readonly text: string;
  /** Of the keys asked for, those that signed; at least one. */
  readonly signedBy: readonly VerifierKey[];
}

const ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** As Go's reader, against a note made to cost time. */
const MOST_BYTES = 1_000_000;
const MOST_SIGNATURES = 100;

/** @throws SignedNoteError for a text that no note may have */
export function signNote({ ed25519 }: NoteTools, text: string, signers: readonly SignerKey[]): string {
  if (!isText(text))
    throw new SignedNoteError('expected a text that ends in a newline and holds no control characters');
  if (signers.length === 0) throw new SignedNoteError('expected a key to sign with');
  const message = new TextEncoder().encode(text);
  const lines = signers.map(({ name, id, seed }) => {
    return `— ${name} ${toBase64(Uint8Array.of(...idBytes(id), ...ed25519.sign(seed, message)))}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** The text of a note as it says itself, nothing verified. @throws SignedNoteError */
export function readNoteText(note: string): string {
  return divide(note).text;
}

/**
 * The text of a note that at least one of `keys` has signed. Signatures of other keys say nothing and are passed over; a
 * signature that claims one of `keys` and is not its own makes the whole note false.
 * @throws SignedNoteError
 */
export function openNote({ ed25519 }: NoteTools, note: string, keys: readonly VerifierKey[]): OpenedNote {
  const { text, signatures } = divide(note);
  const message = new TextEncoder().encode(text);
  const signedBy: VerifierKey[] = [];
  for (const { name, id, signature } of signatures) {
    const key = keys.find((known) => known.name === name && sameBytes(idBytes(known.id), id));
    if (key === undefined || signedBy.includes(key)) continue;
    if (signature.length !== SIGNATURE_BYTES || !ed25519.verify(key.publicKey, message, signature)) {
      throw new SignedNoteError(`expected the signature of ${key.name}+${key.id}, found one that is not its own`);
    }
    signedBy.push(key);
  }
  if (signedBy.length === 0) {
    const names = signatures.map(({ name }) => name).join(', ');
    throw new SignedNoteError(`expected a signature of a known key, found signatures of ${names}`);
  }
  return { text, signedBy };
}

interface Signature {
  readonly name: string;
  readonly id: Uint8Array;
  readonly signature: Uint8Array;
}

function divide(note: string): { text: string; signatures: Signature[] } {
  const at = note.length > MOST_BYTES ? -1 : note.lastIndexOf('\n\n');
  const text = note.slice(0, at + 1);
  const block = note.slice(at + 2);
  if (at === -1 || !isText(text) || !block.endsWith('\n')) {
    throw new SignedNoteError('expected a text, an empty line and signature lines');
  }
  const lines = block.slice(0, -1).split('\n');
  if (lines.length > MOST_SIGNATURES) {
    throw new SignedNoteError(`expected at most ${MOST_SIGNATURES} signatures, got ${lines.length}`);
  }
  return { text, signatures: lines.map(parseSignature) };
}

function parseSignature(line: string): Signature {
  const [, name = '', base64 = ''] = /^— ([^\s+]+) (\S+)$/u.exec(line) ?? [];
  const bytes = fromBase64(base64);
  if (bytes === null || bytes.length <= ID_BYTES) {
    throw new SignedNoteError('expected signature lines of the form "— name base64"');
  }
  return { name, id: bytes.subarray(0, ID_BYTES), signature: bytes.subarray(ID_BYTES) };
}

/** Text is well-formed Unicode without control characters but the newline, and ends in one. */
function isText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.endsWith('\n') && text.isWellFormed() && !/[\u0000-\u0009\u000b-\u001f]/.test(text);
}

function idBytes(id: string): Uint8Array {
  return Uint8Array.from({ length: ID_BYTES }, (_, index) => Number.parseInt(id.slice(index * 2, index * 2 + 2), 16));
}
