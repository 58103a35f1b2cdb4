// The relay's loop over scripted neighbours: the store, Temporal and time are fake here and real in
// test/integration/relay-*.test.ts. Time stands still until everything waits for it, then jumps to the next waker.

import { jest } from '@jest/globals';
import type {
  ClaimedBatch,
  ClaimedEvent,
  ClaimRequest,
  DeadLetterInput,
  StartAnswer,
} from '../../src/application/delivery/ports.js';
import { type Relay, type RelayOptions, relayOutbox } from '../../src/application/delivery/relay-outbox.js';
import type { RelayTime } from '../../src/application/delivery/relay-time.js';
import type { CoalescedSizes } from '../../src/domain/delivery/coalescing.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';
import { createCountedMetrics } from '../support/counted-metrics.js';

type Released = { eventId: string; carrier?: string | null; delayMs: number; countTry: boolean };
const started: StartAnswer = { kind: 'started', eager: false };
const refused: StartAnswer = { kind: 'refused', reason: 'UNAVAILABLE' };

describe('a batch', () => {
  it('is started run by run and marked by one write, under the token of its claim', async () => {
    const world = createWorld({ batches: [events(3)] });
    await world.runUntil(() => world.marked.length === 3);
    expect(world.marks).toHaveLength(1);
    expect(world.marks[0]?.leaseToken).toBe(world.claims[0]?.leaseToken);
    expect(world.counted).toMatchObject({ claimed: 3, started: 3 });
  });

  it('R2: a start that hears "exists" counts as started', async () => {
    const world = createWorld({ batches: [events(2)], start: async () => ({ kind: 'exists' }) });
    await world.runUntil(() => world.marked.length === 2);
    expect(world.counted).toMatchObject({ started: 2, existed: 2 });
    expect(world.released).toEqual([]);
  });

  it('never has more than fifty starts in flight', async () => {
    let inFlight = 0;
    let most = 0;
    const world = createWorld({
      batches: [events(200)],
      start: async () => {
        most = Math.max(most, ++inFlight);
        await new Promise((resolve) => setImmediate(resolve));
        inFlight -= 1;
        return started;
      },
    });
    await world.runUntil(() => world.marked.length === 200);
    expect(most).toBe(50);
  });

  it('R5: what takes long to start is followed by a claim of fewer; quicker again, of twice as many', async () => {
    let startMs = 2_000;
    const world: World = createWorld({
      batches: [200, 25, 12, 7, 8, 16, 31, 32, 64, 128].map(events),
      start: async () => {
        await world.time.sleep(startMs);
        return started;
      },
    });
    await world.runUntil(() => world.claims.length === 4);
    // 200 of them, fifty at once, take eight seconds: 25 a second. 25 take two, and so do twelve; eight are the least.
    const batches = () => world.claims.map(({ batch }) => batch);
    expect(batches()).toEqual([200, 25, 12, 8]);
    startMs = 100;
    await world.runUntil(() => world.claims.length === 10);
    // What was not full does not say how many would have been quick.
    expect(batches().slice(4)).toEqual([8, 16, 32, 32, 64, 128]);
  });

  it('counts fenced writes and overtaken marks apart', async () => {
    const world = createWorld({ batches: [events(5)] });
    world.store.markStarted.mockResolvedValue({ marked: 1, overtaken: 3, fenced: 1 });
    await world.runUntil(() => world.counted.fenced_relay_writes !== undefined);
    expect(world.counted).toMatchObject({ overtaken_marks: 3, fenced_relay_writes: 1 });
    expect(world.metrics.counted).toMatchObject({
      outbox_overtaken_events_total: 3,
      'outbox_fenced_writes_total write=mark': 1,
    });
  });

  it('is told in the metrics: what was claimed, which starts failed and how, which writes came too late', async () => {
    const answers: StartAnswer[] = [
      started,
      { kind: 'started', eager: true },
      { kind: 'exists' },
      refused,
      { kind: 'refused', reason: '3: no', unfit: true },
    ];
    const claimed = events(5).map((one) => ({ ...one, ageMs: 50 }));
    // Redriven: how long ago it was appended says nothing of its start.
    const [, second] = claimed;
    const batch = claimed.map((one) => (one === second ? { ...one, epoch: 1 } : one));
    const world = createWorld({ batches: [batch], start: async () => answers.shift() as StartAnswer });
    world.fencedReleases = 2;
    await world.runUntil(() => world.counted.fenced_relay_writes !== undefined);
    const { eventType } = batch[0] as ClaimedEvent;
    expect(world.metrics.counted).toMatchObject({
      [`outbox_claimed_events_total event_type=${eventType}`]: 5,
      [`outbox_commit_to_start_seconds event_type=${eventType}`]: 1,
      'outbox_started_runs_total eager=no': 1,
      'outbox_started_runs_total eager=yes': 1,
      'outbox_start_failures_total kind=refused': 1,
      'outbox_start_failures_total kind=unfit': 1,
      'outbox_fenced_writes_total write=release': 2,
    });
  });
});

