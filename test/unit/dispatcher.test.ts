/**
 * Real: the dispatcher, its semaphores, its deadlines, definitions of handlers. Fake: the handlers' destinations
 * (FakeHttpClient) and, where a handler misbehaves, the handler.
 */

import { getEventListeners } from 'node:events';
import { z } from 'zod';
import { defineConfig } from '../../src/application/delivery/define-config.js';
import { defineHandler } from '../../src/application/delivery/define-handler.js';
import { describeFailure } from '../../src/application/delivery/describe-failure.js';
import type { CallEnd } from '../../src/application/delivery/destinations/watch-destinations.js';
import { createDispatcher, type DispatcherDeps } from '../../src/application/delivery/dispatcher.js';
import { httpHandler } from '../../src/application/delivery/handlers/http-handler.js';
import type { BatchContext, DispatchOptions, Handler, Logger } from '../../src/application/delivery/ports.js';
import { healthyView } from '../../src/domain/delivery/breaker.js';
import type { ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import type { JsonObject } from '../../src/domain/delivery/json.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { FakeHttpClient, type Script } from '../../src/infrastructure/http/fake-http-client.js';
import { failure } from '../contract/http-client.contract.js';
import { eventOf, outboxEventOf } from '../support/events.js';

const receipt = { id: 'r1', hash: null, status: 201, at: '2026-04-01T00:00:02.000Z', replayed: false };
const event = outboxEventOf();

function setUp(
  handlers: Handler | readonly Handler[],
  options: {
    script?: Script;
    local?: number;
    regular?: number;
    overrunMs?: number;
    watch?: Partial<NonNullable<DispatcherDeps['watch']>>;
  } = {},
) {
  const { script, local = 32, regular = 64, overrunMs = 60_000 } = options;
  const calm = { see: () => {}, awayForMs: () => 0, limitOf: () => Number.POSITIVE_INFINITY, note: () => {} };
  const watch = options.watch === undefined ? {} : { watch: { ...calm, ...options.watch } };
  const http = script === undefined ? new FakeHttpClient() : new FakeHttpClient(script);
  const lines: string[] = [];
  let onLine = () => {};
  const write = (_: object, message: string) => {
    lines.push(message);
    onLine();
  };
  const log: Logger = { debug: write, info: write, warn: write, error: write };
  const places = { local, regular };
  const dispatcher = createDispatcher({ handlers: [handlers].flat(), http, log, places, overrunMs, ...watch });
  const shutdown = new AbortController();
  return {
    http,
    lines,
    nextLine: () =>
      new Promise<void>((resolve) => {
        onLine = resolve;
      }),
    shutdown,
    dispatch: (parts: Partial<DispatchOptions> & { event?: typeof event } = {}) => {
      const { event: sent = event, ...rest } = parts;
      return dispatcher.dispatch(sent, { mode: 'regular', timeoutMs: 10_000, signal: shutdown.signal, ...rest });
    },
    dispatchBatch: (events: readonly (typeof event)[], parts: Partial<DispatchOptions> = {}) => {
      const destination = healthyView('audit.log');
      const options = { mode: 'regular' as const, timeoutMs: 10_000, signal: shutdown.signal, destination, ...parts };
      return dispatcher.dispatchBatch(events, options);
    },
  };
}

const handling = (deliver: Handler['deliver']): Handler => ({ routingKey: 'audit.log', deliver });
const throwing = (thrown: unknown) =>
  handling(() => {
    throw thrown;
  });

/** The timers of this file's own modules that were set from now on, neither fired nor cleared, and hold the process. */
function watchTimers() {
  const { setTimeout: set, clearTimeout: clear } = globalThis;
  const waiting = new Set<NodeJS.Timeout>();
  const setTimer = ((callback: () => void, ms?: number) => {
    const timer = set(() => {
      waiting.delete(timer);
      callback();
    }, ms);
    waiting.add(timer);
    return timer;
  }) as typeof set;
  const clearTimer = ((timer?: NodeJS.Timeout) => {
    if (timer !== undefined) waiting.delete(timer);
    clear(timer);
  }) as typeof clear;
  Object.assign(globalThis, { setTimeout: setTimer, clearTimeout: clearTimer });
  return {
    holding: () => [...waiting].filter((timer) => timer.hasRef()).length,
    restore: () => Object.assign(globalThis, { setTimeout: set, clearTimeout: clear }),
  };
}

/** A handler that waits until it is let go, whatever its signal says. */
function stubborn() {
  const releases: (() => void)[] = [];
  const entered: (() => void)[] = [];
  const handler = handling(async () => {
    entered.shift()?.();
    await new Promise<void>((resolve) => releases.push(resolve));
    return receipt;
  });
  return {
    handler,
    entry: () => new Promise<void>((resolve) => entered.push(resolve)),
    release: () => releases.shift()?.(),
  };
}

describe('the dispatcher', () => {
  it('hands the mapped event to the handler of its routing key and returns the receipt', async () => {
    const seen: unknown[] = [];
    const other: Handler = { routingKey: 'other', deliver: () => Promise.reject(new Error('not mine')) };
    const mine = handling(async (mapped, { idempotencyKey, signal }) => {
      seen.push(mapped.name, idempotencyKey, signal.aborted);
      return receipt;
    });
    await expect(setUp([other, mine]).dispatch()).resolves.toEqual(receipt);
    expect(seen).toEqual([event.eventName, event.id, false]);
  });

  it('answers DISPATCH.HANDLER_NOT_FOUND for a routing key that nobody has', async () => {
    const { dispatch } = setUp([{ ...handling(async () => receipt), routingKey: 'crm.contact' }]);
    const { code, message } = await failure(dispatch());
    expect([code, message]).toEqual([
      'DISPATCH.HANDLER_NOT_FOUND',
      'No handler is registered for the routing key "audit.log"; this worker knows crm.contact',
    ]);
  });

  it('refuses two handlers for one routing key', () => {
    expect(() => setUp([handling(async () => receipt), handling(async () => receipt)])).toThrow('audit.log');
  });

  it('refuses an event that does not fit, before the handler', async () => {
    const { dispatch } = setUp(throwing(new Error('must not be called')));
    const error = await failure(dispatch({ event: outboxEventOf({ aggregateId: '' }) }));
    expect(error).toMatchObject({ code: 'DISPATCH.INVALID_EVENT', field: '/aggregateId' });
  });

  it("refuses a payload that the handler's schema refuses, naming the field", async () => {
    const schema = z.object({ items: z.array(z.object({ 'a/b': z.string() })) });
    const handler = defineHandler({ routingKey: 'audit.log', schema, deliver: async () => ({ id: 'x' }) });
    const { dispatch } = setUp(handler);
    const error = await failure(dispatch({ event: outboxEventOf({ payload: { items: [{ 'a/b': 7 }] } }) }));
    expect(error).toMatchObject({ code: 'DISPATCH.INVALID_EVENT', field: '/payload/items/0/a~1b' });
    await expect(dispatch({ event: outboxEventOf({ payload: { items: [] } }) })).resolves.toMatchObject({ id: 'x' });
  });
});

describe('the deadline and the shutdown', () => {
  it('ends a handler that ignores its signal with HTTP.TIMEOUT, and tells of its late success', async () => {
    const slow = stubborn();
    const { dispatch, nextLine, lines } = setUp(slow.handler);
    expect((await failure(dispatch({ timeoutMs: 30 }))).code).toBe('HTTP.TIMEOUT');
    const line = nextLine();
    slow.release();
    await line;
    expect(lines).toEqual(['handler.finished_late']);
  });

  it("ends a waiting request at the attempt's deadline with HTTP.TIMEOUT", async () => {
    const handler = handling(async (_, { http }) => {
      await http.send({ method: 'POST', url: 'http://x.test/', timeoutMs: 600_000 });
      return receipt;
    });
    const { dispatch, http } = setUp(handler, { script: 'hang' });
    expect((await failure(dispatch({ timeoutMs: 30 }))).code).toBe('HTTP.TIMEOUT');
    expect(http.requests[0]?.timeoutMs).toBeLessThanOrEqual(30);
  });

  it('lets a handler ask for less time than is left, and never for none', async () => {
    const handler = handling(async (_, { http }) => {
      for (const timeoutMs of [5, 0, -3]) await http.send({ method: 'GET', url: 'http://x.test/', timeoutMs });
      await http.send({ method: 'GET', url: 'http://x.test/' });
      return receipt;
    });
    const { dispatch, http } = setUp(handler, { script: { status: 200 } });
    await dispatch();
    const asked = http.requests.map(({ timeoutMs }) => timeoutMs);
    expect(asked.slice(0, 3)).toEqual([5, 1, 1]);
    expect(asked[3]).toBeGreaterThan(5);
    expect(asked[3]).toBeLessThanOrEqual(10_000);
  });

  it('sends nothing for a handler that goes on past its attempt', async () => {
    const slow = stubborn();
    const late: Promise<unknown>[] = [];
    const handler = handling(async (mapped, context) => {
      await slow.handler.deliver(mapped, context);
      const sent = context.http.send({ method: 'GET', url: 'http://x.test/' });
      late.push(sent);
      await sent;
      return receipt;
    });
    const { dispatch, http, nextLine } = setUp(handler, { script: { status: 200 } });
    await failure(dispatch({ timeoutMs: 30 }));
    const line = nextLine();
    slow.release();
    await line;
    expect(http.requests).toHaveLength(0);
    expect((await failure(late[0] as Promise<unknown>)).code).toBe('HTTP.TIMEOUT');
  });

  it("gives an attempt up with DELIVERY.CANCELLED at our own shutdown, also in a handler's own abort error", async () => {
    const started = Promise.withResolvers<void>();
    const handler = handling(
      (_, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
          started.resolve();
        }),
    );
    const { dispatch, shutdown } = setUp(handler);
    const sent = failure(dispatch());
    await started.promise;
    shutdown.abort();
    expect((await sent).code).toBe('DELIVERY.CANCELLED');
    expect((await failure(dispatch())).code).toBe('DELIVERY.CANCELLED');
  });
});

