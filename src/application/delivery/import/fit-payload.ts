import { cutText } from '../../../contract/fit-text.js';
import type { JsonObject, JsonValue } from '../../../domain/delivery/json.js';

/** What of an oversized original is kept at most: leaves room for the names beside it. */
const HEAD_BYTES = 32 * 1024;
const OMITTED_NAMES = 50;

/**
 * The original when it fits, else as much of it as fits with its hash and length beside it:
 * `{truncated: true, sha256, bytes, head: {members that fit, whole}, omitted: [names of the others], omittedCount}`.
 * Members are kept or left out whole. `sha256` and `bytes` are the line's.
 */
export function fitPayload(
  original: JsonObject,
  maxBytes: number,
  line: { readonly sha256: string; readonly bytes: number },
): { readonly payload: JsonObject; readonly truncated: boolean } {
  if (countStoredBytes(original) <= maxBytes) return { payload: original, truncated: false };
  const kept: [string, JsonValue][] = [];
  const omitted: string[] = [];
  let used = 0;
  for (const [key, value] of Object.entries(original)) {
    const bytes = countStoredBytes(key) + countStoredBytes(value) + 4;
    if (used + bytes <= HEAD_BYTES) {
      used += bytes;
      kept.push([key, value]);
    } else {
      omitted.push(key);
    }
  }
  const payload: JsonObject = {
    truncated: true,
    sha256: line.sha256,
    bytes: line.bytes,
    head: Object.fromEntries(kept),
    omitted: omitted.slice(0, OMITTED_NAMES).map((name) => cutText(name, 100)),
    omittedCount: omitted.length,
  };
  return { payload, truncated: true };
}

/** UTF-8 bytes of PostgreSQL's `jsonb::text`: a blank after each comma and colon, numbers without exponent. */
export function countStoredBytes(value: JsonValue): number {
  if (typeof value === 'string') return Buffer.byteLength(JSON.stringify(value));
  if (typeof value === 'number') return countNumber(value);
  if (typeof value !== 'object' || value === null) return String(value).length;
  if (Array.isArray(value)) {
    return 2 + Math.max(0, value.length - 1) * 2 + value.reduce<number>((sum, item) => sum + countStoredBytes(item), 0);
  }
  const entries = Object.entries(value);
  return entries.reduce(
    (sum, [key, item]) => sum + countStoredBytes(key) + 2 + countStoredBytes(item),
    2 + Math.max(0, entries.length - 1) * 2,
  );
}

/** The value is within ±(2^53 - 1), so that an exponent is negative: 1e-7 is stored as 0.0000001. */
function countNumber(value: number): number {
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e-(\d+)$/.exec(text);
  if (match === null) return text.length;
  return (match[1] ?? '').length + 2 + (Number(match[4]) - 1) + 1 + (match[3] ?? '').length;
}
