import { REDACTED } from './mask.js';

export interface JsonRules {
  /** Whether what stands under the name is hidden: every string and number below it. */
  readonly hides: (name: string) => boolean;
  /** For the strings that are not hidden. */
  readonly text?: (text: string) => string;
}

export interface RedactedJson {
  readonly value: unknown;
  /** JSON Pointers (RFC 6901) of what was hidden, wholly or a part of its text, in document order, at most 100. */
  readonly hidden: readonly string[];
}

/**
 * Beyond these a value is no event's and no log line's; what lies further in is hidden unseen. An event of 64 KiB never has
 * as many values, since each takes a byte at least, nor one of 32 levels as deep ones: it is walked whole.
 */
const DEEPEST = 64;
const MOST_NODES = 64 * 1_024;
const MOST_POINTERS = 100;

/**
 * A JSON value with what is hidden replaced; the one given is not changed, and what needs no change in it is shared.
 * Containers, keys, booleans and null stay, so the structure does.
 * Names count as keys do where a list carries them: `{"name": "password", "value": …}`, `{"field": …, "old": …, "new": …}`.
 */
export function redactJson(root: unknown, { hides, text = (whole) => whole }: JsonRules): RedactedJson {
  const hidden: string[] = [];
  /** To the value that is walked. */
  const path: (string | number)[] = [];
  let nodes = 0;
  const note = () => {
    if (hidden.length < MOST_POINTERS) hidden.push(toPointer(path));
  };
  const hide = (value: unknown): unknown => {
    if (value === REDACTED || value === '') return value;
    note();
    return REDACTED;
  };
  const walkAt = (key: string | number, child: unknown, covered: boolean): unknown => {
    path.push(key);
    const walked = walk(child, covered);
    path.pop();
    return walked;
  };
  const walk = (given: unknown, covered: boolean): unknown => {
    nodes++;
    const value = asJson(given);
    if (typeof value === 'string') {
      if (covered) return hide(value);
      const shown = text(value);
      if (shown !== value) note();
      return shown;
    }
    if (typeof value === 'number' || typeof value === 'bigint') return covered ? hide(value) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (path.length > DEEPEST || nodes > MOST_NODES) return hide(value);
    if (Array.isArray(value)) {
      const items = value.map((item, index) => walkAt(index, item, covered));
      return items.every((item, index) => Object.is(item, value[index])) ? value : items;
    }
    const carried = carriesHidden(value, hides);
    let changed = !isPlain(value);
    const entries = Object.entries(value).map(([key, child]): [string, unknown] => {
      const walked = walkAt(key, child, covered || hides(key) || (carried && VALUE_KEYS.has(key)));
      changed ||= !Object.is(walked, child);
      return [key, walked];
    });
    // fromEntries defines own properties: a key named __proto__ sets no prototype.
    return changed ? Object.fromEntries(entries) : value;
  };
  return { value: walk(root, false), hidden };
}

function toPointer(path: readonly (string | number)[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Whether its own properties are all there is of it. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** A Date, a URL and the like, as JSON.stringify would see them. */
function asJson(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === 'function' ? toJSON.call(value) : value;
}

const NAME_KEYS = ['field', 'name', 'key', 'path', 'header'] as const;
const VALUE_KEYS = new Set(['value', 'values', 'old', 'new', 'oldValue', 'newValue', 'before', 'after', 'from', 'to']);

function carriesHidden(object: object, hides: (name: string) => boolean): boolean {
  return NAME_KEYS.some((key) => {
    const name = (object as Record<string, unknown>)[key];
    return typeof name === 'string' && hidesPath(name, hides);
  });
}

/** A name, or a path of them (`/user/password`, `user.password`). */
export function hidesPath(path: string, hides: (name: string) => boolean): boolean {
  return path.length <= 512 && path.split(/[/.]/).some(hides);
}