describe("R13: the handler's own time", () => {
  it('R13: bounds the attempt, however much time that has', async () => {
    const handler = { ...handling(() => new Promise(() => {})), timeoutMs: 100 };
    const { dispatch } = setUp(handler);
    expect((await failure(dispatch({ timeoutMs: 600_000 }))).code).toBe('HTTP.TIMEOUT');
  });

  it('R13: a relay that does not know it is told of once, for a regular attempt only', async () => {
    const { dispatch, lines } = setUp({ ...handling(async () => receipt), timeoutMs: 60_000 });
    await dispatch({ mode: 'local', timeoutMs: 2_000 });
    await dispatch({ timeoutMs: 61_000 });
    expect(lines).toEqual([]);
    await dispatch({ timeoutMs: 16_000 });
    await dispatch({ timeoutMs: 16_000 });
    expect(lines).toEqual([expect.stringMatching(/^handler\.less_time_than_defined/)]);
  });

  it.each([99, 600_001, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1000', null])('cannot be %p', (timeoutMs) => {
    const definition = { routingKey: 'k', deliver: async () => ({ id: 'x' }), timeoutMs: timeoutMs as number };
    expect(() => defineHandler(definition)).toThrow(/timeoutMs.*100 to 600000.*"k"/);
    expect(() => httpHandler({ routingKey: 'k', url: 'http://x.test/', timeoutMs: timeoutMs as number })).toThrow(
      '"k"',
    );
    const handMade = { ...handling(async () => receipt), timeoutMs: timeoutMs as number };
    expect(() => defineConfig({ handlers: [handMade] })).toThrow(/handlers\[0\].*timeoutMs/);
  });
});