describe('starts that are refused', () => {
  it('R8: all refused: released without a count, paused up to 5 s, fewer in flight, said once', async () => {
    const world = createWorld({ batches: forever(50), start: async () => refused });
    await world.runUntil(() => world.claims.length === 12);
    expect(world.released.length).toBeGreaterThan(12);
    expect(world.released.every((row) => !row.countTry && row.delayMs === 0)).toBe(true);
    expect(world.deadLetters).toEqual([]);
    expect(world.logged('relay.starts_refused')).toBe(1);
    const gaps = world.claimTimes.slice(1).map((at, i) => at - (world.claimTimes[i] as number));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
    expect(gaps.at(-1)).toBeGreaterThan(2_000);
    expect(world.claims.at(-1)?.batch).toBe(1);
  });

  it('R8: when starts are accepted again it says so once and grows back to the whole batch', async () => {
    let accept = false;
    const world = createWorld({ batches: forever(10), start: async () => (accept ? started : refused) });
    await world.runUntil(() => world.claims.length === 8);
    accept = true;
    await world.runUntil(() => world.claims.at(-1)?.batch === 200);
    expect(world.logged('relay.starts_accepted')).toBe(1);
    expect(world.logged('relay.starts_refused')).toBe(1);
  });

  it('R8: into a wall, most of a batch is not sent at all but released', async () => {
    const world = createWorld({ batches: [events(200)], start: async () => refused });
    await world.runUntil(() => world.released.length === 200);
    expect(world.counted.refused).toBeLessThan(60);
    expect(world.counted.unsent).toBeGreaterThan(140);
  });

  it('R8: a start without an answer is released like a refused one, after its deadline', async () => {
    const world = createWorld({ batches: [events(1)], start: () => new Promise(() => undefined) });
    await world.runUntil(() => world.released.length === 1);
    expect(world.now()).toBeGreaterThanOrEqual(5_000);
    expect(world.released[0]).toMatchObject({ countTry: false, delayMs: 0 });
  });

  it('R8: a start that throws is refused, not fatal', async () => {
    const world = createWorld({
      batches: [events(1)],
      start: async () => {
        throw new Error('14 UNAVAILABLE');
      },
    });
    await world.runUntil(() => world.released.length === 1);
    expect(world.logged('relay.starts_refused')).toBe(1);
  });

  it.each([
    [0, 1_000, 0],
    [3, 8_000, 0],
    [4, 300_000, 1],
    [11, 300_000, 1],
  ])(
    'R8: one row refused beside others, after %i failures: counted, put off %i ms, never ended',
    async (startTries, delayMs, alerts) => {
      const poison = { ...event('poison'), startTries };
      const world = createWorld({
        batches: [[...events(5), poison]],
        start: async (e) => (e.eventId === 'poison' ? refused : started),
      });
      await world.runUntil(() => world.released.length === 1);
      expect(world.released).toEqual([
        { eventId: 'poison', epoch: 0, carrier: null, delayMs, countTry: true, sent: true },
      ]);
      expect(world.marked).toHaveLength(5);
      expect(world.logged('relay.start_put_off')).toBe(alerts);
      expect(world.logged('relay.starts_refused')).toBe(0);
      expect(world.deadLetters).toEqual([]);
    },
  );
});

