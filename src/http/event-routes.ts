import type { Request, Response } from 'express';
import type { RedactPayload } from '../application/delivery/dead-letters/redacted-payload.js';
import {
  EventFilterError,
  type EventPage,
  listEvents as findPage,
} from '../application/delivery/events/list-events.js';
import type { EventFilter, EventReader } from '../application/delivery/events/ports.js';
import { showEvent } from '../application/delivery/events/show-event.js';
import type { AnswerOf } from '../contract/answers.js';
import {
  type EventQuery,
  type eventPageSchema,
  eventQuerySchema,
  type eventSchema,
  type redactedPayloadSchema,
} from '../contract/events-api.js';
import type { TemporalUi } from '../domain/delivery/temporal-links.js';
import type { Places } from './places.js';
import { HttpProblem } from './problem.js';
import { notFound, type Operator, readId, readQuery, requireOperator } from './read-operator.js';
import type { Gate } from './require-key.js';

/** What the operations API works on, of events. */
export interface EventOps {
  readonly reader: EventReader;
  readonly deployment: string;
  /** As in `ShowEventDeps`. */
  readonly temporalUi: () => Promise<TemporalUi | null>;
  readonly redactPayload: RedactPayload;
}

export interface EventRouteDeps {
  readonly gate: Gate;
  readonly events: EventOps;
  /** Of what may take seconds, whoever asks. */
  readonly searches: Places;
}

/** GET /ops/v1/events: a page of the events that a filter means, the newest first. */
export function listEvents({ gate, events, searches }: EventRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(gate, req, res, 'dlq:read');
    const { limit, cursor = null, ...asked } = readQuery(req, eventQuerySchema);
    const filter = toEventFilter(asked, operator);
    const deps = { reader: events.reader, clock: () => performance.now() };
    const page = await searches.within({ id: operator.actor }, () =>
      withEventFilter(() => findPage(deps, filter, { cursor, limit })),
    );
    res.json(page satisfies AnswerOf<typeof eventPageSchema>);
  };
}

/** GET /ops/v1/events/{id}: of an event, or of a letter of it. Another tenant's is not there. */
export function getEvent({ gate, events }: EventRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { tenantId } = await requireOperator(gate, req, res, 'dlq:read');
    const event = await showEvent(events, readId(req), tenantId);
    if (event === null) throw notFound();
    res.json(event satisfies AnswerOf<typeof eventSchema>);
  };
}

/** GET /ops/v1/events/{id}/payload: what its next attempt sends, without what is personal or secret. */
export function getEventPayload({ gate, events }: EventRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { tenantId } = await requireOperator(gate, req, res, 'dlq:read');
    const loaded = await events.reader.loadPayload(readId(req), tenantId);
    if (loaded === null) throw notFound();
    res.json(events.redactPayload(loaded) satisfies AnswerOf<typeof redactedPayloadSchema>);
  };
}

/** Within the operator's own tenant, whatever is asked for. Throws HttpProblem (403) for another one's. */
function toEventFilter(query: Omit<EventQuery, 'limit' | 'cursor'>, { tenantId }: Operator): EventFilter {
  if (tenantId !== null && query.tenantId !== undefined && query.tenantId !== tenantId) {
    throw new HttpProblem('tenant_forbidden', 'This API key is bound to another tenant');
  }
  const { state = null, eventType = null, eventName = null, destination = null } = query;
  const { aggregateType = null, aggregateId = null, source = null, since = null, until = null } = query;
  return {
    state,
    eventType,
    eventName,
    destination,
    tenantId: tenantId ?? query.tenantId ?? null,
    aggregateType,
    aggregateId,
    source,
    since,
    until,
  };
}

/** A filter that nobody can mean, or a cursor of another one, is the caller's mistake. */
async function withEventFilter(work: () => Promise<EventPage>): Promise<EventPage> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EventFilterError)) throw error;
    const errors = [{ pointer: `/${error.field}`, detail: error.message }];
    throw new HttpProblem('invalid_filter', 'The filter does not fit', { errors });
  }
}
