/**
 * The use case of one attempt: what it answers and hands on where the store does not do its part. Store and dispatcher are
 * scripted; the same store's real statements are in test/integration, whole runs in test/workflows.
 */
import { jest } from '@jest/globals';
import type { DestinationWatch } from '../../src/application/delivery/destinations/watch-destinations.js';
import {
  type DispatchEventDeps,
  type DispatchEventInput,
  dispatchEvent,
} from '../../src/application/delivery/dispatch-event.js';
import { createDispatcher } from '../../src/application/delivery/dispatcher.js';
import type { AttemptStore, Dispatcher, Handler } from '../../src/application/delivery/ports.js';
import { countAttempts, NO_ATTEMPTS } from '../../src/domain/delivery/attempt-totals.js';
import { healthyView } from '../../src/domain/delivery/breaker.js';
import { addUnwritten, NOTHING_CARRIED, type UnwrittenEnd } from '../../src/domain/delivery/carried-state.js';
import type { ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import type { OutboxEvent } from '../../src/domain/delivery/outbox-event.js';
import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { FakeHttpClient } from '../../src/infrastructure/http/fake-http-client.js';
import { outboxEventOf } from '../support/events.js';

const EVENT = { id: 'e', eventName: 'a.b.v1', routingKey: 'audit.log', headers: {} } as OutboxEvent;
const LOADED = { event: EVENT, policy: DEFAULT_POLICY, destination: healthyView('audit.log') };
const RECEIPT = { id: 'rec', hash: 'h', status: 201, at: '2026-01-01T00:00:00.000Z', replayed: false };
const away = () => Promise.reject(new IntegrationError('STORE.UNAVAILABLE'));
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function set(
  store: Partial<AttemptStore>,
  dispatch: Dispatcher['dispatch'] = async () => RECEIPT,
  destinations?: DispatchEventDeps['destinations'],
) {
  const attempts: AttemptStore = {
    loadEvent: async () => ({ kind: 'found', ...LOADED }),
    beginAttempt: async () => ({ kind: 'begun', ...LOADED, n: 3, lost: 0, totals: NO_ATTEMPTS }),
    failAttempt: async () => {},
    removeAttempt: async () => {},
    waitForDestination: async () => {},
    settle: async () => 'settled',
    ...store,
  };
  const sent = jest.fn(dispatch);
  const onEventNotFound = jest.fn();
  const deps = {
    attempts,
    dispatcher: { dispatch: sent },
    log,
    random: () => 0.5,
    redactor: createRedactor(),
    onFencedSettle: () => {},
    onEventNotFound,
    ...(destinations === undefined ? {} : { destinations }),
  };
  return {
    sent,
    onEventNotFound,
    run: (more: Partial<DispatchEventInput> = {}) => dispatchEvent(deps, { ...INPUT, ...more }),
  };
}

const INPUT: DispatchEventInput = {
  run: { eventId: 'e', epoch: 0, carrier: null },
  mode: 'regular',
  previous: null,
  carried: NOTHING_CARRIED,
  runId: 'r',
  worker: 'w#7',
  deadlines: { storeMs: 20, sendMs: 20, totalMs: 40 },
  signal: new AbortController().signal,
};
const end = (worker: string, code: UnwrittenEnd['code'] = null): UnwrittenEnd => ({ worker, code, status: null });

it('R11: cannot insert: STORE.UNAVAILABLE, nothing sent, nothing spent, and the row that may stand is named', async () => {
  const { run, sent } = set({ beginAttempt: away });
  const carried = { ...NOTHING_CARRIED, unwritten: [end('w#6', 'HTTP.TIMEOUT')] };
  expect(await run({ carried })).toMatchObject({
    kind: 'failed',
    code: 'STORE.UNAVAILABLE',
    attempt: null,
    delayMs: expect.any(Number),
    carried: { unwritten: [end('w#6', 'HTTP.TIMEOUT'), end('w#7')] },
  });
  expect(sent).not.toHaveBeenCalled();
});

it('R12: a failure that cannot be written is handed on with its code, one that spends nothing without', async () => {
  const failing = { failAttempt: away, removeAttempt: away };
  for (const [code, kept] of [
    ['HTTP.NETWORK', 'HTTP.NETWORK'],
    ['DESTINATION.OPEN', null],
  ] as const) {
    const { run } = set(failing, () => Promise.reject(new IntegrationError(code)));
    const carried = { ...NOTHING_CARRIED, unwritten: [end('w#1')] };
    expect(await run({ carried })).toMatchObject({ code, attempt: 3, carried: { unwritten: [end('w#7', kept)] } });
  }
});

it('R12, R18: a shutdown in the attempt leaves a doubt, of a local one too; where it cannot be written it is handed on', async () => {
  const removeAttempt = jest.fn<AttemptStore['removeAttempt']>(async () => {});
  const given = (code: 'DELIVERY.CANCELLED' | 'DESTINATION.BUSY') => () => Promise.reject(new IntegrationError(code));
  for (const mode of ['local', 'regular'] as const) {
    await set({ removeAttempt }, given('DELIVERY.CANCELLED')).run({ mode });
    expect(removeAttempt.mock.lastCall?.[1]).toMatchObject({ n: mode === 'local' ? 1 : 3, doubtful: true });
    const { run } = set({ removeAttempt: away }, given('DELIVERY.CANCELLED'));
    expect(await run({ mode })).toMatchObject({ carried: { unwritten: [{ ...end('w#7'), doubtful: true }] } });
  }
  await set({ removeAttempt }, given('DESTINATION.BUSY')).run();
  expect(removeAttempt.mock.lastCall?.[1]).toMatchObject({ doubtful: false });
});

it('R15: a receipt that cannot be settled is handed on by id and hash; with it nothing is loaded or sent', async () => {
  const first = await set({ settle: away }).run();
  const receipt = { id: 'rec', hash: 'h', attempt: { n: 3, worker: 'w#7' } };
  expect(first).toMatchObject({ code: 'STORE.UNAVAILABLE', carried: { receipt, unwritten: [] } });
  const settle = jest.fn<AttemptStore['settle']>(async () => 'settled');
  const second = set({ settle, beginAttempt: away });
  expect(await second.run({ carried: { ...NOTHING_CARRIED, receipt } })).toEqual({
    kind: 'delivered',
    receiptId: 'rec',
  });
  expect(settle.mock.calls[0]?.slice(1, 3)).toMatchObject([
    { id: 'rec', hash: 'h' },
    { n: 3, worker: 'w#7' },
  ]);
  expect(second.sent).not.toHaveBeenCalled();
});

it("R2: in every epoch the Idempotency-Key is the event's id, so that a redrive has no second effect", async () => {
  const event = outboxEventOf({});
  const loaded = { ...LOADED, event };
  const keys: string[] = [];
  const deliver: Handler['deliver'] = async (_, { idempotencyKey }) => {
    keys.push(idempotencyKey);
    return RECEIPT;
  };
  const { dispatch } = createDispatcher({
    ...{ handlers: [{ routingKey: 'audit.log', deliver }], http: new FakeHttpClient(), log },
    places: { local: 1, regular: 1 },
  });
  const store: Partial<AttemptStore> = {
    loadEvent: async () => ({ kind: 'found', ...loaded }),
    beginAttempt: async () => ({ kind: 'begun', ...loaded, n: 1, lost: 0, totals: NO_ATTEMPTS }),
  };
  const epochs = [0, 1, 7];
  for (const mode of ['local', 'regular'] as const) {
    for (const epoch of epochs)
      await set(store, dispatch).run({ mode, run: { eventId: event.id, epoch, carrier: null } });
  }
  expect(keys).toEqual([...epochs, ...epochs].map(() => event.id));
});

it('R15: a receipt that came too late for the deadline is settled all the same', async () => {
  const { run } = set({}, () => new Promise((resolve) => setTimeout(() => resolve(RECEIPT), 60)));
  expect(await run()).toEqual({ kind: 'delivered', receiptId: 'rec' });
});

it('R19: an event that is not there is tried five times in all, one minute apart', async () => {
  const missing = set({
    beginAttempt: async () => ({ kind: 'not-found' }),
    loadEvent: async () => ({ kind: 'not-found' }),
  });
  let carried = NOTHING_CARRIED;
  const delays: (number | null)[] = [];
  for (const mode of ['local', 'regular', 'regular', 'regular', 'regular'] as const) {
    const outcome = await missing.run({ mode, carried });
    if (outcome.kind !== 'failed') throw new Error(outcome.kind);
    delays.push(outcome.delayMs);
    carried = outcome.carried;
  }
  expect(delays).toEqual([60_000, 60_000, 60_000, 60_000, null]);
  expect(missing.sent).not.toHaveBeenCalled();
  expect(missing.onEventNotFound).toHaveBeenCalledTimes(1);
});

it('R12: three lost in a row end it before anything is sent', async () => {
  const totals = { ...NO_ATTEMPTS, lostInRow: 3 };
  const removeAttempt = jest.fn<AttemptStore['removeAttempt']>(async () => {});
  const begun = { kind: 'begun', ...LOADED, n: 4, lost: 0, totals } as const;
  const { run, sent } = set({ beginAttempt: async () => begun, removeAttempt });
  expect(await run()).toMatchObject({ code: 'DELIVERY.CRASH_LOOP', delayMs: null, attempt: 4 });
  expect(sent).not.toHaveBeenCalled();
  expect(removeAttempt).toHaveBeenCalled();
});

const spentOn = (codes: readonly ErrorCode[], policy = DEFAULT_POLICY) => {
  const begun = { kind: 'begun', ...LOADED, policy, n: 1, lost: 0, totals: countAttempts(codes, 0) } as const;
  return async () => begun;
};

it('R12, R20: what earlier attempts have ended is not sent: its row is removed, and the end has the code of the last', async () => {
  for (const [codes, policy, code] of [
    [['HTTP.NETWORK', 'HTTP.CLIENT_ERROR'], DEFAULT_POLICY, 'HTTP.CLIENT_ERROR'],
    [['HTTP.NETWORK', 'HTTP.SERVER_ERROR'], { ...DEFAULT_POLICY, maxAttempts: 2 }, 'HTTP.SERVER_ERROR'],
    [['HTTP.SERVER_ERROR', 'DELIVERY.ATTEMPT_LOST'], { ...DEFAULT_POLICY, maxAttempts: 1 }, 'HTTP.SERVER_ERROR'],
  ] as const) {
    const removeAttempt = jest.fn<AttemptStore['removeAttempt']>(async () => {});
    const failAttempt = jest.fn<AttemptStore['failAttempt']>(async () => {});
    const { run, sent } = set({ beginAttempt: spentOn(codes, policy), removeAttempt, failAttempt });
    expect(await run()).toEqual({
      ...{ kind: 'failed', code, status: null, attempt: null, delayMs: null },
      carried: NOTHING_CARRIED,
    });
    expect(sent).not.toHaveBeenCalled();
    expect(removeAttempt.mock.calls.map(([, row]) => row)).toEqual([
      { n: 1, runId: 'r', worker: 'w#7', doubtful: false },
    ]);
    expect(failAttempt).not.toHaveBeenCalled();
  }
});

it('I6: a run that was never told that its last attempt was final, since its worker died, sends nothing more', async () => {
  for (const [codes, code] of [
    [['HTTP.CLIENT_ERROR'], 'HTTP.CLIENT_ERROR'],
    [['HTTP.CLIENT_ERROR', 'DELIVERY.ATTEMPT_LOST'], 'HTTP.CLIENT_ERROR'],
    [Array<ErrorCode>(DEFAULT_POLICY.maxAttempts).fill('HTTP.SERVER_ERROR'), 'HTTP.SERVER_ERROR'],
  ] as const) {
    const totals = countAttempts(codes, 0);
    const begun = { kind: 'begun', ...LOADED, n: codes.length + 1, lost: 0, totals } as const;
    const { run, sent } = set({ beginAttempt: async () => begun });
    expect(await run()).toMatchObject({ kind: 'failed', code, attempt: null, delayMs: null });
    expect(sent).not.toHaveBeenCalled();
  }
});

it('R12, R20: with an attempt left it is sent', async () => {
  const policy = { ...DEFAULT_POLICY, maxAttempts: 3 };
  const { run, sent } = set({ beginAttempt: spentOn(['HTTP.NETWORK', 'HTTP.NETWORK'], policy) });
  expect(await run()).toMatchObject({ kind: 'delivered' });
  expect(sent).toHaveBeenCalledTimes(1);
});

it('R6, R20: one that is ended already gives back the trial that it has taken: it says nothing of the destination', async () => {
  const half = { ...LOADED, destination: { ...healthyView('audit.log'), breaker: 'half_open' as const } };
  const endTrial = jest.fn<DestinationWatch['endTrial']>();
  const destinations = { takeTrial: async () => 'trial-1', endTrial, waitMs: () => 1 };
  const beginAttempt: AttemptStore['beginAttempt'] = async (...[, { trial }]) => {
    const totals = countAttempts(['HTTP.CLIENT_ERROR'], 0);
    return trial ? { kind: 'begun', ...half, n: 1, lost: 0, totals } : { kind: 'blocked', ...half };
  };
  const { run, sent } = set({ beginAttempt }, undefined, destinations);
  expect(await run()).toMatchObject({ code: 'HTTP.CLIENT_ERROR', delayMs: null });
  expect(endTrial.mock.calls).toEqual([['audit.log', 'trial-1', { weight: 'none', reason: null }]]);
  expect(sent).not.toHaveBeenCalled();
});

it('R11, R20: where its row cannot be removed nothing is ended yet, and the row is named', async () => {
  const { run, sent } = set({ beginAttempt: spentOn(['HTTP.CLIENT_ERROR']), removeAttempt: away });
  expect(await run()).toMatchObject({
    code: 'STORE.UNAVAILABLE',
    delayMs: expect.any(Number),
    carried: { unwritten: [end('w#7')] },
  });
  expect(sent).not.toHaveBeenCalled();
});

it('what a store throws without a code is the store’s fault, what a dispatcher throws the handler’s', async () => {
  const bug = () => Promise.reject(new Error('bug'));
  expect(await set({ beginAttempt: bug }).run()).toMatchObject({ code: 'STORE.UNAVAILABLE' });
  expect(await set({}, bug).run()).toMatchObject({ code: 'HANDLER.FAILED' });
});

it('a list of unwritten ends keeps its oldest and stays short', () => {
  const ends = Array.from({ length: 30 }, (_, i) => end(`w#${i}`)).reduce<readonly UnwrittenEnd[]>(addUnwritten, []);
  expect(ends.map(({ worker }) => worker)).toEqual(['w#0', ...Array.from({ length: 9 }, (_, i) => `w#${21 + i}`)]);
});
