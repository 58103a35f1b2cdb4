/**
 * R18 before the letter, on a real Temporal and PostgreSQL. The dispatcher and what `find` answers are scripted, for they
 * stand for the destination.
 */
import type { EffectFinder, FoundEffect } from '../../src/application/delivery/ports.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  createScriptedDispatcher,
  type DeliveryLine,
  type DeliveryStore,
  FAST_POLICY,
  RECEIPT,
} from '../support/delivery-line.js';

const { dispatcher, script, modes } = createScriptedDispatcher();
let store: DeliveryStore;
let line: DeliveryLine;
const answers = new Map<string, () => Promise<FoundEffect>>();
const asked: string[] = [];
const finder: EffectFinder = {
  async find({ id }) {
    asked.push(id);
    return (await answers.get(id)?.()) ?? { kind: 'none' };
  },
};
const stands = async (): Promise<FoundEffect> => ({ kind: 'stands', receipt: { ...RECEIPT, id: 'found-1' } });

beforeAll(async () => {
  store = await createDeliveryStore();
  line = await createDeliveryLine({ store, dispatcher, finder, policy: { ...FAST_POLICY, maxAttempts: 1 } });
});
afterAll(async () => {
  await line?.stop();
  await store?.close();
});

const timeout = new IntegrationError('HTTP.BAD_RESPONSE', { status: 200 });
const refused = new IntegrationError('HTTP.CLIENT_ERROR', { status: 422 });
const ended = (id: string, epoch = 0) =>
  line
    .run(id, epoch)
    .result()
    .catch((error: Error) => error.name);

it('R18, F18: the answer was lost and the effect stands: settled by `find`, no letter, the run completes', async () => {
  const id = await store.append();
  script(id, timeout);
  answers.set(id, stands);
  await line.start(id);
  expect(await ended(id)).toEqual({ kind: 'superseded', receiptId: 'found-1' });
  expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: { id: 'found-1', replayed: true } });
  expect(await store.letters(id)).toEqual([]);
  expect(await store.notifications(id)).toEqual([]);
  expect(await store.attemptRows(id)).toMatchObject([{ finished: true }]);
});

it('R18: none stands, or the ask fails: the letter is written all the same, its effect unknown, to be asked again', async () => {
  for (const answer of [undefined, () => Promise.reject(new IntegrationError('HTTP.TIMEOUT'))]) {
    const id = await store.append();
    script(id, timeout);
    if (answer !== undefined) answers.set(id, answer);
    await line.start(id);
    expect(await ended(id)).toBe('WorkflowFailedError');
    expect(asked.filter((one) => one === id)).toHaveLength(1);
    expect(await store.letters(id)).toMatchObject([{ effect: 'unknown', effect_ask_at: expect.any(Date) }]);
  }
});

it('R18: nobody is asked about an event that no attempt can have had an effect for', async () => {
  const id = await store.append();
  script(id, refused);
  answers.set(id, stands);
  await line.start(id);
  expect(await ended(id)).toBe('WorkflowFailedError');
  expect(asked).not.toContain(id);
  expect(await store.letters(id)).toMatchObject([{ effect: 'none', effect_ask_at: null }]);
});

it('R18: an attempt before the last one, of an epoch before too, leaves the effect unknown: asked', async () => {
  const id = await store.append();
  script(id, timeout, refused);
  await line.start(id);
  await ended(id);
  await store.redrive(id);
  await store.pool.query(`UPDATE outbox.delivery SET status = 'STARTED' WHERE event_id = $1`, [id]);
  answers.set(id, stands);
  await line.start(id, { epoch: 1 });
  expect(await ended(id, 1)).toEqual({ kind: 'superseded', receiptId: 'found-1' });
  expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', epoch: 1 });
});

it('R18: redriven while the destination is asked: the epoch before settles nothing, one delivery is made', async () => {
  const id = await store.append();
  script(id, timeout, RECEIPT);
  answers.set(id, async () => {
    const input = { run: { eventId: id, epoch: 0, carrier: null }, code: 'WORKFLOW.TERMINATED' as const, message: 'm' };
    await store.deadLetters.recordDeadLetter({ ...input, attempt: null, workflowId: null, runId: null }, 5_000);
    await store.redrive(id);
    return stands();
  });
  await line.start(id);
  expect(await ended(id)).toEqual({ kind: 'superseded' });
  expect(await store.delivery(id)).toMatchObject({ status: 'PENDING', epoch: 1 });
  await line.start(id, { epoch: 1 });
  expect(await ended(id, 1)).toEqual({ kind: 'delivered', receiptId: RECEIPT.id });
  expect(modes(id)).toHaveLength(2);
  expect(await store.letters(id)).toMatchObject([{ state: 'redriven' }]);
});

it('R18: a run that another has overtaken asks nobody', async () => {
  const id = await store.append();
  script(id, async () => {
    await store.pool.query('UPDATE outbox.delivery SET epoch = 1 WHERE event_id = $1', [id]);
    throw timeout;
  });
  await line.start(id);
  expect(await ended(id)).toEqual({ kind: 'superseded' });
  expect(asked).not.toContain(id);
});
