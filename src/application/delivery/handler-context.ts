import type { IntegrationEvent } from '../../domain/delivery/integration-event.js';
import type { BatchContext, HttpClient, Logger } from './ports.js';

export interface Bounds {
  readonly signal: AbortSignal;
  /** By `performance.now()`: a clock that is set back must not lengthen an attempt. */
  readonly endsAt: number;
}

/** A request ends so long before its call, so that its own word is the one that is kept: it knows how far it had come. */
const REQUEST_MARGIN_MS = 20;

/**
 * What a handler gets beside the event, or the events: its requests end with the call they were made for, whatever it asks.
 * `ids` stand in every line that it logs.
 */
export function createHandlerContext(
  { http, log }: { http: HttpClient; log: Logger },
  ids: object,
  { signal, endsAt }: Bounds,
  callSignal: AbortSignal,
): BatchContext {
  return {
    http: {
      send: async (request) => {
        callSignal.throwIfAborted();
        const leftMs = endsAt - performance.now() - REQUEST_MARGIN_MS;
        const timeoutMs = Math.max(1, Math.min(leftMs, request.timeoutMs ?? leftMs));
        return http.send({ ...request, timeoutMs, signal });
      },
    },
    signal: callSignal,
    log: {
      debug: (more, message) => log.debug({ ...more, ...ids }, message),
      info: (more, message) => log.info({ ...more, ...ids }, message),
      warn: (more, message) => log.warn({ ...more, ...ids }, message),
      error: (more, message) => log.error({ ...more, ...ids }, message),
    },
  };
}

export function eventFields(event: IntegrationEvent): { eventId: string; eventName: string; routingKey: string } {
  return { eventId: event.id, eventName: event.name, routingKey: event.routingKey };
}
