/**
 * What a scrape reads of the databases, part by part, the cheapest and most wanted first: a part that fails takes no other
 * along, and what was told before one hangs is told all the same.
 */
import type { ReadLogStatus } from '../audit/log/read-log-status.js';
import type { VerificationBook } from '../audit/monitor/ports-verification.js';
import type { DestinationStore, Pause } from '../delivery/destinations/ports.js';
import type { Holder } from '../delivery/doctor/judge-snapshots.js';
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
  readonly readHolders: () => Promise<readonly Holder[]>;
  /** Seconds; null: nothing ever leaves. */
  readonly readRetentionLag: (() => Promise<number>) | null;
}

type Tell = (samples: readonly MetricSample[]) => void;
type Part = () => Promise<readonly MetricSample[]>;

/** Rejects with the first failure, after all other parts were tried. */
export function readOutboxGauges({ gauges, overview, destinations, readHolders, readRetentionLag }: OutboxGaugeDeps) {
  const parts: readonly Part[] = [
    async () => {
      const { lagSeconds } = await overview.measureBacklog();
      return [sampleOf('outbox_oldest_due_age_seconds', {}, lagSeconds)];
    },
    async () => {
      const { destinations: all, pauses } = await destinations.list();
      return all.flatMap(({ name, breaker, running }) => [
        sampleOf('outbox_in_flight_runs', { destination: name }, running),
        ...statesOf(name, pauses.some((pause) => holdsAll(pause, name)) ? 'paused' : breaker),
      ]);
    },
    async () => [sampleOf('outbox_oldest_open_dead_letter_age_seconds', {}, await gauges.readOldestLetter())],
    async () =>
      (await gauges.countLetters()).map(({ eventType, code, open }) =>
        sampleOf('outbox_open_dead_letters', { event_type: eventType, code }, open),
      ),
    async () =>
      (await gauges.countDue()).map(({ destination, eventType, due }) =>
        sampleOf('outbox_due_events', { destination, event_type: eventType }, due),
      ),
    async () => {
      const { withGaps, checkedAt } = await overview.countBooks();
      return [
        sampleOf('outbox_unbalanced_books', {}, withGaps),
        ...(checkedAt === null ? [] : [sampleOf('outbox_books_checked_timestamp_seconds', {}, secondsOf(checkedAt))]),
      ];
    },
    async () => [sampleOf('outbox_held_snapshot_seconds', {}, longestHeld(await readHolders()))],
    async () => [sampleOf('outbox_retention_lag_seconds', {}, (await readRetentionLag?.()) ?? 0)],
    async () => {
      const tables = await gauges.readTables('outbox');
      const events = tables.find(({ name }) => name === 'outbox.event');
      return [
        ...tables.flatMap(tableSamples),
        ...(events === undefined ? [] : [sampleOf('outbox_appended_events_total', {}, events.inserted)]),
      ];
    },
  ];
  return (tell: Tell) => readParts(parts, tell);
}

export interface AuditGaugeDeps {
  readonly gauges: Pick<GaugeStore, 'readTables'>;
  readonly status: ReadLogStatus;
  readonly verifications: Pick<VerificationBook, 'readLatest'>;
}

/** As above. */
export function readAuditGauges({ gauges, status, verifications }: AuditGaugeDeps) {
  const parts: readonly Part[] = [
    async () => {
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
    async () => {
      const { done, brokenPart } = await verifications.readLatest();
      if (done === null && brokenPart === null) return [];
      const whole = done?.outcome === 'whole' && brokenPart === null;
      const endedAt = done?.endedAt ?? null;
      return [
        sampleOf('audit_verification_ok', {}, whole ? 1 : 0),
        ...(endedAt === null ? [] : [sampleOf('audit_verified_timestamp_seconds', {}, secondsOf(endedAt))]),
      ];
    },
    async () => (await gauges.readTables('audit')).flatMap(tableSamples),
  ];
  return (tell: Tell) => readParts(parts, tell);
}

async function readParts(parts: readonly Part[], tell: Tell): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) {
    try {
      tell(await part());
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

const STATES = ['closed', 'half_open', 'open', 'paused'] as const;

function statesOf(destination: string, is: (typeof STATES)[number]): MetricSample[] {
  return STATES.map((state) => sampleOf('outbox_destination_state', { destination, state }, state === is ? 1 : 0));
}

/** One of a type or a tenant holds some of its events. */
function holdsAll({ destination, eventType, tenantId }: Pause, name: string): boolean {
  return eventType === null && tenantId === null && (destination === null || destination === name);
}

function longestHeld(holders: readonly Holder[]): number {
  return Math.max(0, ...holders.map((holder) => (holder.kind === 'slot' ? 0 : (holder.seconds ?? 0))));
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
