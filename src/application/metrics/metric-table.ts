import { ERROR_CODES } from '../../domain/delivery/error-catalog.js';

/**
 * Every metric: its type, labels and meaning, where its value comes from, and which roles tell it. The only table of its kind:
 * the registry is made from it, docs/metrics.md is held to it, and so is a test that drives each of them.
 */

export type MetricRole = 'api' | 'relay' | 'worker';

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** One sentence: the text after `# HELP`, and the table's in docs/metrics.md. */
  readonly help: string;
  readonly labels: readonly string[];
  readonly roles: readonly MetricRole[];
  /** `process`: counted as it happens. Any other is read when somebody asks, from there. */
  readonly from: 'process' | 'outbox' | 'audit' | 'pools' | 'roles' | 'scrape';
  /**
   * Of the one label, all values: each begins at 0, so that the first one counts. `event_types`: those that the configuration
   * names, and those alone; of a label `event_type` a process cannot know the others.
   */
  readonly values?: readonly string[] | 'event_types';
}

const DELIVERY = ['relay', 'worker'] as const;
/** Those that have the outbox database: an api by OUTBOX_OPS=on. */
const OUTBOX = ['relay', 'worker', 'api'] as const;
/** Those that have the audit log's database. */
const AUDIT = ['api', 'worker'] as const;

