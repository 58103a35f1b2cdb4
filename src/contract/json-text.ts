import { findPrototypeKey, type JsonValue } from './json-value.js';

export type JsonTextResult =
  | { readonly ok: true; readonly value: JsonValue; readonly text: string }
  | {
      readonly ok: false;
      readonly reason: 'invalid_utf8' | 'invalid_json' | 'too_deep' | 'forbidden_key';
      readonly detail: string;
      readonly pointer: string | null;
    };

/**
 * Bytes to a JSON value, in time linear in their number whatever they hold: strict UTF-8, no byte order mark, nesting of at
 * most `maxDepth` (checked on the text, before anything recursive sees it), no key that reaches for a prototype.
 * `maxDepth` is for one event; an array of objects (a batch) may be one level deeper, so that its items may be as deep.
 */
export function parseJsonText(bytes: Uint8Array, maxDepth: number): JsonTextResult {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse('invalid_utf8', 'Expected a body in UTF-8');
  }
  const allowed = /^[ \t\r\n]*\[[ \t\r\n]*\{/.test(text) ? maxDepth + 1 : maxDepth;
  if (isDeeperThan(text, allowed)) return refuse('too_deep', `Expected at most ${maxDepth} levels of nesting`);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    // The parser's own message quotes the body, which may hold personal data.
    return refuse('invalid_json', 'Expected one JSON text (RFC 8259)');
  }
  const pointer = findPrototypeKey(value);
  if (pointer !== null) return refuse('forbidden_key', 'This key is not accepted at any depth', pointer);
  return { ok: true, value, text };
}

function refuse(
  reason: Extract<JsonTextResult, { ok: false }>['reason'],
  detail: string,
  pointer: string | null = null,
): JsonTextResult {
  return { ok: false, reason, detail, pointer };
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) {
      inString = true;
    } else if (code === 0x5b || code === 0x7b) {
      depth++;
      if (depth > limit) return true;
    } else if (code === 0x5d || code === 0x7d) {
      depth--;
    }
  }
  return false;
}
