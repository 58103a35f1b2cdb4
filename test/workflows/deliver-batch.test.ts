/**
 * The whole run of a batch (R20) on a real Temporal and PostgreSQL: starter, workflow, activities, use cases, stores. Only the
 * dispatcher is scripted, for it is what stands for the destination here, and rows are carried without a claim. A database
 * that is away is a store that throws.
 */
import { ApplicationFailure } from '@temporalio/common';
import type { BatchStore } from '../../src/application/delivery/ports.js';
import {
  DEFAULT_TIMEOUTS,
  type DeliveryTimeouts,
  deliveryTimeouts,
} from '../../src/domain/delivery/delivery-timeouts.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import type { RetryPolicy } from '../../src/domain/delivery/policy.js';
import type { DispatchBatchTask } from '../../workflows/contract.js';
import {
  claimed,
  createDeliveryLine,
  createDeliveryStore,
  createScriptedDispatcher,
  type DeliveryLine,
  type DeliveryStore,
  FAST_POLICY,
  GIVES_UP_SOON,
  type LineOptions,
  RECEIPT,
  readHistory,
  TEST_TIMEOUTS,
  type WholeStep,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { textOf } from '../support/text-of.js';

const { dispatcher, script, scriptBatch, posts, modes } = createScriptedDispatcher();
let store: DeliveryStore;
let line: DeliveryLine;
/** Stopped at the end: an attempt that never answers outlasts its test. */
const lines: DeliveryLine[] = [];
/** A destination that never answers and a handler that keeps no deadline; let go when the tests are over. */
const never = Promise.withResolvers<'each'>();
never.promise.catch(() => {});
/** Calls of `settleBatch` that fail: the database is away exactly then. */
let settleFails = 0;

beforeAll(async () => {
  store = await createDeliveryStore();
  line = await openLine({ batches: { ...store.batches, settleBatch } });
});
beforeEach(() => {
  scriptBatch('each');
  posts.splice(0);
  settleFails = 0;
});
afterAll(async () => {
  never.reject(new IntegrationError('DELIVERY.CANCELLED'));
  await Promise.all(lines.map((own) => own.stop()));
  await store?.close();
});

const settleBatch: BatchStore['settleBatch'] = async (...args) => {
  if (settleFails-- > 0) throw new IntegrationError('STORE.UNAVAILABLE');
  return store.batches.settleBatch(...args);
};

async function openLine(options: Partial<LineOptions> = {}): Promise<DeliveryLine> {
  const own = await createDeliveryLine({ store, dispatcher, ...options });
  lines.push(own);
  return own;
}

interface Carried {
  readonly carrier: string;
  readonly ids: readonly [string, string, string];
  readonly run: ReturnType<DeliveryLine['batch']>;
}

/** Three rows as a claim and a mark leave them; not started. */
async function carry(own = line, options: Parameters<DeliveryStore['append']>[0] = {}): Promise<Carried> {
  const carrier = own.carrier();
  const append = () => store.append({ carrier, ...options });
  return { carrier, ids: [await append(), await append(), await append()], run: own.batch(carrier) };
}

async function started(own = line, options: Parameters<DeliveryStore['append']>[0] = {}): Promise<Carried> {
  const batch = await carry(own, options);
  expect(await own.startBatch(batch.carrier, batch.ids)).toMatchObject({ kind: 'started' });
  return batch;
}

async function policyOf(hash: string, policy: Partial<RetryPolicy>): Promise<string> {
  const text = 'INSERT INTO outbox.policy (hash, body) VALUES ($1, $2)';
  await store.pool.query(text, [hash, { ...FAST_POLICY, ...policy }]);
  return hash;
}

const tally = (of: object) => ({ delivered: 0, fellOut: 0, gaveBack: 0, superseded: 0, code: null, ...of });
const three = <T>(of: T): T[] => [of, of, of];
const sends = () => posts.map(({ mode, ids }) => [mode, ids.length]);
const refused = () => new IntegrationError('HTTP.CLIENT_ERROR', { status: 422 });
const broken = () => new IntegrationError('HTTP.SERVER_ERROR', { status: 500 });
const withLocal = (local: Partial<DeliveryTimeouts['local']>): DeliveryTimeouts => ({
  ...TEST_TIMEOUTS,
  local: { ...TEST_TIMEOUTS.local, ...local },
});
const untilAborted: WholeStep = ({ signal }) =>
  new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new IntegrationError('DELIVERY.CANCELLED')));
  });
