import { catalogEntry, type ErrorCode } from '../../domain/delivery/error-catalog.js';
import { IntegrationError } from '../../domain/delivery/integration-error.js';

/**
 * What undici, Node's sockets, DNS and TLS throw, by their codes, where it is no failed connection. Messages are not looked
 * at, but for the two of undici that share a code with a reset connection; nor are they kept, since they may quote what was
 * sent.
 */
const CODES: ReadonlyMap<string, ErrorCode> = new Map([
  ...each('HTTP.TIMEOUT', [
    'UND_ERR_CONNECT_TIMEOUT',
    'UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_BODY_TIMEOUT',
    'ERR_TLS_HANDSHAKE_TIMEOUT',
  ]),
  // Two that the parser's family below would take; what is in no table at all is a failed connection, too: sockets' and
  // DNS's names are the system's (ECONNRESET, ENOTFOUND, …), undici's own are UND_ERR_SOCKET, UND_ERR_INFO and its aborts
  // (what we abort is known by its reason, create-http-client).
  ...each('HTTP.NETWORK', ['HPE_CLOSED_CONNECTION', 'HPE_INVALID_EOF_STATE']),
  ...each('HTTP.TLS', [
    'CERT_CHAIN_TOO_LONG',
    'CERT_HAS_EXPIRED',
    'CERT_NOT_YET_VALID',
    'CERT_REJECTED',
    'CERT_REVOKED',
    'CERT_SIGNATURE_FAILURE',
    'CERT_UNTRUSTED',
    'CRL_HAS_EXPIRED',
    'CRL_NOT_YET_VALID',
    'CRL_SIGNATURE_FAILURE',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'EPROTO',
    'ERROR_IN_CERT_NOT_AFTER_FIELD',
    'ERROR_IN_CERT_NOT_BEFORE_FIELD',
    'ERROR_IN_CRL_LAST_UPDATE_FIELD',
    'ERROR_IN_CRL_NEXT_UPDATE_FIELD',
    'HOSTNAME_MISMATCH',
    'INVALID_CA',
    'INVALID_PURPOSE',
    'PATH_LENGTH_EXCEEDED',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
    'UNABLE_TO_DECRYPT_CERT_SIGNATURE',
    'UNABLE_TO_DECRYPT_CRL_SIGNATURE',
    'UNABLE_TO_GET_CRL',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    // Node's word for a reason of OpenSSL's that it has no name for.
    'UNSPECIFIED',
  ]),
  ...each('HTTP.BAD_RESPONSE', ['UND_ERR_HEADERS_OVERFLOW', 'UND_ERR_RES_EXCEEDED_MAX_SIZE']),
  // The client was closed under the call: our own shutdown.
  ...each('DELIVERY.CANCELLED', ['UND_ERR_CLOSED', 'UND_ERR_DESTROYED']),
  // The request itself is malformed (a line break in a header, a URL that is none): the handler's fault.
  ...each('HANDLER.FAILED', [
    'UND_ERR_INVALID_ARG',
    'UND_ERR_INVALID_RETURN_VALUE',
    'UND_ERR_NOT_SUPPORTED',
    'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
  ]),
]);

/** OpenSSL's reasons, Node's refusals of what it is given and the HTTP parser's are families too large to list. */
const FAMILIES: readonly (readonly [prefix: string, code: ErrorCode])[] = [
  ['ERR_SSL_', 'HTTP.TLS'],
  ['ERR_TLS_', 'HTTP.TLS'],
  ['ERR_OSSL_', 'HTTP.TLS'],
  ['ERR_INVALID_', 'HANDLER.FAILED'],
  ['ERR_HTTP_INVALID_', 'HANDLER.FAILED'],
  ['ERR_UNESCAPED_', 'HANDLER.FAILED'],
  ['HPE_', 'HTTP.BAD_RESPONSE'],
];

/** How undici tells of an answer with status 100 or 101, with the code of a broken socket. */
const BAD_SOCKET_MESSAGES: readonly unknown[] = ['bad response', 'bad upgrade'];

/** How a peer refuses us after its half of a TLS 1.3 handshake, when the request may be under way already (RFC 8446, section 4.4.2.4). */
const REFUSED_BY_PEER = /_ALERT_(?:[A-Z_]*CERTIFICATE[A-Z_]*|UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)$/;

/**
 * The IntegrationError of whatever the transport threw. `sent`: the request had a connection by then, so that a broken TLS
 * record is a broken connection, after which the effect may stand, and no refused certificate. Something that carries no code is taken for a failed connection,
 * and is not kept as `cause`: it does not come from the transport, so nobody knows what it holds. Never throws.
 */
export function classifyTransportError(thrown: unknown, sent = false): IntegrationError {
  const at = findCode(thrown);
  if (at === null) return new IntegrationError('HTTP.NETWORK', { message: 'The transport failed without a code' });
  const known = lookUp(at);
  const found = known === 'HTTP.TLS' && sent && !REFUSED_BY_PEER.test(at.code) ? 'HTTP.NETWORK' : known;
  return new IntegrationError(found, { message: `${sentence(found)} (${at.code})`, cause: thrown });
}

interface Coded {
  readonly code: string;
  readonly message: unknown;
}

function lookUp({ code, message }: Coded): ErrorCode {
  if (code === 'UND_ERR_SOCKET' && BAD_SOCKET_MESSAGES.includes(message)) return 'HTTP.BAD_RESPONSE';
  const known = CODES.get(code) ?? FAMILIES.find(([prefix]) => code.startsWith(prefix))?.[1];
  return known ?? 'HTTP.NETWORK';
}

function sentence(code: ErrorCode): string {
  if (code === 'HANDLER.FAILED') return 'The request could not be sent as it is';
  return catalogEntry(code).message;
}

/** The first code along the causes: undici wraps, and so does Node where it tried several addresses. */
function findCode(thrown: unknown): Coded | null {
  let at: unknown = thrown;
  try {
    for (let depth = 0; depth < 5 && typeof at === 'object' && at !== null; depth++) {
      const { name, code, message, cause, errors } = at as Partial<Record<string, unknown>>;
      if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code)) return { code, message };
      // undici's parser leaves the code out where its table has none.
      if (name === 'HTTPParserError') return { code: 'HPE_UNKNOWN', message };
      at = cause ?? (Array.isArray(errors) ? errors[0] : undefined);
    }
  } catch {
    // A getter that throws: it does not come from the transport.
  }
  return null;
}

function each(code: ErrorCode, names: readonly string[]): (readonly [string, ErrorCode])[] {
  return names.map((name) => [name, code]);
}
