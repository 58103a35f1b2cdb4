import type { Request, Response } from 'express';
import type { LookupIdentities } from '../application/audit/lookup-identities.js';
import type { RecordAuditLog, RecordOutcome } from '../application/audit/record-audit-log.js';
import type { Metrics } from '../application/metrics/metrics.js';
import {
  type AuditBatchResponse,
  type AuditLookupResponse,
  type AuditReceipt,
  auditLookupRequestSchema,
  IDEMPOTENCY_KEY_HEADER,
  IDEMPOTENCY_REPLAYED_HEADER,
  PROBLEMS,
} from '../contract/audit-api.js';
import { AUDIT_LIMITS, toFieldProblems } from '../contract/audit-dto.js';
import { findUnstorable } from '../contract/json-value.js';
import { mayLookUp, mayWrite } from '../domain/audit/api-key.js';
import { countIngest } from './count-ingest.js';
import { HttpProblem, idsOf, toProblem } from './problem.js';
import { type AuditItem, readAuditRequest } from './read-audit-request.js';
import { readJson } from './read-json.js';
import { type ReadEvent, readSentEvent } from './read-sent-event.js';
import { type Caller, type Gate, requireKey, requireScope } from './require-key.js';

export interface AuditRouteDeps {
  readonly gate: Gate;
  readonly recordAuditLog: RecordAuditLog;
  readonly lookupIdentities: LookupIdentities;
  readonly metrics?: Metrics;
}

/**
 * POST /integration/v1/audit/logs: one event (201, 200 replayed) or several (207, one result for each), as our own JSON or
 * as CloudEvents.
 */
export function postAuditLogs(deps: AuditRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    if (deps.metrics !== undefined) countIngest(deps.metrics, res);
    const caller = await requireKey(deps.gate, req, res);
    requireScope(mayWrite(caller.key), 'audit:write');
    const request = await readAuditRequest(req);
    if (request.kind === 'batch') return answerBatch(deps, caller, request.items, req, res);
    try {
      await answerOne(deps, caller, request.item, req, res);
    } catch (error) {
      if (error instanceof HttpProblem) deps.metrics?.count('audit_ingest_records_total', { outcome: 'refused' });
      throw error;
    }
  };
}

/** POST /integration/v1/audit/lookup: which of at most 1,000 identities stand. */
export function postAuditLookup(deps: AuditRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { key } = await requireKey(deps.gate, req, res);
    requireScope(mayLookUp(key), 'audit:read');
    const { value } = await readJson(req);
    const unstorable = findUnstorable(value, AUDIT_LIMITS.problems);
    const parsed = auditLookupRequestSchema.safeParse(value);
    if (unstorable.length > 0 || !parsed.success) {
      const errors = parsed.success ? unstorable : [...unstorable, ...toFieldProblems(parsed.error)];
      throw new HttpProblem('invalid_lookup', 'Expected a list of identities', { errors });
    }
    const outcome = await deps.lookupIdentities({ key, identities: parsed.data.identities });
    if (outcome.kind === 'tenant_forbidden') {
      const errors = outcome.positions
        .slice(0, AUDIT_LIMITS.problems)
        .map((position) => ({ pointer: `/identities/${position}/tenantId`, detail: 'Not a tenant of this API key' }));
      throw new HttpProblem('tenant_forbidden', 'This API key may not read that tenant', { errors });
    }
    if (outcome.kind === 'content_hash_forbidden') {
      const errors = outcome.positions.slice(0, AUDIT_LIMITS.problems).map((position) => ({
        pointer: `/identities/${position}/contentHash`,
        detail: 'Accepted only with the scope audit:write:any-tenant',
      }));
      throw new HttpProblem('invalid_lookup', 'Expected no content hash from this API key', { errors });
    }
    res.json({ results: [...outcome.results] } satisfies AuditLookupResponse);
  };
}

