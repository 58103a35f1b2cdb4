import type { ApiKey } from '../../domain/audit/api-key.js';

/** A key as people see it in a list; nothing of it is secret. */
export interface ListedApiKey extends ApiKey {
  readonly signed: boolean;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  /** To about a minute. */
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
  /** Until when the secret before the newest one holds; null: there is none. */
  readonly oldSecretUntil: Date | null;
}

/** What names a key: its id, or the public prefix that it begins with. */
export type ApiKeyRef = { readonly id: string } | { readonly prefix: string };

/** What the owner of the database does to keys. Every method throws StoreUnavailableError as ApiKeyStore's do. */
export interface ApiKeyBook {
  /** The oldest first, revoked ones too. */
  list(): Promise<readonly ListedApiKey[]>;
  find(ref: ApiKeyRef): Promise<ListedApiKey | null>;
  /** `already`: it was revoked before, at the time that stands. null: there is no such key. */
  revoke(ref: ApiKeyRef): Promise<{ readonly key: ListedApiKey; readonly already: boolean } | null>;
  /**
   * A new sealed secret; the one of now holds until `oldUntil`, the one before it no longer. null where the key is not
   * there, revoked, or needs no signature.
   */
  replaceSecret(id: string, sealed: Uint8Array, oldUntil: Date): Promise<ListedApiKey | null>;
}
