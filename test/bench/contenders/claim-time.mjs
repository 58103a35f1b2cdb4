/**
 * How long a claim of 200 takes beside so many that wait: the relay's own store, events that are not coalesced, in 21 lanes of
 * which some have most. After each claim its rows are marked and settled, and as many are appended, all outside of the time: so
 * as many wait for the next one, and dead row versions and index entries are left as a running system leaves them.
 */
import { randomUUID } from 'node:crypto';
import { hashPolicies } from '../../../dist/src/application/delivery/policy-hash.js';
import { resolvePolicies } from '../../../dist/src/application/delivery/policy-schema.js';
import { createDeploymentStore } from '../../../dist/src/infrastructure/prisma/deployment-store.js';
import { createPool } from '../../../dist/src/infrastructure/prisma/pg-pool.js';
import { createRelayStore } from '../../../dist/src/infrastructure/prisma/relay-store.js';
import { fillOutbox } from '../fill-outbox.mjs';
import { timesOf } from '../run-pairs.mjs';
import { settleRows } from '../settle-rows.mjs';

const BATCH = 200;
const LANES = { eventTypes: ['AUTH', 'BILLING', 'ORDER'], tenants: 7 };
/** Plans are generic from the sixth on. */
const WARM_UP_CLAIMS = 30;

/**
 * @param {import('../world.mjs').World} world
 * @param {{ waiting: number }} options
 */
export async function prepare(world, { waiting }) {
  const size = Math.ceil(waiting / world.shrink);
  const url = await world.postgres.createOutbox('bench');
  const pool = createPool(url, { statementTimeoutMs: 0 });
  const close = async () => {
    await pool.end();
    await world.postgres.drop(url);
  };
  const { hashes: policies, bodies } = hashPolicies(resolvePolicies());
  const store = createRelayStore(pool);
  const probeHolder = randomUUID();
  let cursor = null;

  const claimOnce = async () => {
    const leaseToken = randomUUID();
    const request = { leaseToken, leaseMs: 30_000, batch: BATCH, cursor, defaultMaxRuns: 500, policies, probeHolder };
    const from = performance.now();
    const claim = await store.claim(request);
    const ms = performance.now() - from;
    cursor = claim.cursor;
    if (claim.events.length !== BATCH) throw new Error(`expected a claim of ${BATCH}, got ${claim.events.length}`);
    const { marked } = await store.markStarted(leaseToken, claim.events);
    if (marked !== BATCH) throw new Error(`claimed ${BATCH}, marked ${marked}`);
    await settleRows(pool, claim.events);
    await fillOutbox(pool, BATCH, { ...LANES, connections: 1 });
    return ms;
  };
  const measure = async (seconds) => {
    const times = [];
    for (const until = performance.now() + seconds * 1_000; performance.now() < until; ) times.push(await claimOnce());
    const { rows } = await pool.query(`SELECT count(*)::int AS n FROM outbox.delivery WHERE status = 'PENDING'`);
    if (rows[0].n !== size) throw new Error(`expected ${size} to wait, found ${rows[0].n}`);
    return { waiting: size, ...timesOf(times) };
  };
  try {
    await createDeploymentStore(pool).storePolicies(bodies);
    await fillOutbox(pool, size, { ...LANES, log: world.log });
    await pool.query('VACUUM (ANALYZE)');
    for (let claims = 0; claims < WARM_UP_CLAIMS; claims++) await claimOnce();
    const settings = { waiting: size, claim: BATCH, lanes: LANES.eventTypes.length * LANES.tenants };
    return { name: 'claim', settings, processes: { bench: process.pid }, databases: { outbox: url }, measure, close };
  } catch (error) {
    await close();
    throw error;
  }
}
