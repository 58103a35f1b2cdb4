// Searching events and showing one, on a real PostgreSQL. Rows are written directly where a test says exactly what
// there is, and what a search finds is held against a model. Nothing is fake.
import { randomUUID } from 'node:crypto';
import { writeEventCursor } from '../../src/application/delivery/events/event-cursor.js';
import {
  EventFilterError,
  type EventPage,
  listEvents,
  MOST_LOOKED,
} from '../../src/application/delivery/events/list-events.js';
import type { EventFilter, EventReader } from '../../src/application/delivery/events/ports.js';
import { showEvent } from '../../src/application/delivery/events/show-event.js';
import { EVENT_STATES, type EventState } from '../../src/contract/events-api.js';
import { batchRunId, eventRunId } from '../../src/domain/delivery/workflow-ids.js';
import { createEventReader } from '../../src/infrastructure/prisma/event-reader.js';
import {
  LOAD_PAYLOAD,
  listValues,
  MOST_PICKED,
  PICKS,
  SHOW,
  WALKS,
} from '../../src/infrastructure/prisma/event-statements.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { createDeliveryStore, type DeliveryStore } from '../support/delivery-line.js';

const ALL: EventFilter = {
  state: null,
  eventType: null,
  eventName: null,
  destination: null,
  tenantId: null,
  aggregateType: null,
  aggregateId: null,
  source: null,
  since: null,
  until: null,
};
const clock = () => performance.now();

