/**
 * What each role of PostgreSQL may do, table by table: no more than its statements need, which a test runs as these roles.
 * What is not here is refused. Tables, columns and functions that a database does not have are left out when they are
 * granted (`grants.ts`), so that an older one, or one without the log's tables, can be granted too.
 */

export const RIGHT_HOLDERS = ['producer', 'relay', 'worker', 'api', 'viewer'] as const;
export type RightHolder = (typeof RIGHT_HOLDERS)[number];

export type Target = 'outbox' | 'audit';

/** A privilege on a table, or on some columns of it: those named, or all but those named. */
export type Right =
  | string
  | { readonly may: string; readonly columns: readonly string[] }
  | { readonly may: string; readonly allBut: readonly string[] };

export interface Rights {
  readonly tables: Readonly<Record<string, readonly Right[]>>;
  readonly sequences?: readonly string[];
  /** By name, with whatever arguments; `*`: every one in the schema. */
  readonly functions?: '*' | readonly string[];
}

const READ = ['SELECT'] as const;
const APPEND = ['SELECT', 'INSERT'] as const;
const WRITE = ['SELECT', 'INSERT', 'UPDATE'] as const;
const CHANGE = ['SELECT', 'UPDATE'] as const;

/** The name stays for ever (R1). */
const KEEP_NAMESPACE = ['SELECT', { may: 'UPDATE', columns: ['namespace_id', 'adopting_before'] }] as const;

const OUTBOX: Readonly<Partial<Record<RightHolder, Rights>>> = {
  // Appending is all: `recordEvent`, and the SQL functions behind it, which run as whoever calls them.
  producer: {
    tables: { event: ['INSERT'], delivery: ['INSERT'], deployment: READ, event_type: READ },
    functions: '*',
  },
  relay: {
    tables: {
      // A redrive is an event of its own. What was settled long ago is removed (retention).
      event: [...APPEND, 'DELETE'],
      delivery: [...WRITE, 'DELETE'],
      delivery_attempt: [...WRITE, 'DELETE'],
      dead_letter: [...WRITE, 'DELETE'],
      event_revision: [...READ, 'DELETE'],
      redrive_job: [...CHANGE, 'DELETE'],
      destination: CHANGE,
      outage: READ,
      pause: READ,
      notification: [...WRITE, 'DELETE'],
      alert: [...WRITE, 'DELETE'],
      policy: APPEND,
      event_type: READ,
      deployment: KEEP_NAMESPACE,
      lease: WRITE,
      book: WRITE,
      book_check: WRITE,
      figure: [...WRITE, 'DELETE'],
      process: [...WRITE, 'DELETE'],
    },
    functions: '*',
  },
  worker: {
    tables: {
      event: READ,
      delivery: CHANGE,
      delivery_attempt: [...WRITE, 'DELETE'],
      dead_letter: WRITE,
      event_revision: READ,
      destination: WRITE,
      outage: WRITE,
      pause: READ,
      notification: WRITE,
      alert: WRITE,
      policy: APPEND,
      event_type: READ,
      deployment: KEEP_NAMESPACE,
      lease: WRITE,
      // How the books stand, for /metrics.
      book_check: READ,
      // Its own row, when it stops.
      process: [...WRITE, 'DELETE'],
    },
    functions: '*',
  },
  // OUTBOX_OPS=on: what operators see and do.
  api: {
    tables: {
      event: APPEND,
      delivery: WRITE,
      delivery_attempt: CHANGE,
      dead_letter: CHANGE,
      event_revision: APPEND,
      redrive_job: WRITE,
      destination: READ,
      outage: READ,
      pause: [...WRITE, 'DELETE'],
      policy: READ,
      event_type: READ,
      deployment: READ,
      book: READ,
      // Hours to be looked at anew.
      book_check: ['SELECT', { may: 'UPDATE', columns: ['again_at', 'whole_at'] }],
      alert: READ,
      figure: READ,
      process: READ,
    },
    functions: '*',
  },
  // Not what the events say, nor the hash by which a guess at it could be tested.
  viewer: {
    tables: {
      event: [{ may: 'SELECT', allBut: ['payload', 'headers', 'content_hash'] }],
      delivery: READ,
      delivery_attempt: READ,
      dead_letter: READ,
      event_revision: [{ may: 'SELECT', allBut: ['payload', 'content_hash'] }],
      redrive_job: READ,
      destination: READ,
      outage: READ,
      pause: READ,
      notification: READ,
      alert: READ,
      policy: READ,
      event_type: READ,
      deployment: READ,
      lease: READ,
      book: READ,
      book_check: READ,
      figure: READ,
      process: READ,
    },
  },
};

const LOG_TABLES = ['seal', 'tile', 'checkpoint', 'note', 'epoch', 'lease'];
const each = (tables: readonly string[], rights: readonly Right[]) =>
  Object.fromEntries(tables.map((table) => [table, rights]));

const AUDIT: Readonly<Partial<Record<RightHolder, Rights>>> = {
  // Records are written and read, never changed. Where a record stands in the order of the log is the database's to say;
  // who may come in is the owner's.
  api: {
    tables: {
      record: ['SELECT', { may: 'INSERT', allBut: ['tx_id', 'seq', 'erased_at'] }],
      record_key: APPEND,
      fingerprint_key: APPEND,
      failed_ingest: [
        ...APPEND,
        {
          may: 'UPDATE',
          columns: ['tries', 'last_at', 'code', 'message', 'state', 'state_at', 'actor', 'reason'],
        },
      ],
      api_key: ['SELECT', { may: 'UPDATE', columns: ['last_used_at'] }],
      operator: READ,
      session_end: [...APPEND, 'DELETE'],
      // It asks. What was found is the worker's to say.
      verification: ['SELECT', { may: 'INSERT', columns: ['id', 'record_id', 'asked_by'] }],
      ...each(LOG_TABLES, READ),
    },
    sequences: ['record_seq'],
    // `target_keys`: what an index of the records is over.
    functions: ['ensure_partitions', 'follow_cluster', 'current_epoch', 'target_keys'],
  },
  // The sealer and retention.
  worker: {
    tables: {
      record: READ,
      record_key: READ,
      ...each(LOG_TABLES, READ),
      ...each(['seal', 'tile', 'checkpoint'], APPEND),
      lease: [...WRITE, 'DELETE'],
      verification: [...WRITE, 'DELETE'],
    },
    functions: ['follow_cluster', 'current_epoch', 'drop_partition'],
  },
  // No hash of a key, no secret, nothing of what could not be stored but why.
  viewer: {
    tables: {
      record: READ,
      record_key: READ,
      failed_ingest: [{ may: 'SELECT', allBut: ['body'] }],
      api_key: [{ may: 'SELECT', allBut: ['key_hash', 'signing_secret', 'old_signing_secret'] }],
      operator: [{ may: 'SELECT', allBut: ['password_hash'] }],
      verification: READ,
      ...each(LOG_TABLES, READ),
    },
    functions: ['target_keys'],
  },
};

export const RIGHTS: Readonly<Record<Target, Readonly<Partial<Record<RightHolder, Rights>>>>> = {
  outbox: OUTBOX,
  audit: AUDIT,
};
