import { randomUUID } from 'node:crypto';
import { parseJsonBody } from '../application/delivery/handlers/to-http-error.js';
import type { HttpClient, HttpResponse } from '../application/delivery/ports.js';
import { systemTime } from '../application/delivery/relay-time.js';
import {
  AUDIT_LOGS_PATH,
  AUDIT_LOOKUP_PATH,
  type AuditIdentity,
  type AuditLookupResponse,
  type AuditReceipt,
  auditLookupResponseSchema,
  auditReceiptSchema,
  IDEMPOTENCY_KEY_HEADER,
} from '../contract/audit-api.js';
import type { AuditEvent } from '../contract/audit-dto.js';
import {
  type RecordPage,
  type RecordQuery,
  type RecordView,
  recordPageSchema,
  recordViewSchema,
} from '../contract/audit-records-api.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import { findSecretProblem, signWebhook } from '../infrastructure/http/sign-webhook.js';
import { fromAnswer, fromThrown } from './audit-request-error.js';
import { type AuditBatchResult, batchTurns } from './record-batch.js';
import { type AuditRetryOptions, type RetryRules, retryTurns, type Turn } from './retry-turns.js';

export interface AuditClientOptions {
  /** Where the audit api listens, without the path. */
  readonly baseUrl: string;
  readonly apiKey: string;
  /**
   * `whsec_…`, of a key made with `--signed`: every request is signed by Standard Webhooks, each try anew, with this host's
   * clock, which must be within five minutes of the api's.
   */
  readonly signingSecret?: string;
  /** For one request. Default 15 s. */
  readonly timeoutMs?: number;
  /** How often, and for how long, a call is tried. */
  readonly retry?: AuditRetryOptions;
  /** Default: one of its own, closed with the client. */
  readonly http?: HttpClient;
}

export interface AuditCallOptions {
  /** Ends the call, waits included, with the code `DELIVERY.CANCELLED`. What was sent may stand. */
  readonly signal?: AbortSignal;
}

/**
 * Calls are sent again after what another try may mend: a problem that says `retryable`, no answer, no connection, an
 * answer of somebody in between that says so by its status. That is safe: the identity of an event (tenant, source,
 * eventId) is the same each time, so it is stored once, and a retry of what was stored is answered with its receipt
 * (`replayed`). Anything else is final at once.
 */
export interface AuditClient {
  /** Stores one event, or answers from the record that stands for the same identity and content. Throws an AuditRequestError. */
  record(event: AuditEvent, options?: AuditCallOptions): Promise<AuditReceipt>;
  /**
   * Stores any number of events, in requests of at most 500; one result for each, in order. Only events whose own problem
   * is retryable are sent again, each at most as often as `retry.attempts` says. Never throws an AuditRequestError: where a
   * whole request fails (the key is refused, nobody answers), that is the result of each of its events, and where nobody
   * answers, of those behind them, too. A request that is refused whole with 400, 413 or 422 is sent again in halves, so
   * that one event takes no other with it.
   */
  recordBatch(events: readonly AuditEvent[], options?: AuditCallOptions): Promise<AuditBatchResult[]>;
  /** Which of 1 to 1,000 identities stand, in the order asked. Throws an AuditRequestError. */
  lookup(identities: readonly AuditIdentity[], options?: AuditCallOptions): Promise<AuditLookupResponse['results']>;
  /**
   * One page of the records that a query means, the newest first; the next one by `cursor`, its `next`. Whose: the key's own
   * tenant's, or any with the any-tenant scope. Throws an AuditRequestError.
   */
  list(query?: RecordQuery, options?: AuditCallOptions): Promise<RecordPage>;
  /**
   * Every record that a query means, the newest first, read in pages of 200 as they are asked for. What is stored meanwhile
   * is not among them. A page that fails after its retries throws an AuditRequestError; what came before was whole.
   */
  records(query?: Omit<RecordQuery, 'limit' | 'cursor'>, options?: AuditCallOptions): AsyncIterable<RecordView>;
  /** Throws an AuditRequestError; with the code `not_found` where the key sees no such record. */
  get(recordId: string, options?: AuditCallOptions): Promise<RecordView>;
  close(): Promise<void>;
}

