/** Destinations, pauses, alerts, processes, books and figures. */
import type { Pool } from 'pg';
import {
  hourOf,
  idOf,
  insert,
  MINUTE_MS,
  PLANTED,
  type PlantedText,
  type Planting,
  type Row,
  type Trouble,
} from './rows.ts';

export async function plantOverview({
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
