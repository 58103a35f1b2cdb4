import { parseJsonBody } from '../application/delivery/handlers/to-http-error.js';
import type { HttpResponse } from '../application/delivery/ports.js';
import { type AuditBatchResponse, type AuditReceipt, auditBatchResponseSchema } from '../contract/audit-api.js';
import { AUDIT_LIMITS, type AuditEvent } from '../contract/audit-dto.js';
import { type AuditRequestError, fromAnswer, fromProblem, fromThrown } from './audit-request-error.js';
import type { Failed, Turn, TurnTime } from './retry-turns.js';

/** What became of one event of a batch. */
export type AuditBatchResult =
  | { readonly ok: true; readonly receipt: AuditReceipt }
  | { readonly ok: false; readonly error: AuditRequestError };

interface Item {
  readonly json: string;
  result: AuditBatchResult | null;
  sent: number;
  /** Times that it was sent in vain, and may be sent again. */
  failed: number;
}

export interface BatchOptions {
  /** Times that one event may fail before it is given up. */
  readonly attempts: number;
  /** Sends one JSON array. */
  readonly post: (body: string, timeoutMs: number) => Promise<HttpResponse>;
  readonly signal?: AbortSignal;
}

/**
 * A batch that is sent in turns: each sends the items that are not settled yet, in requests that the api takes, each with its
 * own time. An item that was given up, or refused for good, is not sent again.
 */
export function batchTurns(
  events: readonly AuditEvent[],
  { attempts, post, signal }: BatchOptions,
): { readonly turn: Turn; results(failure: AuditRequestError | null): AuditBatchResult[] } {
  const items: Item[] = events.map((event) => ({ json: JSON.stringify(event), result: null, sent: 0, failed: 0 }));
  const left = () =>
    items.filter(
      ({ result, failed }) => result === null || (!result.ok && result.error.retryable && failed < attempts),
    );
  /** Events that were refused alone with the whole request, one after the other. */
  let refusedAlone = 0;

  /** null: every item has a result, its own or that of the whole request where it is final. */
  const sendPart = async (part: readonly Item[], time: TurnTime): Promise<Failed | null> => {
    for (const item of part) item.sent += 1;
    const sent = Math.max(...part.map((item) => item.sent));
    let error: AuditRequestError;
    try {
      const response = await post(`[${part.map(({ json }) => json).join()}]`, time.forRequest());
      const results = readResults(response, part.length);
      if (results !== null) {
        refusedAlone = 0;
        settle(part, results);
        if (part.some(({ result }) => result?.ok || !result?.error.retryable)) time.restart();
        return null;
      }
      error = fromAnswer(response, sent);
    } catch (thrown) {
      error = fromThrown(thrown, sent);
    }
    if (error.retryable || signal?.aborted) {
      for (const item of part) item.failed += 1;
      return { failure: error, times: Math.min(...part.map(({ failed }) => failed)) };
    }
    time.restart();
    if (mayMeanOneEvent(error) && part.length > 1 && refusedAlone < MOST_REFUSED_ALONE) {
      const middle = part.length >> 1;
      return (await sendPart(part.slice(0, middle), time)) ?? (await sendPart(part.slice(middle), time));
    }
    if (part.length === 1) refusedAlone += 1;
    for (const item of part) item.result = { ok: false, error };
    return null;
  };

  const turn: Turn = async (time) => {
    for (const part of split(left())) {
      const failed = await sendPart(part, time);
      // Nobody answers, or not now: the other parts would fare no better.
      if (failed !== null) return failed;
    }
    const [open] = left();
    return open?.result?.ok === false ? { failure: open.result.error, times: open.failed } : null;
  };
  return {
    turn,
    results: (failure) =>
      items.map(({ result }) => {
        if (result !== null) return result;
        if (failure === null) throw new Error('expected a failure for what is not settled');
        return { ok: false, error: failure };
      }),
  };
}

/**
 * After so many events that were refused alone, none taken in between, it is the sender, or somebody on the way, and no event
 * that is refused: what is left of the batch is not divided any further.
 */
const MOST_REFUSED_ALONE = 10;

/** A body that somebody in between, or an older api, refuses whole for one of its events, or for its size. */
function mayMeanOneEvent({ status }: AuditRequestError): boolean {
  return status === 400 || status === 413 || status === 422;
}

type Results = AuditBatchResponse['results'];

/** null: not the agreed answer, one result for each. */
function readResults(response: HttpResponse, length: number): Results | null {
  const answer = auditBatchResponseSchema.safeParse(parseJsonBody(response));
  return response.status === 207 && answer.success && answer.data.results.length === length
    ? answer.data.results
    : null;
}

function settle(part: readonly Item[], results: Results): void {
  for (const [at, result] of results.entries()) {
    const item = part[at] as Item;
    if ('receipt' in result) {
      item.result = { ok: true, receipt: result.receipt };
    } else {
      const error = fromProblem(result.problem, item.sent);
      item.result = { ok: false, error };
      if (error.retryable) item.failed += 1;
    }
  }
}

/** In order, each within what the api takes of one request. */
function* split(items: readonly Item[]): Generator<Item[]> {
  let part: Item[] = [];
  let bytes = 2;
  for (const item of items) {
    const size = Buffer.byteLength(item.json) + 1;
    if (part.length > 0 && (part.length === AUDIT_LIMITS.batchItems || bytes + size > AUDIT_LIMITS.batchBytes)) {
      yield part;
      part = [];
      bytes = 2;
    }
    part.push(item);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
