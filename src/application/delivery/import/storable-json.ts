import { joinPointer } from '../../../contract/json-value.js';
import type { JsonObject, JsonValue } from '../../../domain/delivery/json.js';
import { cutIdentifier } from '../mappers/cut-identifier.js';

/**
 * What was changed so that PostgreSQL and every JSON reader can hold the value; JSON Pointers into the original, one of more
 * than 128 characters cut, with a hash of the whole at its end.
 */
export interface StorableChanges {
  /** Numbers that a double cannot hold (beyond 2^53 - 1, too many digits, 1e400): their literal, as a string. */
  readonly numbersAsStrings: string[];
  /** U+0000, lone surrogates and keys that reach for a prototype: written as a visible `\uXXXX`. */
  readonly escaped: string[];
  /** Values nested deeper than the limit: their JSON text, as a string. */
  readonly deepAsText: string[];
  /** Members whose name stands twice in one object: kept as `name#2`. */
  readonly repeatedKeys: string[];
}

export type StorableJson =
  | { readonly ok: true; readonly value: JsonObject; readonly changes: StorableChanges }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads the JSON object of one line without losing anything of it: what cannot be stored as it stands is kept in another
 * form, and its path listed. Refuses what is no JSON object; the reason never quotes the text.
 * Written by hand because JSON.parse rounds numbers, drops repeated members and keeps no text; it checks the grammar first,
 * so that this reader may take it for granted. `maxDepth` bounds its recursion. In time linear in the text's length.
 */
export function readStorableJson(text: string, maxDepth: number): StorableJson {
  try {
    JSON.parse(text);
  } catch (error) {
    return { ok: false, reason: `not valid JSON${describePosition(error)}` };
  }
  const changes: StorableChanges = { numbersAsStrings: [], escaped: [], deepAsText: [], repeatedKeys: [] };
  const reader: Reader = { text, at: 0, maxDepth, changes };
  skipWhiteSpace(reader);
  if (text[reader.at] !== '{') return { ok: false, reason: 'expected a JSON object' };
  return { ok: true, value: readObject(reader, '', 1), changes };
}

interface Reader {
  readonly text: string;
  at: number;
  readonly maxDepth: number;
  readonly changes: StorableChanges;
}

function readValue(reader: Reader, pointer: string, depth: number): JsonValue {
  skipWhiteSpace(reader);
  const first = reader.text[reader.at];
  if ((first === '{' || first === '[') && depth > reader.maxDepth) {
    reader.changes.deepAsText.push(pointer);
    return makeStorable(reader, readRawContainer(reader), pointer);
  }
  switch (first) {
    case '{':
      return readObject(reader, pointer, depth);
    case '[':
      return readArray(reader, pointer, depth);
    case '"':
      return makeStorable(reader, readString(reader), pointer);
    case 't':
      reader.at += 4;
      return true;
    case 'f':
      reader.at += 5;
      return false;
    case 'n':
      reader.at += 4;
      return null;
    default:
      return readNumber(reader, pointer);
  }
}

function readObject(reader: Reader, pointer: string, depth: number): JsonObject {
  const members = new Map<string, JsonValue>();
  const nextNumber = new Map<string, number>();
  reader.at += 1;
  for (;;) {
    skipWhiteSpace(reader);
    const next = reader.text[reader.at];
    if (next === '}') break;
    if (next === ',') {
      reader.at += 1;
      continue;
    }
    const name = readString(reader);
    const child = nameChild(pointer, name);
    skipWhiteSpace(reader);
    reader.at += 1; // the colon
    const value = readValue(reader, child, depth + 1);
    const key = storableKey(name, value);
    if (key !== name) reader.changes.escaped.push(child);
    if (members.has(key)) reader.changes.repeatedKeys.push(child);
    members.set(freeKey(members, nextNumber, key), value);
  }
  reader.at += 1;
  return Object.fromEntries(members);
}

const LONGEST_POINTER = 128;

/** A longer one ends in a hash of itself: it would be written down once for each thing that was changed below it. */
function nameChild(pointer: string, name: string): string {
  const child = joinPointer(pointer, name);
  return child.length <= LONGEST_POINTER ? child : cutIdentifier(child, LONGEST_POINTER);
}

