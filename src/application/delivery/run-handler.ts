/** One call of a handler, for one event or for many: against its deadline and the shutdown, and what it answers is checked. */
import { IntegrationError, isIntegrationError } from '../../domain/delivery/integration-error.js';
import type { IntegrationEvent } from '../../domain/delivery/integration-event.js';
import type { OutboxEvent } from '../../domain/delivery/outbox-event.js';
import type { Receipt } from '../../domain/delivery/receipt.js';
import { toIntegrationEvent } from '../../domain/delivery/to-integration-event.js';
import { weighOutcome } from '../../domain/delivery/weigh-outcome.js';
import { checkReceipt } from './check-receipt.js';
import { classifyThrown, describeThrown } from './classify-thrown.js';
import { type Bounds, createHandlerContext, eventFields } from './handler-context.js';
import type { Handler, HttpClient, Logger } from './ports.js';
import type { Release } from './semaphore.js';

export interface RunDeps {
  readonly http: HttpClient;
  readonly log: Logger;
  readonly handler: Handler;
  readonly release: Release;
  readonly overrunMs: number;
  /** Of what is delivered, for log lines. */
  readonly fields: object;
}

export function runHandler(deps: RunDeps, event: IntegrationEvent, bounds: Bounds): Promise<Receipt> {
  return run(deps, bounds, async (signal) => {
    const context = createHandlerContext(deps, eventFields(event), bounds, signal);
    // Async, so that a handler that throws before its first await rejects like any other.
    return checkReceipt(await deps.handler.deliver(event, { ...context, idempotencyKey: event.id }));
  });
}

export type Mapped = IntegrationEvent | IntegrationError;

/** One that cannot be mapped is no reason to send none of the others. */
export function mapOrRefuse(event: OutboxEvent): Mapped {
  try {
    return toIntegrationEvent(event);
  } catch (error) {
    return classifyThrown(error);
  }
}

/** One answer for each event: what a handler returns is code that nobody checked. */
export function runBatch(
  deps: RunDeps,
  mapped: readonly Mapped[],
  bounds: Bounds,
): Promise<(Receipt | IntegrationError)[]> {
  const events = mapped.filter((event): event is IntegrationEvent => !isIntegrationError(event));
  return run(deps, bounds, async (signal) => {
    if (events.length === 0) return mapped.filter(isIntegrationError);
    const context = createHandlerContext(deps, { routingKey: deps.handler.routingKey }, bounds, signal);
    const answers: unknown = await deps.handler.deliverBatch?.(events, context);
    if (!Array.isArray(answers) || answers.length !== events.length) {
      throw new IntegrationError('HTTP.BAD_RESPONSE', {
        message: `Expected ${events.length} answers from deliverBatch, one for each event, got ${Array.isArray(answers) ? answers.length : typeof answers}`,
      });
    }
    const checked = answers.map(checkAnswer);
    let next = 0;
    return mapped.map((event) => (isIntegrationError(event) ? event : (checked[next++] as Receipt | IntegrationError)));
  });
}

function checkAnswer(answer: unknown): Receipt | IntegrationError {
  try {
    if (typeof answer === 'object' && answer !== null && 'error' in answer) {
      return classifyThrown(answer.error, { ofRequest: 'ofRequest' in answer && answer.ofRequest === true });
    }
    return checkReceipt(answer);
  } catch (error) {
    return classifyThrown(error); // a getter may throw, too
  }
}

/**
 * What a batch says of its destination: well where it took an event, or judged one; where each met what the next would meet,
 * the first of those.
 */
export function judgeBatch(answers: readonly (Receipt | IntegrationError)[]): IntegrationError | null {
  const errors = answers.filter(isIntegrationError);
  const weighed = errors.filter(({ code, status }) => weighOutcome(code, status) === 'failure');
  if (errors.length < answers.length || errors.some(({ code, status }) => weighOutcome(code, status) === 'success'))
    return null;
  return weighed[0] ?? errors[0] ?? null;
}

/** One call of the handler against the deadline and the shutdown; what comes first is the outcome. */
async function run<Answer>(
  deps: RunDeps,
  { signal, endsAt }: Bounds,
  call: (signal: AbortSignal) => Promise<Answer>,
): Promise<Answer> {
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
    const delivery = call(attempt.signal);
    holdPlace(deps, delivery, attempt.signal);
    return await Promise.race([delivery, ended]);
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
  { log, release, overrunMs, fields }: RunDeps,
  delivery: Promise<unknown>,
  attempt: AbortSignal,
): void {
  let timer: NodeJS.Timeout | undefined;
  const overrun = () => {
    timer = setTimeout(() => {
      release();
      log.error({ ...fields, overrunMs }, 'handler.written_off');
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
      if (attempt.aborted) log.warn(fields, 'handler.finished_late');
    },
    (error: unknown) => {
      end();
      if (attempt.aborted) log.debug({ ...fields, error: describeThrown(error).name }, 'handler.failed_late');
    },
  );
}
