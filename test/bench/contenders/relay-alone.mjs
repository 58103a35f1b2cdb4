/**
 * Our relay alone: the real loop and store on a real outbox with real events. Two ends are stubs, since nothing else may be
 * measured: the starter answers "started" at once, and a settler stands in for the workers, so that the cap of runs is never
 * what is measured. It settles what the relay has marked, a whole batch in one statement, and while it does the clock stands: as
 * in the bare loop the time is that of two changes of each row, claimed and marked here, claimed and settled there. That
 * flatters: checkpointer, WAL writer and vacuum work on while the clock stands, so what comes out is an upper bound. With
 * `settleBeside` it settles beside the relay's next claim, as workers would, and the clock runs on.
 */
import { hashPolicies } from '../../../dist/src/application/delivery/policy-hash.js';
import { resolvePolicies } from '../../../dist/src/application/delivery/policy-schema.js';
import { relayOutbox } from '../../../dist/src/application/delivery/relay-outbox.js';
import { systemTime } from '../../../dist/src/application/delivery/relay-time.js';
import { recordEvents } from '../../../dist/src/index.js';
import { createDeadLetterStore } from '../../../dist/src/infrastructure/prisma/dead-letter-store.js';
import { createDeploymentStore } from '../../../dist/src/infrastructure/prisma/deployment-store.js';
import { createPool } from '../../../dist/src/infrastructure/prisma/pg-pool.js';
import { createRelayStore } from '../../../dist/src/infrastructure/prisma/relay-store.js';
import { drainBacklog, inChunks } from '../drain-backlog.mjs';
import { newEvent } from '../sample-event.mjs';
import { settleRows } from '../settle-rows.mjs';

const APPENDED_AT_ONCE = 500;
const started = Promise.resolve({ kind: 'started', eager: false });
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: (...line) => console.error(...line) };

/**
 * @param {import('../world.mjs').World} world
 * @param {{ relays?: number, settleBeside?: boolean, batch?: number, maxRuns?: number, inFlight?: number }} options `relays`:
 *   loops beside each other, each with a store and connections of its own, in this one process (its JavaScript is a small part of
 *   the work); the last three are the relay's own, its defaults unless given
 */
export async function prepare(world, { relays = 1, settleBeside = false, ...options } = {}) {
  const url = await world.postgres.createOutbox('bench');
  const pool = createPool(url);
  const settler = createPool(url, { max: Math.max(2, relays) });
  const { hashes, bodies } = hashPolicies(resolvePolicies());
  await createDeploymentStore(pool).storePolicies(bodies);
  const pools = [pool, ...Array.from({ length: relays - 1 }, () => createPool(url))];
  const stores = pools.map((one) => createRelayStore(one));
  const counters = {};
  let running = [];
  const stop = () => Promise.all(running.map((relay) => relay.stop()));

  const drain = async (count) => {
    const from = performance.now();
    let settled = 0;
    let settlingMs = 0;
    let done = () => {};
    const all = new Promise((resolve, reject) => {
      done = (error) => (error === undefined ? resolve() : reject(error));
    });
    const settle = async (rows) => {
      const began = performance.now();
      const some = await settleRows(settler, rows);
      settled += some; // not before the wait: others settle beside it
      settlingMs += performance.now() - began;
      if (settled === count) done();
    };
    const startRelay = (store) => {
      // One settler for each relay, as there are more workers where there are more relays.
      let settling = Promise.resolve();
      return relayOutbox(
        {
          store: {
            ...store,
            async markStarted(token, rows, again) {
              const marked = await store.markStarted(token, rows, again);
              settling = settling.then(() => settle(rows));
              settling.catch(done);
              if (!settleBeside) await settling;
              return marked;
            },
          },
          starter: { start: () => started },
          deadLetters: createDeadLetterStore(pool),
          time: systemTime,
          telemetry: {
            log: silent,
            count: (name, by) => {
              counters[name] = (counters[name] ?? 0) + by;
            },
          },
        },
        { policies: hashes, ...options },
      );
    };
    running = stores.map(startRelay);
    await all.finally(stop);
    return from + (settleBeside ? 0 : settlingMs);
  };

  return drainBacklog(world, {
    name: 'relay alone',
    settings: {
      batch: options.batch ?? 200,
      inFlight: options.inFlight ?? 50,
      maxRuns: options.maxRuns ?? 500,
      relays,
      settled: settleBeside ? 'beside the relay' : 'while the clock stands',
    },
    processes: { bench: process.pid },
    databases: { outbox: url },
    append: (count) =>
      inChunks(count, APPENDED_AT_ONCE, async (from, size) => {
        const client = await settler.connect();
        try {
          await client.query('BEGIN');
          await recordEvents(
            client,
            Array.from({ length: size }, (_, i) => newEvent(from + i)),
          );
          await client.query('COMMIT');
        } finally {
          client.release();
        }
      }),
    drain,
    async countDone() {
      const { rows } = await pool.query(
        `SELECT count(*)::integer AS n FROM outbox.delivery WHERE status = 'DELIVERED' AND started_at IS NOT NULL`,
      );
      return { settled: rows[0].n, started: counters.started ?? 0 };
    },
    async close() {
      await stop(); // a drain that came too late has not
      await settler.end();
      for (const one of pools) await one.end();
      await world.postgres.drop(url);
    },
  });
}
