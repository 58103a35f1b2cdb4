import type { Request, Response } from 'express';
import type { Sessions } from '../application/audit/monitor/authenticate-session.js';
import type { SessionClaims } from '../application/audit/monitor/ports.js';
import { ANYBODY, type SessionIdentity } from '../application/audit/monitor/session-identity.js';
import type { SessionTokens } from '../application/audit/monitor/session-token.js';
import { StoreUnavailableError } from '../application/audit/ports.js';
import { CSRF_HEADER, SESSION_CHECKED_HEADER } from '../contract/monitor-api.js';
import { createOriginCheck } from './check-origin.js';
import { HttpProblem } from './problem.js';

/** Somebody on the monitor's page. */
export interface Visitor {
  readonly claims: SessionClaims;
  readonly identity: SessionIdentity;
  /** false: of a moment ago; it cannot be looked up now. */
  readonly checked: boolean;
  readonly now: Date;
}

/** The way in for the monitor's page: a cookie, and for what changes something what only that page can send. */
export interface SessionGate {
  /** Whether a request without an API key may be its page's; whoever sends none of its marks is told to bring a key. */
  concerns(req: Request): boolean;
  /** All who come share one session, since nobody signs in. */
  readonly shared: boolean;
  /** Who asks. Says in the answer where the session could not be looked up. Throws HttpProblem (401, 403, 503). */
  admit(req: Request, res: Response): Promise<Visitor>;
  /** What the cookie says, of a request that is the page's, whether or not the session still stands. Throws HttpProblem (401, 403). */
  verify(req: Request): SessionClaims;
  /** A request without a session that begins one. Throws HttpProblem (403, 404: nobody signs in here). */
  admitSignIn(req: Request): void;
  /**
   * Whose session this browser has had, whether or not it is over: nobody else can have its cookie. null: none that it
   * remembers. An id of a key or a person, which need not be who signs in now.
   */
  cameBefore(req: Request): string | null;
  /** Who it is by now, for those who stay; null: the session is over. Throws StoreUnavailableError. */
  lookAgain(claims: SessionClaims): Promise<SessionIdentity | null>;
  /** `req`: the one that signed in, which tells whether it came over TLS. */
  begin(req: Request, res: Response, claims: SessionClaims): void;
  /** false: not everywhere, since the database does not answer. */
  end(req: Request, res: Response, claims: SessionClaims): Promise<boolean>;
  csrf(claims: SessionClaims): string;
}

export interface SessionGateOptions {
  readonly tokens: SessionTokens;
  readonly sessions: Sessions;
  readonly monitorUrl: string | null;
  /** false: whoever reaches the monitor is a viewer. */
  readonly signIn: boolean;
  readonly lifeMs: number;
}

const NOBODYS_ID = ANYBODY.key.id;

export function createSessionGate(options: SessionGateOptions): SessionGate {
  const { tokens, sessions, monitorUrl, signIn, lifeMs } = options;
  const origin = createOriginCheck({ monitorUrl, signIn });
  // `__Host-` is of this very host and of TLS: no sibling of it can set one. Browsers take it with Secure only.
  const secure = monitorUrl?.startsWith('https:') === true;
  const cookie = secure ? '__Host-outbox' : 'outbox_monitor';
  const ATTRIBUTES = 'Path=/; HttpOnly; SameSite=Strict';
  // Behind a proxy that ends TLS the browser says so, whatever the settings do: its cookie goes over nothing else then.
  const attributesFor = (req: Request) =>
    secure || req.headers.origin?.startsWith('https:') === true ? `${ATTRIBUTES}; Secure` : ATTRIBUTES;

  const anybody = (): SessionClaims => {
    const now = Date.now();
    return { id: NOBODYS_ID, kind: 'user', credentialId: NOBODYS_ID, version: '', issuedAt: now, endsAt: now + lifeMs };
  };
  const readClaims = (req: Request): SessionClaims => {
    if (!signIn) return anybody();
    // Somebody on another port of a host without TLS may have set one of the same name.
    for (const value of readCookies(req.headers.cookie, cookie)) {
      const claims = tokens.read(value);
      if (claims !== null) return claims;
    }
    throw over();
  };
  const verify = (req: Request): SessionClaims => {
    origin.admit(req.headers, changes(req));
    const claims = readClaims(req);
    if (changes(req) && !tokens.holdsCsrf(claims.id, req.get(CSRF_HEADER))) {
      throw new HttpProblem('csrf_missing', `Expected the header ${CSRF_HEADER} with the token of this session`);
    }
    return claims;
  };

  return {
    shared: !signIn,

    concerns: (req) =>
      signIn ? readCookies(req.headers.cookie, cookie).length > 0 : !changes(req) || req.get(CSRF_HEADER) !== undefined,

    async admit(req, res) {
      const claims = verify(req);
      if (!signIn) return { claims, identity: ANYBODY, checked: true, now: new Date(claims.issuedAt) };
      const session = await sessions.authenticate(claims, changes(req) ? 'change' : 'read').catch(orNotKnown);
      if (session === null) throw over();
      if (!session.checked) res.set(SESSION_CHECKED_HEADER, 'no');
      return { claims, ...session };
    },

    verify,

    admitSignIn(req) {
      if (!signIn) throw new HttpProblem('not_found', 'Nobody signs in here: OUTBOX_MONITOR_SIGN_IN is off');
      origin.admit(req.headers, true);
    },

    cameBefore(req) {
      const known = readCookies(req.headers.cookie, cookie).map((value) => tokens.read(value));
      return known.find((claims) => claims !== null)?.credentialId ?? null;
    },

    async lookAgain(claims) {
      if (!signIn) return ANYBODY;
      return (await sessions.authenticate(claims, 'read'))?.identity ?? null;
    },

    begin(req, res, claims) {
      res.append('Set-Cookie', `${cookie}=${tokens.write(claims)}; ${attributesFor(req)}`);
    },

    async end(req, res, claims) {
      res.append('Set-Cookie', `${cookie}=; ${attributesFor(req)}; Max-Age=0`);
      return !signIn || (await sessions.end(claims));
    },

    csrf: ({ id }) => tokens.csrf(id),
  };
}

function changes({ method }: Request): boolean {
  return method !== 'GET' && method !== 'HEAD';
}

/**
 * Of a look-up that the database did not answer: it says what works all the same, since whoever meets it is looking for
 * what is wrong. Throws what it is given where that is something else.
 */
export function orNotKnown(error: unknown): never {
  if (!(error instanceof StoreUnavailableError)) throw error;
  throw new HttpProblem(
    'session_not_known',
    'The audit database does not answer, and who may come in stands there: nothing was done. Try again when it is back; ' +
      'until then, on a machine with OUTBOX_DATABASE_URL, `outbox status`, `outbox dlq` and `outbox destinations` work without it',
    { cause: error, headers: { 'Retry-After': '5' } },
  );
}

/** One text for all of it: whether it was signed out, is too old or was never one is nobody's to know. */
function over(): HttpProblem {
  return new HttpProblem('session_ended', 'Expected somebody who is signed in; sign in again', {
    headers: { 'WWW-Authenticate': 'Bearer realm="audit"' },
  });
}

function readCookies(header: string | undefined, name: string): string[] {
  return (header ?? '').split(';').flatMap((pair) => {
    const [key = '', value = ''] = pair.trim().split('=', 2);
    return key === name && value !== '' ? [value] : [];
  });
}
