/**
 * Redrive jobs. A step is one transaction: the job's row, a batch of letters and where the walk stands change together, so
 * a process that dies in the middle has done all of a step or nothing, and whoever takes the duty goes on from there.
 */
import type { DeadLetterFilter } from '../../application/delivery/dead-letters/ports.js';
import type {
  JobState,
  RedriveCount,
  RedriveJob,
  RedriveJobStore,
} from '../../application/delivery/dead-letters/redrive-ports.js';
import type { LeaseHold } from '../../application/delivery/ports.js';
import { isIntegrationError } from '../../domain/delivery/integration-error.js';
import type { JsonObject } from '../../domain/delivery/json.js';
import { redriveLetters } from './dead-letter-actions.js';
import { filterValues, matchesFilter } from './dead-letter-reader.js';
import { leaseHeld } from './lease-store.js';
import { type PgPool, type Query, runStatement, runTransaction } from './pg-pool.js';
import { OWN_EVENT_TYPE, recordOwnEvents } from './record-own-events.js';
import { toStorableText } from './to-storable.js';

const TIMEOUT_MS = 5_000;
/** A text is looked for in every letter of its range. */
const COUNT_TIMEOUT_MS = 25_000;
const STEP_TIMEOUT_MS = 25_000;
/** Of a job whose step failed, so that the others go on meanwhile. */
const PUT_OFF_MS = 10_000;
const BATCH = 200;
/** A letter's created_at comes before its commit; the statement that writes one is given 30 seconds. */
const LATE_MS = 35_000;

export interface RedriveJobStoreOptions {
  /** For tests of crashes. */
  readonly failpoint?: (point: string) => void;
  /** How long after its time a letter may become visible; 0: never later. */
  readonly lateMs?: number;
}

export function createRedriveJobStore(pool: PgPool, options: RedriveJobStoreOptions = {}): RedriveJobStore {
  const { failpoint = () => {}, lateMs = LATE_MS } = options;
  const ask = (name: string, text: string, values: readonly unknown[], timeoutMs = TIMEOUT_MS) =>
    runStatement<JobRow>(pool, { name, text, values, timeoutMs });
  return {
    async count(filter, signal) {
      const statement = { name: 'redrive_job_count', text: COUNT, values: filterValues(filter) };
      const rows = await runStatement<CountRow>(pool, { ...statement, timeoutMs: COUNT_TIMEOUT_MS, signal });
      return toCount(rows);
    },

    async create({ id, filter, rate, cap, expected, actor, reason }, tenantId) {
      const word = [toStorableText(actor), toStorableText(reason)];
      const values = [id, JSON.stringify(filter), rate, cap, expected, ...word, tenantId];
      return runTransaction(pool, { name: 'redrive_job_create', timeoutMs: TIMEOUT_MS }, async (query) => {
        const [row] = await query<JobRow>({ name: 'redrive_job_create', text: CREATE, values });
        const told = { reason: toStorableText(reason), filter: given(filter), rate, cap, expected };
        await appendAudit(query, 'created', row as JobRow, actor, told);
        return toJob(row as JobRow); // an INSERT without conflict clause answers its row or throws
      });
    },

    async list({ tenantId, before, limit }) {
      return (await ask('redrive_job_page', LIST, [tenantId, before, limit])).map(toJob);
    },

    async show(id, tenantId) {
      const [row] = await ask('redrive_job_show', `SELECT j.* FROM outbox.redrive_job j WHERE ${OWN}`, [id, tenantId]);
      return row === undefined ? null : toJob(row);
    },

    async cancel(id, tenantId, actor) {
      await runTransaction(pool, { name: 'redrive_job_cancel', timeoutMs: TIMEOUT_MS }, async (query) => {
        const values = [id, tenantId, toStorableText(actor)];
        const [row] = await query<JobRow>({ name: 'redrive_job_cancel', text: CANCEL, values });
        if (row !== undefined) await appendAudit(query, 'cancelled', row, actor, { redriven: row.redriven });
      });
      return this.show(id, tenantId);
    },

    async step(hold) {
      let taken: string | undefined;
      try {
        const deadline = { name: 'redrive_job_step', timeoutMs: STEP_TIMEOUT_MS };
        const step = await runTransaction(pool, deadline, async (query) => {
          const [job] = await query<TakenRow>({
            name: 'redrive_job_take',
            text: TAKE,
            values: [hold.name, hold.holder],
          });
          if (job === undefined) return { kind: 'idle' } as const;
          if (job.wait_ms > 0) return { kind: 'wait', ms: job.wait_ms } as const;
          taken = job.id;
          const stepped = await stepJob(query, job, lateMs);
          failpoint('redrive-before-commit');
          return { kind: 'stepped', job: stepped } as const;
        });
        if (step.kind === 'stepped') failpoint('redrive-after-commit');
        return step;
      } catch (error) {
        if (taken !== undefined) await putOff(pool, hold, taken, error);
        throw error;
      }
    },
  };
}

