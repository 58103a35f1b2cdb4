/**
 * Each event's start stands in the event's own trace. A batch's stands in that of its claim: it has a link to each of its events,
 * and each event's trace a span `relay.carried` with a link back.
 */
import type { TraceContext } from '../../domain/trace-context.js';
import type { Tracing } from '../tracing.js';
import type { ClaimedBatch, WorkflowStarter } from './ports.js';

export function traceStarts(tracing: Tracing, starter: WorkflowStarter): WorkflowStarter {
  return {
    start: (event, timeoutMs) => tracing.within(event.trace ?? null, () => starter.start(event, timeoutMs)),

    startBatch: (batch, timeoutMs) => {
      const { carrier, events } = batch;
      const attributes = {
        'outbox.carrier': carrier,
        'outbox.events': events.length,
        'outbox.destination': events[0]?.destination,
      };
      const links = events.flatMap(({ trace }) => trace ?? []);
      return tracing.inSpan({ name: 'relay.start_batch', kind: 'producer', links, attributes }, async (span) => {
        const answer = await starter.startBatch(batch, timeoutMs);
        span.set({ 'outbox.outcome': answer.kind });
        if (answer.kind === 'refused') span.fail('refused');
        else await tellEach(tracing, batch, span.context);
        return answer;
      });
    },
  };
}

async function tellEach(tracing: Tracing, { carrier, events }: ClaimedBatch, batch: TraceContext): Promise<void> {
  for (const { eventId, trace } of events) {
    if (trace === undefined) continue;
    const attributes = { 'outbox.event.id': eventId, 'outbox.carrier': carrier };
    const start = { name: 'relay.carried', kind: 'producer', parent: trace, links: [batch], attributes } as const;
    await tracing.inSpan(start, async () => {});
  }
}
