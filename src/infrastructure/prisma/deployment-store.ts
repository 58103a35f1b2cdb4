import type { RetryPolicy } from '../../domain/delivery/policy.js';
import { type PgPool, runStatement } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/** R1: the name that `outbox migrate deploy` stored; null on a database that has none yet. */
export async function readDeploymentName(pool: PgPool): Promise<string | null> {
  const rows = await runStatement<{ name: string }>(pool, {
    name: 'deployment-name',
    text: 'SELECT name FROM outbox.deployment',
    timeoutMs: TIMEOUT_MS,
  });
  return rows[0]?.name ?? null;
}

/** Keeps a policy under its hash, so that every delivery can name the one that it was started with. Never changed. */
export async function storePolicy(pool: PgPool, hash: string, policy: RetryPolicy): Promise<void> {
  await runStatement(pool, {
    name: 'policy-store',
    text: 'INSERT INTO outbox.policy (hash, body) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING',
    values: [hash, JSON.stringify(policy)],
    timeoutMs: TIMEOUT_MS,
  });
}
