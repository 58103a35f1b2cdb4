import type { LastResponse } from '../../domain/delivery/integration-error.js';
import type { HttpResponse } from './ports.js';

export const KEPT_BODY_BYTES = 4 * 1024;

/** The headers that help a person to find the cause; every other one may hold a secret and is dropped. */
const KEPT_HEADERS = ['content-type', 'content-length', 'date', 'retry-after', 'server', 'location', 'x-request-id'];
const KEPT_HEADER_LENGTH = 200;

/** What is kept of an answer: the status, chosen headers, the body cut at 4 KiB between two characters. */
export function toLastResponse(response: HttpResponse): LastResponse {
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = response.headers[name];
    if (value !== undefined) headers[name] = value.slice(0, KEPT_HEADER_LENGTH);
  }
  return { status: response.status, headers, body: cutUtf8(response.body, KEPT_BODY_BYTES) };
}

function cutUtf8(text: string, maxBytes: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= maxBytes) return text;
  let end = maxBytes;
  // A byte 10xxxxxx continues a character that began before the cut.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}
