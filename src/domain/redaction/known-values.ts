/**
 * What the event itself says is sensitive: the values under sensitive names in its payload and headers, found again
 * wherever a destination or a handler quotes them, as they are or as JSON or a URL writes them.
 */
import type { Span } from './mask.js';

/** Shorter ones would be found in half of all words. */
const SHORTEST = 4;
/** So many characters in common are a find, even where the text breaks off after them (`got "4111 11…"`). */
const ANCHOR = 24;
/** Payload and headers have 56 KiB, and a value takes a byte at least: a bound on what anybody else may hand in. */
const MOST_NODES = 64 * 1_024;

interface Branch {
  readonly next: Map<number, Branch>;
  ends: boolean;
  /** From the depth of an anchor on: what begins like this. */
  readonly values: string[];
}

export interface KnownValues {
  find(text: string): Span[];
}

export function collectSensitive(roots: readonly unknown[], isSensitive: (name: string) => boolean): string[] {
  const found = new Set<string>();
  const open = roots.map((value) => ({ value, sensitive: false }));
  for (let nodes = 0; nodes < MOST_NODES; nodes++) {
    const next = open.pop();
    if (next === undefined) break;
    const { value, sensitive } = next;
    if (typeof value === 'string' || typeof value === 'number') {
      const text = String(value).trim();
      if (sensitive && text.length >= SHORTEST) found.add(text);
    } else if (typeof value === 'object' && value !== null) {
      const named = !Array.isArray(value);
      for (const [key, child] of Object.entries(value)) {
        open.push({ value: child, sensitive: sensitive || (named && isSensitive(key)) });
      }
    }
  }
  return [...found];
}

/** Walks once over the text: at most 24 steps for each unit that is not found, one for each that is. */
export function knownValues(values: readonly string[]): KnownValues {
  const root = branch();
  for (const value of new Set(values.flatMap(spellings))) {
    let at = root;
    for (let i = 0; i < value.length && i < ANCHOR; i++) {
      const unit = value.charCodeAt(i);
      const next = at.next.get(unit) ?? branch();
      at.next.set(unit, next);
      at = next;
    }
    if (value.length <= ANCHOR) at.ends = true;
    else at.values.push(value);
  }
  return {
    find(text) {
      const spans: Span[] = [];
      if (root.next.size === 0) return spans;
      for (let from = 0; from < text.length; ) {
        const to = longestFrom(root, text, from);
        if (to > from) spans.push([from, to, '']);
        from = Math.max(to, from + 1);
      }
      return spans;
    },
  };
}

function branch(): Branch {
  return { next: new Map(), ends: false, values: [] };
}

function longestFrom(root: Branch, text: string, from: number): number {
  let to = from;
  let at = root;
  for (let i = from; ; i++) {
    if (at.ends || at.values.length > 0) to = i;
    for (const value of at.values) to = Math.max(to, commonUntil(text, from, value));
    // The text may have been cut inside of a value: what is left of it at the end is part of it.
    if (i === text.length) return i - from >= SHORTEST ? i : to;
    const next = at.next.get(text.charCodeAt(i));
    if (next === undefined) return to;
    at = next;
  }
}

function commonUntil(text: string, from: number, value: string): number {
  let i = ANCHOR;
  while (i < value.length && from + i < text.length && text.charCodeAt(from + i) === value.charCodeAt(i)) i++;
  return from + i;
}

/** As it is, and as JSON, JSON in ASCII, a URL and a form write it. */
function spellings(value: string): string[] {
  const whole = value.toWellFormed();
  const json = JSON.stringify(whole).slice(1, -1);
  const escaped = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const ascii = json.replace(/[\u0080-\uffff]/g, escaped);
  const url = encodeURIComponent(whole);
  return [whole, json, ascii, ascii.replaceAll('/', '\\/'), url, url.replaceAll('%20', '+')];
}
