/**
 * The whole run of an event on a real Temporal and PostgreSQL: starter, workflow, activities, use cases, stores. Only the
 * dispatcher is scripted, for it is what stands for the destination here.
 */
import { activityInfo } from '@temporalio/activity';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { DEFAULT_TIMEOUTS, deliveryTimeouts } from '../../src/domain/delivery/delivery-timeouts.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { asAdmin } from '../support/databases.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  createScriptedDispatcher,
  type DeliveryLine,
  type DeliveryStore,
  FAST_POLICY,
  GIVES_UP_SOON,
  RECEIPT,
  readHistory,
  TEST_TIMEOUTS,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { triesUntil } from '../support/tries-until.js';

const { dispatcher, script, modes } = createScriptedDispatcher();
let store: DeliveryStore;
let line: DeliveryLine;
/** Its local attempts give up soon where they cannot settle. */
let hasty: DeliveryLine;
/** A destination that never answers and a handler that keeps no deadline; let go when the tests are over. */
const never = Promise.withResolvers<typeof RECEIPT>();
never.promise.catch(() => {}); // also where no test of a selection waits for it
/** Calls of `settle` that fail, by event: the database is away exactly then. */
const settleFails = new Map<string, number>();

beforeAll(async () => {
  store = await createDeliveryStore();
  const attempts = {
    ...store.attempts,
    settle: async (...args: Parameters<typeof store.attempts.settle>) => {
      const left = settleFails.get(args[0].eventId) ?? 0;
      settleFails.set(args[0].eventId, left - 1);
      if (left > 0) throw new IntegrationError('STORE.UNAVAILABLE');
      return store.attempts.settle(...args);
    },
  };
  line = await createDeliveryLine({ store, dispatcher, attempts });
  hasty = await createDeliveryLine({ store, dispatcher, attempts, timeouts: GIVES_UP_SOON });
});
/** Stopped at the end: their attempts never answer before, or the test may fail before it could stop them. */
const stuck: DeliveryLine[] = [];
afterAll(async () => {
  never.reject(new IntegrationError('DELIVERY.CANCELLED'));
  await Promise.all(stuck.map((own) => own.stop()));
  await line?.stop();
  await hasty?.stop();
  await store?.close();
});

async function started(...[options]: Parameters<DeliveryStore['append']>) {
  const id = await store.append(options);
  return { id, run: line.run(id) };
}
const failureOf = async (run: ReturnType<DeliveryLine['run']>) => {
  const error = await run.result().then(
    (result) => new Error(`expected a failed run, got ${JSON.stringify(result)}`),
    (failure) => failure,
  );
  if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure)) throw error;
  return error.cause;
};
/** Of the server's timestamps and durations. */
const toMs = (time: { seconds?: unknown; nanos?: number | null } | null | undefined) =>
  Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1_000_000;
const refused = () => new IntegrationError('HTTP.CLIENT_ERROR', { status: 404, message: 'secret-in-message' });
const broken = () => new IntegrationError('HTTP.SERVER_ERROR', { status: 500 });

describe('delivery', () => {
  it('a committed event is DELIVERED with its receipt by one local attempt, which writes no row', async () => {
    const { id, run } = await started();
    expect(await line.start(id)).toMatchObject({ kind: 'started' });
    expect(await run.result()).toEqual({ kind: 'delivered', receiptId: RECEIPT.id });
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: RECEIPT });
    expect(await store.attemptRows(id)).toEqual([]);
    expect(await readHistory(run)).toEqual(['marker']);
  });

  it('R16: a run may settle before its mark', async () => {
    const { id, run } = await started({ status: 'PENDING' });
    await line.start(id);
    await run.result();
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED' });
  });

  it('with a worker on the same connection the first task comes with the start', async () => {
    const { id, run } = await started();
    expect(await line.start(id)).toEqual({ kind: 'started', eager: true });
    await run.result();
  });

  it('firstAttempt regular: no local attempt, nothing counted as lost', async () => {
    const { id, run } = await started();
    await line.start(id, { firstAttempt: 'regular' });
    await run.result();
    expect(modes(id)).toEqual(['regular']);
    expect(await readHistory(run)).toEqual(['scheduled dispatchEvent']);
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: true }]);
  });
});

