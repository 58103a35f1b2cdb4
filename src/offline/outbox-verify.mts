/**
 * Verifies an export of the audit log that carries proofs, with Node alone: copy this one file to wherever you trust, and
 * bring the public key from wherever you got it. It shares no code with the rest of the package, so that a mistake there is
 * not repeated here.
 *
 *   node outbox-verify.mjs EXPORT.ndjson --origin NAME --key VKEY [--key VKEY …] [--json]      (- : standard input)
 *
 * Exit code 0: every line is proven against a checkpoint that one of the keys has signed. 1: something is not. 64: usage.
 * What is proven: each record stood, as it is here, at its place in the log when the checkpoint was signed. What is not:
 * that nothing is missing, unless every place of the log is here ("complete").
 *
 * Standards: C2SP signed-note and tlog-checkpoint, RFC 9162 §2.1 (tree and inclusion proof), RFC 8785 (canonical JSON).
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { createReadStream, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

interface Key {
  readonly name: string;
  readonly publicKey: Buffer;
}

interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

interface Verdict {
  readonly origin: string;
  readonly size: number;
  readonly records: number;
  readonly erased: number;
  /** Whether every leaf up to the checkpoint's size is here. */
  readonly complete: boolean;
}

class Broken extends Error {}

// --- RFC 8785 -----------------------------------------------------------------------------------------------------------

/** Numbers and strings are written as ECMAScript writes them, which RFC 8785 §3.2.2 asks for; keys by UTF-16 units. */
export function canonicalJson(value: unknown): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Broken('a number that JSON has no form for');
  if (typeof value === 'string' && !value.isWellFormed()) throw new Broken('text that is not Unicode');
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.keys(value).sort();
  return `{${entries.map((key) => `${canonicalJson(key)}:${canonicalJson((value as Record<string, unknown>)[key])}`).join(',')}}`;
}

// --- RFC 9162 -----------------------------------------------------------------------------------------------------------

