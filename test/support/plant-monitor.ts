/**
 * An outbox and its audit log in which everything stands that the monitor can show, planted as rows: no relay and no worker
 * has to run. Imports types only, so that Node runs it as it is, too.
 */
import type { Pool } from 'pg';

export interface PlantOptions {
  readonly outbox: Pool;
  readonly audit: Pool;
  /** All times are told from it. */
  readonly now: Date;
  /** What stands in a field of others' text. Default: what would stand there on an ordinary day. */
  readonly text?: PlantedText;
  /** `some`: as on a day with one destination that is down. Default `all`: whatever can be wrong is. */
  readonly trouble?: 'all' | 'some';
}

export type PlantedText = (field: string, ordinary: string) => string;

/** What a test goes to by its id. */
export const PLANTED = {
  /** Died twice: once redriven, once edited; its letter is open. */
  deadEvent: idOf(1, 1),
  letter: idOf(2, 1),
  /** Delivered to the audit log, as `record`. */
  deliveredEvent: idOf(1, 2),
  /** Delivered to another destination, in a batch. */
  carriedEvent: idOf(1, 3),
  runningEvent: idOf(1, 4),
  runningJob: idOf(3, 1),
  cancelledJob: idOf(3, 2),
  failedIngest: idOf(4, 1),
} as const;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const CODE_HASH = `sha-256:${'4f'.repeat(32)}`;
const POLICY_HASH = 'sha-256:9b1c6c2e7f0a4d35';
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

/** Plants it. The id of the record that has changes stands in the answer, for it holds its time. */
export async function plantMonitor(options: PlantOptions): Promise<{ readonly record: string }> {
  const { outbox, audit, now, text = ordinarily, trouble = 'all' } = options;
  const ago = (minutes: number) => new Date(now.getTime() - minutes * MINUTE_MS).toISOString();
  const record = recordIdOf(new Date(ago(30)), 1);
  await plantEvents({ outbox, text, ago, record });
  await plantLetters({ outbox, text, ago });
  await plantOverview({ outbox, text, ago, now, trouble });
  await plantRecords({ audit, text, ago, record, trouble });
  return { record };
}

function ordinarily(_field: string, ordinary: string): string {
  return ordinary;
}

type Trouble = NonNullable<PlantOptions['trouble']>;

interface Planting {
  readonly text: PlantedText;
  readonly ago: (minutes: number) => string;
}

const TENANTS = ['acme', 'globex', 'initech'];
/** Events as an application has them: name, type, destination, aggregate. */
const KINDS = [
  ['auth.user.signed_in.v1', 'AUTH', 'audit.log', 'user'],
  ['order.order.placed.v1', 'ORDER', 'audit.log', 'order'],
  ['order.order.exported.v1', 'ORDER', 'warehouse.orders', 'order'],
  ['billing.invoice.issued.v1', 'BILLING', 'audit.log', 'invoice'],
  ['billing.payment.captured.v1', 'BILLING', 'crm.contacts', 'invoice'],
] as const;

interface PlantedEvent {
  readonly id: string;
  readonly kind: number;
  readonly minutesAgo: number;
  readonly delivery: Row;
  readonly event?: Row;
}