describe('retries', () => {
  it('R13: a failed local attempt is slept upon, then the regular activity takes over', async () => {
    const { id, run } = await started();
    script(id, broken(), broken(), RECEIPT);
    await line.start(id);
    await run.result();
    expect(modes(id)).toEqual(['local', 'regular', 'regular']);
    expect(await readHistory(run)).toEqual(['marker', 'timer 1', 'scheduled dispatchEvent']);
    expect(await store.attemptRows(id)).toEqual([
      { n: 1, local: true, code: 'HTTP.SERVER_ERROR', finished: true },
      { n: 2, local: false, code: 'HTTP.SERVER_ERROR', finished: true },
      { n: 3, local: false, code: null, finished: true },
    ]);
  });

  it('R13: the first retry of a 429 with Retry-After: 2 waits by a timer of 2 s and the backoff after it', async () => {
    const { id, run } = await started();
    script(id, new IntegrationError('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 2_000 }), RECEIPT);
    await line.start(id);
    await run.result();
    expect(await readHistory(run)).toEqual(['marker', 'timer 2001', 'scheduled dispatchEvent']);
  });

  it('R13: a local attempt that runs out is HTTP.TIMEOUT, and its number is taken', async () => {
    const timeouts = { ...TEST_TIMEOUTS, local: { ...TEST_TIMEOUTS.local, startToCloseMs: 300 } };
    const slow = await createDeliveryLine({ store, dispatcher, timeouts });
    const id = await store.append();
    script(id, (options) => (options.mode === 'local' ? never.promise : Promise.resolve(RECEIPT)));
    await slow.start(id);
    await slow.run(id).result();
    expect(await readHistory(slow.run(id))).toEqual(['marker', 'timer 1', 'scheduled dispatchEvent']);
    expect(await store.attemptRows(id)).toEqual([
      { n: 1, local: true, code: 'HTTP.TIMEOUT', finished: true },
      { n: 2, local: false, code: null, finished: true },
    ]);
    stuck.push(slow);
  });

  it('R13: a local attempt that uses its whole deadline ends inside the first workflow task', async () => {
    const local = { ...DEFAULT_TIMEOUTS.local, storeMs: TEST_TIMEOUTS.local.storeMs };
    const own = await createDeliveryLine({ store, dispatcher, timeouts: { ...DEFAULT_TIMEOUTS, local } });
    stuck.push(own);
    // The marker comes after the run, and its first task: scheduled, started, completed.
    const expected = [4, 'HTTP.TIMEOUT', null];
    // A pause of a second just then makes it a second task, or a lost one; a deadline that is too long, each time.
    const seen = await triesUntil(expected, async () => {
      const id = await store.append();
      script(id, (options) => (options.mode === 'local' ? never.promise : Promise.resolve(RECEIPT)));
      await own.start(id);
      await own.run(id).result();
      const { events } = await own.run(id).fetchHistory();
      const marker = events?.findIndex((event) => event.markerRecordedEventAttributes);
      return [marker, ...(await store.attemptRows(id)).map(({ code }) => code)];
    });
    expect(seen).toContainEqual(expected);
  });

  it('R13: a handler of more than 15 s starts with a regular attempt that heartbeats; one of less does not', async () => {
    for (const [handlerMs, expected] of [
      [60_000, { steps: ['scheduled dispatchEvent'], startToClose: 65_000, heartbeat: 30_000 }],
      [15_000, { steps: ['marker', 'scheduled dispatchEvent'], startToClose: 20_000, heartbeat: 0 }],
    ] as const) {
      const timeouts = { ...deliveryTimeouts(handlerMs), local: TEST_TIMEOUTS.local };
      const own = await createDeliveryLine({ store, dispatcher, timeouts });
      stuck.push(own);
      const id = await store.append();
      script(id, (options) => Promise.resolve(options.mode === 'local' ? 'busy' : RECEIPT));
      await own.start(id);
      await own.run(id).result();
      const { events } = await own.run(id).fetchHistory();
      const scheduled = events?.find((event) => event.activityTaskScheduledEventAttributes);
      const { startToCloseTimeout, heartbeatTimeout } = scheduled?.activityTaskScheduledEventAttributes ?? {};
      expect({
        steps: await readHistory(own.run(id)),
        startToClose: toMs(startToCloseTimeout),
        heartbeat: toMs(heartbeatTimeout),
      }).toEqual(expected);
    }
  });

  it('R13: a local attempt that finds no place in time is no attempt', async () => {
    // The first one may hold its place for longer than the second one waits for one, which learns of it when that is free.
    const times = { sendMs: 7_000, totalMs: 7_500, startToCloseMs: 8_000, scheduleToStartMs: 1_000 };
    const timeouts = { ...TEST_TIMEOUTS, local: { ...TEST_TIMEOUTS.local, ...times } };
    const narrow = await createDeliveryLine({ store, dispatcher, timeouts, slots: { localActivities: 1 } });
    const [holder, late] = [await store.append(), await store.append()];
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    script(holder, () => held.then(() => RECEIPT));
    await narrow.start(holder);
    await eventually('the first one to hold the only place', async () => modes(holder).length === 1);
    await narrow.start(late);
    await narrow.run(late).result();
    release();
    await narrow.run(holder).result();
    expect(modes(late)).toEqual(['regular']);
    expect(await store.attemptRows(late)).toEqual([{ n: 1, local: false, code: null, finished: true }]);
    await narrow.stop();
  });

  it('R14: a full local place makes it regular at once; a full regular one spends nothing', async () => {
    const { id, run } = await started();
    script(id, 'busy', 'busy', RECEIPT);
    await line.start(id);
    await run.result();
    expect(modes(id)).toEqual(['local', 'regular', 'regular']);
    expect(await readHistory(run)).toEqual(['marker', 'scheduled dispatchEvent']);
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: true }]);
  });

  it('R11, R12: three attempts lost in a row are a crash loop, and spend nothing else', async () => {
    const regular = { ...DEFAULT_TIMEOUTS.regular, startToCloseMs: 1_500 };
    const dying = await createDeliveryLine({ store, dispatcher, timeouts: { ...DEFAULT_TIMEOUTS, regular } });
    const id = await store.append();
    script(id, () => never.promise);
    await dying.start(id, { firstAttempt: 'regular' });
    expect(await failureOf(dying.run(id))).toMatchObject({ type: 'DELIVERY.CRASH_LOOP' });
    expect((await store.attemptRows(id)).map((r) => r.code)).toEqual(Array(3).fill('DELIVERY.ATTEMPT_LOST'));
    expect(await store.letters(id)).toMatchObject([{ code: 'DELIVERY.CRASH_LOOP', retry_count: 0 }]);
    stuck.push(dying);
  });
});

