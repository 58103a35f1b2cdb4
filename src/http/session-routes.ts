import type { Request, Response } from 'express';
import { PasswordsBusyError } from '../application/audit/monitor/hash-password.js';
import type { SignInOutcome, SignInUse } from '../application/audit/monitor/sign-in.js';
import type { AnswerOf } from '../contract/answers.js';
import { AUDIT_LIMITS, toFieldProblems } from '../contract/audit-dto.js';
import { findUnstorable } from '../contract/json-value.js';
import { type SignIn, type sessionSchema, type signedOutSchema, signInSchema } from '../contract/monitor-api.js';
import { mayRead, mayReadFailed, mayWriteFailed, tenantToRead } from '../domain/audit/api-key.js';
import type { FailedKeys } from './failed-keys.js';
import type { FailedNames } from './failed-names.js';
import type { Logger } from './logger.js';
import { HttpProblem } from './problem.js';
import { readBody } from './read-body.js';
import { parseBody, readMediaType, unsupported } from './read-json.js';
import type { SessionGate, Visitor } from './session-gate.js';

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
  readonly limits: { readonly addresses: FailedKeys; readonly names: FailedNames };
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
    const { sessions, limits, log } = deps;
    sessions.admitSignIn(req);
    const asked = await readSignIn(req);
    const address = req.socket.remoteAddress ?? '';
    const kind = kindOf(asked);
    const told = { event: 'monitor.sign_in', requestId: res.locals.requestId, kind, address };
    const tell = (outcome: string, name: string | null) =>
      log.info({ ...told, outcome, name }, 'somebody asked to sign in');
    // Of somebody there is: what was typed as a name may be a password.
    let whose: string | null = null;
    try {
      // Only keys are remembered as ones that hold: of a password nothing stays here.
      const presented = 'key' in asked ? asked.key : '';
      await limits.addresses.admit(address, presented);
      if ('name' in asked) await limits.names.admit(asked.name);
      const outcome = await deps.signIn(asked);
      if (outcome.kind === 'refused') {
        whose = outcome.name;
        await limits.addresses.failed(address, presented, 'no_key');
      } else {
        if ('key' in asked) limits.addresses.held(presented);
        if ('name' in asked) await limits.names.held(asked.name);
      }
      const { claims, identity, now } = orProblem(outcome);
      const answer = await describe(deps, { claims, identity, checked: true, now });
      res.locals.keyId = identity.key.id;
      tell('signed-in', identity.name);
      sessions.begin(res, claims);
      res.json(answer);
    } catch (error) {
      tell(error instanceof HttpProblem ? error.code : 'failed', whose);
      // What could not be looked at was no wrong password.
      if ('name' in asked && !(error instanceof HttpProblem)) await limits.names.held(asked.name);
      if (!(error instanceof PasswordsBusyError)) throw error;
      throw new HttpProblem('overloaded', 'Too many people sign in at once; try again', { headers: RETRY });
    }
  };
}

/** DELETE /monitor/session: signs out. 204; 200 where only this process and this browser know of it. */
export function deleteSession({ sessions, log }: SessionRouteDeps, endStreams: (sessionId: string) => void) {
  return async (req: Request, res: Response): Promise<void> => {
    const claims = sessions.verify(req);
    const ended = await sessions.end(res, claims);
    endStreams(claims.id);
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
