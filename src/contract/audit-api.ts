import { z } from 'zod';
import {
  AUDIT_LIMITS,
  CONTENT_HASH_PATTERN,
  contentHashSchema,
  eventIdSchema,
  sourceSchema,
  tenantIdSchema,
} from './audit-dto.js';

/** The audit log's HTTP surface, as both sides of it see it. */

export const AUDIT_LOGS_PATH = '/integration/v1/audit/logs';
export const AUDIT_LOOKUP_PATH = '/integration/v1/audit/lookup';
export const LOG_CHECKPOINT_PATH = '/integration/v1/audit/log/checkpoint';
export const LOG_CONSISTENCY_PATH = '/integration/v1/audit/log/consistency';

export const IDEMPOTENCY_KEY_HEADER = 'Idempotency-Key';
export const IDEMPOTENCY_REPLAYED_HEADER = 'Idempotency-Replayed';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

/** The closed table of problem codes: the status each is answered with, and whether the same request may succeed later. */
export const PROBLEMS = {
  malformed_url: { status: 400, retryable: false },
  malformed_request: { status: 400, retryable: false },
  incomplete_body: { status: 400, retryable: true },
  invalid_utf8: { status: 400, retryable: false },
  invalid_json: { status: 400, retryable: false },
  too_deep: { status: 400, retryable: false },
  forbidden_key: { status: 400, retryable: false },
  not_an_event: { status: 400, retryable: false },
  empty_batch: { status: 400, retryable: false },
  invalid_query: { status: 400, retryable: false },
  unauthorized: { status: 401, retryable: false },
  /** Of the monitor: it has ended, was signed out, or its key or password holds no more. */
  session_ended: { status: 401, retryable: false },
  /** Of the monitor: the request came from another page than its own, or without what only its own page knows. */
  foreign_origin: { status: 403, retryable: false },
  csrf_missing: { status: 403, retryable: false },
  scope_missing: { status: 403, retryable: false },
  tenant_forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  method_not_allowed: { status: 405, retryable: false },
  request_timeout: { status: 408, retryable: true },
  /** It was stored, discarded or overtaken already. */
  not_open: { status: 409, retryable: false },
  /** The record stands in no signed checkpoint yet. */
  not_signed_yet: { status: 409, retryable: true },
  /** What was sent before has taken effect: another payload under the same key is refused. */
  effect_stands: { status: 409, retryable: false },
  /** Somebody gave the letter another payload than the one that was looked at. */
  edited_meanwhile: { status: 409, retryable: false },
  /** Another pause of the same scope is in force than the one that was looked at. */
  paused_meanwhile: { status: 409, retryable: false },
  body_too_large: { status: 413, retryable: false },
  batch_too_long: { status: 413, retryable: false },
  url_too_long: { status: 414, retryable: false },
  unsupported_media_type: { status: 415, retryable: false },
  unsupported_encoding: { status: 415, retryable: false },
  invalid_event: { status: 422, retryable: false },
  invalid_lookup: { status: 422, retryable: false },
  /** A filter, a limit or a cursor of a list or an export. */
  invalid_filter: { status: 422, retryable: false },
  invalid_request: { status: 422, retryable: false },
  /** No two sizes of the log, the smaller first. */
  invalid_range: { status: 422, retryable: false },
  idempotency_key_mismatch: { status: 422, retryable: false },
  /** The same (tenant, source, eventId) stands with other content (R25). */
  identity_conflict: { status: 422, retryable: false },
  /** Of a key's events, of what it may search or export at once, or of keys that do not hold from one address. Retry-After says when. */
  rate_limited: { status: 429, retryable: true },
  headers_too_large: { status: 431, retryable: false },
  /** Nothing is wrong with the request. `failedIngestId` says under which id the event is kept, where it is (R28). */
  internal: { status: 500, retryable: true },
  /** What could not be stored before could not be now, either: nothing has changed (R28). */
  still_failing: { status: 500, retryable: true },
  /** A destination did not say whether an effect stands (R18). */
  effect_not_told: { status: 503, retryable: true },
  overloaded: { status: 503, retryable: true },
  /** Of the monitor: who comes in stands in the audit database, which does not answer. Nothing was done. */
  session_not_known: { status: 503, retryable: true },
  store_unavailable: { status: 503, retryable: true },
} as const satisfies Record<string, { readonly status: number; readonly retryable: boolean }>;

export type ProblemCode = keyof typeof PROBLEMS;