describe('a handler that ignores its signal', () => {
  it('R14: keeps its place until it ends, so that there are never more calls than places', async () => {
    const slow = stubborn();
    const { dispatch, nextLine } = setUp(slow.handler, { local: 1 });
    expect((await failure(dispatch({ mode: 'local', timeoutMs: 20 }))).code).toBe('HTTP.TIMEOUT');
    await expect(dispatch({ mode: 'local' })).resolves.toBe('busy');
    const line = nextLine();
    slow.release();
    await line;
    const again = slow.entry();
    const next = dispatch({ mode: 'local' });
    await again;
    slow.release();
    await expect(next).resolves.toEqual(receipt);
  });

  it('R14: is written off when it never ends, so that its destination is not starved for ever', async () => {
    const slow = stubborn();
    const { dispatch, lines, nextLine } = setUp(slow.handler, { local: 1, overrunMs: 10 });
    const line = nextLine();
    expect((await failure(dispatch({ mode: 'local', timeoutMs: 20 }))).code).toBe('HTTP.TIMEOUT');
    await line;
    expect(lines).toEqual(['handler.written_off']);
    const entered = slow.entry();
    const next = dispatch({ mode: 'local' });
    await entered;
    // The written-off one ends after all: it has no place left to give back.
    slow.release();
    await expect(dispatch({ mode: 'local' })).resolves.toBe('busy');
    slow.release();
    await expect(next).resolves.toEqual(receipt);
  });

  it('leaves no listener on the signal of the process, nor a timer that would hold it', async () => {
    const slow = stubborn();
    const { dispatch, shutdown } = setUp(slow.handler);
    const { holding, restore } = watchTimers();
    try {
      await failure(dispatch({ timeoutMs: 20 }));
      await failure(dispatch({ timeoutMs: 20, mode: 'local' }));
      await setUp(handling(async () => receipt)).dispatch({ timeoutMs: 10_000 });
      expect(getEventListeners(shutdown.signal, 'abort')).toEqual([]);
      expect(holding()).toBe(0);
    } finally {
      restore();
    }
  });

  it('ends unseen by nobody: what it throws at last is no unhandled rejection', async () => {
    const unhandled: unknown[] = [];
    const listen = (reason: unknown) => void unhandled.push(reason);
    process.on('unhandledRejection', listen);
    const late = Promise.withResolvers<never>();
    const { dispatch, lines, nextLine } = setUp(handling(() => late.promise));
    await failure(dispatch({ timeoutMs: 20 }));
    const line = nextLine();
    late.reject(new Error('late'));
    await line;
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', listen);
    expect({ lines, unhandled }).toEqual({ lines: ['handler.failed_late'], unhandled: [] });
  });
});

