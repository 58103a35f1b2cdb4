/** Events in every state, with their deliveries and attempts. */
import type { Pool } from 'pg';
import { OPEN_LETTERS } from './letters.ts';
import {
  CODE_HASH,
  DELIVERY,
  eventRow,
  idOf,
  insert,
  KINDS,
  leafHashOf,
  ordinarily,
  PLANTED,
  type PlantedText,
  type Planting,
  POLICY_HASH,
  type Row,
  TENANTS,
  TRACE,
  timesOf,
} from './rows.ts';

interface PlantedEvent {
  readonly id: string;
  readonly kind: number;
  readonly minutesAgo: number;
  readonly delivery: Row;
  readonly event?: Row;
}

export async function plantEvents({ outbox, text, ago, record }: Planting & { outbox: Pool; record: string }) {
  const settled = (minutesAgo: number, receipt: Row) => ({
    status: 'DELIVERED',
    settled_at: ago(minutesAgo - 0.01),
    receipt,
  });
  const events: PlantedEvent[] = [
    {
      id: PLANTED.deadEvent,
      kind: 2,
      minutesAgo: 95,
      event: {
        event_name: text('event.name', 'order.order.exported.v1'),
        event_type: text('event.type', 'ORDER'),
        routing_key: text('event.routingKey', 'warehouse.orders'),
        source: text('event.source', 'outbox:shop'),
        aggregate_type: text('event.aggregateType', 'order'),
        aggregate_id: text('event.aggregateId', '10071'),
        tenant_id: text('event.tenant', 'acme'),
        payload: { orderId: '10071', items: 3, shipTo: 'Warehouse Street 1, Hamburg' },
        headers: { traceparent: text('event.traceparent', TRACE) },
        content_hash: text('event.contentHash', CODE_HASH),
      },
      delivery: { status: 'DEAD', epoch: 1, budget_epoch: 1, started_at: ago(41), settled_at: ago(40) },
    },
    {
      id: PLANTED.deliveredEvent,
      kind: 1,
      minutesAgo: 31,
      event: { aggregate_id: '10089', aggregate_version: 4 },
      delivery: {
        ...settled(30, { id: record, hash: `sha-256:${leafHashOf(record)}`, status: 201 }),
        started_at: ago(30.5),
        policy_hash: text('delivery.policyHash', POLICY_HASH),
      },
    },
    {
      id: PLANTED.carriedEvent,
      kind: 4,
      minutesAgo: 22,
      event: { payload: { [text('payload.key', 'invoiceId')]: text('payload.value', 'i-2201') } },
      delivery: {
        ...settled(21, { id: text('receipt.id', 'crm-88213'), status: 200 }),
        carrier: text('delivery.carrier', 'shop:batch:0198c0de-0000-7000-8000-0000000000b1'),
      },
    },
    {
      id: PLANTED.runningEvent,
      kind: 2,
      minutesAgo: 3,
      delivery: {
        status: 'STARTED',
        started_at: ago(3),
        due_at: ago(-1),
        policy_hash: text('run.policyHash', POLICY_HASH),
        event_type: text('run.eventType', 'ORDER'),
      },
    },
    { id: idOf(1, 5), kind: 1, minutesAgo: 0.2, delivery: { status: 'PENDING', due_at: ago(0.2) } },
    ...blockedEvents({ text, ago }),
    ...Array.from(
      { length: 26 },
      (_, n): PlantedEvent => ({
        id: idOf(1, 100 + n),
        kind: n % KINDS.length,
        minutesAgo: 4 + n * 2.5,
        delivery: settled(4 + n * 2.5, { id: `receipt-${n}`, status: 201 }),
      }),
    ),
    ...OPEN_LETTERS.flatMap(({ kind, count, minutesAgo }, group) =>
      Array.from(
        { length: count },
        (_, n): PlantedEvent => ({
          id: idOf(1, 1_000 + group * 100 + n),
          kind,
          minutesAgo: minutesAgo(n) + 1,
          delivery: { status: 'DEAD', settled_at: ago(minutesAgo(n)) },
        }),
      ),
    ),
  ];
  await insert(
    outbox,
    'outbox.event',
    events.map(({ id, kind, minutesAgo, event }, n) => ({
      ...eventRow(id, kind, n),
      ...timesOf(ago(minutesAgo)),
      ...event,
    })),
  );
  await insert(
    outbox,
    'outbox.delivery',
    events.map(({ id, kind, minutesAgo, delivery }, n) => ({
      ...DELIVERY,
      event_id: id,
      destination: KINDS[kind]?.[2],
      event_type: KINDS[kind]?.[1],
      tenant: TENANTS[n % TENANTS.length],
      due_at: ago(minutesAgo),
      ...delivery,
    })),
  );
  await insert(outbox, 'outbox.delivery_attempt', [
    ...[0, 1].map((epoch) => ({
      event_id: PLANTED.deadEvent,
      epoch,
      n: 1,
      run_id: text('attempt.runId', '3f0a0d7c-7f5e-4f0e-9c1a-5d1f5f7f0001'),
      worker: text('attempt.worker', 'worker-2 4711'),
      started_at: ago(epoch === 0 ? 90 : 40.1),
      finished_at: ago(epoch === 0 ? 89.9 : 40),
      code: text('attempt.code', 'HTTP.CLIENT_ERROR'),
      status: 422,
      message: text('attempt.message', 'expected 2xx, got 422'),
      delay_ms: null,
      carrier: text('attempt.carrier', 'shop:batch:0198c0de-0000-7000-8000-0000000000b2'),
    })),
    {
      event_id: PLANTED.runningEvent,
      epoch: 0,
      n: 1,
      run_id: 'run-of-the-retried',
      worker: 'worker-2 4711',
      started_at: ago(2.9),
      finished_at: ago(2.8),
      code: 'HTTP.SERVER_ERROR',
      status: 503,
      message: 'expected 2xx, got 503',
      delay_ms: 240_000,
      carrier: null,
    },
  ]);
}

