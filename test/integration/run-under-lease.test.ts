// Real: the lease's rows on a PostgreSQL. Two holders of one duty, as two processes would have it.
import { randomUUID } from 'node:crypto';
import type { LeaseHold, LeaseStore } from '../../src/application/delivery/ports.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { type LeasedDuty, runUnderLease } from '../../src/application/delivery/run-under-lease.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { askAgain } from '../support/ask-again.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';

let databases: TestDatabases;
let pool: PgPool;
let leases: LeaseStore;
const running: { stop(): Promise<void> }[] = [];

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl);
  const { take, release } = createLeaseStore(pool);
  leases = { take, release: askAgain(release) };
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((duty) => duty.stop()));
});
afterAll(async () => {
  await pool.end();
  await databases.drop();
});

function start(
  duty: Partial<LeasedDuty> & Pick<LeasedDuty, 'turn' | 'name'>,
  store = leases,
  { time = systemTime, log = silentLog } = {},
) {
  const started = runUnderLease({ leases: store, time, log }, { everyMs: 5, leaseMs: 3_000, ...duty });
  running.push(started);
  return started;
}

const holderOf = async (name: string) =>
  (await pool.query('SELECT holder FROM outbox.lease WHERE name = $1 AND until > now()', [name])).rows[0]?.holder;

it('R21: one of two has the duty; when it stops, the other one goes on at once', async () => {
  const turns: string[] = [];
  const name = randomUUID();
  const duty = (who: string, leaseMs = 3_000) => start({ name, leaseMs, turn: async () => void turns.push(who) });
  // Longer than a machine may stand still, and than the wait below: the other one has it because it was given back.
  const first = duty('first', 120_000);
  await eventually('the first one at work', async () => turns.length > 3);
  duty('second');
  const before = turns.length;
  await eventually('more turns', async () => turns.length > before + 20);
  expect(new Set(turns)).toEqual(new Set(['first']));
  await first.stop();
  await eventually('the second one at work', async () => turns.at(-1) === 'second');
});

it('R21: a turn that takes longer than the lease keeps it, since the lease is renewed beside it', async () => {
  const name = randomUUID();
  let release = () => {};
  const others: string[] = [];
  const long = new Promise<void>((resolve) => {
    release = resolve;
  });
  const renewals: number[] = [];
  const counted: LeaseStore = {
    ...leases,
    take: async (hold, ms) => {
      const taken = await leases.take(hold, ms);
      if (taken) renewals.push(1);
      return taken;
    },
  };
  // More than twice as long as a busy machine may stand still: else the other one would take it rightfully.
  start({ name, turn: () => long, leaseMs: 12_000 }, counted);
  await eventually('its holder', () => holderOf(name));
  const holder = await holderOf(name);
  start({ name, turn: async () => void others.push('other') });
  // The first one takes it; three more are a lease's time.
  await eventually('renewals for more than a lease', async () => renewals.length > 4);
  expect([others, await holderOf(name)]).toEqual([[], holder]);
  release();
});

it('R21: a holder that cannot renew is told so in its turn, and begins no other one while another has the duty', async () => {
  const name = randomUUID();
  let away = false;
  const store: LeaseStore = {
    ...leases,
    take: async (hold, ms) => {
      if (away) throw new Error('away');
      return leases.take(hold, ms);
    },
  };
  const ended: LeaseHold[] = [];
  const begun: LeaseHold[] = [];
  const turn = async (hold: LeaseHold, signal: AbortSignal) => {
    begun.push(hold);
    if (!away) return;
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    ended.push(hold);
  };
  start({ name, turn }, store);
  await eventually('its holder', () => holderOf(name));
  away = true;
  await eventually('the turn that was told to end', async () => ended.length > 0);
  const before = begun.length;
  const others: string[] = [];
  start({ name, turn: async () => void others.push('other') });
  await eventually('the other one at work', async () => others.length > 10);
  expect(begun).toHaveLength(before);
});

it('a duty that goes on failing is told when it begins to and every ten minutes, and when it works again', async () => {
  let later = 0;
  let turns = 0;
  let broken = true;
  const told: unknown[] = [];
  const note = (fields: object, event: string) => void told.push([event, 'err' in fields]);
  const log = { ...silentLog, error: note, info: note };
  const time = { ...systemTime, now: () => systemTime.now() + later };
  const turn = async () => {
    turns += 1;
    if (broken) throw new Error('no');
  };
  start({ name: randomUUID(), turn }, leases, { time, log });
  const more = async () => {
    const before = turns;
    await eventually('more turns', async () => turns > before + 3);
  };
  const failed = ['duty.failed', true];
  await more();
  expect(told).toEqual([failed]);
  later += 300_000;
  await more();
  expect(told).toEqual([failed]);
  later += 300_000;
  await more();
  expect(told).toEqual([failed, failed]);
  broken = false;
  await eventually('the end of it', async () => told.length === 3);
  expect(told).toEqual([failed, failed, ['duty.works_again', false]]);
});