describe('R14: places', () => {
  it('R14: so many wait for one and no more; the rest is sent away at once', async () => {
    const slow = stubborn();
    const { dispatch } = setUp(slow.handler, { regular: 4 });
    const held = Array.from({ length: 4 }, () => dispatch());
    const waiting = dispatch();
    // Long before its second of waiting is over: only the queue's bound sends it away.
    const order: string[] = [];
    await Promise.race([
      failure(dispatch()).then(({ code }) => order.push(code)),
      waiting.then(() => order.push('the waiting one')),
    ]);
    expect(order).toEqual(['DESTINATION.BUSY']);
    for (let n = 0; n < 4; n++) slow.release();
    const last = slow.entry();
    await Promise.all(held);
    await last;
    slow.release();
    await expect(waiting).resolves.toEqual(receipt);
  });

  it('R14: a local attempt that finds no place answers busy at once; a regular one has places of its own', async () => {
    const slow = stubborn();
    const { dispatch } = setUp(slow.handler, { local: 1, regular: 1 });
    const entered = slow.entry();
    const first = dispatch({ mode: 'local' });
    await entered;
    await expect(dispatch({ mode: 'local' })).resolves.toBe('busy');
    const regularEntered = slow.entry();
    const regular = dispatch({ mode: 'regular' });
    await regularEntered;
    slow.release();
    slow.release();
    await expect(Promise.all([first, regular])).resolves.toEqual([receipt, receipt]);
    const again = slow.entry();
    const next = dispatch({ mode: 'local' });
    await again;
    slow.release();
    await expect(next).resolves.toEqual(receipt);
  });

  it('R14: a regular attempt waits its turn for a place', async () => {
    const slow = stubborn();
    const { dispatch } = setUp(slow.handler, { regular: 1 });
    const entered = slow.entry();
    const first = dispatch();
    await entered;
    const nextEntered = slow.entry();
    const second = dispatch();
    slow.release();
    await nextEntered;
    slow.release();
    await expect(Promise.all([first, second])).resolves.toEqual([receipt, receipt]);
  });

  it('R14: a regular attempt that gets none ends with DESTINATION.BUSY, and the place is not lost', async () => {
    const slow = stubborn();
    const { dispatch } = setUp(slow.handler, { regular: 1 });
    const entered = slow.entry();
    const first = dispatch();
    await entered;
    expect((await failure(dispatch({ timeoutMs: 20 }))).code).toBe('DESTINATION.BUSY');
    slow.release();
    await first;
    const again = slow.entry();
    const next = dispatch();
    await again;
    slow.release();
    await expect(next).resolves.toEqual(receipt);
  });

  it('R14: a slow destination takes no place of another', async () => {
    const slow = stubborn();
    const fast: Handler = { routingKey: 'fast', deliver: async () => receipt };
    const { dispatch } = setUp([slow.handler, fast], { local: 1, regular: 1 });
    const entered = slow.entry();
    const held = dispatch({ mode: 'local' });
    await entered;
    await expect(dispatch({ mode: 'local', event: outboxEventOf({ routingKey: 'fast' }) })).resolves.toEqual(receipt);
    slow.release();
    await held;
  });
});

