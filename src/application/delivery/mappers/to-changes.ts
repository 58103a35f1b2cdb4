import { AUDIT_LIMITS, type AuditChange, type JsonObject, type JsonValue } from '../../../contract/audit-dto.js';
import { cutText } from '../../../contract/fit-text.js';
import { joinPointer } from '../../../contract/json-value.js';
import { createFitting, fitValue } from './fit-json.js';

export interface Changes {
  readonly changes: readonly AuditChange[];
  /** How many were left out: past the hundredth, or with a field name too long for a pointer. */
  readonly omitted: number;
}

/** The event, the list and the change itself are containers around a value. */
const VALUE_LEVELS = AUDIT_LIMITS.depth - 3;

/**
 * What changed, where a payload says so: `changes` as a list of {field, old?, new?, redacted?}, or as an object of
 * {old, new} by field; else `before` and `after`, compared field by field.
 */
export function toChanges(payload: JsonObject): Changes {
  const found = readChanges(payload.changes) ?? compare(payload.before, payload.after) ?? [];
  const named = found.filter(({ field }) => field.length <= AUDIT_LIMITS.changeField);
  const changes = named.slice(0, AUDIT_LIMITS.changes);
  return { changes, omitted: found.length - changes.length };
}

function readChanges(value: JsonValue | undefined): AuditChange[] | null {
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      if (!isObject(item) || typeof item.field !== 'string' || item.field === '') return [];
      return [toChange(toPointer(item.field), item)];
    });
  }
  if (!isObject(value)) return null;
  return Object.entries(value).flatMap(([field, item]) =>
    isObject(item) && ('old' in item || 'new' in item) ? [toChange(joinPointer('', fitName(field)), item)] : [],
  );
}

function compare(before: JsonValue | undefined, after: JsonValue | undefined): AuditChange[] | null {
  if (!isObject(before) || !isObject(after)) return null;
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields
    .filter((field) => !isSame(own(before, field), own(after, field)))
    .map((field) => {
      const item: JsonObject = {};
      const [old, current] = [own(before, field), own(after, field)];
      if (old !== undefined) item.old = old;
      if (current !== undefined) item.new = current;
      return toChange(joinPointer('', fitName(field)), item);
    });
}

function toChange(field: string, item: JsonObject): AuditChange {
  const held = (value: JsonValue) => fitValue(value, VALUE_LEVELS, createFitting(), '');
  return {
    field,
    ...(item.old === undefined ? {} : { old: held(item.old) }),
    ...(item.new === undefined ? {} : { new: held(item.new) }),
    ...(typeof item.redacted === 'boolean' ? { redacted: item.redacted } : {}),
  };
}

/** A pointer stays one; any other name becomes a pointer to the field of that name. */
function toPointer(field: string): string {
  const fitted = fitName(field);
  return /^(?:\/(?:[^~/]|~[01])*)+$/.test(fitted) ? fitted : joinPointer('', fitted);
}

function fitName(name: string): string {
  return cutText(name, Number.POSITIVE_INFINITY);
}

function own(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** By text: jsonb gives the keys of equal objects in the same order. */
function isSame(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