const statusOf = async (run: Carried['run']) => (await run.describe()).status.name;

describe('a batch', () => {
  it('R20: is delivered by one local attempt, which writes no row of it; who carried them stays with the events', async () => {
    const { carrier, ids, run } = await started();
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(await readHistory(run)).toEqual(['marker']);
    expect(sends()).toEqual([['local', 3]]);
    const row = { status: 'DELIVERED', epoch: 0, carrier, receipt: RECEIPT.id, attempts: [], no_coalesce: false };
    expect(await store.carriedRows(ids)).toMatchObject(three(row));
  });

  it('R20: its run says what it carries, and is found by what its events have in common', async () => {
    const carrier = line.carrier();
    const ids = [await store.append({ carrier }), await store.append({ carrier, eventType: 'REFUND' })];
    const [order, refund] = ids as [string, string];
    const events = [claimed(order), { ...claimed(refund), eventType: 'REFUND' }].map((one) => ({ ...one, carrier }));
    await line.starter.startBatch({ carrier, events }, 5_000);
    await line.batch(carrier).result();
    const described = await line.batch(carrier).describe();
    expect(described.status.name).toBe('COMPLETED');
    expect(await described.staticSummary()).toBe('2 events (ORDER, REFUND) → test.destination');
    expect(await described.staticDetails()).toContain(order);
    expect(described.memo).toMatchObject({
      destination: 'test.destination',
      events: 2,
      eventTypes: ['ORDER', 'REFUND'],
    });
    const { OutboxEventName, OutboxEventType, OutboxTenantId } = described.searchAttributes;
    expect([OutboxEventName, OutboxEventType, OutboxTenantId]).toEqual([
      ['order.order.placed.v1'],
      undefined,
      ['acme'],
    ]);
  });

  it('R16: may settle before its mark', async () => {
    const { ids, run } = await started(line, { status: 'PENDING' });
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'DELIVERED' }));
  });

  it('R2: started again while it runs and after it ended: one run, one post', async () => {
    const { carrier, ids, run } = await carry();
    const answers = await Promise.all(three(0).map(() => line.startBatch(carrier, ids)));
    expect(answers.map(({ kind }) => kind).sort()).toEqual(['exists', 'exists', 'started']);
    await run.result();
    expect(await line.startBatch(carrier, ids)).toEqual({ kind: 'exists' });
    expect(sends()).toEqual([['local', 3]]);
  });

  it('R20: to a destination that is not well it begins with a regular attempt, and nothing counts as lost', async () => {
    const { carrier, ids, run } = await carry();
    await line.startBatch(carrier, ids, { destinationWell: false });
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(await readHistory(run)).toEqual(['scheduled dispatchBatch']);
    expect(await store.carriedRows(ids)).toMatchObject(three({ attempts: [], doubtful: false }));
  });

  it('R13: a handler of more than 15 s has a regular attempt that heartbeats', async () => {
    const own = await openLine({ timeouts: deliveryTimeouts(60_000) });
    const { run } = await started(own);
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    const { events } = await run.fetchHistory();
    const { heartbeatTimeout } = events?.flatMap((one) => one.activityTaskScheduledEventAttributes ?? [])[0] ?? {};
    expect(Number(heartbeatTimeout?.seconds)).toBe(30);
  });
});