async function plantEvents({ outbox, text, ago, record }: Planting & { outbox: Pool; record: string }) {
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

/** Kinds of dead letters: of which events, by which code, how many, and when. */
const OPEN_LETTERS = [
  {
    kind: 2,
    code: 'HTTP.CLIENT_ERROR',
    status: 422,
    message: 'expected 2xx, got 422: this order fits no warehouse',
    count: 9,
    minutesAgo: (n: number) => 12 + n * 41,
  },
  {
    kind: 4,
    code: 'HTTP.UNAUTHORIZED',
    status: 401,
    message: 'expected 2xx, got 401: the token has ended',
    count: 5,
    minutesAgo: (n: number) => 55 + n * 7,
  },
  {
    kind: 1,
    code: 'DISPATCH.INVALID_EVENT',
    status: null,
    message: '/payload/total: expected a whole number',
    count: 2,
    minutesAgo: (n: number) => 700 + n * 90,
  },
] as const;

async function plantLetters({ outbox, text, ago }: Planting & { outbox: Pool }) {
  const open = OPEN_LETTERS.flatMap(({ kind, code, status, message, count, minutesAgo }, group) =>
    Array.from({ length: count }, (_, n) => ({
      ...LETTER,
      id: idOf(2, 1_000 + group * 100 + n),
      event_id: idOf(1, 1_000 + group * 100 + n),
      destination: KINDS[kind][2],
      event_type: KINDS[kind][1],
      tenant: TENANTS[n % TENANTS.length],
      code,
      message,
      last_code: code,
      last_status: status,
      last_failed_at: ago(minutesAgo(n)),
      created_at: ago(minutesAgo(n)),
    })),
  );
  const told = {
    ...LETTER,
    event_id: PLANTED.deadEvent,
    destination: text('letter.destination', 'warehouse.orders'),
    event_type: text('letter.eventType', 'ORDER'),
    tenant: text('letter.tenant', 'acme'),
    code: text('letter.code', 'HTTP.CLIENT_ERROR'),
    message: text('letter.message', 'expected 2xx, got 422: this order fits no warehouse'),
    stack: text('letter.stack', 'IntegrationError: expected 2xx, got 422\n    at toHttpError (to-http-error.ts:31:10)'),
    causes: [{ name: text('letter.cause', 'Error'), message: 'refused' }],
    response: {
      status: 422,
      headers: {
        'content-type': 'application/json',
        [text('response.header', 'x-request-id')]: text('response.value', 'w-5512'),
      },
      body: text('response.body', '{"error":"this order fits no warehouse","field":"shipTo"}'),
    },
    field: text('letter.field', '/payload/shipTo'),
    last_code: 'HTTP.CLIENT_ERROR',
    last_status: 422,
    workflow_id: text('letter.workflowId', `shop:${PLANTED.deadEvent}:1`),
    run_id: text('letter.runId', '3f0a0d7c-7f5e-4f0e-9c1a-5d1f5f7f0001'),
    traceparent: text('letter.traceparent', TRACE),
    policy_hash: text('letter.policyHash', POLICY_HASH),
    first_failed_at: ago(40),
    last_failed_at: ago(40),
  };
  await insert(outbox, 'outbox.dead_letter', [
    ...open.map((letter) => ({ ...BLANK_LETTER, ...letter })),
    {
      ...BLANK_LETTER,
      ...told,
      id: idOf(2, 2),
      epoch: 0,
      code: text('letter.earlierCode', 'HTTP.CLIENT_ERROR'),
      created_at: ago(89),
      state: 'redriven',
      state_at: ago(42),
      state_actor: text('letter.actor', 'user:ada'),
      state_reason: text('letter.reason', 'the warehouse was mended'),
    },
    { ...BLANK_LETTER, ...told, id: PLANTED.letter, epoch: 1, created_at: ago(40), previous_id: idOf(2, 2) },
    {
      ...BLANK_LETTER,
      ...LETTER,
      id: idOf(2, 10),
      event_id: idOf(1, 10),
      epoch: 0,
      destination: 'warehouse.orders',
      event_type: 'STOCK',
      tenant: 'globex',
      code: text('blocked.code', 'HTTP.CLIENT_ERROR'),
      message: 'expected 2xx, got 422',
      last_failed_at: ago(128),
      created_at: ago(128),
    },
  ]);
  await insert(outbox, 'outbox.event_revision', [
    {
      event_id: PLANTED.deadEvent,
      epoch: 2,
      seq: 1,
      payload: {
        orderId: '10071',
        items: 3,
        [text('edited.key', 'shipTo')]: text('edited.value', 'Warehouse Street 2'),
      },
      content_hash: CODE_HASH,
      actor: text('revision.actor', 'user:ada'),
      reason: text('revision.reason', 'the address was a typing error'),
      created_at: ago(20),
    },
  ]);
  const filter = {
    eventType: null,
    code: null,
    tenantId: null,
    destination: null,
    since: null,
    until: null,
    text: text('job.filter', 'no warehouse'),
    outageId: null,
  };
  await insert(outbox, 'outbox.redrive_job', [
    {
      id: PLANTED.runningJob,
      filter,
      rate: 50,
      cap: 400,
      expected: 412,
      state: 'running',
      redriven: 236,
      skipped: 3,
      next_at: ago(-60),
      error: text('job.error', 'the outbox database did not answer in time'),
      actor: text('job.actor', 'user:ada'),
      reason: text('job.reason', 'the warehouse was mended'),
      created_at: ago(2),
      ended_at: null,
      ended_by: null,
      late_walk: false,
    },
    {
      id: PLANTED.cancelledJob,
      filter: { ...filter, text: null, eventType: 'ORDER' },
      rate: 10,
      cap: null,
      expected: 40,
      state: 'cancelled',
      redriven: 12,
      skipped: 0,
      next_at: ago(300),
      error: null,
      actor: 'user:bob',
      reason: 'a first try',
      created_at: ago(305),
      ended_at: ago(300),
      ended_by: text('job.endedBy', 'user:ada'),
      late_walk: false,
    },
  ]);
}

async function plantOverview({
  outbox,
  text,
  ago,
  now,
  trouble,
}: Planting & { outbox: Pool; now: Date; trouble: Trouble }) {
  const all = trouble === 'all';
  const health = { generation: 0, updated_at: ago(1), revision: 0 };
  await insert(outbox, 'outbox.destination', [
    {
      ...health,
      name: 'audit.log',
      breaker: 'closed',
      failures: 0,
      last_success_at: ago(0.1),
      p95_ms: 24,
      health: 'ok',
      reason_code: null,
      reason_status: null,
      opened_at: null,
      open_until: null,
    },
    {
      ...health,
      name: 'crm.contacts',
      breaker: 'closed',
      failures: 0,
      last_success_at: ago(0.4),
      p95_ms: 780,
      health: 'slow',
      reason_code: null,
      reason_status: null,
      opened_at: null,
      open_until: null,
    },
    {
      ...health,
      name: text('destination.name', 'warehouse.orders'),
      breaker: 'half_open',
      failures: 11,
      last_success_at: ago(9),
      p95_ms: 310,
      health: 'degraded',
      reason_code: text('destination.reasonCode', 'HTTP.SERVER_ERROR'),
      reason_status: 503,
      opened_at: ago(4),
      open_until: ago(-0.4),
    },
  ]);
  await insert(outbox, 'outbox.outage', [
    {
      id: idOf(5, 1),
      destination: text('destination.name', 'warehouse.orders'),
      first_failure_at: ago(5),
      opened_at: ago(4),
      closed_at: null,
      code: 'HTTP.SERVER_ERROR',
      status: 503,
    },
  ]);
  await insert(outbox, 'outbox.pause', [
    {
      id: idOf(6, 1),
      destination: text('pause.destination', 'crm.contacts'),
      event_type: text('pause.eventType', 'BILLING'),
      tenant: text('pause.tenant', 'initech'),
      until: ago(-120),
      reason: text('pause.reason', 'the CRM is being moved'),
      actor: text('pause.actor', 'user:ada'),
      created_at: ago(35),
    },
  ]);
  await insert(outbox, 'outbox.alert', [
    {
      kind: text('alert.kind', 'breaker_opened'),
      subject: text('alert.subject', 'warehouse.orders'),
      fields: { [text('alert.field', 'code')]: text('alert.value', 'HTTP.SERVER_ERROR') },
      since: ago(4),
      last_at: ago(1),
      times: 4,
      tellings: {},
      tell_from: ago(4),
    },
  ]);
  const seen = (reason: string | null) => ({ ok: reason === null, reason, at: now.toISOString() });
  const says = {
    temporal: seen(null),
    auditApi: seen(null),
    namespace: text('process.namespace', 'shop'),
    temporalAddress: 'temporal',
    policies: {
      byType: { [text('process.policyType', 'BILLING')]: 'sha-256:0', ORDER: 'sha-256:1' },
      otherwise: 'sha-256:2',
    },
    orderings: {},
    coalescing: [
      { destination: text('lane.destination', 'audit.log'), eventType: text('lane.eventType', 'AUTH'), on: true },
    ],
  };
  // Nobody is there to tell of them again: they are seen for as long as somebody looks.
  const process = { version: text('process.version', '0.1.0'), skew_ms: 2, started_at: ago(2_900), seen_at: ago(-60) };
  await insert(outbox, 'outbox.process', [
    { ...process, id: idOf(7, 1), roles: ['relay'], host: text('process.host', 'relay-1'), pid: 4_102, says },
    {
      ...process,
      id: idOf(7, 2),
      roles: ['worker'],
      host: 'worker-1',
      pid: 4_377,
      says: {
        ...says,
        coalescing: [],
        auditApi: seen(all ? text('process.auditApi', 'it answers 503 to /ready') : null),
      },
    },
    {
      ...process,
      id: idOf(7, 3),
      roles: ['worker'],
      host: 'worker-2',
      pid: 4_711,
      says: {
        ...says,
        coalescing: [],
        temporal: seen(all ? text('process.temporal', 'it does not answer at temporal') : null),
      },
    },
  ]);
  await insert(outbox, 'outbox.event_type', [
    { name: text('ordering.eventType', 'STOCK'), ordering: 'block', actor: 'user:ada', changed_at: ago(9_000) },
  ]);
  await insert(
    outbox,
    'outbox.book_check',
    Array.from({ length: 26 }, (_, n) => ({
      hour: hourOf(now, n + 1),
      checked_at: ago(n * 60 + 4),
      closed: true,
      totals: {},
      gap_count: all && n === 3 ? 1 : 0,
      gaps: all && n === 3 ? [{ gap: 'not_in_audit_log', eventId: PLANTED.deliveredEvent }] : [],
      look: all && n === 3 ? { waitsFor: text('books.waitsFor', 'HTTP.NETWORK') } : null,
      look_hours: 1,
    })),
  );
  await insert(outbox, 'outbox.figure', figures(now, text));
}

/** Every minute of the last hour and a half, and a gap in it: a busy shop. */
function figures(now: Date, text: PlantedText): Row[] {
  const begin = Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS;
  return Array.from({ length: 92 }, (_, back) => back - 1).flatMap((minutes) => {
    if (minutes === 6 || minutes === 7) return [];
    const delivered = 620 + Math.round(180 * Math.sin(minutes / 5)) + ((minutes * 37) % 60);
    const died = minutes % 7 === 3 ? 2 : 0;
    const share = (dimension: string, name: string, part: number, dead = 0): Row => ({
      span: 1,
      begins_at: new Date(begin - minutes * MINUTE_MS).toISOString(),
      dimension,
      folded: false,
      name,
      delivered: Math.round(delivered * part),
      died: dead,
      timed: Math.round(delivered * part),
      latency: latencies(Math.round(delivered * part), minutes),
    });
    return [
      share('all', '', 1, died),
      share('destination', 'audit.log', 0.7),
      share('destination', text('figure.destination', 'warehouse.orders'), 0.2, died),
      share('destination', 'crm.contacts', 0.1),
      share('event_type', 'AUTH', 0.5),
      share('event_type', text('figure.eventType', 'ORDER'), 0.35, died),
      share('event_type', 'BILLING', 0.15),
      share('tenant', 'acme', 0.6),
      share('tenant', text('figure.tenant', 'globex'), 0.4, died),
    ];
  });
}

/** In the buckets from 16 ms on; most of them in the first. */
function latencies(count: number, turn: number): number[] {
  const parts = [0.55, 0.25, 0.1, 0.05, 0.03, 0.02];
  const first = 9 + (turn % 11 === 0 ? 1 : 0);
  return Array.from({ length: 53 }, (_, bucket) => Math.round(count * (parts[bucket - first] ?? 0)));
}

/** Deliveries of the last seconds, for what is told of now; they are so for less than a minute. */
export async function plantRecent({ outbox, now, text = ordinarily }: Omit<PlantOptions, 'audit'>): Promise<void> {
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

async function plantRecords(planting: Planting & { audit: Pool; record: string; trouble: Trouble }) {
  const { audit, text, ago, record, trouble } = planting;
  // In the first hours of a month the oldest ones are of the month before, which nothing of ours makes.
  await makeMonthOf(audit, new Date(ago(120)));
  const ordinary = Array.from({ length: 24 }, (_, n) => {
    const kind = KINDS[n % KINDS.length];
    const at = ago(1 + n * 3);
    return recordRow({
      id: recordIdOf(new Date(at), 100 + n),
      at,
      tenant: TENANTS[n % TENANTS.length] ?? '',
      event: {
        ...AUDIT_EVENT,
        eventId: idOf(1, 100 + n),
        action: (kind?.[0] ?? '').replace(/\.v1$/, ''),
        occurredAt: at,
        actor: { type: 'user', id: `u-${(n * 17) % 40}` },
        targets: [{ type: kind?.[3] ?? '', id: String(10_000 + n) }],
        outcome: n % 8 === 5 ? 'denied' : 'success',
      },
    });
  });
  const erasedAt = ago(64);
  await insert(audit, 'audit.record', [
    ...ordinary,
    recordRow({
      id: record,
      at: ago(30),
      tenant: text('record.tenant', 'acme'),
      event: {
        ...AUDIT_EVENT,
        eventId: text('record.eventId', PLANTED.deliveredEvent),
        source: text('record.source', 'outbox:shop'),
        action: text('record.action', 'order.order.placed'),
        occurredAt: ago(31),
        outcome: 'success',
        outcomeReason: text('record.outcomeReason', 'paid in full'),
        category: text('record.category', 'data'),
        operation: text('record.operation', 'update'),
        severity: text('record.severity', 'info'),
        actor: { type: 'user', id: text('record.actorId', 'u-17'), name: text('record.actorName', 'Ada') },
        targets: [{ type: text('record.targetType', 'order'), id: text('record.targetId', '10089') }],
        changes: [
          {
            field: text('change.field', '/status'),
            old: text('change.old', 'placed'),
            new: text('change.new', 'paid'),
          },
          { field: '/total', old: 118.5, new: 112 },
          { field: '/customer/email', redacted: true },
        ],
        context: { [text('record.contextKey', 'ip')]: text('record.contextValue', '192.0.2.17') },
        metadata: { deployment: 'shop' },
      },
    }),
    {
      ...recordRow({ id: recordIdOf(new Date(erasedAt), 2), at: erasedAt, tenant: 'globex', event: AUDIT_EVENT }),
      body: {},
      salt: '\\x',
      actor_id: null,
      erased_at: ago(10),
    },
  ]);
  // All of it sealed, and signed: what the tree is made of is a seal.
  await audit.query(`
    INSERT INTO audit.seal (first_index, size, epoch, last_tx, last_seq, hashes)
    SELECT 0, count(*), max(log_epoch), max(tx_id), max(seq), string_agg(leaf_hash, ''::bytea ORDER BY seq) FROM audit.record`);
  await audit.query(
    `INSERT INTO audit.checkpoint (branch, size, root, note, anchor) SELECT 1, count(*), sha256('root'), $1, $2 FROM audit.record`,
    [
      text('checkpoint.note', 'log.shop.example/audit\n26\nq0vX\n\n— log.shop.example/audit 9mI0\n'),
      text('checkpoint.anchor', 'file:/var/lib/outbox/anchor.ndjson'),
    ],
  );
  await insert(audit, 'audit.failed_ingest', [
    {
      id: PLANTED.failedIngest,
      tenant_id: text('ingest.tenant', 'acme'),
      source: text('ingest.source', '/services/billing'),
      event_id: text('ingest.eventId', 'inv-7781'),
      body: JSON.stringify({ ...AUDIT_EVENT, [text('ingest.key', 'note')]: text('ingest.value', 'from billing') }),
      hmac_key_id: 'k1',
      fingerprint: `\\x${'00'.repeat(32)}`,
      code: text('ingest.code', '22P05').slice(0, 100),
      message: text('ingest.message', 'unsupported Unicode escape sequence'),
      key_id: idOf(8, 1),
      tries: 3,
      first_at: ago(200),
      last_at: ago(15),
      state: 'open',
      actor: text('ingest.actor', 'user:ada').slice(0, 200),
      reason: text('ingest.reason', 'the database was mended'),
    },
  ]);
  const asked = verifications({ text, ago, record });
  await insert(audit, 'audit.verification', trouble === 'all' ? asked : asked.slice(0, 1));
}

async function makeMonthOf(audit: Pool, at: Date): Promise<void> {
  const [from, to] = [0, 1].map((n) => new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + n, 1)).toISOString());
  const name = `record_${from?.slice(0, 7).replace('-', '_')}`;
  await audit.query(
    `CREATE TABLE IF NOT EXISTS audit.${name} PARTITION OF audit.record FOR VALUES FROM ('${from}') TO ('${to}')`,
  );
}