describe('receipts', () => {
  it('R15: a receipt that cannot be settled locally travels on; the regular attempt settles and sends nothing', async () => {
    const id = await store.append();
    const run = hasty.run(id);
    settleFails.set(id, 1_000);
    await hasty.start(id);
    await eventually('the local attempt to give up', async () => (await readHistory(run)).includes('marker'));
    settleFails.set(id, 0);
    expect(await run.result()).toEqual({ kind: 'delivered', receiptId: RECEIPT.id });
    expect(modes(id)).toEqual(['local']);
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: { id: 'rec-1', hash: 'h1' } });
    expect(await store.attemptRows(id)).toEqual([]);
  });

  it('R15: from a regular attempt it travels on in the heartbeat', async () => {
    const regular = { ...DEFAULT_TIMEOUTS.regular, totalMs: 300 };
    settleFails.clear();
    const id = await store.append();
    settleFails.set(id, 4);
    const attempts = {
      ...store.attempts,
      settle: async (...args: Parameters<typeof store.attempts.settle>) => {
        const left = settleFails.get(id) ?? 0;
        settleFails.set(id, left - 1);
        if (left > 0) throw new IntegrationError('STORE.UNAVAILABLE');
        return store.attempts.settle(...args);
      },
    };
    const own = await createDeliveryLine({ store, dispatcher, attempts, timeouts: { ...DEFAULT_TIMEOUTS, regular } });
    await own.start(id, { firstAttempt: 'regular' });
    await own.run(id).result();
    expect(modes(id)).toEqual(['regular']);
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: { id: 'rec-1', hash: 'h1' } });
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: true }]);
    await own.stop();
  });

  it('R15: heartbeats of a long attempt hand on the receipt that it was handed', async () => {
    const long = deliveryTimeouts(60_000);
    const regular = { ...long.regular, totalMs: 300, heartbeatMs: 6_000 };
    const id = await store.append();
    const run = () => own.run(id);
    /** What the server holds of the attempt under way, once it was told by that very attempt. */
    const beaten = (attempt: number) =>
      eventually(`a heartbeat of attempt ${attempt}`, async () => {
        const pending = (await run().describe()).raw.pendingActivities?.[0];
        if (Number(pending?.attempt) !== attempt) return null;
        if (toMs(pending?.lastHeartbeatTime) <= toMs(pending?.lastStartedTime)) return null;
        return Buffer.from(pending?.heartbeatDetails?.payloads?.[0]?.data ?? []).toString();
      });
    const seen: string[] = [];
    let settles = 0;
    const attempts = {
      ...store.attempts,
      settle: async (...args: Parameters<typeof store.attempts.settle>) => {
        settles += 1;
        // The first attempt gives up after its 300 ms; the second is held until it has beaten, then fails, too.
        const { attempt } = activityInfo();
        if (attempt === 2) seen.push(await beaten(2));
        if (attempt < 3) throw new IntegrationError('STORE.UNAVAILABLE');
        return store.attempts.settle(...args);
      },
    };
    const own = await createDeliveryLine({ store, dispatcher, attempts, timeouts: { ...long, regular } });
    stuck.push(own);
    await own.start(id);
    await run().result();
    expect(modes(id)).toEqual(['regular']);
    expect(seen[0]).toContain('"rec-1"');
    expect(settles).toBeGreaterThan(2);
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: { id: 'rec-1', hash: 'h1' } });
  });

  it('R15: DELIVERED already: the run answers the stored receipt and sends nothing', async () => {
    const { id, run } = await started();
    await store.attempts.settle({ eventId: id, epoch: 0, carrier: null }, { ...RECEIPT, id: 'stored' }, null, 5_000);
    await line.start(id);
    expect(await run.result()).toEqual({ kind: 'delivered', receiptId: 'stored' });
    expect(modes(id)).toEqual([]);
  });

  it('R15: superseded by epoch or carrier: the run completes and sends nothing', async () => {
    for (const change of ['epoch = 1', "carrier = 'batch'"]) {
      const { id, run } = await started();
      await store.pool.query(`UPDATE outbox.delivery SET ${change} WHERE event_id = $1`, [id]);
      await line.start(id);
      expect(await run.result()).toEqual({ kind: 'superseded' });
      expect(modes(id)).toEqual([]);
    }
  });

  it('R16: a receipt for an epoch that is over settles nothing and is counted', async () => {
    const { id, run } = await started();
    script(id, async () => {
      await store.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [id]);
      return RECEIPT;
    });
    await line.start(id);
    expect(await run.result()).toEqual({ kind: 'superseded' });
    expect(line.fenced).toContain(id);
    expect(await store.delivery(id)).toMatchObject({ status: 'STARTED', epoch: 1, receipt: null });
  });
});

