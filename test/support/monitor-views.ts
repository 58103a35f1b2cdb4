/** What the page asks the api for behind each of its views, with every kind of filter. It loads under Node alone, as the seed. */
import {
  AUDIT_LOGS_PATH,
  AUDIT_STATUS_PATH,
  BLOCKED_AGGREGATES_PATH,
  BOOKS_PATH,
  DEAD_LETTERS_PATH,
  DESTINATIONS_PATH,
  EVENTS_PATH,
  FAILED_INGEST_PATH,
  FIGURES_PATH,
  LETTER_KINDS_PATH,
  POLICIES_PATH,
  POLICY_SIMULATION_PATH,
  PROOF_STATES_PATH,
  REDRIVE_JOBS_PATH,
  VERIFICATIONS_PATH,
} from '../../src/monitor/data/paths.ts';
import type { SeededOutbox } from './seed-monitor.ts';

export interface Asked {
  readonly view: 'overview' | 'events' | 'dead letters' | 'audit log' | 'policies';
  readonly path: string;
  /** Asked by POST where it has one. */
  readonly body?: unknown;
  /** What all its statements together may touch of the databases' pages, of 8 KiB each. */
  readonly buffers: number;
}

const OVERVIEW_PATH = '/ops/v1/overview';
/** For what is found by an index; for what is looked through in its order; for that with a look at another table for each. */
const [FEW, SOME, MANY] = [2_000, 30_000, 120_000];

