/**
 * Our relay alone: the real loop and store on a real outbox with real events. Two ends are stubs, since nothing else may be
 * measured: the starter answers "started" at once, and a settler stands in for the workers. It settles what the relay has
 * marked, a whole batch in one statement and beside the relay's next claim, as workers would; so the cap of runs is never what
 * is measured. On the changing row that is one version more than the bare loop has: inserted, claimed, marked, settled.
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

/** The worker's SETTLE (attempt-statements.ts) for many rows. Its receipt has the size of the audit log's. */
const SETTLE = `
UPDATE outbox.delivery SET status = 'DELIVERED', receipt = $2::jsonb, settled_at = clock_timestamp(), lease_token = NULL
WHERE event_id = ANY ($1::uuid[]) AND epoch = 0 AND status IN ('PENDING', 'STARTED')`;
const RECEIPT = JSON.stringify({
  id: '0197d3a0-0000-7000-8000-000000000001',
  hash: `sha-256:${'ab'.repeat(32)}`,
  at: '2026-01-01T00:00:00.000Z',
  replayed: false,
  status: 201,
});

const APPENDED_AT_ONCE = 500;
const started = Promise.resolve({ kind: 'started', eager: false });
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: (...line) => console.error(...line) };

/**
 * @param {import('../world.mjs').World} world
 * @param {{ batch?: number, maxRuns?: number, inFlight?: number }} options the relay's own, its defaults unless given
 */
export async function prepare(world, options = {}) {
  const url = await world.postgres.createOutbox('bench');
  const pool = createPool(url);
  const settler = createPool(url, { max: 2 });
  const { hashes, bodies } = hashPolicies(resolvePolicies());
  await createDeploymentStore(pool).storePolicies(bodies);
  const store = createRelayStore(pool);
  const counters = {};

  const drain = async (count) => {
    let settled = 0;
    let settling = Promise.resolve();
    let done = () => {};
    const all = new Promise((resolve, reject) => {
      done = (error) => (error === undefined ? resolve() : reject(error));
    });
    const settle = async (rows) => {
      const values = [rows.map((row) => row.eventId), RECEIPT];
      settled += (await settler.query({ name: 'settle', text: SETTLE, values })).rowCount;
      if (settled === count) done();
    };
    const relay = relayOutbox(
      {
        store: {
          ...store,
          async markStarted(token, rows, again) {
            const marked = await store.markStarted(token, rows, again);
            settling = settling.then(() => settle(rows));
            settling.catch(done);
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
    await all.finally(() => relay.stop());
  };

  return drainBacklog(world, {
    name: 'relay alone',
    settings: {
      batch: options.batch ?? 200,
      inFlight: options.inFlight ?? 50,
      maxRuns: options.maxRuns ?? 500,
      relays: 1,
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
      await settler.end();
      await pool.end();
      await world.postgres.drop(url);
    },
  });
}