function verifications({ text, ago, record }: Planting & { record: string }): Row[] {
  const counted = { from: 0, to: 26, records: 26, erased: 1, dropped: 0, pending: 0, signedSize: 26, anchoredSize: 26 };
  const base = { holder: null, beat_at: null, tries: 1, progress: null, outcome: null, report: null, error: null };
  return [
    {
      ...base,
      id: idOf(10, 1),
      record_id: null,
      asked_by: 'worker',
      asked_at: ago(180),
      state: 'done',
      ended_at: ago(179),
      outcome: 'whole',
      report: { ...counted, counts: {}, breaks: [] },
    },
    {
      ...base,
      id: idOf(10, 2),
      record_id: record,
      asked_by: text('verification.askedBy', 'user:ada'),
      asked_at: ago(18),
      state: 'done',
      ended_at: ago(17),
      outcome: 'broken',
      report: {
        ...counted,
        counts: { [text('verification.kind', 'changed')]: 1 },
        breaks: [
          {
            kind: text('break.kind', 'changed'),
            index: 12,
            recordId: text('break.recordId', record),
            what: text('break.what', 'the body is not what its leaf was made of'),
          },
        ],
      },
    },
    {
      ...base,
      id: idOf(10, 3),
      record_id: record,
      asked_by: 'user:ada',
      asked_at: ago(60),
      state: 'failed',
      ended_at: ago(59),
      error: text('verification.error', 'the anchor could not be read'),
    },
  ];
}

