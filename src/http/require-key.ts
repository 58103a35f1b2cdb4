import type { Request, Response } from 'express';
import type { AuthenticateApiKey, Authenticated } from '../application/audit/authenticate-api-key.js';
import { HttpProblem } from './problem.js';

/** Who asks, by the API key in Authorization and nothing else. Throws HttpProblem (401). */
export async function requireKey(
  authenticate: AuthenticateApiKey,
  req: Request,
  res: Response,
): Promise<Authenticated> {
  const presented = /^Bearer ([\x21-\x7e]+)$/i.exec(req.headers.authorization ?? '')?.[1];
  const caller = presented === undefined ? null : await authenticate(presented);
  if (caller === null) {
    const challenge = presented === undefined ? 'Bearer realm="audit"' : 'Bearer realm="audit", error="invalid_token"';
    throw new HttpProblem('unauthorized', 'Expected the header Authorization with a valid API key', {
      headers: { 'WWW-Authenticate': challenge },
    });
  }
  res.locals.keyId = caller.key.id;
  return caller;
}

/** Throws HttpProblem (403) naming the scope. */
export function requireScope(granted: boolean, scope: string): void {
  if (!granted) throw new HttpProblem('scope_missing', `Expected an API key with the scope ${scope}`);
}