describe('our own check of the row', () => {
  it('R8: ends a row that no run could carry, and starts the others', async () => {
    const world = createWorld({ batches: [[{ ...event('bad'), eventName: 'not a name' }, ...events(2)]] });
    await world.runUntil(() => world.marked.length === 2);
    expect(world.deadLetters).toEqual([
      expect.objectContaining({
        run: { eventId: 'bad', epoch: 0, carrier: null },
        code: 'DISPATCH.INVALID_EVENT',
        message: expect.stringContaining('/eventName') as string,
        workflowId: null,
      }),
    ]);
    expect(world.sent).not.toContain('bad');
  });

  it.each<[string, Partial<ClaimedEvent>]>([
    ['no event row', { eventName: '', aggregateType: '', aggregateId: '' }],
    ['a routing key that is too long', { destination: 'a'.repeat(65) }],
    ['a control character in the tenant', { tenantId: 'a\nb' }],
    ['a tenant that is too long', { tenantId: '😀'.repeat(65) }],
  ])('R8: refuses %s', async (_, fields) => {
    const world = createWorld({ batches: [[{ ...event('bad'), ...fields }]] });
    await world.runUntil(() => world.deadLetters.length === 1);
    expect(world.sent).toEqual([]);
  });

  it('accepts what is exactly at the limits, counted in characters', async () => {
    const world = createWorld({
      batches: [[{ ...event('e'), tenantId: '😀'.repeat(64), destination: 'a'.repeat(64) }]],
    });
    await world.runUntil(() => world.marked.length === 1);
  });

  it('goes on when the letter cannot be written: the row comes again after its lease', async () => {
    const world = createWorld({ batches: [[{ ...event('bad'), eventType: '' }, ...events(1)]] });
    world.failDeadLetters = true;
    await world.runUntil(() => world.marked.length === 1);
    expect(world.logged('relay.reject_failed')).toBe(1);
  });
});

describe('the database away', () => {
  it('backs off to 5 s, says so once, says once that it is back, and goes on', async () => {
    const world = createWorld({ batches: [[], events(1)] });
    world.storeAway = true;
    await world.runUntil(() => world.claimTimes.length === 12);
    const gaps = world.claimTimes.slice(1).map((at, i) => at - (world.claimTimes[i] as number));
    expect(gaps.at(-1)).toBeGreaterThan(2_000);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(5_000);
    world.storeAway = false;
    await world.runUntil(() => world.marked.length === 1);
    expect(world.logged('relay.store_away')).toBe(1);
    expect(world.logged('relay.store_back')).toBe(1);
  });

  it('R7: tries a mark again, and says that it is not the first time', async () => {
    const world = createWorld({ batches: [events(2)] });
    world.store.markStarted.mockRejectedValueOnce(new IntegrationError('STORE.UNAVAILABLE'));
    await world.runUntil(() => world.marked.length === 2);
    expect(world.store.markStarted.mock.calls.map(([, , again]) => again)).toEqual([false, true]);
  });

  it('R6: asks once a minute for destinations full of runs that do not move, and says each once in ten minutes', async () => {
    const world = createWorld({ batches: [] });
    const stuck = { destination: 'erp.sync', started: 500, pastDue: 12 };
    world.full = [stuck];
    await world.runUntil(() => world.now() > 1_500_000);
    expect(world.looks).toBeGreaterThan(20);
    expect(world.looks).toBeLessThan(27);
    expect(world.logged('relay.destination_full')).toBe(3);
    world.full = [];
    await world.runUntil(() => world.now() > 1_700_000);
    world.full = [stuck];
    await world.runUntil(() => world.logged('relay.destination_full') === 4);
    expect(world.now()).toBeLessThan(1_790_000); // not ten minutes after it was said last: it had been over
    expect(world.fields.get('relay.destination_full')).toMatchObject({
      destination: 'erp.sync',
      started: 500,
      past_due: 12,
      hint: expect.stringContaining('worker'),
    });
  });

  it('gives a mark up when the lease ends, and goes on claiming', async () => {
    const world = createWorld({ batches: [events(2), events(1)] });
    world.store.markStarted.mockImplementation(async () => {
      if (world.claims.length === 1) throw new IntegrationError('STORE.UNAVAILABLE');
      return { marked: 1, overtaken: 0, fenced: 0 };
    });
    await world.runUntil(() => world.claims.length === 2);
    expect(world.counted.abandoned_writes).toBe(1);
    expect(world.now()).toBeGreaterThan(28_000);
    expect(world.now()).toBeLessThan(31_000);
  });
});

