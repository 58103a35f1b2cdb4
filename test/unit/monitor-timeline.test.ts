/**
 * Real: the way of an event, and what is shown of a record, as the monitor's page makes them. Fake: event and record.
 */
import type { RecordView } from '../../src/contract/audit-records-api.js';
import { type EventDetail, MOST_OF_EVENT } from '../../src/contract/events-api.js';
import { actorOf, changesOf, isErased, restOf, targetsOf, textOf } from '../../src/monitor/logic/audit-record.js';
import { hasEpochs, timelineOf } from '../../src/monitor/logic/timeline.js';
import type { Around } from '../../src/monitor/logic/why-waits.js';

const at = (second: number) => new Date(Date.UTC(2026, 10, 29, 10, 0, second)).toISOString();
const ID = '0198c0de-0000-7000-8000-000000000001';
const RUN = { workflowId: `dev:${ID}:0`, runId: null, url: null };

const DELIVERY: NonNullable<EventDetail['delivery']> = {
  status: 'STARTED',
  epoch: 0,
  claimed: false,
  startedAt: at(1),
  startTries: 0,
  run: RUN,
  carrier: null,
  policyHash: null,
  receipt: null,
};
const EVENT: EventDetail = {
  id: ID,
  eventName: 'order.placed.v1',
  eventType: 'ORDER',
  destination: 'audit.log',
  tenantId: null,
  aggregate: { type: 'order', id: '1', version: null },
  recordedAt: at(0),
  state: 'running',
  epoch: 0,
  dueAt: null,
  settledAt: null,
  blocked: false,
  source: 'outbox:dev',
  occurredAt: at(0),
  contentHash: 'sha-256:0',
  traceparent: null,
  delivery: DELIVERY,
  attempts: [],
  letters: [],
  revisions: [],
};
type Destinations = NonNullable<Around['destinations']>;
const LIVING = { roles: ['relay', 'worker'], silent: false } as NonNullable<Around['processes']>[number];
const DESTINATION = {
  name: 'audit.log',
  breaker: 'closed',
  failures: 0,
  reason: null,
  openUntil: null,
  maxRuns: null,
  running: 0,
} as Destinations['destinations'][number];
const PAUSE: Destinations['pauses'][number] = {
  id: 'p1',
  destination: null,
  eventType: null,
  tenantId: null,
  until: null,
  reason: 'a move',
  actor: 'user:ann',
  createdAt: at(0),
};
/** A relay lives, and nothing holds anything. */
const FREE: Around = {
  destinations: { destinations: [DESTINATION], pauses: [] },
  processes: [LIVING],
  now: Date.parse(at(10)),
};
const titles = (event: EventDetail, around: Around = FREE) => timelineOf(event, around).map(({ title }) => title);

function failed(epoch: number, n: number, second: number): EventDetail['attempts'][number] {
  const failure = { code: 'HTTP.SERVER_ERROR', status: 500, message: 'The destination answered with a server error' };
  const more = { local: n === 1, delayMs: 1_500, worker: 'w1', run: RUN };
  return { epoch, n, startedAt: at(second), finishedAt: at(second + 1), ...failure, ...more };
}

it('of more attempts than are told of it is said that there may be earlier ones', () => {
  const attempts = Array.from({ length: MOST_OF_EVENT }, (_, n) => failed(0, n + 1, n));
  expect(titles({ ...EVENT, attempts })[1]).toBe('Only the latest 200 attempts, letters and edits are told of here');
  expect(titles({ ...EVENT, attempts: attempts.slice(1) })[1]).toBe('Workflow started');
});

