// What an attempt meets whose destination is paused or whose breaker is not closed (R6, R12): the real use case, store,
// breaker and dispatcher on a real PostgreSQL. Fake: the handler, which answers as a test says.
import { randomUUID } from 'node:crypto';
import { watchDestinations } from '../../src/application/delivery/destinations/watch-destinations.js';
import { type DispatchEventInput, dispatchEvent } from '../../src/application/delivery/dispatch-event.js';
import { createDispatcher } from '../../src/application/delivery/dispatcher.js';
import type { Handler } from '../../src/application/delivery/ports.js';
import { DEFAULT_BREAKER } from '../../src/domain/delivery/breaker.js';
import { NOTHING_CARRIED } from '../../src/domain/delivery/carried-state.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { FakeHttpClient } from '../../src/infrastructure/http/fake-http-client.js';
import { createBreakerStore } from '../../src/infrastructure/prisma/breaker-store.js';
import { createDeliveryStore, type DeliveryStore, PLACES, RECEIPT, silentLog } from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { tenAtATime } from '../support/ten-at-a-time.js';

const T = 5_000;
const DESTINATION = 'test.destination';
const SETTINGS = { ...DEFAULT_BREAKER, openMs: 1_000 };

let store: DeliveryStore;
beforeAll(async () => {
  store = await createDeliveryStore();
});
beforeEach(() => store.pool.query('TRUNCATE outbox.destination, outbox.pause, outbox.outage'));
afterAll(() => store.close());

const pause = (scope: { destination?: string; type?: string; tenant?: string }, until: Date | null = null) =>
  store.pool.query(
    `INSERT INTO outbox.pause (id, destination, event_type, tenant, until, reason, actor) VALUES ($1, $2, $3, $4, $5, 'r', 'a')`,
    [randomUUID(), scope.destination, scope.type, scope.tenant, until],
  );
const setBreaker = (breaker: string, openUntilMs = 60_000) =>
  store.pool.query(
    `INSERT INTO outbox.destination (name, breaker, generation, failures, reason_code, opened_at, open_until)
     VALUES ($1, $2, 1, 10, 'HTTP.NETWORK', now(), now() + $3::int * interval '1 millisecond')
     ON CONFLICT (name) DO UPDATE SET breaker = excluded.breaker, open_until = excluded.open_until`,
    [DESTINATION, breaker, openUntilMs],
  );
const breakerOf = async () =>
  (
    await store.one<{ breaker: string } | undefined>(
      'SELECT breaker FROM outbox.destination WHERE name = $1',
      DESTINATION,
    )
  )?.breaker;
const waitedMs = async (id: string) =>
  Number(
    (await store.one<{ waited_ms: string }>('SELECT waited_ms FROM outbox.delivery WHERE event_id = $1', id)).waited_ms,
  );

const watches: { stop(): Promise<void> }[] = [];
// Their last words would come into the next test.
afterEach(() => Promise.all(watches.splice(0).map((watch) => watch.stop())));

/** One worker with its own watch and dispatcher. */
function worker(deliver: Handler['deliver'] = async () => RECEIPT) {
  const sent: string[] = [];
  const watch = watchDestinations({
    store: createBreakerStore(store.pool, SETTINGS),
    log: silentLog,
    now: () => performance.now(),
    random: () => 0.5,
    settings: SETTINGS,
  });
  watches.push(watch);
  const handlers = [
    {
      routingKey: DESTINATION,
      deliver: (...args: Parameters<Handler['deliver']>) => {
        sent.push(args[0].id);
        return deliver(...args);
      },
    },
  ];
  const dispatcher = createDispatcher({ handlers, http: new FakeHttpClient(), log: silentLog, places: PLACES, watch });
  const attempt = (eventId: string, more: Partial<DispatchEventInput> = {}) =>
    dispatchEvent(
      {
        attempts: store.attempts,
        dispatcher,
        log: silentLog,
        random: () => 0.5,
        redactor: createRedactor(),
        onFencedSettle: () => {},
        onEventNotFound: () => {},
        destinations: watch,
      },
      {
        run: { eventId, epoch: 0, carrier: null },
        mode: 'regular',
        previous: null,
        carried: NOTHING_CARRIED,
        runId: 'r',
        worker: `w#${randomUUID()}`,
        deadlines: { storeMs: T, sendMs: T, totalMs: 2 * T },
        signal: new AbortController().signal,
        ...more,
      },
    );
  return { watch, attempt, sent };
}

it.each([
  ['the destination', { destination: DESTINATION }],
  ['the event type', { type: 'ORDER' }],
  ['the tenant there', { destination: DESTINATION, tenant: 'acme' }],
  ['everything', {}],
])(
  'R12: paused is %s: nothing is sent, no row, nothing spent, and the run looks again within a minute',
  async (_, scope) => {
    await pause(scope);
    const { attempt, sent } = worker();
    for (const mode of ['local', 'regular'] as const) {
      const id = await store.append();
      const outcome = await attempt(id, { mode });
      expect(outcome).toMatchObject({ kind: 'failed', code: 'DESTINATION.OPEN', attempt: null, delayMs: 45_000 });
      expect(await store.attemptRows(id)).toEqual([]);
      const { due } = await store.one<{ due: boolean }>(
        `SELECT due_at > now() + interval '30 s' AS due FROM outbox.delivery WHERE event_id = $1`,
        id,
      );
      expect(due).toBe(true);
    }
    expect(sent).toEqual([]);
  },
);

it('a pause of something else, and one that is over, hold nothing', async () => {
  await pause({ destination: 'other' });
  await pause({ destination: DESTINATION, type: 'AUTH' });
  await pause({ tenant: 'other' });
  await pause({ destination: DESTINATION }, new Date(Date.now() - 1_000));
  expect(await worker().attempt(await store.append())).toMatchObject({ kind: 'delivered' });
});

