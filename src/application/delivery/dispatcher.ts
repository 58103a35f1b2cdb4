/**
 * The single entrance to handlers: one event in, a receipt or an IntegrationError out, by the deadline of the attempt,
 * whatever the handler does. Neither retries nor stores anything.
 */
import { healthyView } from '../../domain/delivery/breaker.js';
import { DEFAULT_HANDLER_MS, PLACE_WAIT_MS } from '../../domain/delivery/delivery-timeouts.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import type { IntegrationEvent } from '../../domain/delivery/integration-event.js';
import type { Receipt } from '../../domain/delivery/receipt.js';
import { toIntegrationEvent } from '../../domain/delivery/to-integration-event.js';
import { weighOutcome } from '../../domain/delivery/weigh-outcome.js';
import { checkReceipt } from './check-receipt.js';
import { classifyThrown, describeThrown } from './classify-thrown.js';
import type { CallEnd, DestinationWatch } from './destinations/watch-destinations.js';
import { type Bounds, createHandlerContext, eventFields } from './handler-context.js';
import type { Dispatcher, DispatchOptions, Handler, HandlerContext, HttpClient, Logger } from './ports.js';
import { createSemaphore, type Release, type Semaphore } from './semaphore.js';

export interface DispatcherDeps {
  /** Routing keys are distinct; two handlers for one key throw here. */
  readonly handlers: readonly Handler[];
  readonly http: HttpClient;
  readonly log: Logger;
  /** Places for each destination in this worker (R14). */
  readonly places: Places;
  /** What this worker knows of its destinations; without it places are the only bound. */
  readonly watch?: Pick<DestinationWatch, 'see' | 'awayForMs' | 'limitOf' | 'note'>;
  /** How long a call that outlives its attempt may keep its place. Default 60 s. */
  readonly overrunMs?: number;
}

/** For one destination in one worker. */
export interface Places {
  readonly local: number;
  readonly regular: number;
}

/**
 * So many regular attempts wait for a place at once; they hold a slot of the worker meanwhile (see `slotsFor`), so the
 * others are told at once to come again.
 */
export function mayWait({ regular }: Places): number {
  return Math.ceil(regular / 4);
}

const OVERRUN_MS = 60_000;

export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { handlers, http, log, places, watch, overrunMs = OVERRUN_MS } = deps;
  const destinations = new Map<string, Destination>();
  for (const handler of handlers) {
    const key = handler.routingKey;
    if (destinations.has(key)) throw new Error(`Expected one handler for each routing key, got two for "${key}"`);
    const limit = () => watch?.limitOf(key) ?? Number.POSITIVE_INFINITY;
    const local: Semaphore = createSemaphore(() => Math.min(places.local, limit() - regular.taken()));
    const regular: Semaphore = createSemaphore(
      () => Math.min(places.regular, limit() - local.taken()),
      mayWait(places),
    );
    destinations.set(key, { handler, handlerMs: handler.timeoutMs ?? DEFAULT_HANDLER_MS, local, regular });
  }
  const toldOfLessTime = new Set<Destination>();
  /** The time comes with the attempt, from the relay; the handler's own definition can only make less of it. */
  const tellOfLessTime = (destination: Destination, attemptMs: number) => {
    const { routingKey, timeoutMs = 0 } = destination.handler;
    if (timeoutMs <= attemptMs || toldOfLessTime.has(destination)) return;
    toldOfLessTime.add(destination);
    log.warn(
      { routingKey, timeoutMs, attemptMs },
      'handler.less_time_than_defined: run the relay with its configuration',
    );
  };
  return {
    async dispatch(event, options) {
      const endsAt = performance.now() + options.timeoutMs;
      const view = options.destination ?? healthyView(event.routingKey);
      watch?.see(view);
      const refuseAway = () => {
        const awayForMs = watch?.awayForMs(view) ?? 0;
        if (awayForMs > 0) throw new IntegrationError('DESTINATION.OPEN', { retryAfterMs: awayForMs });
      };
      refuseAway();
      const destination = destinations.get(event.routingKey);
      if (destination === undefined) {
        const error = handlerNotFound(event.routingKey, [...destinations.keys()]);
        watch?.note(view, endOf(error, 0));
        throw error;
      }
      const mapped = toIntegrationEvent(event);
      const release = await enter(destination, options);
      if (release === null) return 'busy';
      try {
        refuseAway(); // others may have failed while it waited for its place
      } catch (error) {
        release();
        throw error;
      }
      const sentAt = performance.now();
      const note = (error: IntegrationError | null) => {
        watch?.note(view, endOf(error, performance.now() - sentAt));
        destination.regular.wake(); // there may be more places now
      };
      if (options.mode === 'regular') tellOfLessTime(destination, options.timeoutMs);
      const runDeps = { http, log, handler: destination.handler, release, overrunMs };
      const own = performance.now() + destination.handlerMs;
      try {
        const receipt = await run(runDeps, mapped, { signal: options.signal, endsAt: Math.min(endsAt, own) });
        note(null);
        return receipt;
      } catch (error) {
        // `run` throws nothing else.
        note(error as IntegrationError);
        throw error;
      }
    },
  };
}