/** Throws a TypeError for bounds that are no positive numbers, and for a signing secret that is none. */
export function createAuditClient(options: AuditClientOptions): AuditClient {
  const { baseUrl, apiKey, http = createHttpClient() } = options;
  const rules = toRules(options);
  const sign = toSigner(options);
  const base = baseUrl.replace(/\/+$/, '');

  /** `body` null: GET. */
  const send = (path: string, body: string | null, timeoutMs: number, more: SendOptions = {}): Promise<HttpResponse> =>
    http.send({
      url: base + path,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === null ? {} : { 'content-type': 'application/json' }),
        ...sign(body ?? ''),
        ...more.headers,
      },
      ...(body === null ? { method: 'GET' } : { method: 'POST', body }),
      timeoutMs: Math.max(1, timeoutMs),
      maxResponseBytes: MAX_RESPONSE_BYTES,
      ...(more.signal === undefined ? {} : { signal: more.signal }),
    });

  /** One request, tried again as the rules say. `read`: the agreed answer; null where it is another. */
  const call = async <T>(
    path: string,
    body: object | null,
    more: SendOptions,
    read: (response: HttpResponse) => T | null,
  ): Promise<T> => {
    const text = body === null ? null : JSON.stringify(body);
    let answer: { readonly value: T } | null = null;
    let times = 0;
    const turn: Turn = async (time) => {
      times += 1;
      try {
        const response = await send(path, text, time.forRequest(), more);
        const value = read(response);
        if (value === null) return { failure: fromAnswer(response, times), times };
        answer = { value };
        return null;
      } catch (error) {
        return { failure: fromThrown(error, times), times };
      }
    };
    const failure = await retryTurns(turn, rules, systemTime, more.signal);
    if (failure !== null) throw failure;
    return (answer as unknown as { readonly value: T }).value;
  };

  const list: AuditClient['list'] = ({ limit, ...fields } = {}, more = {}) => {
    const asked = Object.entries({ ...fields, limit: limit?.toString() });
    const query = new URLSearchParams(asked.filter((field): field is [string, string] => field[1] !== undefined));
    return call(`${AUDIT_LOGS_PATH}?${query}`, null, more, (response) => {
      const page = recordPageSchema.safeParse(parseJsonBody(response));
      return response.status === 200 && page.success ? page.data : null;
    });
  };

  return {
    record: (event, more = {}) =>
      call(AUDIT_LOGS_PATH, event, { ...more, headers: idempotencyHeader(event.eventId) }, (response) => {
        const receipt = auditReceiptSchema.safeParse(parseJsonBody(response));
        return [200, 201].includes(response.status) && receipt.success ? receipt.data : null;
      }),
    recordBatch: async (events, { signal } = {}) => {
      const more = signal === undefined ? {} : { signal };
      if (events.length === 0) return [];
      const batch = batchTurns(events, {
        attempts: rules.attempts,
        post: (body, timeoutMs) => send(AUDIT_LOGS_PATH, body, timeoutMs, more),
        ...more,
      });
      return batch.results(await retryTurns(batch.turn, rules, systemTime, signal));
    },
    lookup: (identities, more = {}) =>
      call(AUDIT_LOOKUP_PATH, { identities }, more, (response) => {
        const answer = auditLookupResponseSchema.safeParse(parseJsonBody(response));
        return response.status === 200 && answer.success ? answer.data.results : null;
      }),
    list,
    async *records(query = {}, more = {}) {
      let cursor: string | undefined;
      do {
        const { items, next } = await list({ ...query, limit: MOST_IN_A_PAGE, ...(cursor && { cursor }) }, more);
        yield* items;
        cursor = next ?? undefined;
      } while (cursor !== undefined);
    },
    get: (recordId, more = {}) =>
      call(`${AUDIT_LOGS_PATH}/${encodeURIComponent(recordId)}`, null, more, (response) => {
        const record = recordViewSchema.safeParse(parseJsonBody(response));
        return response.status === 200 && record.success ? record.data : null;
      }),
    close: () => (options.http === undefined ? http.close() : Promise.resolve()),
  };
}

interface SendOptions extends AuditCallOptions {
  readonly headers?: Readonly<Record<string, string>>;
}

const MOST_IN_A_PAGE = 200;

/** Five hundred results, each with a hundred problems; two hundred records are less. */
const MAX_RESPONSE_BYTES = 32 * 1024 * 1024;

function toRules({ timeoutMs = 15_000, retry = {} }: AuditClientOptions): RetryRules {
  const { attempts = 5, totalMs = 60_000, initialMs = 200, maximumMs = 10_000 } = retry;
  const rules = { attempts, totalMs, initialMs, maximumMs, timeoutMs };
  for (const [name, value] of Object.entries(rules)) {
    if (!Number.isFinite(value) || value < 1) throw new TypeError(`${name}: expected a number of at least 1`);
  }
  return rules;
}

/** Headers for a body; none without a secret. An id is of one try: what tells the same event is its identity. */
function toSigner({ signingSecret }: AuditClientOptions): (body: string) => Record<string, string> {
  if (signingSecret === undefined) return () => ({});
  const problem = findSecretProblem(signingSecret);
  if (problem !== null) throw new TypeError(`signingSecret: ${problem}`);
  return (body) => signWebhook([signingSecret], { id: `msg_${randomUUID()}`, at: new Date(), body });
}

/** The body's eventId is the identity in any case; a header holds only part of what an eventId may. */
function idempotencyHeader(eventId: string): Record<string, string> {
  return /^[\x21-\x7e]+$/.test(eventId) ? { [IDEMPOTENCY_KEY_HEADER]: eventId } : {};
}