describe('events that fail by themselves', () => {
  it('R20: fall out with their attempt and their budget, and end in runs of their own; what is spent stays spent', async () => {
    const batch = await carry();
    const { carrier, ids, run } = batch;
    const [good, bad, slow] = ids;
    script(bad, refused());
    script(slow, broken());
    await line.startBatch(carrier, ids);
    expect(await run.result()).toEqual(tally({ delivered: 1, fellOut: 2 }));
    const out = { status: 'PENDING', epoch: 1, carrier: null, budget_epoch: 0, no_coalesce: true, receipt: null };
    expect(await store.carriedRows(ids)).toMatchObject([
      { status: 'DELIVERED', epoch: 0, carrier, attempts: [] },
      { ...out, attempts: ['0/1 HTTP.CLIENT_ERROR local carried'] },
      { ...out, attempts: ['0/1 HTTP.SERVER_ERROR local carried'] },
    ]);
    const { rows } = await store.pool.query(
      'SELECT carrier, run_id, status, message FROM outbox.delivery_attempt WHERE event_id = $1',
      [bad],
    );
    const { runId } = await run.describe();
    expect(rows).toEqual([{ carrier, run_id: runId, status: 422, message: expect.any(String) }]);

    // Final already: its own run sends nothing and writes the letter.
    await line.start(bad, { epoch: 1, firstAttempt: 'regular' });
    await expect(line.run(bad, 1).result()).rejects.toMatchObject({ cause: { type: 'HTTP.CLIENT_ERROR' } });
    expect(modes(bad)).toEqual(['local']);
    expect(await store.letters(bad)).toMatchObject([
      { code: 'HTTP.CLIENT_ERROR', epoch: 1, retry_count: 1, effect: 'none' },
    ]);

    // Four attempts in all, the batch's the first of them.
    await line.start(slow, { epoch: 1, firstAttempt: 'regular' });
    await expect(line.run(slow, 1).result()).rejects.toMatchObject({ cause: { type: 'HTTP.SERVER_ERROR' } });
    expect(modes(slow)).toEqual(['local', 'regular', 'regular', 'regular']);
    expect(await store.letters(slow)).toMatchObject([{ retry_count: 4, max_retries: 4 }]);
    const codes = ['0/1 HTTP.SERVER_ERROR local carried', ...[1, 2, 3].map((n) => `1/${n} HTTP.SERVER_ERROR`)];
    expect(await store.carriedRows([slow])).toMatchObject([{ status: 'DEAD', attempts: codes }]);
    expect(modes(good)).toEqual(['local']);
  });

  it('R20: one that fell out is delivered by its own run', async () => {
    const { carrier, ids, run } = await carry();
    script(ids[1], broken(), RECEIPT);
    await line.startBatch(carrier, ids);
    await run.result();
    await line.start(ids[1], { epoch: 1, firstAttempt: 'regular' });
    expect(await line.run(ids[1], 1).result()).toMatchObject({ kind: 'delivered' });
    expect(await store.carriedRows([ids[1]])).toMatchObject([
      { status: 'DELIVERED', epoch: 1, attempts: ['0/1 HTTP.SERVER_ERROR local carried', '1/1 delivered'] },
    ]);
  });
});

