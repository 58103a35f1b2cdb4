/**
 * What a scrape reads of the databases, part by part, the cheapest and most wanted first: a part that fails or hangs takes no
 * other along, and is told apart by its name.
 */
import type { ReadLogStatus } from '../audit/log/read-log-status.js';
import type { VerificationBook } from '../audit/monitor/ports-verification.js';
import type { DestinationStore, Pause } from '../delivery/destinations/ports.js';
import { HIDDEN_BEHIND, type Holder, isHidden, SNAPSHOT_HELD_SECONDS } from '../delivery/doctor/judge-snapshots.js';
import type { OverviewStore } from '../delivery/monitor/ports.js';
import { type MetricSample, sampleOf } from './metrics.js';

export interface TableGauges {
  /** `outbox.event` */
  readonly name: string;
  readonly bytes: number;
  readonly dead: number;
  readonly inserted: number;
}

export interface GaugeStore {
  countDue(): Promise<readonly { readonly destination: string; readonly eventType: string; readonly due: number }[]>;
  countLetters(): Promise<readonly { readonly eventType: string; readonly code: string; readonly open: number }[]>;
  /** Seconds; 0: none is open. */
  readOldestLetter(): Promise<number>;
  readTables(schema: 'outbox' | 'audit'): Promise<readonly TableGauges[]>;
}

export interface OutboxGaugeDeps {
  readonly gauges: GaugeStore;
  readonly overview: Pick<OverviewStore, 'measureBacklog' | 'countBooks'>;
  readonly destinations: Pick<DestinationStore, 'list'>;
  /** Events under way that are long past due. */
  readonly countOverdue: () => Promise<readonly { readonly destination: string; readonly overdue: number }[]>;
  readonly readHolders: () => Promise<readonly Holder[]>;
  /** Seconds; null: nothing ever leaves. */
  readonly readRetentionLag: (() => Promise<number>) | null;
}

export interface GaugePart {
  /** `part` of outbox_source_part_up. */
  readonly name: string;
  read(): Promise<readonly MetricSample[]>;
}

export function outboxGauges(deps: OutboxGaugeDeps): readonly GaugePart[] {
  const { gauges, overview, destinations, countOverdue, readHolders, readRetentionLag } = deps;
  return named({
    backlog: async () => {
      const { lagSeconds } = await overview.measureBacklog();
      return [sampleOf('outbox_oldest_due_age_seconds', {}, lagSeconds)];
    },
    destinations: async () => {
      const { destinations: all, pauses } = await destinations.list();
      return all.flatMap(({ name, breaker, running }) => [
        sampleOf('outbox_in_flight_runs', { destination: name }, running),
        ...statesOf(name, pauses.some((pause) => holdsAll(pause, name)) ? 'paused' : breaker),
      ]);
    },
    overdue: async () =>
      (await countOverdue()).map(({ destination, overdue }) =>
        sampleOf('outbox_overdue_runs', { destination }, overdue),
      ),
    oldest_letter: async () => [
      sampleOf('outbox_oldest_open_dead_letter_age_seconds', {}, await gauges.readOldestLetter()),
    ],
    letters: async () =>
      (await gauges.countLetters()).map(({ eventType, code, open }) =>
        sampleOf('outbox_open_dead_letters', { event_type: eventType, code }, open),
      ),
    due: async () =>
      (await gauges.countDue()).map(({ destination, eventType, due }) =>
        sampleOf('outbox_due_events', { destination, event_type: eventType }, due),
      ),
    books: async () => {
      const { withGaps, checkedAt, lateSince } = await overview.countBooks();
      const lateMs = lateSince === null ? 0 : Math.max(1_000, Date.now() - Date.parse(lateSince));
      return [
        sampleOf('outbox_unbalanced_books', {}, withGaps),
        sampleOf('outbox_books_late_seconds', {}, lateMs / 1_000),
        ...(checkedAt === null ? [] : [sampleOf('outbox_books_checked_timestamp_seconds', {}, secondsOf(checkedAt))]),
      ];
    },
    snapshots: async () => snapshotSamples(await readHolders()),
    retention: async () => [sampleOf('outbox_retention_lag_seconds', {}, (await readRetentionLag?.()) ?? 0)],
    tables: async () => {
      const tables = await gauges.readTables('outbox');
      const events = tables.find(({ name }) => name === 'outbox.event');
      return [
        ...tables.flatMap(tableSamples),
        ...(events === undefined ? [] : [sampleOf('outbox_appended_events_total', {}, events.inserted)]),
      ];
    },
  });
}

