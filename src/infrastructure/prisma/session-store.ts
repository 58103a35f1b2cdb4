import type { Credential, OperatorRole, SessionStore } from '../../application/audit/monitor/ports.js';
import { knownScopes } from './audit-api-keys.js';
import { runAuditStatement } from './audit-store.js';
import type { PgPool } from './pg-pool.js';

/** Every request of a page waits for it, and goes on without where it does not come. */
const FIND_TIMEOUT_MS = 1_000;
const WRITE_TIMEOUT_MS = 2_000;
/** More than one sign-out leaves behind, so that what is over never grows. */
const FORGOTTEN_AT_ONCE = 100;

/** Sessions of the monitor in PostgreSQL, by named statements over the pool given. */
export function createSessionStore(pool: PgPool): SessionStore {
  return {
    async find({ id, kind, credentialId }) {
      const values = [id, credentialId];
      if (kind === 'key') {
        const [row] = await runAuditStatement<KeyRow>(pool, {
          name: 'audit_find_session_of_key',
          text: FIND_OF_KEY,
          values,
          timeoutMs: FIND_TIMEOUT_MS,
        });
        const { ended, now } = row as KeyRow;
        return { credential: toKey(row as KeyRow), ended, now };
      }
      const [row] = await runAuditStatement<UserRow>(pool, {
        name: 'audit_find_session_of_user',
        text: FIND_OF_USER,
        values,
        timeoutMs: FIND_TIMEOUT_MS,
      });
      const { ended, now } = row as UserRow;
      return { credential: toUser(row as UserRow), ended, now };
    },

    async end(sessionId, endsAt) {
      await runAuditStatement(pool, {
        name: 'audit_end_session',
        text: 'INSERT INTO audit.session_end (session_id, ends_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
        values: [sessionId, endsAt],
        timeoutMs: WRITE_TIMEOUT_MS,
      });
    },

    async forgetEnded() {
      await runAuditStatement(pool, {
        name: 'audit_forget_ended_sessions',
        text: FORGET,
        values: [FORGOTTEN_AT_ONCE],
        timeoutMs: WRITE_TIMEOUT_MS,
      });
    },
  };
}

/** $1 session. */
const STATE = `EXISTS (SELECT FROM audit.session_end e WHERE e.session_id = $1::uuid) AS ended,
  date_trunc('milliseconds', clock_timestamp()) AS now`;

/** $2 key. One row, whether the key is there or not. */
const FIND_OF_KEY = `SELECT ${STATE}, k.id, k.name, k.prefix, k.key_hash, k.scopes, k.tenant_id, k.rate_per_minute,
  k.expires_at, k.revoked_at, k.signing_secret IS NOT NULL AS signed
FROM (VALUES (1)) one LEFT JOIN audit.api_key k ON k.id = $2::uuid`;

/** $2 person. */
const FIND_OF_USER = `SELECT ${STATE}, o.id, o.name, o.role, o.changed_at, o.disabled_at
FROM (VALUES (1)) one LEFT JOIN audit.operator o ON o.id = $2::uuid`;

/** $1 at most. */
const FORGET = `DELETE FROM audit.session_end WHERE session_id IN (
  SELECT session_id FROM audit.session_end WHERE ends_at < statement_timestamp() ORDER BY ends_at LIMIT $1::integer)`;

interface StateColumns {
  readonly ended: boolean;
  readonly now: Date;
}

interface KeyRow extends StateColumns {
  /** null: there is no such key. */
  readonly id: string | null;
  readonly name: string;
  readonly prefix: string;
  readonly key_hash: Buffer;
  readonly scopes: readonly string[];
  readonly tenant_id: string | null;
  readonly rate_per_minute: number | null;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly signed: boolean;
}

interface UserRow extends StateColumns {
  /** null: there is nobody. */
  readonly id: string | null;
  readonly name: string;
  readonly role: OperatorRole;
  readonly changed_at: Date;
  readonly disabled_at: Date | null;
}

function toKey(row: KeyRow): Credential | null {
  if (row.id === null) return null;
  const { id, name, prefix, signed } = row;
  return {
    kind: 'key',
    key: {
      id,
      name,
      prefix,
      scopes: knownScopes(row.scopes),
      tenantId: row.tenant_id,
      ratePerMinute: row.rate_per_minute,
    },
    keyHash: row.key_hash,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    signed,
  };
}

function toUser(row: UserRow): Credential | null {
  if (row.id === null) return null;
  const { id, name, role } = row;
  return { kind: 'user', id, name, role, changedAt: row.changed_at, disabledAt: row.disabled_at };
}
