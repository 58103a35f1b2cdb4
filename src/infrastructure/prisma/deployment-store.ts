import { IntegrationError } from '../../domain/delivery/integration-error.js';
import type { RetryPolicy } from '../../domain/delivery/policy.js';
import { type PgPool, runStatement, toStoreError } from './pg-pool.js';
import { createOutboxPrisma } from './prisma-clients.js';

export interface DeploymentStore {
  /** R1: the name that `outbox migrate deploy` stored; null where the schema is not migrated or names none yet. */
  readName(): Promise<string | null>;
  /** R3: the id of the Temporal namespace that its runs are in. The first one asked with stays; null: none was yet. */
  readNamespaceId(): Promise<string | null>;
  keepNamespaceId(id: string): Promise<string>;
  /** Whether the database answers, within a second. */
  ping(): Promise<boolean>;
  /** Keeps policies under their hashes, so that every delivery can name the one it was started with. Never changed. */
  storePolicies(policies: ReadonlyMap<string, RetryPolicy>): Promise<void>;
}

const PING_TIMEOUT_MS = 1_000;
const READ_TIMEOUT_MS = 10_000;
/** Asked every few seconds. */
const NAMESPACE_TIMEOUT_MS = 2_000;

const KEEP_NAMESPACE = `
UPDATE outbox.deployment SET namespace_id = $1::uuid WHERE namespace_id IS NULL RETURNING namespace_id`;

/** What a role reads and writes once, at its start. Throws IntegrationError `STORE.UNAVAILABLE` while nobody answers. */
export function createDeploymentStore(pool: PgPool): DeploymentStore {
  const prisma = createOutboxPrisma(pool);
  return {
    async readName() {
      const statement = {
        name: 'outbox_deployment_name',
        text: 'SELECT name FROM outbox.deployment',
        timeoutMs: READ_TIMEOUT_MS,
      };
      try {
        return (await runStatement<{ name: string }>(pool, statement))[0]?.name ?? null;
      } catch (error) {
        if (NOT_MIGRATED.has((error as { code?: unknown }).code)) return null;
        throw error;
      }
    },
    async readNamespaceId() {
      const text = 'SELECT namespace_id FROM outbox.deployment';
      const statement = { name: 'outbox_namespace', text, timeoutMs: NAMESPACE_TIMEOUT_MS };
      return (await runStatement<{ namespace_id: string | null }>(pool, statement))[0]?.namespace_id ?? null;
    },
    async keepNamespaceId(id) {
      const statement = {
        name: 'outbox_keep_namespace',
        text: KEEP_NAMESPACE,
        values: [id],
        timeoutMs: READ_TIMEOUT_MS,
      };
      const [row] = await runStatement<{ namespace_id: string }>(pool, statement);
      // A statement of its own where it stands: the first one may have waited for whoever was quicker.
      return row?.namespace_id ?? (await this.readNamespaceId()) ?? id;
    },
    async ping() {
      const statement = {
        name: 'outbox_ping',
        text: 'SELECT FROM outbox.deployment LIMIT 0',
        timeoutMs: PING_TIMEOUT_MS,
      };
      return runStatement(pool, statement).then(
        () => true,
        () => false,
      );
    },
    async storePolicies(policies) {
      const data = [...policies].map(([hash, body]) => ({ hash, body: JSON.parse(JSON.stringify(body)) }));
      const storing = prisma.policy.createMany({ data, skipDuplicates: true });
      await withinDeadline(storing.catch((error: unknown) => Promise.reject(asStoreError(error))));
    },
  };
}

/** Prisma has no deadline of its own for a server that falls silent. */
async function withinDeadline(working: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const cause = new Error(`no answer within ${READ_TIMEOUT_MS / 1_000} s`);
    timer = setTimeout(() => reject(new IntegrationError('STORE.UNAVAILABLE', { cause })), READ_TIMEOUT_MS);
  });
  working.catch(() => {}); // raced: what comes after the deadline is heard by nobody
  try {
    await Promise.race([working, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** PostgreSQL, appendix A: no such table, no such schema. */
const NOT_MIGRATED: ReadonlySet<unknown> = new Set(['42P01', '3F000']);
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