describe('lease and shutdown', () => {
  it('sends no start so late that its answer could outlive the lease', async () => {
    const world = createWorld({
      batches: [events(200)],
      start: async () => {
        await world.time.sleep(4_900);
        return started;
      },
      options: { inFlight: 10 },
    });
    await world.runUntil(() => world.marked.length + world.released.length === 200);
    expect(world.lastSentAt).toBeLessThanOrEqual(20_000);
    expect(world.released.every((row) => !row.countTry)).toBe(true);
    expect(world.released.length).toBeGreaterThan(0);
  });

  it.each([5_000, 9_000, 30_000])(
    'a lease of %i ms still lets starts out, and none that it does not outlive',
    async (leaseMs) => {
      const world = createWorld({
        batches: [events(200)],
        start: () => new Promise(() => undefined),
        options: { leaseMs, inFlight: 1 },
      });
      await world.runUntil(() => world.released.length === 200);
      expect(world.sent.length).toBeGreaterThan(0);
      expect(world.now()).toBeLessThan(leaseMs);
    },
  );

  it('stop: finishes the starts that are sent, marks them, releases the rest, claims nothing more', async () => {
    const answers: (() => void)[] = [];
    const world = createWorld({
      batches: forever(200),
      start: () => new Promise((resolve) => answers.push(() => resolve(started))),
    });
    await world.runUntil(() => answers.length === 50);
    const stopping = world.relay.stop();
    for (const answer of answers) answer();
    await stopping;
    expect(world.sent).toHaveLength(50);
    expect(world.marked).toHaveLength(50);
    expect(world.released).toHaveLength(150);
    expect(world.claims).toHaveLength(1);
  });

  it('stop: does not wait out a pause or a rest', async () => {
    const world = createWorld({ batches: forever(1), start: async () => refused });
    await world.runUntil(() => world.claims.length === 12);
    const before = world.now();
    await world.relay.stop();
    expect(world.now() - before).toBeLessThan(100);
  });

  it('stop: waits for nothing longer than the grace', async () => {
    const world = createWorld({
      batches: [events(1)],
      start: () => new Promise(() => undefined),
      options: { graceMs: 700 },
    });
    await world.runUntil(() => world.sent.length === 1);
    await world.relay.stop();
    expect(world.now()).toBeLessThan(5_000);
  });
});

it('a hint is answered by a claim at once, also one that comes while a claim runs', async () => {
  const world = createWorld({ batches: [] });
  await world.runUntil(() => world.now() > 60_000); // idle: polls once a second
  const [before, claims] = [world.now(), world.claims.length];
  world.relay.hint();
  await world.runUntil(() => world.claims.length > claims);
  expect(world.claimTimes.at(-1)).toBe(before);
});

