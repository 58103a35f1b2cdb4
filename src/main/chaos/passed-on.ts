/** What reaches the roles of a verification from the environment it was called in: how to get in, and nothing else. */
import type { Environment } from '../../infrastructure/config/load-settings.js';
import type { TemporalTarget } from '../../infrastructure/temporal/connect-temporal.js';

/**
 * Temporal's variables, PostgreSQL's own (PGPASSWORD, PGPASSFILE, PGSSLMODE), a certificate authority. Never a task queue or a
 * worker's version of the deployment's: they would mix the two.
 */
const PASSED_ON = /^(TEMPORAL_.*|OUTBOX_SEARCH_ATTRIBUTE(S|_PREFIX)|PG[A-Z_]+|NODE_EXTRA_CA_CERTS)$/;

export function passedOn(
  environment: Environment,
  { address, connectionOptions }: Pick<TemporalTarget, 'address' | 'connectionOptions'>,
): Record<string, string> {
  const taken = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '' && PASSED_ON.test(entry[0]),
  );
  // Through a proxy on this machine the certificate is still the server's own.
  const name = connectionOptions.tls ? { TEMPORAL_TLS_SERVER_NAME: address.replace(/:\d+$/, '') } : {};
  return { ...name, ...Object.fromEntries(taken) };
}
