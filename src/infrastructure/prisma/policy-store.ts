import type { PolicyHashes } from '../../application/delivery/ports.js';
import { CARRIED, firstKey, type OpenKind, openPage, RUNNING, WAITING, WAITING_ORDERED } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

/** Of one page. */
const TIMEOUT_MS = 10_000;
const PAGE = 500;
const LISTED_AT_ONCE = 10_000;

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
    /** Page by page while deliveries go on: one that moves meanwhile may be counted twice, or not. */
    async listOpen(): Promise<OpenPolicies[]> {
      const found = new Map<string, { eventType: string; hash: string | null; open: number }>();
      for (const [kind, { list, from }] of Object.entries(WALKS)) {
        for (let after: readonly string[] | null = from; after !== null; ) {
          const rows: ListRow[] = await runStatement<ListRow>(pool, {
            name: `policy_list_${kind}`,
            text: list,
            values: [after, LISTED_AT_ONCE],
            timeoutMs: TIMEOUT_MS,
          });
          for (const { event_type: eventType, policy_hash: hash, open } of rows) {
            const key = `${eventType}\n${hash ?? ''}`;
            found.set(key, { eventType, hash, open: open + (found.get(key)?.open ?? 0) });
          }
          after = rows[0]?.last ?? null;
        }
      }
      // Those without one first, as they wait.
      return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, policies]) => policies);
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
        const before = changed;
        held = 0;
        for (const [kind, { apply, from }] of Object.entries(WALKS)) {
          for (let after: readonly string[] | null = from; after !== null; ) {
            const [page]: ApplyRow[] = await runStatement<ApplyRow>(pool, {
              name: `policy_apply_${kind}`,
              text: apply,
              values: [after, PAGE, JSON.stringify(policies), eventType],
              timeoutMs: TIMEOUT_MS,
            });
            changed += page?.changed ?? 0;
            held += (page?.wanted ?? 0) - (page?.changed ?? 0);
            after = page?.last ?? null;
            onPage(changed);
          }
        }
        // A row that went back to an index already walked is met in the second pass.
        if (held === 0 && changed === before) break;
      }
      return { changed, held };
    },
  };
}

interface ListRow {
  event_type: string;
  policy_hash: string | null;
  open: number;
  last: string[];
}

interface ApplyRow {
  last: string[] | null;
  wanted: number;
  changed: number;
}

/** $1 after this row, $2 rows looked at. */
function listOpen(kind: OpenKind): string {
  const { page, last } = openPage(kind);
  return `
WITH page AS MATERIALIZED (${page})
SELECT event_type, policy_hash, count(*)::integer AS open, ${last} AS last FROM page GROUP BY event_type, policy_hash`;
}

/** $1 after this row, $2 rows looked at, $3 policy hashes, $4 event type or NULL. */
function applyToOpen(kind: OpenKind): string {
  const { page, last } = openPage(kind);
  return `
WITH page AS MATERIALIZED (${page}),
wanted AS MATERIALIZED (
  SELECT event_id, hash FROM (
    SELECT event_id, event_type, policy_hash,
      coalesce($3::jsonb->'byType'->>event_type, $3::jsonb->>'otherwise') AS hash FROM page) p
  WHERE policy_hash IS NOT NULL AND policy_hash <> hash AND ($4::text IS NULL OR event_type = $4::text)
), free AS MATERIALIZED (
  SELECT d.event_id FROM outbox.delivery d
  WHERE d.event_id = ANY (ARRAY(SELECT event_id FROM wanted)) AND d.status IN ('PENDING', 'STARTED')
  ORDER BY d.event_id FOR UPDATE SKIP LOCKED
), changed AS (
  UPDATE outbox.delivery d SET policy_hash = w.hash
  FROM wanted w WHERE d.event_id = w.event_id AND d.event_id = ANY (ARRAY(SELECT event_id FROM free))
  RETURNING 1
)
SELECT ${last} AS last,
  (SELECT count(*)::integer FROM wanted) AS wanted, (SELECT count(*)::integer FROM changed) AS changed`;
}

/** What waits first, then what runs: so events go. */
export const WALKS = Object.fromEntries(
  Object.entries({ waiting: WAITING, ordered: WAITING_ORDERED, running: RUNNING, carried: CARRIED }).map(
    ([name, kind]) => [name, { list: listOpen(kind), apply: applyToOpen(kind), from: firstKey(kind) }],
  ),
);
