import { IDEMPOTENCY_REPLAYED_HEADER, type ProblemCode } from '../../contract/audit-api.js';
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

const OF_ANSWERS: Record<ResponseHeader, HeaderObject> = {
  [IDEMPOTENCY_REPLAYED_HEADER]: {
    description: 'The record stood already, with this content.',
    required: true,
    schema: { type: 'string', const: 'true' },
  },
  'Retry-After': { description: 'Seconds to wait before the next request.', required: true, schema: seconds },
  ETag: { description: 'For If-None-Match.', required: true, schema: text },
};

const OF_PROBLEMS: Partial<Record<ProblemCode, Readonly<Record<string, HeaderObject>>>> = {
  unauthorized: {
    'WWW-Authenticate': { description: 'The challenge of RFC 6750.', required: true, schema: text },
  },
  method_not_allowed: { Allow: { description: 'What this path takes.', required: true, schema: text } },
  unsupported_encoding: {
    'Accept-Encoding': { description: 'What a body may be encoded in.', required: false, schema: text },
  },
  overloaded: { 'Retry-After': OF_ANSWERS['Retry-After'] },
  store_unavailable: { 'Retry-After': OF_ANSWERS['Retry-After'] },
  effect_not_told: { 'Retry-After': OF_ANSWERS['Retry-After'] },
};

export type Headers = Readonly<Record<string, HeaderObject>>;

export function headersOfAnswer(names: readonly ResponseHeader[] = []): Headers {
  return { ...COMMON, ...Object.fromEntries(names.map((name) => [name, OF_ANSWERS[name]])) };
}

/** Of a status that any of these codes has. */
export function headersOfProblems(codes: readonly ProblemCode[]): Headers {
  return Object.assign({}, COMMON, ...codes.map((code) => OF_PROBLEMS[code] ?? {}));
}