/**
 * A letter that was being written when the job was made is one of its set, and may become visible behind the walk. So once
 * the walk is through it goes back once, when whatever was under way then has been committed or given up.
 */
async function stepJob(query: Query, job: TakenRow, lateMs: number): Promise<RedriveJob> {
  const left = job.cap === null ? BATCH : job.cap - job.redriven;
  const size = Math.min(BATCH, job.rate, left);
  const values = [...filterValues(job.filter), job.created_at_text, job.cursor_at_text, job.cursor_id, size];
  const batch = await query<{ id: string; event_id: string; at: string }>({
    name: 'redrive_job_batch',
    text: NEXT_BATCH,
    values,
  });
  const letters = batch.map(({ id, event_id: eventId }) => ({ id, eventId, revisions: 0 }));
  const redriven = letters.length === 0 ? [] : await redriveLetters(query, letters, job, { jobId: job.id });
  const last = batch.at(-1);
  const capped = job.redriven + redriven.length === job.cap;
  const goesBack = batch.length < size && !capped && !job.late_walk && lateMs > 0;
  const ended = (batch.length < size || capped) && !goesBack;
  const changed = [
    job.id,
    redriven.length,
    // What the walk could not move the first time is not counted again.
    job.late_walk ? 0 : batch.length - redriven.length,
    last?.at ?? job.cursor_at_text,
    last?.id ?? job.cursor_id,
    Math.ceil((batch.length / job.rate) * 1_000),
    ended,
    goesBack,
    lateMs,
  ];
  const [row] = await query<JobRow>({ name: 'redrive_job_book', text: BOOK, values: changed });
  return toJob(row as JobRow); // its row is locked by this transaction
}

/** As its batches are: not where it names our own letters only. */
async function appendAudit(
  query: Query,
  verb: 'created' | 'cancelled',
  { id, tenant, filter }: JobRow,
  actor: string,
  payload: JsonObject,
): Promise<void> {
  if (filter.eventType === OWN_EVENT_TYPE) return;
  const aggregate = { type: 'redrive_job', id };
  await recordOwnEvents(query, actor, [
    { eventName: `outbox.redrive_job.${verb}.v1`, tenantId: tenant ?? '', aggregate, payload },
  ]);
}

/** What the filter asks for. Its text is looked for in what is stored redacted. */
function given(filter: DeadLetterFilter): JsonObject {
  const entries = Object.entries(filter).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name, toStorableText(value)]));
}

/** What failed may fail each time: the other jobs go on, and this one tells why it does not. */
async function putOff(pool: PgPool, hold: LeaseHold, id: string, error: unknown): Promise<void> {
  const cause = isIntegrationError(error) ? error.cause : error;
  const { name = 'Error', code = '' } = (cause ?? {}) as { name?: string; code?: string };
  const values = [id, PUT_OFF_MS, `${name} ${code}`.trim().slice(0, 200), hold.name, hold.holder];
  await runStatement(pool, { name: 'redrive_job_put_off', text: PUT_OFF, values, timeoutMs: TIMEOUT_MS }).catch(
    () => undefined, // the step's own error is thrown by the caller
  );
}

/** The parameters $1 to $8 are the filter's. */
const OPEN = `l.state = 'open' AND ${matchesFilter(1)}`;
const EDITED = 'EXISTS (SELECT FROM outbox.event_revision r WHERE r.event_id = l.event_id)';

const COUNT = `
SELECT c.destination, c.event_type, c.code, count(*) FILTER (WHERE NOT c.edited)::int AS count,
  count(*) FILTER (WHERE c.edited)::int AS edited
-- OFFSET 0: whether a letter was edited is asked once.
FROM (SELECT l.destination, l.event_type, l.code, ${EDITED} AS edited FROM outbox.dead_letter l WHERE ${OPEN} OFFSET 0) c
GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3`;

const CREATE = `
INSERT INTO outbox.redrive_job (id, filter, rate, cap, expected, actor, reason, tenant)
VALUES ($1::uuid, $2::jsonb, $3::int, $4::int, $5::int, $6::text, $7::text, $8::text) RETURNING *`;

/** $1 id, $2 tenant: what an operator made for it is not its own. */
const OWN = `j.id = $1::uuid AND ($2::text IS NULL OR j.tenant = $2)`;

/** $1 tenant, $2 the last id of the page before, $3 how many. */
const LIST = `
SELECT j.* FROM outbox.redrive_job j
WHERE ($1::text IS NULL OR j.tenant = $1) AND (j.created_at, j.id) < (
  coalesce((SELECT b.created_at FROM outbox.redrive_job b WHERE b.id = $2::uuid), 'infinity'),
  coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
ORDER BY j.created_at DESC, j.id DESC LIMIT $3::int`;

