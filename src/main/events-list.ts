/** `outbox events list`: what was appended, the newest first, on the outbox database. */
import { EventFilterError, type EventPage, listEvents } from '../application/delivery/events/list-events.js';
import type { EventSummary } from '../application/delivery/events/ports.js';
import type { EventState } from '../contract/events-api.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createEventReader } from '../infrastructure/prisma/event-reader.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { print } from './terminal.js';
import { UsageError } from './usage-error.js';

/** As the command line gives them. */
export interface ListOptions {
  readonly state?: EventState;
  readonly type?: string;
  readonly name?: string;
  readonly destination?: string;
  readonly tenant?: string;
  readonly aggregateType?: string;
  readonly aggregate?: string;
  readonly source?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
  readonly cursor?: string;
  readonly json?: boolean;
}

export async function runListEvents(options: ListOptions): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['events']);
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 1 });
  try {
    const deps = { reader: createEventReader(pool), clock: () => performance.now() };
    const page = { cursor: options.cursor ?? null, limit: options.limit };
    const found = await explainingDatabase('outbox', () => listEvents(deps, filterOf(options), page));
    if (options.json) print(JSON.stringify(found));
    else {
      for (const event of found.items) print(describe(event));
      print(describeEnd(found));
    }
    return 0;
  } catch (error) {
    if (!(error instanceof EventFilterError)) throw error;
    throw new UsageError(`--${error.message}`, { command: 'outbox events list' });
  } finally {
    await pool.end();
  }
}

function filterOf(options: ListOptions) {
  return {
    state: options.state ?? null,
    eventType: options.type ?? null,
    eventName: options.name ?? null,
    destination: options.destination ?? null,
    tenantId: options.tenant ?? null,
    aggregateType: options.aggregateType ?? null,
    aggregateId: options.aggregate ?? null,
    source: options.source ?? null,
    since: options.since ?? null,
    until: options.until ?? null,
  };
}

function describe(event: EventSummary): string {
  const { aggregate, state, epoch, dueAt, settledAt, blocked } = event;
  const version = aggregate.version === null ? '' : ` v${aggregate.version}`;
  return [
    event.id,
    event.recordedAt,
    state ?? 'without a delivery',
    event.eventName,
    event.destination,
    event.tenantId ?? '-',
    `${aggregate.type}/${aggregate.id}${version}`,
    ...(epoch === null || epoch === 0 ? [] : [`epoch ${epoch}`]),
    ...(blocked ? ['blocked'] : []),
    ...(dueAt === null ? [] : [`due ${dueAt}`]),
    ...(settledAt === null ? [] : [`settled ${settledAt}`]),
  ].join('  ');
}

/** A page may be short of what was asked for, and not the last one: what is rare is looked for in turns. */
function describeEnd({ items, next, searched }: EventPage): string {
  if (next === null) return items.length === 0 ? 'none is so' : 'that is all';
  return `looked back to ${searched.backTo} (${searched.events} events); more: --cursor ${next}`;
}
