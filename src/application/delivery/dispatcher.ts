/**
 * The single entrance to handlers: one event in, a receipt or an IntegrationError out, by the deadline of the attempt,
 * whatever the handler does. Neither retries nor stores anything.
 */
import { healthyView } from '../../domain/delivery/breaker.js';
import { DEFAULT_HANDLER_MS, PLACE_WAIT_MS } from '../../domain/delivery/delivery-timeouts.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import { toIntegrationEvent } from '../../domain/delivery/to-integration-event.js';
import { weighOutcome } from '../../domain/delivery/weigh-outcome.js';
import type { CallEnd, DestinationWatch } from './destinations/watch-destinations.js';
import { type Bounds, eventFields } from './handler-context.js';
import type { BatchDispatcher, Dispatcher, DispatchOptions, Handler, HttpClient, Logger } from './ports.js';
import { judgeBatch, mapOrRefuse, type RunDeps, runBatch, runHandler } from './run-handler.js';
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

export function createDispatcher(deps: DispatcherDeps): Dispatcher & BatchDispatcher {
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
  const toldOfOneByOne = new Set<string>();
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
  /** The way to a handler's call: kept away or not, known or not, with a place or without; then the call itself. */
  const deliver = async <Given, Answer>(
    destinationName: string,
    options: DispatchOptions,
    call: {
      /** Made before a place is taken. */
      readonly prepare: () => Given;
      readonly run: (runDeps: RunDeps, given: Given, bounds: Bounds) => Promise<Answer>;
      /** What an answer says of the destination, where it is no failure as a whole. */
      readonly judge: (answer: Answer) => IntegrationError | null;
      readonly fields: (given: Given) => object;
      /** Whether its time is that of one event. */
      readonly timed: boolean;
    },
  ): Promise<Answer | 'busy'> => {
    const endsAt = performance.now() + options.timeoutMs;
    const view = options.destination ?? healthyView(destinationName);
    watch?.see(view);
    const refuseAway = () => {
      const awayForMs = watch?.awayForMs(view) ?? 0;
      if (awayForMs > 0) throw new IntegrationError('DESTINATION.OPEN', { retryAfterMs: awayForMs });
    };
    refuseAway();
    const destination = destinations.get(destinationName);
    if (destination === undefined) {
      const error = handlerNotFound(destinationName, [...destinations.keys()]);
      watch?.note(view, endOf(error, 0));
      throw error;
    }
    const given = call.prepare();
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
      watch?.note(view, endOf(error, call.timed ? performance.now() - sentAt : null));
      destination.regular.wake(); // there may be more places now
    };
    if (options.mode === 'regular') tellOfLessTime(destination, options.timeoutMs);
    const runDeps = { http, log, handler: destination.handler, release, overrunMs, fields: call.fields(given) };
    const own = performance.now() + destination.handlerMs;
    try {
      const answer = await call.run(runDeps, given, { signal: options.signal, endsAt: Math.min(endsAt, own) });
      note(call.judge(answer));
      return answer;
    } catch (error) {
      // `run` throws nothing else.
      note(error as IntegrationError);
      throw error;
    }
  };
  return {
    dispatch: (event, options) =>
      deliver(event.routingKey, options, {
        prepare: () => toIntegrationEvent(event),
        run: (runDeps, mapped, bounds) => runHandler(runDeps, mapped, bounds),
        judge: () => null,
        fields: eventFields,
        timed: true,
      }),

    async dispatchBatch(events, options) {
      const { name } = options.destination;
      const handler = destinations.get(name)?.handler;
      if (handler !== undefined && handler.deliverBatch === undefined) {
        if (!toldOfOneByOne.has(name)) log.warn({ routingKey: name, hint: ONE_BY_ONE }, 'handler.takes_one_by_one');
        toldOfOneByOne.add(name);
        return 'unsupported';
      }
      return deliver(name, options, {
        prepare: () => events.map(mapOrRefuse),
        run: runBatch,
        judge: judgeBatch,
        fields: (mapped) => ({ routingKey: name, events: mapped.length }),
        timed: false,
      });
    },
  };
}

function endOf(error: IntegrationError | null, tookMs: number | null): CallEnd {
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

const ONE_BY_ONE =
  'its handler has no deliverBatch here, while the relay coalesces for it: run both with one configuration';

const MOST_NAMED = 20;

/** Routing keys are no secrets; Temporal gets the catalogue's sentence all the same. */
function handlerNotFound(routingKey: string, known: readonly string[]): IntegrationError {
  const more = known.length > MOST_NAMED ? ' and others' : '';
  const message = `No handler is registered for the routing key "${routingKey}"; this worker knows ${known.slice(0, MOST_NAMED).join(', ')}${more}`;
  return new IntegrationError('DISPATCH.HANDLER_NOT_FOUND', { message });
}