const CANCEL = `
UPDATE outbox.redrive_job j SET state = 'cancelled', ended_at = clock_timestamp(), ended_by = $3::text
WHERE ${OWN} AND j.state = 'running' RETURNING j.*`;

/** $1 lease, $2 holder. SKIP LOCKED: a step that is given up by its deadline may still hold its row for a moment. */
const TAKE = `
SELECT j.*, j.created_at::text AS created_at_text, j.cursor_at::text AS cursor_at_text,
  ceil(extract(epoch FROM j.next_at - statement_timestamp()) * 1000)::float8 AS wait_ms
FROM outbox.redrive_job j
WHERE j.state = 'running' AND ${leaseHeld('$1', '$2')}
ORDER BY j.next_at LIMIT 1 FOR UPDATE SKIP LOCKED`;

/** $9 when the job was made, $10 and $11 where the walk stands, $12 how many. Times as text: a Date has no microseconds. */
const NEXT_BATCH = `
SELECT l.id, l.event_id, l.created_at::text AS at FROM outbox.dead_letter l
WHERE ${OPEN} AND l.created_at < $9::timestamptz
  AND (l.created_at, l.id) > (coalesce($10::timestamptz, '-infinity'), coalesce($11::uuid, '00000000-0000-0000-0000-000000000000'))
  AND NOT ${EDITED}
ORDER BY l.created_at, l.id LIMIT $12::int`;

/**
 * $1 job, $2 redriven, $3 skipped, $4 and $5 where the walk stands, $6 ms to the next step, $7 whether that was all, $8
 * whether it goes back, $9 how far, ms.
 */
const BOOK = `
UPDATE outbox.redrive_job
SET redriven = redriven + $2::int, skipped = skipped + $3::int, late_walk = late_walk OR $8::boolean,
  cursor_at = CASE WHEN $8::boolean THEN created_at - $9::int * interval '1 millisecond' ELSE $4::timestamptz END,
  cursor_id = CASE WHEN NOT $8::boolean THEN $5::uuid END,
  next_at = greatest(statement_timestamp() + $6::int * interval '1 millisecond',
    CASE WHEN $8::boolean THEN created_at + $9::int * interval '1 millisecond' END), error = NULL,
  state = CASE WHEN $7::boolean THEN 'done' ELSE state END, ended_at = CASE WHEN $7::boolean THEN clock_timestamp() END
WHERE id = $1::uuid RETURNING *`;

/** $1 job, $2 for how long, $3 why, $4 lease, $5 holder. */
const PUT_OFF = `
UPDATE outbox.redrive_job SET next_at = statement_timestamp() + $2::int * interval '1 millisecond', error = $3::text
WHERE id = $1::uuid AND state = 'running' AND ${leaseHeld('$4', '$5')}`;

interface JobRow {
  readonly id: string;
  readonly filter: DeadLetterFilter;
  readonly tenant: string | null;
  readonly rate: number;
  readonly cap: number | null;
  readonly expected: number;
  readonly state: JobState;
  readonly redriven: number;
  readonly skipped: number;
  readonly error: string | null;
  readonly actor: string;
  readonly reason: string;
  readonly created_at: Date;
  readonly ended_at: Date | null;
  readonly ended_by: string | null;
  readonly next_at: Date;
  readonly late_walk: boolean;
}

interface TakenRow extends JobRow {
  readonly created_at_text: string;
  readonly cursor_at_text: string | null;
  readonly cursor_id: string | null;
  readonly wait_ms: number;
}

function toJob(row: JobRow): RedriveJob {
  const { id, filter, rate, cap, expected, state, redriven, skipped, error, actor, reason } = row;
  const times = {
    createdAt: row.created_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endedBy: row.ended_by,
    looksAgainAt: state === 'running' && row.late_walk ? row.next_at.toISOString() : null,
  };
  return { id, filter, rate, cap, expected, state, redriven, skipped, error, actor, reason, ...times };
}

interface CountRow {
  readonly destination: string;
  readonly event_type: string;
  readonly code: string;
  readonly count: number;
  readonly edited: number;
}

const MOST_GROUPS = 20;

function toCount(rows: readonly CountRow[]): RedriveCount {
  const sum = (field: 'count' | 'edited') => rows.reduce((total, row) => total + row[field], 0);
  const groups = rows
    .filter(({ count }) => count > 0)
    .slice(0, MOST_GROUPS)
    .map(({ destination, event_type: eventType, code, count }) => ({ destination, eventType, code, count }));
  return { count: sum('count'), edited: sum('edited'), groups };
}
