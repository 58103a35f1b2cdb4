/** What a person did is an event like any other, in the transaction that did it: with it the audit log is told, or nothing is done. */
import { v7 as uuidV7 } from 'uuid';
import type { JsonObject } from '../../domain/delivery/json.js';
import type { Query } from './pg-pool.js';
import { toStorableText } from './to-storable.js';

/** Of these events. What is done to their own letters is told to nobody: without an audit log each telling would be a letter. */
export const OWN_EVENT_TYPE = 'OUTBOX';

export interface OwnEvent {
  readonly eventName: string;
  /** The empty string: of no tenant. */
  readonly tenantId: string;
  readonly aggregate: { readonly type: string; readonly id: string };
  readonly payload: JsonObject;
}

export async function recordOwnEvents(query: Query, actor: string, events: readonly OwnEvent[]): Promise<void> {
  if (events.length === 0) return;
  const headers = { actor: { type: actor.startsWith('api-key:') ? 'apiKey' : 'user', id: toStorableText(actor) } };
  const input = events.map(({ tenantId, ...event }) => ({
    id: uuidV7(),
    eventType: OWN_EVENT_TYPE,
    ...event,
    ...(tenantId === '' ? {} : { tenantId }),
    headers,
  }));
  const text = 'SELECT count(*) FROM outbox.record_events($1::jsonb)';
  await query({ name: 'record_own_events', text, values: [JSON.stringify(input)] });
}
