import type { IncomingMessage } from 'node:http';
import type { JsonObject } from '../contract/json-value.js';
import { HttpProblem } from './problem.js';

/** Of all headers of an event together, names counted: below what Node takes of a whole request. */
export const CLOUD_EVENT_HEADER_BYTES = 8 * 1024;

const PREFIX = 'ce-';
const TELLING = ['ce-specversion', 'ce-id', 'ce-source', 'ce-type'];

/** Whether the attributes of an event stand in headers, the version forgotten or not. */
export function isBinaryCloudEvent({ headers }: IncomingMessage): boolean {
  return TELLING.some((name) => headers[name] !== undefined);
}

/**
 * The attributes in the headers `ce-…` of a request in binary mode (CloudEvents HTTP binding 1.0.2, section 3.1.3).
 * Throws HttpProblem (422, 431): a header that came twice names two values, and neither is taken.
 */
export function readCloudEventHeaders(req: IncomingMessage): { attributes: JsonObject; bytes: number } {
  const errors: { pointer: string; detail: string }[] = [];
  let bytes = 0;
  const read = Object.entries(req.headersDistinct).flatMap(([header, values = []]): [string, string][] => {
    if (!header.startsWith(PREFIX)) return [];
    const name = header.slice(PREFIX.length);
    bytes += values.reduce((sum, value) => sum + header.length + value.length, 0);
    const value = values.length === 1 ? decodeHeader(values[0] as string) : null;
    if (name === 'datacontenttype') errors.push({ pointer: `/${name}`, detail: 'Expected it as Content-Type' });
    else if (values.length > 1) errors.push({ pointer: `/${name}`, detail: 'Expected this header once' });
    else if (value === null) errors.push({ pointer: `/${name}`, detail: 'Expected percent-encoded UTF-8' });
    return value === null ? [] : [[name, value]];
  });
  if (bytes > CLOUD_EVENT_HEADER_BYTES) {
    const detail = `Expected at most ${CLOUD_EVENT_HEADER_BYTES} bytes of ce- headers`;
    throw new HttpProblem('headers_too_large', `${detail}; the structured mode takes more`);
  }
  if (errors.length > 0) throw new HttpProblem('invalid_event', 'The CloudEvent does not fit', { errors });
  return { attributes: Object.fromEntries(read), bytes };
}

/**
 * Section 3.1.3.2: unquoted first, for senders of older versions, then percent-decoded once. null for what is no UTF-8, or
 * came as bytes beyond ASCII, which two servers may read in two ways.
 */
function decodeHeader(value: string): string | null {
  if (!/^[\x20-\x7e\t]*$/.test(value)) return null;
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(value)?.[1];
  try {
    return decodeURIComponent(quoted === undefined ? value : quoted.replace(/\\(.)/g, '$1'));
  } catch {
    return null; // the one reason for which it throws
  }
}
