/**
 * The use case of one attempt of a batch: what becomes of each of its events, and what is handed on where the store or the
 * destination does not do its part. Store and dispatcher are scripted; the real statements are in test/integration, whole
 * runs in test/workflows.
 */
import { jest } from '@jest/globals';
import fc from 'fast-check';
import type { DispatchBatchInput } from '../../src/application/delivery/coalescing/batch-attempt.js';
import { type BatchOutcome, dispatchBatch } from '../../src/application/delivery/coalescing/dispatch-batch.js';
import type {
  BatchDispatcher,
  BatchStore,
  Budget,
  EventRef,
  FallenEvent,
} from '../../src/application/delivery/ports.js';
import { createSemaphore } from '../../src/application/delivery/semaphore.js';
import { type BatchState, NEW_BATCH } from '../../src/domain/delivery/batch-state.js';
import { healthyView } from '../../src/domain/delivery/breaker.js';
import { catalogEntry, type ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError, type IntegrationErrorOptions } from '../../src/domain/delivery/integration-error.js';
import { DEFAULT_POLICY, type RetryPolicy } from '../../src/domain/delivery/policy.js';
import type { Receipt } from '../../src/domain/delivery/receipt.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { createCountedMetrics } from '../support/counted-metrics.js';
import { outboxEventOf } from '../support/events.js';

const CARRIER = 'main:batch:0197d3a0-0000-7000-8000-0000000000ff';
const IDS = ['a', 'b', 'c'] as const;
const NAME = 'audit.log';
const WELL = healthyView(NAME);
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

const ref = (eventId: string): EventRef => ({ eventId, epoch: 2 });
const receiptOf = (id: string): Receipt => ({
  id: `rec-${id}`,
  hash: `h-${id}`,
  status: 201,
  at: '2026-01-01T00:00:00.000Z',
  replayed: false,
});
const error = (code: ErrorCode, options: IntegrationErrorOptions = {}) => new IntegrationError(code, options);
const away = () => Promise.reject(error('STORE.UNAVAILABLE'));
const bug = () => Promise.reject(new TypeError('a bug'));
const loaded = (ids: readonly string[] = IDS, tenantOf: (id: string) => string = () => 'acme') => ({
  destination: WELL,
  events: ids.map((id) => ({ ref: ref(id), event: outboxEventOf({ id, tenantId: tenantOf(id) }) })),
  held: [],
  over: [],
  delivered: 0,
  superseded: 0,
  missing: 0,
});

type Answers = BatchDispatcher['dispatchBatch'];
const failing =
  (code: ErrorCode, options: IntegrationErrorOptions = {}): Answers =>
  async () => {
    throw error(code, options);
  };
/** Each event as told, the others with their receipts. */
const each =
  (told: Readonly<Record<string, IntegrationError>>): Answers =>
  async (events) =>
    events.map(({ id }) => told[id] ?? receiptOf(id));

const INPUT: DispatchBatchInput = {
  batch: { carrier: CARRIER, destination: NAME, events: IDS.map(ref) },
  mode: 'regular',
  state: NEW_BATCH,
  runId: 'r',
  worker: 'w#1',
  deadlines: { storeMs: 20, sendMs: 20, totalMs: 120 },
  signal: new AbortController().signal,
};

/** One worker: what its store and its destination do, and what was asked of them. */
function set(store: Partial<BatchStore> = {}, dispatch: Answers = each({}), budget: Partial<Budget> = {}) {
  const budgetOf = (): Budget => ({ policy: DEFAULT_POLICY, codes: [], sinceFirstMs: 0, ...budget });
  const fallOut = jest.fn<BatchStore['fallOut']>(
    store.fallOut ?? (async (_, events) => ({ fallen: events.length, superseded: 0 })),
  );
  const settleBatch = jest.fn<BatchStore['settleBatch']>(
    store.settleBatch ?? (async (receipts) => ({ settled: receipts.length, already: 0, superseded: 0 })),
  );
  const batches: BatchStore = {
    loadBatch: async () => loaded(),
    readBudgets: async (refs) => new Map(refs.map(({ eventId }) => [eventId, budgetOf()])),
    ...store,
    fallOut,
    settleBatch,
  };
  const sent = jest.fn<Answers>(dispatch);
  const places = createSemaphore(() => 1, 1);
  const deps = {
    batches,
    dispatcher: { dispatchBatch: sent },
    log,
    random: () => 0.5,
    redactor: createRedactor(),
    placesOf: () => places,
    lastTookMs: new Map<string, number>(),
    onFencedSettle: jest.fn<(count: number) => void>(),
    onEventNotFound: jest.fn<() => void>(),
    metrics: createCountedMetrics(),
  };
  return {
    ...deps,
    places,
    sent,
    fallOut,
    settleBatch,
    run: (more: Partial<DispatchBatchInput> = {}) => dispatchBatch(deps, { ...INPUT, ...more }),
    /** Who left the batch so far, in order. */
    fallen: () => fallOut.mock.calls.flatMap(([, events]) => events.map(shortly)),
    doubtful: () => fallOut.mock.calls.map(([, , { doubtful }]) => doubtful),
  };
}

function shortly({ ref: { eventId }, delayMs, alone, attempts }: FallenEvent) {
  return { id: eventId, delayMs, alone, codes: attempts.map(({ code }) => code) };
}

async function failedOf(running: Promise<BatchOutcome>) {
  const outcome = await running;
  if (outcome.kind !== 'failed') throw new Error(`expected a failure, got ${JSON.stringify(outcome)}`);
  return outcome;
}
const stateOf = async (running: Promise<BatchOutcome>): Promise<BatchState> => (await failedOf(running)).state;
const done = (tally: object) => ({
  kind: 'done',
  tally: { delivered: 0, fellOut: 0, gaveBack: 0, superseded: 0, code: null, ...tally },
});
const tryOf = (code: ErrorCode, local = false, status: number | null = null) => ({ code, status, local });

