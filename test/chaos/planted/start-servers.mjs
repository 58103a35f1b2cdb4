import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../../dist/src/infrastructure/embedded/embedded-postgres.js';

/**
 * One PostgreSQL for all the runs of jest: each would start its own. None of the named runs needs Temporal, so none is
 * started; one that did would be refused at this address.
 */
export async function startServers(folder, { note }) {
  await chmod(folder, 0o755); // PostgreSQL runs as another user under root
  const dataDir = join(folder, 'postgres');
  const postgres = await startEmbeddedPostgres({ dataDir, port: 0, fsync: false, maxConnections: 400, note });
  return {
    environment: { TEST_POSTGRES_URL: postgres.url('postgres'), TEST_TEMPORAL_ADDRESS: '127.0.0.1:1' },
    stop: () => postgres.stop(),
  };
}
