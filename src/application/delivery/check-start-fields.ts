import { EVENT_LIMITS } from '../../domain/delivery/outbox-event.js';
import type { ClaimedEvent } from './ports.js';

export interface StartFieldProblem {
  /** JSON Pointer into the outbox event. */
  readonly field: string;
  /** What was expected; holds nothing of the event. */
  readonly message: string;
}

/**
 * R8: our own check of what a start needs, and the only thing that may end a delivery before its run. The append holds
 * every event to the same limits, so this finds rows that were written around it (an INSERT by hand, a restored part).
 */
export function checkStartFields(event: ClaimedEvent): StartFieldProblem | null {
  for (const { field, value, limit, pattern } of [
    { field: '/eventName', value: event.eventName, limit: EVENT_LIMITS.eventName, pattern: NAME },
    { field: '/eventType', value: event.eventType, limit: EVENT_LIMITS.eventType, pattern: NAME },
    { field: '/routingKey', value: event.destination, limit: EVENT_LIMITS.routingKey, pattern: NAME },
    { field: '/aggregate/type', value: event.aggregateType, limit: EVENT_LIMITS.aggregateType, pattern: FILLED },
    { field: '/aggregate/id', value: event.aggregateId, limit: EVENT_LIMITS.aggregateId, pattern: FILLED },
    { field: '/tenantId', value: event.tenantId, limit: EVENT_LIMITS.tenantId, pattern: TEXT },
  ]) {
    // Characters, not UTF-16 units: what PostgreSQL's length() counted at append.
    if ([...value].length > limit || !pattern.test(value)) {
      return { field, message: `The relay's check of the row: ${field} does not fit (at most ${limit} characters)` };
    }
  }
  return null;
}

const NAME = /^[A-Za-z][A-Za-z0-9_.-]*$/;
const TEXT = /^\P{Cc}*$/u;
const FILLED = /^\P{Cc}+$/u;
