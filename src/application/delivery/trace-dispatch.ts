/** Spans around a destination's calls: `deliver <routing key>` in the event's own trace, `deliver_batch …` with a link to each. */
import { isIntegrationError } from '../../domain/delivery/integration-error.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import { readTraceContext } from '../../domain/trace-context.js';
import type { OpenSpan, Tracing } from '../tracing.js';
import type { DispatchOutcome } from './dispatch-event.js';
import type { BatchDispatcher, Dispatcher, EffectFinder, Handler, HttpClient } from './ports.js';

export function traceDispatcher(
  tracing: Tracing,
  dispatcher: Dispatcher & BatchDispatcher,
  handlers: readonly Handler[],
): Dispatcher & BatchDispatcher {
  const untold = notTold(handlers);
  return {
    dispatch: (event, options) => {
      const { routingKey } = event;
      const attributes = {
        'outbox.event.id': event.id,
        'outbox.event.name': event.eventName,
        'outbox.event.type': event.eventType,
        'outbox.destination': routingKey,
        'outbox.mode': options.mode,
      };
      const start = {
        name: `deliver ${routingKey}`,
        kind: 'internal',
        attributes,
        ...tells(untold, routingKey),
      } as const;
      return tracing.inSpan(start, (span) =>
        saying(span, async () => {
          const answer = await dispatcher.dispatch(event, options);
          const told = answer === 'busy' ? {} : { 'outbox.receipt.id': answer.id };
          span.set({ 'outbox.outcome': answer === 'busy' ? 'busy' : 'delivered', ...told });
          return answer;
        }),
      );
    },

    dispatchBatch: (events, options) => {
      const { name } = options.destination;
      const attributes = { 'outbox.destination': name, 'outbox.events': events.length, 'outbox.mode': options.mode };
      const links = tracesOf(events);
      const start = {
        name: `deliver_batch ${name}`,
        kind: 'internal',
        links,
        attributes,
        ...tells(untold, name),
      } as const;
      return tracing.inSpan(start, (span) => saying(span, () => dispatcher.dispatchBatch(events, options)));
    },
  };
}

/** `find <routing key>`: in its activity, or else, where it is asked long after the run, in the event's own trace. */
export function traceFinder(tracing: Tracing, finder: EffectFinder, handlers: readonly Handler[]): EffectFinder {
  const untold = notTold(handlers);
  return {
    find: (event, options) => {
      const { id, routingKey } = event;
      const attributes = { 'outbox.event.id': id, 'outbox.destination': routingKey };
      const parent = tracing.isActive() ? undefined : (readTraceContext(event.headers) ?? null);
      const start = {
        name: `find ${routingKey}`,
        kind: 'internal',
        parent,
        attributes,
        ...tells(untold, routingKey),
      } as const;
      return tracing.inSpan(start, (span) => saying(span, () => finder.find(event, options)));
    },
  };
}

const TRACE_HEADERS: ReadonlySet<string> = new Set(['traceparent', 'tracestate']);

const notTold = (handlers: readonly Handler[]): ReadonlySet<string> =>
  new Set(handlers.filter(({ traceContext }) => traceContext === false).map(({ routingKey }) => routingKey));

const tells = (untold: ReadonlySet<string>, name: string) => (untold.has(name) ? { tells: false } : {});

const tracesOf = (events: readonly OutboxEvent[]) => events.flatMap(({ headers }) => readTraceContext(headers) ?? []);

async function saying<T>(span: OpenSpan, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isIntegrationError(error)) {
      span.set({ 'outbox.outcome': 'failed', 'outbox.error.code': error.code });
    }
    throw error;
  }
}

/** What became of an attempt, on the span of its activity. */
export function noteOutcome(tracing: Tracing, run: { eventId: string; epoch: number }, outcome: DispatchOutcome): void {
  const failed = outcome.kind === 'failed' ? outcome : null;
  tracing.note({
    'outbox.event.id': run.eventId,
    'outbox.epoch': run.epoch,
    'outbox.outcome': outcome.kind,
    'outbox.error.code': failed?.code,
    'outbox.attempt': failed?.attempt,
  });
}

/**
 * A span for each request, and `traceparent` with it: to every destination, as the standard means it, but for those that do not
 * want it (`traceContext: false`). A handler's own header of that name stays, and then neither of ours goes beside it: two
 * headers, or the state of another trace, would be worse than none.
 */
export function traceHttp(tracing: Tracing, client: HttpClient): HttpClient {
  return {
    close: () => client.close(),
    send: (request) => {
      const url = URL.canParse(request.url) ? new URL(request.url) : null;
      const attributes = {
        'http.request.method': request.method,
        'server.address': url?.hostname,
        'server.port': url === null ? null : Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
      };
      return tracing.inSpan({ name: request.method, kind: 'client', attributes }, async (span) => {
        const own = Object.keys(request.headers ?? {}).some((name) => TRACE_HEADERS.has(name.toLowerCase()));
        const headers = own ? request.headers : { ...tracing.headers(), ...request.headers };
        const response = await client.send({ ...request, ...(headers === undefined ? {} : { headers }) });
        span.set({ 'http.response.status_code': response.status });
        if (response.status >= 400) span.fail(String(response.status));
        return response;
      });
    },
  };
}
