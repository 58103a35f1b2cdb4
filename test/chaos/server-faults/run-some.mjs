/**
 * Faults one after another on a world of their own, by hand (built first): `node test/chaos/server-faults/run-some.mjs F9,F7 [long]`.
 */
import { seededRandom } from '../../../dist/src/main/dev/seeded-random.js';
import { layOutOwnWorld } from '../own-world.mjs';
import { describeDeliveries } from './append-own.mjs';
import { SERVER_FAULTS } from './index.mjs';

const SEED = 9;
const RATE = 10;
const WARM_MS = 3_000;

const [ids = '', length = 'short'] = process.argv.slice(2);
const faults = ids.split(',').map((id) => {
  const fault = SERVER_FAULTS.find((one) => one.id === id);
  if (fault === undefined) throw new Error(`expected of ${SERVER_FAULTS.map((one) => one.id).join(', ')}, got "${id}"`);
  return fault;
});
const log = (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);

const laid = await layOutOwnWorld({ seed: SEED, log });
const { world } = laid;
const { producer, fleet } = world;
const random = seededRandom(SEED);
try {
  for (const fault of faults) await tryOne(fault);
} finally {
  for (const line of await laid.close()) log(`LEFT ${line}`);
  if (fleet.unwanted.length > 0) process.exitCode = 1;
  for (const line of fleet.unwanted) log(`UNWANTED ${line}`);
  log('down');
}

async function tryOne(fault) {
  const durationMs = fault.duration(random, length !== 'long');
  producer.rate(RATE);
  await new Promise((resolve) => setTimeout(resolve, WARM_MS));
  log(`${fault.id} ${fault.title}: ${durationMs} ms at ${RATE} events a second`);
  const begun = Date.now();
  const outcome = await fault.inject(world, { random, signal: new AbortController().signal, durationMs });
  log(`took ${Date.now() - begun} ms, healed after ${outcome.healedAt - begun} ms, happened ${outcome.happened}`);
  log(outcome.what);
  for (const problem of outcome.problems) log(`PROBLEM ${problem}`);
  producer.rate(0);
  const open = await openAtTheEnd(world);
  if (open.length > 0) log(`OPEN ${await describeDeliveries(world, open)}`);
  log(`${open.length} open of ${producer.committed} committed; refused ${JSON.stringify([...producer.refused])}`);
  if (outcome.happened === 0 || outcome.problems.length > 0 || open.length > 0) process.exitCode = 1;
}

/** Those that are still open once they had a minute. */
async function openAtTheEnd({ outbox }) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { rows } = await outbox.query("SELECT event_id FROM outbox.delivery WHERE status IN ('PENDING', 'STARTED')");
    if (rows.length === 0 || Date.now() > deadline) return rows.map(({ event_id }) => event_id);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
