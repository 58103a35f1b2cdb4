/**
 * The single entrance to handlers: one event in, a receipt or an IntegrationError out, by the deadline of the attempt,
 * whatever the handler does. Neither retries nor stores anything.
 */
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import type { IntegrationEvent } from '../../domain/delivery/integration-event.js';
import type { Receipt } from '../../domain/delivery/receipt.js';
import { toIntegrationEvent } from '../../domain/delivery/to-integration-event.js';
import { checkReceipt } from './check-receipt.js';
import { classifyThrown, describeThrown } from './classify-thrown.js';
import type { Dispatcher, DispatchOptions, Handler, HandlerContext, HttpClient, Logger } from './ports.js';
import { createSemaphore, type Release, type Semaphore } from './semaphore.js';

export interface DispatcherDeps {
  /** Routing keys are distinct; two handlers for one key throw here. */
  readonly handlers: readonly Handler[];
  readonly http: HttpClient;
  readonly log: Logger;
  /** Places for each destination in this worker (R14). */
  readonly places: { readonly local: number; readonly regular: number };
}

/** R14: how long a regular attempt waits for a place before it asks to be retried. */
const PLACE_WAIT_MS = 1_000;

export function createDispatcher({ handlers, http, log, places }: DispatcherDeps): Dispatcher {
  const destinations = new Map<string, Destination>();
  for (const handler of handlers) {
    const key = handler.routingKey;
    if (destinations.has(key)) throw new Error(`Expected one handler for each routing key, got two for "${key}"`);
    const local = createSemaphore(places.local);
    destinations.set(key, { handler, local, regular: createSemaphore(places.regular) });
  }
  return {
    async dispatch(event, options) {
      const endsAt = performance.now() + options.timeoutMs;
      const destination = destinations.get(event.routingKey);
      if (destination === undefined) throw new IntegrationError('DISPATCH.HANDLER_NOT_FOUND');
      const mapped = toIntegrationEvent(event);
      const release = await enter(destination, options);
      if (release === null) return 'busy';
      try {
        return await run({ http, log, handler: destination.handler }, mapped, { signal: options.signal, endsAt });
      } finally {
        release();
      }
    },
  };
}

interface Destination {
  readonly handler: Handler;
  readonly local: Semaphore;
  readonly regular: Semaphore;
}

/** A place, or null for a local attempt that found none: it has a regular one to go to, which waits. */
async function enter(destination: Destination, { mode, timeoutMs, signal }: DispatchOptions): Promise<Release | null> {
  if (signal.aborted) throw new IntegrationError('DELIVERY.CANCELLED');
  if (mode === 'local') return destination.local.tryEnter();
  const release = await destination.regular.enter(Math.min(PLACE_WAIT_MS, timeoutMs), signal);
  if (release === null) throw new IntegrationError(signal.aborted ? 'DELIVERY.CANCELLED' : 'DESTINATION.BUSY');
  return release;
}

interface Bounds {
  readonly signal: AbortSignal;
  /** By `performance.now()`: a clock that is set back must not lengthen an attempt. */
  readonly endsAt: number;
}

/** One call of the handler against the deadline and the shutdown; what comes first is the outcome. */
async function run(
  deps: { http: HttpClient; log: Logger; handler: Handler },
  event: IntegrationEvent,
  { signal, endsAt }: Bounds,
): Promise<Receipt> {
  const { handler, log } = deps;
  const attempt = new AbortController();
  const end = (code: 'HTTP.TIMEOUT' | 'DELIVERY.CANCELLED') => attempt.abort(new IntegrationError(code));
  const onShutdown = () => end('DELIVERY.CANCELLED');
  const timer = setTimeout(() => end('HTTP.TIMEOUT'), Math.max(1, endsAt - performance.now()));
  // Before the handler listens to the same signal, so that its own abort error comes second.
  const ended = new Promise<never>((_, reject) => {
    attempt.signal.addEventListener('abort', () => reject(attempt.signal.reason), { once: true });
  });
  signal.addEventListener('abort', onShutdown, { once: true });
  try {
    const delivery = callHandler(handler, event, createContext(deps, event, { signal, endsAt }, attempt.signal));
    // A handler that ignores its signal goes on alone; its outcome comes too late to count, but not unseen.
    void delivery.then(
      () => attempt.signal.aborted && log.warn(fields(event), 'handler.finished_late'),
      (error: unknown) =>
        attempt.signal.aborted &&
        log.debug({ ...fields(event), error: describeThrown(error).name }, 'handler.failed_late'),
    );
    return checkReceipt(await Promise.race([delivery, ended]));
  } catch (error) {
    throw attempt.signal.aborted ? attempt.signal.reason : classifyThrown(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onShutdown);
  }
}

/** Async, so that a handler that throws before its first await rejects like any other. */
async function callHandler(handler: Handler, event: IntegrationEvent, context: HandlerContext): Promise<Receipt> {
  return handler.deliver(event, context);
}

function createContext(
  { http, log }: { http: HttpClient; log: Logger },
  event: IntegrationEvent,
  { signal, endsAt }: Bounds,
  attemptSignal: AbortSignal,
): HandlerContext {
  const ids = fields(event);
  return {
    http: {
      send: async (request) => {
        attemptSignal.throwIfAborted();
        const leftMs = endsAt - performance.now();
        const timeoutMs = Math.max(1, Math.min(leftMs, request.timeoutMs ?? leftMs));
        return http.send({ ...request, timeoutMs, signal });
      },
    },
    signal: attemptSignal,
    idempotencyKey: event.id,
    log: {
      debug: (more, message) => log.debug({ ...more, ...ids }, message),
      info: (more, message) => log.info({ ...more, ...ids }, message),
      warn: (more, message) => log.warn({ ...more, ...ids }, message),
      error: (more, message) => log.error({ ...more, ...ids }, message),
    },
  };
}

function fields(event: IntegrationEvent): { eventId: string; eventName: string; routingKey: string } {
  return { eventId: event.id, eventName: event.name, routingKey: event.routingKey };
}
