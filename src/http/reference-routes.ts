import { createHash } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';
import type { OpenApiDocument } from './openapi/document.js';
import { REFERENCE_STYLE } from './reference-style.js';
import { renderReference } from './render-reference.js';

const CACHE_CONTROL = 'public, max-age=300';

/** GET /openapi.json and GET /docs. Made once: they say what this process serves, and ask for no key. */
export function serveReference(document: OpenApiDocument): { document: RequestHandler; page: RequestHandler } {
  const json = JSON.stringify(document);
  const html = renderReference(document);
  // Stricter than helmet's default: no script, nothing fetched, one style known by its hash. It needs no second request,
  // which helmet's `upgrade-insecure-requests` would send to a port without TLS.
  const policy = helmet.contentSecurityPolicy({
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: [`'sha256-${hash(REFERENCE_STYLE, 'base64')}'`],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  });
  return {
    document: serve('application/json', json),
    page: (req, res, next) => policy(req, res, () => serve('text/html', html)(req, res, next)),
  };
}

/** Express answers 304 itself where If-None-Match has the ETag. */
function serve(type: string, text: string) {
  const etag = `"${hash(text, 'base64url')}"`;
  return (_req: Request, res: Response, _next: unknown): void => {
    res.set({ 'Cache-Control': CACHE_CONTROL, ETag: etag }).type(type).send(text);
  };
}

function hash(text: string, encoding: 'base64' | 'base64url'): string {
  return createHash('sha256').update(text).digest(encoding);
}