describe('a post that fails as a whole', () => {
  it('R20: is slept upon and made once more; the second one delivers', async () => {
    scriptBatch(broken(), 'each');
    const { carrier, ids, run } = await started();
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(await readHistory(run)).toEqual(['marker', 'timer 1', 'scheduled dispatchBatch']);
    expect(sends()).toEqual([
      ['local', 3],
      ['regular', 3],
    ]);
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'DELIVERED', epoch: 0, carrier, attempts: [] }));
  });

  it('R20: the run tells of both, and is found by the code that lost it some, whatever the second one delivered', async () => {
    const policyHash = await policyOf('once in two', { maxAttempts: 1 });
    const carrier = line.carrier();
    const ids = [
      await store.append({ carrier }),
      await store.append({ carrier, policyHash }),
      await store.append({ carrier }),
    ];
    scriptBatch(broken(), 'each');
    await line.startBatch(carrier, ids);
    const run = line.batch(carrier);
    expect(await run.result()).toEqual(tally({ delivered: 2, fellOut: 1, code: 'HTTP.SERVER_ERROR' }));
    expect(sends()).toEqual([
      ['local', 3],
      ['regular', 2],
    ]);
    expect((await run.describe()).searchAttributes).toMatchObject({ OutboxErrorCode: ['HTTP.SERVER_ERROR'] });
  });

  it('R20: twice, and all fall out with two attempts each; the run completes and is found by the code', async () => {
    scriptBatch(new IntegrationError('HTTP.NETWORK'), broken());
    const { ids, run } = await started();
    expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'HTTP.SERVER_ERROR' }));
    const attempts = ['0/1 HTTP.NETWORK local carried', '0/2 HTTP.SERVER_ERROR carried'];
    const out = { status: 'PENDING', epoch: 1, carrier: null, budget_epoch: 0, no_coalesce: true, attempts };
    expect(await store.carriedRows(ids)).toMatchObject(three(out));
    const described = await run.describe();
    expect(described.status.name).toBe('COMPLETED');
    expect(described.searchAttributes).toMatchObject({ OutboxErrorCode: ['HTTP.SERVER_ERROR'] });
    expect(await store.letters(ids[0])).toEqual([]);
  });

  it('R20: twice from regular attempts, with the server’s own timer between them', async () => {
    scriptBatch(broken());
    const { carrier, ids, run } = await carry();
    await line.startBatch(carrier, ids, { destinationWell: false });
    expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'HTTP.SERVER_ERROR' }));
    expect(await readHistory(run)).toEqual(['scheduled dispatchBatch']);
    const attempts = ['0/1 HTTP.SERVER_ERROR carried', '0/2 HTTP.SERVER_ERROR carried'];
    expect(await store.carriedRows(ids)).toMatchObject(three({ attempts }));
  });

  it('R13: Retry-After: 2 is waited for by a timer of 2 s and the backoff after it; told so twice, they may go together again', async () => {
    scriptBatch(new IntegrationError('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 2_000 }));
    const { ids, run } = await started();
    expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'HTTP.RATE_LIMITED' }));
    expect(await readHistory(run)).toEqual(['marker', 'timer 2001', 'scheduled dispatchBatch']);
    expect(await store.carriedRows(ids)).toMatchObject(
      three({ status: 'PENDING', no_coalesce: false, budget_epoch: 0 }),
    );
    const { rows } = await store.pool.query(
      'SELECT delay_ms::int FROM outbox.delivery_attempt WHERE event_id = ANY ($1) AND n = 2',
      [ids],
    );
    expect(rows).toEqual(three({ delay_ms: 2_001 }));
  });

  it('R19, R20: refused as a whole, each goes on alone, its budget untouched: one by one they are delivered', async () => {
    scriptBatch(new IntegrationError('HTTP.CLIENT_ERROR', { status: 413 }));
    const { ids, run } = await started();
    expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'HTTP.CLIENT_ERROR' }));
    expect(await store.carriedRows(ids)).toMatchObject(
      three({ status: 'PENDING', epoch: 1, budget_epoch: 1, no_coalesce: true, doubtful: false, attempts: [] }),
    );
    for (const id of ids) await line.start(id, { epoch: 1 });
    for (const id of ids) expect(await line.run(id, 1).result()).toMatchObject({ kind: 'delivered' });
  });

  it('R14: no place for a local attempt: regular at once; none for that either: again, and nothing is spent', async () => {
    scriptBatch('busy', 'busy', 'each');
    const { ids, run } = await started();
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(await readHistory(run)).toEqual(['marker', 'scheduled dispatchBatch']);
    expect(posts.map(({ mode }) => mode)).toEqual(['local', 'regular', 'regular']);
    expect(await store.carriedRows(ids)).toMatchObject(three({ attempts: [], doubtful: false }));
  });

  it('R20: a handler that takes events one by one: each goes on alone, and nothing is spent', async () => {
    scriptBatch('unsupported');
    const { ids, run } = await started();
    expect(await run.result()).toEqual(tally({ fellOut: 3 }));
    expect(await store.carriedRows(ids)).toMatchObject(
      three({ status: 'PENDING', epoch: 1, budget_epoch: 1, no_coalesce: true, attempts: [] }),
    );
  });
});

