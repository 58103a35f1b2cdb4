/** The roles inside a program of our own, instead of `outbox run`: signals and the exit are ours then. */
import { createApi, createRelay, createWorker } from 'temporal-outbox';
import config from '../temporal-outbox.config.ts';

// Relay and worker each serve /live and /ready; in one process they cannot have the same port.
const environment = { ...process.env, OUTBOX_PROBE_PORT: '0' };
const api = await createApi(config);
const worker = await createWorker(config, { environment });
const relay = await createRelay(config, { environment });
console.log(JSON.stringify({ api: api.port, worker: worker.port, relay: relay.port }));

const asked = new Promise<number>((resolve) => {
  process.once('SIGINT', () => resolve(0));
  process.once('SIGTERM', () => resolve(0));
  Promise.race([api.failed, worker.failed, relay.failed]).catch((error: unknown) => {
    console.error(error);
    resolve(1);
  });
});
process.exitCode = await asked;
// Claiming first, then what runs, then what it is delivered to.
await relay.stop();
await worker.stop();
await api.stop();