it('R12: while the breaker is open nothing begins; what this run left unfinished is closed all the same', async () => {
  const id = await store.append();
  const { attempt, sent } = worker();
  const lost = { previous: null, unwritten: [], runId: 'r', worker: 'died#1' };
  await store.attempts.beginAttempt({ eventId: id, epoch: 0, carrier: null }, lost, T);
  await setBreaker('open', 20_000);
  const outcome = await attempt(id);
  expect(outcome).toMatchObject({ code: 'DESTINATION.OPEN', attempt: null });
  // When it may be tried, and half of the spread.
  const { delayMs } = outcome as { delayMs: number };
  expect(delayMs).toBeGreaterThan(15_000);
  expect(delayMs).toBeLessThanOrEqual(20_500);
  expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true }]);
  expect(sent).toEqual([]);
});

it('R6: once its time is over one of many attempts tries it; the others wait; its success closes it for all', async () => {
  await setBreaker('open', -1);
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const workers = [worker(() => answered.then(() => RECEIPT)), worker(() => answered.then(() => RECEIPT))] as const;
  const ids = await Promise.all(Array.from({ length: 6 }, () => store.append()));
  const attempts = ids.map((id, i) => (workers[i % 2] as (typeof workers)[0]).attempt(id));
  await eventually('a trial under way', async () => workers[0].sent.length + workers[1].sent.length === 1);
  let over = 0;
  for (const attempt of attempts) {
    void attempt.then(() => {
      over += 1;
    });
  }
  await eventually('the others', async () => over === 5);
  expect(await breakerOf()).toBe('half_open');
  answer();
  const outcomes = await Promise.all(attempts);
  expect(outcomes.filter(({ kind }) => kind === 'delivered')).toHaveLength(1);
  expect(outcomes.filter((one) => one.kind === 'failed' && one.code === 'DESTINATION.OPEN')).toHaveLength(5);
  await eventually('closed', async () => (await breakerOf()) === 'closed');
  for (const id of ids) expect((await workers[0].attempt(id)).kind).toBe('delivered');
});

it('R6: a trial that says nothing of the destination is given back; one that fails opens it again', async () => {
  await setBreaker('half_open');
  const ends = [
    new IntegrationError('DISPATCH.INVALID_EVENT'),
    new Error('a bug'),
    new IntegrationError('HTTP.NETWORK'),
  ];
  const { attempt, sent } = worker(() => Promise.reject(ends.shift()));
  const codes: string[] = [];
  for (let i = 0; i < 3; i += 1) {
    await eventually('no trial under way', async () => {
      const row = await store.one<{ trial_token: string | null }>('SELECT trial_token FROM outbox.destination');
      return row.trial_token === null;
    });
    const outcome = await attempt(await store.append());
    if (outcome.kind === 'failed') codes.push(outcome.code);
  }
  expect(codes).toEqual(['DISPATCH.INVALID_EVENT', 'HANDLER.FAILED', 'HTTP.NETWORK']);
  expect(sent).toHaveLength(3);
  await eventually('open again', async () => (await breakerOf()) === 'open');
});

it('R12: what is waited for the destination is no part of the deadline, once the budget has begun', async () => {
  const id = await store.append();
  const run = { eventId: id, epoch: 0, carrier: null };
  await store.attempts.waitForDestination(run, 1_000, T);
  expect(await waitedMs(id)).toBe(0); // the deadline counts from the first attempt on
  const begin = (name: string) =>
    store.attempts.beginAttempt(run, { previous: null, unwritten: [], runId: 'r', worker: name }, T);
  await begin('w#1');
  await store.pool.query(
    `UPDATE outbox.delivery_attempt SET started_at = now() - interval '1 hour' WHERE event_id = $1`,
    [id],
  );
  await setBreaker('open', -1);
  const { attempt } = worker();
  await store.attempts.waitForDestination(run, 3_500_000, T);
  await pause({ destination: DESTINATION });
  await attempt(id); // 45 s more
  expect(await waitedMs(id)).toBe(3_545_000);
  await store.pool.query('TRUNCATE outbox.destination, outbox.pause');
  const begun = await begin('w#2');
  if (begun.kind !== 'begun') throw new Error(begun.kind);
  expect(begun.totals.sinceFirstMs).toBeGreaterThanOrEqual(55_000);
  expect(begun.totals.sinceFirstMs).toBeLessThan(120_000);
});

it('R19: a destination that ends every event at once kills tens, not all that wait', async () => {
  const { attempt, sent } = worker(async () => {
    await new Promise((resolve) => setTimeout(resolve, 20)); // as long as an answer takes: calls are under way at once
    throw new IntegrationError('HTTP.BAD_RESPONSE');
  });
  const ids = await tenAtATime(300, () => store.append());
  const dead = new Set<string>();
  const attemptOnce = async (id: string) => {
    const outcome = await attempt(id, { deadlines: { storeMs: T, sendMs: T, totalMs: T } });
    if (outcome.kind === 'failed' && outcome.delayMs === null) dead.add(id);
  };
  await attemptOnce(ids[0] as string);
  // As Temporal does: sixty at once, one after the other in each.
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      for (const id of ids.slice(1).filter((__, n) => n % 60 === i)) await attemptOnce(id);
    }),
  );
  expect(dead.size).toBe(sent.length);
  // Not sixty: after the first failure no more are under way than may still fail, and a few while the breaker opens.
  expect(dead.size).toBeGreaterThanOrEqual(SETTINGS.failuresToOpen);
  expect(dead.size).toBeLessThanOrEqual(2 * SETTINGS.failuresToOpen);
  await eventually('open', async () => (await breakerOf()) === 'open');
});