describe('the way of an event', () => {
  const waiting = { ...EVENT, state: 'waiting' as const, dueAt: at(5) };
  const pending = { ...DELIVERY, status: 'PENDING' as const, startedAt: null, run: null };
  const due = { ...waiting, delivery: pending };
  const destinations = (
    own: Partial<Destinations['destinations'][number]>,
    ...pauses: readonly Partial<Destinations['pauses'][number]>[]
  ): Around => ({
    ...FREE,
    destinations: {
      destinations: [{ ...DESTINATION, ...own }],
      pauses: pauses.map((pause, n) => ({ ...PAUSE, id: `p${n}`, ...pause })),
    },
  });
  const held = (around: Around, event: EventDetail = due) =>
    timelineOf(event, around)
      .slice(1)
      .map(({ title, told }) => [title, ...told]);

  it('is held by every pause that is in force for it, and by no other', () => {
    expect(held(destinations({}, {}))).toEqual([['Held by a pause', 'user:ann', 'a move']]);
    expect(
      held(destinations({}, { destination: 'audit.log', eventType: 'ORDER', tenantId: '', until: at(20) })),
    ).toEqual([['Held by a pause, until', 'user:ann', 'a move']]);
    const others = [{ destination: 'crm' }, { eventType: 'BILLING' }, { tenantId: 'acme' }, { until: at(9) }];
    expect(held(destinations({}, ...others))).toEqual([['Waits for a relay'], ['Due']]);
    expect(held(destinations({}, { tenantId: 'acme' }), { ...due, tenantId: 'acme' })).toHaveLength(1);
  });

  it('is held by a destination that is left alone, or has as many runs as it may', () => {
    const reason = { code: 'HTTP.TIMEOUT', status: null };
    expect(held(destinations({ breaker: 'open', failures: 12, reason, openUntil: at(30) }))).toEqual([
      ['Its destination is left alone, until', '12 failures in a row by HTTP.TIMEOUT'],
    ]);
    expect(held(destinations({ breaker: 'half_open' }))).toEqual([['Its destination is being tried']]);
    expect(held(destinations({ maxRuns: 2, running: 2 }))).toEqual([
      ['Its destination has as many runs as it may', 'its cap is 2'],
    ]);
    expect(held(destinations({ maxRuns: 2, running: 1 }))).toEqual([['Waits for a relay'], ['Due']]);
  });

  it('is held where no relay lives, and by its own time', () => {
    expect(held({ ...FREE, processes: [{ ...LIVING, silent: true }] })).toEqual([['No relay tells of itself']]);
    expect(held({ ...FREE, processes: [] })).toEqual([['No relay tells of itself']]);
    const later = timelineOf({ ...due, dueAt: at(60) }, FREE).slice(1);
    expect(later).toMatchObject([{ title: 'Waits until it is due', at: at(60) }]);
  });

  it('is held where relays live and none of them reaches Temporal', () => {
    const away = { ...LIVING, temporal: { ok: false, reason: 'it does not answer at temporal.example', at: at(0) } };
    expect(held({ ...FREE, processes: [away] })).toEqual([
      ['No relay reaches Temporal', 'it does not answer at temporal.example'],
    ]);
    // Another one starts it; what a worker says of Temporal, or one that is silent, is nothing of that.
    for (const other of [LIVING, { ...away, roles: ['worker' as const] }, { ...away, silent: true }]) {
      expect(held({ ...FREE, processes: [LIVING, other] })).toEqual([['Waits for a relay'], ['Due']]);
    }
  });

  it('is held in its run by a pause, a breaker or the lack of a worker, while no attempt is under way', () => {
    const rests = (around: Around, event: EventDetail = EVENT) =>
      timelineOf(event, around)
        .slice(2)
        .map(({ title, told }) => [title, ...told]);
    const noWorker: Around = { ...FREE, processes: [{ ...LIVING, roles: ['relay'] }] };
    expect(rests(FREE)).toEqual([]);
    expect(rests(destinations({}, {}))).toEqual([['Held by a pause', 'user:ann', 'a move']]);
    expect(rests(destinations({ breaker: 'open', openUntil: at(30) }))).toEqual([
      ['Its destination is left alone, until'],
    ]);
    expect(rests(noWorker)).toEqual([['No worker tells of itself']]);
    // A cap keeps runs from being started; what is not known holds nothing.
    expect(rests(destinations({ maxRuns: 1, running: 5 }))).toEqual([]);
    expect(rests({ ...FREE, destinations: null, processes: null })).toEqual([]);
    const attempt = { ...failed(0, 1, 2), finishedAt: null, code: null, status: null, message: null, delayMs: null };
    expect(rests(noWorker, { ...EVENT, attempts: [attempt] })).toEqual([
      ['Attempt 1 (within the workflow) is under way', 'by w1'],
    ]);
    const retrying = { ...EVENT, state: 'retrying' as const, dueAt: at(20), attempts: [failed(0, 1, 2)] };
    expect(rests(noWorker, retrying).map(([title]) => title)).toEqual([
      'Attempt 1 (within the workflow) failed',
      'No worker tells of itself',
      'Next attempt',
    ]);
  });

  it('says where it is not known what holds it', () => {
    const [waits] = held({ ...FREE, destinations: null });
    expect(waits).toEqual(['Waits for a relay', expect.stringMatching(/not known/)]);
    expect(held({ ...FREE, processes: null })[0]).toHaveLength(2);
  });

  it('waits, and says for what', () => {
    expect(titles({ ...waiting, delivery: pending })).toEqual(['Recorded', 'Waits for a relay', 'Due']);
    expect(titles({ ...waiting, delivery: { ...pending, claimed: true } })).toEqual([
      'Recorded',
      'A relay has claimed it',
    ]);
    expect(titles({ ...waiting, blocked: true, delivery: pending })).toEqual([
      'Recorded',
      'Waits for an earlier event of its aggregate',
    ]);
  });

  it('goes by time: start, attempts, letter, what a person did, the next delivery', () => {
    const event: EventDetail = {
      ...EVENT,
      state: 'delivered',
      settledAt: at(60),
      delivery: { ...DELIVERY, status: 'DELIVERED', epoch: 1, startedAt: at(50) },
      attempts: [failed(0, 1, 2), failed(0, 2, 4)],
      letters: [
        {
          id: ID,
          epoch: 0,
          code: 'HTTP.SERVER_ERROR',
          state: 'redriven',
          createdAt: at(10),
          stateAt: at(40),
          actor: 'user:ann',
          reason: 'mended',
        },
      ],
      revisions: [{ epoch: 1, actor: 'user:ann', reason: 'a blank', createdAt: at(30) }],
    };
    const steps = timelineOf(event, FREE);
    expect(steps.map(({ title }) => title)).toEqual([
      'Recorded',
      'Attempt 1 (within the workflow) failed',
      'Attempt 2 failed',
      'Dead letter written',
      'Payload edited',
      'Dead letter redriven',
      'Workflow started',
      'Delivered',
    ]);
    expect(hasEpochs(steps)).toBe(true);
    expect(steps[1]).toMatchObject({
      code: 'HTTP.SERVER_ERROR',
      told: ['The destination answered with a server error', 'HTTP 500', 'next one after 1.5 s', 'by w1'],
    });
    expect(new Set(steps.map(({ key }) => key)).size).toBe(steps.length);
  });

  it('of one that was quicker than the mark of its start says so', () => {
    const quick = { ...DELIVERY, status: 'DELIVERED' as const, startedAt: null };
    const steps = timelineOf({ ...EVENT, state: 'delivered', settledAt: at(1), delivery: quick }, FREE);
    expect(steps.at(-1)).toMatchObject({ title: 'Delivered', run: RUN, told: ['quicker than the mark of its start'] });
  });

  it('shows what is under way, and when the next attempt is', () => {
    const under = { ...failed(0, 2, 4), finishedAt: null, code: null, status: null, message: null, delayMs: null };
    const event = { ...EVENT, state: 'retrying' as const, dueAt: at(20), attempts: [failed(0, 1, 2), under] };
    expect(titles(event)).toEqual([
      'Recorded',
      'Workflow started',
      'Attempt 1 (within the workflow) failed',
      'Attempt 2 is under way',
      'Next attempt',
    ]);
  });

  it('of an event without a delivery says that it has none', () => {
    expect(titles({ ...EVENT, state: null, epoch: null, delivery: null })).toEqual(['Recorded', 'It has no delivery']);
  });
});

