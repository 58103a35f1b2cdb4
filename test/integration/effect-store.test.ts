/** R18 after the letter: when a destination is asked again, and what its answer does, on a real PostgreSQL. */
import { randomUUID } from 'node:crypto';
import { askEffect } from '../../src/application/delivery/ask-effect.js';
import { askEffectsAgain } from '../../src/application/delivery/ask-effects-again.js';
import type { EffectFinder, FoundEffect, LeaseHold } from '../../src/application/delivery/ports.js';
import type { ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createDeliveryStore, type DeliveryStore, RECEIPT, silentLog } from '../support/delivery-line.js';

let store: DeliveryStore;
const hold: LeaseHold = { name: 'effects', holder: randomUUID() };
beforeAll(async () => {
  store = await createDeliveryStore();
  await createLeaseStore(store.pool).take(hold, 600_000);
});
afterAll(() => store.close());

const answers = new Map<string, FoundEffect | Error | (() => Promise<FoundEffect>)>();
const asked: string[] = [];
const finder: EffectFinder = {
  async find({ id }) {
    asked.push(id);
    const answer = answers.get(id) ?? { kind: 'none' };
    if (answer instanceof Error) throw answer;
    return typeof answer === 'function' ? answer() : answer;
  },
};
const timesAsked = (id: string) => asked.filter((one) => one === id).length;

async function dead(code: ErrorCode = 'HANDLER.FAILED', routingKey = 'test.destination') {
  const id = await store.append({ routingKey });
  const input = { run: { eventId: id, epoch: 0, carrier: null }, code, message: 'm', attempt: null };
  await store.deadLetters.recordDeadLetter({ ...input, workflowId: 'w', runId: 'r' }, 5_000);
  return id;
}
/** As if the letters' times had come. */
const makeDue = (id: string) =>
  store.pool.query(
    `UPDATE outbox.dead_letter SET effect_ask_at = now() WHERE event_id = $1 AND effect_ask_at IS NOT NULL`,
    [id],
  );
const turn = (by: LeaseHold = hold) => {
  const { effects, attempts } = store;
  return askEffectsAgain({ effects, attempts, finder, log: silentLog }, by, new AbortController().signal);
};
/** Minutes after the letter; null: never again. */
async function nextAsk(id: string) {
  const text = `SELECT round(extract(epoch FROM effect_ask_at - created_at) / 60)::int AS minutes, effect_asked, state, effect
    FROM outbox.dead_letter WHERE event_id = $1 ORDER BY epoch DESC LIMIT 1`;
  return store.one<{ minutes: number | null; effect_asked: number; state: string; effect: string }>(text, id);
}
const stands: FoundEffect = { kind: 'stands', receipt: RECEIPT };

it('R18: asked 1 min, 10 min, 1 h and 24 h after the letter, and then no more', async () => {
  const id = await dead();
  expect(await nextAsk(id)).toMatchObject({ minutes: 1, effect_asked: 0 });
  await turn();
  expect(timesAsked(id)).toBe(0);
  for (const [times, minutes] of [
    [1, 10],
    [2, 60],
    [3, 1_440],
    [4, null],
  ] as const) {
    await makeDue(id);
    await turn();
    expect(await nextAsk(id)).toEqual({ minutes, effect_asked: times, state: 'open', effect: 'unknown' });
  }
  await makeDue(id);
  await turn();
  expect(timesAsked(id)).toBe(4);
});

it('R18: what stands resolves the letter, and the event is delivered by that receipt', async () => {
  const id = await dead();
  answers.set(id, stands);
  await makeDue(id);
  await turn();
  expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: { id: RECEIPT.id } });
  expect(await nextAsk(id)).toMatchObject({ state: 'resolved', effect: 'stands' });
});

it('R18: an ask that fails is counted and made again; a handler that cannot say is asked no more', async () => {
  const failing = await dead();
  answers.set(failing, new IntegrationError('HTTP.TIMEOUT'));
  const mute = await dead();
  answers.set(mute, { kind: 'unsupported' });
  await makeDue(failing);
  await makeDue(mute);
  await turn();
  expect(await nextAsk(failing)).toMatchObject({ minutes: 10, effect_asked: 1, state: 'open' });
  expect(await nextAsk(mute)).toMatchObject({ minutes: null, effect_asked: 1, state: 'open', effect: 'unknown' });
});

