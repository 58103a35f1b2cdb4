import type { Request, Response } from 'express';
import { z } from 'zod';
import { actOnMatching, countMatching } from '../application/audit/act-on-matching.js';
import type { DiscardFailedIngest, NotOpen } from '../application/audit/discard-failed-ingest.js';
import type {
  FailedIngestFilter,
  FailedIngestRef,
  FailedIngestStore,
  PersonsWord,
} from '../application/audit/ports.js';
import type { RetryFailedIngest } from '../application/audit/retry-failed-ingest.js';
import { AUDIT_LIMITS, toFieldProblems } from '../contract/audit-dto.js';
import {
  type FailedIngestCounts,
  type FailedIngestFound,
  type FailedIngestList,
  type FailedIngestRetried,
  type FailedIngestView,
  failedIngestMatchingSchema,
  failedIngestQuerySchema,
  failedIngestReasonSchema,
} from '../contract/failed-ingest-api.js';
import { findUnstorable } from '../contract/json-value.js';
import { type ApiKey, mayReadFailed, mayWriteFailed, tenantOfFailed } from '../domain/audit/api-key.js';
import type { FailedIngest } from '../domain/audit/failed-ingest.js';
import { HttpProblem } from './problem.js';
import { readJson } from './read-json.js';
import { type Caller, type Gate, requireKey, requireScope } from './require-key.js';

export interface FailedIngestRouteDeps {
  readonly gate: Gate;
  readonly failedIngest: Pick<FailedIngestStore, 'list' | 'find' | 'openIds'>;
  readonly retryFailedIngest: RetryFailedIngest;
  readonly discardFailedIngest: DiscardFailedIngest;
}

/** GET /ops/v1/failed-ingest: a page of those in one state, open ones unless asked otherwise, the newest first. */
export function listFailedIngest(deps: FailedIngestRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const key = await requireReader(deps, req, res);
    const parsed = failedIngestQuerySchema.safeParse(req.query);
    if (!parsed.success) {
      throw new HttpProblem('invalid_query', 'Expected state, code, source, since, until, limit and before at most', {
        errors: toFieldProblems(parsed.error),
      });
    }
    const { state, limit, before = null, ...filter } = parsed.data;
    // One more than asked for says whether there is a next page.
    const rows = await deps.failedIngest.list({
      tenantId: tenantOfFailed(key),
      state,
      filter: filterOf(filter),
      before,
      limit: limit + 1,
    });
    const items = rows.slice(0, limit).map(toView);
    const next = rows.length > limit ? (items.at(-1)?.id ?? null) : null;
    res.json({ items, next } satisfies FailedIngestList);
  };
}

/** GET /ops/v1/failed-ingest/{id}: one with its body, where it is open still. It would be a record: a watcher sees none. */
export function getFailedIngest(deps: FailedIngestRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { key, identity } = await requireKey(deps.gate, req, res);
    requireScope(mayReadFailed(key), 'dlq:read');
    const found = await deps.failedIngest.find(refOf(req, key));
    if (found === null) throw notFound();
    const body = identity?.role === 'watcher' ? null : found.body;
    res.json({ ...toView(found), body } satisfies FailedIngestFound);
  };
}

/** POST /ops/v1/failed-ingest/{id}/retry: stores it now. Still failing, it is a problem `still_failing`, and stays open. */
export function postRetry(deps: FailedIngestRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { ref, word } = await readWord(deps, req, res);
    const outcome = await deps.retryFailedIngest(ref, word);
    switch (outcome.kind) {
      case 'stored':
        res.json({ outcome: 'stored', receipt: { ...outcome.receipt } } satisfies FailedIngestRetried);
        return;
      case 'other_content':
        res.json({ outcome: 'other_content' } satisfies FailedIngestRetried);
        return;
      case 'failed':
        throw new HttpProblem('still_failing', 'It could not be stored again; it stays open', {
          failedIngestId: ref.id,
        });
      case 'invalid':
        throw new HttpProblem('invalid_event', 'What was kept does not fit DTO v1; it stays open', {
          errors: outcome.problems,
        });
      default:
        throw whyNot(outcome);
    }
  };
}