describe('events that travel together', () => {
  const carried = (carrier: string, count: number) => events(count).map((one) => ({ ...one, carrier }));
  const coalescing = (look: () => Promise<void>, sizes: () => CoalescedSizes = () => ({})) => ({
    coalescing: { carrierPrefix: 'main:batch:', backlog: { look, sizes } },
  });

  it('R20: are started by their carrier and marked by one write with what goes alone', async () => {
    const world = createWorld({ batches: [[...carried('x', 30), ...events(2), ...carried('y', 20)]] });
    await world.runUntil(() => world.marked.length === 52);
    expect([world.carriers, world.marks.length]).toEqual([['x', 'y'], 1]);
    expect(world.counted).toMatchObject({ claimed: 52, started: 52, coalesced: 50 });
  });

  it('R20: the backlog is looked at after each claim, and what it says goes into the next', async () => {
    let looks = 0;
    const world = createWorld({
      batches: [],
      options: coalescing(
        async () => {
          looks += 1;
        },
        () => ({ 'audit.log': { '*': looks } }),
      ),
    });
    await world.runUntil(() => world.claims.length === 3);
    expect(world.claims.map(({ coalesced }) => [coalesced?.carrierPrefix, coalesced?.sizes])).toEqual(
      [0, 1, 2].map((size) => ['main:batch:', { 'audit.log': { '*': size } }]),
    );
  });

  it('R20: nothing is coalesced where nothing says so', async () => {
    const world = createWorld({ batches: [] });
    await world.runUntil(() => world.claims.length === 1);
    expect(world.claims[0]?.coalesced).toBeUndefined();
  });

  it('R8, R20: a backlog that cannot be counted is the database away, and the relay goes on', async () => {
    let looks = 0;
    const world = createWorld({
      batches: [events(1), events(1)],
      options: coalescing(async () => {
        looks += 1;
        if (looks === 1) throw new IntegrationError('STORE.UNAVAILABLE');
      }),
    });
    await world.runUntil(() => world.marked.length === 2);
    expect([world.logged('relay.store_away'), world.logged('relay.store_back')]).toEqual([1, 1]);
  });

  it('R8, R20: one batch refused beside runs that are accepted is no outage, whatever it carries; all of it waits', async () => {
    const world = createWorld({
      batches: [[...carried('x', 40), ...events(2)]],
      startBatch: async () => refused,
    });
    await world.runUntil(() => world.released.length === 40);
    expect(world.released[0]).toMatchObject({ carrier: 'x', countTry: true, delayMs: 1_000, sent: true });
    expect(world.marked).toHaveLength(2);
    expect(world.logged('relay.starts_refused')).toBe(0);
    expect(world.counted).toMatchObject({ refused: 40, started: 2 });
  });

  it('R8, R20: batches refused and nothing accepted: the environment, so nothing is counted, and a claim takes one start', async () => {
    const batches = (function* () {
      for (let i = 0; ; i += 1) yield carried(`x${i}`, 40);
    })();
    const world = createWorld({ batches, startBatch: async () => refused });
    await world.runUntil(() => world.claims.length === 12);
    expect(world.released.every(({ countTry, delayMs }) => !countTry && delayMs === 0)).toBe(true);
    expect(world.logged('relay.starts_refused')).toBe(1);
    expect(world.claims.at(-1)?.batch).toBe(1);
  });

  it('R8, R20: an event of a batch that no run could carry is dead, the others of it go', async () => {
    const [bad, ...fine] = carried('x', 3);
    const world = createWorld({ batches: [[{ ...(bad as ClaimedEvent), eventName: 'not a name' }, ...fine]] });
    await world.runUntil(() => world.marked.length === 2);
    expect(world.deadLetters).toMatchObject([{ run: { eventId: bad?.eventId, carrier: 'x' } }]);
    expect([world.carriers, world.sent]).toEqual([['x'], fine.map(({ eventId }) => eventId)]);
  });
});

it('goes on at the cursor that the last claim returned', async () => {
  const world = createWorld({ batches: [events(1), events(1)] });
  await world.runUntil(() => world.claims.length === 3);
  expect(world.claims.map((request) => request.cursor)).toEqual([null, 'after-1', 'after-2']);
});

// ---- the scripted world ---------------------------------------------------------------------------------------------

interface World {
  relay: Relay;
  time: RelayTime;
  claims: ClaimRequest[];
  claimTimes: number[];
  sent: string[];
  carriers: string[];
  lastSentAt: number;
  marks: { leaseToken: string; ids: string[] }[];
  marked: string[];
  released: Released[];
  deadLetters: Omit<DeadLetterInput, never>[];
  counted: Record<string, number>;
  storeAway: boolean;
  full: { destination: string; started: number; pastDue: number }[];
  looks: number;
  /** Of the last line with this message. */
  fields: Map<string, object>;
  failDeadLetters: boolean;
  metrics: ReturnType<typeof createCountedMetrics>;
  fencedReleases: number;
  store: {
    markStarted: jest.Mock<
      (
        token: string,
        rows: readonly { eventId: string }[],
        again?: boolean,
      ) => Promise<{ marked: number; overtaken: number; fenced: number }>
    >;
  };
  now(): number;
  logged(message: string): number;
  runUntil(reached: () => boolean): Promise<void>;
}

const worlds: World[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.relay.stop()));
});