it('R18: with what stands, the attempts that a dead worker left unfinished are closed as lost', async () => {
  const id = await store.append();
  const run = { eventId: id, epoch: 0, carrier: null };
  await store.attempts.beginAttempt(run, { previous: null, unwritten: [], runId: 'r', worker: 'w#1' }, 5_000);
  answers.set(id, stands);
  const { effects, attempts } = store;
  const signal = new AbortController().signal;
  const code = 'DELIVERY.DEADLINE';
  const answer = await askEffect({ effects, attempts, finder, log: silentLog }, run, { code, signal });
  expect(answer).toEqual({ kind: 'delivered', receiptId: RECEIPT.id });
  expect(await store.attemptRows(id)).toEqual([{ n: 1, local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true }]);
});

it('R12, R18: an attempt that a shutdown ended, and an epoch that was lost, leave the effect of a later letter unknown', async () => {
  const refused = async (epoch: number, id: string) => {
    const run = { eventId: id, epoch, carrier: null };
    const { effects, attempts } = store;
    const signal = new AbortController().signal;
    const code = 'DISPATCH.INVALID_EVENT';
    const answer = await askEffect({ effects, attempts, finder, log: silentLog }, run, { code, signal });
    await store.deadLetters.recordDeadLetter(
      { run, code, message: 'm', attempt: null, workflowId: 'w', runId: 'r' },
      5_000,
    );
    return answer.kind;
  };
  const [cancelled, lost, redriven] = [await store.append(), await store.append(), await store.append()];
  const run = { eventId: cancelled, epoch: 0, carrier: null };
  await store.attempts.beginAttempt(run, { previous: null, unwritten: [], runId: 'r', worker: 'w#1' }, 5_000);
  await store.attempts.removeAttempt(run, { n: 1, runId: 'r', worker: 'w#1', doubtful: true }, 1, 5_000);
  expect(await store.attemptRows(cancelled)).toEqual([]);
  expect(await refused(0, cancelled)).toBe('none');
  expect(await nextAsk(cancelled)).toMatchObject({ effect: 'unknown', minutes: 1 });
  // As the reconciler dispatches again: what the lost run had in its history only is gone.
  await store.pool.query('UPDATE outbox.delivery SET epoch = 1, doubtful = true WHERE event_id = $1', [lost]);
  expect(await refused(1, lost)).toBe('none');
  expect(await nextAsk(lost)).toMatchObject({ effect: 'unknown', minutes: 1 });
  // An epoch that ended in a letter has told what it knew.
  expect(await refused(0, redriven)).toBe('not-asked');
  await store.redrive(redriven);
  await store.pool.query(`UPDATE outbox.delivery SET status = 'STARTED' WHERE event_id = $1`, [redriven]);
  expect(await refused(1, redriven)).toBe('not-asked');
  expect(await nextAsk(redriven)).toMatchObject({ effect: 'none', minutes: null });
});

it('R18: a letter whose code tells that nothing happened is never asked for', async () => {
  const id = await dead('HTTP.CLIENT_ERROR');
  expect(await nextAsk(id)).toMatchObject({ minutes: null, effect: 'none' });
});

it('R18: a sick destination is not asked, and that is not counted', async () => {
  const id = await dead('HANDLER.FAILED', 'sick.destination');
  await store.pool.query(`INSERT INTO outbox.destination (name, breaker) VALUES ('sick.destination', 'open')`);
  await makeDue(id);
  await turn();
  expect(timesAsked(id)).toBe(0);
  expect(await nextAsk(id)).toMatchObject({ effect_asked: 0 });
  await store.pool.query(`UPDATE outbox.destination SET breaker = 'closed' WHERE name = 'sick.destination'`);
  await makeDue(id);
  await turn();
  expect(timesAsked(id)).toBe(1);
});

it('R18: redriven while its destination was asked: the answer about the earlier epoch changes nothing', async () => {
  const id = await dead();
  answers.set(id, async () => {
    await store.redrive(id);
    return stands;
  });
  await makeDue(id);
  await turn();
  expect(await store.delivery(id)).toMatchObject({ status: 'PENDING', epoch: 1, receipt: null });
  expect(await nextAsk(id)).toMatchObject({ state: 'redriven', effect_asked: 0 });
});

it('R18: who has no lease asks and writes nothing; two that counted the same ask count it once', async () => {
  const id = await dead();
  await makeDue(id);
  await turn({ name: 'effects', holder: randomUUID() });
  expect(timesAsked(id)).toBe(0);
  const [ask] = await store.effects.findDueAsks(hold, 10);
  if (ask === undefined) throw new Error('expected a due ask');
  await store.effects.bookAsk({ ...hold, holder: randomUUID() }, ask, null);
  expect(await nextAsk(id)).toMatchObject({ effect_asked: 0 });
  await store.effects.bookAsk(hold, ask, 600_000);
  await store.effects.bookAsk(hold, ask, 600_000);
  expect(await nextAsk(id)).toMatchObject({ effect_asked: 1, minutes: 10 });
});
