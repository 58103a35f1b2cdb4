import {
  type ApiKey,
  type ApiKeyScope,
  mayRead,
  mayReadFailed,
  mayWriteFailed,
} from '../../../domain/audit/api-key.js';
import type { Credential, OperatorRole } from './ports.js';

/** Who acts in a session. */
export interface SessionIdentity {
  /** With the scopes that a session has. Its id is that of the API key, or of the person. */
  readonly key: ApiKey;
  /** As it stands in what is recorded of a change: `api-key:<id>` or `user:<name>`. */
  readonly actor: string;
  readonly name: string;
  readonly role: OperatorRole;
}

/** Nobody writes records from a page, whatever the key may do elsewhere. */
const OF_SESSIONS: readonly ApiKeyScope[] = ['dlq:read', 'dlq:write', 'audit:read', 'audit:read:any-tenant'];
/** `admin` is every scope but the any-tenant ones. */
const OF_ADMIN: readonly ApiKeyScope[] = ['dlq:write', 'audit:read'];
const OF_ROLE: Readonly<Record<OperatorRole, readonly ApiKeyScope[]>> = {
  watcher: ['dlq:read'],
  viewer: ['dlq:read', 'audit:read', 'audit:read:any-tenant'],
  operator: ['dlq:read', 'dlq:write', 'audit:read', 'audit:read:any-tenant'],
};

/** Whoever reaches a monitor that asks nobody to sign in. */
export const ANYBODY: SessionIdentity = {
  key: personsKey('00000000-0000-0000-0000-000000000000', 'anybody', 'viewer'),
  actor: 'user:anybody',
  name: 'anybody',
  role: 'viewer',
};

/** Who acts by this credential, whatever state it is in. */
export function identityOf(credential: Credential): SessionIdentity {
  if (credential.kind === 'user') {
    const { id, name, role } = credential;
    return { key: personsKey(id, name, role), actor: `user:${name}`, name, role };
  }
  const { scopes } = credential.key;
  const given = new Set([...scopes, ...(scopes.includes('admin') ? OF_ADMIN : [])]);
  const key = { ...credential.key, scopes: OF_SESSIONS.filter((scope) => given.has(scope)) };
  const role = mayWriteFailed(key) ? 'operator' : 'viewer';
  return { key, actor: `api-key:${key.id}`, name: key.name, role };
}

/** Whether there is anything on the monitor for them. */
export function mayLook({ key }: SessionIdentity): boolean {
  return mayReadFailed(key) || mayRead(key);
}

/** Whether the two may the same. What is shown or sent for long is looked at again by it. */
export function hasSameRights({ key: one }: SessionIdentity, { key: other }: SessionIdentity): boolean {
  const rights = ({ scopes, tenantId }: ApiKey) => JSON.stringify([tenantId, ...[...scopes].sort()]);
  return rights(one) === rights(other);
}

/** What a session remembers of its credential: another key's, or another password's, is another one. */
export function versionOf(credential: Credential): string {
  return credential.kind === 'user'
    ? String(credential.changedAt.getTime())
    : Buffer.from(credential.keyHash).subarray(0, 8).toString('hex');
}

/** Whether it opens anything at that time. */
export function standsAt(credential: Credential, now: Date): boolean {
  if (credential.kind === 'user') return credential.disabledAt === null;
  const { expiresAt, revokedAt, signed } = credential;
  return revokedAt === null && (expiresAt === null || expiresAt > now) && !signed;
}

function personsKey(id: string, name: string, role: OperatorRole): ApiKey {
  return { id, name, prefix: '', scopes: OF_ROLE[role], tenantId: null, ratePerMinute: null };
}
