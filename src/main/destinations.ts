/** `outbox destinations list | pause | resume`: where events go, on the outbox database. */
import {
  type PauseDeps,
  pauseDestination,
  resumeDestination,
  type UnknownName,
} from '../application/delivery/destinations/pause-destination.js';
import {
  COUNTED_UP_TO,
  type DestinationStatus,
  type Pause,
  type PauseScope,
} from '../application/delivery/destinations/ports.js';
import { AUDIT_ROUTING_KEY } from '../application/delivery/handlers/audit-handler.js';
import { loadSettings, requireSetting } from '../infrastructure/config/load-settings.js';
import { nearestName } from '../infrastructure/config/nearest-name.js';
import { processEnvironment } from '../infrastructure/config/process-environment.js';
import { createDestinationStore } from '../infrastructure/prisma/destination-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { explainingDatabase } from './explain-database.js';
import { complain, note, print, wordOf } from './terminal.js';
import { UsageError } from './usage-error.js';

export interface ScopeOptions {
  readonly type?: string;
  readonly tenant?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export function runList({ json }: { readonly json?: boolean }): Promise<number> {
  return withDatabase(async (pool) => {
    const found = await createDestinationStore(pool).list();
    if (json) print(JSON.stringify(found));
    else {
      for (const destination of found.destinations) print(describe(destination));
      if (found.destinations.length === 0) print('no event went anywhere yet');
      for (const pause of found.pauses) print(describePause(pause));
    }
    return 0;
  });
}

export function runPause(name: string, options: ScopeOptions & { until?: string; for?: number }): Promise<number> {
  return withDatabase(async (pool) => {
    const until =
      options.for === undefined ? (options.until ?? null) : new Date(Date.now() + options.for).toISOString();
    const outcome = await pauseDestination(depsOf(pool), scopeOf(name, options), { until }, wordOf(options));
    if (outcome.kind !== 'paused') {
      throw new UsageError('--until: expected a time that is still to come', { command: 'outbox destinations pause' });
    }
    print(options.json ? JSON.stringify(outcome.pause) : describePause(outcome.pause));
    for (const one of outcome.unknown) note(describeUnknown(one), options);
    return 0;
  });
}

export function runResume(name: string, options: ScopeOptions): Promise<number> {
  return withDatabase(async (pool) => {
    const scope = scopeOf(name, options);
    const outcome = await resumeDestination(depsOf(pool), scope, wordOf(options));
    if (outcome.kind !== 'resumed') {
      return complain(`${describeScope(scope)}: no such pause; \`outbox destinations list\` shows those in force`);
    }
    print(options.json ? JSON.stringify(outcome.pause) : `resumed: ${describeScope(scope)}`);
    return 0;
  });
}

function depsOf(pool: PgPool): PauseDeps {
  // What is done is printed here, and stands in the audit log.
  const log = { info: () => undefined };
  // Handlers of a configuration are not known here: that is code, and a pause must not wait for it.
  return { destinations: createDestinationStore(pool), handled: [AUDIT_ROUTING_KEY], log, now: () => new Date() };
}

function scopeOf(name: string, { type, tenant }: ScopeOptions): PauseScope {
  return { destination: name === '*' ? null : name, eventType: type ?? null, tenantId: tenant ?? null };
}

function describe(status: DestinationStatus): string {
  const { name, breaker, health, p95Ms, failures, reason, openUntil, waiting, running, outage } = status;
  const count = (n: number) => (n < COUNTED_UP_TO ? `${n}` : `${n} or more`);
  const why = reason === null ? '' : ` by ${reason.code}${reason.status === null ? '' : ` ${reason.status}`}`;
  return [
    name,
    breaker === 'closed' ? `closed, ${health}` : `${breaker}${openUntil === null ? '' : ` until ${openUntil}`}`,
    ...(failures === 0 ? [] : [`${failures} failures in a row${why}`]),
    ...(p95Ms === null ? [] : [`p95 ${p95Ms} ms`]),
    `${count(waiting)} waiting`,
    `${count(running)} under way`,
    ...(outage === null || outage.letters === 0
      ? []
      : [`outage ${outage.openedAt} to ${outage.closedAt ?? 'now'} made ${count(outage.letters)} open dead letters`]),
  ].join('  ');
}

function describePause(pause: Pause): string {
  const end = pause.until === null ? 'until it is resumed' : `until ${pause.until}`;
  return `paused: ${describeScope(pause)}  ${end}  by ${pause.actor}: ${pause.reason}`;
}

function describeUnknown({ what, name, known }: UnknownName): string {
  const nearest = nearestName(name, known);
  const hint = nearest === null ? '' : `; the nearest is "${nearest.name}"`;
  const held = 'The pause stands, for an event that may still come';
  const who = what === 'destination' ? 'no destination, open or recent event, or handler' : 'no open or recent event';
  return `${who} has the ${what === 'destination' ? 'name' : 'type'} "${name}"${hint}. ${held}`;
}

function describeScope({ destination, eventType, tenantId }: PauseScope): string {
  return [
    destination ?? 'all destinations',
    ...(eventType === null ? [] : [`type ${eventType}`]),
    ...(tenantId === null ? [] : [tenantId === '' ? 'without a tenant' : `tenant ${tenantId}`]),
  ].join(', ');
}

async function withDatabase(work: (pool: PgPool) => Promise<number>): Promise<number> {
  const settings = loadSettings(processEnvironment(), ['destinations']);
  const pool = createPool(requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL'), { max: 2 });
  try {
    return await explainingDatabase('outbox', () => work(pool));
  } finally {
    await pool.end();
  }
}
