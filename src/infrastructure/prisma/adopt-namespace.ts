import { COUNTED_UP_TO } from '../../application/delivery/destinations/ports.js';
import { CARRIED, countOpen, RUNNING } from './open-rows-sql.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 10_000;

/** How an outbox and its Temporal namespace stand to each other (R3). */
export interface Adoption {
  readonly deployment: string;
  /** Of the namespace that its runs are in; null before the first start of a role. */
  readonly namespaceId: string | null;
  /** Events whose runs were started there and have not ended; counted up to `COUNTED_UP_TO`. */
  readonly started: number;
  /** An earlier adoption that goes on. */
  readonly adopting: boolean;
  /** Why the reconciler writes nothing at the moment (R21). */
  readonly stoppedReason: string | null;
}

/** null: the outbox has no deployment yet. */
export async function readAdoption(pool: PgPool): Promise<Adoption | null> {
  const statement = { name: 'adoption_read', text: READ_ADOPTION, timeoutMs: TIMEOUT_MS };
  return (await runStatement<Adoption & Record<string, unknown>>(pool, statement))[0] ?? null;
}

/**
 * R3: from now on the runs are in this namespace, and what was started before is lost: the reconciler dispatches it again,
 * a few hundred a second. Lifts a stop of the reconciler's (R21). Throws where the deployment is another one's.
 */
export async function adoptNamespace(
  pool: PgPool,
  namespaceId: string,
  deployment: string,
): Promise<{ started: number }> {
  const values = [namespaceId, deployment];
  const statement = { name: 'adoption_begin', text: BEGIN_ADOPTION, values, timeoutMs: TIMEOUT_MS };
  const [row] = await runStatement<{ started: number }>(pool, statement);
  if (row === undefined) throw new Error(`expected the outbox of deployment "${deployment}"`);
  return row;
}

const STARTED = countOpen([RUNNING, CARRIED], COUNTED_UP_TO);

export const READ_ADOPTION = `
SELECT d.name AS deployment, d.namespace_id AS "namespaceId", d.adopting_before IS NOT NULL AS adopting,
  ${STARTED} AS started,
  (SELECT l.stopped_reason FROM outbox.lease l WHERE l.name = 'reconcile') AS "stoppedReason"
FROM outbox.deployment d`;

/** $1 namespace, $2 deployment. */
export const BEGIN_ADOPTION = `
WITH adopted AS (
  UPDATE outbox.deployment SET namespace_id = $1::uuid, adopting_before = statement_timestamp() WHERE name = $2::text
  RETURNING name
), lifted AS (
  UPDATE outbox.lease SET stopped_reason = NULL WHERE name = 'reconcile' AND EXISTS (SELECT FROM adopted)
)
SELECT ${STARTED} AS started FROM adopted`;
