// The Temporal server on PostgreSQL as a process of its own, for tests: what it is made of is that of the bench.
//   node temporal-on-postgres.mjs programs            prints {"cli","sqlTool"}, built where they are not there yet
//   node temporal-on-postgres.mjs serve STORE FOLDER  on databases that have their schemas; prints {"address"}; until SIGTERM
import { startTemporalOnPostgres, temporalPrograms } from '../bench/temporal-on-postgres.mjs';

const [command, store, folder] = process.argv.slice(2);
const log = (line) => process.stderr.write(`${line}\n`);

if (command === 'programs') {
  const { cli, sqlTool } = await temporalPrograms(log);
  console.log(JSON.stringify({ cli, sqlTool }));
} else {
  const drop = async () => {}; // whoever made the databases
  const server = await startTemporalOnPostgres({ store: { ...JSON.parse(store), drop }, folder, log });
  process.once('SIGTERM', async () => {
    await server.stop();
    process.exit(0);
  });
  console.log(JSON.stringify({ address: server.address }));
  await server.failed;
}
