import { IntegrationError } from '../../domain/delivery/integration-error.js';
import type { RetryPolicy } from '../../domain/delivery/policy.js';
import { type PgPool, toStoreError } from './pg-pool.js';
import { createOutboxPrisma } from './prisma-clients.js';

export interface DeploymentStore {
  /** R1: the name that `outbox migrate deploy` stored; null where the schema is not migrated or names none yet. */
  readName(): Promise<string | null>;
  /** Keeps a policy under its hash, so that every delivery can name the one it was started with. Never changed. */
  storePolicy(hash: string, policy: RetryPolicy): Promise<void>;
}

/** What a role reads and writes once, at its start. Throws IntegrationError `STORE.UNAVAILABLE` while nobody answers. */
export function createDeploymentStore(pool: PgPool): DeploymentStore {
  const prisma = createOutboxPrisma(pool);
  return {
    async readName() {
      try {
        return (await prisma.deployment.findFirst())?.name ?? null;
      } catch (error) {
        if (codeOf(error) === TABLE_MISSING) return null;
        throw asStoreError(error);
      }
    },
    async storePolicy(hash, policy) {
      try {
        await prisma.policy.createMany({ data: [{ hash, body: { ...policy } }], skipDuplicates: true });
      } catch (error) {
        throw asStoreError(error);
      }
    },
  };
}

/** Prisma 7, "Error reference": P2021, the table does not exist in the current database. */
const TABLE_MISSING = 'P2021';
/** P1…: connecting and the server; P2024 and P2037: no connection to be had; P2034: a conflict, try again. */
const AWAY = /^(P1\d{3}|P2024|P2034|P2037)$/;

function asStoreError(error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined) return toStoreError(error);
  return AWAY.test(code) ? new IntegrationError('STORE.UNAVAILABLE', { cause: error }) : error;
}

function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^P\d{4}$/.test(code) ? code : undefined;
}