const fieldProblemSchema = z.object({ pointer: z.string(), detail: z.string() });

/** An RFC 9457 problem. `code` is stable, `title` and `detail` are for people. Readers ignore what they do not know. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  retryable: z.boolean(),
  requestId: z.string().optional(),
  /** Of the request's trace, 32 hex digits, where it has one (docs/tracing.md). */
  traceId: z.string().optional(),
  /** With `internal`: what could not be stored is kept under this id, and can be retried without its sender. */
  failedIngestId: z.string().optional(),
  errors: z.array(fieldProblemSchema).optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/** The answer to one stored (201) or replayed (200, `Idempotency-Replayed: true`) event. */
export const auditReceiptSchema = z.object({
  recordId: z.uuid(),
  eventId: z.string(),
  /** RFC 3339, UTC, milliseconds. */
  recordedAt: z.string(),
  /** `sha-256:` and hex: SHA-256 of 0x00 and the record's leaf (RFC 9162 §2.1.1). */
  hash: z.string().regex(CONTENT_HASH_PATTERN),
  replayed: z.boolean(),
});
export type AuditReceipt = z.infer<typeof auditReceiptSchema>;

/** The answer to a batch, always 207: one result per item, in the order sent. */
export const auditBatchResponseSchema = z.object({
  results: z.array(
    z.union([
      z.object({ status: z.union([z.literal(200), z.literal(201)]), receipt: auditReceiptSchema }),
      z.object({ status: z.int().min(400), problem: problemSchema }),
    ]),
  ),
});
export type AuditBatchResponse = z.infer<typeof auditBatchResponseSchema>;

const identitySchema = z.strictObject({
  source: sourceSchema,
  eventId: eventIdSchema,
  /** Absent: the tenant of the API key, or no tenant. */
  tenantId: tenantIdSchema.optional(),
  /** Asks whether what stands has this content, too. Accepted only from keys with the any-tenant scope (R26). */
  contentHash: contentHashSchema.optional(),
});
export type AuditIdentity = z.infer<typeof identitySchema>;

export const auditLookupRequestSchema = z.strictObject({
  identities: z.array(identitySchema).min(1).max(AUDIT_LIMITS.lookupPairs),
});
export type AuditLookupRequest = z.infer<typeof auditLookupRequestSchema>;

/** One result per identity, in the order asked; `found: false` where none stands. */
export const auditLookupResponseSchema = z.object({
  results: z.array(
    z.discriminatedUnion('found', [
      z.object({
        found: z.literal(true),
        recordId: z.uuid(),
        recordedAt: z.string(),
        hash: z.string().regex(CONTENT_HASH_PATTERN),
        /** Where a `contentHash` was asked for: whether it is the content's that stands. */
        sameContent: z.boolean().optional(),
      }),
      z.object({ found: z.literal(false) }),
    ]),
  ),
});
export type AuditLookupResponse = z.infer<typeof auditLookupResponseSchema>;

/** How many leaves a log has, in a query. */
export const LOG_SIZE_PATTERN = /^(0|[1-9]\d{0,15})$/;
const sizeSchema = z.string().regex(LOG_SIZE_PATTERN);
export const consistencyQuerySchema = z.strictObject({
  from: sizeSchema.meta({ description: 'The size of an older checkpoint; at least 1.' }),
  to: sizeSchema.meta({ description: 'That of a newer one; at most the newest.' }),
});

/** Base64 of 32 bytes. */
const hashSchema = z.string().regex(/^[A-Za-z0-9+/]{43}=$/);

/** RFC 9162 §2.1.4: that the log of `to` leaves begins with the log of `from` leaves. */
export const consistencyProofSchema = z.object({
  from: z.int().min(1),
  to: z.int().min(1),
  /** In the RFC's order. */
  hashes: z.array(hashSchema),
});
export type ConsistencyProof = z.infer<typeof consistencyProofSchema>;

/** RFC 9162 §2.1.3: that a record's leaf stands at `index` in the log of `size` leaves. */
export const inclusionProofSchema = z.object({
  index: z.int().min(0),
  size: z.int().min(1),
  /** From the leaf's neighbour to the root. */
  hashes: z.array(hashSchema),
  /** The signed checkpoint of that size (C2SP signed-note, tlog-checkpoint): its root is what the hashes must lead to. */
  note: z.string(),
});
export type InclusionProof = z.infer<typeof inclusionProofSchema>;
