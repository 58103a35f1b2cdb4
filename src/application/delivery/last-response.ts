import type { LastResponse } from '../../domain/delivery/integration-error.js';
import type { HttpResponse } from './ports.js';

/** What of an answer is stored (`describeFailure`), after redaction. */
export const KEPT_BODY_BYTES = 4 * 1024;
export const KEPT_HEADER_LENGTH = 200;

/** The headers that help a person to find the cause; every other one is dropped. */
const KEPT_HEADERS = ['content-type', 'content-length', 'date', 'retry-after', 'server', 'location', 'x-request-id'];

/** What an error carries of an answer: the status, chosen headers, the body. Whole: cut before it is redacted, it could end in half a secret. */
export function toLastResponse(response: HttpResponse): LastResponse {
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = response.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return { status: response.status, headers, body: response.body };
}