describe('a search', () => {
  let databases: TestDatabases;
  let pool: PgPool;
  let reader: EventReader;
  let planted: readonly Planted[];

  beforeAll(async () => {
    databases = await createTestDatabases();
    pool = createPool(databases.outboxUrl, { max: 4 });
    reader = createEventReader(pool);
    planted = Array.from({ length: 300 }, (_, n) => makeEvent(n));
    await plant(pool, planted);
  });
  afterAll(async () => {
    await pool.end();
    await databases.drop();
  });

  const FILTERS: readonly Partial<EventFilter>[] = [
    {},
    ...EVENT_STATES.map((state) => ({ state })),
    { eventType: 'T1' },
    { eventName: 'a.b.v2' },
    { destination: 'd.1' },
    { tenantId: '' },
    { tenantId: 'acme' },
    { aggregateType: 'order' },
    { aggregateId: '5' },
    { source: '/s/1' },
    { since: '2026-04-01T00:00:00.020Z' },
    { until: '2026-04-01T00:00:00.020Z' },
    { since: '2026-04-01T00:00:00.020Z', until: '2026-04-01T00:00:00.060Z' },
    { aggregateId: '5', aggregateType: 'order', state: 'delivered' },
    { aggregateId: 'nothing has it' },
    ...EVENT_STATES.map((state) => ({ state, destination: 'd.1', tenantId: 'acme' })),
    { state: 'retrying', eventType: 'T1', since: '2026-04-01T00:00:00.010Z' },
    { eventType: 'T1', eventName: 'a.b.v2', destination: 'd.0', source: '/s/0', tenantId: 'umbrella' },
    { eventType: "T' OR true --" },
  ];

  it.each(FILTERS)(
    '%j: finds what the model does, each once, the newest first, by an index or by the walk',
    async (part) => {
      const filter = { ...ALL, ...part };
      const expected = planted.filter((one) => isMeant(one, filter)).sort(newestFirst);
      const ids = expected.map(({ id }) => id);
      for (const limit of [7, 200]) {
        expect(await idsOf({ reader, clock }, filter, limit)).toEqual(ids);
        const walking = { look: reader.look, pick: async () => null };
        expect(await idsOf({ reader: walking, clock }, filter, limit)).toEqual(ids);
      }
    },
  );

  it('the filters above mean something, and events of one very moment were among them', () => {
    const meant = FILTERS.map((part) => planted.filter((one) => isMeant(one, { ...ALL, ...part })).length);
    expect(meant.filter((count) => count === 0)).toHaveLength(2);
    expect(new Set(planted.map(({ recordedAt }) => recordedAt)).size).toBeLessThan(planted.length / 2);
  });

  it('tells of each what lists show', async () => {
    const { items } = await listEvents({ reader, clock }, { ...ALL, aggregateId: '5' }, { cursor: null, limit: 200 });
    const byId = new Map(planted.map((one) => [one.id, one]));
    expect(items.length).toBeGreaterThan(3);
    for (const item of items) {
      const {
        recordedAt,
        tenantId,
        aggregateType,
        aggregateId,
        state,
        source: _,
        ...same
      } = byId.get(item.id) as Planted;
      expect(item).toEqual({
        ...same,
        tenantId: tenantId === '' ? null : tenantId,
        aggregate: { type: aggregateType, id: aggregateId, version: 3 },
        recordedAt: `${recordedAt.slice(0, 23)}Z`,
        state,
        epoch: state === null ? null : 1,
        dueAt: ['waiting', 'retrying'].includes(state ?? '') ? '2026-05-01T00:00:00.000Z' : null,
        settledAt: ['delivered', 'dead', 'discarded'].includes(state ?? '') ? '2026-04-02T00:00:00.000Z' : null,
        blocked: false,
      });
    }
  });

  it('a cursor is of its filter and its tenant, whole, and of a day that there is', async () => {
    const filter = { ...ALL, tenantId: 'acme' };
    const { next } = await listEvents({ reader, clock }, filter, { cursor: null, limit: 5 });
    const cursor = next as string;
    expect((await listEvents({ reader, clock }, filter, { cursor, limit: 5 })).items).toHaveLength(5);
    const flipped = `${cursor.slice(0, 40)}${cursor[40] === 'A' ? 'B' : 'A'}${cursor.slice(41)}`;
    const elsewhere: [string, EventFilter][] = [
      [cursor, ALL],
      [cursor, { ...ALL, tenantId: 'umbrella' }],
      [cursor, { ...filter, state: 'dead' }],
      [cursor, { ...filter, until: '2026-04-02T00:00:00.000Z' }],
      [flipped, filter],
      [cursor.slice(1), filter],
      [`${cursor}A`, filter],
      [randomUUID(), filter],
      ['2026-04-01T00:00:00Z', filter],
      // As whoever knows the form can make one: the hash is no secret.
      [writeEventCursor({ recordedAt: '2026-02-30T00:00:00.000000Z', id: randomUUID() }, filter), filter],
    ];
    for (const [text, other] of elsewhere) {
      const listing = listEvents({ reader, clock }, other, { cursor: text, limit: 5 });
      await expect(listing).rejects.toMatchObject({ name: 'EventFilterError', field: 'cursor' });
    }
    const backwards = { ...ALL, since: '2026-04-01T00:00:00.002Z', until: '2026-04-01T00:00:00.001Z' };
    const listing = listEvents({ reader, clock }, backwards, { cursor: null, limit: 5 });
    await expect(listing).rejects.toThrow(new EventFilterError('until', 'expected a time after since'));
  });
});

