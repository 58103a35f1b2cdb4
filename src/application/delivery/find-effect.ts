/**
 * R18: asks the handler of an event whether its effect stands, within a deadline, whatever the handler does. Few at once
 * for each destination: what finds no place is a failed ask, which delays nothing and is made again later.
 */
import { IntegrationError } from '../../domain/delivery/integration-error.js';
import type { IntegrationEvent } from '../../domain/delivery/integration-event.js';
import { toIntegrationEvent } from '../../domain/delivery/to-integration-event.js';
import { checkReceipt } from './check-receipt.js';
import { classifyThrown } from './classify-thrown.js';
import { createHandlerContext, eventFields } from './handler-context.js';
import type { EffectFinder, FoundEffect, Handler, HttpClient, Logger } from './ports.js';
import { createSemaphore } from './semaphore.js';

const PLACES = 8;

export function createEffectFinder(deps: {
  readonly handlers: readonly Handler[];
  readonly http: HttpClient;
  readonly log: Logger;
}): EffectFinder {
  const destinations = new Map(
    deps.handlers.map((handler) => [handler.routingKey, { handler, places: createSemaphore(() => PLACES) }]),
  );
  return {
    async find(event, { timeoutMs, signal }): Promise<FoundEffect> {
      const destination = destinations.get(event.routingKey);
      if (destination === undefined) throw new IntegrationError('DISPATCH.HANDLER_NOT_FOUND');
      const { find } = destination.handler;
      if (find === undefined) return { kind: 'unsupported' };
      let mapped: IntegrationEvent;
      try {
        mapped = toIntegrationEvent(event);
      } catch {
        return { kind: 'unsupported' }; // of an event that cannot be read no handler will ever tell
      }
      if (signal.aborted) throw new IntegrationError('DELIVERY.CANCELLED');
      const release = destination.places.tryEnter();
      if (release === null) throw new IntegrationError('DESTINATION.BUSY');
      const late = new AbortController();
      const timer = setTimeout(() => late.abort(new IntegrationError('HTTP.TIMEOUT')), timeoutMs);
      const ended = new Promise<never>((_, reject) => {
        late.signal.addEventListener('abort', () => reject(late.signal.reason), { once: true });
      });
      const onShutdown = () => late.abort(new IntegrationError('DELIVERY.CANCELLED'));
      signal.addEventListener('abort', onShutdown, { once: true });
      const bounds = { signal, endsAt: performance.now() + timeoutMs };
      try {
        const context = createHandlerContext(deps, eventFields(mapped), bounds, late.signal);
        const asking = (async () => find(mapped, { ...context, idempotencyKey: mapped.id }))();
        const receipt = await Promise.race([asking, ended]);
        return receipt === null ? { kind: 'none' } : { kind: 'stands', receipt: checkReceipt(receipt) };
      } catch (error) {
        throw late.signal.aborted ? late.signal.reason : classifyThrown(error);
      } finally {
        release();
        clearTimeout(timer);
        signal.removeEventListener('abort', onShutdown);
      }
    },
  };
}
