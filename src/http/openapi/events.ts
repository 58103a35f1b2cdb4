import { z } from 'zod';
import {
  EVENTS_PATH,
  eventPageSchema,
  eventQuerySchema,
  eventSchema,
  redactedPayloadSchema,
} from '../../contract/events-api.js';
import { named, type Operation, type PathParameter } from './operation.js';

const scopes = ['dlq:read', 'dlq:write'] as const;
const area = 'events';
const id: PathParameter = {
  name: 'id',
  description: 'Of an event, or of a dead letter of it.',
  schema: z.guid(),
  example: '0197d3a0-5d00-7000-8000-00000000000c',
};

/** A key that is bound to a tenant sees its own tenant's only. */
export const eventOperations: readonly Operation[] = [
  {
    id: 'listEvents',
    method: 'get',
    path: EVENTS_PATH,
    area,
    summary: 'Search events',
    description:
      'The newest first. A page may hold fewer than asked for, even none, and yet have a `next`: one page looks at a bounded ' +
      'number of events, and `searched` says how far it came. Of one key a few are worked on at once (429 `rate_limited` beyond ' +
      'that), of all keys some more (503 `overloaded`); both say with Retry-After when to ask again.',
    scopes,
    query: eventQuerySchema,
    answers: [{ status: 200, description: 'One page.', schema: named('EventPage', eventPageSchema) }],
    problems: ['invalid_query', 'tenant_forbidden', 'invalid_filter'],
  },
  {
    id: 'getEvent',
    method: 'get',
    path: `${EVENTS_PATH}/{id}`,
    area,
    summary: 'Show one, with its way',
    description: "Without its payload. Another tenant's is answered as one that is not there.",
    scopes,
    parameters: [id],
    answers: [{ status: 200, description: 'The event.', schema: named('Event', eventSchema) }],
    problems: ['not_found'],
  },
  {
    id: 'getEventPayload',
    method: 'get',
    path: `${EVENTS_PATH}/{id}/payload`,
    area,
    summary: 'Show what its next attempt sends, redacted',
    description:
      'Of a settled event, what its last attempt sent. What the configuration calls personal or secret is taken out; numbers ' +
      'that a double does not hold exactly are strings.',
    scopes,
    parameters: [id],
    answers: [{ status: 200, description: 'The payload.', schema: named('RedactedPayload', redactedPayloadSchema) }],
    problems: ['not_found'],
  },
];
