/** One fault on a world of its own, by hand: `node test/chaos/server-faults/run-one.mjs F9 [long]` (built first). */
import { seededRandom } from '../../../dist/src/main/dev/seeded-random.js';
import { layOutOwnWorld } from '../own-world.mjs';
import { SERVER_FAULTS } from './index.mjs';

const [id, length = 'short'] = process.argv.slice(2);
const fault = SERVER_FAULTS.find((one) => one.id === id);
if (fault === undefined) throw new Error(`expected one of ${SERVER_FAULTS.map((one) => one.id).join(', ')}, got ${id}`);
const log = (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
const RATE = 10;

const laid = await layOutOwnWorld({ seed: 9, log });
const { world } = laid;
try {
  const random = seededRandom(9);
  const durationMs = fault.duration(random, length === 'short');
  world.producer.rate(RATE);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  log(`${fault.id} ${fault.title}: ${durationMs} ms at ${RATE} events a second`);
  const begun = Date.now();
  const outcome = await fault.inject(world, { random, signal: new AbortController().signal, durationMs });
  log(`took ${Date.now() - begun} ms, healed after ${outcome.healedAt - begun} ms, happened ${outcome.happened}`);
  log(outcome.what);
  for (const problem of outcome.problems) log(`PROBLEM ${problem}`);
  world.producer.rate(0);
  log(
    `${await openAtTheEnd(world)} open of ${world.producer.committed} committed; refused ${JSON.stringify([...world.producer.refused])}`,
  );
  for (const line of world.fleet.unwanted) log(`UNWANTED ${line}`);
  if (outcome.happened === 0 || outcome.problems.length > 0) process.exitCode = 1;
} finally {
  for (const line of await laid.close()) log(`LEFT ${line}`);
  for (const line of world.fleet.unwanted) log(`UNWANTED ${line}`);
  log('down');
}

/** How many are still open once they had a minute. */
async function openAtTheEnd({ outbox }) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { rows } = await outbox.query(
      "SELECT count(*)::int AS n FROM outbox.delivery WHERE status IN ('PENDING', 'STARTED')",
    );
    if (rows[0].n === 0 || Date.now() > deadline) return rows[0].n;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