describe('R20: many events by one call', () => {
  const idOf = (n: number) => `0197d3a0-0000-7000-8000-00000000000${n}`;
  const three = [1, 2, 3].map((n) => outboxEventOf({ id: idOf(n) }));
  const receiptOf = (id: string) => ({ ...receipt, id: `r-${id}` });
  const batching = (deliverBatch: NonNullable<Handler['deliverBatch']>): Handler => ({
    ...throwing(new Error('must not be called')),
    deliverBatch,
  });
  const all = batching(async (events) => events.map(({ id }) => receiptOf(id)));
  const codesOf = (answers: unknown) =>
    (answers as unknown[]).map((one) => (one as { code?: string }).code ?? (one as { id?: string }).id);

  it('R20: hands them mapped to one call, and answers each in its place', async () => {
    const calls: string[][] = [];
    const handler = batching(async (events, context) => {
      calls.push(events.map(({ id, name }) => `${id} ${name}`));
      expect(Object.keys(context)).not.toContain('idempotencyKey');
      return [
        receiptOf('a'),
        { error: new IntegrationError('HTTP.CLIENT_ERROR', { status: 422 }) },
        { error: new Error('boom') },
      ];
    });
    const answers = await setUp(handler).dispatchBatch(three);
    expect(calls).toEqual([three.map(({ id, eventName }) => `${id} ${eventName}`)]);
    expect(answers).toMatchObject([
      receiptOf('a'),
      { code: 'HTTP.CLIENT_ERROR', status: 422 },
      { code: 'HANDLER.FAILED', message: 'Error: boom' },
    ]);
  });

  it('R20: a handler without deliverBatch is not called; one that is not there is an error', async () => {
    expect(await setUp(throwing(new Error('must not be called'))).dispatchBatch(three)).toBe('unsupported');
    const elsewhere = setUp({ ...all, routingKey: 'other' });
    expect((await failure(elsewhere.dispatchBatch(three))).code).toBe('DISPATCH.HANDLER_NOT_FOUND');
  });

  it('R20: one that cannot be mapped is answered in its place and keeps none of the others; all such call nobody', async () => {
    const calls: number[] = [];
    const handler = batching(async (events) => {
      calls.push(events.length);
      return events.map(({ id }) => receiptOf(id));
    });
    const { dispatchBatch } = setUp(handler);
    const [first, , third] = three as [typeof event, typeof event, typeof event];
    const bad = outboxEventOf({ id: idOf(2), aggregateId: '' });
    const answers = (await dispatchBatch([first, bad, third])) as unknown[];
    expect(answers).toMatchObject([
      receiptOf(first.id),
      { code: 'DISPATCH.INVALID_EVENT', field: '/aggregateId' },
      receiptOf(third.id),
    ]);
    expect(codesOf(await dispatchBatch([bad, bad]))).toEqual(['DISPATCH.INVALID_EVENT', 'DISPATCH.INVALID_EVENT']);
    expect(calls).toEqual([2]);
  });

  it.each<[string, unknown]>([
    ['too few answers', [receipt]],
    ['too many', [receipt, receipt, receipt, receipt]],
    ['none', undefined],
    ['no list', { 0: receipt, length: 3 }],
  ])('%s to a call is HTTP.BAD_RESPONSE as a whole', async (_, answers) => {
    const { dispatchBatch } = setUp(batching(async () => answers as []));
    expect(await failure(dispatchBatch(three))).toMatchObject({
      code: 'HTTP.BAD_RESPONSE',
      message: expect.stringMatching(/^Expected 3 answers from deliverBatch/),
    });
  });

  const hostile = new Proxy(
    {},
    {
      has() {
        throw new Error('no');
      },
    },
  );
  const lazy = {
    get error() {
      throw new Error('no');
    },
  };
  it.each<[string, unknown, ErrorCode]>([
    ['nothing', undefined, 'HTTP.BAD_RESPONSE'],
    ['text', 'ok', 'HTTP.BAD_RESPONSE'],
    ['a receipt without an id', { ...receipt, id: '' }, 'HTTP.BAD_RESPONSE'],
    ['a receipt of a refusal', { ...receipt, status: 503 }, 'HTTP.SERVER_ERROR'],
    ['an error of ours', { error: new IntegrationError('STORE.UNAVAILABLE') }, 'HANDLER.FAILED'],
    ['an error that is none', { error: undefined }, 'HANDLER.FAILED'],
    ['getters that throw', lazy, 'HANDLER.FAILED'],
    ['what tells nothing', hostile, 'HANDLER.FAILED'],
  ])('%s for an answer is that event’s failure alone', async (_, answer, code) => {
    const handler = batching(async ([first]) => [receiptOf(first?.id ?? ''), answer as typeof receipt]);
    const answers = await setUp(handler).dispatchBatch(three.slice(0, 2));
    expect(codesOf(answers)).toEqual([`r-${idOf(1)}`, code]);
    expect((answers as unknown[])[1]).toBeInstanceOf(IntegrationError);
  });

  it('what the call throws is the failure of all', async () => {
    for (const [thrown, code] of [
      [new IntegrationError('HTTP.RATE_LIMITED', { retryAfterMs: 5 }), 'HTTP.RATE_LIMITED'],
      [new TypeError('x'), 'HANDLER.FAILED'],
    ] as const) {
      const { dispatchBatch } = setUp(batching(() => Promise.reject(thrown)));
      expect((await failure(dispatchBatch(three))).code).toBe(code);
    }
  });

  it('R13: the deadline and the shutdown end it as they end a single one', async () => {
    const never = batching(() => new Promise(() => {}));
    expect((await failure(setUp(never).dispatchBatch(three, { timeoutMs: 20 }))).code).toBe('HTTP.TIMEOUT');
    const started = Promise.withResolvers<void>();
    const handler = batching(() => {
      started.resolve();
      return new Promise(() => {});
    });
    const { dispatchBatch, shutdown } = setUp(handler);
    const sent = failure(dispatchBatch(three));
    await started.promise;
    shutdown.abort();
    expect((await sent).code).toBe('DELIVERY.CANCELLED');
  });

  it('R14: a batch takes one place, of its own mode, and gives it back', async () => {
    const letGo = Promise.withResolvers<void>();
    const handler = batching(async (events) => {
      await letGo.promise;
      return events.map(({ id }) => receiptOf(id));
    });
    const { dispatchBatch } = setUp(handler, { local: 1, regular: 1 });
    const held = [dispatchBatch(three, { mode: 'local' }), dispatchBatch(three)];
    await expect(dispatchBatch(three, { mode: 'local' })).resolves.toBe('busy');
    expect((await failure(dispatchBatch(three, { timeoutMs: 20 }))).code).toBe('DESTINATION.BUSY');
    letGo.resolve();
    await Promise.all(held);
    for (const mode of ['local', 'regular'] as const) {
      await expect(dispatchBatch(three, { mode })).resolves.toHaveLength(3);
    }
  });

  it('R6: while this worker stays away from the destination nothing is called', async () => {
    const { dispatchBatch } = setUp(
      batching(() => Promise.reject(new Error('must not be called'))),
      {
        watch: { awayForMs: () => 1_234 },
      },
    );
    expect(await failure(dispatchBatch(three))).toMatchObject({ code: 'DESTINATION.OPEN', retryAfterMs: 1_234 });
  });

  const answered = (...codes: (ErrorCode | null)[]) =>
    batching(async () => codes.map((code) => (code === null ? receipt : { error: new IntegrationError(code) })));
  it.each<[string, readonly (ErrorCode | null)[], CallEnd['weight'], ErrorCode | null]>([
    ['every one taken', [null, null], 'success', null],
    ['one taken of many', ['HTTP.SERVER_ERROR', 'HTTP.TIMEOUT', null], 'success', null],
    ['one judged, none taken', ['HTTP.SERVER_ERROR', 'HTTP.CLIENT_ERROR'], 'success', null],
    ['each met what the next would meet', ['HTTP.UNAUTHORIZED', 'HTTP.TIMEOUT'], 'failure', 'HTTP.UNAUTHORIZED'],
    ['some did, of the others nothing is known', ['DISPATCH.INVALID_EVENT', 'HTTP.TIMEOUT'], 'failure', 'HTTP.TIMEOUT'],
    ['nothing is known of any', ['DISPATCH.INVALID_EVENT', 'HANDLER.FAILED'], 'none', 'DISPATCH.INVALID_EVENT'],
  ])('R6, R19: a batch is one word on its destination: %s', async (_, codes, weight, code) => {
    const noted: CallEnd[] = [];
    const watch = { note: (_view: object, end: CallEnd) => void noted.push(end) };
    await setUp(answered(...codes), { watch }).dispatchBatch(codes.map((_, n) => outboxEventOf({ id: idOf(n) })));
    expect(noted).toMatchObject([{ weight, reason: code === null ? null : { code } }]);
  });

  it('R19: a call that fails as a whole is one failure, too', async () => {
    const noted: CallEnd[] = [];
    const watch = { note: (_view: object, end: CallEnd) => void noted.push(end) };
    const thrown = new IntegrationError('HTTP.SERVER_ERROR', { status: 500 });
    await failure(
      setUp(
        batching(() => Promise.reject(thrown)),
        { watch },
      ).dispatchBatch(three),
    );
    expect(noted).toMatchObject([{ weight: 'failure', reason: { code: 'HTTP.SERVER_ERROR', status: 500 } }]);
  });
});