describe('where there is much', () => {
  let databases: TestDatabases;
  let pool: PgPool;
  let reader: EventReader;

  beforeAll(async () => {
    databases = await createTestDatabases();
    pool = createPool(databases.outboxUrl, { max: 2 });
    reader = createEventReader(pool);
    await fill(pool, 60_000);
  });
  afterAll(async () => {
    await pool.end();
    await databases.drop();
  });

  it('what is rare comes in turns: a page looks at so many, and says how far', async () => {
    const filter = { ...ALL, eventType: 'RARE' };
    const pages: unknown[] = [];
    for (let cursor: string | null = null, n = 0; n < 4; n += 1) {
      const page: EventPage = await listEvents({ reader, clock: () => 0 }, filter, { cursor, limit: 50 });
      pages.push([page.items.length, page.searched.events, page.searched.backTo === null]);
      cursor = page.next;
      if (cursor === null) break;
    }
    // Each turn looks once more at the moment that the one before it ended with.
    expect(pages).toEqual([
      [0, MOST_LOOKED, false],
      [0, MOST_LOOKED, false],
      [0, MOST_LOOKED, false],
      [1, 9, true],
    ]);
  });

  it('where a search stands says nothing of what another tenant has', async () => {
    const { next } = await listEvents({ reader, clock }, { ...ALL, tenantId: 'nobody' }, { cursor: null, limit: 50 });
    const text = Buffer.from(next as string, 'base64url').toString('latin1');
    expect(text).toMatch(/^2026-01-\d\dT\d\d:\d\d:\d\d\.000000Zffffffff-ffff-ffff-ffff-ffffffffffff/);
  });

  it('goes on where more events are of one moment than a turn looks at', async () => {
    const { rows } = await pool.query(
      `INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id, payload, content_hash,
         occurred_at, recorded_at)
       SELECT gen_random_uuid(), 'a.b.v1', CASE WHEN n % 500 = 0 THEN 'CROWD' ELSE 'T' END, 'd.0', '/s', 'order', 'crowd', '{}', 'h',
         '2025-01-01', '2025-01-01'
       FROM generate_series(1, 2500) n RETURNING id, event_type`,
    );
    const expected = rows.filter(({ event_type }) => event_type === 'CROWD').map(({ id }) => id as string);
    const filter = { ...ALL, eventType: 'CROWD', aggregateId: 'crowd' };
    expect(await idsOf({ reader, clock }, filter, 50)).toEqual(expected.sort().reverse());
    // A turn of few, from the newest on: whatever it finds at that moment, it ends.
    const few: EventReader['look'] = (look) => reader.look({ ...look, events: Math.min(look.events, 300) });
    expect(await idsOf({ reader: { look: few, pick: reader.pick }, clock }, filter, 50)).toEqual(expected);
  });

  it('a page that takes long comes as it is', async () => {
    let asked = 0;
    const slow = () => {
      asked += 1;
      return asked * 1_500;
    };
    const page = await listEvents({ reader, clock: slow }, { ...ALL, eventType: 'RARE' }, { cursor: null, limit: 50 });
    expect(page.items).toEqual([]);
    expect(page.searched.events).toBeLessThan(MOST_LOOKED);
    expect(page.next).not.toBeNull();
  });

  it('what is rarely in a state is found at once, wherever it is; what is often, by the walk', async () => {
    const limit = { cursor: null, limit: 3 };
    const of = (state: EventState, more: Partial<EventFilter> = {}) =>
      listEvents({ reader, clock }, { ...ALL, state, ...more }, limit);
    const pick = (state: EventState, more: Partial<EventFilter> = {}) =>
      reader.pick({ filter: { ...ALL, state, ...more }, before: null, take: 4 });
    expect(await of('discarded')).toMatchObject({
      items: [{ eventType: 'RARE' }],
      next: null,
      searched: { events: 1 },
    });
    expect(await of('running')).toMatchObject({ items: [{ eventType: 'NIGHT' }], next: null });
    // More wait, and more are dead, than are quickly sorted.
    expect([await pick('waiting'), await pick('dead'), await pick('delivered')]).toEqual([null, null, null]);
    expect((await of('waiting')).items).toHaveLength(3);
    expect((await of('dead')).items).toHaveLength(3);
    // Of one tenant, or one type, there are few enough, and they are found whatever else is dead.
    const ofTenant = await pick('dead', { tenantId: 't5' });
    expect(ofTenant?.found).toHaveLength(4);
    expect(ofTenant?.events).toBeLessThan(MOST_PICKED);
    expect(await pick('waiting', { tenantId: 't3' })).not.toBeNull();
    expect(await pick('dead', { eventType: 'NIGHT' })).toMatchObject({ events: 0, found: [] });
    expect(await pick('dead', { since: new Date(Date.now() + 7_200_000).toISOString() })).toMatchObject({ events: 0 });
    // Of another destination there are few.
    expect(await pick('waiting', { destination: 'd.few' })).toMatchObject({ events: 2, place: null });
    expect((await of('waiting', { destination: 'd.few' })).items).toHaveLength(2);
  });

  const values = (part: Partial<EventFilter> = {}, events = MOST_LOOKED) =>
    listValues({ ...ALL, ...part }, null, events, 51);
  const behind = { recordedAt: '2026-01-01T05:00:00.000000Z', id: randomUUID() };
  const anHour = { since: '2026-01-01T02:00:00Z', until: '2026-01-01T03:00:00Z' };
  type Asked = readonly [string, string, readonly unknown[], RegExp];
  const STATEMENTS: readonly Asked[] = [
    ['everything', WALKS.all.text, values({}, 51), /event_recorded_at/],
    ['everything, a later page', WALKS.all.text, listValues(ALL, behind, 51, 51), /event_recorded_at/],
    ['a rare type', WALKS.all.text, values({ eventType: 'RARE' }), /event_recorded_at/],
    ['a tenant, in one state', WALKS.all.text, values({ tenantId: 't3', state: 'retrying' }), /event_recorded_at/],
    ['of an hour', WALKS.all.text, values(anHour), /event_recorded_at/],
    ['an aggregate', WALKS.aggregate.text, values({ aggregateId: 'a77' }), /event_by_aggregate/],
    ['one', SHOW, [randomUUID(), null], /event_pkey/],
    ['its payload', LOAD_PAYLOAD, [randomUUID(), null], /event_pkey/],
  ];
  // In a table of this size the planner would rather read all of it than 5,000 rows of it: not so in one of a million.
  const IN_A_STATE: readonly Asked[] = [
    ['waiting', PICKS.waiting.text, values({ state: 'waiting' }, MOST_PICKED), /delivery_waiting.*delivery_order/s],
    ['running', PICKS.running.text, values({ state: 'running' }, MOST_PICKED), /delivery_running.*delivery_carried/s],
    ['dead', PICKS.dead.text, values({ state: 'dead' }, MOST_PICKED), /dead_letter_list/],
    ['discarded', PICKS.discarded.text, values({ state: 'discarded' }, MOST_PICKED), /dead_letter_list/],
  ];

  async function scansFor(text: string, given: readonly unknown[], settings = ''): Promise<string[]> {
    const client = await pool.connect();
    try {
      if (settings !== '') await client.query(settings);
      const { rows } = await client.query(`EXPLAIN (FORMAT JSON) ${text}`, [...given]);
      return scansOf(rows[0]['QUERY PLAN'][0].Plan);
    } finally {
      await client.query('RESET ALL');
      client.release();
    }
  }
  const whole = (scans: readonly string[]) =>
    // A primary key is probed by an id, never walked.
    scans.filter((scan) => /^Seq Scan (event|delivery|delivery_attempt|dead_letter)$|_pkey$/.test(scan));

  it.each(STATEMENTS)('%s: reads no table whole', async (_, text, given, index) => {
    const scans = await scansFor(text, given);
    expect(scans.join('\n')).toMatch(index);
    expect(whole(scans)).toEqual([]);
  });

  it.each(IN_A_STATE)('what is %s: there is an index for all that is asked', async (_, text, given, index) => {
    const scans = await scansFor(text, given, 'SET enable_seqscan = off');
    expect(scans.join('\n')).toMatch(index);
    expect(whole(scans)).toEqual([]);
  });
});