describe('dead letters', () => {
  it('R17: a final error: one attempt, letter, notification row; the run is Failed and found by its error code', async () => {
    const { id, run } = await started();
    script(id, refused());
    await line.start(id);
    const failure = await failureOf(run);
    expect(failure).toMatchObject({
      type: 'HTTP.CLIENT_ERROR',
      nonRetryable: true,
      message: 'The destination refused the request',
      details: [{ code: 'HTTP.CLIENT_ERROR', status: 404, attempt: 1 }],
    });
    expect(modes(id)).toEqual(['local']);
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: true, code: 'HTTP.CLIENT_ERROR', finished: true }]);
    expect(await store.delivery(id)).toMatchObject({ status: 'DEAD' });
    expect(await store.letters(id)).toMatchObject([{ state: 'open', message: 'secret-in-message', retry_count: 1 }]);
    expect(await store.notifications(id)).toHaveLength(1);

    const description = await run.describe();
    expect(description.status.name).toBe('FAILED');
    expect(description.searchAttributes).toMatchObject({
      OutboxEventName: ['order.order.placed.v1'],
      OutboxEventType: ['ORDER'],
      OutboxTenantId: ['acme'],
      OutboxErrorCode: ['HTTP.CLIENT_ERROR'],
    });
    expect(description.memo).toMatchObject({ eventId: id, epoch: 0 });
    expect(await description.staticSummary()).toBe('order.order.placed.v1 → test.destination');
    await eventually('the run in a search by its error code', async () => {
      const query = `OutboxErrorCode = 'HTTP.CLIENT_ERROR' AND ExecutionStatus = 'Failed' AND WorkflowId = '${run.workflowId}'`;
      for await (const found of line.client.workflow.list({ query })) return found.workflowId === run.workflowId;
      return false;
    });
    const { events } = await run.fetchHistory();
    const text = Buffer.from(JSON.stringify(events)).toString();
    const payloads = [...text.matchAll(/"data":"([A-Za-z0-9+/=]+)"/g)].map((m) =>
      Buffer.from(m[1] ?? '', 'base64').toString(),
    );
    expect(`${text}${payloads.join()}`).not.toContain('secret-in-message');
  });

  it('R12: the maximum of attempts is counted over local and regular ones', async () => {
    const { id, run } = await started();
    script(id, broken());
    await line.start(id);
    expect(await failureOf(run)).toMatchObject({ type: 'HTTP.SERVER_ERROR', details: [{ attempt: 4, status: 500 }] });
    expect(modes(id)).toEqual(['local', 'regular', 'regular', 'regular']);
    expect(await store.letters(id)).toMatchObject([{ retry_count: 4, max_retries: 4 }]);
  });

  it('R17: superseded meanwhile: no letter, and the run completes', async () => {
    const { id, run } = await started();
    script(id, async () => {
      await store.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [id]);
      throw refused();
    });
    await line.start(id);
    expect(await run.result()).toEqual({ kind: 'superseded' });
    expect(await store.letters(id)).toEqual([]);
    expect(await store.notifications(id)).toEqual([]);
  });

  it('R17: where a letter of this epoch stands already, it stays the only one', async () => {
    const { id, run } = await started();
    script(id, async () => {
      const input = {
        run: { eventId: id, epoch: 0, carrier: null },
        message: 'm',
        attempt: null,
        workflowId: 'w',
        runId: 'r',
      };
      await store.deadLetters.recordDeadLetter({ ...input, code: 'WORKFLOW.TERMINATED' }, 5_000);
      throw refused();
    });
    await line.start(id);
    expect(await failureOf(run)).toMatchObject({ type: 'HTTP.CLIENT_ERROR' });
    expect(await store.letters(id)).toMatchObject([{ code: 'WORKFLOW.TERMINATED' }]);
  });

  it('F29: the database away exactly when the letter is due: it is written once the database is back', async () => {
    const own = await createDeliveryStore();
    const away = await createDeliveryLine({ store: own, dispatcher });
    const name = new URL(own.url).pathname.slice(1);
    const id = await own.append();
    script(id, async () => {
      await asAdmin(async (admin) => {
        await admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
        await admin.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
      });
      throw refused();
    });
    await away.start(id);
    await eventually('the letter to be tried in vain', async () => {
      const { raw } = await away.run(id).describe();
      return raw.pendingActivities?.some((a) => a.activityType?.name === 'recordDeadLetter' && Number(a.attempt) > 1);
    });
    await asAdmin((admin) => admin.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`));
    expect(await failureOf(away.run(id))).toMatchObject({ type: 'HTTP.CLIENT_ERROR' });
    expect(await own.letters(id)).toMatchObject([{ state: 'open', code: 'HTTP.CLIENT_ERROR', retry_count: 1 }]);
    expect(await own.attemptRows(id)).toEqual([{ n: 1, local: true, code: 'HTTP.CLIENT_ERROR', finished: true }]);
    await away.stop();
    await own.close();
  });

  it('R19: an event that is not there fails the run without a letter', async () => {
    const missing = (nonRetryable: boolean) =>
      ApplicationFailure.create({
        type: 'DISPATCH.EVENT_NOT_FOUND',
        nonRetryable,
        details: [{ code: 'DISPATCH.EVENT_NOT_FOUND', status: null, attempt: null, delayMs: 1 }],
      });
    const asked: string[] = [];
    const other = await createDeliveryLine({
      store,
      dispatcher,
      activities: {
        async dispatchEvent() {
          asked.push('dispatch');
          throw missing(asked.length === 3);
        },
        async recordDeadLetter() {
          asked.push('letter');
          return { kind: 'recorded' };
        },
      },
    });
    const id = await store.append();
    await other.start(id);
    expect(await failureOf(other.run(id))).toMatchObject({ type: 'DISPATCH.EVENT_NOT_FOUND' });
    expect(asked).toEqual(['dispatch', 'dispatch', 'dispatch']);
    await other.stop();
  });

  it('what the workflow does not expect ends in a letter, not in a task that is tried for ever', async () => {
    const codes: string[] = [];
    const other = await createDeliveryLine({
      store,
      dispatcher,
      activities: {
        async dispatchEvent() {
          throw ApplicationFailure.nonRetryable('of another version', 'SOMETHING.NEW');
        },
        async recordDeadLetter({ code }) {
          codes.push(code);
          return { kind: 'recorded' };
        },
      },
    });
    const id = await store.append();
    await other.start(id);
    expect(await failureOf(other.run(id))).toMatchObject({ type: 'WORKFLOW.STUCK' });
    expect(codes).toEqual(['WORKFLOW.STUCK']);
    await other.stop();
  });
});

describe('cancellation and shutdown', () => {
  it('a cancelled run that waits for its next attempt ends in a letter', async () => {
    const waiting = new IntegrationError('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 3_600_000 });
    const asleep = await started();
    script(asleep.id, waiting);
    const backingOff = await started();
    script(backingOff.id, waiting);
    await line.start(asleep.id);
    await line.start(backingOff.id, { firstAttempt: 'regular' });
    for (const { id, run } of [asleep, backingOff]) {
      await eventually('the first failure', async () => (await store.attemptRows(id))[0]?.finished);
      if (id === asleep.id)
        await eventually('the timer', async () => (await readHistory(run)).includes('timer 3600001'));
      await run.cancel();
      expect(await failureOf(run)).toMatchObject({ type: 'WORKFLOW.TERMINATED' });
      expect(await store.delivery(id)).toMatchObject({ status: 'DEAD' });
      expect(await store.letters(id)).toMatchObject([{ code: 'WORKFLOW.TERMINATED', retry_count: 1 }]);
    }
  });

  it('R13: a delay of the policy that is longer than the longest of the activity is kept by the server', async () => {
    const policy = { ...FAST_POLICY, backoff: { kind: 'fixed', intervalMs: 21_600_000 } } as const;
    const patient = await createDeliveryLine({ store, dispatcher, policy });
    const { rows } = await store.pool.query<{ hash: string }>(
      `INSERT INTO outbox.policy (hash, body) VALUES ('patient', $1) RETURNING hash`,
      [policy],
    );
    const id = await store.append({ policyHash: rows[0]?.hash ?? '' });
    script(id, broken());
    await patient.start(id, { firstAttempt: 'regular' });
    const pending = await eventually('the next attempt to be planned', async () => {
      const { raw } = await patient.run(id).describe();
      return raw.pendingActivities?.find((activity) => activity.lastAttemptCompleteTime && activity.scheduledTime);
    });
    const waits = toMs(pending.scheduledTime) - toMs(pending.lastAttemptCompleteTime);
    expect(waits).toBeGreaterThan(21_000_000);
    await patient.run(id).terminate('the test is over');
    await patient.stop();
  });

  it('R15: a cancelled run that has a receipt in hand writes it, and no letter', async () => {
    const id = await store.append();
    const run = hasty.run(id);
    settleFails.set(id, 1_000);
    await hasty.start(id);
    await eventually('it to wait with its receipt', async () =>
      (await readHistory(run)).some((step) => step.startsWith('timer')),
    );
    await run.cancel();
    await eventually('it to hear of that', async () =>
      (await run.fetchHistory()).events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes),
    );
    settleFails.delete(id);
    expect(await run.result()).toEqual({ kind: 'delivered', receiptId: RECEIPT.id });
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED' });
    expect(await store.letters(id)).toEqual([]);
  });

  it('a cancelled run waits for the attempt under way, which may still deliver', async () => {
    const { id, run } = await started();
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    script(id, () => answered.then(() => RECEIPT));
    await line.start(id, { firstAttempt: 'regular' });
    await eventually('the attempt to be under way', async () => modes(id).length === 1);
    await run.cancel();
    answer();
    expect(await run.result()).toMatchObject({ kind: 'delivered' });
  });

  it('a cancelled run gives up a long attempt, which heartbeats and so hears of it, and ends in a letter', async () => {
    const long = deliveryTimeouts(60_000);
    const regular = { ...long.regular, heartbeatMs: 6_000 };
    const own = await createDeliveryLine({ store, dispatcher, timeouts: { ...long, regular } });
    stuck.push(own);
    const id = await store.append();
    script(
      id,
      ({ signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(new IntegrationError('DELIVERY.CANCELLED'))),
        ),
    );
    await own.start(id);
    await eventually('the attempt to be under way', async () => modes(id).length === 1);
    await own.run(id).cancel();
    expect(await failureOf(own.run(id))).toMatchObject({ type: 'WORKFLOW.TERMINATED' });
    expect(await store.letters(id)).toMatchObject([{ code: 'WORKFLOW.TERMINATED', retry_count: 0 }]);
    expect(await store.attemptRows(id)).toEqual([]);
  });

  it('R12: a shutdown during a regular attempt is DELIVERY.CANCELLED: no row, and another worker delivers', async () => {
    const first = await createDeliveryLine({ store, dispatcher });
    const id = await store.append();
    script(
      id,
      ({ signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(new IntegrationError('DELIVERY.CANCELLED'))),
        ),
      RECEIPT,
    );
    await first.start(id, { firstAttempt: 'regular' });
    await eventually('the attempt to be under way', async () => modes(id).length === 1);
    await first.stop();
    expect(await store.attemptRows(id)).toEqual([]);
    const second = await createDeliveryLine({ store, dispatcher, deployment: first.deployment });
    await second.run(id).result();
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: null, finished: true }]);
    await second.stop();
  });
});

describe('R2: one run for an id', () => {
  it('R2: started again while it runs and after it ended: one run', async () => {
    const { id, run } = await started();
    script(id, broken(), RECEIPT);
    const answers = await Promise.all([line.start(id), line.start(id), line.start(id)]);
    expect(answers.map((a) => a.kind).sort()).toEqual(['exists', 'exists', 'started']);
    await run.result();
    expect(await line.start(id)).toEqual({ kind: 'exists' });
    expect(modes(id)).toHaveLength(2);
  });

  it('R2: a dead event redriven inside the retention really runs, with a budget of its own', async () => {
    const { id, run } = await started();
    script(id, refused(), broken(), RECEIPT);
    await line.start(id);
    await failureOf(run);
    expect(await store.redrive(id)).toMatchObject({ kind: 'redriven', epoch: 1 });
    expect(await line.start(id, { epoch: 1 })).toMatchObject({ kind: 'started' });
    expect(await line.run(id, 1).result()).toMatchObject({ kind: 'delivered' });
    expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', epoch: 1 });
    expect(await store.letters(id)).toMatchObject([{ state: 'redriven' }]);
  });
});
