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
 * A copy of a JSON value with what is hidden replaced. Containers, keys, booleans and null stay, so the structure does.
 * Names count as keys do where a list carries them: `{"name": "password", "value": …}`, `{"field": …, "old": …, "new": …}`.
 */
export function redactJson(root: unknown, { hides, text = (whole) => whole }: JsonRules): RedactedJson {
  const hidden: string[] = [];
  let nodes = 0;
  const hide = (value: unknown, pointer: string): unknown => {
    if (value === REDACTED || value === '') return value;
    if (hidden.length < MOST_POINTERS) hidden.push(pointer);
    return REDACTED;
  };
  const change = (value: string, shown: string, pointer: string): string => {
    if (shown !== value && hidden.length < MOST_POINTERS) hidden.push(pointer);
    return shown;
  };
  const walk = (given: unknown, pointer: string, depth: number, covered: boolean): unknown => {
    nodes++;
    const value = asJson(given);
    if (typeof value === 'string') return covered ? hide(value, pointer) : change(value, text(value), pointer);
    if (typeof value === 'number' || typeof value === 'bigint') return covered ? hide(value, pointer) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (depth > DEEPEST || nodes > MOST_NODES) return hide(value, pointer);
    if (Array.isArray(value)) {
      return value.map((item, index) => walk(item, `${pointer}/${index}`, depth + 1, covered));
    }
    const carried = carriesHidden(value, hides);
    // fromEntries defines own properties: a key named __proto__ sets no prototype.
    return Object.fromEntries(
      Object.entries(value).map(([key, child]) => {
        const at = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        return [key, walk(child, at, depth + 1, covered || hides(key) || (carried && VALUE_KEYS.has(key)))];
      }),
    );
  };
  return { value: walk(root, '', 0, false), hidden };
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