describe('one event', () => {
  let store: DeliveryStore;
  let reader: EventReader;
  beforeAll(async () => {
    store = await createDeliveryStore();
    reader = createEventReader(store.pool);
  });
  afterAll(() => store.close());

  const T = 5_000;
  const ui = { url: 'https://temporal.example', namespace: 'default' };
  const show = (id: string, tenantId: string | null = null) =>
    showEvent({ reader, deployment: 'main', temporalUi: async () => ui }, id, tenantId);
  const linkTo = (workflowId: string, runId: string) =>
    `https://temporal.example/namespaces/default/workflows/${encodeURIComponent(workflowId)}/${runId}`;

  async function fail(eventId: string, epoch = 0, runId = `run-${epoch}`): Promise<void> {
    const run = { eventId, epoch, carrier: null };
    const begun = await store.attempts.beginAttempt(run, { previous: null, unwritten: [], runId, worker: 'w#1' }, T);
    if (begun.kind !== 'begun') throw new Error(begun.kind);
    const attempt = { n: begun.n, local: false, runId, worker: 'w#1' };
    const failure = { code: 'HTTP.SERVER_ERROR' as const, status: 503, message: 'away', stack: null, causes: [] };
    await store.attempts.failAttempt(run, attempt, { ...failure, response: null, field: null }, 1_000, T);
  }
  async function die(eventId: string, epoch = 0): Promise<string> {
    const run = { eventId, epoch, carrier: null };
    const workflowId = eventRunId({ deployment: 'main', eventId, epoch });
    const end = {
      code: 'HTTP.SERVER_ERROR' as const,
      message: 'away',
      attempt: null,
      workflowId,
      runId: `run-${epoch}`,
    };
    const answer = await store.deadLetters.recordDeadLetter({ run, ...end }, T);
    return 'id' in answer ? answer.id : '';
  }

  it('waits without a run; runs, then retries; the attempts tell with which delay', async () => {
    const id = await store.append({ status: 'PENDING' });
    expect(await show(id)).toMatchObject({
      state: 'waiting',
      epoch: 0,
      dueAt: expect.any(String),
      settledAt: null,
      traceparent: expect.stringMatching(/^00-/),
      contentHash: expect.stringMatching(/^sha-256:/),
      delivery: { status: 'PENDING', claimed: false, run: null, carrier: null, receipt: null },
      attempts: [],
      letters: [],
    });
    await store.pool.query('UPDATE outbox.delivery SET lease_token = gen_random_uuid() WHERE event_id = $1', [id]);
    expect(await show(id)).toMatchObject({
      state: 'waiting',
      // When the lease ends is nothing that is planned for it.
      dueAt: null,
      delivery: { claimed: true, run: null },
    });
    await store.pool.query(
      `UPDATE outbox.delivery SET status = 'STARTED', lease_token = NULL, started_at = now() WHERE event_id = $1`,
      [id],
    );
    const workflowId = eventRunId({ deployment: 'main', eventId: id, epoch: 0 });
    expect(await show(id)).toMatchObject({
      state: 'running',
      dueAt: null,
      delivery: {
        startedAt: expect.any(String),
        run: { workflowId, runId: null, url: expect.stringContaining('main%3A') },
      },
    });
    await fail(id);
    const run = { workflowId, runId: 'run-0', url: linkTo(workflowId, 'run-0') };
    expect(await show(id)).toMatchObject({
      state: 'retrying',
      dueAt: expect.any(String),
      delivery: { run },
      attempts: [
        { epoch: 0, n: 1, local: false, code: 'HTTP.SERVER_ERROR', status: 503, delayMs: 1_000, worker: 'w#1', run },
      ],
    });
  });

  it('dies, is redriven and delivered: every epoch keeps its attempts and its letter', async () => {
    const id = await store.append();
    await fail(id);
    const letter = await die(id);
    expect(await show(letter)).toMatchObject({ id, state: 'dead', delivery: { run: { runId: 'run-0' } } });
    await store.redrive(id, 'ada');
    // A budget of its own: what failed before it does not make it one that retries.
    expect(await show(id)).toMatchObject({ state: 'waiting', epoch: 1, delivery: { run: null } });
    await store.pool.query(`UPDATE outbox.delivery SET status = 'STARTED', started_at = now() WHERE event_id = $1`, [
      id,
    ]);
    expect(await show(id)).toMatchObject({ state: 'running' });
    await fail(id, 1);
    const receipt = { id: 'r', hash: null, status: 201, at: '2026-04-01T00:00:00.000Z', replayed: false };
    await store.attempts.settle({ eventId: id, epoch: 1, carrier: null }, receipt, null, T);
    const shown = await show(id);
    expect(shown).toMatchObject({
      state: 'delivered',
      settledAt: expect.any(String),
      dueAt: null,
      delivery: { receipt, run: { runId: 'run-1' } },
      attempts: [
        { epoch: 0, run: { runId: 'run-0' } },
        { epoch: 1, run: { runId: 'run-1' } },
      ],
      letters: [{ id: letter, epoch: 0, state: 'redriven', actor: 'ada', reason: 'mended' }],
    });
    expect(Object.keys(shown?.letters[0] ?? {})).not.toContain('workflowId');
  });

  it('a batch is the run of what it carried', async () => {
    const carrier = batchRunId({ deployment: 'main', id: randomUUID() });
    const id = await store.append({ carrier });
    expect(await show(id)).toMatchObject({ delivery: { carrier, run: { workflowId: carrier, runId: null } } });
    await store.pool.query(
      `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, carrier, run_id, code) VALUES ($1, 0, 1, $2, 'r', 'HTTP.TIMEOUT')`,
      [id, carrier],
    );
    const run = { workflowId: carrier, runId: 'r', url: linkTo(carrier, 'r') };
    expect(await show(id)).toMatchObject({ delivery: { run }, attempts: [{ run }] });
  });

  it('what died without a run has none', async () => {
    const id = await store.append({ status: 'PENDING' });
    const end = { code: 'DISPATCH.INVALID_EVENT' as const, message: 'm', attempt: null, workflowId: null, runId: null };
    await store.deadLetters.recordDeadLetter({ run: { eventId: id, epoch: 0, carrier: null }, ...end }, T);
    expect(await show(id)).toMatchObject({ state: 'dead', delivery: { status: 'DEAD', run: null } });
  });

  it('shows the latest 200 of many attempts, in their order', async () => {
    const id = await store.append();
    await store.pool.query(
      `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, finished_at, code)
       SELECT $1, 0, n, now(), 'HTTP.TIMEOUT' FROM generate_series(1, 250) n`,
      [id],
    );
    expect((await show(id))?.attempts.map(({ n }) => n)).toEqual(Array.from({ length: 200 }, (_, n) => n + 51));
  });

  it("is not there for another tenant, nor by another tenant's letter; without a delivery it says so", async () => {
    const id = await store.append({ tenantId: 'umbrella' });
    const letter = await die(id);
    for (const asked of [id, letter]) {
      expect(await show(asked, 'umbrella')).toMatchObject({ id, tenantId: 'umbrella' });
      expect(await show(asked, 'acme')).toBeNull();
      expect(await reader.loadPayload(asked, 'acme')).toBeNull();
    }
    expect(await show(randomUUID())).toBeNull();
    await store.pool.query('DELETE FROM outbox.delivery WHERE event_id = $1', [id]);
    expect(await show(id)).toMatchObject({ state: null, epoch: null, delivery: null, blocked: false });
  });

  it('the payload is the one that its next attempt sends', async () => {
    const id = await store.append();
    const letter = await die(id);
    const payload = async () => (await reader.loadPayload(id, null))?.payload;
    expect(await payload()).toEqual({ total: 1 });
    const edit = { id: letter, eventId: id, revisions: 0, payload: '{"total":2}', pointers: ['/total'], dryRun: false };
    await store.actions.revise(edit, { actor: 'ada', reason: 'mended' });
    expect(await payload()).toEqual({ total: 2 });
    expect(await show(id)).toMatchObject({ revisions: [{ epoch: 1, actor: 'ada', reason: 'mended' }] });
    expect((await reader.loadPayload(letter, null))?.headers).toHaveProperty('traceparent');
  });

  it('R9: is blocked behind one that waits, one that runs, and a dead one where its type says so', async () => {
    await store.pool.query(
      `INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('BLOCKS', 'block', 't'), ('SKIPS', 'skip', 't')`,
    );
    const append = async (eventType: string, aggregateId: string, version: number, status: string) => {
      const aggregate = { type: 'order', id: aggregateId, version };
      const { id } = await store.one<{ id: string }>('SELECT outbox.record_event($1::jsonb) AS id', {
        eventName: 'a.b.v1',
        eventType,
        aggregate,
        payload: {},
      });
      await store.pool.query('UPDATE outbox.delivery SET status = $2 WHERE event_id = $1', [id, status]);
      return id;
    };
    const cases = [
      ['BLOCKS', 'waits', 'PENDING', true],
      ['BLOCKS', 'runs', 'STARTED', true],
      ['BLOCKS', 'dead', 'DEAD', true],
      ['BLOCKS', 'done', 'DISCARDED', false],
      ['SKIPS', 'dead', 'DEAD', false],
      ['SKIPS', 'waits', 'PENDING', true],
    ] as const;
    for (const [eventType, aggregateId, status, blocked] of cases) {
      const first = await append(eventType, aggregateId, 1, status);
      const second = await append(eventType, aggregateId, 2, 'PENDING');
      expect([aggregateId, status, (await show(first))?.blocked]).toEqual([aggregateId, status, false]);
      expect([aggregateId, status, (await show(second))?.blocked]).toEqual([aggregateId, status, blocked]);
    }
    // Of another aggregate nothing waits for it.
    const alone = await append('BLOCKS', 'alone', 9, 'PENDING');
    expect((await show(alone))?.blocked).toBe(false);
  });
});

