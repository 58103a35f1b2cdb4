import type {
  EventPlace,
  EventReader,
  EventSummary,
  EventsLooked,
  FoundEvent,
  StoredEvent,
} from '../../application/delivery/events/ports.js';
import type { EventState } from '../../contract/events-api.js';
import type { JsonObject } from '../../domain/delivery/json.js';
import { parseLossless } from '../../domain/delivery/lossless-json.js';
import type { OutboxHeaders } from '../../domain/delivery/outbox-event.js';
import { LAST_ID, LOAD_PAYLOAD, listValues, MOST_PICKED, PICKS, SHOW, WALKS } from './event-statements.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/** Events for people to look at, in PostgreSQL, over the pool given. Reads only. */
export function createEventReader(pool: PgPool): EventReader {
  return {
    async look({ filter, before, events, take }) {
      const walk = filter.aggregateId === null ? WALKS.all : WALKS.aggregate;
      const values = listValues(filter, before, events, take);
      const rows = await runStatement<LookedRow>(pool, { ...walk, values, replan: true, timeoutMs: TIMEOUT_MS });
      const looked = toLooked(rows, take);
      if (looked.place !== null || looked.events < events) return looked;
      return { ...looked, place: placeBehind(rows[0] as LookedRow, looked.found, before) };
    },

    async pick({ filter, before, take }) {
      const pick = filter.state === null ? null : PICKS[filter.state];
      if (pick === null) return null;
      const values = listValues(filter, before, MOST_PICKED, take);
      const rows = await runStatement<LookedRow>(pool, { ...pick, values, replan: true, timeoutMs: TIMEOUT_MS });
      const looked = toLooked(rows, take);
      return looked.events > MOST_PICKED ? null : looked;
    },

    async show(id, tenantId) {
      const statement = { name: 'event_show', text: SHOW, values: [id, tenantId], timeoutMs: TIMEOUT_MS };
      const [row] = await runStatement<ShownRow>(pool, statement);
      return row === undefined ? null : toStored(row);
    },

    async loadPayload(id, tenantId) {
      const statement = { name: 'event_payload', text: LOAD_PAYLOAD, values: [id, tenantId], timeoutMs: TIMEOUT_MS };
      const [row] = await runStatement<PayloadRow>(pool, statement);
      if (row === undefined) return null;
      // recordEvent and the SQL function take objects only.
      const payload = parseLossless(row.payload).value as JsonObject;
      return { eventType: row.event_type, payload, headers: row.headers };
    },
  };
}

interface SummaryRow {
  readonly id: string;
  readonly event_name: string;
  readonly event_type: string;
  readonly routing_key: string;
  readonly tenant_id: string;
  readonly aggregate_type: string;
  readonly aggregate_id: string;
  readonly aggregate_version: string | null;
  readonly recorded_at: string;
  readonly state: EventState | null;
  readonly epoch: number | null;
  readonly due_at: string | null;
  readonly settled_at: string | null;
  readonly blocked: boolean;
}

interface Looked {
  readonly looked: number;
  /** Of a walk; null where it looked at nothing. */
  readonly last_recorded_at: string | null;
  readonly last_id: string | null;
}
/** An empty page is one row without an event. */
type LookedRow = Looked & (SummaryRow | { readonly id: null });

interface ShownRow
  extends SummaryRow,
    Pick<StoredEvent, 'source' | 'traceparent' | 'delivery' | 'attempts' | 'letters' | 'revisions'> {
  readonly occurred_at: string;
  readonly content_hash: string;
}

interface PayloadRow {
  readonly event_type: string;
  readonly payload: string;
  readonly headers: OutboxHeaders;
}

/** With as many as may be found the next look begins behind the last of them. */
function toLooked(rows: readonly LookedRow[], take: number): EventsLooked {
  const found = rows.flatMap((row): FoundEvent[] =>
    row.id === null ? [] : [{ place: { recordedAt: row.recorded_at, id: row.id }, event: toSummary(row) }],
  );
  const place = found.length === take ? (found.at(-1)?.place ?? null) : null;
  return { found, events: rows[0]?.looked ?? 0, place };
}

/**
 * Behind the last one that was looked at: by its time, and by the id of one that was found there, for the last one
 * itself may be another tenant's, whose id a cursor must not carry. What was not found at that time is looked at again,
 * unless that would be all: then it is by its id.
 */
function placeBehind(
  { last_recorded_at: recordedAt, last_id: lastId }: Looked,
  found: readonly FoundEvent[],
  before: EventPlace | null,
): EventPlace | null {
  if (recordedAt === null || lastId === null) return null;
  const id = found.findLast(({ place }) => place.recordedAt === recordedAt)?.place.id ?? LAST_ID;
  const further = before === null || before.recordedAt !== recordedAt || id < before.id;
  return { recordedAt, id: further ? id : lastId };
}

function toSummary(row: SummaryRow): EventSummary {
  const { aggregate_type: type, aggregate_id: id, aggregate_version: version } = row;
  return {
    id: row.id,
    eventName: row.event_name,
    eventType: row.event_type,
    destination: row.routing_key,
    tenantId: row.tenant_id === '' ? null : row.tenant_id,
    aggregate: { type, id, version: version === null ? null : Number(version) },
    // The microseconds are for places.
    recordedAt: `${row.recorded_at.slice(0, 23)}Z`,
    state: row.state,
    epoch: row.epoch,
    // Of a run that has not failed it says from when on somebody looks after it, not what is planned.
    dueAt: row.state === 'running' ? null : row.due_at,
    settledAt: row.settled_at,
    blocked: row.blocked,
  };
}

function toStored(row: ShownRow): StoredEvent {
  const { source, traceparent, delivery, attempts, letters, revisions } = row;
  return {
    ...toSummary(row),
    source,
    occurredAt: row.occurred_at,
    contentHash: row.content_hash,
    traceparent,
    delivery,
    attempts,
    letters,
    revisions,
  };
}
