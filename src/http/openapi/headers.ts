import { IDEMPOTENCY_REPLAYED_HEADER, type ProblemCode } from '../../contract/audit-api.js';
import { SESSION_CHECKED_HEADER } from '../../contract/monitor-api.js';
import type { ResponseHeader } from './operation.js';

interface HeaderObject {
  readonly description: string;
  readonly required: boolean;
  readonly schema: object;
}

const text = { type: 'string', minLength: 1 };
const seconds = { type: 'string', pattern: '^[0-9]+$' };

/** On every answer. */
const COMMON = {
  'X-Request-Id': {
    description: 'Of this request; stands in the log beside what went wrong.',
    required: true,
    schema: { type: 'string', format: 'uuid' },
  },
  'Cache-Control': { description: '`no-store`, but for this document and its page.', required: true, schema: text },
} satisfies Record<string, HeaderObject>;

/** Where a key is asked for: of a key that has a rate. */
const OF_KEYS = {
  'RateLimit-Policy': {
    description: 'The rate of the API key, if it has one: `q` events in `w` seconds.',
    required: false,
    schema: { type: 'string', pattern: '^"events";q=[0-9]+;w=[0-9]+$' },
  },
  RateLimit: {
    description: 'What is left of it: `r` events, and `t` seconds until the next window.',
    required: false,
    schema: { type: 'string', pattern: '^"events";r=[0-9]+;t=[0-9]+$' },
  },
} satisfies Record<string, HeaderObject>;

/** Where a session of the monitor may ask. */
const OF_SESSIONS = {
  [SESSION_CHECKED_HEADER]: {
    description: 'The session could not be looked up now; what was known of it a moment ago holds for reading.',
    required: false,
    schema: { type: 'string', const: 'no' },
  },
} satisfies Record<string, HeaderObject>;

const OF_ANSWERS: Record<ResponseHeader, HeaderObject> = {
  [IDEMPOTENCY_REPLAYED_HEADER]: {
    description: 'The record stood already, with this content.',
    required: true,
    schema: { type: 'string', const: 'true' },
  },
  'Retry-After': { description: 'Seconds to wait before the next request.', required: true, schema: seconds },
  'Content-Disposition': { description: 'Of CSV: a name for the file.', required: false, schema: text },
  ETag: { description: 'For If-None-Match.', required: true, schema: text },
  'Set-Cookie': { description: 'The session, or its end; no script can read it.', required: true, schema: text },
};

const OF_PROBLEMS: Partial<Record<ProblemCode, Readonly<Record<string, HeaderObject>>>> = {
  unauthorized: {
    'WWW-Authenticate': { description: 'The challenge of RFC 6750.', required: true, schema: text },
  },
  session_ended: {
    'WWW-Authenticate': { description: 'The challenge of RFC 6750.', required: true, schema: text },
  },
  method_not_allowed: { Allow: { description: 'What this path takes.', required: true, schema: text } },
  unsupported_encoding: {
    'Accept-Encoding': { description: 'What a body may be encoded in.', required: false, schema: text },
  },
  not_signed_yet: { 'Retry-After': OF_ANSWERS['Retry-After'] },
  rate_limited: { 'Retry-After': OF_ANSWERS['Retry-After'] },
  overloaded: { 'Retry-After': OF_ANSWERS['Retry-After'] },
  session_not_known: { 'Retry-After': OF_ANSWERS['Retry-After'] },
  store_unavailable: { 'Retry-After': OF_ANSWERS['Retry-After'] },
  effect_not_told: { 'Retry-After': OF_ANSWERS['Retry-After'] },
};

export type Headers = Readonly<Record<string, HeaderObject>>;

/** Who may ask by a route. */
export interface Asking {
  readonly byKey: boolean;
  readonly bySession: boolean;
}

export function headersOfAnswer(names: readonly ResponseHeader[], asking: Asking): Headers {
  return { ...COMMON, ...headersOf(asking), ...Object.fromEntries(names.map((name) => [name, OF_ANSWERS[name]])) };
}

/** Of a status that any of these codes has. */
export function headersOfProblems(codes: readonly ProblemCode[], asking: Asking): Headers {
  return Object.assign({}, COMMON, headersOf(asking), ...codes.map((code) => OF_PROBLEMS[code] ?? {}));
}

function headersOf({ byKey, bySession }: Asking): Headers {
  return { ...(byKey ? OF_KEYS : {}), ...(bySession ? OF_SESSIONS : {}) };
}