interface Planted {
  readonly id: string;
  /** To the microsecond. */
  readonly recordedAt: string;
  readonly eventName: string;
  readonly eventType: string;
  readonly destination: string;
  readonly tenantId: string;
  readonly aggregateType: string;
  readonly aggregateId: string;
  readonly source: string;
  readonly state: EventState | null;
}

/** Three of each moment; every so many differ in each field, and some have no delivery. */
function makeEvent(n: number): Planted {
  const moment = String(Math.floor(n / 3) * 1_003).padStart(6, '0');
  return {
    id: randomUUID(),
    recordedAt: `2026-04-01T00:00:00.${moment}Z`,
    eventName: `a.b.v${n % 4}`,
    eventType: `T${n % 3}`,
    destination: `d.${n % 2}`,
    tenantId: ['acme', 'umbrella', ''][n % 3] as string,
    aggregateType: n % 5 === 0 ? 'order' : 'user',
    aggregateId: `${n % 20}`,
    source: `/s/${n % 7 === 0 ? 1 : 0}`,
    state: n % 29 === 0 ? null : (EVENT_STATES[Math.floor(n / 6) % EVENT_STATES.length] as EventState),
  };
}

const newestFirst = (a: Planted, b: Planted) => {
  const [left, right] = [`${a.recordedAt}${a.id}`, `${b.recordedAt}${b.id}`];
  return left < right ? 1 : left > right ? -1 : 0;
};

