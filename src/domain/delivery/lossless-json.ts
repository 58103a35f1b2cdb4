/** Reading JSON without losing digits: what JavaScript's number cannot hold becomes a string, and is named. */
import type { JsonValue } from './json.js';

export interface LosslessJson {
  readonly value: JsonValue;
  /** JSON Pointers (RFC 6901) of the numbers that are strings in `value`, in document order. */
  readonly numbersAsStrings: readonly string[];
}

/**
 * Parses as JSON.parse does, but a number that would not be written back with the same value (integers beyond 2^53,
 * 1e400, more than 17 digits) is kept as its source text. Throws a SyntaxError for what is not JSON.
 */
export function parseLossless(text: string): LosslessJson {
  if (!MAY_LOSE.test(text)) return { value: JSON.parse(text) as JsonValue, numbersAsStrings: [] };
  let lossy = false;
  const parse = JSON.parse as (text: string, reviver: Reviver) => unknown;
  const parsed = parse(text, (_key, value, context) => {
    if (typeof value !== 'number' || context?.source === undefined || isExact(value, context.source)) return value;
    lossy = true;
    return new LossyNumber(context.source);
  });
  const numbersAsStrings: string[] = [];
  const value = lossy ? replaceLossy(parsed, '', numbersAsStrings) : parsed;
  return { value: value as JsonValue, numbersAsStrings };
}

/**
 * A number that may lose something: up to 15 significant digits a double gives back (IEEE 754), so it has 16 characters or
 * more, or an exponent. A text that looks like one only costs the slower way.
 */
const MAY_LOSE = /(?:^|[:[,])\s*-?(?:[0-9.]{16}|[0-9.]+[eE])/;

/** ECMAScript's "JSON.parse source text access": the third argument that TypeScript's library does not know yet. */
type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown;

class LossyNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/** Whether the number's shortest text form has the value of its source. 0.1 is exact in this sense, 2^53 + 1 is not. */
function isExact(value: number, source: string): boolean {
  if (source.length <= 15 && !/[eE.]/.test(source)) return true;
  return Number.isFinite(value) && canonical(String(value)) === canonical(source);
}

/** Sign, digits without zeros at either end, exponent of ten: equal for equal values only. */
function canonical(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  const trimmed = digits.replace(/0+$/, '');
  if (trimmed === '') return '0';
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - trimmed.length);
  return `${sign}${trimmed}e${power}`;
}

function replaceLossy(value: unknown, pointer: string, found: string[]): unknown {
  if (value instanceof LossyNumber) {
    found.push(pointer);
    return value.source;
  }
  if (typeof value !== 'object' || value === null) return value;
  for (const key of Object.keys(value)) {
    const child = (value as Record<string, unknown>)[key];
    const replaced = replaceLossy(child, `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`, found);
    // Not by assignment: a key named __proto__ would set the prototype.
    if (replaced !== child) {
      Object.defineProperty(value, key, { value: replaced, enumerable: true, configurable: true, writable: true });
    }
  }
  return value;
}
