import type { Request, Response } from 'express';
import { PasswordsBusyError } from '../application/audit/monitor/hash-password.js';
import type { SignInOutcome, SignInUse } from '../application/audit/monitor/sign-in.js';
import type { AnswerOf } from '../contract/answers.js';
import { AUDIT_LIMITS, toFieldProblems } from '../contract/audit-dto.js';
import { findUnstorable } from '../contract/json-value.js';
import { type SignIn, type sessionSchema, type signedOutSchema, signInSchema } from '../contract/monitor-api.js';
import { mayRead, mayReadFailed, mayWriteFailed, tenantToRead } from '../domain/audit/api-key.js';
import type { FailedSignIns, SignInTry } from './failed-sign-ins.js';
import type { Logger } from './logger.js';
import { HttpProblem } from './problem.js';
import { readBody } from './read-body.js';
import { parseBody, readMediaType, unsupported } from './read-json.js';
import { orNotKnown, type SessionGate, type Visitor } from './session-gate.js';

/** What the page is told beside who is signed in. */
export interface AboutMonitor {
  /** Of the package. */
  readonly version: string;
  readonly temporalUi: string | null;
  /** Of Temporal, as relays and workers tell of it; null: none has. Never rejects, and answers in time. */
  readonly readNamespace: () => Promise<string | null>;
}

export interface SessionRouteDeps {
  readonly sessions: SessionGate;
  readonly signIn: SignInUse;
  readonly limits: FailedSignIns;
  readonly about: AboutMonitor;
  readonly log: Logger;
}

/** Nobody is known yet, so nobody may send much. */
const SIGN_IN_BYTES = 4 * 1024;
const RETRY = { 'Retry-After': '1' };

/** GET /monitor/session: who is signed in. */
export function getSession(deps: SessionRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    res.json(await describe(deps, await deps.sessions.admit(req, res)));
  };
}

/** POST /monitor/session: signs in, by an API key, a name and its password, or a link. Answers as GET does. */
export function postSession(deps: SessionRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { sessions, log } = deps;
    sessions.admitSignIn(req);
    const asked = await readSignIn(req);
    const address = req.socket.remoteAddress ?? '';
    const tried: SignInTry = {
      address,
      cameBefore: sessions.cameBefore(req),
      name: 'name' in asked ? asked.name : null,
      key: 'key' in asked ? asked.key : null,
    };
    const told = { event: 'monitor.sign_in', requestId: res.locals.requestId, kind: kindOf(asked), address };
    const tell = (outcome: string, name: string | null) =>
      log.info({ ...told, outcome, name }, 'somebody asked to sign in');
    // Of somebody there is: what was typed as a name may be a password.
    let whose: string | null = null;
    try {
      const outcome = await look(deps, asked, tried);
      if (outcome.kind === 'refused') whose = outcome.name;
      const { claims, identity, now } = orProblem(outcome);
      const answer = await describe(deps, { claims, identity, checked: true, now });
      res.locals.keyId = identity.key.id;
      tell('signed-in', identity.name);
      sessions.begin(req, res, claims);
      res.json(answer);
    } catch (error) {
      tell(error instanceof HttpProblem ? error.code : 'failed', whose);
      throw error;
    }
  };
}

/** Within what may be tried. Throws HttpProblem (429, 503). */
async function look({ signIn, limits }: SessionRouteDeps, asked: SignIn, tried: SignInTry): Promise<SignInOutcome> {
  await limits.admit(tried);
  try {
    const outcome = await signIn(asked, tried.cameBefore !== null);
    if (outcome.kind !== 'refused') await limits.held(tried);
    return outcome;
  } catch (error) {
    const busy = error instanceof PasswordsBusyError;
    await limits.notLookedAt(tried, busy);
    if (!busy) return orNotKnown(error);
    throw new HttpProblem('overloaded', 'Too many people sign in at once; try again', { headers: RETRY });
  }
}

/** DELETE /monitor/session: signs out. 204; 200 where only this process and this browser know of it. */
export function deleteSession({ sessions, log }: SessionRouteDeps, endStreams: (sessionId: string) => void) {
  return async (req: Request, res: Response): Promise<void> => {
    const claims = sessions.verify(req);
    const ended = await sessions.end(req, res, claims);
    // One that all share is nobody's to end.
    if (!sessions.shared) endStreams(claims.id);
    log.info({ event: 'monitor.sign_out', requestId: res.locals.requestId, ended }, 'somebody signed out');
    if (ended) res.status(204).end();
    else res.json({ ended: false } satisfies AnswerOf<typeof signedOutSchema>);
  };
}

async function readSignIn(req: Request): Promise<SignIn> {
  if (readMediaType(req) !== 'application/json') throw unsupported('application/json');
  const { value } = parseBody(await readBody(req, SIGN_IN_BYTES), AUDIT_LIMITS.depth);
  const parsed = signInSchema.safeParse(value);
  const unstorable = findUnstorable(value, AUDIT_LIMITS.problems);
  if (parsed.success && unstorable.length === 0) return parsed.data;
  const errors = parsed.success ? unstorable : [...unstorable, ...toFieldProblems(parsed.error)];
  throw new HttpProblem('invalid_request', 'Expected {"key"}, {"name", "password"} or {"link"}', { errors });
}

function kindOf(asked: SignIn): 'key' | 'password' | 'link' {
  if ('key' in asked) return 'key';
  return 'link' in asked ? 'link' : 'password';
}

function orProblem(outcome: SignInOutcome): Extract<SignInOutcome, { kind: 'signed-in' }> {
  switch (outcome.kind) {
    case 'signed-in':
      return outcome;
    case 'refused':
      throw new HttpProblem('unauthorized', 'Expected an API key, or a name and password, or a link that holds', {
        headers: { 'WWW-Authenticate': 'Bearer realm="audit"' },
      });
    case 'may-not':
      throw new HttpProblem(
        'scope_missing',
        outcome.why === 'scopes'
          ? 'Expected an API key with the scope dlq:read, dlq:write, audit:read or audit:read:any-tenant'
          : 'Expected an API key whose requests need no signature: no page can sign them',
      );
  }
}

async function describe(
  { sessions, about }: SessionRouteDeps,
  { claims, identity, checked }: Visitor,
): Promise<AnswerOf<typeof sessionSchema>> {
  const { key, actor, name, role } = identity;
  return {
    actor,
    name,
    role,
    may: {
      readDelivery: mayReadFailed(key),
      changeDelivery: mayWriteFailed(key),
      readRecords: mayRead(key),
      readAnyTenant: tenantToRead(key, undefined) === null,
    },
    tenantId: key.tenantId,
    endsAt: new Date(claims.endsAt).toISOString(),
    checked,
    csrf: sessions.csrf(claims),
    links: { temporalUi: about.temporalUi, namespace: await about.readNamespace() },
    version: about.version,
  };
}
