/** Many audit events by one request: the bodies that the api takes, and its answer to each (docs/api.md, "Batches"). */
import { type AuditReceipt, auditBatchResponseSchema } from '../../../contract/audit-api.js';
import { AUDIT_LIMITS } from '../../../contract/audit-dto.js';
import type { HandlerReceipt } from '../define-handler.js';
import type { HttpResponse } from '../ports.js';
import { parseJsonBody, toHttpError } from './to-http-error.js';

export interface BatchItem {
  readonly eventId: string;
  readonly json: string;
}

export type ItemAnswer = HandlerReceipt | { readonly error: unknown; readonly ofRequest?: boolean };

/** A receipt is some 300 bytes, a problem that names a few fields some thousand. */
const BYTES_PER_ANSWER = 4 * 1024;

export function batchResponseBytes(items: number): number {
  return 64 * 1024 + items * BYTES_PER_ANSWER;
}

export function toBatchBody(items: readonly BatchItem[]): string {
  return `[${items.map(({ json }) => json).join()}]`;
}

/** In order, each part within what the api takes of one request. */
export function splitBatch(items: readonly BatchItem[]): BatchItem[][] {
  const parts: BatchItem[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const size = Buffer.byteLength(item.json) + 1;
    const part = parts.at(-1);
    if (part === undefined || part.length === AUDIT_LIMITS.batchItems || bytes + size > AUDIT_LIMITS.batchBytes) {
      parts.push([item]);
      bytes = 2 + size;
    } else {
      part.push(item);
      bytes += size;
    }
  }
  return parts;
}

/**
 * The answers to the items of one request, in their order. `readItem` reads each as if it had come alone.
 * @throws IntegrationError where the request was answered as a whole: it says nothing of any item
 */
export function readBatch(
  response: HttpResponse,
  items: readonly BatchItem[],
  readItem: (response: HttpResponse, eventId: string) => HandlerReceipt,
): ItemAnswer[] {
  // Each status as the api answers a single event with, but 207, which stands for all of them.
  if (response.status !== 207) {
    readItem(response, '');
    throw toHttpError(response, 'HTTP.BAD_RESPONSE');
  }
  const answer = auditBatchResponseSchema.safeParse(parseJsonBody(response));
  if (!answer.success || answer.data.results.length !== items.length) throw toHttpError(response, 'HTTP.BAD_RESPONSE');
  return answer.data.results.map((result, index): ItemAnswer => {
    const eventId = items[index]?.eventId ?? '';
    // What the whole answer's check has read already need not be read again.
    if ('receipt' in result && result.receipt.eventId === eventId && (result.status === 201 || result.status === 200)) {
      return toReceipt(result.receipt, result.status);
    }
    const body = JSON.stringify('receipt' in result ? result.receipt : result.problem);
    try {
      return readItem({ status: result.status, headers: {}, body }, eventId);
    } catch (error) {
      return { error };
    }
  });
}

export function toReceipt({ recordId, hash, recordedAt, replayed }: AuditReceipt, status: number): HandlerReceipt {
  return { id: recordId, hash, at: recordedAt, replayed, status };
}
