/**
 * The world of a chaos run stands up and comes down: `node test/chaos/smoke.mjs` (built first). 200 events through all proxies,
 * a relay killed, PostgreSQL restarted at once, Temporal killed and started; nothing is lost, and nothing is left running.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { layOutOwnWorld } from './own-world.mjs';

const log = (line) => console.log(`${new Date().toISOString().slice(11, 23)} ${line}`);
const EVENTS = 200;

const laid = await layOutOwnWorld({ seed: 1, log });
try {
  const { world } = laid;
  const { fleet, producer, servers } = world;
  world.log(`up: ${fleet.members.map(({ name, pid }) => `${name} ${pid}`).join(', ')}`);
  const append = async (from, count) => {
    for (let n = from; n < from + count; n += 1) {
      await producer.append([
        {
          routingKey: n % 2 === 0 ? 'audit.log' : 'chaos.ledger',
          eventName: 'chaos.smoke.happened.v1',
          eventType: 'CHAOS',
          tenantId: 'tenant-1',
          aggregate: { type: 'chaos', id: String(n) },
          payload: { n, secret: world.canary },
        },
      ]);
    }
  };
  await append(0, EVENTS);
  await untilDelivered(world, EVENTS);
  log('200 delivered');

  const [relay] = fleet.of('relay');
  const killed = relay.kill('SIGKILL');
  await append(EVENTS, 20);
  await killed.nextReady(60_000);
  await untilDelivered(world, EVENTS + 20);
  log('a relay killed and back, 20 more delivered');

  await servers.postgres.restartImmediately();
  await Promise.all(fleet.members.map((member) => member.untilReady(60_000)));
  await append(EVENTS + 20, 20);
  await untilDelivered(world, EVENTS + 40);
  log('PostgreSQL restarted at once, 20 more delivered');

  await servers.temporal.kill();
  log('Temporal killed');
  await append(EVENTS + 40, 20);
  await servers.temporal.start();
  log('Temporal started');
  await untilDelivered(world, EVENTS + 60);
  log('Temporal back, 20 more delivered');
  log(`memory ${JSON.stringify([...(await fleet.memory())].map(([name, bytes]) => `${name} ${bytes >> 20} MiB`))}`);
  if (fleet.unwanted.length > 0) throw new Error(fleet.unwanted.join('\n'));
} finally {
  log('taking it down');
  const failed = await laid.close();
  for (const line of failed) console.error(line);
  if (laid.world.fleet.unwanted.length > 0) console.error(laid.world.fleet.unwanted.join('\n'));
  log('down');
}

async function untilDelivered(world, count) {
  const deadline = Date.now() + 120_000;
  for (;;) {
    const { rows } = await world.outbox
      .query(`SELECT status, count(*)::int AS n FROM outbox.delivery GROUP BY 1 ORDER BY 1`)
      .catch((error) => ({ rows: [{ status: String(error), n: 0 }] }));
    if (rows.length === 1 && rows[0].status === 'DELIVERED' && rows[0].n === count) return;
    if (Date.now() > deadline) throw new Error(`expected ${count} DELIVERED, got ${JSON.stringify(rows)}`);
    await sleep(100);
  }
}
