/**
 * Keeps notices out of the networks around us (server-side request forgery): the address of a channel comes from
 * configuration, and where its name leads from DNS. Judged when it is configured, and again for every connection, on the
 * very address that is connected to, so that a name that leads elsewhere by then (DNS rebinding) finds no way in.
 */
import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from './public-address.js';

export interface Guard {
  /** As a URL spells them: lower case, IPv6 in brackets. They may be anywhere, and may be spoken to by plain http. */
  readonly allowHosts: readonly string[];
  readonly lookup: LookupFunction;
}

/** Its code travels as the cause of what the HttpClient throws. */
export const REFUSED_CODE = 'ERR_ADDRESS_REFUSED';

export class RefusedAddressError extends Error {
  override readonly name = 'RefusedAddressError';
  readonly code = REFUSED_CODE;

  constructor(host: string) {
    super(`${host} leads into a network that is not public; allowHosts: ['${host}'] would let it pass`);
  }
}

/** What is wrong with a URL by itself, without asking DNS; null: nothing. */
export function findUrlProblem(value: unknown, allowHosts: readonly string[]): string | null {
  if (typeof value !== 'string' || !URL.canParse(value)) return 'expected an absolute https URL';
  const { protocol, hostname, username, password } = new URL(value);
  const allowed = allowHosts.includes(hostname);
  if (protocol !== 'https:' && !(protocol === 'http:' && allowed)) {
    return 'expected https; plain http is for hosts that allowHosts names';
  }
  if (username !== '' || password !== '') return 'expected no user or password in it';
  if (allowed) return null;
  const name = hostname.replace(/\.$/, '');
  const refused = isIP(toAddress(name)) === 0 ? isLocalName(name) : !isPublicAddress(toAddress(name));
  return refused ? `expected a public host; a private network's must be named in allowHosts: ['${hostname}']` : null;
}

/** Where the name leads today; null: somewhere public, or nobody knows. */
export async function findResolvedProblem(url: string, guard: Guard, signal: AbortSignal): Promise<string | null> {
  const { hostname } = new URL(url);
  if (guard.allowHosts.includes(hostname)) return null;
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(null);
    signal.addEventListener('abort', () => resolve(null), { once: true });
    guardLookup(guard)(hostname, { all: true }, (error) =>
      resolve(error?.code === REFUSED_CODE ? `expected a public host: ${error.message}` : null),
    );
  });
}

/** One address that is not public spoils all of them: which one a connection takes is not ours to choose. */
export function guardLookup({ lookup }: Guard): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      const addresses = found as unknown as LookupAddress[];
      if (error !== null) return callback(error, []);
      if (!addresses.every(({ address }) => isPublicAddress(address))) {
        return callback(new RefusedAddressError(hostname), []);
      }
      const [first] = addresses;
      if (options.all === true || first === undefined) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

function toAddress(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '');
}

/** RFC 6761: always this machine. */
function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}
