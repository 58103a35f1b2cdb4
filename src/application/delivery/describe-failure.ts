import type { IntegrationError, LastResponse } from '../../domain/delivery/integration-error.js';
import type { Redactor } from '../../domain/redaction/redactor.js';
import { describeThrown } from './classify-thrown.js';
import { KEPT_BODY_BYTES, KEPT_HEADER_LENGTH } from './last-response.js';
import type { AttemptFailure } from './ports.js';

const MAX_CAUSES = 8;
const MAX_HEADERS = 20;
const NAME_LENGTH = 100;
const MESSAGE_LENGTH = 1_000;
const STACK_LENGTH = 8_000;

/**
 * What is kept of a failed attempt: code, status, message, the stack of what was thrown originally, and up to eight
 * causes, outermost first, an AggregateError's errors among them; one that returns is told once. Every text is redacted and then cut, in this
 * order, so that no cut leaves half of what would have been found.
 * @param redactor the one that knows the event (`forEvent`), since destinations and handlers quote what they were sent
 */
export function describeFailure(error: IntegrationError, redactor: Redactor): AttemptFailure {
  const causes: { name: string; message: string }[] = [];
  const seen = new Set<unknown>([error]);
  let stack = error.cause === undefined ? (error.stack ?? null) : null;
  for (const next = [error.cause]; next.length > 0 && causes.length < MAX_CAUSES; ) {
    const at = next.shift();
    if (at === undefined || at === null || seen.has(at)) continue;
    seen.add(at);
    const described = describeThrown(at);
    const name = redactor.text(described.name, NAME_LENGTH);
    causes.push({ name, message: redactor.text(described.message, MESSAGE_LENGTH) });
    stack ??= described.stack;
    next.push(described.cause, ...described.errors);
  }
  return {
    code: error.code,
    status: error.status,
    message: redactor.text(describeThrown(error).message, MESSAGE_LENGTH),
    stack: stack === null ? null : redactor.text(stack, STACK_LENGTH),
    causes,
    response: error.response === null ? null : redactResponse(error.response, redactor),
    field: error.field === null ? null : redactor.text(error.field, MESSAGE_LENGTH),
  };
}

function redactResponse({ status, headers, body }: LastResponse, redactor: Redactor): LastResponse {
  // A handler may have made the response itself, of whatever it had at hand.
  const few = Object.fromEntries(Object.entries(headers ?? {}).slice(0, MAX_HEADERS));
  const kept = redactor.value(few, KEPT_HEADER_LENGTH) as LastResponse['headers'];
  const text = typeof body === 'string' ? body : '';
  return { status, headers: kept, body: cutUtf8(redactor.text(text, KEPT_BODY_BYTES)) };
}

/** At most 4 KiB, between two characters. */
function cutUtf8(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= KEPT_BODY_BYTES) return text;
  let end = KEPT_BODY_BYTES;
  // A byte 10xxxxxx continues a character that began before the cut.
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return new TextDecoder().decode(bytes.subarray(0, end));
}
