/** R24: alerts about the environment, kept on a real PostgreSQL. Two pools stand for two roles. Nothing is fake. */
import { randomUUID } from 'node:crypto';
import type { Alert, AlertStore, Tellings } from '../../src/application/delivery/notify/alert-ports.js';
import { endAlert, raiseAlert } from '../../src/application/delivery/notify/raise-alert.js';
import type { LeaseHold } from '../../src/application/delivery/ports.js';
import { createAlertStore } from '../../src/infrastructure/prisma/alert-store.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { silentLog } from '../support/delivery-line.js';

const QUIET_MS = 600_000;
const SENT = { state: 'sent', tries: 1, firstAt: 0, nextAt: 0, code: null } as const;

let databases: TestDatabases;
let pools: PgPool[];
let one: AlertStore;
let other: AlertStore;
let hold: LeaseHold;

beforeAll(async () => {
  databases = await createTestDatabases();
  pools = [createPool(databases.outboxUrl), createPool(databases.outboxUrl)];
  [one, other] = pools.map(createAlertStore) as [AlertStore, AlertStore];
});
beforeEach(async () => {
  await pools[0]?.query('TRUNCATE outbox.alert, outbox.lease');
  hold = { name: 'alerts', holder: randomUUID() };
  await createLeaseStore(pools[0] as PgPool).take(hold, 60_000);
});
afterAll(async () => {
  for (const pool of pools) await pool.end();
  await databases.drop();
});

const opened = (failures: number, subject = 'audit.log'): Alert => ({
  kind: 'breaker_opened',
  subject,
  fields: { destination: subject, code: 'HTTP.TLS', failures },
});
const due = () => one.due(10, QUIET_MS);
async function theOne() {
  const found = await due();
  expect(found).toHaveLength(1);
  return found[0] as (typeof found)[number];
}
async function tell(tellings: Tellings = { log: { raised: SENT } }) {
  return one.note(hold, await theOne(), { tellings, settled: true, againInMs: 0 });
}
const END = { kind: 'breaker_opened', subject: 'audit.log' } as const;

describe('R24: an alert', () => {
  it('R24: raised by two roles at once, and again and again, is one; its fields are the newest', async () => {
    await Promise.all([one, other, one, other].map((store, n) => store.raise(opened(n))));
    await other.raise(opened(77));
    const found = await theOne();
    expect(found).toMatchObject({ alert: opened(77), overAt: null, tellings: {} });
    const { rows } = (await pools[0]?.query('SELECT times FROM outbox.alert')) ?? { rows: [] };
    expect(rows).toEqual([{ times: '5' }]);
  });

  it('R24: is told once while it goes on, and told over once', async () => {
    await one.raise(opened(10));
    expect(await tell()).toBe(true);
    await other.raise(opened(11));
    expect(await due()).toEqual([]);
    await Promise.all([one.end(END), other.end(END)]);
    const found = await theOne();
    expect(found).toMatchObject({ overAt: expect.any(String), tellings: { log: { raised: SENT } } });
    expect(await tell({ log: { raised: SENT, over: SENT } })).toBe(true);
    await one.end(END);
    expect(await due()).toEqual([]);
  });

  it('R24: that comes back is a new one, told no sooner than the quiet time after it was told last', async () => {
    await one.raise(opened(10));
    await tell();
    await one.end(END);
    await tell({ log: { raised: SENT, over: SENT } });
    await one.raise(opened(20));
    expect(await due()).toEqual([]);
    expect(await one.due(10, 0)).toMatchObject([{ alert: opened(20), overAt: null, tellings: {} }]);
    // Once more, untold in between: the quiet time is still there.
    await one.end(END);
    await tell({});
    await one.raise(opened(30));
    expect(await due()).toEqual([]);
  });

  it('R24: that comes back before its end was told goes on untold; after a channel was on its way with it, it is new', async () => {
    await one.raise(opened(10));
    await tell();
    const { since } = (await one.due(10, 0))[0] ?? { since: '' };
    expect(since).toBe('');
    await one.end(END);
    await one.raise(opened(11));
    expect(await one.due(10, 0)).toEqual([]);

    await one.end(END);
    const over = await theOne();
    const onItsWay = { log: { raised: SENT, over: { ...SENT, state: 'waiting' as const } } };
    expect(await one.note(hold, over, { tellings: onItsWay, settled: false, againInMs: 60_000 })).toBe(true);
    await one.raise(opened(12));
    expect(await one.note(hold, over, { tellings: onItsWay, settled: true, againInMs: 0 })).toBe(false);
    expect(await one.due(10, 0)).toMatchObject([{ alert: opened(12), tellings: {} }]);
  });

  it('R24: progress is noted by the holder of the lease only', async () => {
    await one.raise(opened(10));
    const found = await theOne();
    const progress = { tellings: {}, settled: true, againInMs: 0 };
    expect(await one.note({ ...hold, holder: randomUUID() }, found, progress)).toBe(false);
    await createLeaseStore(pools[0] as PgPool).release(hold);
    expect(await one.note(hold, found, progress)).toBe(false);
    await theOne();
  });

  it('R24: what waits to be tried again is not due until then, and keeps no other one back', async () => {
    await one.raise(opened(10));
    await one.note(hold, await theOne(), { tellings: {}, settled: false, againInMs: 60_000 });
    await one.raise(opened(1, 'partner'));
    expect(await one.due(1, QUIET_MS)).toMatchObject([{ alert: { subject: 'partner' } }]);
    expect(await due()).toHaveLength(1);
  });

  it('R24: what is over and told is forgotten after 30 days, nothing else', async () => {
    await one.raise(opened(10));
    await tell();
    await one.end(END);
    await tell({ log: { raised: SENT, over: SENT } });
    await one.raise(opened(1, 'partner'));
    const count = async () => (await pools[0]?.query('SELECT subject FROM outbox.alert'))?.rows.length;
    await one.forget(hold);
    expect(await count()).toBe(2);
    await pools[0]?.query(
      `UPDATE outbox.alert SET since = since - interval '31 days', over_at = over_at - interval '31 days'`,
    );
    await one.forget(hold);
    expect(await count()).toBe(1);
  });

  it('R24: that cannot be kept does not end what noticed it', async () => {
    const lines: string[] = [];
    const log = { ...silentLog, warn: (_: object, message?: string) => void lines.push(message ?? '') };
    const away = createPool('postgresql://nobody@127.0.0.1:1/none');
    const deps = { alerts: createAlertStore(away), log };
    await raiseAlert(deps, opened(10));
    await endAlert(deps, END);
    await away.end();
    expect(lines).toEqual(['alert.not_kept', 'alert.end_not_kept']);
  });
});
