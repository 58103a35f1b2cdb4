import { classifyStatus } from '../../../domain/delivery/classify-status.js';
import { catalogEntry, type ErrorCode } from '../../../domain/delivery/error-catalog.js';
import { IntegrationError } from '../../../domain/delivery/integration-error.js';
import { parseRetryAfter } from '../../../domain/delivery/parse-retry-after.js';
import { toLastResponse } from '../last-response.js';
import type { HttpResponse } from '../ports.js';

/**
 * The IntegrationError of an answer that is no success, with the status, what it asked for in Retry-After and the part
 * that is kept of it. `code` where the handler knows better than the status; a 2xx comes here only for lack of the
 * agreed receipt.
 */
export function toHttpError(response: HttpResponse, code?: ErrorCode): IntegrationError {
  const found = code ?? classifyStatus(response.status, response.headers) ?? 'HTTP.BAD_RESPONSE';
  const retryAfterMs = parseRetryAfter(response.headers['retry-after'], Date.now());
  return new IntegrationError(found, {
    message: `${catalogEntry(found).message} (status ${response.status})`,
    response: toLastResponse(response),
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

/** The JSON value of a body; undefined where it is none. */
export function parseJsonBody(response: HttpResponse): unknown {
  try {
    return JSON.parse(response.body);
  } catch {
    return undefined;
  }
}