describe('a slow destination', () => {
  it('R13: a local attempt that runs out of its time is a post; a regular one makes the second', async () => {
    const own = await openLine({ timeouts: withLocal({ startToCloseMs: 2_500 }) });
    scriptBatch(() => never.promise, 'each');
    const { run } = await started(own);
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(await readHistory(run)).toEqual(['marker', 'timer 1000', 'scheduled dispatchBatch']);
    expect(posts.map(({ mode }) => mode)).toEqual(['local', 'regular']);
  });

  it('R12, R13: what may be tried once only leaves after it, unsent; so does all when the second post fails', async () => {
    const own = await openLine({ timeouts: withLocal({ startToCloseMs: 2_500 }) });
    scriptBatch(() => never.promise, broken());
    const { carrier, ids, run } = await carry(own);
    await store.pool.query('UPDATE outbox.delivery SET policy_hash = $2 WHERE event_id = $1', [
      ids[1],
      await policyOf('once', { maxAttempts: 1 }),
    ]);
    await own.startBatch(carrier, ids);
    expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'HTTP.SERVER_ERROR' }));
    expect(posts.map(({ ids: sent }) => sent)).toEqual([ids, [ids[0], ids[2]]]);
    const first = '0/1 HTTP.TIMEOUT local carried';
    const both = [first, '0/2 HTTP.SERVER_ERROR carried'];
    const rows = await store.carriedRows(ids);
    expect(rows.map(({ attempts }) => attempts)).toEqual([both, [first], both]);
  });

  it('R10, R13: a local attempt that finds no place in time is none', async () => {
    // The first one may hold its place for longer than the second one waits for one, which learns of it when that is free.
    const times = { sendMs: 50_000, totalMs: 60_000, startToCloseMs: 8_000, scheduleToStartMs: 1_000 };
    const timeouts = withLocal(times);
    const own = await openLine({ timeouts, slots: { localActivities: 1 } });
    const letGo = Promise.withResolvers<'each'>();
    scriptBatch(() => letGo.promise, 'each');
    const holder = await started(own);
    await eventually('the first one to hold the only place', async () => posts.length === 1);
    const late = await started(own);
    expect(await late.run.result()).toEqual(tally({ delivered: 3 }));
    letGo.resolve('each');
    await holder.run.result();
    const ofLate = posts.filter(({ ids }) => ids[0] === late.ids[0]);
    expect(ofLate.map(({ mode }) => mode)).toEqual(['regular']);
    expect(await store.carriedRows(late.ids)).toMatchObject(three({ attempts: [], doubtful: false }));
  });
});

describe('attempts that are lost', () => {
  // Long enough for the attempt after the lost one, too.
  const dying = { ...TEST_TIMEOUTS, regular: { ...TEST_TIMEOUTS.regular, startToCloseMs: 5_000 } };

  it('R20: one regular attempt that never ends is a post; the next one delivers', async () => {
    const own = await openLine({ timeouts: dying });
    scriptBatch(() => never.promise, 'each');
    const { carrier, ids, run } = await carry(own);
    await own.startBatch(carrier, ids, { destinationWell: false });
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(posts.map(({ mode }) => mode)).toEqual(['regular', 'regular']);
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'DELIVERED', epoch: 0, attempts: [] }));
  });

  it.each([
    ['regular', false, dying, 2],
    // Heartbeats hand on what was lost before them.
    [
      'long',
      true,
      {
        ...deliveryTimeouts(60_000),
        regular: { ...deliveryTimeouts(60_000).regular, startToCloseMs: 1_500, heartbeatMs: 600 },
      },
      2,
    ],
  ] as const)(
    'R12, R20: two %s ones in a row: all fall out with ATTEMPT_LOST, each by itself, and nothing is sent again',
    async (_, destinationWell, timeouts, times) => {
      const own = await openLine({ timeouts });
      scriptBatch(() => never.promise);
      const { carrier, ids, run } = await carry(own);
      await own.startBatch(carrier, ids, { destinationWell });
      expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'DELIVERY.ATTEMPT_LOST' }));
      expect(posts).toHaveLength(times);
      const attempts = [1, 2].map((n) => `0/${n} DELIVERY.ATTEMPT_LOST carried`);
      expect(await store.carriedRows(ids)).toMatchObject(
        three({ status: 'PENDING', epoch: 1, no_coalesce: true, doubtful: true, attempts }),
      );
    },
  );

  it('R20: after a post that failed, a lost one makes all fall out; a first loss lets them go together again', async () => {
    const own = await openLine({ timeouts: dying });
    scriptBatch(broken(), () => never.promise);
    const { ids, run } = await started(own);
    expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'DELIVERY.ATTEMPT_LOST' }));
    const attempts = ['0/1 HTTP.SERVER_ERROR local carried', '0/2 DELIVERY.ATTEMPT_LOST carried'];
    expect(await store.carriedRows(ids)).toMatchObject(three({ no_coalesce: false, doubtful: true, attempts }));
  });
});

