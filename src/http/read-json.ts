import type { IncomingMessage } from 'node:http';
import { AUDIT_LIMITS } from '../contract/audit-dto.js';
import { type JsonTextRefusal, parseJsonText } from '../contract/json-text.js';
import type { JsonValue } from '../contract/json-value.js';
import { HttpProblem } from './problem.js';
import { readBody } from './read-body.js';

export interface JsonBody {
  readonly value: JsonValue;
  /** Of the inflated text. */
  readonly bytes: number;
  readonly text: string;
}

/** The JSON body of a request by the rules of `parseJsonText`. Throws HttpProblem (400, 413, 415). */
export async function readJson(req: IncomingMessage): Promise<JsonBody> {
  if (readMediaType(req) !== 'application/json') throw unsupported('application/json');
  return parseBody(await readBody(req, AUDIT_LIMITS.batchBytes), AUDIT_LIMITS.depth);
}

/** Throws HttpProblem (400). */
export function parseBody(body: Buffer, depth: number): JsonBody {
  const parsed = parseJsonText(body, depth);
  if (!parsed.ok) throw toJsonProblem(parsed);
  return { value: parsed.value, bytes: body.length, text: parsed.text };
}

export function toJsonProblem({ reason, detail, pointer }: JsonTextRefusal): HttpProblem {
  return new HttpProblem(reason, detail, { errors: pointer === null ? [] : [{ pointer, detail }] });
}

/** In small letters, without its parameters; null where none is given, or one in another charset than UTF-8. */
export function readMediaType(req: IncomingMessage): string | null {
  const [type, ...parameters] = (req.headers['content-type'] ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  const known = charset === undefined || ['utf-8', '"utf-8"', 'utf8'].includes(charset);
  return type && known ? type : null;
}

export function unsupported(...types: readonly string[]): HttpProblem {
  return new HttpProblem('unsupported_media_type', `Expected Content-Type: ${types.join(' or ')}, in UTF-8`);
}
