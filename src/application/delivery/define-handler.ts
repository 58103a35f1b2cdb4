import { HANDLER_MS } from '../../domain/delivery/delivery-timeouts.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import type { IntegrationEvent } from '../../domain/delivery/integration-event.js';
import type { JsonObject } from '../../domain/delivery/json.js';
import type { Receipt } from '../../domain/delivery/receipt.js';
import { describeThrown } from './classify-thrown.js';
import type { BatchAnswer, BatchContext, Handler, HandlerContext } from './ports.js';

/** A zod schema, or anything else with a `parse` that returns the checked payload or throws. */
export interface PayloadSchema<Payload> {
  parse(payload: unknown): Payload;
}

/** An IntegrationEvent whose payload has been through the handler's schema. */
export type EventWith<Payload> = Omit<IntegrationEvent, 'payload'> & { readonly payload: Payload };

/** A receipt as a handler returns it; what is left out is completed: no hash, no status, now, not replayed. */
export type HandlerReceipt = Pick<Receipt, 'id'> & Partial<Receipt>;

export interface HandlerDefinition<Payload> {
  /** Which events come here: 1 to 64 letters, digits, "_", "." or "-", beginning with a letter. */
  readonly routingKey: string;
  /** Checked before `deliver`. What it refuses ends as `DISPATCH.INVALID_EVENT` with the field, unsent. */
  readonly schema?: PayloadSchema<Payload>;
  /**
   * How long `deliver` may take for one event, a whole number of milliseconds from 100 to 600,000; default 15,000. Then
   * `context.signal` is aborted and the attempt ends as `HTTP.TIMEOUT`. The relay needs it, too: run it with the same
   * configuration. Above 15,000 there is no quick first attempt inside the workflow task, and a worker's death is
   * noticed by missing heartbeats, after 30 s.
   */
  readonly timeoutMs?: number;
  /**
   * false: with tracing on (docs/tracing.md), requests by `context.http` carry no `traceparent`, for a destination that is
   * not to know it. Default true.
   */
  readonly traceContext?: boolean;
  /**
   * Makes the effect and returns the destination's receipt. May be called more than once for one event: send
   * `context.idempotencyKey` along. Throw an IntegrationError to say what went wrong; anything else is `HANDLER.FAILED`.
   */
  deliver(event: EventWith<Payload>, context: HandlerContext): Promise<HandlerReceipt>;
  /**
   * The effects of many events by one call, for types whose policy lets them travel many to a run (docs/coalescing.md): one
   * answer for each, in their order, a receipt or `{ error }` with what `deliver` would have thrown. The same ones may come
   * again, so an effect must be known by its event's id. An event that the schema refuses is not among them. Throw where
   * nothing is known of any; where that is so of some, because they went in a request of their own that failed as a whole,
   * answer each of them with its error and `ofRequest: true`: refused for good, they have spent nothing. Left out: every
   * event is delivered by itself.
   */
  deliverBatch?(
    events: readonly EventWith<Payload>[],
    context: BatchContext,
  ): Promise<readonly (HandlerReceipt | { readonly error: unknown; readonly ofRequest?: boolean })[]>;
  /**
   * Whether the effect stands already: its receipt, or null. Without it, a lost answer leaves that unknown. It gets the
   * payload as it was appended, past the schema: one that became stricter meanwhile must not hide what stands. Ask by the
   * event's id where you can.
   */
  find?(event: IntegrationEvent, context: HandlerContext): Promise<HandlerReceipt | null>;
}

/** Whether a handler may take so long. */
export function isHandlerTimeout(ms: unknown): ms is number {
  return Number.isInteger(ms) && (ms as number) >= HANDLER_MS.min && (ms as number) <= HANDLER_MS.max;
}

const ROUTING_KEY = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

