import { parseJsonBody } from '../application/delivery/handlers/to-http-error.js';
import type { HttpResponse } from '../application/delivery/ports.js';
import { type AuditReceipt, auditBatchResponseSchema } from '../contract/audit-api.js';
import { AUDIT_LIMITS, type AuditEvent } from '../contract/audit-dto.js';
import { type AuditRequestError, fromAnswer, fromProblem, fromThrown } from './audit-request-error.js';
import type { Turn } from './retry-turns.js';

/** What became of one event of a batch. */
export type AuditBatchResult =
  | { readonly ok: true; readonly receipt: AuditReceipt }
  | { readonly ok: false; readonly error: AuditRequestError };

interface Item {
  readonly json: string;
  result: AuditBatchResult | null;
}

/**
 * A batch that is sent in turns: each sends the items that are not settled yet, in requests that the api takes. `post`
 * sends one JSON array.
 */
export function batchTurns(
  events: readonly AuditEvent[],
  post: (body: string, timeoutMs: number) => Promise<HttpResponse>,
): { readonly turn: Turn; results(failure: AuditRequestError | null): AuditBatchResult[] } {
  const items: Item[] = events.map((event) => ({ json: JSON.stringify(event), result: null }));
  const left = () => items.filter(({ result }) => result === null || (!result.ok && result.error.retryable));

  const turn: Turn = async (attempt, timeoutMs) => {
    const until = performance.now() + timeoutMs;
    let failure: AuditRequestError | null = null;
    for (const part of split(left())) {
      const whole = await sendPart(part, attempt, (body) => post(body, Math.max(1, until - performance.now())));
      if (whole === null) continue;
      failure = whole;
      // Nobody answers, or not now: the other parts would fare no better.
      break;
    }
    const open = left();
    if (failure !== null || open.length === 0) return failure;
    const own = open[0]?.result;
    return own?.ok === false ? own.error : null;
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

/** null: every item has a result, that of the whole request where it is final. Otherwise why it is to be sent again. */
async function sendPart(
  part: readonly Item[],
  attempt: number,
  post: (body: string) => Promise<HttpResponse>,
): Promise<AuditRequestError | null> {
  const fail = (error: AuditRequestError): AuditRequestError | null => {
    if (error.retryable) return error;
    for (const item of part) item.result = { ok: false, error };
    return null;
  };
  let response: HttpResponse;
  try {
    response = await post(`[${part.map(({ json }) => json).join()}]`);
  } catch (error) {
    return fail(fromThrown(error, attempt));
  }
  const answer = auditBatchResponseSchema.safeParse(parseJsonBody(response));
  if (response.status !== 207 || !answer.success || answer.data.results.length !== part.length) {
    return fail(fromAnswer(response, attempt));
  }
  for (const [at, result] of answer.data.results.entries()) {
    (part[at] as Item).result =
      'receipt' in result
        ? { ok: true, receipt: result.receipt }
        : { ok: false, error: fromProblem(result.problem, attempt) };
  }
  return null;
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