describe('a record', () => {
  const record = (event: Record<string, unknown>): Exclude<RecordView, { erased: true }> => ({
    recordId: ID,
    recordedAt: at(0),
    tenantId: null,
    via: 'outbox',
    hash: null,
    event,
  });

  it('gives its texts, its actor and its targets, and nothing of what is none', () => {
    const found = record({
      action: 'auth.user.signed_in',
      actionVersion: 1,
      outcome: { not: 'a text' },
      actor: { type: 'user', id: 'u1', name: 'Ann' },
      targets: [{ type: 'order', id: '1' }, 'none', null],
    });
    expect(textOf(found, 'action')).toBe('auth.user.signed_in');
    expect(textOf(found, 'actionVersion')).toBe('1');
    expect(textOf(found, 'outcome')).toBeNull();
    expect(actorOf(found)).toBe('user u1 (Ann)');
    expect(targetsOf(found)).toEqual(['order 1']);
    expect(actorOf(record({ actor: 'x' }))).toBeNull();
    expect(targetsOf(record({ targets: 'x' }))).toEqual([]);
  });

  it('shows old and new, and which side is absent', () => {
    const changes = [{ field: '/plan', old: 'free', new: 'pro' }, { field: '/vat', new: null, redacted: true }, 'none'];
    expect(changesOf(record({ changes }))).toEqual([
      { field: '/plan', old: '"free"', new: '"pro"', redacted: false },
      { field: '/vat', old: null, new: 'null', redacted: true },
    ]);
  });

  it('lists what has no place of its own, whatever it is called', () => {
    const event = JSON.parse('{"action":"a.b","__proto__":{"x":1},"metadata":{"k":1}}') as Record<string, unknown>;
    expect(restOf(record(event))).toEqual([
      ['__proto__', { x: 1 }],
      ['metadata', { k: 1 }],
    ]);
  });

  it('of an erasure is told apart', () => {
    expect(isErased({ recordId: ID, recordedAt: at(0), hash: null, erased: true })).toBe(true);
    expect(isErased(record({}))).toBe(false);
  });
});