/** A handler for the events of one routing key. Throws a TypeError for a definition that cannot work. */
export function defineHandler<Payload = JsonObject>(definition: HandlerDefinition<Payload>): Handler {
  const { routingKey, schema, timeoutMs, traceContext } = definition;
  if (typeof routingKey !== 'string' || !ROUTING_KEY.test(routingKey)) {
    throw new TypeError('defineHandler: expected routingKey to be 1 to 64 letters, digits, "_", "." or "-"');
  }
  if (typeof definition.deliver !== 'function') {
    throw new TypeError(`defineHandler: expected a function in deliver (routing key "${routingKey}")`);
  }
  if (timeoutMs !== undefined && !isHandlerTimeout(timeoutMs)) {
    throw new TypeError(
      `defineHandler: expected timeoutMs to be a whole number from ${HANDLER_MS.min} to ${HANDLER_MS.max} (routing key "${routingKey}")`,
    );
  }
  const deliver: Handler['deliver'] = async (event, context) =>
    complete(await definition.deliver(checkPayload(event, schema), context));
  const check: Handler['check'] = (event) => void checkPayload(event, schema);
  const base = {
    ...{ routingKey, deliver, check },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(traceContext === undefined ? {} : { traceContext }),
    ...(definition.deliverBatch === undefined ? {} : { deliverBatch: batchOf(definition) }),
  };
  if (definition.find === undefined) return base;
  return {
    ...base,
    find: async (event, context) => {
      const found = (await definition.find?.(event, context)) ?? null;
      return found === null ? null : complete(found);
    },
  };
}

/** What the schema refuses is answered here; the handler gets the others. */
function batchOf<Payload>({ schema, deliverBatch }: HandlerDefinition<Payload>): NonNullable<Handler['deliverBatch']> {
  return async (events, context) => {
    const checked = events.map((event): { event: EventWith<Payload> } | { error: unknown } => {
      try {
        return { event: checkPayload(event, schema) };
      } catch (error) {
        return { error };
      }
    });
    const fit = checked.flatMap((one) => ('event' in one ? [one.event] : []));
    const answers = fit.length === 0 ? [] : ((await deliverBatch?.(fit, context)) ?? []);
    if (answers.length !== fit.length) {
      const message = `Expected ${fit.length} answers from deliverBatch, one for each event, got ${answers.length}`;
      throw new IntegrationError('HTTP.BAD_RESPONSE', { message });
    }
    let next = 0;
    return checked.map((one) => ('error' in one ? one : completeAnswer(answers[next++] as (typeof answers)[number])));
  };
}

/** What is neither is no receipt either, and the dispatcher says so: of this event, not of the others. */
function completeAnswer(answer: HandlerReceipt | Exclude<BatchAnswer, Receipt>): BatchAnswer {
  return typeof answer === 'object' && answer !== null && 'error' in answer ? answer : complete(answer);
}

function complete(receipt: HandlerReceipt): Receipt {
  return { hash: null, status: null, at: new Date().toISOString(), replayed: false, ...receipt };
}

function checkPayload<Payload>(
  event: IntegrationEvent,
  schema: PayloadSchema<Payload> | undefined,
): EventWith<Payload> {
  if (schema === undefined) return event as EventWith<Payload>;
  try {
    return { ...event, payload: schema.parse(event.payload) };
  } catch (error) {
    const { path, message } = firstIssue(error);
    const field = ['/payload', ...path.map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1'))].join('/');
    throw new IntegrationError('DISPATCH.INVALID_EVENT', { field, message: `${field}: ${message}`, cause: error });
  }
}

/** By shape, since the handler brings its own copy of zod, or another library. */
function firstIssue(error: unknown): { path: readonly string[]; message: string } {
  const { message } = describeThrown(error);
  try {
    const issue = (error as { issues?: readonly { path?: readonly unknown[]; message?: unknown }[] } | null)
      ?.issues?.[0];
    const path = (issue?.path ?? []).map(String);
    return { path, message: typeof issue?.message === 'string' ? issue.message : message };
  } catch {
    return { path: [], message }; // nothing that a schema of ours knows would throw
  }
}