const AUDIT_EVENT = {
  specVersion: '1.0',
  eventId: 'e-1',
  source: 'outbox:shop',
  action: 'order.order.placed',
  actionVersion: 1,
  category: 'data',
  operation: 'create',
  outcome: 'success',
  severity: 'info',
  occurredAt: '2026-01-02T03:04:05.678Z',
  actor: { type: 'user', id: 'u-1' },
  targets: [],
};

interface PlantedRecord {
  readonly id: string;
  readonly at: string;
  readonly tenant: string;
  readonly event: typeof AUDIT_EVENT | Row;
}

function recordRow({ id, at, tenant, event }: PlantedRecord): Row {
  const { eventId, source, action, category, operation, outcome, severity } = event as typeof AUDIT_EVENT;
  return {
    record_id: id,
    recorded_at: at,
    log_epoch: 1,
    tenant_id: tenant,
    source,
    event_id: eventId,
    action,
    action_version: 1,
    category,
    operation,
    outcome,
    severity,
    occurred_at: at,
    actor_type: 'user',
    actor_id: 'u-1',
    via: 'outbox',
    key_id: idOf(8, 1),
    leaf_version: 1,
    salt: `\\x${'07'.repeat(16)}`,
    body: event,
    leaf_hash: `\\x${leafHashOf(id)}`,
    erased_at: null,
  };
}

