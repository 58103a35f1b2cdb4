import type { IncomingMessage } from 'node:http';
import type { Request, Response } from 'express';
import type { AuthenticateApiKey, Authenticated } from '../application/audit/authenticate-api-key.js';
import { hasSameRights, type SessionIdentity } from '../application/audit/monitor/session-identity.js';
import type { SignedRequest } from '../application/audit/verify-signature.js';
import { AUDIT_LIMITS } from '../contract/audit-dto.js';
import type { FailedKeys } from './failed-keys.js';
import type { InFlight } from './in-flight.js';
import type { KeyLimits } from './key-limits.js';
import { HttpProblem } from './problem.js';
import { readBody } from './read-body.js';
import type { SessionGate } from './session-gate.js';

/** Who may come in, and how much each may send. */
export interface Gate {
  readonly authenticate: AuthenticateApiKey;
  readonly keyLimits: KeyLimits;
  readonly failedKeys: FailedKeys;
  readonly inFlight: InFlight;
  /** Of the monitor; left out: it is not there. */
  readonly sessions?: SessionGate;
}

export interface Caller extends Authenticated {
  /** As it stands in what is recorded of a change: `api-key:<id>`, or `user:<name>` of the monitor. */
  readonly actor: string;
  /** Who is signed in; null: it is an API key itself. */
  readonly identity: SessionIdentity | null;
  /**
   * For what takes minutes: false once the session that asked is over, or may no more what it might; as it was found within
   * five seconds. Of an API key always true: it is looked at with each request, and an answer under way is not cut.
   */
  stands(): Promise<boolean>;
  /** Counts events of the request beyond its first one against the key's rate. */
  charge(events: number): Promise<void>;
}

/**
 * Who asks: by the API key in Authorization and, where the key needs one, the signature; without one by a session of the
 * monitor, whose key here has the scopes of the session. What a browser sends for a proxy's own sign-in (`Basic …`) is no key. Every request counts as one event, and is in flight until its
 * answer was taken; one that is refused here is not, so that without a key nobody holds a place. Throws HttpProblem: 401,
 * 403 (of sessions), 429, 503, and for a signed one what reading its body throws.
 */
export async function requireKey(gate: Gate, req: Request, res: Response): Promise<Caller> {
  const bearer = /^Bearer(?: |$)/i.test(req.headers.authorization ?? '');
  if (!bearer && gate.sessions?.concerns(req)) {
    return requireSession(gate, gate.sessions, req, res);
  }
  const presented = /^Bearer ([\x21-\x7e]+)$/i.exec(req.headers.authorization ?? '')?.[1];
  if (presented === undefined) throw unauthorized('Bearer realm="audit"');
  const address = req.socket.remoteAddress ?? '';
  await gate.failedKeys.admit(address, presented);
  const leave = gate.inFlight.enter(res);
  try {
    const caller = await gate.authenticate(presented, (keyId) => gate.inFlight.unproven(keyId, () => readSigned(req)));
    if (typeof caller === 'string') {
      await gate.failedKeys.failed(address, presented, caller);
      throw unauthorized('Bearer realm="audit", error="invalid_token"');
    }
    gate.failedKeys.held(presented);
    res.locals.keyId = caller.key.id;
    await gate.keyLimits.admit(caller.key, res);
    gate.inFlight.share(caller.key, res);
    return {
      ...caller,
      actor: `api-key:${caller.key.id}`,
      identity: null,
      stands: async () => true,
      charge: (events) => gate.keyLimits.charge(caller.key, events, res),
    };
  } catch (error) {
    leave();
    throw error;
  }
}

async function requireSession(gate: Gate, sessions: SessionGate, req: Request, res: Response): Promise<Caller> {
  const leave = gate.inFlight.enter(res);
  try {
    const { claims, identity, now } = await sessions.admit(req, res);
    const { key, actor } = identity;
    res.locals.keyId = key.id;
    // A rate of its own, the usual one: a page that looks at everything leaves the key what it sends by.
    // One for all sessions of a person, who may sign in as often as they like.
    const rated = { ...key, id: `sessions of ${key.id}`, ratePerMinute: null };
    await gate.keyLimits.admit(rated, res);
    gate.inFlight.share(key, res);
    return {
      key,
      now,
      actor,
      identity,
      stands: async () => {
        const latest = await sessions.lookAgain(claims);
        return latest !== null && hasSameRights(latest, identity);
      },
      charge: (events) => gate.keyLimits.charge(rated, events, res),
    };
  } catch (error) {
    leave();
    throw error;
  }
}

/** Throws HttpProblem (403) naming the scope. */
export function requireScope(granted: boolean, scope: string): void {
  if (!granted) throw new HttpProblem('scope_missing', `Expected an API key with the scope ${scope}`);
}

/** Of a header that came twice none is taken: Node joins them, and no part of a signature has a comma and a space. */
async function readSigned(req: IncomingMessage): Promise<SignedRequest> {
  const header = (name: string) => {
    const value = req.headers[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    id: header('webhook-id'),
    timestamp: header('webhook-timestamp'),
    signature: header('webhook-signature'),
    body: await readBody(req, AUDIT_LIMITS.batchBytes),
  };
}

/** One text for all of it: whether a key is unknown, revoked or its signature wrong is nobody's to know. */
function unauthorized(challenge: string): HttpProblem {
  return new HttpProblem(
    'unauthorized',
    'Expected the header Authorization with a valid API key, and a signature if it needs one',
    {
      headers: { 'WWW-Authenticate': challenge },
    },
  );
}