export interface AuditGaugeDeps {
  readonly gauges: Pick<GaugeStore, 'readTables'>;
  readonly status: ReadLogStatus;
  readonly verifications: Pick<VerificationBook, 'readLatest'>;
}

export function auditGauges({ gauges, status, verifications }: AuditGaugeDeps): readonly GaugePart[] {
  return named({
    sealing: async () => {
      const { size, unsealed, checkpoint, unsigned } = await status();
      return [
        sampleOf('audit_seal_lag_seconds', {}, unsealed.oldestSeconds ?? 0),
        sampleOf('audit_unsealed_records', {}, Math.min(unsealed.count, unsealed.countedUpTo)),
        // A log that was never signed is one that nobody has set up to be: `outbox status` says so.
        ...(checkpoint === null
          ? []
          : [
              sampleOf('audit_unsigned_seconds', {}, unsigned.oldestSeconds ?? 0),
              sampleOf('audit_unsigned_records', {}, size - checkpoint.size),
            ]),
      ];
    },
    verification: async () => {
      const { done, brokenPart, unverifiedSeconds } = await verifications.readLatest();
      const whole = done?.outcome === 'whole' && brokenPart === null;
      const endedAt = done?.endedAt ?? null;
      return [
        ...(unverifiedSeconds === null ? [] : [sampleOf('audit_unverified_seconds', {}, unverifiedSeconds)]),
        ...(done === null && brokenPart === null ? [] : [sampleOf('audit_verification_ok', {}, whole ? 1 : 0)]),
        ...(endedAt === null ? [] : [sampleOf('audit_verified_timestamp_seconds', {}, secondsOf(endedAt))]),
      ];
    },
    tables: async () => (await gauges.readTables('audit')).flatMap(tableSamples),
  });
}

function named(parts: Readonly<Record<string, GaugePart['read']>>): readonly GaugePart[] {
  return Object.entries(parts).map(([name, read]) => ({ name, read }));
}

const STATES = ['closed', 'half_open', 'open', 'paused'] as const;

function statesOf(destination: string, is: (typeof STATES)[number]): MetricSample[] {
  return STATES.map((state) => sampleOf('outbox_destination_state', { destination, state }, state === is ? 1 : 0));
}

/** One of a type or a tenant holds some of its events. */
function holdsAll({ destination, eventType, tenantId }: Pause, name: string): boolean {
  return eventType === null && tenantId === null && (destination === null || destination === name);
}

/** Slots tell no time, and what this role may not look at tells none either: a 0 would say that nobody holds anything. */
function snapshotSamples(holders: readonly Holder[]): MetricSample[] {
  const seconds = Math.max(0, ...holders.map((holder) => (holder.kind === 'slot' ? 0 : (holder.seconds ?? 0))));
  const hidden = holders.some((holder) => isHidden(holder) && holder.behind >= HIDDEN_BEHIND);
  // A slot that holds catalogues alone keeps no rows of ours.
  const behind = Math.max(
    0,
    ...holders.map((holder) => (holder.kind === 'slot' && !holder.holdsRows ? 0 : holder.behind)),
  );
  return [
    ...(hidden && seconds < SNAPSHOT_HELD_SECONDS ? [] : [sampleOf('outbox_held_snapshot_seconds', {}, seconds)]),
    sampleOf('outbox_held_snapshot_transactions', {}, behind),
  ];
}

function tableSamples({ name, bytes, dead }: TableGauges): MetricSample[] {
  return [
    sampleOf('outbox_table_bytes', { table: name }, bytes),
    sampleOf('outbox_table_dead_rows', { table: name }, dead),
  ];
}

function secondsOf(time: string): number {
  return Date.parse(time) / 1_000;
}
