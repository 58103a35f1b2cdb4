/**
 * What an audit record can hold of JSON: text that PostgreSQL stores unchanged and numbers that every reader sees alike.
 * Shared by the ingest, which refuses the rest, and by producers that want to know before they send.
 */

import { fitsText } from './fit-text.js';

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** One thing that is wrong with a value: where (JSON Pointer, RFC 6901; the empty string is the whole) and why. */
export interface FieldProblem {
  readonly pointer: string;
  readonly detail: string;
}

/** One segment appended to a JSON Pointer, escaped. */
export function joinPointer(pointer: string, segment: string | number): string {
  const text = String(segment);
  return `${pointer}/${/[~/]/.test(text) ? text.replaceAll('~', '~0').replaceAll('/', '~1') : text}`;
}

/** Of a pointer, in UTF-16 code units: keys are the sender's, and a long one would come back once for each problem below it. */
const LONGEST_POINTER = 512;

/**
 * Every string, key and number that cannot be stored unchanged: U+0000 and lone surrogates (PostgreSQL refuses them),
 * infinite numbers (from 1e400) and numbers beyond 2^53 - 1 (JSON readers disagree on them; RFC 7493 §2.2).
 * At most `atMost` of them; what a pointer of 512 characters cannot name is told by its nearest ancestor. Walks with a stack of its own, so that no depth can exhaust the call stack.
 */
export function findUnstorable(value: unknown, atMost: number): FieldProblem[] {
  if (isStorable(value)) return [];
  const problems: FieldProblem[] = [];
  const open: { value: unknown; pointer: string; named: boolean }[] = [{ value, pointer: '', named: true }];
  while (open.length > 0 && problems.length < atMost) {
    const { value: current, pointer, named } = open.pop() as (typeof open)[number];
    if (typeof current === 'string') {
      const detail = textProblem(current);
      if (detail !== null) problems.push({ pointer, detail });
    } else if (typeof current === 'number') {
      const detail = numberProblem(current);
      if (detail !== null) problems.push({ pointer, detail });
    } else if (typeof current === 'object' && current !== null) {
      for (const key of Object.keys(current).reverse()) {
        const child = { value: (current as Record<string, unknown>)[key], pointer, named: false };
        if (named && pointer.length + key.length < LONGEST_POINTER) {
          child.pointer = joinPointer(pointer, key);
          child.named = true;
        }
        const detail = textProblem(key);
        if (detail !== null && problems.length < atMost)
          problems.push({ pointer: child.pointer, detail: `The key: ${detail}` });
        open.push(child);
      }
    }
  }
  return problems;
}

/** Whether the walk would find nothing: nearly always so, and then no pointer need be made. */
function isStorable(value: unknown): boolean {
  const open: unknown[] = [value];
  while (open.length > 0) {
    const current = open.pop();
    if (typeof current === 'string' && !fitsText(current)) return false;
    if (typeof current === 'number' && numberProblem(current) !== null) return false;
    if (typeof current !== 'object' || current === null) continue;
    if (Array.isArray(current)) {
      for (const item of current) open.push(item);
      continue;
    }
    for (const key of Object.keys(current)) {
      if (!fitsText(key)) return false;
      open.push((current as Record<string, unknown>)[key]);
    }
  }
  return true;
}

/**
 * A JSON Pointer to the first key that merging code could take for a prototype: `__proto__`, or `constructor` with a
 * `prototype` inside. null where there is none. Recursive: meant for values of bounded depth.
 */
export function findPrototypeKey(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const below = findPrototypeKey(value[i]);
      if (below !== null) return joinPointer('', i) + below;
    }
    return null;
  }
  for (const key of Object.keys(value)) {
    const child = (value as Record<string, unknown>)[key];
    if (key === '__proto__') return '/__proto__';
    if (key === 'constructor' && typeof child === 'object' && child !== null && Object.hasOwn(child, 'prototype')) {
      return '/constructor/prototype';
    }
    const below = findPrototypeKey(child);
    if (below !== null) return joinPointer('', key) + below;
  }
  return null;
}

function textProblem(text: string): string | null {
  if (text.includes('\u0000')) return 'Expected text without U+0000';
  if (!text.isWellFormed()) return 'Expected well-formed Unicode, found a lone surrogate';
  return null;
}

function numberProblem(value: number): string | null {
  if (!Number.isFinite(value)) return 'Expected a number that a double can hold';
  if (Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    return 'Expected a number within ±(2^53 - 1); send a larger one as a string';
  }
  return null;
}
