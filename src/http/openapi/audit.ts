import {
  AUDIT_LOGS_PATH,
  AUDIT_LOOKUP_PATH,
  auditBatchResponseSchema,
  auditLookupRequestSchema,
  auditLookupResponseSchema,
  auditReceiptSchema,
  IDEMPOTENCY_KEY_HEADER,
  IDEMPOTENCY_REPLAYED_HEADER,
} from '../../contract/audit-api.js';
import { type AuditEvent, auditBatchSchema, auditEventSchema } from '../../contract/audit-dto.js';
import { CLOUD_EVENT_BATCH_MEDIA_TYPE, CLOUD_EVENT_MEDIA_TYPE } from '../../contract/cloud-event.js';
import { CLOUD_EVENT_EXAMPLE, cloudEvent, cloudEventBatch, cloudEventData, cloudEventHeaders } from './cloud-events.js';
import { named, type Operation } from './operation.js';

const EVENT: AuditEvent = {
  specVersion: '1.0',
  eventId: '0197d3a0-5a5e-7000-8000-000000000001',
  source: '/services/auth',
  action: 'auth.user.signed_in',
  actionVersion: 1,
  category: 'authentication',
  operation: 'login',
  outcome: 'success',
  occurredAt: '2026-01-02T03:04:05.678Z',
  actor: { type: 'user', id: 'u-1' },
  targets: [{ type: 'session', id: 's-1' }],
};
const IDENTITY = { source: EVENT.source, eventId: EVENT.eventId };
const RECORD = {
  recordId: '0197d3a0-5b10-7000-8000-00000000000a',
  recordedAt: '2026-01-02T03:04:05.901Z',
  hash: `sha-256:${'5d'.repeat(32)}`,
};
const RECEIPT = { ...RECORD, eventId: EVENT.eventId, replayed: false };

const receipt = named('AuditReceipt', auditReceiptSchema);

/** The audit log's entrance and its look-up. */
export const auditOperations: readonly Operation[] = [
  {
    id: 'recordAuditEvents',
    method: 'post',
    path: AUDIT_LOGS_PATH,
    area: 'audit',
    summary: 'Store one event, or a batch',
    description:
      'The identity of an event is its tenant, source and eventId. The same identity with the same content is stored once, ' +
      'however often it is sent; with other content it is refused. The items of a batch are stored, or refused, each by itself. ' +
      'Beyond the schema, text with U+0000 or a lone surrogate, integers beyond 2^53 and times more than five minutes ahead ' +
      'are refused. CloudEvents 1.0 are taken in the three modes of their HTTP binding. Binary mode is told by any of `ce-specversion`, ' +
      '`ce-id`, `ce-source` and `ce-type`: the attributes are headers `ce-…`, extensions of any name too, and the body is the ' +
      'data, as `application/json` or any type that ends in `+json`; an event without data has no body. Without these headers ' +
      'a body is required, and a type `…+json` is not taken.',
    scopes: ['audit:write', 'audit:write:any-tenant'],
    headers: [
      {
        name: IDEMPOTENCY_KEY_HEADER,
        description: 'With one event only, and then equal to its eventId. Not needed: the eventId does the same.',
      },
      ...cloudEventHeaders,
    ],
    bodyMayBeLeftOut: true,
    body: {
      'application/json': {
        schema: [named('AuditEvent', auditEventSchema), named('AuditBatch', auditBatchSchema), cloudEventData],
        examples: { one: EVENT, batch: [EVENT], binaryData: CLOUD_EVENT_EXAMPLE.data },
      },
      'application/*+json': { schema: cloudEventData, examples: { binaryData: CLOUD_EVENT_EXAMPLE.data } },
      [CLOUD_EVENT_MEDIA_TYPE]: { schema: cloudEvent, examples: { one: CLOUD_EVENT_EXAMPLE } },
      [CLOUD_EVENT_BATCH_MEDIA_TYPE]: { schema: cloudEventBatch, examples: { batch: [CLOUD_EVENT_EXAMPLE] } },
    },
    answers: [
      {
        status: 200,
        description: 'It stood already, with this content.',
        schema: receipt,
        headers: [IDEMPOTENCY_REPLAYED_HEADER],
        example: { ...RECEIPT, replayed: true },
      },
      { status: 201, description: 'Stored.', schema: receipt, example: RECEIPT },
      {
        status: 207,
        description: 'Of a batch: one result for each item, in the order sent.',
        schema: named('AuditBatchResponse', auditBatchResponseSchema),
        example: { results: [{ status: 201, receipt: RECEIPT }] },
      },
    ],
    problems: [
      'not_an_event',
      'empty_batch',
      'tenant_forbidden',
      'batch_too_long',
      'invalid_event',
      'idempotency_key_mismatch',
      'identity_conflict',
    ],
  },
  {
    id: 'lookUpAuditEvents',
    method: 'post',
    path: AUDIT_LOOKUP_PATH,
    area: 'audit',
    summary: 'Ask which events stand',
    description: 'For up to 1,000 identities at once. Writes nothing. Of another tenant: 403.',
    scopes: ['audit:read', 'audit:read:any-tenant', 'audit:write:any-tenant'],
    body: {
      'application/json': {
        schema: named('AuditLookupRequest', auditLookupRequestSchema),
        examples: { one: { identities: [IDENTITY] } },
      },
    },
    answers: [
      {
        status: 200,
        description: 'One result for each identity, in the order asked.',
        schema: named('AuditLookupResponse', auditLookupResponseSchema),
        example: { results: [{ found: true, ...RECORD }] },
      },
    ],
    problems: ['tenant_forbidden', 'invalid_lookup'],
  },
];