function isMeant(one: Planted, { since, until, ...filter }: EventFilter): boolean {
  const same = Object.entries(filter).every(([name, value]) => value === null || one[name as keyof Planted] === value);
  const text = (time: string) => time.replace('Z', '000Z');
  return same && (since === null || one.recordedAt >= text(since)) && (until === null || one.recordedAt < text(until));
}

async function idsOf(
  deps: Parameters<typeof listEvents>[0],
  filter: EventFilter,
  limit: number,
): Promise<readonly string[]> {
  const ids: string[] = [];
  for (let cursor: string | null = null, pages = 0; ; pages += 1) {
    const page: EventPage = await listEvents(deps, filter, { cursor, limit });
    expect(page.items.length).toBeLessThanOrEqual(limit);
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.next;
    if (cursor === null) return ids;
    expect(pages).toBeLessThan(300);
  }
}

/**
 * Events with their deliveries, at epoch 1 with a budget from there: an attempt of epoch 0 has failed for each of them.
 */
async function plant(pool: PgPool, events: readonly Planted[]): Promise<void> {
  const rows = JSON.stringify(events);
  const from = `FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, "recordedAt" timestamptz, "eventName" text, "eventType" text,
    destination text, "tenantId" text, "aggregateType" text, "aggregateId" text, source text, state text)`;
  await pool.query(
    `INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id,
       aggregate_version, tenant_id, payload, content_hash, occurred_at, recorded_at)
     SELECT id, "eventName", "eventType", destination, source, "aggregateType", "aggregateId", 3, "tenantId", '{}', 'h',
       "recordedAt", "recordedAt" ${from}`,
    [rows],
  );
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, epoch, budget_epoch, status, destination, event_type, tenant, due_at, settled_at,
       receipt, carrier)
     SELECT id, 1, 1, CASE state WHEN 'waiting' THEN 'PENDING' WHEN 'running' THEN 'STARTED' WHEN 'retrying' THEN 'STARTED'
         ELSE upper(state) END,
       destination, "eventType", "tenantId", '2026-05-01T00:00:00Z',
       CASE WHEN state IN ('delivered', 'dead', 'discarded') THEN timestamptz '2026-04-02T00:00:00Z' END,
       CASE state WHEN 'delivered' THEN '{}'::jsonb END,
       CASE WHEN state IN ('running', 'retrying') AND "aggregateType" = 'order' THEN 'main:batch:' || id::text END
     ${from} WHERE state IS NOT NULL`,
    [rows],
  );
  await pool.query(
    `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code)
     SELECT id, 0, 1, 'HTTP.TIMEOUT' ${from}
     UNION ALL SELECT id, 1, 1, CASE state WHEN 'retrying' THEN 'HTTP.TIMEOUT' END ${from}
     WHERE state IN ('running', 'retrying')`,
    [rows],
  );
  await pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count,
       max_retries, state)
     SELECT gen_random_uuid(), id, 1, destination, "eventType", "tenantId", 'HTTP.TIMEOUT', 'm', 1, 1,
       CASE state WHEN 'dead' THEN 'open' ELSE 'discarded' END
     ${from} WHERE state IN ('dead', 'discarded')`,
    [rows],
  );
}