describe('R20: defineHandler with deliverBatch', () => {
  const schema = z.object({ total: z.number() });
  const eventsOf = (...totals: unknown[]) => totals.map((total) => eventOf({ payload: { total } as JsonObject }));
  const context = { signal: new AbortController().signal } as BatchContext;
  const define = (
    deliverBatch: NonNullable<Parameters<typeof defineHandler<{ total: number }>>[0]['deliverBatch']>,
  ) => {
    const handler = defineHandler({ routingKey: 'k', schema, deliver: async () => ({ id: 'x' }), deliverBatch });
    return (...totals: unknown[]) =>
      (handler.deliverBatch as NonNullable<Handler['deliverBatch']>)(eventsOf(...totals), context);
  };

  it('is there only where it is defined', () => {
    expect(defineHandler({ routingKey: 'k', deliver: async () => ({ id: 'x' }) }).deliverBatch).toBeUndefined();
  });

  it('checks each payload; the handler gets those that fit, and each answer stands in its place', async () => {
    const got: number[][] = [];
    const deliver = define(async (events, given) => {
      expect(given).toBe(context);
      got.push(events.map(({ payload }) => payload.total));
      return events.map(({ payload }) => ({ id: `r${payload.total}` }));
    });
    const answers = await deliver(1, 'two', 3);
    expect(got).toEqual([[1, 3]]);
    expect(answers).toMatchObject([
      { id: 'r1', hash: null, status: null, replayed: false, at: expect.any(String) },
      { error: { code: 'DISPATCH.INVALID_EVENT', field: '/payload/total' } },
      { id: 'r3' },
    ]);
  });

  it('calls nobody where none fits', async () => {
    const deliver = define(() => Promise.reject(new Error('must not be called')));
    expect(await deliver('a', 'b')).toMatchObject([{ error: {} }, { error: {} }]);
  });

  it('hands on what the handler says of one, whatever that is, and keeps the others', async () => {
    const error = new Error('only this one');
    const deliver = define(async () => [{ error }, { id: 'r2', status: 200 }, undefined as never, null as never]);
    const [failed, delivered, ...none] = await deliver(1, 2, 3, 4);
    expect(failed).toEqual({ error });
    expect(delivered).toMatchObject({ id: 'r2', status: 200, hash: null });
    for (const one of none) expect(one).not.toHaveProperty('id');
  });

  it('takes no answer of another length', async () => {
    for (const answers of [[{ id: 'r1' }], [{ id: 'r1' }, { id: 'r2' }, { id: 'r3' }], undefined as never]) {
      await expect(define(async () => answers)(1, 2)).rejects.toMatchObject({
        code: 'HTTP.BAD_RESPONSE',
        message: expect.stringMatching(/^Expected 2 answers from deliverBatch/),
      });
    }
  });
});