function readArray(reader: Reader, pointer: string, depth: number): JsonValue[] {
  const items: JsonValue[] = [];
  reader.at += 1;
  for (;;) {
    skipWhiteSpace(reader);
    const next = reader.text[reader.at];
    if (next === ']') break;
    if (next === ',') {
      reader.at += 1;
      continue;
    }
    items.push(readValue(reader, joinPointer(pointer, items.length), depth + 1));
  }
  reader.at += 1;
  return items;
}

function readString(reader: Reader): string {
  const from = reader.at;
  skipString(reader);
  return JSON.parse(reader.text.slice(from, reader.at)) as string;
}

function skipString(reader: Reader): void {
  reader.at += 1;
  while (reader.text[reader.at] !== '"') reader.at += reader.text[reader.at] === '\\' ? 2 : 1;
  reader.at += 1;
}

function readRawContainer(reader: Reader): string {
  const from = reader.at;
  let open = 0;
  do {
    const char = reader.text[reader.at];
    if (char === '"') {
      skipString(reader);
      continue;
    }
    if (char === '{' || char === '[') open += 1;
    else if (char === '}' || char === ']') open -= 1;
    reader.at += 1;
  } while (open > 0);
  return reader.text.slice(from, reader.at);
}

function readNumber(reader: Reader, pointer: string): number | string {
  const literal = /[-+0-9.eE]+/y;
  literal.lastIndex = reader.at;
  const text = literal.exec(reader.text)?.[0] ?? '';
  reader.at += text.length;
  const value = Number(text);
  const exact = Math.abs(value) <= Number.MAX_SAFE_INTEGER && toDigits(text) === toDigits(String(value));
  if (exact) return value;
  reader.changes.numbersAsStrings.push(pointer);
  return text;
}

/** Sign, significant digits and exponent: equal for literals of the same number. */
function toDigits(literal: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(literal);
  if (match === null) return literal;
  const fraction = match[3] ?? '';
  const digits = `${match[2]}${fraction}`.replace(/^0+/, '');
  const significant = digits.slice(0, lastSignificant(digits) + 1);
  if (significant === '') return '0';
  const exponent = Number(match[4] ?? 0) - fraction.length + (digits.length - significant.length);
  return `${match[1]}${significant}e${exponent}`;
}

/** -1: there is none. A pattern for the zeros at the end would begin anew at each zero before them. */
function lastSignificant(digits: string): number {
  let at = digits.length - 1;
  while (at >= 0 && digits[at] === '0') at -= 1;
  return at;
}

function makeStorable(reader: Reader, text: string, pointer: string): string {
  const storable = escapeUnstorable(text);
  if (storable !== text) reader.changes.escaped.push(pointer);
  return storable;
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

function escapeUnstorable(text: string): string {
  if (!text.includes('\u0000') && text.isWellFormed()) return text;
  return text.replaceAll('\u0000', '\\u0000').replace(LONE_SURROGATE, visible);
}

/** The ingest refuses keys that merging code could take for a prototype. */
function storableKey(name: string, value: JsonValue): string {
  const reachesPrototype =
    name === '__proto__' ||
    (name === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype'));
  return reachesPrototype ? `${visible(name)}${name.slice(1)}` : escapeUnstorable(name);
}

function visible(text: string): string {
  return `\\u${text.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** `nextNumber`: the first of each key that may be free, so that no number is looked at twice. */
function freeKey(members: ReadonlyMap<string, JsonValue>, nextNumber: Map<string, number>, key: string): string {
  if (!members.has(key)) return key;
  let n = nextNumber.get(key) ?? 2;
  while (members.has(`${key}#${n}`)) n += 1;
  nextNumber.set(key, n + 1);
  return `${key}#${n}`;
}

function skipWhiteSpace(reader: Reader): void {
  for (;;) {
    const code = reader.text.charCodeAt(reader.at);
    if (code !== 0x20 && code !== 0x09 && code !== 0x0d && code !== 0x0a) return;
    reader.at += 1;
  }
}

/** The parser's own message quotes the text, which may hold personal data. */
function describePosition(error: unknown): string {
  const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
  return position === undefined ? '' : `, at character ${Number(position) + 1}`;
}
