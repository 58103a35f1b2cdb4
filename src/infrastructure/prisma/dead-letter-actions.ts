/** Redrive (R2), edit and discard: one transaction each, which first locks the delivery rows in the order of their events. */
import pg from 'pg';
import type { DeadLetterState } from '../../application/delivery/dead-letters/ports.js';
import type {
  ActedLetter,
  DeadLetterActions,
  FoundLetter,
  PersonsWord,
} from '../../application/delivery/dead-letters/redrive-ports.js';
import type { JsonObject } from '../../domain/delivery/json.js';
import { LOAD_EVENT } from './attempt-statements.js';
import { type EventRow, readEvent } from './attempt-store.js';
import { type PgPool, type Query, runStatement, runTransaction } from './pg-pool.js';
import { OWN_EVENT_TYPE, type OwnEvent, recordOwnEvents } from './record-own-events.js';
import { toStorableText } from './to-storable.js';

const TIMEOUT_MS = 10_000;

export function createDeadLetterActions(pool: PgPool): DeadLetterActions {
  return {
    async find(ids, tenantId) {
      const values = [ids, tenantId];
      const rows = await runStatement<FoundRow>(pool, {
        name: 'dead_letter_find',
        text: FIND,
        values,
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map(toFound);
    },

    redrive: (letters, word) =>
      runTransaction(pool, { name: 'dead_letter_redrive', timeoutMs: TIMEOUT_MS }, (query) =>
        redriveLetters(query, letters, word),
      ),

    discard: (letters, word) =>
      runTransaction(pool, { name: 'dead_letter_discard', timeoutMs: TIMEOUT_MS }, async (query) => {
        await lockDeliveries(query, letters);
        const values = [letters.map(({ id }) => id), ...wordValues(word)];
        const acted = await query<ActedRow>({ name: 'dead_letter_discard', text: DISCARD, values });
        await appendAudit(query, 'discarded', acted, word);
        return acted.map(toActed);
      }),

    async loadEvent({ eventId, epoch }) {
      const statement = { name: 'dead_letter_event', text: LOAD_EVENT, values: [eventId, epoch + 1] };
      const [row] = await runStatement<EventRow>(pool, { ...statement, timeoutMs: TIMEOUT_MS });
      return row === undefined ? null : { event: readEvent(row), payload: row.payload };
    },

    async revise(edit, word) {
      try {
        return await runTransaction(pool, { name: 'dead_letter_revise', timeoutMs: TIMEOUT_MS }, async (query) => {
          await lockDeliveries(query, [edit]);
          const values = [edit.id, edit.revisions, edit.payload];
          const [fit] = await query<{ problem: string | null }>({ name: 'dead_letter_fits', text: FITS, values });
          if (fit === undefined) return { kind: 'moved' } as const;
          if (fit.problem !== null) return { kind: 'invalid', message: fit.problem } as const;
          if (edit.dryRun) return { kind: 'fits' } as const;
          const inserted = [edit.id, edit.payload, ...wordValues(word)];
          const acted = await query<ActedRow>({ name: 'dead_letter_revise', text: REVISE, values: inserted });
          await appendAudit(query, 'edited', acted, word, { pointers: [...edit.pointers] });
          return { kind: 'revised', revision: edit.revisions + 1 } as const;
        });
      } catch (error) {
        // Data that the database cannot hold (class 22): U+0000, half a surrogate. Its message may quote them.
        if (!(error instanceof pg.DatabaseError) || !error.code?.startsWith('22')) throw error;
        return { kind: 'invalid', message: 'payload: expected JSON without U+0000 and lone surrogates' };
      }
    },
  };
}

/** Within the caller's transaction: those that are open still. `by`: the job that acts. */
export async function redriveLetters(
  query: Query,
  letters: readonly { readonly id: string; readonly eventId: string; readonly revisions: number }[],
  word: PersonsWord,
  by: { readonly jobId: string } | null = null,
): Promise<ActedLetter[]> {
  await lockDeliveries(query, letters);
  const values = [letters.map(({ id }) => id), letters.map(({ revisions }) => revisions), ...wordValues(word)];
  const acted = await query<ActedRow>({ name: 'dead_letter_redrive', text: REDRIVE, values });
  await appendAudit(query, 'redriven', acted, word, by);
  return acted.map(toActed);
}

/** A statement of its own: the next one's snapshot then sees what those waited for have done. */
export async function lockDeliveries(query: Query, letters: readonly { readonly eventId: string }[]): Promise<void> {
  const values = [letters.map(({ eventId }) => eventId)];
  await query({ name: 'dead_letter_lock', text: LOCK, values });
}

interface ActedRow {
  readonly id: string;
  readonly event_id: string;
  readonly epoch: number;
  readonly tenant: string;
  readonly event_type: string;
  readonly code: string;
}

/** One event for each tenant, since nobody reads another tenant's ids in the audit log. */
async function appendAudit(
  query: Query,
  verb: 'redriven' | 'discarded' | 'edited',
  acted: readonly ActedRow[],
  { actor, reason }: PersonsWord,
  more: JsonObject | null = null,
): Promise<void> {
  const told = acted.filter(({ event_type }) => event_type !== OWN_EVENT_TYPE);
  const events = [...Map.groupBy(told, ({ tenant }) => tenant)].map(([tenantId, rows]): OwnEvent => {
    const [only, ...others] = rows;
    const one = only !== undefined && others.length === 0;
    return {
      eventName: `outbox.dead_letter.${verb}.v1`,
      tenantId,
      aggregate: one ? { type: 'dead_letter', id: only.id } : { type: 'dead_letters', id: `${rows.length}` },
      payload: {
        reason: toStorableText(reason),
        letters: rows.map(({ id, event_id: eventId, epoch, code }) => ({ id, eventId, epoch, code })),
        ...more,
      },
    };
  });
  await recordOwnEvents(query, actor, events);
}

export function wordValues({ actor, reason }: PersonsWord): [string, string] {
  return [toStorableText(actor), toStorableText(reason)];
}

/** $1 letters or events, $2 tenant or NULL for any. A row for each, in their order. */
const FIND = `
SELECT l.id, coalesce(l.event_id, d.event_id) AS event_id, l.epoch, l.state, l.state_actor, l.state_at, d.status,
  (SELECT count(*)::int FROM outbox.event_revision r WHERE r.event_id = l.event_id) AS revisions,
  (SELECT r.actor FROM outbox.event_revision r WHERE r.event_id = l.event_id ORDER BY r.epoch DESC, r.seq DESC LIMIT 1) AS edited_by
FROM unnest($1::uuid[]) WITH ORDINALITY AS m(asked, position)
LEFT JOIN LATERAL (
  SELECT * FROM outbox.dead_letter
  WHERE (id = m.asked OR event_id = m.asked) AND ($2::text IS NULL OR tenant = $2)
  ORDER BY id = m.asked DESC, epoch DESC LIMIT 1
) l ON true
LEFT JOIN outbox.delivery d ON d.event_id = m.asked AND ($2::text IS NULL OR d.tenant = $2)
ORDER BY m.position`;

/** $1 events. Locks are taken in the sorted order: the sort stands below them. */
const LOCK = 'SELECT FROM outbox.delivery WHERE event_id = ANY ($1::uuid[]) ORDER BY event_id FOR UPDATE';

/**
 * $1 letters, $2 how often the payload of each was edited, as the caller knows, $3 actor, $4 reason. No policy: a new
 * budget is that of the policy in force when the relay claims the row.
 */
const REDRIVE = `
WITH redriven AS (
  UPDATE outbox.delivery d
  SET status = 'PENDING', epoch = d.epoch + 1, budget_epoch = d.epoch + 1, policy_hash = NULL, lease_token = NULL,
    carrier = NULL, due_at = clock_timestamp(), started_at = NULL, settled_at = NULL, start_tries = 0, redispatches = 0, waited_ms = 0,
    no_coalesce = false
  FROM unnest($1::uuid[], $2::int[]) AS m(id, revisions) JOIN outbox.dead_letter l ON l.id = m.id
  WHERE d.event_id = l.event_id AND d.epoch = l.epoch AND d.status = 'DEAD' AND l.state = 'open'
    AND (SELECT count(*) FROM outbox.event_revision r WHERE r.event_id = l.event_id) = m.revisions
  RETURNING l.id, d.event_id, d.epoch, d.tenant, d.event_type, l.code
), letter AS (
  UPDATE outbox.dead_letter l
  SET state = 'redriven', state_at = clock_timestamp(), state_actor = $3::text, state_reason = $4::text
  FROM redriven r WHERE l.id = r.id
)
SELECT * FROM redriven ORDER BY id`;

/** $1 letters, $2 actor, $3 reason. */
const DISCARD = `
WITH discarded AS (
  UPDATE outbox.delivery d SET status = 'DISCARDED', settled_at = clock_timestamp()
  FROM outbox.dead_letter l
  WHERE l.id = ANY ($1::uuid[]) AND d.event_id = l.event_id AND d.epoch = l.epoch AND d.status = 'DEAD' AND l.state = 'open'
  RETURNING l.id, d.event_id, d.epoch, d.tenant, d.event_type, l.code
), letter AS (
  UPDATE outbox.dead_letter l
  SET state = 'discarded', state_at = clock_timestamp(), state_actor = $2::text, state_reason = $3::text
  FROM discarded r WHERE l.id = r.id
)
SELECT * FROM discarded ORDER BY id`;

/** $1 letter, $2 how often the payload was edited, as the caller knows, $3 the payload. No row: it moved meanwhile. */
const FITS = `
SELECT outbox.event_problem(jsonb_build_object('eventName', e.event_name, 'eventType', e.event_type,
  'aggregate', jsonb_build_object('type', e.aggregate_type, 'id', e.aggregate_id), 'payload', $3::jsonb)) AS problem
FROM outbox.dead_letter l
JOIN outbox.delivery d ON d.event_id = l.event_id AND d.epoch = l.epoch AND d.status = 'DEAD'
JOIN outbox.event e ON e.id = l.event_id
WHERE l.id = $1::uuid AND l.state = 'open'
  AND (SELECT count(*) FROM outbox.event_revision r WHERE r.event_id = l.event_id) = $2::int`;

/** $1 letter, $2 payload, $3 actor, $4 reason. Applies from the epoch that the letter's redrive begins. */
const REVISE = `
INSERT INTO outbox.event_revision AS r (event_id, epoch, seq, payload, content_hash, actor, reason)
SELECT l.event_id, l.epoch + 1,
  1 + coalesce((SELECT max(o.seq) FROM outbox.event_revision o WHERE o.event_id = l.event_id AND o.epoch = l.epoch + 1), 0),
  $2::jsonb,
  outbox.content_hash(e.event_name, e.event_type, e.routing_key, e.aggregate_type, e.aggregate_id, e.aggregate_version,
    e.tenant_id, e.occurred_at, $2::jsonb),
  $3::text, $4::text
FROM outbox.dead_letter l JOIN outbox.event e ON e.id = l.event_id WHERE l.id = $1::uuid
RETURNING $1::uuid AS id, r.event_id, r.epoch,
  (SELECT l.tenant FROM outbox.dead_letter l WHERE l.id = $1::uuid) AS tenant,
  (SELECT l.event_type FROM outbox.dead_letter l WHERE l.id = $1::uuid) AS event_type,
  (SELECT l.code FROM outbox.dead_letter l WHERE l.id = $1::uuid) AS code`;

interface FoundRow {
  readonly id: string | null;
  readonly event_id: string | null;
  readonly epoch: number | null;
  readonly state: DeadLetterState | null;
  readonly state_actor: string | null;
  readonly state_at: Date | null;
  readonly status: string | null;
  readonly revisions: number;
  readonly edited_by: string | null;
}

function toFound(row: FoundRow): FoundLetter {
  const { id, event_id: eventId, epoch, state, status, revisions, edited_by: editedBy } = row;
  if (id === null || eventId === null || epoch === null || state === null) {
    return status === null ? { kind: 'missing' } : { kind: 'no-letter', status };
  }
  const at = row.state_at?.toISOString() ?? null;
  return { kind: 'letter', id, eventId, epoch, state, actor: row.state_actor, at, revisions, editedBy };
}

function toActed({ id, event_id: eventId, epoch }: ActedRow): ActedLetter {
  return { id, eventId, epoch };
}