export const METRICS = {
  // ---- The relay -------------------------------------------------------------------------------------------------------
  outbox_claimed_events_total: {
    type: 'counter',
    help: 'Events claimed by the relay; one that is claimed again counts again.',
    labels: ['event_type'],
    roles: ['relay'],
    from: 'process',
  },
  outbox_claim_duration_seconds: {
    type: 'histogram',
    help: 'How long the statement of one claim took in the database: without the wait for a connection, with those that failed.',
    labels: [],
    roles: ['relay'],
    from: 'process',
  },
  outbox_started_runs_total: {
    type: 'counter',
    help: 'Runs started in Temporal; eager: the first task came with the answer.',
    labels: ['eager'],
    roles: ['relay'],
    from: 'process',
    values: ['yes', 'no'],
  },
  outbox_start_failures_total: {
    type: 'counter',
    help: 'Starts that failed: refused, or without an answer (refused); refused for what it is (unfit); not sent, since no run could carry the event (invalid).',
    labels: ['kind'],
    roles: ['relay'],
    from: 'process',
    values: ['refused', 'unfit', 'invalid'],
  },
  outbox_overtaken_events_total: {
    type: 'counter',
    help: 'Events whose run had ended before the relay could mark them as started.',
    labels: [],
    roles: ['relay'],
    from: 'process',
  },
  outbox_fenced_writes_total: {
    type: 'counter',
    help: 'Rows that a write left alone, since another run or relay has them by now.',
    labels: ['write'],
    roles: DELIVERY,
    from: 'process',
    values: ['mark', 'release', 'settle', 'dead_letter', 'fall_out'],
  },
  outbox_commit_to_start_seconds: {
    type: 'histogram',
    help: 'From the append of an event to the start of its first run.',
    labels: ['event_type'],
    roles: ['relay'],
    from: 'process',
  },

  // ---- Deliveries ------------------------------------------------------------------------------------------------------
  outbox_delivered_events_total: {
    type: 'counter',
    help: 'Events settled as delivered; also by a relay, for what it heard had its effect.',
    labels: ['event_type'],
    roles: DELIVERY,
    from: 'process',
    values: 'event_types',
  },
  outbox_dead_events_total: {
    type: 'counter',
    help: 'Dead letters written.',
    labels: ['event_type', 'code'],
    roles: DELIVERY,
    from: 'process',
  },
  outbox_failed_attempts_total: {
    type: 'counter',
    help: 'Attempts that failed, by the code of docs/errors.md; a batch counts as one for each post, and one for each event that was refused by itself.',
    labels: ['code'],
    roles: ['worker'],
    from: 'process',
    values: ERROR_CODES,
  },
  outbox_start_to_record_seconds: {
    type: 'histogram',
    help: 'From the start of the run that delivered an event to its receipt being stored.',
    labels: ['event_type'],
    roles: ['worker'],
    from: 'process',
  },
  outbox_commit_to_record_seconds: {
    type: 'histogram',
    help: 'From the append of an event to its receipt being stored, whatever lay between.',
    labels: ['event_type'],
    roles: DELIVERY,
    from: 'process',
  },
  outbox_notices_total: {
    type: 'counter',
    help: 'Tries to tell people, by channel: dead letters (worker) and alerts (relay).',
    labels: ['channel', 'outcome'],
    roles: DELIVERY,
    from: 'process',
  },

  // ---- The audit log's entrance ----------------------------------------------------------------------------------------
  audit_ingest_requests_total: {
    type: 'counter',
    help: 'Requests that send events to the audit log, by the status of the answer; 499: the client went away.',
    labels: ['status'],
    roles: ['api'],
    from: 'process',
  },
  audit_ingest_records_total: {
    type: 'counter',
    help: 'Events of these requests: stored, replayed (they stood already), refused.',
    labels: ['outcome'],
    roles: ['api'],
    from: 'process',
    values: ['stored', 'replayed', 'refused'],
  },
  audit_ingest_duration_seconds: {
    type: 'histogram',
    help: 'How long such a request took, from its first byte to the end of the answer.',
    labels: [],
    roles: ['api'],
    from: 'process',
  },

  // ---- Read from the outbox database -----------------------------------------------------------------------------------
  outbox_appended_events_total: {
    type: 'counter',
    help: 'Events appended since the server began to count (its statistics); what was rolled back counts too.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_oldest_due_age_seconds: {
    type: 'gauge',
    help: 'How long the oldest due event has waited; 0: none is due.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_due_events: {
    type: 'gauge',
    help: 'Due events; of a destination and type at most 10,000 waiting ones are looked at.',
    labels: ['destination', 'event_type'],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_in_flight_runs: {
    type: 'gauge',
    help: 'Events under way to a destination; counted up to 10,000.',
    labels: ['destination'],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_overdue_runs: {
    type: 'gauge',
    help: 'Events under way that are due for more than five minutes: no worker carries them out; of a destination at most 10,000 are looked at.',
    labels: ['destination'],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_destination_state: {
    type: 'gauge',
    help: '1 for the state that a destination is in, 0 for the others; paused: as a whole, by a person.',
    labels: ['destination', 'state'],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_open_dead_letters: {
    type: 'gauge',
    help: 'Open dead letters; of a type and code counted up to 10,000.',
    labels: ['event_type', 'code'],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_oldest_open_dead_letter_age_seconds: {
    type: 'gauge',
    help: 'How long the oldest open dead letter has stood; 0: none is open.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_unbalanced_books: {
    type: 'gauge',
    help: 'Books (each of one hour) that have gaps.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_books_checked_timestamp_seconds: {
    type: 'gauge',
    help: 'When the books of an hour were last looked at; absent: never.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_books_late_seconds: {
    type: 'gauge',
    help: 'How long a look at the books has been due, where that is more than two hours; 0: none is late.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_held_snapshot_seconds: {
    type: 'gauge',
    help: 'The age of the oldest transaction that keeps old rows of the outbox database; 0: none. Absent: one may not be looked at.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_held_snapshot_transactions: {
    type: 'gauge',
    help: 'How many transactions whatever keeps old rows of the outbox database lies behind (a session, a slot, a standby); 0: nothing does.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_retention_lag_seconds: {
    type: 'gauge',
    help: 'How long the oldest settled event that may leave has been allowed to; 0: none may, or nothing ever leaves. Where the 2,000 oldest are all kept: how long the oldest of them is too old.',
    labels: [],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_table_bytes: {
    type: 'gauge',
    help: 'A table with its indexes and partitions, of the outbox and of the audit log.',
    labels: ['table'],
    roles: OUTBOX,
    from: 'outbox',
  },
  outbox_table_dead_rows: {
    type: 'gauge',
    help: 'Rows of a table that vacuum has still to remove, as the server estimates them.',
    labels: ['table'],
    roles: OUTBOX,
    from: 'outbox',
  },

  // ---- Read from the audit log's database ------------------------------------------------------------------------------
  audit_seal_lag_seconds: {
    type: 'gauge',
    help: 'How long the oldest record that is not sealed has stood; 0: all are.',
    labels: [],
    roles: AUDIT,
    from: 'audit',
  },
  audit_unsealed_records: {
    type: 'gauge',
    help: 'Records that are not sealed; counted up to 10,000.',
    labels: [],
    roles: AUDIT,
    from: 'audit',
  },
  audit_unsigned_seconds: {
    type: 'gauge',
    help: 'How long the oldest record that no checkpoint covers has been sealed; 0: all are covered. Absent: there is no checkpoint.',
    labels: [],
    roles: AUDIT,
    from: 'audit',
  },
  audit_unsigned_records: {
    type: 'gauge',
    help: 'Sealed records beyond the newest checkpoint; below 0: it covers more than the log has. Absent: there is none.',
    labels: [],
    roles: AUDIT,
    from: 'audit',
  },
  audit_verified_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last verification of the whole log ended; absent: never.',
    labels: [],
    roles: AUDIT,
    from: 'audit',
  },
  audit_unverified_seconds: {
    type: 'gauge',
    help: 'Since the last verification of the whole log or, where there was none, since its first record was sealed. Absent: none is.',
    labels: [],
    roles: AUDIT,
    from: 'audit',
  },
  audit_verification_ok: {
    type: 'gauge',
    help: '1: the last verification found the whole log whole, and none of a part since has not; else 0. Absent: there was none.',
    labels: [],
    roles: AUDIT,
    from: 'audit',
  },

  // ---- The process -----------------------------------------------------------------------------------------------------
  outbox_pool_connections: {
    type: 'gauge',
    help: 'Connections of a pool (used, idle), and who waits for one (waiting).',
    labels: ['pool', 'state'],
    roles: OUTBOX,
    from: 'pools',
  },
  outbox_pool_max_connections: {
    type: 'gauge',
    help: 'Connections that a pool opens at most.',
    labels: ['pool'],
    roles: OUTBOX,
    from: 'pools',
  },
  outbox_worker_version_routed: {
    type: 'gauge',
    help: "1: this worker's build gets the runs, or Worker Versioning is off here; 0: it gets none, or a ramp's share alone. Absent: Temporal does not say.",
    labels: [],
    roles: ['worker'],
    from: 'roles',
  },
  outbox_source_up: {
    type: 'gauge',
    help: '1: it answered, and in time; else 0. Absent: nobody has asked it yet.',
    labels: ['source'],
    roles: OUTBOX,
    from: 'scrape',
  },
  outbox_source_part_up: {
    type: 'gauge',
    help: '1: this part of what is read there was read within the last 30 s; else 0. Absent: the source is away.',
    labels: ['source', 'part'],
    roles: OUTBOX,
    from: 'scrape',
  },
  outbox_build_info: {
    type: 'gauge',
    help: '1, for each role of the process.',
    labels: ['version', 'role', 'deployment'],
    roles: OUTBOX,
    from: 'scrape',
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

export function metricOf(name: MetricName): MetricDefinition {
  return METRICS[name];
}
