/** R18: what is asked about effects that may stand, and the letters that are asked about again. */
import type { DueAsk, EffectStore } from '../../application/delivery/ports.js';
import { catalogEntry, ERROR_CODES } from '../../domain/delivery/error-catalog.js';
import { LOAD_EVENT } from './attempt-statements.js';
import { type EventRow, readEvent } from './attempt-store.js';
import { leaseHeld } from './lease-store.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/** After an attempt with one of these the effect may stand. */
const DOUBTFUL_CODES = ERROR_CODES.filter((code) => catalogEntry(code).effect === 'unknown');

export function createEffectStore(pool: PgPool): EffectStore {
  return {
    async loadDoubtful({ eventId, epoch, carrier }, state, timeoutMs) {
      const [row] = await runStatement<EventRow & { in_doubt: boolean; may_ask: boolean }>(pool, {
        name: 'effect_load',
        text: LOAD_DOUBTFUL,
        values: [eventId, epoch, DOUBTFUL_CODES],
        timeoutMs,
      });
      if (row === undefined || row.delivery_epoch !== epoch) return null;
      const open = (row.status === 'PENDING' || row.status === 'STARTED') && row.carrier === carrier;
      if (state === 'open' ? !open : row.status !== 'DEAD') return null;
      return { event: readEvent(row), doubtful: row.in_doubt, mayAsk: row.may_ask };
    },

    async findDueAsks(hold, limit) {
      const values = [hold.name, hold.holder, limit];
      const statement = { name: 'effect_due_asks', text: DUE_ASKS, values, timeoutMs: TIMEOUT_MS };
      const rows = await runStatement<AskRow>(pool, statement);
      return rows.map(
        // A dead event has no carrier that could matter: letters are settled by event and epoch (R16).
        ({ id, event_id, epoch, asked }): DueAsk => ({
          letterId: id,
          run: { eventId: event_id, epoch, carrier: null },
          asked,
        }),
      );
    },

    async bookAsk(hold, { letterId, asked }, nextMs) {
      const values = [hold.name, hold.holder, letterId, asked, nextMs];
      await runStatement(pool, { name: 'effect_book_ask', text: BOOK_ASK, values, timeoutMs: TIMEOUT_MS });
    },
  };
}

interface AskRow {
  readonly id: string;
  readonly event_id: string;
  readonly epoch: number;
  readonly asked: number;
}

/** $1 event, $2 epoch, $3 codes after which an effect may stand. An attempt without a code is under way, or
 * its receipt came too late. */
const LOAD_DOUBTFUL = `
WITH ev AS MATERIALIZED (${LOAD_EVENT})
SELECT ev.*,
  ev.doubtful OR EXISTS (SELECT FROM outbox.delivery_attempt a WHERE a.event_id = $1::uuid
    AND (a.code = ANY ($3::text[]) OR a.code IS NULL)) AS in_doubt,
  coalesce((SELECT c.breaker = 'closed' FROM outbox.destination c WHERE c.name = ev.routing_key), true) AS may_ask
FROM ev`;

/** $1 lease, $2 holder, $3 limit. A sick destination is not asked, and that is not counted. */
const DUE_ASKS = `
SELECT l.id, l.event_id, l.epoch, l.effect_asked AS asked
FROM outbox.dead_letter l
LEFT JOIN outbox.destination c ON c.name = l.destination
WHERE l.state = 'open' AND l.effect = 'unknown' AND l.effect_ask_at <= statement_timestamp()
  AND coalesce(c.breaker, 'closed') = 'closed' AND ${leaseHeld('$1', '$2')}
ORDER BY l.effect_ask_at LIMIT $3::integer`;

/** $1 lease, $2 holder, $3 letter, $4 how often it had been asked, $5 the next one's ms after the letter, or NULL. */
const BOOK_ASK = `
UPDATE outbox.dead_letter
SET effect_asked = effect_asked + 1,
  -- Not greatest() alone, which passes over NULL.
  effect_ask_at = CASE WHEN $5::bigint IS NOT NULL
    THEN greatest(statement_timestamp(), created_at + $5::bigint * interval '1 millisecond') END
WHERE id = $3::uuid AND state = 'open' AND effect_asked = $4::integer AND ${leaseHeld('$1', '$2')}`;