function endOf(error: IntegrationError | null, tookMs: number): CallEnd {
  if (error === null) return { weight: 'success', reason: null, tookMs };
  const { code, status } = error;
  return { weight: weighOutcome(code, status), reason: { code, status }, tookMs };
}

interface Destination {
  readonly handler: Handler;
  readonly handlerMs: number;
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

interface RunDeps {
  readonly http: HttpClient;
  readonly log: Logger;
  readonly handler: Handler;
  readonly release: Release;
  readonly overrunMs: number;
}

const MOST_NAMED = 20;

/** Routing keys are no secrets; Temporal gets the catalogue's sentence all the same. */
function handlerNotFound(routingKey: string, known: readonly string[]): IntegrationError {
  const more = known.length > MOST_NAMED ? ' and others' : '';
  const message = `No handler is registered for the routing key "${routingKey}"; this worker knows ${known.slice(0, MOST_NAMED).join(', ')}${more}`;
  return new IntegrationError('DISPATCH.HANDLER_NOT_FOUND', { message });
}

/** One call of the handler against the deadline and the shutdown; what comes first is the outcome. */
async function run(deps: RunDeps, event: IntegrationEvent, { signal, endsAt }: Bounds): Promise<Receipt> {
  const { handler } = deps;
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
    const delivery = callHandler(handler, event, createHandlerContext(deps, event, { signal, endsAt }, attempt.signal));
    holdPlace(deps, event, delivery, attempt.signal);
    return checkReceipt(await Promise.race([delivery, ended]));
  } catch (error) {
    throw attempt.signal.aborted ? attempt.signal.reason : classifyThrown(error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onShutdown);
  }
}

/**
 * A handler that ignores its signal goes on alone; its outcome comes too late to count, but not unseen. It keeps its place
 * as long as it runs, so that there are never more calls at once than places; but one that never ends must not starve its
 * destination for ever, so after `overrunMs` it is written off.
 */
function holdPlace(
  { log, release, overrunMs }: RunDeps,
  event: IntegrationEvent,
  delivery: Promise<unknown>,
  attempt: AbortSignal,
): void {
  let timer: NodeJS.Timeout | undefined;
  const overrun = () => {
    timer = setTimeout(() => {
      release();
      log.error({ ...eventFields(event), overrunMs }, 'handler.written_off');
    }, overrunMs).unref();
  };
  attempt.addEventListener('abort', overrun, { once: true });
  const end = () => {
    attempt.removeEventListener('abort', overrun);
    clearTimeout(timer);
    release();
  };
  void delivery.then(
    () => {
      end();
      if (attempt.aborted) log.warn(eventFields(event), 'handler.finished_late');
    },
    (error: unknown) => {
      end();
      if (attempt.aborted)
        log.debug({ ...eventFields(event), error: describeThrown(error).name }, 'handler.failed_late');
    },
  );
}

/** Async, so that a handler that throws before its first await rejects like any other. */
async function callHandler(handler: Handler, event: IntegrationEvent, context: HandlerContext): Promise<Receipt> {
  return handler.deliver(event, context);
}