describe('receipts', () => {
  it('R15: what a local attempt cannot settle travels on; the regular one settles and sends nothing', async () => {
    const own = await openLine({ timeouts: GIVES_UP_SOON, batches: { ...store.batches, settleBatch } });
    settleFails = 1_000;
    const { ids, run } = await started(own);
    await eventually('the local attempt to give up', async () => (await readHistory(run)).includes('marker'));
    settleFails = 0;
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(sends()).toEqual([['local', 3]]);
    expect(await store.carriedRows(ids)).toMatchObject(
      three({ status: 'DELIVERED', receipt: RECEIPT.id, attempts: [] }),
    );
  });

  it('R15: from a regular attempt they travel on in the heartbeat, and with them what failed is sent again', async () => {
    const regular = { ...DEFAULT_TIMEOUTS.regular, totalMs: 300 };
    const own = await openLine({
      timeouts: { ...DEFAULT_TIMEOUTS, regular },
      batches: { ...store.batches, settleBatch },
    });
    settleFails = 4;
    const { carrier, ids, run } = await carry(own);
    script(ids[1], broken(), RECEIPT);
    await own.startBatch(carrier, ids, { destinationWell: false });
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(posts.map(({ ids: sent }) => sent)).toEqual([ids, [ids[1]]]);
  });

  it('R15: a receipt in hand outlives the loss of the attempt that was to settle it', async () => {
    const short = {
      ...DEFAULT_TIMEOUTS,
      regular: { ...DEFAULT_TIMEOUTS.regular, startToCloseMs: 6_000, totalMs: 300 },
    };
    let calls = 0;
    const own = await openLine({
      timeouts: short,
      batches: {
        ...store.batches,
        settleBatch: async (...args) => {
          calls += 1;
          // The first attempt cannot settle; the second one dies over it.
          if (calls <= 4) throw new IntegrationError('STORE.UNAVAILABLE');
          if (calls === 5) await never.promise;
          return store.batches.settleBatch(...args);
        },
      },
    });
    const { carrier, ids, run } = await carry(own);
    await own.startBatch(carrier, ids, { destinationWell: false });
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(sends()).toEqual([['regular', 3]]);
  });

  it('R15: a cancelled run that has receipts in hand writes them; what failed falls out, unsent, with a doubt', async () => {
    const own = await openLine({ timeouts: GIVES_UP_SOON, batches: { ...store.batches, settleBatch } });
    settleFails = 1_000;
    const { carrier, ids, run } = await carry(own);
    script(ids[1], broken());
    await own.startBatch(carrier, ids);
    await eventually('it to wait with its receipts', async () =>
      (await readHistory(run)).some((step) => step.startsWith('timer')),
    );
    await run.cancel();
    await eventually('it to hear of that', async () =>
      (await run.fetchHistory()).events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes),
    );
    settleFails = 0;
    expect(await run.result()).toEqual(tally({ delivered: 2, fellOut: 1 }));
    expect(sends()).toEqual([['local', 3]]);
    const delivered = { status: 'DELIVERED', receipt: RECEIPT.id };
    const out = { status: 'PENDING', epoch: 1, doubtful: true };
    expect(await store.carriedRows(ids)).toMatchObject([delivered, out, delivered]);
  });
});

