import type { JsonValue } from './json.js';

/** One place where two JSON values differ; `before` is missing where it was added, `after` where it was removed. */
export interface Difference {
  /** JSON Pointer (RFC 6901); the empty string is the whole. */
  readonly pointer: string;
  readonly before?: JsonValue;
  readonly after?: JsonValue;
}

/** In document order, of values of bounded depth; arrays by index. At most `atMost`. */
export function jsonDifference(before: JsonValue, after: JsonValue, atMost: number): Difference[] {
  const found: Difference[] = [];
  compare(before, after, '', found, atMost);
  return found;
}

function compare(before: JsonValue, after: JsonValue, pointer: string, found: Difference[], atMost: number): void {
  if (found.length >= atMost || Object.is(before, after)) return;
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after)) {
    found.push({ pointer, before, after });
    return;
  }
  const [old, fresh] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  for (const key of new Set([...old.keys(), ...fresh.keys()])) {
    if (found.length >= atMost) return;
    const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
    const [was, is] = [old.get(key), fresh.get(key)];
    if (was === undefined) found.push({ pointer: at, after: is as JsonValue });
    else if (is === undefined) found.push({ pointer: at, before: was });
    else compare(was, is, at, found, atMost);
  }
}

function isContainer(value: JsonValue): value is JsonValue[] | { [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null;
}
