import { findPrototypeKey, type JsonValue } from './json-value.js';

export interface JsonTextRefusal {
  readonly ok: false;
  readonly reason: 'invalid_utf8' | 'invalid_json' | 'too_deep' | 'forbidden_key';
  readonly detail: string;
  readonly pointer: string | null;
}

export type JsonTextResult = { readonly ok: true; readonly value: JsonValue; readonly text: string } | JsonTextRefusal;

/**
 * Bytes to a JSON value, in time linear in their number whatever they hold: strict UTF-8, no byte order mark, nesting of at
 * most `maxDepth` (checked on the text, before anything recursive sees it), no key that reaches for a prototype.
 */
export function parseJsonText(bytes: Uint8Array, maxDepth: number): JsonTextResult {
  const text = decode(bytes);
  return text === null ? NO_UTF8 : parseOne(text, maxDepth);
}

export type JsonItem = { readonly ok: true; readonly value: JsonValue } | JsonTextRefusal;

export type JsonItemsResult =
  | { readonly ok: true; readonly kind: 'one'; readonly value: JsonValue }
  | { readonly ok: true; readonly kind: 'array'; readonly items: readonly JsonItem[] }
  /** An array of more than `maxItems`: nothing of it was parsed. */
  | { readonly ok: true; readonly kind: 'too_many' }
  | JsonTextRefusal;

/**
 * As `parseJsonText`, but each item of an array is judged for itself: one that nests deeper than `maxDepth`, or has a key that
 * reaches for a prototype, is refused alone, by pointers into itself. What is too deep is cut out of the text before
 * anything parses it; of it only the brackets are looked at. What is no JSON text is refused whole, and items are counted
 * before anything is made of them.
 */
export function parseJsonItems(
  bytes: Uint8Array,
  { maxDepth, maxItems }: { readonly maxDepth: number; readonly maxItems: number },
): JsonItemsResult {
  const text = decode(bytes);
  if (text === null) return NO_UTF8;
  if (!/^[ \t\r\n]*\[/.test(text)) {
    const one = parseOne(text, maxDepth);
    return one.ok ? { ok: true, kind: 'one', value: one.value } : one;
  }
  const deep = findDeepItems(text, maxDepth, maxItems);
  if (deep === 'too_many') return { ok: true, kind: 'too_many' };
  if (deep === null) return refuseDepth(maxDepth);
  const items = parse(withoutItems(text, deep)) as JsonValue[] | undefined;
  if (items === undefined) return NO_JSON;
  const tooDeep = new Set(deep.map(({ index }) => index));
  return {
    ok: true,
    kind: 'array',
    items: items.map((value, index) =>
      tooDeep.has(index) ? refuseDepth(maxDepth) : (refuseKey(value) ?? { ok: true, value }),
    ),
  };
}

function parseOne(text: string, maxDepth: number): JsonTextResult {
  if (isDeeperThan(text, maxDepth)) return refuseDepth(maxDepth);
  const value = parse(text);
  if (value === undefined) return NO_JSON;
  return refuseKey(value) ?? { ok: true, value, text };
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null; // the one reason for which a fatal decoder throws
  }
}

function parse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return undefined; // the parser's own message quotes the body, which may hold personal data
  }
}

function refuse(reason: JsonTextRefusal['reason'], detail: string, pointer: string | null = null): JsonTextRefusal {
  return { ok: false, reason, detail, pointer };
}

const NO_UTF8 = refuse('invalid_utf8', 'Expected a body in UTF-8');
const NO_JSON = refuse('invalid_json', 'Expected one JSON text (RFC 8259)');

function refuseDepth(maxDepth: number): JsonTextRefusal {
  return refuse('too_deep', `Expected at most ${maxDepth} levels of nesting`);
}

function refuseKey(value: JsonValue): JsonTextRefusal | null {
  const pointer = findPrototypeKey(value);
  return pointer === null ? null : refuse('forbidden_key', 'This key is not accepted at any depth', pointer);
}

function isDeeperThan(text: string, limit: number): boolean {
  let deeper = false;
  scan(text, (_, depth) => {
    deeper = depth > limit;
    return !deeper;
  });
  return deeper;
}

interface DeepItem {
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

/** Of the array that the text begins with. null: one that is too deep does not end. */
function findDeepItems(text: string, maxDepth: number, maxItems: number): DeepItem[] | 'too_many' | null {
  const found: DeepItem[] = [];
  let index = 0;
  let from = 0;
  let isDeep = false;
  scan(text, (code, depth, at) => {
    if (code === COMMA) {
      if (depth === 1) index++;
    } else if (isOpening(code)) {
      if (depth === 2) from = at;
      if (depth > maxDepth + 1) isDeep = true;
    } else if (depth === 1 && isDeep) {
      found.push({ index, from, to: at + 1 });
      isDeep = false;
    }
    return depth > 0 && index < maxItems;
  });
  if (index >= maxItems) return 'too_many';
  return isDeep ? null : found;
}

function withoutItems(text: string, items: readonly DeepItem[]): string {
  if (items.length === 0) return text;
  const ends = [0, ...items.map(({ to }) => to)];
  return [...items.map(({ from }, nth) => text.slice(ends[nth], from)), text.slice(ends.at(-1))].join('null');
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

function isOpening(code: number): boolean {
  return code === 0x5b || code === 0x7b;
}

/**
 * Hands over brackets and commas outside of strings, with the depth behind them, until it is told to stop. Takes any text: what
 * is no JSON is for the parser to say.
 */
function scan(text: string, goesOn: (code: number, depth: number, at: number) => boolean): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) inString = false;
      continue;
    }
    if (code === QUOTE) {
      inString = true;
      continue;
    }
    if (isOpening(code)) depth++;
    else if (code === 0x5d || code === 0x7d) depth--;
    else if (code !== COMMA) continue;
    if (!goesOn(code, depth, at)) return;
  }
}
