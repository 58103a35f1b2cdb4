import type { Request, Response } from 'express';
import { z } from 'zod';
import { FilterError } from '../application/delivery/dead-letters/check-filter.js';
import type { DeadLetterFilter } from '../application/delivery/dead-letters/ports.js';
import { AUDIT_LIMITS, toFieldProblems } from '../contract/audit-dto.js';
import type { FilterBody } from '../contract/dead-letters-api.js';
import { type FieldProblem, findUnstorable } from '../contract/json-value.js';
import { mayReadFailed, mayWriteFailed, tenantOfFailed } from '../domain/audit/api-key.js';
import { parseLossless } from '../domain/delivery/lossless-json.js';
import { HttpProblem } from './problem.js';
import { readJson } from './read-json.js';
import { type Gate, requireKey, requireScope } from './require-key.js';

/** Who works on dead letters. The actor is the key, or who is signed in: what else a caller says of itself proves nothing. */
export interface Operator {
  readonly actor: string;
  /** Whose letters; null: everybody's. */
  readonly tenantId: string | null;
}

/** Throws HttpProblem (401, 403). */
export async function requireOperator(
  gate: Gate,
  req: Request,
  res: Response,
  scope: 'dlq:read' | 'dlq:write',
): Promise<Operator> {
  const { key, actor } = await requireKey(gate, req, res);
  requireScope(scope === 'dlq:read' ? mayReadFailed(key) : mayWriteFailed(key), scope);
  return { actor, tenantId: tenantOfFailed(key) };
}

/** Throws HttpProblem (400). */
export function readQuery<Query>(req: Request, schema: z.ZodType<Query>): Query {
  const parsed = schema.safeParse(req.query);
  const unstorable = findUnstorable(req.query, AUDIT_LIMITS.problems);
  if (parsed.success && unstorable.length === 0) return parsed.data;
  const errors = parsed.success ? unstorable : toFieldProblems(parsed.error);
  throw new HttpProblem('invalid_query', 'The query does not fit', { errors });
}

/**
 * `exactBelow`: the JSON Pointer of what is kept as it was sent, so that a number which JavaScript would round is refused.
 * Throws HttpProblem (400, 413, 415, 422).
 */
export async function readBodyOf<Body>(
  req: Request,
  schema: z.ZodType<Body>,
  { exactBelow }: { readonly exactBelow?: string } = {},
): Promise<Body> {
  const { value, text } = await readJson(req);
  const unstorable = findUnstorable(value, AUDIT_LIMITS.problems);
  if (exactBelow !== undefined) unstorable.push(...findInexact(text, exactBelow));
  const parsed = schema.safeParse(value);
  if (parsed.success && unstorable.length === 0) return parsed.data;
  const errors = parsed.success ? unstorable : [...unstorable, ...toFieldProblems(parsed.error)];
  throw new HttpProblem('invalid_request', 'The request does not fit', { errors });
}

function findInexact(text: string, pointer: string): FieldProblem[] {
  return parseLossless(text)
    .numbersAsStrings.filter((at) => at === pointer || at.startsWith(`${pointer}/`))
    .slice(0, AUDIT_LIMITS.problems)
    .map((at) => ({ pointer: at, detail: 'Expected a number that a double holds exactly; send it as text' }));
}

/** The id in the path. Throws HttpProblem (404). */
export function readId(req: Request): string {
  // Any UUID: producers in SQL make some that are of no version (md5(x)::uuid).
  const id = z.guid().safeParse(req.params.id);
  if (!id.success) throw notFound();
  return id.data.toLowerCase();
}

/** Within the operator's own tenant, whatever is asked for. Throws HttpProblem (403) for another one's. */
export function toFilter(body: FilterBody, { tenantId }: Operator): DeadLetterFilter {
  if (tenantId !== null && body.tenantId !== undefined && body.tenantId !== tenantId) {
    throw new HttpProblem('tenant_forbidden', 'This API key is bound to another tenant');
  }
  const { eventType = null, code = null, destination = null, since = null, until = null, text = null } = body;
  const { outageId = null } = body;
  return { eventType, code, tenantId: tenantId ?? body.tenantId ?? null, destination, since, until, text, outageId };
}

/** A filter that nobody can mean is the caller's mistake. */
export async function withFilter<T>(
  code: 'invalid_query' | 'invalid_request',
  prefix: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const errors = [{ pointer: `${prefix}/${error.field}`, detail: error.message }];
    throw new HttpProblem(code, 'The filter does not fit', { errors });
  }
}

/** Of another tenant's as of none at all. */
export function notFound(): HttpProblem {
  return new HttpProblem('not_found', 'Nothing is here');
}