describe('the receipt', () => {
  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'ok'],
    ['no id', { ...receipt, id: '' }],
    ['an id of 201 characters', { ...receipt, id: 'x'.repeat(201) }],
    ['an id that is a number', { ...receipt, id: 7 }],
    ['an id that cannot be stored', { ...receipt, id: 'a\u0000' }],
    ['a hash that is no text', { ...receipt, hash: 7 }],
    ['a status that is none', { ...receipt, status: 42 }],
    ['a time that is none', { ...receipt, at: '2026-13-01T00:00:00Z' }],
    ['no word on replay', { ...receipt, replayed: undefined }],
  ])('that is %s ends as HTTP.BAD_RESPONSE', async (_, returned) => {
    const { dispatch } = setUp(handling(async () => returned as typeof receipt));
    expect((await failure(dispatch())).code).toBe('HTTP.BAD_RESPONSE');
  });

  it('keeps nothing but its own fields', async () => {
    const { dispatch } = setUp(handling(async () => ({ ...receipt, secret: 'x' })));
    await expect(dispatch()).resolves.toEqual(receipt);
  });

  it('is completed by defineHandler', async () => {
    const { dispatch } = setUp(defineHandler({ routingKey: 'audit.log', deliver: async () => ({ id: 'only' }) }));
    await expect(dispatch()).resolves.toMatchObject({ id: 'only', hash: null, status: null, replayed: false });
  });
});

