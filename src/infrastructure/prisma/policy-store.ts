import type { PolicyHashes } from '../../application/delivery/ports.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 30_000;
const PAGE = 500;

export interface OpenPolicies {
  readonly eventType: string;
  /** null: waiting, and given one by the claim that takes it. */
  readonly hash: string | null;
  readonly open: number;
}

export interface AppliedPolicies {
  /** Re-pointed rows. */
  readonly changed: number;
  /** Rows that somebody held in both passes: they keep theirs until the next `apply`. */
  readonly held: number;
}

/** Which policies open deliveries have, and pointing them to others. */
export function createPolicyStore(pool: PgPool) {
  return {
    async listOpen(): Promise<OpenPolicies[]> {
      const rows = await runStatement<{ event_type: string; policy_hash: string | null; open: number }>(pool, {
        name: 'policy_list_open',
        text: LIST_OPEN,
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map(({ event_type, policy_hash, open }) => ({ eventType: event_type, hash: policy_hash, open }));
    },

    /**
     * Points every open delivery (of one event type, or null: of all) that was given a policy to the one that `policies`
     * names. Runs that are under way read it at their next attempt. Page by page, each a transaction of its own: ended in
     * between it is half done, and done again it does the rest. Rows that a relay or an activity is writing are passed
     * by and tried once more at the end.
     */
    async applyToOpen(
      policies: PolicyHashes,
      eventType: string | null,
      onPage: (changed: number) => void = () => {},
    ): Promise<AppliedPolicies> {
      let changed = 0;
      let held = 0;
      for (let pass = 1; pass <= 2; pass += 1) {
        held = 0;
        for (let after: string | null = ZERO; after !== null; ) {
          const [page]: ApplyRow[] = await runStatement<ApplyRow>(pool, {
            name: 'policy_apply_to_open',
            text: APPLY_TO_OPEN,
            values: [after, PAGE, JSON.stringify(policies), eventType],
            timeoutMs: TIMEOUT_MS,
          });
          changed += page?.changed ?? 0;
          held += (page?.wanted ?? 0) - (page?.changed ?? 0);
          after = page?.last ?? null;
          onPage(changed);
        }
        if (held === 0) break;
      }
      return { changed, held };
    },
  };
}

const ZERO = '00000000-0000-0000-0000-000000000000';

interface ApplyRow {
  last: string | null;
  wanted: number;
  changed: number;
}

const LIST_OPEN = `
SELECT event_type, policy_hash, count(*)::integer AS open
FROM outbox.delivery WHERE status IN ('PENDING', 'STARTED')
GROUP BY event_type, policy_hash ORDER BY event_type, policy_hash NULLS FIRST`;

/** $1 after this event, $2 rows looked at, $3 policy hashes, $4 event type or NULL. */
const APPLY_TO_OPEN = `
WITH page AS MATERIALIZED (
  SELECT d.event_id, coalesce($3::jsonb->'byType'->>d.event_type, $3::jsonb->>'otherwise') AS hash,
    d.policy_hash AS before, d.event_type
  FROM outbox.delivery d
  WHERE d.event_id > $1::uuid AND d.status IN ('PENDING', 'STARTED')
  ORDER BY d.event_id LIMIT $2::integer
), wanted AS MATERIALIZED (
  SELECT event_id, hash FROM page
  WHERE before IS NOT NULL AND before <> hash AND ($4::text IS NULL OR event_type = $4::text)
), free AS MATERIALIZED (
  SELECT d.event_id FROM outbox.delivery d
  WHERE d.event_id = ANY (ARRAY(SELECT event_id FROM wanted)) AND d.status IN ('PENDING', 'STARTED')
  ORDER BY d.event_id FOR UPDATE SKIP LOCKED
), changed AS (
  UPDATE outbox.delivery d SET policy_hash = w.hash
  FROM wanted w WHERE d.event_id = w.event_id AND d.event_id = ANY (ARRAY(SELECT event_id FROM free))
  RETURNING 1
)
SELECT (SELECT event_id FROM page ORDER BY event_id DESC LIMIT 1) AS last,
  (SELECT count(*)::integer FROM wanted) AS wanted, (SELECT count(*)::integer FROM changed) AS changed`;