/** Of 32 bytes, in hex digits, and one for each record. */
function leafHashOf(recordId: string): string {
  return `${'a1'.repeat(16)}${recordId.replaceAll('-', '')}`;
}

const DELIVERY: Row = {
  epoch: 0,
  budget_epoch: 0,
  status: 'PENDING',
  lease_token: null,
  carrier: null,
  started_at: null,
  settled_at: null,
  receipt: null,
  start_tries: 0,
  redispatches: 0,
  waited_ms: 0,
  doubtful: false,
  policy_hash: null,
  order_key: null,
  order_no: null,
  no_coalesce: false,
};

const LETTER: Row = { epoch: 0, retry_count: 1, max_retries: 10, effect: 'none', effect_asked: 0, state: 'open' };

const BLANK_LETTER: Row = {
  stack: null,
  causes: null,
  response: null,
  field: null,
  last_code: null,
  last_status: null,
  workflow_id: null,
  run_id: null,
  traceparent: null,
  policy_hash: null,
  first_failed_at: null,
  state_at: null,
  state_actor: null,
  state_reason: null,
  previous_id: null,
};

function eventRow(id: string, kind: number, n: number): Row {
  const [name, type, destination, aggregate] = KINDS[kind] ?? KINDS[0];
  return {
    id,
    event_name: name,
    event_type: type,
    routing_key: destination,
    source: 'outbox:shop',
    aggregate_type: aggregate,
    aggregate_id: String(10_000 + n),
    aggregate_version: null,
    tenant_id: TENANTS[n % TENANTS.length],
    payload: { userId: `u-${(n * 17) % 40}` },
    headers: { traceparent: TRACE },
    content_hash: CODE_HASH,
  };
}

function timesOf(at: string): Row {
  return { occurred_at: at, recorded_at: at };
}

function hourOf(now: Date, hoursAgo: number): string {
  return new Date(Math.floor(now.getTime() / HOUR_MS) * HOUR_MS - hoursAgo * HOUR_MS).toISOString();
}

/** The same one each time. */
function idOf(kind: number, n: number): string {
  return `0198c0de-${String(kind).padStart(4, '0')}-7000-8000-${String(n).padStart(12, '0')}`;
}

/** A record's id holds its time. */
function recordIdOf(at: Date, n: number): string {
  const hex = at.getTime().toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(n).padStart(12, '0')}`;
}

type Row = Readonly<Record<string, unknown>>;

/** All rows have the columns of the first one. */
async function insert(pool: Pool, table: string, rows: readonly Row[]): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first).join(', ');
  await pool.query(
    `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)`,
    [JSON.stringify(rows)],
  );
}