describe('what a handler throws', () => {
  it('keeps an IntegrationError that is a handler’s to throw, also one of a foreign copy of the class', async () => {
    const own = new IntegrationError('HTTP.RATE_LIMITED', { status: 429, retryAfterMs: 5 });
    expect(await failure(setUp(throwing(own)).dispatch())).toEqual(own);
    const fields = { name: 'IntegrationError', code: 'HTTP.TLS', status: 'x', retryAfterMs: 3 };
    const foreign = Object.assign(new Error('refused'), fields);
    expect(await failure(setUp(throwing(foreign)).dispatch())).toMatchObject({
      code: 'HTTP.TLS',
      message: 'refused',
      status: null,
      retryAfterMs: 3,
    });
  });

  it.each(['STORE.UNAVAILABLE', 'DELIVERY.CANCELLED', 'DESTINATION.OPEN', 'WORKFLOW.LOST'] as const)(
    'takes a thrown %s, which would be retried without end, for a failed handler',
    async (code) => {
      expect((await failure(setUp(throwing(new IntegrationError(code))).dispatch())).code).toBe('HANDLER.FAILED');
    },
  );

  it('takes an abort error that is none of ours for a failed handler', async () => {
    const { dispatch } = setUp(throwing(new DOMException('aborted', 'AbortError')));
    expect(await failure(dispatch())).toMatchObject({ code: 'HANDLER.FAILED', message: 'AbortError: aborted' });
  });

  const cyclic = new Error('outer');
  cyclic.cause = new Error('inner', { cause: cyclic });
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('no');
      },
    },
  );
  it.each<[string, unknown, string, readonly string[]]>([
    ['an error', new TypeError('x is not a function'), 'TypeError: x is not a function', ['x is not a function']],
    ['causes', new Error('a', { cause: new Error('b', { cause: 'c' }) }), 'Error: a', ['a', 'b', 'c']],
    ['causes in a circle', cyclic, 'Error: outer', ['outer', 'inner']],
    ['text', 'boom', 'Thrown string: boom', ['boom']],
    ['nothing', undefined, 'Thrown undefined: undefined', []],
    ['null', null, 'Thrown null: null', []],
    ['a symbol', Symbol('s'), 'Thrown symbol: Symbol(s)', ['Symbol(s)']],
    ['getters that throw', hostile, 'Thrown object: ', ['']],
    ['a message without end', new Error('x'.repeat(1e6)), `Error: ${'x'.repeat(992)}…`, [`${'x'.repeat(999)}…`]],
  ])('describes %s as HANDLER.FAILED, within bounds', async (_, thrown, message, causes) => {
    const error = await failure(setUp(throwing(thrown)).dispatch());
    expect(error.code).toBe('HANDLER.FAILED');
    const described = describeFailure(error, createRedactor());
    expect(described.message).toBe(message);
    expect(described.causes.map((cause) => cause.message)).toEqual(causes);
    expect(described.message.length).toBeLessThanOrEqual(1_000);
    expect(described.stack === null || described.stack.length <= 8_000).toBe(true);
  });

  it('keeps at most eight causes, and the stack of what was thrown first', async () => {
    let deep = new Error('0');
    for (let n = 1; n < 20; n++) deep = new Error(String(n), { cause: deep });
    const described = describeFailure(await failure(setUp(throwing(deep)).dispatch()), createRedactor());
    expect(described.causes.map(({ message }) => message)).toEqual(['19', '18', '17', '16', '15', '14', '13', '12']);
    expect(described.stack).toContain('Error: 19');
  });
});
