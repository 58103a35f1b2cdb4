import type { SESSION_ROLES } from '../../../contract/monitor-api.js';
import type { ApiKey } from '../../../domain/audit/api-key.js';

/** A viewer changes nothing, and a watcher reads no records either. */
export type OperatorRole = (typeof SESSION_ROLES)[number];

/** What a cookie says, signed by us. Times in milliseconds since 1970, by the audit database's clock. */
export interface SessionClaims {
  readonly id: string;
  /** Signed in by an API key, or by a person's name and password. */
  readonly kind: 'key' | 'user';
  /** Of the key, or of the person. */
  readonly credentialId: string;
  /** Of key or password when they signed in: with another one the session is over. */
  readonly version: string;
  readonly issuedAt: number;
  readonly endsAt: number;
}

/** What a session stands on, as the database has it now. */
export type Credential = KeyCredential | UserCredential;

export interface KeyCredential {
  readonly kind: 'key';
  readonly key: ApiKey;
  /** SHA-256 of the whole key. */
  readonly keyHash: Uint8Array;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Its requests need signatures, which no page makes. */
  readonly signed: boolean;
}

export interface UserCredential {
  readonly kind: 'user';
  readonly id: string;
  readonly name: string;
  readonly role: OperatorRole;
  /** Of the password. */
  readonly changedAt: Date;
  readonly disabledAt: Date | null;
}

export interface FoundSession {
  /** null: the key or the person is gone. */
  readonly credential: Credential | null;
  /** It was signed out. */
  readonly ended: boolean;
  /** The database's clock, in whole milliseconds. */
  readonly now: Date;
}

/** What the database knows of sessions. Every method throws StoreUnavailableError when it cannot answer now. */
export interface SessionStore {
  find(session: Pick<SessionClaims, 'id' | 'kind' | 'credentialId'>): Promise<FoundSession>;
  /** It is over everywhere; `endsAt`: when it would have been by itself, after which it need not be remembered. */
  end(sessionId: string, endsAt: Date): Promise<void>;
  /** Forgets some of those that would be over by themselves by now. */
  forgetEnded(): Promise<void>;
}

export interface FoundOperator extends UserCredential {
  /** As `PasswordHasher` made it. */
  readonly passwordHash: string;
  /** The database's clock, in whole milliseconds. */
  readonly readAt: Date;
}

/** Those who may sign in by name and password, as an api reads them. Throws StoreUnavailableError. */
export interface OperatorStore {
  findByName(name: string): Promise<FoundOperator | null>;
}

/** A person as a list shows them; nothing of it is secret. */
export interface ListedOperator {
  readonly name: string;
  readonly role: OperatorRole;
  readonly createdAt: Date;
  /** When the password was set. */
  readonly changedAt: Date;
  readonly disabledAt: Date | null;
}

/** What the owner of the database does to operators. Every method throws StoreUnavailableError. */
export interface OperatorBook {
  /** By name, disabled ones too. */
  list(): Promise<readonly ListedOperator[]>;
  find(name: string): Promise<ListedOperator | null>;
  /** Lets somebody in, one who was disabled anew; null where one of that name may sign in already. */
  add(operator: {
    readonly id: string;
    readonly name: string;
    readonly role: OperatorRole;
    readonly passwordHash: string;
  }): Promise<ListedOperator | null>;
  /** Their sessions are over. null: nobody of that name may sign in. */
  setPassword(name: string, passwordHash: string): Promise<ListedOperator | null>;
  /** Holds for sessions that are open, too. null: nobody has that name. */
  setRole(name: string, role: OperatorRole): Promise<ListedOperator | null>;
  /** `already`: they were before, at the time that stands. null: nobody has that name. */
  disable(name: string): Promise<{ readonly operator: ListedOperator; readonly already: boolean } | null>;
}
