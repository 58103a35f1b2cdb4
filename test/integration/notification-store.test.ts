/** R24: dead letters wait to be told, are claimed by group and done once, on a real PostgreSQL. Nothing is fake. */
import { randomUUID } from 'node:crypto';
import type { LeftBehindPlace, NotificationStore } from '../../src/application/delivery/notify/ports.js';
import type { ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { createNotificationStore } from '../../src/infrastructure/prisma/notification-store.js';
import { createDeliveryStore, type DeliveryStore } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { tenAtATime } from '../support/ten-at-a-time.js';

let store: DeliveryStore;
let notifications: NotificationStore;
beforeAll(async () => {
  store = await createDeliveryStore();
  notifications = createNotificationStore(store.pool);
});
beforeEach(() => store.pool.query('TRUNCATE outbox.notification'));
afterAll(() => store.close());

const run = (name: string) => `test:notify:${name}`;
/** An event dies: its id, and the row that its workflow is told to start a run for. */
async function die({ code = 'HTTP.CLIENT_ERROR', eventType = 'ORDER' }: { code?: ErrorCode; eventType?: string } = {}) {
  const eventId = await store.append({ eventType });
  const input = { run: { eventId, epoch: 0, carrier: null }, code, message: 'm', attempt: null };
  const again = () => store.deadLetters.recordDeadLetter({ ...input, workflowId: 'wf', runId: 'run' }, 5_000);
  const answer = await again();
  if (answer.kind === 'superseded') throw new Error('expected a letter');
  return { eventId, letterId: answer.id, notify: answer.notify, again };
}
/** Who holds how many rows, and what became of them. */
async function claims() {
  const { rows } = await store.pool.query(
    'SELECT claimed_by, count(*)::int AS n, count(done_at)::int AS done, outcome FROM outbox.notification GROUP BY 1, outcome',
  );
  return rows;
}

it('R24: of 1,000 letters written at once, as many as did not see each other ask for a run; one of these tells of all', async () => {
  const letters = await tenAtATime(1_000, () => die());
  const asked = letters.flatMap(({ notify }) => (notify === null ? [] : [notify]));
  // The pool's ten connections cannot have had more under way.
  expect(asked.length).toBeGreaterThanOrEqual(1);
  expect(asked.length).toBeLessThanOrEqual(10);

  const answers = await Promise.all(asked.map((rowId) => notifications.claimGroup({ rowId, claimant: run(rowId) })));
  expect(answers.flatMap((answer) => (answer === null ? [] : [answer.group.count]))).toEqual([1_000]);
  await Promise.all(
    asked.map((rowId) => notifications.finishGroup({ claimant: run(rowId), outcome: { log: 'sent' } })),
  );
  expect(await claims()).toEqual([{ claimed_by: expect.any(String), n: 1_000, done: 1_000, outcome: { log: 'sent' } }]);
});

it('R24: a group is told by type, code, count and its first ten', async () => {
  const { notify, eventId, letterId } = await die();
  for (let n = 0; n < 11; n++) expect((await die()).notify).toBeNull();
  const claimed = await notifications.claimGroup({ rowId: notify as string, claimant: run('a') });
  expect(claimed?.group).toMatchObject({
    eventType: 'ORDER',
    code: 'HTTP.CLIENT_ERROR',
    destination: 'test.destination',
    count: 12,
  });
  expect(claimed?.group.samples).toHaveLength(10);
  expect(claimed?.group.samples[0]).toEqual({
    deadLetterId: letterId,
    eventId,
    epoch: 0,
    eventName: 'order.order.placed.v1',
    tenantId: 'acme',
  });
});

it('R24: another type or another code is another group', async () => {
  const groups = [await die(), await die({ eventType: 'USER' }), await die({ code: 'HTTP.TLS' })];
  for (const { notify } of groups) {
    const claimed = await notifications.claimGroup({ rowId: notify as string, claimant: run(notify as string) });
    expect(claimed?.group.count).toBe(1);
  }
});

it('R24: asked again, a run gets what it holds and nothing that came later, which opens the next group', async () => {
  const { notify } = await die();
  const claim = { rowId: notify as string, claimant: run('a') };
  const first = await notifications.claimGroup(claim);
  const later = await die();
  expect(later.notify).not.toBeNull();
  expect(await notifications.claimGroup(claim)).toEqual(first);
  await notifications.finishGroup({ claimant: run('a'), outcome: {} });
  expect(await notifications.claimGroup(claim)).toBeNull();
  expect((await notifications.claimGroup({ rowId: later.notify as string, claimant: run('b') }))?.group.count).toBe(1);
});

it('R24: two runs of one row, and a run whose answer was lost: one claim', async () => {
  const { notify } = await die();
  const rowId = notify as string;
  const both = await Promise.all(['a', 'b'].map((name) => notifications.claimGroup({ rowId, claimant: run(name) })));
  expect(both.filter((answer) => answer !== null)).toHaveLength(1);
  const twice = await Promise.all([1, 2].map(() => notifications.claimGroup({ rowId, claimant: run('a') })));
  expect(twice[0]).toEqual(twice[1]);
  expect(await claims()).toHaveLength(1);
});

it('R24: a run whose row is taken while it waits for it takes nothing, what came meanwhile neither', async () => {
  const { notify } = await die();
  const other = await store.pool.connect();
  try {
    await other.query('BEGIN');
    await other.query(`UPDATE outbox.notification SET claimed_by = 'other', claimed_at = now() WHERE id = $1`, [
      notify,
    ]);
    await die();
    const waiting = notifications.claimGroup({ rowId: notify as string, claimant: run('a') });
    await eventually('the claim waits', async () => {
      const { rows } = await store.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    await other.query('COMMIT');
    expect(await waiting).toBeNull();
  } finally {
    other.release();
  }
  const held = await claims();
  expect(held.map(({ claimed_by }) => claimed_by).toSorted()).toEqual([null, 'other']);
});

it('R24: the activity that wrote the letter and lost the answer is told of the run again', async () => {
  const { notify, again } = await die();
  expect(await again()).toMatchObject({ kind: 'already', notify });
  await notifications.claimGroup({ rowId: notify as string, claimant: run('a') });
  expect(await again()).toMatchObject({ kind: 'already', notify: null });
});

it('R24: a run takes its own row along however many wait before it', async () => {
  const { notify } = await die();
  await store.pool.query(
    `INSERT INTO outbox.notification (id, kind, group_key, code, event_type, created_at)
     SELECT outbox.uuid_v7(), 'dead_letter', 'ORDER:HTTP.CLIENT_ERROR', 'HTTP.CLIENT_ERROR', 'ORDER', now() - interval '1 hour'
     FROM generate_series(1, 50001)`,
  );
  const claimed = await notifications.claimGroup({ rowId: notify as string, claimant: run('a') });
  expect(claimed?.group.count).toBe(50_001);
  expect(await store.one('SELECT claimed_by FROM outbox.notification WHERE id = $1', notify)).toEqual({
    claimed_by: run('a'),
  });
});

it('R24: left behind are the oldest row of each group that waits too long, and who holds rows too long', async () => {
  const [first, second] = [await die(), await die({ eventType: 'USER' })];
  await die();
  const held = await die({ code: 'HTTP.TLS' });
  const done = await die({ code: 'HTTP.TIMEOUT' });
  await notifications.claimGroup({ rowId: held.notify as string, claimant: run('held') });
  await notifications.claimGroup({ rowId: done.notify as string, claimant: run('done') });
  await notifications.finishGroup({ claimant: run('done'), outcome: {} });
  const fromTheFirst = { rowId: null, claimant: null };
  const find = (waitedMs: number, heldMs: number, limit = 10, after: LeftBehindPlace = fromTheFirst) =>
    notifications.findLeftBehind({ waitedMs, heldMs, limit, after });
  expect(await find(60_000, 60_000)).toEqual([]);
  expect(await find(0, 0)).toEqual([
    { rowId: first.notify, claimant: null },
    { rowId: second.notify, claimant: null },
    { rowId: null, claimant: run('held') },
  ]);
  expect(await find(0, 60_000, 1)).toEqual([{ rowId: first.notify, claimant: null }]);
  const after = { rowId: first.notify, claimant: run('held') };
  expect(await find(0, 0, 1, after)).toEqual([{ rowId: second.notify, claimant: null }]);
});

it('R24: a claim for a row that is not there tells of nothing', async () => {
  expect(await notifications.claimGroup({ rowId: randomUUID(), claimant: run('a') })).toBeNull();
});
