import type { ApiKeyStore } from '../../application/audit/ports.js';
import { API_KEY_SCOPES, type ApiKeyScope } from '../../domain/audit/api-key.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 2_000;

/** The audit log's API keys in PostgreSQL, by named statements over the pool given. */
export function createAuditApiKeys(pool: PgPool): ApiKeyStore {
  return {
    async findByPrefix(prefix) {
      const [row] = await runAuditStatement<ApiKeyRow>(pool, {
        name: 'audit_find_api_key',
        text: `SELECT id, name, key_hash, scopes, tenant_id, expires_at, revoked_at,
                 date_trunc('milliseconds', clock_timestamp()) AS read_at
               FROM audit.api_key WHERE prefix = $1`,
        values: [prefix],
        timeoutMs: TIMEOUT_MS,
      });
      if (row === undefined) return null;
      return {
        id: row.id,
        name: row.name,
        prefix,
        scopes: row.scopes.filter(isScope),
        tenantId: row.tenant_id,
        keyHash: row.key_hash,
        expiresAt: row.expires_at,
        revokedAt: row.revoked_at,
        readAt: row.read_at,
      };
    },

    async insert(key) {
      await runAuditStatement(pool, {
        name: 'audit_insert_api_key',
        text: `INSERT INTO audit.api_key (id, name, prefix, key_hash, scopes, tenant_id, expires_at, revoked_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
        values: [
          key.id,
          key.name,
          key.prefix,
          Buffer.from(key.keyHash),
          [...key.scopes],
          key.tenantId,
          key.expiresAt,
          key.revokedAt,
        ],
        timeoutMs: TIMEOUT_MS,
      });
    },
  };
}

interface ApiKeyRow {
  readonly id: string;
  readonly name: string;
  readonly key_hash: Buffer;
  readonly scopes: readonly string[];
  readonly tenant_id: string | null;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly read_at: Date;
}

/** A scope that a later version granted is none to this one. */
function isScope(scope: string): scope is ApiKeyScope {
  return (API_KEY_SCOPES as readonly string[]).includes(scope);
}
