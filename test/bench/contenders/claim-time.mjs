/**
 * How long a claim of up to 200 takes beside so many that wait: the relay's own store, events that are not coalesced, in 21 lanes of
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
  const size = Math.max(BATCH, Math.ceil(waiting / world.shrink));
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
    const claimed = claim.events.length;
    if (claimed === 0) throw new Error(`claimed nothing of ${size} that wait`);
    const { marked } = await store.markStarted(leaseToken, claim.events);
    if (marked !== claimed) throw new Error(`claimed ${claimed}, marked ${marked}`);
    await settleRows(pool, claim.events);
    await fillOutbox(pool, claimed, { ...LANES, connections: 1 });
    return { ms, claimed };
  };
  const measure = async (seconds) => {
    const claims = [];
    for (const until = performance.now() + seconds * 1_000; performance.now() < until; ) claims.push(await claimOnce());
    const { rows } = await pool.query(`SELECT count(*)::int AS n FROM outbox.delivery WHERE status = 'PENDING'`);
    if (rows[0].n !== size) throw new Error(`expected ${size} to wait, found ${rows[0].n}`);
    const claimed = claims.reduce((sum, claim) => sum + claim.claimed, 0) / claims.length;
    return { waiting: size, claimed, ...timesOf(claims.map(({ ms }) => ms)) };
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