describe('who may send', () => {
  it('R15, R20: only what it still carries: settled already, another carrier’s, another epoch’s, and none at all', async () => {
    const { carrier, ids, run } = await carry();
    await store.attempts.settle({ eventId: ids[0], epoch: 0, carrier }, RECEIPT, null, 5_000);
    await store.pool.query('UPDATE outbox.delivery SET carrier = $2 WHERE event_id = $1', [ids[1], line.carrier()]);
    await line.startBatch(carrier, ids);
    expect(await run.result()).toEqual(tally({ delivered: 2, superseded: 1 }));
    expect(posts.map(({ ids: sent }) => sent)).toEqual([[ids[2]]]);

    const disarmed = await carry();
    await store.pool.query('UPDATE outbox.delivery SET epoch = 1, carrier = NULL WHERE event_id = ANY ($1)', [
      disarmed.ids,
    ]);
    // Delivered by the run of another epoch is not delivered by this one.
    const elsewhere = { eventId: disarmed.ids[0], epoch: 1, carrier: null };
    await store.attempts.settle(elsewhere, RECEIPT, null, 5_000);
    await line.startBatch(disarmed.carrier, disarmed.ids);
    expect(await disarmed.run.result()).toEqual(tally({ superseded: 3 }));
    expect(posts).toHaveLength(1);
    const going = { status: 'STARTED', epoch: 1 };
    expect(await store.carriedRows(disarmed.ids)).toMatchObject([{ status: 'DELIVERED', epoch: 1 }, going, going]);
  });

  it('R16, R20: a claim that disarms it in the middle of its post: receipts settle by epoch, failures write nothing', async () => {
    const other = line.carrier();
    const { carrier, ids, run } = await carry();
    script(ids[1], broken());
    scriptBatch(async () => {
      await store.pool.query('UPDATE outbox.delivery SET carrier = $2 WHERE event_id = ANY ($1)', [ids, other]);
      return 'each';
    });
    await line.startBatch(carrier, ids);
    expect(await run.result()).toEqual(tally({ delivered: 2, superseded: 1 }));
    expect(await store.carriedRows([ids[1]])).toMatchObject([
      { status: 'STARTED', epoch: 0, carrier: other, attempts: [] },
    ]);
  });

  it('R16: a receipt for an epoch that is over settles nothing and is counted', async () => {
    const { carrier, ids, run } = await carry();
    scriptBatch(async () => {
      await store.pool.query('UPDATE outbox.delivery SET epoch = 1, carrier = NULL WHERE event_id = $1', [ids[0]]);
      return 'each';
    });
    await line.startBatch(carrier, ids);
    expect(await run.result()).toEqual(tally({ delivered: 2, superseded: 1 }));
    expect(line.fenced).toContain('batch: 1');
    expect(await store.carriedRows([ids[0]])).toMatchObject([{ status: 'STARTED', epoch: 1, receipt: null }]);
  });

  it('R6: what a person holds is given back and not sent; nothing of it is spent', async () => {
    const carrier = line.carrier();
    const held = await store.append({ carrier, eventType: 'HELD' });
    const free = await store.append({ carrier });
    await store.pool.query(
      `INSERT INTO outbox.pause (id, event_type, actor, reason) VALUES (gen_random_uuid(), 'HELD', 'ada', 'a test')`,
    );
    await line.startBatch(carrier, [held, free]);
    expect(await line.batch(carrier).result()).toEqual(tally({ delivered: 1, gaveBack: 1 }));
    expect(await store.carriedRows([held])).toMatchObject([
      { status: 'PENDING', epoch: 1, budget_epoch: 1, carrier: null, no_coalesce: false, attempts: [] },
    ]);
  });
});

describe('cancellation, termination and shutdown', () => {
  it('R20: cancelled by a person while it waits for its second post: all fall out, and the run completes', async () => {
    const policyHash = await policyOf('patient', { backoff: { kind: 'fixed', intervalMs: 20_000 } });
    scriptBatch(broken());
    const { ids, run } = await started(line, { policyHash });
    await eventually('the timer', async () => (await readHistory(run)).includes('timer 20000'));
    await run.cancel();
    expect(await run.result()).toEqual(tally({ fellOut: 3, code: 'HTTP.SERVER_ERROR' }));
    expect(await readHistory(run)).toEqual(['marker', 'timer 20000', 'scheduled dispatchBatch']);
    expect(posts).toHaveLength(1);
    const attempts = ['0/1 HTTP.SERVER_ERROR local carried'];
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'PENDING', epoch: 1, attempts }));
    expect(await statusOf(run)).toBe('COMPLETED');
  });

  it('R18, R20: cancelled between regular attempts: all fall out, and what was posted leaves a doubt', async () => {
    const policyHash = await policyOf('patient regular', { backoff: { kind: 'fixed', intervalMs: 19_000 } });
    scriptBatch(broken());
    const { carrier, ids, run } = await carry(line, { policyHash });
    await line.startBatch(carrier, ids, { destinationWell: false });
    await eventually('the second attempt to be planned', async () => {
      const [pending] = (await run.describe()).raw.pendingActivities ?? [];
      return pending?.lastAttemptCompleteTime && Number(pending.attempt) === 2;
    });
    await run.cancel();
    expect(await run.result()).toMatchObject({ fellOut: 3 });
    expect(posts).toHaveLength(1);
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'PENDING', epoch: 1, doubtful: true }));
  });

  it('R20: a cancelled batch waits for the post under way, which may still deliver', async () => {
    const letGo = Promise.withResolvers<'each'>();
    scriptBatch(() => letGo.promise);
    const { carrier, ids, run } = await carry();
    await line.startBatch(carrier, ids, { destinationWell: false });
    await eventually('the post to be under way', async () => posts.length === 1);
    await run.cancel();
    letGo.resolve('each');
    expect(await run.result()).toEqual(tally({ delivered: 3 }));
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'DELIVERED' }));
  });

  it('R22: terminated, its rows stay as they are, for the reconciler to find', async () => {
    const policyHash = await policyOf('patient again', { backoff: { kind: 'fixed', intervalMs: 18_000 } });
    scriptBatch(broken());
    const { carrier, ids, run } = await started(line, { policyHash });
    await eventually('the timer', async () => (await readHistory(run)).includes('timer 18000'));
    await run.terminate('a person');
    await expect(run.result()).rejects.toThrow();
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'STARTED', epoch: 0, carrier, attempts: [] }));
    expect(await store.letters(ids[0])).toEqual([]);
  });

  it('R12: a shutdown during a post spends nothing, and another worker delivers', async () => {
    const first = await createDeliveryLine({ store, dispatcher });
    scriptBatch(untilAborted, 'each');
    const { carrier, ids } = await carry(first);
    await first.startBatch(carrier, ids, { destinationWell: false });
    await eventually('the post to be under way', async () => posts.length === 1);
    await first.stop();
    const second = await openLine({ deployment: first.deployment });
    expect(await second.batch(carrier).result()).toEqual(tally({ delivered: 3 }));
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'DELIVERED', attempts: [] }));
  });
});

