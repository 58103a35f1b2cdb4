/**
 * Makes any JSON value one that an audit record can hold (see contract/json-value.ts), changing as little as possible and
 * counting what was changed. An event that is already committed cannot be sent back, so nothing is refused here.
 */
import { fitsText, fitText } from '../../../contract/fit-text.js';
import { type JsonObject, type JsonValue, joinPointer } from '../../../contract/json-value.js';

/** What had to be changed, as JSON Pointers into the value given. */
export interface Fitting {
  /** Numbers that JSON readers disagree on, now strings. */
  readonly numbers: string[];
  /** Containers too deep, now strings of their JSON text. */
  readonly flattened: string[];
  /** Keys that reach for a prototype, now in parentheses. */
  readonly renamed: string[];
}

export function createFitting(): Fitting {
  return { numbers: [], flattened: [], renamed: [] };
}

/** The object itself where it fits. @param levels how many containers may be inside one another, this one counted */
export function fitObject(object: JsonObject, levels: number, fitting: Fitting): JsonObject {
  return fits(object, levels) ? object : (fitValue(object, levels, fitting, '') as JsonObject);
}

/** Whether `fitValue` would change nothing; where in doubt, no. */
function fits(value: JsonValue | undefined, levels: number): boolean {
  if (typeof value === 'string') return fitsText(value);
  if (typeof value === 'number') return fitsNumber(value);
  if (typeof value !== 'object') return value !== undefined;
  if (value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) return value.every((item) => fits(item, levels - 1));
  return Object.keys(value).every(
    (key) => key !== '__proto__' && key !== 'constructor' && fitsText(key) && fits(value[key], levels - 1),
  );
}

/** @param pointer where the value stands, for what is counted */
export function fitValue(value: JsonValue, levels: number, fitting: Fitting, pointer: string): JsonValue {
  if (typeof value === 'string') return fitText(value);
  if (typeof value === 'number') {
    if (fitsNumber(value)) return value;
    fitting.numbers.push(pointer);
    return String(value);
  }
  if (typeof value !== 'object' || value === null) return value ?? null;
  if (levels === 0) {
    fitting.flattened.push(pointer);
    return fitText(JSON.stringify(value));
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => fitValue(item, levels - 1, fitting, joinPointer(pointer, index)));
  }
  const entries = Object.entries(value).map(([key, child]): [string, JsonValue] => {
    const at = joinPointer(pointer, key);
    return [fitKey(key, child, fitting, at), fitValue(child, levels - 1, fitting, at)];
  });
  // fromEntries defines own properties, so that no key can set a prototype on the way.
  return Object.fromEntries(entries);
}

/** Whether every reader of JSON sees it alike; what is not finite does not. */
function fitsNumber(value: number): boolean {
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER;
}

function fitKey(key: string, child: JsonValue, fitting: Fitting, pointer: string): string {
  const reachesForPrototype =
    key === '__proto__' ||
    (key === 'constructor' && typeof child === 'object' && child !== null && Object.hasOwn(child, 'prototype'));
  if (!reachesForPrototype) return fitText(key);
  fitting.renamed.push(pointer);
  return `(${key})`;
}
