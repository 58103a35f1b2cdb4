import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { type Guard, guardLookup, RefusedAddressError } from './guard.js';
import { isPublicAddress } from './public-address.js';

/** For undici: judges a literal address, and the addresses that a name leads to, which are the ones then connected to. */
export function guardedConnect(guard: Guard, timeoutMs: number): buildConnector.connector {
  const connectAllowed = buildConnector({ timeout: timeoutMs, allowH2: false, lookup: guard.lookup });
  const connectGuarded = buildConnector({ timeout: timeoutMs, allowH2: false, lookup: guardLookup(guard) });
  return (options, callback) => {
    const { hostname: host } = options; // undici has taken the brackets off
    if (guard.allowHosts.includes(isIP(host) === 6 ? `[${host}]` : host)) {
      connectAllowed(options, callback);
      return;
    }
    if (isIP(host) !== 0 && !isPublicAddress(host)) {
      callback(new RefusedAddressError(host), null);
      return;
    }
    connectGuarded(options, callback);
  };
}
