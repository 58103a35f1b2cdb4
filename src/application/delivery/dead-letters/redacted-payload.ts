import type { JsonObject } from '../../../domain/delivery/json.js';
import { jsonDifference } from '../../../domain/delivery/json-difference.js';
import type { OutboxEvent } from '../../../domain/delivery/outbox-event.js';
import { createRedactor, LONGEST_TEXT } from '../../../domain/redaction/redactor.js';
import { type EventRedaction, redactPayload } from '../mappers/redact-payload.js';

/** A payload for whoever may see what failed, not what it was about. */
export interface RedactedPayload {
  readonly payload: JsonObject;
  /** JSON Pointers of what was taken out or replaced, wholly or a part of its text; at most 200. */
  readonly redacted: readonly string[];
}

export type RedactPayload = (event: Pick<OutboxEvent, 'eventType' | 'payload' | 'headers'>) => RedactedPayload;

const MOST_POINTERS = 200;

/**
 * By the rules of a configuration: what `byEventType` keeps from the audit log is left out, and of the rest personal
 * data and secrets are replaced, by the names that they stand under and wherever else the payload quotes them. A text
 * that is longer than the redactor looks at is cut, and told of. Never throws.
 */
export function createPayloadRedactor(redaction: EventRedaction = {}): RedactPayload {
  const redactor = createRedactor(redaction);
  return ({ eventType, payload, headers }) => {
    const kept = redactPayload({ type: eventType, payload }, redaction).payload;
    // An object's structure stays: it is an object again.
    const shown = redactor.forEvent({ payload, headers }).value(kept, LONGEST_TEXT) as JsonObject;
    const differences = jsonDifference(payload, shown, MOST_POINTERS);
    // Not the mark that a change without its values gets.
    return { payload: shown, redacted: differences.filter((one) => 'before' in one).map(({ pointer }) => pointer) };
  };
}
