/** Whether a database's URL still leads there when its host and port are those of a proxy on this machine. */
import pg from 'pg';
import { StartRefusedError } from '../start-refused-error.js';

/** `variable`: what the URL is from. @throws StartRefusedError with what does; nothing is connected to */
export function refuseUnproxied(variable: string, url: string): void {
  const reason = whyUnproxied(url);
  if (reason === null) return;
  throw new StartRefusedError(
    `${variable}: the roles of a verification reach PostgreSQL through a proxy on 127.0.0.1, and ${reason}. Nothing was made`,
  );
}

/** null: it does. */
export function whyUnproxied(url: string): string | null {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const inQuery = ['host', 'hostaddr', 'port'].filter((name) => parsed?.searchParams.has(name));
  if (parsed === null || !/^[^,/%]+$/.test(parsed.hostname) || inQuery.length > 0) {
    return 'that needs a URL with one host and one port: postgresql://user@db.example.com:5432/name, no socket, no list, no host= or port= behind the ?';
  }
  if (!comparesName(url)) return null;
  return (
    'its encryption compares the name in the certificate with the host, which is that of the proxy then (Node’s driver does so for ' +
    'sslmode=prefer, require, verify-ca and verify-full, and for PGSSLMODE): use one that encrypts and compares no name, ' +
    '?sslmode=no-verify or ?uselibpqcompat=true&sslmode=require'
  );
}

/** By the driver's own reading of the URL and of PGSSLMODE. */
function comparesName(url: string): boolean {
  const { ssl } = new pg.Client({ connectionString: url }) as unknown as { ssl: SslOptions };
  if (typeof ssl !== 'object') return Boolean(ssl);
  return ssl.rejectUnauthorized !== false && ssl.checkServerIdentity === undefined;
}

type SslOptions = boolean | { readonly rejectUnauthorized?: boolean; readonly checkServerIdentity?: unknown };