/** `records`: their ids, the newest 200. Of what is seeded with a million events. */
export function monitorViews(seeded: SeededOutbox, records: readonly string[]): readonly Asked[] {
  const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
  const events = (query: string, buffers: number) =>
    ({ view: 'events', path: `${EVENTS_PATH}${query}`, buffers }) as const;
  const letters = (path: string, buffers: number) => ({ view: 'dead letters', path, buffers }) as const;
  const audit = (path: string, buffers: number) => ({ view: 'audit log', path, buffers }) as const;
  return [
    { view: 'overview', path: OVERVIEW_PATH, buffers: MANY },
    ...['15m', '1h', '24h'].map(
      (window) => ({ view: 'overview', path: `${FIGURES_PATH}?window=${window}`, buffers: SOME }) as const,
    ),
    { view: 'overview', path: DESTINATIONS_PATH, buffers: SOME },
    { view: 'overview', path: BOOKS_PATH, buffers: FEW },
    { view: 'overview', path: AUDIT_STATUS_PATH, buffers: FEW },

    events('', FEW),
    events('?limit=200', SOME),
    events(`?until=${ago(150)}`, FEW),
    events(`?since=${ago(96)}&until=${ago(95)}&eventType=LEDGER`, FEW),
    ...['waiting', 'running', 'retrying', 'delivered', 'dead', 'discarded'].map((state) =>
      events(`?state=${state}`, MANY),
    ),
    events('?eventType=ORDER', FEW),
    events('?eventType=NONE', SOME),
    events('?eventName=order.thing.v3', FEW),
    events('?destination=crm', FEW),
    events('?destination=none&state=waiting', FEW),
    events('?tenantId=tenant-77', SOME),
    events('?tenantId=', FEW),
    events('?source=nobody', SOME),
    events('?aggregateType=ledger', FEW),
    events(`?aggregateId=${seeded.aggregateId}`, FEW),
    events(`?aggregateId=${seeded.aggregateId}&state=delivered`, FEW),
    events('?aggregateId=hot&state=discarded', MANY),
    events('?state=dead&tenantId=tenant-77', SOME),
    events('?state=delivered&tenantId=nobody', SOME),
    events('?state=waiting&eventType=LEDGER&tenantId=tenant-0', MANY),
    events(`/${seeded.event}`, FEW),
    events(`/${seeded.openLetter}`, FEW),
    events(`/${seeded.event}/payload`, FEW),

    letters(LETTER_KINDS_PATH, FEW),
    letters(`${LETTER_KINDS_PATH}?tenantId=tenant-77`, FEW),
    letters(`${LETTER_KINDS_PATH}?destination=crm`, FEW),
    letters(DEAD_LETTERS_PATH, FEW),
    letters(`${DEAD_LETTERS_PATH}?until=${ago(20)}`, FEW),
    letters(`${DEAD_LETTERS_PATH}?limit=200&before=${seeded.openLetter}`, FEW),
    letters(`${DEAD_LETTERS_PATH}?eventType=LEDGER&code=HTTP.TIMEOUT`, SOME),
    letters(`${DEAD_LETTERS_PATH}?tenantId=tenant-77`, SOME),
    letters(`${DEAD_LETTERS_PATH}?tenantId=nobody`, SOME),
    letters(`${DEAD_LETTERS_PATH}?destination=none`, SOME),
    letters(`${DEAD_LETTERS_PATH}?outageId=${seeded.outage}`, SOME),
    letters(`${DEAD_LETTERS_PATH}?since=${ago(24 * 20)}&text=not%20there`, SOME),
    ...['redriven', 'resolved', 'discarded'].map((state) => letters(`${DEAD_LETTERS_PATH}?state=${state}`, FEW)),
    letters(`${DEAD_LETTERS_PATH}/${seeded.openLetter}`, FEW),
    letters(`${DEAD_LETTERS_PATH}/${seeded.openLetter}/payload?redacted=true`, FEW),
    letters(REDRIVE_JOBS_PATH, FEW),
    letters(`${REDRIVE_JOBS_PATH}/${seeded.job}`, FEW),
    ...[{}, { eventType: 'LEDGER' }, { outageId: seeded.outage }].map((filter) => ({
      ...letters(REDRIVE_JOBS_PATH, MANY),
      body: { filter, reason: 'to know how many', dryRun: true },
    })),

    audit(AUDIT_LOGS_PATH, FEW),
    audit(`${AUDIT_LOGS_PATH}?tenantId=t-0`, FEW),
    audit(`${AUDIT_LOGS_PATH}?tenantId=t-0&recordedTo=${ago(24 * 400)}`, FEW),
    audit(`${AUDIT_LOGS_PATH}?tenantId=t-0&actorId=u-17`, FEW),
    audit(`${AUDIT_LOGS_PATH}?tenantId=t-0&targetId=row-11`, FEW),
    audit(`${AUDIT_LOGS_PATH}?tenantId=t-0&action=role`, FEW),
    audit(`${AUDIT_LOGS_PATH}?tenantId=t-0&severity=critical`, SOME),
    audit(`${AUDIT_LOGS_PATH}?tenantId=t-0&text=not%20there`, SOME),
    // As whoever sees all tenants has them in front of them: no index but that of time.
    ...['actorId=u-17', 'targetId=row-11', 'action=role', 'severity=critical', 'text=not%20there', 'source=nobody'].map(
      (filter) => audit(`${AUDIT_LOGS_PATH}?${filter}`, SOME),
    ),
    audit(`${AUDIT_LOGS_PATH}?recordedTo=${ago(24 * 400)}&severity=critical`, SOME),
    audit(`${AUDIT_LOGS_PATH}/${records[0]}`, FEW),
    audit(`${AUDIT_LOGS_PATH}/${records[0]}/proof`, FEW),
    { ...audit(PROOF_STATES_PATH, SOME), body: { recordIds: records.slice(0, 50) } },
    { ...audit(PROOF_STATES_PATH, SOME), body: { recordIds: records } },
    audit(VERIFICATIONS_PATH, FEW),
    audit(FAILED_INGEST_PATH, FEW),

    { view: 'policies', path: POLICIES_PATH, buffers: SOME },
    { view: 'policies', path: `${POLICY_SIMULATION_PATH}?code=HTTP.TIMEOUT&eventType=ORDER`, buffers: FEW },
    { view: 'policies', path: BLOCKED_AGGREGATES_PATH, buffers: SOME },
    { view: 'policies', path: `${BLOCKED_AGGREGATES_PATH}?destination=none`, buffers: SOME },
  ];
}