/** POST /ops/v1/failed-ingest/{id}/discard: gives it up; the row stays, without its body. */
export function postDiscard(deps: FailedIngestRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { ref, word } = await readWord(deps, req, res);
    const outcome = await deps.discardFailedIngest(ref, word);
    if (outcome.kind !== 'discarded') throw whyNot(outcome);
    res.json(toView(outcome.row));
  };
}

/** POST /ops/v1/failed-ingest/retry and /discard: all that are open and match, at most 1,000; answers how they ended. */
export function postMatching(deps: FailedIngestRouteDeps, verb: 'retry' | 'discard') {
  return async (req: Request, res: Response): Promise<void> => {
    const { key, actor } = await requireWriter(deps, req, res);
    const { filter, reason, cap, after = null, dryRun } = await readWordAs(failedIngestMatchingSchema, req);
    const task = { tenantId: tenantOfFailed(key), filter: filterOf(filter), cap, after };
    const counts = dryRun ? await countMatching(deps, task) : await actOnMatching(deps, verb, task, { actor, reason });
    res.json(counts satisfies FailedIngestCounts);
  };
}

function filterOf(given: z.output<typeof failedIngestMatchingSchema>['filter']): FailedIngestFilter {
  const { code = null, source = null, since = null, until = null } = given;
  return { code, source, since, until };
}

async function requireReader(deps: FailedIngestRouteDeps, req: Request, res: Response): Promise<ApiKey> {
  const { key } = await requireKey(deps.gate, req, res);
  requireScope(mayReadFailed(key), 'dlq:read');
  return key;
}

/** The actor is the key, or who is signed in: what else a caller says of itself proves nothing. */
async function readWord(
  deps: FailedIngestRouteDeps,
  req: Request,
  res: Response,
): Promise<{ ref: FailedIngestRef; word: PersonsWord }> {
  const { key, actor } = await requireWriter(deps, req, res);
  const ref = refOf(req, key);
  const { reason } = await readWordAs(failedIngestReasonSchema, req);
  return { ref, word: { actor, reason } };
}

async function requireWriter(deps: FailedIngestRouteDeps, req: Request, res: Response): Promise<Caller> {
  const caller = await requireKey(deps.gate, req, res);
  requireScope(mayWriteFailed(caller.key), 'dlq:write');
  return caller;
}

async function readWordAs<Body>(schema: z.ZodType<Body>, req: Request): Promise<Body> {
  const { value } = await readJson(req);
  const unstorable = findUnstorable(value, AUDIT_LIMITS.problems);
  const parsed = schema.safeParse(value);
  if (parsed.success && unstorable.length === 0) return parsed.data;
  const errors = parsed.success ? unstorable : [...unstorable, ...toFieldProblems(parsed.error)];
  throw new HttpProblem('invalid_request', 'Expected {"reason": "…"}, and a filter where there is no id', { errors });
}

function refOf(req: Request, key: ApiKey): FailedIngestRef {
  const id = z.uuid().safeParse(req.params.id);
  if (!id.success) throw notFound();
  return { id: id.data, tenantId: tenantOfFailed(key) };
}

function whyNot(outcome: NotOpen): HttpProblem {
  return outcome.kind === 'missing'
    ? notFound()
    : new HttpProblem('not_open', `Expected one that is open, this one is ${outcome.state}`);
}

/** Of another tenant's as of none at all. */
function notFound(): HttpProblem {
  return new HttpProblem('not_found', 'Nothing is here');
}

/** As people outside see it. */
export function toView(row: FailedIngest): FailedIngestView {
  return {
    id: row.id,
    tenantId: row.tenantId === '' ? null : row.tenantId,
    source: row.source,
    eventId: row.eventId,
    code: row.failure.code,
    message: row.failure.message,
    keyId: row.keyId,
    tries: row.tries,
    firstAt: row.firstAt.toISOString(),
    lastAt: row.lastAt.toISOString(),
    state: row.state,
    stateAt: row.stateAt?.toISOString() ?? null,
    actor: row.actor,
    reason: row.reason,
  };
}