function createWorld(script: {
  batches: Iterable<ClaimedEvent[]>;
  start?: (event: ClaimedEvent) => Promise<StartAnswer>;
  startBatch?: (batch: ClaimedBatch) => Promise<StartAnswer>;
  options?: Partial<RelayOptions>;
}): World {
  const batches = script.batches[Symbol.iterator]();
  const messages: string[] = [];
  const fields = new Map<string, object>();
  const log = (of: object, message: string) => {
    messages.push(message);
    fields.set(message, of);
  };
  const { time, now } = createTime();
  const world = {
    time,
    now,
    claims: [],
    claimTimes: [],
    sent: [],
    carriers: [],
    lastSentAt: 0,
    marks: [],
    marked: [],
    released: [],
    deadLetters: [],
    counted: {},
    metrics: createCountedMetrics(),
    storeAway: false,
    full: [],
    looks: 0,
    fields,
    failDeadLetters: false,
    fencedReleases: 0,
    logged: (message: string) => messages.filter((m) => m === message).length,
    async runUntil(reached: () => boolean) {
      for (let turns = 0; !reached(); turns += 1) {
        if (turns > 100_000) throw new Error(`not reached; logged: ${messages.join(', ')}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  } as unknown as World;
  const markStarted = jest.fn(async (leaseToken: string, rows: readonly { eventId: string }[]) => {
    world.marks.push({ leaseToken, ids: rows.map((row) => row.eventId) });
    world.marked.push(...rows.map((row) => row.eventId));
    return { marked: rows.length, overtaken: 0, fenced: 0 };
  });
  world.store = { markStarted };
  world.relay = relayOutbox(
    {
      time,
      telemetry: {
        log: { debug: log, info: log, warn: log, error: log },
        count: (name, by) => {
          world.counted[name] = (world.counted[name] ?? 0) + by;
        },
        metrics: world.metrics,
      },
      starter: {
        start: (e) => {
          world.sent.push(e.eventId);
          world.lastSentAt = now();
          return script.start?.(e) ?? Promise.resolve(started);
        },
        startBatch: (batch) => {
          world.carriers.push(batch.carrier);
          world.sent.push(...batch.events.map((e) => e.eventId));
          world.lastSentAt = now();
          return script.startBatch?.(batch) ?? Promise.resolve(started);
        },
      },
      deadLetters: {
        async recordDeadLetter(input) {
          if (world.failDeadLetters) throw new IntegrationError('STORE.UNAVAILABLE');
          world.deadLetters.push(input);
          return { kind: 'recorded', notify: null, id: 'letter' };
        },
      },
      store: {
        async claim(request) {
          world.claimTimes.push(now());
          if (world.storeAway) throw new IntegrationError('STORE.UNAVAILABLE');
          world.claims.push(request);
          const batch = (batches.next().value as ClaimedEvent[] | undefined) ?? [];
          return { events: batch, cursor: `after-${world.claims.length}`, unfinished: false };
        },
        markStarted,
        async release(_, rows) {
          world.released.push(...rows);
          return { released: rows.length, overtaken: 0, fenced: world.fencedReleases };
        },
        async holdProbes() {},
        async findFull() {
          world.looks += 1;
          return world.full;
        },
      },
    },
    { policies: { byType: {}, otherwise: 'p' }, ...script.options },
  );
  worlds.push(world);
  return world;
}

/** Jumps to the next sleeper once a few turns of the event loop brought nothing else. */
function createTime(): { time: RelayTime; now: () => number } {
  let now = 0;
  let sleepers: { at: number; wake: () => void }[] = [];
  let ticking = false;
  const tick = async () => {
    ticking = true;
    while (sleepers.length > 0) {
      for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
      const next = sleepers.reduce<(typeof sleepers)[number] | null>(
        (a, b) => (a !== null && a.at <= b.at ? a : b),
        null,
      );
      if (next === null) break;
      now = Math.max(now, next.at);
      next.wake();
    }
    ticking = false;
  };
  const sleep: RelayTime['sleep'] = (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = {
        at: now + ms,
        wake: () => {
          sleepers = sleepers.filter((s) => s !== sleeper);
          resolve();
        },
      };
      sleepers.push(sleeper);
      signal?.addEventListener('abort', sleeper.wake);
      if (!ticking) void tick();
    });
  return { time: { now: () => now, sleep, random: () => 0.5 }, now: () => now };
}

let serial = 0;
function event(eventId = `e${serial++}`): ClaimedEvent {
  return {
    eventId,
    epoch: 0,
    carrier: null,
    destination: 'audit.log',
    eventName: 'auth.user.signed_in.v1',
    eventType: 'AUTH',
    tenantId: '',
    aggregateType: 'user',
    aggregateId: '1',
    policyHash: 'p',
    policy: DEFAULT_POLICY,
    firstAttempt: 'local',
    destinationWell: true,
    startTries: 0,
  };
}

function events(count: number): ClaimedEvent[] {
  return Array.from({ length: count }, () => event());
}

function* forever(count: number): Iterable<ClaimedEvent[]> {
  while (true) yield events(count);
}