const sha256 = (...parts: (Uint8Array | string)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** §2.1.3.2, with arithmetic in place of shifts: sizes may pass 32 bits. */
export function provesInclusion(
  leaf: Buffer,
  index: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  if ([leaf, ...proof].some((hash) => hash.length !== 32)) return false;
  let [node, last, hash] = [index, size - 1, leaf];
  for (const neighbour of proof) {
    if (last === 0) return false;
    if (node % 2 === 1 || node === last) {
      hash = sha256(NODE, neighbour, hash);
      while (node % 2 === 0 && node > 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      hash = sha256(NODE, hash, neighbour);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 && hash.equals(root);
}

// --- C2SP signed-note, tlog-checkpoint ----------------------------------------------------------------------------------

function base64(text: unknown, bytes?: number): Buffer {
  const read = Buffer.from(typeof text === 'string' ? text : '', 'base64');
  if (read.toString('base64') !== text || (bytes !== undefined && read.length !== bytes))
    throw new Broken('wrong base64');
  return read;
}

/** `<name>+<id>+<base64 of algorithm and key>`, Ed25519 only. */
export function parseKey(text: string): Key {
  const [, name = '', id = '', rest = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) ?? [];
  const bytes = name === '' ? Buffer.alloc(0) : base64(rest, 33);
  const publicKey = bytes.subarray(1);
  if (bytes[0] !== 1 || keyId(name, publicKey).toString('hex') !== id)
    throw new Broken('not a public key of this form');
  return { name, publicKey };
}

const keyId = (name: string, publicKey: Buffer): Buffer =>
  sha256(name, '\n', Uint8Array.of(1), publicKey).subarray(0, 4);

/** The text of a note that one of the keys has signed under this name. */
export function openNote(note: unknown, name: string, keys: readonly Key[]): string {
  const at = typeof note === 'string' ? note.lastIndexOf('\n\n') : -1;
  if (typeof note !== 'string' || at === -1 || !note.endsWith('\n')) throw new Broken('expected a signed note');
  const text = note.slice(0, at + 1);
  let good = false;
  for (const line of note.slice(at + 2, -1).split('\n')) {
    const [, signer, signed] = /^— (\S+) (\S+)$/u.exec(line) ?? [];
    const bytes = base64(signed);
    for (const { publicKey } of keys) {
      if (signer !== name || !bytes.subarray(0, 4).equals(keyId(name, publicKey))) continue;
      // RFC 8410 §4: Node reads keys in their container only.
      const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]);
      const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
      if (!verify(null, Buffer.from(text), key, bytes.subarray(4))) throw new Broken(`a false signature of ${name}`);
      good = true;
    }
  }
  if (!good) throw new Broken(`no signature of ${name} by any key that was given`);
  return text;
}

/** `origin`: the log's name; a branch of it, which begins where a loss was accepted, has a number behind it. */
function openCheckpoint(note: unknown, origin: string, keys: readonly Key[]): Checkpoint {
  const [named = ''] = typeof note === 'string' ? note.split('\n', 1) : [];
  const isBranch = named.startsWith(`${origin}/`) && /^[1-9]\d{0,8}$/.test(named.slice(origin.length + 1));
  if (named !== origin && !isBranch) throw new Broken(`expected a checkpoint of ${origin}, got one of ${named}`);
  const [, size = '', root = '', ...rest] = openNote(note, named, keys).split('\n');
  if (!/^[1-9]\d{0,15}$/.test(size) || !Number.isSafeInteger(Number(size)) || rest.join('\n') !== '') {
    throw new Broken('expected a checkpoint: an origin, a size and a root');
  }
  return { origin: named, size: Number(size), root: base64(root, 32) };
}

/** The records that a signed note names as erased, each with the hash of its leaf, as lines of text. */
function openErasedNote(note: unknown, origin: string, keys: readonly Key[]): string[] {
  const lines = openNote(note, origin, keys).split('\n');
  const head = ['temporal-outbox audit note v1', 'kind erased', `log ${origin}`];
  if (head.some((text, at) => lines[at] !== text)) throw new Broken('expected a signed note that records were erased');
  return lines.slice(head.length).filter((line) => line.startsWith('record '));
}

// --- the export ---------------------------------------------------------------------------------------------------------

/** Which places were seen, a megabyte at a time: a log of a billion records is 125 MB. */
function places(): { add(index: number): boolean } {
  const pages = new Map<number, Uint8Array>();
  return {
    add(index) {
      const page = pages.get(Math.floor(index / 8_388_608)) ?? new Uint8Array(1_048_576);
      pages.set(Math.floor(index / 8_388_608), page);
      const [byte, bit] = [Math.floor((index % 8_388_608) / 8), 1 << (index % 8)];
      const isNew = ((page[byte] as number) & bit) === 0;
      page[byte] = (page[byte] as number) | bit;
      return isNew;
    },
  };
}

/** @throws Broken, its message naming the line */
export async function verifyExport(
  lines: AsyncIterable<string>,
  { origin, keys }: { readonly origin: string; readonly keys: readonly Key[] },
): Promise<Verdict> {
  let checkpoint: Checkpoint | null = null;
  let ended = false;
  const seen = places();
  const erased = new Set<string>();
  const counts = { record: 0, erased: 0 };
  let number = 0;
  for await (const text of lines) {
    number += 1;
    try {
      if (ended) throw new Broken('expected nothing behind the end');
      const line = parseLine(text);
      if (checkpoint === null) {
        if (line.type !== 'checkpoint') throw new Broken('expected a checkpoint first');
        checkpoint = openCheckpoint(line.note, origin, keys);
      } else if (line.type === 'end') {
        const found = counts.record + counts.erased;
        if (line.records !== found) throw new Broken(`expected ${line.records} records before the end, found ${found}`);
        ended = true;
      } else if (line.type === 'note') {
        for (const named of openErasedNote(line.note, origin, keys)) erased.add(named);
      } else {
        // In exports made before notes had lines of their own each erased record brings its note.
        if (line.type === 'erased' && line.note !== undefined) {
          for (const named of openErasedNote(line.note, origin, keys)) erased.add(named);
        }
        counts[checkLine(line, checkpoint, erased, seen)] += 1;
      }
    } catch (error) {
      throw new Broken(`line ${number}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (checkpoint === null || !ended) throw new Broken(`line ${number + 1}: expected the end: the export is cut off`);
  const total = counts.record + counts.erased;
  const { origin: named, size } = checkpoint;
  return { origin: named, size, records: counts.record, erased: counts.erased, complete: total === size };
}

/** Of a line in another spelling (a key twice, a number that is none of JavaScript's) another reader may read other things. */
function parseLine(text: string): Record<string, unknown> {
  const line = JSON.parse(text) as Record<string, unknown>;
  if (typeof line !== 'object' || line === null || JSON.stringify(line) !== text) {
    throw new Broken('expected a line as the export wrote it');
  }
  return line;
}

function checkLine(
  line: Record<string, unknown>,
  checkpoint: Checkpoint,
  erased: ReadonlySet<string>,
  seen: { add(index: number): boolean },
): 'record' | 'erased' {
  const { type, index, proof } = line;
  if (type !== 'record' && type !== 'erased') throw new Broken('expected a record or the end');
  const leaf = type === 'record' ? sha256(LEAF, canonicalJson(line.leaf)) : base64(line.hash, 32);
  if (type === 'erased' && !erased.has(`record ${line.recordId} ${leaf.toString('base64')}`)) {
    throw new Broken('expected a signed note before it that the record was erased');
  }
  const hashes = Array.isArray(proof) ? proof.map((hash) => base64(hash, 32)) : [];
  if (!provesInclusion(leaf, index as number, checkpoint.size, hashes, checkpoint.root)) {
    throw new Broken(`leaf ${index}: the proof does not lead from it to the signed root`);
  }
  if (!seen.add(index as number)) throw new Broken(`leaf ${index}: here twice`);
  return type;
}

/** Node's readline ends a line at U+2028, too, which JSON text may hold. */
async function* readLines(input: AsyncIterable<unknown>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let rest: string[] = [];
  for await (const chunk of input) {
    const [first = '', ...lines] = decoder.decode(chunk as Uint8Array, { stream: true }).split('\n');
    rest.push(first);
    for (const line of lines) {
      yield rest.join('');
      rest = [line];
    }
  }
  const last = `${rest.join('')}${decoder.decode()}`;
  if (last !== '') yield last;
}

async function main(args: readonly string[]): Promise<number> {
  const keys: string[] = [];
  const files: string[] = [];
  let [origin, json] = ['', false];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (arg === '--json') json = true;
    else if (arg === '--origin') origin = args[++at] ?? '';
    else if (arg === '--key') keys.push(args[++at] ?? '');
    else files.push(arg);
  }
  const [file] = files;
  if (file === undefined || files.length > 1 || origin === '' || keys.length === 0) {
    console.error('usage: node outbox-verify.mjs EXPORT.ndjson --origin NAME --key VKEY [--key VKEY …] [--json]');
    return 64;
  }
  try {
    const input = file === '-' ? process.stdin : createReadStream(file);
    const verdict = await verifyExport(readLines(input), { origin, keys: keys.map(parseKey) });
    console.log(json ? JSON.stringify({ ok: true, ...verdict }) : describe(verdict));
    return 0;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    console.log(json ? JSON.stringify({ ok: false, error: message }) : `NOT PROVEN: ${message}`);
    return 1;
  }
}

function describe({ origin, size, records, erased, complete }: Verdict): string {
  const all = records + erased;
  const part = complete ? 'complete: the whole log' : `a part: ${all} of ${size} leaves, each proven`;
  return `proven: ${records} records and ${erased} erased ones of ${origin}, against the signed checkpoint of size ${size}\n${part}`;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
