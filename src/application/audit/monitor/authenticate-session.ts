import type { NoteLastUse } from '../note-last-use.js';
import { StoreUnavailableError } from '../ports.js';
import type { SessionClaims, SessionStore } from './ports.js';
import { identityOf, mayLook, type SessionIdentity, standsAt, versionOf } from './session-identity.js';

export interface StandingSession {
  readonly identity: SessionIdentity;
  /** false: it could not be looked up now, and is taken for what it was a moment ago. */
  readonly checked: boolean;
  /** By the audit database's clock. */
  readonly now: Date;
}

export interface Sessions {
  /**
   * null: the session is over. For reading it may be up to five seconds old or, while the database does not answer, as old as
   * the session; to change something it is looked up. Throws StoreUnavailableError.
   */
  authenticate(claims: SessionClaims, use: 'read' | 'change'): Promise<StandingSession | null>;
  /** Signs out; false where only this process knows of it, since the database does not answer. */
  end(claims: SessionClaims): Promise<boolean>;
}

export interface SessionsDeps {
  readonly store: SessionStore;
  /** Of the API key behind a session. */
  readonly noteUse: NoteLastUse;
  readonly log: { warn(fields: object, message: string): void };
  /** Milliseconds that only grow. */
  readonly clock?: () => number;
}

/** What was found of a session, and when, by the clock of this process. */
interface Known {
  readonly identity: SessionIdentity;
  /** The database's time, in milliseconds. */
  readonly now: number;
  readonly foundAt: number;
}

const FRESH_MS = 5_000;
/** A database that did not answer is not asked again for so long by those who only read: each would wait for its deadline. */
const AWAY_MS = 2_000;
/** Sessions; what is forgotten is looked up again. */
const REMEMBERED = 10_000;

/**
 * Whether sessions still stand: by the row of their key or person, and by whether they were signed out. A session that this
 * process has found goes on reading while the database is away, until its own end: an outage is what the page is opened for,
 * and it may last. What ends a session meanwhile stands in that database, so nobody can know of it; one that this process has
 * not found, and every change, is refused then.
 */
export function createSessions({ store, noteUse, log, clock = () => performance.now() }: SessionsDeps): Sessions {
  const known = new Map<string, Known>();
  const finding = new Map<string, Promise<Known | null>>();
  /** Signed out here: what was being looked up meanwhile must not bring them back. */
  const ended = new Set<string>();
  let away: { readonly until: number; readonly error: StoreUnavailableError } | null = null;

  const find = async (claims: SessionClaims): Promise<Known | null> => {
    // What is found may be as old as this.
    const foundAt = clock();
    try {
      const found = await store.find(claims);
      away = null;
      const { credential, now } = found;
      const identity =
        credential !== null && !found.ended && standsAt(credential, now) && versionOf(credential) === claims.version
          ? identityOf(credential)
          : null;
      if (identity === null || !mayLook(identity)) {
        known.delete(claims.id);
        return null;
      }
      if (claims.kind === 'key') noteUse(identity.key, now);
      const entry = { identity, now: now.getTime(), foundAt };
      known.delete(claims.id);
      known.set(claims.id, entry);
      cut(known);
      return entry;
    } catch (error) {
      if (error instanceof StoreUnavailableError) away = { until: clock() + AWAY_MS, error };
      throw error;
    }
  };
  /** Requests of one session that come together are looked up once. */
  const findOnce = (claims: SessionClaims): Promise<Known | null> => {
    const running = finding.get(claims.id) ?? find(claims).finally(() => finding.delete(claims.id));
    finding.set(claims.id, running);
    return running;
  };
  const orStale = async (claims: SessionClaims, stale: Known | undefined): Promise<[Known | null, boolean]> => {
    try {
      if (away !== null && clock() < away.until) throw away.error;
      return [await findOnce(claims), true];
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      if (stale === undefined) throw error;
      return [stale, false];
    }
  };
  const findToRead = async (claims: SessionClaims): Promise<[Known | null, boolean]> => {
    const before = known.get(claims.id);
    return before !== undefined && clock() - before.foundAt < FRESH_MS ? [before, true] : orStale(claims, before);
  };

  return {
    async authenticate(claims, use) {
      if (ended.has(claims.id)) return null;
      const [entry, checked] = use === 'change' ? [await find(claims), true] : await findToRead(claims);
      if (entry === null || ended.has(claims.id)) return null;
      const now = entry.now + Math.round(clock() - entry.foundAt);
      return now < claims.endsAt ? { identity: entry.identity, checked, now: new Date(now) } : null;
    },

    async end(claims) {
      ended.add(claims.id);
      cut(ended);
      known.delete(claims.id);
      try {
        await store.end(claims.id, new Date(claims.endsAt));
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw error;
        log.warn({ event: 'monitor.sign_out_not_written', err: error }, 'a session was signed out here only');
        return false;
      }
      store.forgetEnded().catch((err: unknown) => {
        log.warn({ event: 'monitor.ended_not_forgotten', err }, 'sessions that are over were not cleaned up');
      });
      return true;
    },
  };
}

/** The oldest goes. */
function cut(entries: Map<string, unknown> | Set<string>): void {
  const [oldest] = entries.keys();
  if (oldest !== undefined && entries.size > REMEMBERED) entries.delete(oldest);
}