describe('what the destination answers', () => {
  it('R20: with a receipt for each, all are settled by one call and nothing falls out', async () => {
    const one = set();
    expect(await one.run({ mode: 'local' })).toEqual(done({ delivered: 3 }));
    expect(one.settleBatch.mock.calls.map(([receipts]) => receipts)).toEqual([
      IDS.map((id) => ({ ref: ref(id), receipt: receiptOf(id) })),
    ]);
    expect(one.sent.mock.calls.map(([events]) => events.map(({ id }) => id))).toEqual([[...IDS]]);
    expect(one.fallOut).not.toHaveBeenCalled();
  });

  it('R20: where the one statement for all was refused, that is told', async () => {
    const refusal = new TypeError('too many columns');
    const warn = jest.spyOn(log, 'warn');
    const one = set({ settleBatch: async () => ({ settled: 3, already: 0, superseded: 0, bulkRefused: refusal }) });
    expect(await one.run()).toEqual(done({ delivered: 3 }));
    expect(warn.mock.calls).toMatchObject([[{ receipts: 3, err: refusal }, 'batch.settled_one_by_one']]);
    warn.mockRestore();
  });

  it('R16: what was settled already counts as delivered; what another epoch has is fenced, and told', async () => {
    const one = set({ settleBatch: async () => ({ settled: 1, already: 1, superseded: 1 }) });
    expect(await one.run()).toEqual(done({ delivered: 2, superseded: 1 }));
    expect(one.onFencedSettle.mock.calls).toEqual([[1]]);
  });

  it('R20: one that fails by itself falls out alone with its attempt, by its own policy; the others are delivered', async () => {
    const broken = error('HTTP.SERVER_ERROR', { status: 500, message: 'the words of the destination' });
    const one = set({}, each({ a: broken, c: error('HTTP.CLIENT_ERROR', { status: 422 }) }));
    expect(await one.run({ mode: 'local' })).toEqual(done({ delivered: 1, fellOut: 2 }));
    expect(one.fallen()).toEqual([
      { id: 'a', delayMs: 500, alone: true, codes: ['HTTP.SERVER_ERROR'] },
      // Final: its own run ends it. Second in its row, so 20 ms after the first.
      { id: 'c', delayMs: 20, alone: true, codes: ['HTTP.CLIENT_ERROR'] },
    ]);
    const [carrier, [first] = [], options] = one.fallOut.mock.calls[0] ?? [];
    expect(carrier).toBe(CARRIER);
    expect(first?.attempts[0]).toMatchObject({ status: 500, message: 'the words of the destination', local: true });
    expect(options).toEqual({ runId: 'r', worker: 'w#1', doubtful: false });
  });

  it('tells the metrics of each that failed, of each that was recorded, and of what another run has by now', async () => {
    const told = { a: error('HTTP.SERVER_ERROR'), c: error('HTTP.CLIENT_ERROR', { status: 422 }) };
    const one = set({ fallOut: async () => ({ fallen: 0, superseded: 2 }) }, each(told));
    await one.run({ runStartedAt: Date.now() });
    expect(one.metrics.counted).toEqual({
      'outbox_failed_attempts_total code=HTTP.SERVER_ERROR': 1,
      'outbox_failed_attempts_total code=HTTP.CLIENT_ERROR': 1,
      'outbox_fenced_writes_total write=fall_out': 2,
      [`outbox_start_to_record_seconds event_type=${outboxEventOf({ id: 'b' }).eventType}`]: 1,
    });
  });

  it("tells the metrics of no record that may be another attempt's or run's", async () => {
    for (const other of [{ already: 1 }, { superseded: 1 }]) {
      const one = set({ settleBatch: async () => ({ settled: 2, already: 0, superseded: 0, ...other }) });
      await one.run({ runStartedAt: Date.now() });
      expect(one.metrics.counted).toEqual({});
    }
  });

  it('tells the metrics of a post that failed once, however many it carried', async () => {
    for (const code of ['HTTP.SERVER_ERROR', 'HTTP.CLIENT_ERROR', 'DESTINATION.BUSY'] as const) {
      const one = set({}, failing(code));
      await one.run();
      expect(one.metrics.counted).toEqual({ [`outbox_failed_attempts_total code=${code}`]: 1 });
    }
  });

  it('R20: what has failed before, in its run or in this batch, counts for its delay', async () => {
    const codes: ErrorCode[] = ['HTTP.NETWORK', 'HTTP.TIMEOUT'];
    const one = set({}, each({ b: error('HTTP.SERVER_ERROR') }), { codes });
    await one.run({ state: { ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK', true)] } });
    // The fourth failure: half of 8 s.
    expect(one.fallen()).toEqual([
      { id: 'b', delayMs: 4_000, alone: true, codes: ['HTTP.NETWORK', 'HTTP.SERVER_ERROR'] },
    ]);
  });

  it.each<[ErrorCode, readonly ErrorCode[], boolean]>([
    ['HTTP.SERVER_ERROR', ['HTTP.SERVER_ERROR'], false],
    ['DELIVERY.CANCELLED', [], true],
    ['DESTINATION.BUSY', [], false],
  ])(
    'R12, R18: an event that fails with %s leaves the attempts %j; a doubt beside them: %p',
    async (code, codes, doubt) => {
      const one = set({}, each({ b: error(code) }));
      await one.run();
      expect(one.fallen()).toMatchObject([{ id: 'b', codes }]);
      expect(one.doubtful()).toEqual([doubt]);
    },
  );

  it.each<[ErrorCode, IntegrationErrorOptions, boolean]>([
    ['HTTP.CLIENT_ERROR', { status: 404 }, false],
    ['HTTP.BAD_RESPONSE', { status: 200 }, true],
  ])(
    'R19, R20: events of a later request that was refused as a whole (%s) were judged by nobody: nothing is booked on them',
    async (code, options, doubt) => {
      const ofRequest = error(code, { ...options, ofRequest: true });
      const own = error('HTTP.CLIENT_ERROR', { status: 422 });
      const one = set({}, each({ a: own, b: ofRequest, c: ofRequest }));
      const state = { ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK', true)] };
      expect(await one.run({ state })).toEqual(done({ fellOut: 3 }));
      expect(one.fallen()).toEqual([
        { id: 'a', delayMs: 0, alone: true, codes: ['HTTP.NETWORK', 'HTTP.CLIENT_ERROR'] },
        // The first post was of all of them.
        { id: 'b', delayMs: 20, alone: true, codes: ['HTTP.NETWORK'] },
        { id: 'c', delayMs: 40, alone: true, codes: ['HTTP.NETWORK'] },
      ]);
      expect(one.doubtful()).toEqual([doubt]);
    },
  );

  it('R20: a later request that fails for a time is an attempt of each of its events; what is said of it is told of one', async () => {
    const response = { status: 500, headers: {}, body: 'of a and b' };
    const ofRequest = error('HTTP.SERVER_ERROR', { response, message: 'their words', ofRequest: true });
    const keptOf = async (tenantOf: (id: string) => string) => {
      const one = set({ loadBatch: async () => loaded(IDS, tenantOf) }, each({ a: ofRequest, b: ofRequest }));
      await one.run();
      return one.fallOut.mock.calls[0]?.[1].map(({ attempts }) => [attempts[0]?.code, attempts[0]?.response?.body]);
    };
    const code = 'HTTP.SERVER_ERROR';
    expect(await keptOf(() => 'acme')).toEqual([
      [code, 'of a and b'],
      [code, undefined],
    ]);
    expect(await keptOf((id) => `tenant-${id}`)).toEqual([
      [code, undefined],
      [code, undefined],
    ]);
  });

  it('an event without an answer has a bad one; the others are delivered', async () => {
    const one = set({}, async () => [receiptOf('a'), receiptOf('b')]);
    expect(await one.run()).toEqual(done({ delivered: 2, fellOut: 1 }));
    expect(one.fallen()).toMatchObject([{ id: 'c', codes: ['HTTP.BAD_RESPONSE'] }]);
  });

  it('a handler that takes events one by one gets them so, each in a run of its own, and nothing is spent', async () => {
    const one = set({}, async () => 'unsupported');
    expect(await one.run()).toEqual(done({ fellOut: 3 }));
    expect(one.fallen()).toEqual(IDS.map((id, n) => ({ id, delayMs: n * 20, alone: true, codes: [] })));
    expect(one.doubtful()).toEqual([false]);
    // What another worker's handler has tried is spent.
    await one.run({ state: { ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK')] } });
    expect(one.fallen().slice(3)).toMatchObject(IDS.map(() => ({ codes: ['HTTP.NETWORK'] })));
  });
});

describe('a post that fails as a whole', () => {
  it('R20: the first time it is tried again after their delay, and nothing leaves', async () => {
    const one = set({}, failing('HTTP.SERVER_ERROR', { status: 503 }));
    expect(await one.run({ mode: 'local' })).toEqual({
      kind: 'failed',
      code: 'HTTP.SERVER_ERROR',
      status: 503,
      delayMs: 500,
      state: { ...NEW_BATCH, postedTo: 3, tries: [tryOf('HTTP.SERVER_ERROR', true, 503)] },
    });
    expect(one.fallOut).not.toHaveBeenCalled();
  });

  it('R13: Retry-After is kept, with the backoff after it', async () => {
    const one = set({}, failing('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 2_000 }));
    expect(await one.run()).toMatchObject({ code: 'HTTP.RATE_LIMITED', delayMs: 2_500 });
  });

  it('R20: the second time all fall out, each with both attempts, spread over time', async () => {
    const first = set({}, failing('HTTP.NETWORK'));
    const state = await stateOf(first.run({ mode: 'local' }));
    const second = set({}, failing('HTTP.SERVER_ERROR', { status: 500 }));
    expect(await second.run({ state })).toEqual(done({ fellOut: 3, code: 'HTTP.SERVER_ERROR' }));
    const codes = ['HTTP.NETWORK', 'HTTP.SERVER_ERROR'];
    expect(second.fallen()).toEqual(IDS.map((id) => ({ id, delayMs: 1_000, alone: true, codes })));
    expect(second.fallOut.mock.calls[0]?.[1][0]?.attempts).toMatchObject([
      { local: true, status: null },
      { local: false, status: 500 },
    ]);
  });

  it('R20: events that fall out together come due no faster than one in 20 ms', async () => {
    const policy: RetryPolicy = { ...DEFAULT_POLICY, backoff: { kind: 'fixed', intervalMs: 30 } };
    const one = set({}, failing('HTTP.NETWORK'), { policy });
    await one.run({ state: { ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK')] } });
    expect(one.fallen().map(({ delayMs }) => delayMs)).toEqual([30, 30, 40]);
  });

  it.each<[string, Partial<RetryPolicy>, ErrorCode, Partial<Budget>, number]>([
    ['final for the code', { codes: { 'HTTP.SERVER_ERROR': 'final' } }, 'HTTP.SERVER_ERROR', {}, 0],
    ['one attempt in all', { maxAttempts: 1 }, 'HTTP.SERVER_ERROR', {}, 0],
    [
      'a budget that earlier runs used up',
      { maxAttempts: 3 },
      'HTTP.NETWORK',
      { codes: ['HTTP.NETWORK', 'HTTP.TIMEOUT'] },
      0,
    ],
    ['a deadline that has passed', {}, 'HTTP.SERVER_ERROR', { sinceFirstMs: DEFAULT_POLICY.deadlineMs }, 0],
    ['a delay of more than 20 s', { backoff: { kind: 'fixed', intervalMs: 20_001 } }, 'HTTP.NETWORK', {}, 20_001],
    ['a fixed minute, as for credentials', {}, 'HTTP.UNAUTHORIZED', {}, 60_000],
  ])('R12, R20: %s: it leaves at once, with the attempt', async (_, policy, code, budget, delayMs) => {
    const one = set({}, failing(code), { ...budget, policy: { ...DEFAULT_POLICY, ...policy } });
    expect(await one.run()).toEqual(done({ fellOut: 3, code }));
    expect(one.fallen()[0]).toEqual({ id: 'a', delayMs, alone: true, codes: [code] });
  });

  it('R20: a delay of 20 s is waited for in the batch', async () => {
    const policy: RetryPolicy = { ...DEFAULT_POLICY, backoff: { kind: 'fixed', intervalMs: 20_000 } };
    expect(await set({}, failing('HTTP.NETWORK'), { policy }).run()).toMatchObject({ kind: 'failed', delayMs: 20_000 });
  });

  it('R20: the longest of its events’ delays is waited for', async () => {
    const later: RetryPolicy = { ...DEFAULT_POLICY, backoff: { kind: 'fixed', intervalMs: 7_000 } };
    const one = set(
      {
        readBudgets: async () =>
          new Map(IDS.map((id) => [id, { policy: id === 'b' ? later : DEFAULT_POLICY, codes: [], sinceFirstMs: 0 }])),
      },
      failing('HTTP.NETWORK'),
    );
    expect(await one.run()).toMatchObject({ kind: 'failed', delayMs: 7_000 });
  });

  it('R20: each by its own policy: some leave at once, the others are tried again', async () => {
    const once: RetryPolicy = { ...DEFAULT_POLICY, maxAttempts: 1 };
    const one = set(
      {
        readBudgets: async () =>
          new Map(IDS.map((id) => [id, { policy: id === 'b' ? once : DEFAULT_POLICY, codes: [], sinceFirstMs: 0 }])),
      },
      failing('HTTP.NETWORK'),
    );
    expect(await one.run()).toMatchObject({ kind: 'failed', delayMs: 500, state: { tries: [{}], falling: false } });
    expect(one.fallen()).toMatchObject([{ id: 'b', codes: ['HTTP.NETWORK'] }]);
  });

  it('R20: told to come slower, they may travel together again', async () => {
    const state = { ...NEW_BATCH, tries: [tryOf('HTTP.RATE_LIMITED')] };
    const one = set({}, failing('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 1_000 }));
    await one.run({ state });
    expect(one.fallen().map(({ alone }) => alone)).toEqual([false, false, false]);
    const far = set({}, failing('HTTP.RATE_LIMITED', { retryAfterMs: 60_000 }));
    await far.run();
    expect(far.fallen()).toMatchObject([{ delayMs: 60_500, alone: false }, {}, {}]);
  });

  it.each<[ErrorCode, IntegrationErrorOptions, boolean]>([
    ['HTTP.CLIENT_ERROR', { status: 413 }, false],
    ['HTTP.CLIENT_ERROR', { status: 404 }, false],
    ['HTTP.BAD_RESPONSE', { status: 200 }, true],
    ['DISPATCH.INVALID_EVENT', { field: '/payload' }, false],
  ])(
    'R19, R20: a whole refusal (%s) says nothing of any event: each goes on alone with its budget',
    async (code, options, doubt) => {
      const one = set({}, failing(code, options));
      expect(await one.run()).toEqual(done({ fellOut: 3, code }));
      expect(one.fallen()).toEqual(IDS.map((id, n) => ({ id, delayMs: n * 20, alone: true, codes: [] })));
      expect(one.doubtful()).toEqual([doubt]);
    },
  );

  it('R20: a whole refusal that the policy retries is one like any other', async () => {
    const policy: RetryPolicy = { ...DEFAULT_POLICY, codes: { 'HTTP.CLIENT_ERROR': {} } };
    const one = set({}, failing('HTTP.CLIENT_ERROR', { status: 409 }), { policy });
    const state = await stateOf(one.run());
    await one.run({ state });
    expect(one.fallen()).toMatchObject([{ codes: ['HTTP.CLIENT_ERROR', 'HTTP.CLIENT_ERROR'] }, {}, {}]);
  });

  it('what a dispatcher throws without a code is the handler’s fault', async () => {
    const one = set({}, async () => {
      throw new Error('boom');
    });
    expect(await one.run()).toMatchObject({ code: 'HANDLER.FAILED', state: { tries: [tryOf('HANDLER.FAILED')] } });
  });

  it('what a destination says of all is kept with one of them, redacted, where all are of one tenant, and nowhere else', async () => {
    const body = '{"who":"acme","password":"hunter2"}';
    const response = { status: 500, headers: { 'x-request-id': 'q' }, body };
    const say = failing('HTTP.SERVER_ERROR', { response, message: 'their words' });
    const state = { ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK')] };
    const keptOf = async (tenantOf: (id: string) => string) => {
      const one = set({ loadBatch: async () => loaded(IDS, tenantOf) }, say);
      await one.run({ state });
      return one.fallOut.mock.calls[0]?.[1].map(({ attempts }) => attempts[1]) ?? [];
    };
    const bare = {
      ...{ code: 'HTTP.SERVER_ERROR', status: 500, local: false, message: catalogEntry('HTTP.SERVER_ERROR').message },
      ...{ stack: null, causes: [], response: null, field: null },
    };
    const [kept, ...others] = await keptOf(() => 'acme');
    expect(others).toEqual([bare, bare]);
    expect(kept).toMatchObject({
      message: 'their words',
      response: { status: 500, headers: { 'x-request-id': 'q' } },
    });
    expect(kept?.response?.body).toContain('acme');
    expect(kept?.response?.body).not.toContain('hunter2');
    expect(await keptOf((id) => `tenant-${id}`)).toEqual([bare, bare, bare]);
  });
});

describe('a post that nobody here has judged', () => {
  const timedOut = { ...NEW_BATCH, tries: [tryOf('HTTP.TIMEOUT', true)] };

  it('R12: what a policy lets have no second one leaves unsent, with the first; the others are sent', async () => {
    const once: RetryPolicy = { ...DEFAULT_POLICY, maxAttempts: 1 };
    const one = set({
      readBudgets: async (refs) =>
        new Map(
          refs.map(({ eventId }) => [
            eventId,
            { policy: eventId === 'b' ? once : DEFAULT_POLICY, codes: [], sinceFirstMs: 0 },
          ]),
        ),
    });
    expect(await one.run({ state: timedOut })).toEqual(done({ delivered: 2, fellOut: 1 }));
    expect(one.sent.mock.calls.map(([events]) => events.map(({ id }) => id))).toEqual([['a', 'c']]);
    expect(one.fallen()).toEqual([{ id: 'b', delayMs: 0, alone: true, codes: ['HTTP.TIMEOUT'] }]);
  });

  it('R12: a third loss in a row is not sent again; where none is left, nothing is', async () => {
    const lost: ErrorCode = 'DELIVERY.ATTEMPT_LOST';
    const one = set({}, each({}), { codes: [lost, lost] });
    expect(await one.run({ state: { ...NEW_BATCH, sent: true, tries: [tryOf(lost)] } })).toEqual(done({ fellOut: 3 }));
    expect(one.sent).not.toHaveBeenCalled();
    expect(one.fallen()).toMatchObject([{ alone: true, codes: [lost] }, {}, {}]);
  });
});

describe('what is not sent', () => {
  it('R15: settled in this epoch, another run’s by now, or not here: counted, not sent', async () => {
    const one = set({ loadBatch: async () => ({ ...loaded(['b']), delivered: 1, superseded: 0, missing: 1 }) });
    expect(await one.run()).toEqual(done({ delivered: 2, superseded: 1 }));
    expect(one.sent.mock.calls[0]?.[0]).toHaveLength(1);
  });

  it('R20: with nothing left to carry, nothing is sent', async () => {
    const one = set({ loadBatch: async () => ({ ...loaded([]), delivered: 1, superseded: 2 }) });
    expect(await one.run()).toEqual(done({ delivered: 1, superseded: 2 }));
    expect(one.sent).not.toHaveBeenCalled();
  });

  it('R6: what a pause holds is given back in the place of its age; the others are sent', async () => {
    const one = set({ loadBatch: async () => ({ ...loaded(['a']), held: [ref('b'), ref('c')] }) });
    expect(await one.run()).toEqual(done({ delivered: 1, gaveBack: 2 }));
    expect(one.fallen()).toEqual(['b', 'c'].map((id) => ({ id, delayMs: null, alone: false, codes: [] })));
    expect(one.doubtful()).toEqual([false]);
  });

  it.each(['open', 'half_open'] as const)(
    'R6: with the breaker %s all are given back, and nothing is sent',
    async (breaker) => {
      const one = set({
        loadBatch: async () => ({ ...loaded(['a', 'b']), held: [ref('c')], destination: { ...WELL, breaker } }),
      });
      expect(await one.run()).toEqual(done({ gaveBack: 3 }));
      expect(one.sent).not.toHaveBeenCalled();
      expect(one.fallen()).toMatchObject(['c', 'a', 'b'].map((id) => ({ id, delayMs: null, alone: false })));
    },
  );

  it('R20: given back after a post that failed, that stays spent; after one that nobody knows of, a doubt', async () => {
    const open = async () => ({ ...loaded(), destination: { ...WELL, breaker: 'open' as const } });
    const one = set({ loadBatch: open });
    await one.run({ state: { ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK')], sent: true } });
    // By itself: another batch would not look at what it has spent.
    expect(one.fallen()).toMatchObject([{ alone: true, codes: ['HTTP.NETWORK'] }, {}, {}]);
    expect(one.doubtful()).toEqual([true]);
  });

  it('R6: where this worker stays away they wait as long, and a second at least', async () => {
    for (const [retryAfterMs, delayMs] of [
      [8_000, 12_000],
      [10, 1_500],
    ] as const) {
      const one = set({}, failing('DESTINATION.OPEN', { retryAfterMs }));
      expect(await one.run()).toEqual(done({ gaveBack: 3 }));
      expect(one.fallen()).toEqual(IDS.map((id) => ({ id, delayMs, alone: false, codes: [] })));
    }
  });
});

describe('a batch that is more than one post', () => {
  const parts = async () => ({ ...loaded(['a', 'b']), over: [ref('c')] });
  const untried = { id: 'c', delayMs: null, alone: false, codes: [] };

  it('R15: the second goes out when the first is answered', async () => {
    let loads = 0;
    const one = set({ loadBatch: async () => (++loads === 1 ? parts() : loaded(['c'])) });
    expect(await one.run({ deadlines: { storeMs: 20, sendMs: 20, totalMs: 10_000 } })).toEqual(done({ delivered: 3 }));
    expect(one.sent.mock.calls.map(([events]) => events.map(({ id }) => id))).toEqual([['a', 'b'], ['c']]);
  });

  it('R19, R20: the first is refused as a whole: nobody is left behind, and who was not in it has spent nothing', async () => {
    const one = set({ loadBatch: parts }, failing('HTTP.CLIENT_ERROR', { status: 413 }));
    expect(await one.run()).toEqual(done({ fellOut: 2, gaveBack: 1, code: 'HTTP.CLIENT_ERROR' }));
    expect(one.fallen()).toEqual([
      untried,
      ...['a', 'b'].map((id, n) => ({ id, delayMs: n * 20, alone: true, codes: [] })),
    ]);
  });

  it('R20: the first is tried again: who was not in it leaves before, with nothing spent', async () => {
    const one = set({ loadBatch: parts }, failing('HTTP.SERVER_ERROR', { status: 500 }));
    expect(await stateOf(one.run())).toMatchObject({ tries: [tryOf('HTTP.SERVER_ERROR', false, 500)], falling: false });
    expect(one.fallen()).toEqual([untried]);
  });

  it('R20: the store is away when they should leave: all fall out, and who was not in it has spent nothing', async () => {
    const state = await stateOf(set({ loadBatch: parts, fallOut: away }, failing('HTTP.SERVER_ERROR')).run());
    expect(state).toMatchObject({ falling: true, postedTo: 2 });
    const last = set();
    await last.run({ state });
    expect(last.fallen().map(({ id, codes }) => [id, codes])).toEqual([
      ['a', ['HTTP.SERVER_ERROR']],
      ['b', ['HTTP.SERVER_ERROR']],
      ['c', []],
    ]);
  });

  it.each<[string, Answers, object]>([
    ['R6: this worker stays away', failing('DESTINATION.OPEN', { retryAfterMs: 2_000 }), { gaveBack: 3 }],
    ['its handler takes them one by one', async () => 'unsupported', { fellOut: 3 }],
  ])('%s: all leave', async (_, answer, tally) => {
    const one = set({ loadBatch: parts }, answer);
    expect(await one.run()).toEqual(done(tally));
    expect(one.fallen()).toMatchObject(IDS.map((id) => ({ id, codes: [] })));
  });
});

describe('a local post', () => {
  it('R13: that had not the time it needs is not made; after one that ran out of it the next ones are regular', async () => {
    const short = set();
    expect(await short.run({ mode: 'local', deadlines: { storeMs: 20, sendMs: 20, totalMs: 95 } })).toEqual({
      kind: 'busy',
    });
    expect(short.sent).not.toHaveBeenCalled();
    const one = set({}, failing('HTTP.TIMEOUT'));
    await one.run({ mode: 'local' });
    expect(await one.run({ mode: 'local' })).toEqual({ kind: 'busy' });
    expect(one.sent).toHaveBeenCalledTimes(1);
    one.sent.mockImplementation(each({}));
    await one.run();
    expect(await one.run({ mode: 'local' })).toEqual(done({ delivered: 3 }));
  });
});

describe('places', () => {
  it('R14: without one at its destination a local attempt is busy, and a regular one asks to come again', async () => {
    const one = set({}, async () => 'busy');
    expect(await one.run({ mode: 'local' })).toEqual({ kind: 'busy' });
    const asking = { kind: 'failed', code: 'DESTINATION.BUSY', status: null, delayMs: 1_500, state: NEW_BATCH };
    expect(await one.run()).toEqual(asking);
    expect(await set({}, failing('DESTINATION.BUSY')).run()).toEqual(asking);
  });

  it('R14: without one in this worker nothing is loaded; a regular attempt waits a second for it, a local one less', async () => {
    const loadBatch = jest.fn(async () => loaded());
    const one = set({ loadBatch });
    const waits: number[] = [];
    one.places.enter = async (waitMs) => {
      waits.push(waitMs);
      return null;
    };
    expect(await one.run({ mode: 'local' })).toEqual({ kind: 'busy' });
    expect(await one.run()).toMatchObject({ code: 'DESTINATION.BUSY', delayMs: 1_500, state: NEW_BATCH });
    expect(await one.run({ signal: AbortSignal.abort() })).toMatchObject({ code: 'DELIVERY.CANCELLED' });
    expect(waits).toEqual([600, 1_000, 1_000]);
    expect(loadBatch).not.toHaveBeenCalled();
  });

  it('R14: its place is free again whatever became of it', async () => {
    for (const one of [set(), set({ loadBatch: away }), set({ loadBatch: bug }), set({}, failing('HTTP.NETWORK'))]) {
      await one.run();
      expect(one.places.taken()).toBe(0);
    }
  });
});

describe('the store is away', () => {
  it('R11: at the load: nothing is sent, nothing spent', async () => {
    const one = set({ loadBatch: away });
    expect(await one.run()).toMatchObject({ code: 'STORE.UNAVAILABLE', delayMs: 3_000, state: NEW_BATCH });
    expect(one.sent).not.toHaveBeenCalled();
  });

  it('R20: when nobody can tell whom the policies let stay, all fall out as soon as it is back', async () => {
    const first = set({ readBudgets: away }, failing('HTTP.NETWORK'));
    const state = await stateOf(first.run());
    expect(state).toEqual({ ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK')], postedTo: 3, falling: true });
    const second = set();
    expect(await second.run({ state })).toEqual(done({ fellOut: 3, code: 'HTTP.NETWORK' }));
    expect(second.sent).not.toHaveBeenCalled();
    expect(second.fallen()).toMatchObject(
      IDS.map((id) => ({ id, delayMs: 500, alone: true, codes: ['HTTP.NETWORK'] })),
    );
  });

  it('R20: when they fall out: the next attempt writes that, and sends nothing', async () => {
    const first = set({ fallOut: away }, failing('HTTP.SERVER_ERROR', { status: 500 }));
    const before = { ...NEW_BATCH, tries: [tryOf('HTTP.NETWORK', true)] };
    const state = await stateOf(first.run({ state: before }));
    expect(state).toMatchObject({ falling: true, tries: [{}, tryOf('HTTP.SERVER_ERROR', false, 500)] });
    const second = set();
    expect(await second.run({ state })).toEqual(done({ fellOut: 3, code: 'HTTP.SERVER_ERROR' }));
    expect(second.sent).not.toHaveBeenCalled();
    const codes = ['HTTP.NETWORK', 'HTTP.SERVER_ERROR'];
    expect(second.fallen()).toMatchObject(IDS.map((id) => ({ id, delayMs: 1_000, codes })));
  });

  it('R15: when it settles: receipts are handed on by place, id and hash; the next attempt settles and sends nothing', async () => {
    const first = set({ settleBatch: away }, each({ b: error('HTTP.SERVER_ERROR') }));
    const state = await stateOf(first.run());
    expect(state.receipts).toEqual([
      [0, 'rec-a', 'h-a'],
      [2, 'rec-c', 'h-c'],
    ]);
    expect(first.fallOut).not.toHaveBeenCalled();

    const second = set({ loadBatch: async () => ({ ...loaded([]), delivered: 2, superseded: 1 }) });
    expect(await second.run({ state })).toEqual(done({ delivered: 2, superseded: 1 }));
    expect(second.sent).not.toHaveBeenCalled();
    expect(second.settleBatch.mock.calls.map(([receipts]) => receipts)).toMatchObject([
      [
        { ref: ref('a'), receipt: { id: 'rec-a', hash: 'h-a', status: null } },
        { ref: ref('c'), receipt: { id: 'rec-c', hash: 'h-c' } },
      ],
    ]);
    expect(await set({ settleBatch: away }).run({ state })).toMatchObject({ state: { receipts: state.receipts } });
  });

  it('R18: what failed with an unknown effect, and could not be written, leaves a doubt behind', async () => {
    for (const store of [{ settleBatch: away }, { readBudgets: away }, { fallOut: away }, { fallOut: bug }]) {
      const state = await stateOf(set(store, each({ b: error('HTTP.TIMEOUT') })).run());
      expect(state).toMatchObject({ sent: true, tries: [], falling: false });
      const paused = set({ loadBatch: async () => ({ ...loaded([]), held: [ref('b')], delivered: 2 }) });
      await paused.run({ state });
      expect(paused.doubtful()).toEqual([true]);
      // A refusal has no effect.
      expect(await stateOf(set(store, each({ b: error('HTTP.CLIENT_ERROR') })).run())).toMatchObject({ sent: false });
    }
  });

  it('R15: settling and falling out are tried for the rest of the deadline, and not after it', async () => {
    const deadlines = { storeMs: 20, sendMs: 20, totalMs: 400 };
    const twice = () => {
      let left = 2;
      return async <T>(answer: T) => (left-- > 0 ? away() : answer);
    };
    const [settle, fall] = [twice(), twice()];
    const one = set(
      {
        settleBatch: (receipts) => settle({ settled: receipts.length, already: 0, superseded: 0 }),
        fallOut: (_, events) => fall({ fallen: events.length, superseded: 0 }),
      },
      each({ b: error('HTTP.CLIENT_ERROR') }),
    );
    expect(await one.run({ deadlines: { ...deadlines, totalMs: 30_000 } })).toEqual(done({ delivered: 2, fellOut: 1 }));
    expect([one.settleBatch.mock.calls.length, one.fallOut.mock.calls.length]).toEqual([3, 3]);

    // By a clock of the test's own, which no busy machine moves: tries 100 ms apart, while 150 ms are left.
    jest.useFakeTimers();
    try {
      const never = set({ settleBatch: away });
      const ended = never.run({ deadlines });
      await jest.advanceTimersByTimeAsync(deadlines.totalMs - 1);
      expect(await ended).toMatchObject({ code: 'STORE.UNAVAILABLE' });
      expect(never.settleBatch).toHaveBeenCalledTimes(4);
    } finally {
      jest.useRealTimers();
    }
    const stopping = set({ settleBatch: away });
    await stopping.run({ deadlines: { ...deadlines, totalMs: 30_000 }, signal: AbortSignal.abort() });
    expect(stopping.settleBatch).toHaveBeenCalledTimes(1);
  });

  it('R15: receipts that came too late for the deadline are settled all the same', async () => {
    const one = set({}, async (events) => {
      await new Promise((resolve) => setTimeout(resolve, 60));
      return events.map(({ id }) => receiptOf(id));
    });
    expect(await one.run()).toEqual(done({ delivered: 3 }));
  });
});

describe('what a run tells of all its attempts', () => {
  const once: RetryPolicy = { ...DEFAULT_POLICY, maxAttempts: 1 };
  const onceForB: Partial<BatchStore> = {
    readBudgets: async () =>
      new Map(IDS.map((id) => [id, { policy: id === 'b' ? once : DEFAULT_POLICY, codes: [], sinceFirstMs: 0 }])),
  };

  it('R20: what the first one let go is told as that, with its code, and not as another run’s', async () => {
    const state = await stateOf(set(onceForB, failing('HTTP.NETWORK')).run({ mode: 'local' }));
    expect(state.tally).toEqual({ delivered: 0, fellOut: 1, gaveBack: 0, superseded: 0, code: 'HTTP.NETWORK' });
    const second = set({ loadBatch: async () => ({ ...loaded(['a', 'c']), superseded: 1 }) });
    expect(await second.run({ state })).toEqual(done({ delivered: 2, fellOut: 1, code: 'HTTP.NETWORK' }));
    // What another run has taken since is counted beside it.
    const third = set({ loadBatch: async () => ({ ...loaded(['a']), superseded: 2 }) });
    expect(await third.run({ state })).toEqual(done({ delivered: 1, fellOut: 1, superseded: 1, code: 'HTTP.NETWORK' }));
  });

  it('R20: it outlives attempts that come to nothing, and is told of what falls out unread', async () => {
    const before = await stateOf(set(onceForB, failing('HTTP.NETWORK')).run());
    const state = await stateOf(set({ loadBatch: away }).run({ state: before }));
    expect(state.tally).toEqual(before.tally);
    const last = set({ fallOut: async () => ({ fallen: 2, superseded: 1 }) });
    expect(await last.run({ state: { ...state, falling: true } })).toEqual(done({ fellOut: 3, code: 'HTTP.NETWORK' }));
  });

  it('R20: what was delivered before is counted once, whether the rest is loaded or falls out unread', async () => {
    const part = (ids: readonly string[], over: readonly string[]) => ({ ...loaded(ids), over: over.map(ref) });
    let posts = 0;
    const first = set(
      {
        loadBatch: async ({ events }) =>
          part(
            [events[0]?.eventId ?? ''],
            events.slice(1).map(({ eventId }) => eventId),
          ),
      },
      async (events) => {
        posts += 1;
        if (posts === 2) throw error('HTTP.NETWORK');
        return events.map(({ id }) => receiptOf(id));
      },
    );
    const state = await stateOf(first.run({ deadlines: { storeMs: 20, sendMs: 20, totalMs: 30_000 } }));
    expect(state.tally).toMatchObject({ delivered: 1, gaveBack: 1 });
    const loads = set({ loadBatch: async () => ({ ...loaded(['b']), delivered: 1, superseded: 1 }) });
    expect(await loads.run({ state })).toEqual(done({ delivered: 2, gaveBack: 1 }));
    const falls = set({ fallOut: async () => ({ fallen: 1, superseded: 2 }) });
    expect(await falls.run({ state: { ...state, falling: true } })).toEqual(
      done({ delivered: 1, fellOut: 1, gaveBack: 1, code: 'HTTP.NETWORK' }),
    );
  });

  it('R14: a local attempt that goes the way round tells what it gave back before', async () => {
    const one = set({ loadBatch: async () => ({ ...loaded(['a', 'b']), held: [ref('c')] }) }, async () => 'busy');
    const answer = await one.run({ mode: 'local' });
    const tally = { delivered: 0, fellOut: 0, gaveBack: 1, superseded: 0, code: null };
    expect(answer).toEqual({ kind: 'busy', tally });
    const regular = set({ loadBatch: async () => ({ ...loaded(['a', 'b']), superseded: 1 }) });
    expect(await regular.run({ state: { ...NEW_BATCH, tally } })).toEqual(done({ delivered: 2, gaveBack: 1 }));
  });
});

describe('what is handed on', () => {
  it('R12, R18: a shutdown in the post spends nothing; whoever falls out after it may have its effect', async () => {
    const state = await stateOf(set({}, failing('DELIVERY.CANCELLED')).run({ mode: 'local' }));
    expect(state).toEqual({ ...NEW_BATCH, postedTo: 3, sent: true });
    const next = set({}, each({ c: error('HTTP.CLIENT_ERROR') }));
    await next.run({ state });
    expect(next.doubtful()).toEqual([true]);
  });

  it('R19: events that are not there are looked for five times in all, one minute apart, then it is told', async () => {
    const one = set({ loadBatch: async () => ({ ...loaded([]), missing: 3 }) });
    let state: BatchState = NEW_BATCH;
    const delays: (number | null)[] = [];
    for (const mode of ['local', 'regular', 'regular', 'regular', 'regular'] as const) {
      const outcome = await failedOf(one.run({ mode, state }));
      expect(outcome.code).toBe('DISPATCH.EVENT_NOT_FOUND');
      delays.push(outcome.delayMs);
      state = outcome.state;
    }
    expect(delays).toEqual([60_000, 60_000, 60_000, 60_000, null]);
    expect(one.onEventNotFound).toHaveBeenCalledTimes(1);
    expect(one.sent).not.toHaveBeenCalled();
    expect(one.fallOut).not.toHaveBeenCalled();
  });

  it('an error that nobody expects, three times, and every event goes on by itself', async () => {
    let state: BatchState = NEW_BATCH;
    for (const falling of [false, false, true]) {
      const outcome = await failedOf(set({ loadBatch: bug }).run({ state }));
      expect(outcome).toMatchObject({ code: 'HANDLER.FAILED', delayMs: 1_000, state: { falling } });
      state = outcome.state;
    }
    const last = set({ loadBatch: bug });
    expect(await last.run({ state })).toEqual(done({ fellOut: 3 }));
    expect(last.fallen()).toEqual(IDS.map((id, n) => ({ id, delayMs: n * 20, alone: true, codes: [] })));
  });

  it('a receipt that the database never takes keeps nobody: all that is left goes on, with a doubt', async () => {
    const state = await stateOf(set({ settleBatch: bug }).run());
    const last = set({ settleBatch: bug, fallOut: async () => ({ fallen: 1, superseded: 2 }) });
    expect(await last.run({ state })).toEqual(done({ fellOut: 1, superseded: 2 }));
    expect(last.fallen().map(({ id }) => id)).toEqual([...IDS]);
    expect(last.doubtful()).toEqual([true]);
  });

  it('R15, R20: receipts in hand are settled before the rest falls out', async () => {
    const one = set();
    const state: BatchState = { ...NEW_BATCH, falling: true, sent: true, receipts: [[1, 'rec-b', null]] };
    expect(await one.run({ state })).toEqual(done({ delivered: 1, fellOut: 2 }));
    expect(one.settleBatch.mock.calls[0]?.[0]).toMatchObject([{ ref: ref('b'), receipt: { id: 'rec-b', hash: null } }]);
    expect(one.fallen().map(({ id }) => id)).toEqual(['a', 'c']);
    expect(one.sent).not.toHaveBeenCalled();
  });

  it('R12, R20: a first loss leaves them together; a second one in a row does not', async () => {
    const lost = tryOf('DELIVERY.ATTEMPT_LOST');
    for (const [tries, codes, alone] of [
      [[tryOf('HTTP.NETWORK'), lost], [], false],
      [[lost], [], false],
      [[lost, lost], [], true],
      [[lost], ['DELIVERY.ATTEMPT_LOST'], true],
    ] as const) {
      const one = set({}, each({}), { codes });
      await one.run({ state: { ...NEW_BATCH, tries, postedTo: null, falling: true, sent: true } });
      expect(one.fallen()).toMatchObject(IDS.map(() => ({ alone, codes: tries.map(({ code }) => code) })));
      expect(one.doubtful()).toEqual([true]);
    }
  });
});

describe('whatever happens', () => {
  const anyCode = fc.constantFrom<ErrorCode>(
    ...(['HTTP.NETWORK', 'HTTP.CLIENT_ERROR', 'HTTP.RATE_LIMITED', 'HTTP.BAD_RESPONSE', 'HTTP.UNAUTHORIZED'] as const),
    ...(['DELIVERY.CANCELLED', 'DESTINATION.OPEN', 'DESTINATION.BUSY', 'HANDLER.FAILED'] as const),
  );
  const five = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 5, maxLength: 5 });
  const anyAttempt: fc.Arbitrary<Weather> = fc.record({
    calls: five(fc.constantFrom<Weather['calls'][number]>('works', 'works', 'away', 'unanswered', 'bug')),
    whole: fc.option(fc.oneof(fc.constantFrom('busy' as const, 'unsupported' as const), anyCode)),
    items: five(fc.option(anyCode)),
    breaker: fc.constantFrom('closed', 'closed', 'closed', 'open'),
    held: fc.nat(1),
    fit: fc.constantFrom(1, 3, 5, 5),
    maxAttempts: fc.constantFrom(1, 2, 10),
  });

  it('R15, R18, R20: each event is settled or goes on, once, no effect it may have had is forgotten, and none spends what it was not in', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(anyAttempt, { maxLength: 12 }), async (local, weather) => {
        const world = createWorld();
        let outcome = await world.attempt(weather[0] ?? FAIR, local ? 'local' : 'regular', NEW_BATCH);
        let state = NEW_BATCH;
        for (const next of [...weather.slice(1), ...Array<Weather>(9).fill(FAIR)]) {
          if (outcome.kind === 'done') break;
          if (outcome.kind === 'failed') state = outcome.state;
          else if (outcome.tally !== undefined) state = { ...NEW_BATCH, tally: outcome.tally };
          outcome = await world.attempt(next, 'regular', state);
        }
        if (outcome.kind !== 'done') throw new Error(`expected an end, got ${JSON.stringify(outcome)}`);
        const { delivered, fellOut, gaveBack, superseded } = outcome.tally;
        const rows = [...world.rows.values()];
        expect(delivered + fellOut + gaveBack + superseded).toBe(rows.length);
        // Whose answer was lost, and nothing is loaded any more, is "another run's" for the count.
        expect(delivered).toBeLessThanOrEqual(rows.filter(({ at }) => at === 'delivered').length);
        expect(rows.filter(({ at }) => at === 'batch')).toEqual([]);
        if (!weather.some(({ calls }) => calls.includes('unanswered'))) {
          const out = rows.filter(({ at }) => at === 'out').length;
          expect([delivered, fellOut + gaveBack, superseded]).toEqual([rows.length - out, out, 0]);
        }
        expect(rows.filter(({ at, mayStand, told }) => at === 'out' && mayStand && !told)).toEqual([]);
        expect(rows.filter(({ posted, booked }) => !posted && booked > 0)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

/** What store and destination do during one attempt. */
interface Weather {
  /** Of the store, call by call: its work, nothing, or its work without an answer. */
  readonly calls: readonly ('works' | 'away' | 'unanswered' | 'bug')[];
  /** null: each event has an answer of its own. */
  readonly whole: ErrorCode | 'busy' | 'unsupported' | null;
  /** null: a receipt. */
  readonly items: readonly (ErrorCode | null)[];
  readonly breaker: 'closed' | 'open';
  /** So many of what is carried are held by a pause. */
  readonly held: number;
  /** So many go into one post. */
  readonly fit: number;
  readonly maxAttempts: number;
}

const FAIR: Weather = { calls: [], whole: null, items: [], breaker: 'closed', held: 0, fit: 5, maxAttempts: 10 };

/** Five rows of a batch, and a destination that makes effects. */
function createWorld() {
  const ids = ['a', 'b', 'c', 'd', 'e'];
  interface Row {
    at: 'batch' | 'delivered' | 'out';
    /** It was in a post that came to the destination, or might have. */
    posted: boolean;
    /** Its effect may stand at the destination; told: what left the batch with it says so. */
    mayStand: boolean;
    told: boolean;
    /** Attempts that left the batch with it. */
    booked: number;
  }
  const rows = new Map(
    ids.map((id): [string, Row] => [id, { at: 'batch', posted: false, mayStand: false, told: false, booked: 0 }]),
  );
  const at = (place: Row['at']) => ids.filter((id) => rows.get(id)?.at === place);
  const isUnknown = (code: ErrorCode) => catalogEntry(code).effect === 'unknown';
  const settle = ({ ref: { eventId } }: { ref: EventRef }) => {
    const row = rows.get(eventId);
    if (row?.at !== 'batch') return row?.at === 'delivered' ? 'already' : 'superseded';
    row.at = 'delivered';
    return 'settled';
  };
  const attempt = (weather: Weather, mode: 'local' | 'regular', state: BatchState) => {
    const calls = [...weather.calls];
    const call = async <T>(work: () => T): Promise<T> => {
      const how = calls.shift() ?? 'works';
      if (how === 'away') return away();
      if (how === 'bug') return bug();
      const answer = work();
      return how === 'unanswered' ? away() : answer;
    };
    const carried = () => at('batch').slice(weather.held);
    const budget: Budget = {
      policy: { ...DEFAULT_POLICY, maxAttempts: weather.maxAttempts },
      codes: [],
      sinceFirstMs: 0,
    };
    const store: Partial<BatchStore> = {
      loadBatch: (part) =>
        call(() => {
          const asked = (place: Row['at']) => part.events.filter(({ eventId }) => at(place).includes(eventId));
          const here = carried().filter((id) => part.events.some(({ eventId }) => eventId === id));
          return {
            ...loaded(here.slice(0, weather.fit)),
            over: here.slice(weather.fit).map(ref),
            held: asked('batch').filter(({ eventId }) => !carried().includes(eventId)),
            delivered: asked('delivered').length,
            superseded: asked('out').length,
            destination: { ...WELL, breaker: weather.breaker },
          };
        }),
      readBudgets: (refs) => call(() => new Map(refs.map(({ eventId }) => [eventId, budget]))),
      settleBatch: (receipts) =>
        call(() => {
          const answers = { settled: 0, already: 0, superseded: 0 };
          for (const one of receipts) answers[settle(one)] += 1;
          return answers;
        }),
      fallOut: (_, events, { doubtful }) =>
        call(() => {
          const fallen = events.filter(({ ref: { eventId } }) => rows.get(eventId)?.at === 'batch');
          for (const {
            ref: { eventId },
            attempts,
          } of fallen) {
            const told = doubtful || attempts.some(({ code }) => isUnknown(code));
            Object.assign(rows.get(eventId) ?? {}, { at: 'out', told, booked: attempts.length });
          }
          return { fallen: fallen.length, superseded: events.length - fallen.length };
        }),
    };
    const post: Answers = async (events) => {
      const { whole, items } = weather;
      if (whole === 'busy' || whole === 'unsupported') return whole;
      const codes = events.map((_, n) => whole ?? items[n] ?? null);
      for (const { id } of events) Object.assign(rows.get(id) ?? {}, { posted: true });
      for (const [n, { id }] of events.entries()) {
        const code = codes[n] ?? null;
        if (code === null || isUnknown(code)) Object.assign(rows.get(id) ?? {}, { mayStand: true });
      }
      if (whole !== null) throw error(whole);
      return events.map(({ id }, n) => {
        const code = codes[n] ?? null;
        return code === null ? receiptOf(id) : error(code);
      });
    };
    const batch = { ...INPUT.batch, events: ids.map(ref) };
    return set(store, post).run({ mode, state, batch, deadlines: { storeMs: 5, sendMs: 5, totalMs: 70 } });
  };
  return { rows, attempt };
}
