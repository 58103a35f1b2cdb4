import { PROBLEMS, type ProblemCode } from '../../contract/audit-api.js';
import type { Operation } from './operation.js';

/** Of the connection and the URL; `internal` is what nobody foresaw. */
const OF_EVERY_REQUEST: readonly ProblemCode[] = [
  'malformed_url',
  'malformed_request',
  'request_timeout',
  'url_too_long',
  'headers_too_large',
  'internal',
];
const OF_KEYS: readonly ProblemCode[] = [
  'unauthorized',
  'scope_missing',
  'rate_limited',
  'store_unavailable',
  // What needs no key is answered under load, too.
  'overloaded',
  // Of a key whose requests are signed, the body is read for its signature, whatever the method.
  'incomplete_body',
  'body_too_large',
  'unsupported_encoding',
];
/** Where a session of the monitor may stand in for a key. */
const OF_SESSIONS: readonly ProblemCode[] = ['session_ended', 'foreign_origin', 'session_not_known'];
/** Of those that change something, or send a body. */
const OF_CHANGES: readonly ProblemCode[] = ['csrf_missing'];
const OF_BODIES: readonly ProblemCode[] = [
  'incomplete_body',
  'invalid_utf8',
  'invalid_json',
  'too_deep',
  'forbidden_key',
  'body_too_large',
  'unsupported_media_type',
  'unsupported_encoding',
];

/** What a request can be answered with that is none of an operation's: another path, another method on a path. */
export const OF_NO_OPERATION: readonly ProblemCode[] = ['not_found', 'method_not_allowed', ...OF_EVERY_REQUEST];

/** Every problem that a route may answer with, by status. `sessions`: the monitor is served. */
export function problemsOf(operation: Operation, sessions: boolean): ReadonlyMap<number, readonly ProblemCode[]> {
  const bySession = sessions && (operation.scopes !== undefined || operation.session === true);
  const codes = new Set([
    ...OF_EVERY_REQUEST,
    ...(operation.scopes === undefined ? [] : OF_KEYS),
    ...(bySession ? OF_SESSIONS : []),
    ...(bySession && operation.method !== 'get' ? OF_CHANGES : []),
    ...(operation.body === undefined ? [] : OF_BODIES),
    ...(operation.problems ?? []),
  ]);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of Object.keys(PROBLEMS) as ProblemCode[]) {
    if (!codes.has(code)) continue;
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}
