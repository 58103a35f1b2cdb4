import { IntegrationError } from '../../domain/delivery/integration-error.js';
import { EVENT_LIMITS } from '../../domain/delivery/outbox-event.js';

/**
 * JSON of exactly what it is given. Where JSON.stringify leaves out, converts or calls toJSON (undefined, functions,
 * NaN, Date, Map, class instances, holes), and where PostgreSQL's jsonb refuses (NUL, lone surrogates), it throws an
 * IntegrationError `DISPATCH.INVALID_EVENT` that names the place; the same for cycles and more than 32 levels.
 *
 * A space follows each ":" and ",", as in jsonb's text form, so that sizes are what the database measures (it also
 * writes out exponents: a payload of such numbers near the limit is refused there).
 */
export function strictJson(value: unknown, pointer: string): string {
  return write(value, pointer, []);
}

/** RFC 6901. */
export function jsonPointer(parent: string, key: string | number): string {
  return `${parent}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function write(value: unknown, pointer: string, ancestors: readonly object[]): string {
  switch (typeof value) {
    case 'string':
      return writeString(value, pointer);
    case 'number':
      if (!Number.isFinite(value)) refuse(pointer, `expected a finite number, got ${value}; JSON has null for "none"`);
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'bigint':
      return refuse(pointer, 'expected a JSON value, got a bigint; send it as a string');
    case 'undefined':
      return refuse(pointer, 'expected a JSON value, got undefined; leave the field out or send null');
    case 'function':
    case 'symbol':
      return refuse(pointer, `expected a JSON value, got a ${typeof value}; leave the field out`);
    case 'object':
      return value === null ? 'null' : writeContainer(value, pointer, ancestors);
  }
}

function writeContainer(value: object, pointer: string, ancestors: readonly object[]): string {
  if (ancestors.includes(value)) refuse(pointer, 'expected a tree, got a cycle; refer by id instead');
  if (ancestors.length >= EVENT_LIMITS.depth) {
    refuse(
      pointer,
      `expected at most ${EVENT_LIMITS.depth} levels of objects and arrays; keep deep content as a string`,
    );
  }
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function' || !isPlain(value)) {
    const kind = Object.prototype.toString.call(value).slice(8, -1);
    refuse(
      pointer,
      `expected a plain object or array, got a ${className(value) ?? kind}; convert it first (a Date: toISOString())`,
    );
  }
  const line = [...ancestors, value];
  if (Array.isArray(value)) {
    return `[${Array.from(value, (item: unknown, i) => write(item, jsonPointer(pointer, i), line)).join(', ')}]`;
  }
  if (Object.getOwnPropertySymbols(value).length > 0) refuse(pointer, 'expected string keys only, got a symbol');
  const members = Object.entries(value).map(([key, member]) => {
    const place = jsonPointer(pointer, key);
    return `${writeString(key, place)}: ${write(member, place, line)}`;
  });
  return `{${members.join(', ')}}`;
}

function writeString(value: string, pointer: string): string {
  if (value.includes('\u0000'))
    refuse(pointer, 'expected text without the NUL character, which PostgreSQL cannot store');
  if (!value.isWellFormed())
    refuse(pointer, 'expected well-formed text, got half of a surrogate pair (cut in the middle?)');
  return JSON.stringify(value);
}

/** By shape, not `instanceof`: plain objects of another realm are plain too. */
function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function className(value: object): string | null {
  const name: unknown = value.constructor?.name;
  return typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : null;
}

function refuse(pointer: string, problem: string): never {
  throw new IntegrationError('DISPATCH.INVALID_EVENT', { field: pointer, message: `${pointer}: ${problem}` });
}