describe('what nobody expects', () => {
  const eventNotFound = (nonRetryable: boolean) =>
    ApplicationFailure.create({
      type: 'DISPATCH.EVENT_NOT_FOUND',
      nonRetryable,
      details: [{ code: 'DISPATCH.EVENT_NOT_FOUND', status: null, attempt: null, delayMs: 1 }],
    });

  it('R19: events that are not there fail the run by that code, and nothing is written', async () => {
    let asked = 0;
    const other = await openLine({
      activities: {
        dispatchBatch: async () => {
          asked += 1;
          throw eventNotFound(asked === 3);
        },
      },
    });
    const { carrier, ids, run } = await started(other);
    await expect(run.result()).rejects.toMatchObject({
      cause: { type: 'DISPATCH.EVENT_NOT_FOUND', nonRetryable: true },
    });
    expect(asked).toBe(3);
    expect(await store.carriedRows(ids)).toMatchObject(three({ status: 'STARTED', epoch: 0, carrier }));
  });

  it('R20: an answer outside the agreement lets all fall out: no task that is tried for ever', async () => {
    const tasks: DispatchBatchTask[] = [];
    const other = await openLine({
      activities: {
        dispatchBatch: async (task) => {
          tasks.push(task);
          if (tasks.length < 3) throw ApplicationFailure.nonRetryable('of another version', 'SOMETHING.NEW');
          return { kind: 'done', tally: { delivered: 0, fellOut: 3, gaveBack: 0, superseded: 0, code: null } };
        },
      },
    });
    const { run } = await started(other);
    expect(await run.result()).toEqual(tally({ fellOut: 3 }));
    expect(tasks.map(({ state: { falling, sent } }) => [falling, sent])).toEqual([
      [false, false],
      [false, true],
      [true, true],
    ]);
  });
});

describe('what Temporal gets to know', () => {
  it('ids, codes and counts; nothing of payloads, receipts’ bodies or what a destination said', async () => {
    const secrets = ['DE89370400440532013000', 'words of the destination', 'hunter2', 'tail of a body'];
    const payload = JSON.stringify({ iban: secrets[0] });
    const options = {
      message: secrets[1],
      cause: new Error(secrets[2]),
      response: { status: 500, headers: {}, body: secrets[3] ?? '' },
    } as const;
    const failing = new IntegrationError('HTTP.SERVER_ERROR', options as never);
    const { carrier, ids, run } = await carry(line, { payload });
    script(ids[1], failing);
    scriptBatch(failing, 'each');
    settleFails = 1;
    await line.startBatch(carrier, ids);
    expect(await run.result()).toEqual(tally({ delivered: 2, fellOut: 1 }));
    const twice = await carry(line, { payload });
    scriptBatch(failing);
    await line.startBatch(twice.carrier, twice.ids);
    await twice.run.result();
    for (const one of [run, twice.run]) {
      const text = [textOf(await one.fetchHistory()), textOf((await one.describe()).raw)].join('\n');
      expect(text).toContain('HTTP.SERVER_ERROR');
      for (const secret of secrets) expect(text).not.toContain(secret);
    }
    // The database has them.
    const { rows } = await store.pool.query(
      'SELECT message FROM outbox.delivery_attempt WHERE event_id = $1 AND n = 2',
      [ids[1]],
    );
    expect(rows).toEqual([{ message: secrets[1] }]);
  });
});
