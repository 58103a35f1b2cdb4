/** The roles inside a program of our own, instead of `outbox run`: signals and the exit are ours then. */
import { createRoles } from 'temporal-outbox';
import config from '../temporal-outbox.config.ts';

const roles = await createRoles(['api', 'relay', 'worker'], config);
console.log(JSON.stringify({ api: roles.apiPort, probes: roles.probePort }));

process.exitCode = await new Promise<number>((resolve) => {
  process.once('SIGINT', () => resolve(0));
  process.once('SIGTERM', () => resolve(0));
  roles.failed.catch((error: unknown) => {
    console.error(error);
    resolve(1);
  });
});
await roles.stop();
