import type { ApiKeyBook, ApiKeyRef, ListedApiKey } from '../../application/audit/key-ports.js';
import { knownScopes } from './audit-api-keys.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

const TIMEOUT_MS = 5_000;

/** The audit log's API keys in PostgreSQL, as their owner manages them. An api's role may do none of this but look. */
export function createApiKeyBook(pool: PgPool): ApiKeyBook {
  const run = async (name: string, text: string, values: readonly unknown[]) =>
    (await runAuditStatement<ListedRow>(pool, { name, text, values, timeoutMs: TIMEOUT_MS })).map(toListed);
  const find: ApiKeyBook['find'] = async (ref) => {
    const [key] = await run('audit_show_api_key', `SELECT ${LISTED} FROM audit.api_key WHERE ${NAMED}`, valuesOf(ref));
    return key ?? null;
  };
  return {
    list: () => run('audit_list_api_keys', `SELECT ${LISTED} FROM audit.api_key ORDER BY created_at, id`, []),

    find,

    async revoke(ref) {
      const [key] = await run(
        'audit_revoke_api_key',
        `UPDATE audit.api_key SET revoked_at = clock_timestamp() WHERE ${NAMED} AND revoked_at IS NULL RETURNING ${LISTED}`,
        valuesOf(ref),
      );
      if (key !== undefined) return { key, already: false };
      // None is ever made valid again, so what is found now was revoked before.
      const found = await find(ref);
      return found === null ? null : { key: found, already: true };
    },

    async replaceSecret(id, sealed, oldUntil) {
      const [key] = await run(
        'audit_replace_signing_secret',
        `UPDATE audit.api_key
         SET old_signing_secret = signing_secret, old_secret_until = $3, signing_secret = $2
         WHERE id = $1 AND revoked_at IS NULL AND signing_secret IS NOT NULL RETURNING ${LISTED}`,
        [id, Buffer.from(sealed), oldUntil],
      );
      return key ?? null;
    },
  };
}

const LISTED = `id, name, prefix, scopes, tenant_id, rate_per_minute, signing_secret IS NOT NULL AS signed, created_at,
  expires_at, last_used_at, revoked_at, old_secret_until`;
const NAMED = '(id = $1::uuid OR prefix = $2::text)';

function valuesOf(ref: ApiKeyRef): [string | null, string | null] {
  return 'id' in ref ? [ref.id, null] : [null, ref.prefix];
}

interface ListedRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
  readonly tenant_id: string | null;
  readonly rate_per_minute: number | null;
  readonly signed: boolean;
  readonly created_at: Date;
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly revoked_at: Date | null;
  readonly old_secret_until: Date | null;
}

function toListed(row: ListedRow): ListedApiKey {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    scopes: knownScopes(row.scopes),
    tenantId: row.tenant_id,
    ratePerMinute: row.rate_per_minute,
    signed: row.signed,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
    oldSecretUntil: row.old_secret_until,
  };
}