async function answerOne(
  deps: AuditRouteDeps,
  { key, now }: Caller,
  item: AuditItem,
  req: Request,
  res: Response,
): Promise<void> {
  const read = readSentEvent(item, now);
  const { eventId } = read.sent.event;
  const idempotencyKey = req.get(IDEMPOTENCY_KEY_HEADER);
  // The draft for this header has it in quotes; most clients send it bare.
  if (idempotencyKey !== undefined && ![eventId, `"${eventId}"`].includes(idempotencyKey)) {
    throw new HttpProblem('idempotency_key_mismatch', `Expected ${IDEMPOTENCY_KEY_HEADER} to equal the event's id`, {
      errors: [{ pointer: read.pointer('/eventId'), detail: `Differs from ${IDEMPOTENCY_KEY_HEADER}` }],
    });
  }
  const [outcome] = await deps.recordAuditLog({ key, now, events: [read.sent] });
  const receipt = toReceipt(outcome as RecordOutcome, read);
  if (receipt.replayed) res.set(IDEMPOTENCY_REPLAYED_HEADER, 'true');
  deps.metrics?.count('audit_ingest_records_total', { outcome: receipt.replayed ? 'replayed' : 'stored' });
  res.status(receipt.replayed ? 200 : 201).json(receipt);
}

async function answerBatch(
  deps: AuditRouteDeps,
  { key, now, charge }: Caller,
  items: readonly (AuditItem | HttpProblem)[],
  req: Request,
  res: Response,
): Promise<void> {
  if (items.length === 0) throw new HttpProblem('empty_batch', 'Expected at least one event');
  await charge(items.length - 1);
  if (req.get(IDEMPOTENCY_KEY_HEADER) !== undefined) {
    const detail = `Expected no ${IDEMPOTENCY_KEY_HEADER} with a batch: each event has its id`;
    throw new HttpProblem('idempotency_key_mismatch', detail);
  }
  const read = items.map((item) => (item instanceof HttpProblem ? item : asResult(() => readSentEvent(item, now))));
  const events = read.flatMap((item) => (item instanceof HttpProblem ? [] : [item.sent]));
  const outcomes = (events.length === 0 ? [] : await deps.recordAuditLog({ key, now, events })).values();
  const results = read.map((item) => {
    const settled =
      item instanceof HttpProblem ? item : asResult(() => toReceipt(outcomes.next().value as RecordOutcome, item));
    return settled instanceof HttpProblem
      ? { status: PROBLEMS[settled.code].status, problem: toProblem(settled, idsOf(res)) }
      : { status: settled.replayed ? (200 as const) : (201 as const), receipt: settled };
  });
  for (const { status } of results) {
    const outcome = status === 201 ? 'stored' : status === 200 ? 'replayed' : 'refused';
    deps.metrics?.count('audit_ingest_records_total', { outcome });
  }
  res.status(207).json({ results } satisfies AuditBatchResponse);
}

/** Pointers lead into what was sent, whichever format that was. */
function toReceipt(outcome: RecordOutcome, { pointer }: ReadEvent): AuditReceipt {
  switch (outcome.kind) {
    case 'created':
      return { ...outcome.receipt, replayed: false };
    case 'replayed':
      return { ...outcome.receipt, replayed: true };
    case 'conflict':
      throw new HttpProblem('identity_conflict', 'This source and id stand with other content', {
        errors: [{ pointer: pointer('/eventId'), detail: 'Taken by an event with other content' }],
      });
    case 'failed':
      throw new HttpProblem('internal', 'The event could not be stored; the same request may succeed later', {
        failedIngestId: outcome.failedIngestId,
      });
    case 'tenant_forbidden':
      throw new HttpProblem('tenant_forbidden', 'This API key may not write that tenant', {
        errors: [{ pointer: pointer('/tenantId'), detail: 'Not the tenant of this API key' }],
      });
    case 'content_hash_forbidden':
      throw new HttpProblem('invalid_event', 'The event does not fit DTO v1', {
        errors: [{ pointer: pointer('/contentHash'), detail: 'Accepted only with the scope audit:write:any-tenant' }],
      });
    case 'schema_mismatch':
      throw new HttpProblem('invalid_event', 'The data do not fit the schema of the action', {
        errors: outcome.problems.map((problem) => ({ ...problem, pointer: pointer(problem.pointer) })),
      });
    default:
      return assertNever(outcome);
  }
}

function asResult<T>(work: () => T): T | HttpProblem {
  try {
    return work();
  } catch (error) {
    if (error instanceof HttpProblem) return error;
    throw error;
  }
}

function assertNever(value: never): never {
  throw new Error(`unexpected outcome: ${JSON.stringify(value)}`);
}
