/** A client of the audit log, for systems that write to it or ask it without an outbox. */

import { parseJsonBody, toHttpError } from './application/delivery/handlers/to-http-error.js';
import type { HttpClient, HttpResponse } from './application/delivery/ports.js';
import {
  AUDIT_LOGS_PATH,
  AUDIT_LOOKUP_PATH,
  type AuditIdentity,
  type AuditLookupResponse,
  type AuditReceipt,
  auditLookupResponseSchema,
  auditReceiptSchema,
  IDEMPOTENCY_KEY_HEADER,
} from './contract/audit-api.js';
import type { AuditEvent } from './contract/audit-dto.js';
import { createHttpClient } from './infrastructure/http/create-http-client.js';

export type { AuditIdentity, AuditLookupResponse, AuditReceipt } from './contract/audit-api.js';
export type { AuditEvent } from './contract/audit-dto.js';
export { IntegrationError, isIntegrationError } from './domain/delivery/integration-error.js';

export interface AuditClientOptions {
  /** Where the audit api listens, without the path. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /** For one call. Default 15 s. */
  readonly timeoutMs?: number;
  /** Default: one of its own, closed with the client. */
  readonly http?: HttpClient;
}

/** Every call throws an IntegrationError by the error table, and retries nothing: the same event may be sent again. */
export interface AuditClient {
  /** Stores one event, or answers from the record that stands for the same identity and content (`replayed`). */
  record(event: AuditEvent): Promise<AuditReceipt>;
  /** Which of 1 to 1,000 identities stand, in the order asked. */
  lookup(identities: readonly AuditIdentity[]): Promise<AuditLookupResponse['results']>;
  close(): Promise<void>;
}

export function createAuditClient(options: AuditClientOptions): AuditClient {
  const { baseUrl, apiKey, timeoutMs = 15_000, http = createHttpClient() } = options;
  const base = baseUrl.replace(/\/+$/, '');
  const post = (path: string, body: object, headers: Record<string, string> = {}): Promise<HttpResponse> =>
    http.send({
      method: 'POST',
      url: base + path,
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      timeoutMs,
      maxResponseBytes: MAX_RESPONSE_BYTES,
    });
  return {
    record: async (event) => {
      const response = await post(AUDIT_LOGS_PATH, event, { [IDEMPOTENCY_KEY_HEADER]: event.eventId });
      const receipt = auditReceiptSchema.safeParse(parseJsonBody(response));
      if ([200, 201].includes(response.status) && receipt.success) return receipt.data;
      throw toHttpError(response);
    },
    lookup: async (identities) => {
      const response = await post(AUDIT_LOOKUP_PATH, { identities });
      const answer = auditLookupResponseSchema.safeParse(parseJsonBody(response));
      if (response.status === 200 && answer.success) return answer.data.results;
      throw toHttpError(response);
    },
    close: () => (options.http === undefined ? http.close() : Promise.resolve()),
  };
}

/** A thousand results of a lookup are some 200 KiB. */
const MAX_RESPONSE_BYTES = 1024 * 1024;
