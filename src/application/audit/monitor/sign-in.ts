import { randomUUID, timingSafeEqual } from 'node:crypto';
import type { SignIn } from '../../../contract/monitor-api.js';
import { apiKeyPrefix, hashApiKey } from '../api-key-text.js';
import type { ApiKeyStore } from '../ports.js';
import type { PasswordHasher } from './hash-password.js';
import type { Credential, KeyCredential, OperatorStore, SessionClaims, SessionStore } from './ports.js';
import { identityOf, mayLook, type SessionIdentity, standsAt, versionOf } from './session-identity.js';
import type { SignInLinks } from './sign-in-links.js';

export interface SignInDeps {
  readonly keys: Pick<ApiKeyStore, 'findByPrefix'>;
  readonly operators: OperatorStore;
  readonly sessions: Pick<SessionStore, 'find'>;
  readonly hasher: PasswordHasher;
  readonly links: SignInLinks;
}

export type SignInOutcome =
  | {
      readonly kind: 'signed-in';
      readonly claims: SessionClaims;
      readonly identity: SessionIdentity;
      /** By the database's clock. */
      readonly now: Date;
    }
  /** Unknown, wrong, over or used: which of them is for us. `name`: whose password it was not; null: of nobody there is. */
  | Refused
  /** It holds. `signatures`: the key's requests must be signed. `scopes`: there is nothing on the monitor for it. */
  | { readonly kind: 'may-not'; readonly why: 'signatures' | 'scopes' };

interface Refused {
  readonly kind: 'refused';
  readonly name: string | null;
}

/** `cameBefore`: from a browser that has had a session, whose password is looked at before those of strangers. */
export type SignInUse = (asked: SignIn, cameBefore: boolean) => Promise<SignInOutcome>;

const NEVER = Number.POSITIVE_INFINITY;
const REFUSED: Refused = { kind: 'refused', name: null };

/**
 * Begins a session of `lifeMs`, or as long as its key holds. A wrong name takes as long as a wrong password.
 * Throws StoreUnavailableError, PasswordsBusyError.
 */
export function signIn(deps: SignInDeps, lifeMs: number): SignInUse {
  return async (asked, cameBefore) => {
    const found = await findCredential(deps, asked, cameBefore);
    if ('kind' in found) return found;
    const { credential, now } = found;
    if (credential.kind === 'key' && credential.signed && standsAt({ ...credential, signed: false }, now)) {
      return { kind: 'may-not', why: 'signatures' };
    }
    if (!standsAt(credential, now)) return { ...REFUSED, name: credential.kind === 'user' ? credential.name : null };
    const identity = identityOf(credential);
    if (!mayLook(identity)) return { kind: 'may-not', why: 'scopes' };
    // Only now: a link that was refused for another reason, or while the database was away, was not used.
    if ('link' in asked && !deps.links.use(asked.link)) return REFUSED;
    const latest = credential.kind === 'key' ? (credential.expiresAt?.getTime() ?? NEVER) : NEVER;
    const claims: SessionClaims = {
      id: randomUUID(),
      kind: credential.kind,
      credentialId: identity.key.id,
      version: versionOf(credential),
      issuedAt: now.getTime(),
      endsAt: Math.min(now.getTime() + lifeMs, latest),
    };
    return { kind: 'signed-in', claims, identity, now };
  };
}

interface Found {
  readonly credential: Credential;
  readonly now: Date;
}

/** Whose it is, where the secret is right. */
async function findCredential(deps: SignInDeps, asked: SignIn, cameBefore: boolean): Promise<Found | Refused> {
  if ('key' in asked) return (await findByKey(deps, asked.key)) ?? REFUSED;
  if ('link' in asked) return (await findByLink(deps, asked.link)) ?? REFUSED;
  const operator = await deps.operators.findByName(asked.name);
  const holds = await deps.hasher.holds(asked.password, operator?.passwordHash ?? null, cameBefore);
  if (operator === null || !holds) return { ...REFUSED, name: operator?.name ?? null };
  return { credential: operator, now: operator.readAt };
}

async function findByKey({ keys }: SignInDeps, presented: string): Promise<Found | null> {
  const prefix = apiKeyPrefix(presented);
  const stored = prefix === null ? null : await keys.findByPrefix(prefix);
  if (stored === null || !timingSafeEqual(hashApiKey(presented), stored.keyHash)) return null;
  const { id, name, scopes, tenantId, ratePerMinute, keyHash, expiresAt, revokedAt, signing, readAt } = stored;
  const key = { id, name, prefix: stored.prefix, scopes, tenantId, ratePerMinute };
  const credential: KeyCredential = { kind: 'key', key, keyHash, expiresAt, revokedAt, signed: signing !== null };
  return { credential, now: readAt };
}

async function findByLink({ links, sessions }: SignInDeps, link: string): Promise<Found | null> {
  const keyId = links.find(link);
  if (keyId === null) return null;
  const { credential, now } = await sessions.find({ id: randomUUID(), kind: 'key', credentialId: keyId });
  return credential === null ? null : { credential, now };
}
