import type { ApiKeyStore, FoundApiKey } from '../../application/audit/ports.js';
import { API_KEY_SCOPES, type ApiKeyScope } from '../../domain/audit/api-key.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 2_000;

/** The audit log's API keys in PostgreSQL, as an api reads them, by named statements over the pool given. */
export function createAuditApiKeys(pool: PgPool): ApiKeyStore {
  return {
    async findByPrefix(prefix) {
      const [row] = await runAuditStatement<ApiKeyRow>(pool, {
        name: 'audit_find_api_key',
        text: `${FIND} WHERE prefix = $1`,
        values: [prefix],
        timeoutMs: TIMEOUT_MS,
      });
      return row === undefined ? null : toFound(row);
    },

    async insert(key) {
      await runAuditStatement(pool, {
        name: 'audit_insert_api_key',
        text: `INSERT INTO audit.api_key (id, name, prefix, key_hash, scopes, tenant_id, expires_at, revoked_at,
                 rate_per_minute, signing_secret)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        values: [
          key.id,
          key.name,
          key.prefix,
          Buffer.from(key.keyHash),
          [...key.scopes],
          key.tenantId,
          key.expiresAt,
          key.revokedAt,
          key.ratePerMinute,
          key.signing === null ? null : Buffer.from(key.signing.current),
        ],
        timeoutMs: TIMEOUT_MS,
      });
    },

    // The condition holds for all apis together: whoever is second within the minute writes nothing.
    async noteUse(id) {
      await runAuditStatement(pool, {
        name: 'audit_note_key_use',
        text: `UPDATE audit.api_key SET last_used_at = clock_timestamp()
               WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')`,
        values: [id],
        timeoutMs: TIMEOUT_MS,
      });
    },

    async listSigned() {
      const rows = await runAuditStatement<ApiKeyRow>(pool, {
        name: 'audit_list_signed_api_keys',
        text: `${FIND} WHERE signing_secret IS NOT NULL AND revoked_at IS NULL
                 AND (expires_at IS NULL OR expires_at > clock_timestamp()) ORDER BY id`,
        values: [],
        timeoutMs: TIMEOUT_MS,
      });
      return rows.map(toFound);
    },
  };
}

const FIND = `SELECT id, name, prefix, key_hash, scopes, tenant_id, expires_at, revoked_at, rate_per_minute, signing_secret,
  old_signing_secret, old_secret_until, date_trunc('milliseconds', clock_timestamp()) AS read_at
FROM audit.api_key`;

interface ApiKeyRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly key_hash: Buffer;
  readonly scopes: readonly string[];
  readonly tenant_id: string | null;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly rate_per_minute: number | null;
  readonly signing_secret: Buffer | null;
  readonly old_signing_secret: Buffer | null;
  readonly old_secret_until: Date | null;
  readonly read_at: Date;
}

function toFound(row: ApiKeyRow): FoundApiKey {
  const old =
    row.old_signing_secret === null || row.old_secret_until === null
      ? null
      : { secret: row.old_signing_secret, until: row.old_secret_until };
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    scopes: knownScopes(row.scopes),
    tenantId: row.tenant_id,
    ratePerMinute: row.rate_per_minute,
    keyHash: row.key_hash,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    signing: row.signing_secret === null ? null : { current: row.signing_secret, old },
    readAt: row.read_at,
  };
}

/** A scope that a later version granted is none to this one. */
export function knownScopes(scopes: readonly string[]): ApiKeyScope[] {
  return scopes.filter((scope): scope is ApiKeyScope => (API_KEY_SCOPES as readonly string[]).includes(scope));
}
