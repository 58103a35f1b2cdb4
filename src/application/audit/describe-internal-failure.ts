import type { AuditEvent } from '../../contract/audit-dto.js';
import type { InternalFailure } from '../../domain/audit/failed-ingest.js';

const MESSAGE_LENGTH = 1_000;
const CODE_LENGTH = 100;
/** Shorter values occur in any sentence. */
const SHORTEST_VALUE = 4;

/**
 * Why an event could not be stored, in words that hold nothing of the event, whoever wrote the error. PostgreSQL quotes
 * values in its messages, and a trigger's message may be anything: of its errors only names are taken (SQLSTATE, table,
 * column, constraint, function). Of any other message what stands in quotes is left out, and what the event holds.
 */
export function describeInternalFailure(error: unknown, event: AuditEvent): InternalFailure {
  if (typeof error !== 'object' || error === null) {
    return { code: 'Thrown', message: `Expected an error, ${typeof error} was thrown` };
  }
  const thrown = error as DatabaseFields & { readonly name?: unknown; readonly message?: unknown };
  if (typeof thrown.severity === 'string' && typeof thrown.code === 'string') {
    const message = `PostgreSQL: SQLSTATE ${thrown.code}${placeOf(thrown)}`;
    return { code: thrown.code.slice(0, CODE_LENGTH), message: message.slice(0, MESSAGE_LENGTH) };
  }
  const name = typeof thrown.name === 'string' ? thrown.name.slice(0, CODE_LENGTH) : 'Error';
  const message = withoutValues(typeof thrown.message === 'string' ? thrown.message : '', valuesOf(event));
  return { code: name, message: `${name}: ${message}`.slice(0, MESSAGE_LENGTH).toWellFormed() };
}

/** Where it was thrown, for the log: the frames of the stack, which begins with the message. */
export function framesOf(error: unknown): string[] {
  const stack = (error as Partial<Error> | null | undefined)?.stack;
  return (typeof stack === 'string' ? stack : '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 10)
    .map((line) => line.trim());
}

interface DatabaseFields {
  readonly code?: unknown;
  readonly severity?: unknown;
  readonly schema?: unknown;
  readonly table?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;
  readonly where?: unknown;
}

function placeOf({ schema, table, column, constraint, where }: DatabaseFields): string {
  const inFunction = /PL\/pgSQL function ([\w.]+)\(/.exec(String(where ?? ''))?.[1];
  const places = { schema, table, column, constraint, function: inFunction };
  return Object.entries(places)
    .flatMap(([kind, name]) => (typeof name === 'string' ? [`, ${kind} ${name}`] : []))
    .join('');
}

function withoutValues(message: string, values: readonly string[]): string {
  const known = values.reduce((text, value) => text.replaceAll(value, '[…]'), message);
  return known.replaceAll(/"[^"]*"?|'[^']*'|`[^`]*`/g, '[…]');
}

/** Every text and number of the event, and the names that the caller chose, the longest first: one may be in another. */
function valuesOf(event: AuditEvent): string[] {
  const found: string[] = [];
  const collect = (at: unknown): void => {
    if (typeof at === 'object' && at !== null) {
      if (at !== event && !Array.isArray(at)) found.push(...Object.keys(at));
      Object.values(at).forEach(collect);
    } else if (typeof at === 'string' || typeof at === 'number') {
      found.push(String(at));
    }
  };
  collect(event);
  return found.filter(({ length }) => length >= SHORTEST_VALUE).sort((a, b) => b.length - a.length);
}
