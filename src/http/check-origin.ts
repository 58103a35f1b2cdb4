import type { IncomingHttpHeaders } from 'node:http';
import { HttpProblem } from './problem.js';

/** What of a request tells which page made it. A page can set none of these itself. */
export type OriginHeaders = Pick<IncomingHttpHeaders, 'origin' | 'host' | 'sec-fetch-site'>;

export interface OriginCheck {
  /** Throws HttpProblem (403 foreign_origin) for what no page of ours has asked for. `changes`: of any method but GET and HEAD. */
  admit(headers: OriginHeaders, changes: boolean): void;
}

export interface OriginOptions {
  /** OUTBOX_MONITOR_URL; null: whatever address the browser used. */
  readonly monitorUrl: string | null;
  /**
   * Nobody signs in, so nothing but the address tells our page from one whose name was turned to this machine: only names
   * that nobody can turn are taken.
   */
  readonly signIn: boolean;
}

/**
 * Whether requests come from the monitor's own page. The cookie alone does not tell: a sibling of its host is of the same
 * site, and the cookie is sent with what that asks for.
 */
export function createOriginCheck({ monitorUrl, signIn }: OriginOptions): OriginCheck {
  const own = monitorUrl === null ? null : new URL(monitorUrl);
  return {
    admit(headers, changes) {
      const problem =
        (signIn ? null : findHostProblem(headers.host, own)) ??
        findSiteProblem(headers['sec-fetch-site'], changes) ??
        (changes ? findOriginProblem(headers, own) : null);
      if (problem !== null) throw new HttpProblem('foreign_origin', problem);
    },
  };
}

/** DNS rebinding: a foreign name that leads here is of the same origin as its own page. */
function findHostProblem(host: string | undefined, own: URL | null): string | null {
  const url = parse(`http://${host ?? ''}`);
  if (url !== null && (isLoopback(url.hostname) || url.hostname === own?.hostname)) return null;
  return 'Expected a request to a loopback address, or to that of OUTBOX_MONITOR_URL, where nobody signs in';
}

/** Sent by every browser of the last years (Fetch Metadata); `none` is a person's own address bar. */
function findSiteProblem(site: OriginHeaders['sec-fetch-site'], changes: boolean): string | null {
  if (site === undefined || site === 'same-origin' || (site === 'none' && !changes)) return null;
  return "Expected a request from the monitor's own page";
}

function findOriginProblem({ origin, host }: OriginHeaders, own: URL | null): string | null {
  if (origin === undefined) return 'Expected the header Origin, as browsers send it';
  if (origin === own?.origin) return null;
  // Behind a proxy that ends TLS the page is of https, and this server does not know.
  const asked = ['http', 'https'].flatMap((scheme) => parse(`${scheme}://${host ?? ''}`) ?? []);
  // This machine has several names, and all of them are its own.
  const named = asked.filter(({ hostname }) => own === null || (isLoopback(own.hostname) && isLoopback(hostname)));
  if (named.some((url) => url.origin === origin)) return null;
  const whose = own === null ? "to be the monitor's own" : `to be ${own.origin}, as OUTBOX_MONITOR_URL says`;
  return `Expected the header Origin ${whose}`;
}

/** Names that no resolver may lead elsewhere (RFC 6761, section 6.3), and addresses. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|([a-z0-9-]+\.)+localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(hostname);
}

function parse(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}
