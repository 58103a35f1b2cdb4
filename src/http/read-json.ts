import type { IncomingMessage } from 'node:http';
import { AUDIT_LIMITS } from '../contract/audit-dto.js';
import { parseJsonText } from '../contract/json-text.js';
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
  requireJson(req.headers['content-type']);
  const body = await readBody(req, AUDIT_LIMITS.batchBytes);
  const parsed = parseJsonText(body, AUDIT_LIMITS.depth);
  if (!parsed.ok) {
    const errors = parsed.pointer === null ? [] : [{ pointer: parsed.pointer, detail: parsed.detail }];
    throw new HttpProblem(parsed.reason, parsed.detail, { errors });
  }
  return { value: parsed.value, bytes: body.length, text: parsed.text };
}

function requireJson(contentType: string | undefined): void {
  const [type, ...parameters] = (contentType ?? '').split(';').map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  const known = charset === undefined || ['utf-8', '"utf-8"', 'utf8'].includes(charset);
  if (type !== 'application/json' || !known) {
    throw new HttpProblem('unsupported_media_type', 'Expected Content-Type: application/json, in UTF-8');
  }
}