/** An aggregate whose first event is dead, and one that waits behind it. */
function blockedEvents({ text, ago }: Planting): PlantedEvent[] {
  const order = {
    order_key: 'of the one aggregate',
    destination: text('blocked.destination', 'warehouse.orders'),
    event_type: text('ordering.eventType', 'STOCK'),
    tenant: text('blocked.tenant', 'globex'),
  };
  const event = {
    event_name: 'stock.level.changed.v1',
    event_type: 'STOCK',
    aggregate_type: text('blocked.aggregateType', 'article'),
    aggregate_id: text('blocked.aggregateId', 'A-2041'),
  };
  return [
    {
      id: idOf(1, 10),
      kind: 2,
      minutesAgo: 130,
      event: { ...event, aggregate_version: 7 },
      delivery: { status: 'DEAD', settled_at: ago(128), order_no: 7, ...order },
    },
    {
      id: idOf(1, 11),
      kind: 2,
      minutesAgo: 120,
      event: { ...event, aggregate_version: 8 },
      delivery: { status: 'PENDING', order_no: 8, ...order },
    },
  ];
}

export interface RecentOptions {
  readonly outbox: Pool;
  readonly now: Date;
  readonly text?: PlantedText;
}

/** Deliveries of the last seconds, for what is told of now; they are so for less than a minute. */
export async function plantRecent({ outbox, now, text = ordinarily }: RecentOptions): Promise<void> {
  const rows = Array.from({ length: 240 }, (_, n) => {
    const at = new Date(now.getTime() - n * 200);
    return { id: idOf(9, (now.getTime() % 1_000_000_000) * 1_000 + n), n, at };
  });
  await insert(
    outbox,
    'outbox.event',
    rows.map(({ id, n, at }) => ({
      ...eventRow(id, n % KINDS.length, n),
      ...timesOf(new Date(at.getTime() - 14 - (n % 9) * 6).toISOString()),
    })),
  );
  await insert(
    outbox,
    'outbox.delivery',
    rows.map(({ id, n, at }) => ({
      ...DELIVERY,
      event_id: id,
      destination: n === 0 ? text('rate.destination', 'audit.log') : KINDS[n % KINDS.length]?.[2],
      event_type: n === 0 ? text('rate.eventType', 'AUTH') : KINDS[n % KINDS.length]?.[1],
      tenant: n === 0 ? text('rate.tenant', 'acme') : TENANTS[n % TENANTS.length],
      due_at: at.toISOString(),
      status: 'DELIVERED',
      settled_at: at.toISOString(),
      receipt: { id: `receipt-${n}`, status: 201 },
    })),
  );
}
