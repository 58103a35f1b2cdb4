import { readSqlState } from './sql-states.js';

/**
 * What a failed call says of the database, in one line, and whether waiting may mend it. Reads through what pg, Prisma and
 * our own errors wrap around each other. For starts and commands: a running role takes all of it for an outage.
 */
export interface DatabaseTrouble {
  /**
   * `away`: not there yet, starting, full, or cut off. `refused`: it answers, and will go on refusing (password, name of
   * the database, rights, TLS). `unmigrated`: a table, column or function of ours is missing.
   */
  readonly kind: 'away' | 'refused' | 'unmigrated';
  /** The server's own sentence, or the driver's. */
  readonly reason: string;
}

/** null: not about the database. */
export function readDatabaseTrouble(error: unknown): DatabaseTrouble | null {
  const chain = unwrap(error);
  for (const { state, message } of chain) {
    if (state === null) continue;
    const { kind } = readSqlState(state);
    return kind === 'ours' ? null : { kind, reason: message };
  }
  const refused = chain.find(({ message, code, tls }) => tls || TLS_CODE.test(code) || REFUSED_TEXT.test(message));
  if (refused !== undefined) return { kind: 'refused', reason: refused.message };
  const away = chain.some(({ code, message }) => AWAY_CODE.test(code) || AWAY_TEXT.test(message));
  // The innermost words are the network's own.
  return away
    ? { kind: 'away', reason: chain.findLast(({ message }) => message !== '')?.message ?? 'no answer' }
    : null;
}

/** Node's and OpenSSL's names for a certificate that is not accepted. */
const TLS_CODE =
  /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_|ERR_SSL_|HOSTNAME_)/;
/** pg 8: no code of their own. SASL: no password given, or none that fits. */
const REFUSED_TEXT = /^SASL: |does not support SSL/;
/** Node's network, Prisma's connection, our own store. */
const AWAY_CODE = /^(ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOST|ENET|EPIPE|P1\d{3}$|STORE\.UNAVAILABLE$)/;
/** pg 8 on a connection that does not come or breaks. */
const AWAY_TEXT = /^(timeout|Connection terminated|Query read timeout)/;

interface Link {
  readonly message: string;
  readonly code: string;
  /** SQLSTATE. */
  readonly state: string | null;
  readonly tls: boolean;
}

function unwrap(error: unknown): Link[] {
  const links: Link[] = [];
  let next: unknown[] = [error];
  while (next.length > 0 && links.length < 12) {
    const found = next.filter((item) => typeof item === 'object' && item !== null) as Wrapped[];
    links.push(...found.map(toLink));
    // Several addresses of one host fail as one AggregateError; Prisma keeps the driver's words under `meta`.
    next = found.flatMap((item) => [
      item.meta?.driverAdapterError?.cause,
      item.cause,
      ...(item.errors ?? []).slice(0, 2),
    ]);
  }
  return links;
}

interface Wrapped {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly originalCode?: unknown;
  readonly originalMessage?: unknown;
  readonly kind?: unknown;
  readonly reason?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown[];
  readonly meta?: { readonly driverAdapterError?: { readonly cause?: unknown } };
}

function toLink(item: Wrapped): Link {
  const code = typeof item.code === 'string' ? item.code : '';
  const state = typeof item.originalCode === 'string' ? item.originalCode : code;
  return {
    message: lastLine(item.originalMessage ?? item.reason ?? item.message),
    code,
    // All those of the standard's that we know begin with a digit; Node's and Prisma's codes with a letter.
    state: /^\d[0-9A-Z]{4}$/.test(state) ? state : null,
    tls: item.kind === 'TlsConnectionError',
  };
}

/** Prisma puts an empty line, the call and its place in front. */
function lastLine(text: unknown): string {
  const lines = String(text ?? '').split('\n');
  return (lines.findLast((line) => line.trim() !== '') ?? '').trim().slice(0, 300);
}
