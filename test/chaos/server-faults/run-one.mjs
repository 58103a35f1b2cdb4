/** One fault on a world of its own, by hand: `node test/chaos/server-faults/run-one.mjs F9 [long | events of F27]` (built first). */
import { seededRandom } from '../../../dist/src/main/dev/seeded-random.js';
import { layOutOwnWorld } from '../own-world.mjs';
import { describeDeliveries } from './append-own.mjs';
import { longBacklog, SERVER_FAULTS } from './index.mjs';

const DRAIN_WITHIN_MS = 3 * 3_600_000;
const [id, length = 'short'] = process.argv.slice(2);
const faults = [...SERVER_FAULTS, longBacklog({ events: Number(length) || 5_000, drainWithinMs: DRAIN_WITHIN_MS })];
const fault = faults.find((one) => one.id === id);
if (fault === undefined) throw new Error(`expected one of ${faults.map((one) => one.id).join(', ')}, got ${id}`);
const log = (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
const RATE = 10;

const laid = await layOutOwnWorld({ seed: 9, log });
const { world } = laid;
try {
  const random = seededRandom(9);
  const durationMs = fault.duration(random, length !== 'long');
  world.producer.rate(RATE);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  log(`${fault.id} ${fault.title}: ${durationMs} ms at ${RATE} events a second`);
  const begun = Date.now();
  const outcome = await fault.inject(world, { random, signal: new AbortController().signal, durationMs });
  log(`took ${Date.now() - begun} ms, healed after ${outcome.healedAt - begun} ms, happened ${outcome.happened}`);
  log(outcome.what);
  for (const problem of outcome.problems) log(`PROBLEM ${problem}`);
  world.producer.rate(0);
  const open = await openAtTheEnd(world);
  if (open.length > 0) log(`OPEN ${await describeDeliveries(world, open)}`);
  log(
    `${open.length} open of ${world.producer.committed} committed; refused ${JSON.stringify([...world.producer.refused])}`,
  );
  for (const line of world.fleet.unwanted) log(`UNWANTED ${line}`);
  if (outcome.happened === 0 || outcome.problems.length > 0) process.exitCode = 1;
} finally {
  for (const line of await laid.close()) log(`LEFT ${line}`);
  for (const line of world.fleet.unwanted) log(`UNWANTED ${line}`);
  log('down');
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
