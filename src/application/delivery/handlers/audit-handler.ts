import {
  AUDIT_LOGS_PATH,
  AUDIT_LOOKUP_PATH,
  type AuditLookupRequest,
  auditLookupResponseSchema,
  auditReceiptSchema,
  IDEMPOTENCY_KEY_HEADER,
  problemSchema,
} from '../../../contract/audit-api.js';
import type { IntegrationEvent } from '../../../domain/delivery/integration-event.js';
import { createRedactor } from '../../../domain/redaction/redactor.js';
import { defineHandler, type HandlerReceipt } from '../define-handler.js';
import { type EventRedaction, redactPayload } from '../mappers/redact-payload.js';
import { type AuditMapper, toAuditEvent, toAuditIdentity } from '../mappers/to-audit-event.js';
import { isKnownType } from '../mappers/to-category.js';
import type { Handler, HttpResponse } from '../ports.js';
import {
  type BatchItem,
  batchResponseBytes,
  type ItemAnswer,
  readBatch,
  splitBatch,
  toBatchBody,
  toReceipt,
} from './audit-batch.js';
import { parseJsonBody, toHttpError } from './to-http-error.js';

/** The routing key of the audit log, and what an event without one gets. */
export const AUDIT_ROUTING_KEY = 'audit.log';

export interface AuditHandlerOptions {
  /** Where the audit api listens, without the path: `http://127.0.0.1:8080`. */
  readonly baseUrl: string;
  /** A key with the any-tenant scope: our outbox writes for every tenant and passes its own content hash (R26, R28). */
  readonly apiKey: string;
  /** For one event: 100 to 600,000, default 15,000. */
  readonly timeoutMs?: number;
  /** By event name, in front of the built-in ones. */
  readonly mappers?: Readonly<Record<string, AuditMapper>>;
  /** As in `defineConfig`: its keys are kept out of the record, beside the built-in names of secrets, and what `byEventType` says. */
  readonly redaction?: EventRedaction;
  /**
   * Told of an event whose type the mapping does not know and whose category no mapper gave: the record says `other`. Called
   * for each such event, before it is sent.
   */
  readonly onUnknownType?: (eventType: string) => void;
}

/** The first integration: maps the event to the audit DTO, posts it, and can ask whether its identity stands. */
export function auditHandler(options: AuditHandlerOptions): Handler {
  const { baseUrl, apiKey, timeoutMs, mappers = {}, redaction = {}, onUnknownType = () => {} } = options;
  const redactor = createRedactor(redaction);
  const map = (event: IntegrationEvent) => toAuditEvent(redactPayload(event, redaction), mappers, redactor);
  const base = baseUrl.replace(/\/+$/, '');
  const mapAndTell = (event: IntegrationEvent) => {
    const audit = map(event);
    if (audit.category === 'other' && !isKnownType(event.type)) onUnknownType(event.type);
    return audit;
  };
  const post = (path: string, body: string, headers: Record<string, string> = {}) => ({
    method: 'POST' as const,
    url: base + path,
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers },
    body,
  });
  const handler = defineHandler({
    routingKey: AUDIT_ROUTING_KEY,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    deliver: async (event, { http, idempotencyKey }) => {
      const headers = { [IDEMPOTENCY_KEY_HEADER]: idempotencyKey };
      const body = JSON.stringify(mapAndTell(event));
      return readReceipt(await http.send(post(AUDIT_LOGS_PATH, body, headers)), event.id);
    },
    deliverBatch: async (events, { http }) => {
      const mapped = events.map((event): BatchItem | { error: unknown } => {
        try {
          return { eventId: event.id, json: JSON.stringify(mapAndTell(event)) };
        } catch (error) {
          return { error };
        }
      });
      const answers = new Map<string, ItemAnswer>();
      for (const part of splitBatch(mapped.filter((one): one is BatchItem => 'json' in one))) {
        const maxResponseBytes = batchResponseBytes(part.length);
        try {
          const response = await http.send({ ...post(AUDIT_LOGS_PATH, toBatchBody(part)), maxResponseBytes });
          const read = readBatch(response, part, readReceipt);
          for (const [index, { eventId }] of part.entries()) answers.set(eventId, read[index] as ItemAnswer);
        } catch (error) {
          // What an earlier part was answered stands: only this one's events have failed, and none of them was judged.
          if (answers.size === 0) throw error;
          for (const { eventId } of part) answers.set(eventId, { error, ofRequest: true });
        }
      }
      return mapped.map((one) => ('error' in one ? one : (answers.get(one.eventId) as ItemAnswer)));
    },
    find: async (event, { http }) => {
      // Not by the mapping: a mapper that was changed, or throws, must not hide what stands (R18).
      const asked: AuditLookupRequest = {
        identities: [{ ...toAuditIdentity(event), contentHash: event.contentHash }],
      };
      return readLookup(await http.send(post(AUDIT_LOOKUP_PATH, JSON.stringify(asked))));
    },
  });
  return { ...handler, check: (event) => void map(event) };
}

function readReceipt(response: HttpResponse, eventId: string): HandlerReceipt {
  const { status } = response;
  if (status === 201 || status === 200) {
    const receipt = auditReceiptSchema.safeParse(parseJsonBody(response));
    if (!receipt.success || receipt.data.eventId !== eventId) throw toHttpError(response, 'HTTP.BAD_RESPONSE');
    return toReceipt(receipt.data, status);
  }
  const problem = problemSchema.safeParse(parseJsonBody(response));
  const code = problem.success ? problem.data.code : null;
  if (status === 422 && code === 'identity_conflict') throw toHttpError(response, 'HTTP.ID_CONFLICT');
  // R28: the log keeps nothing for its own outbox; this code says that the log itself failed, not what stands before it.
  if (status === 500 && code === 'internal') throw toHttpError(response, 'INGEST.INTERNAL');
  throw toHttpError(response);
}

function readLookup(response: HttpResponse): HandlerReceipt | null {
  if (response.status !== 200) throw toHttpError(response);
  const answer = auditLookupResponseSchema.safeParse(parseJsonBody(response));
  const [result] = answer.success ? answer.data.results : [];
  if (result === undefined) throw toHttpError(response, 'HTTP.BAD_RESPONSE');
  // Under its identity something else may stand, written by somebody else: that is no effect of this event.
  if (!result.found || result.sameContent === false) return null;
  return { id: result.recordId, hash: result.hash, at: result.recordedAt, replayed: true, status: response.status };
}