/**
 * An event a second. Of each ten six are delivered, two wait, two are dead; the oldest is RARE and discarded, the one
 * behind it runs, and two further on wait for a destination of their own.
 */
async function fill(pool: PgPool, count: number): Promise<void> {
  await pool.query(
    `INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id, tenant_id, payload,
       content_hash, occurred_at, recorded_at)
     SELECT gen_random_uuid(), 'a.b.v' || n % 5, CASE n WHEN 1 THEN 'RARE' WHEN 2 THEN 'NIGHT' ELSE 'T' END,
       CASE WHEN n IN (1003, 1013) THEN 'd.few' ELSE 'd.' || n % 4 END, '/s', 'order', 'a' || n % 5000, 't' || n % 50,
       jsonb_build_object('n', n), 'h', at, at
     FROM generate_series(1, $1::integer) n,
       LATERAL (SELECT timestamptz '2026-01-01T00:00:00Z' + n * interval '1 second' AS at) moment`,
    [count],
  );
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, status, destination, event_type, tenant, due_at, started_at, settled_at, receipt)
     SELECT e.id, s.status, e.routing_key, e.event_type, e.tenant_id, now(), now(),
       CASE WHEN s.status IN ('DELIVERED', 'DEAD', 'DISCARDED') THEN now() END, CASE s.status WHEN 'DELIVERED' THEN '{}'::jsonb END
     FROM outbox.event e, LATERAL (SELECT CASE (e.payload->>'n')::integer WHEN 1 THEN 'DISCARDED' WHEN 2 THEN 'STARTED'
       ELSE (ARRAY['DELIVERED', 'DELIVERED', 'DELIVERED', 'PENDING', 'PENDING', 'DEAD', 'DEAD', 'DELIVERED', 'DELIVERED',
         'DELIVERED'])[(e.payload->>'n')::integer % 10 + 1] END AS status) s`,
  );
  await pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count,
       max_retries, state)
     SELECT gen_random_uuid(), event_id, 0, destination, event_type, tenant, 'HTTP.TIMEOUT', 'm', 1, 1,
       CASE status WHEN 'DEAD' THEN 'open' ELSE 'discarded' END
     FROM outbox.delivery WHERE status IN ('DEAD', 'DISCARDED')`,
  );
  await pool.query(
    `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, code)
     SELECT event_id, 0, n, 'HTTP.TIMEOUT' FROM outbox.delivery, generate_series(1, 2) n WHERE status = 'DEAD'`,
  );
  await pool.query('VACUUM ANALYZE outbox.event, outbox.delivery, outbox.dead_letter, outbox.delivery_attempt');
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly Plans?: readonly PlanNode[];
}

/** Every access to a table: the table where it is read whole, else the index; with its condition where it has one. */
function scansOf(node: PlanNode): string[] {
  const { 'Node Type': type, 'Relation Name': table, 'Index Name': index, 'Index Cond': condition } = node;
  const scan =
    index === undefined ? `${type} ${table}` : `${type} ${index}${condition === undefined ? '' : ` (${condition})`}`;
  const here = index !== undefined || (table !== undefined && type.includes('Scan')) ? [scan] : [];
  return [...here, ...(node.Plans ?? []).flatMap(scansOf)];
}
