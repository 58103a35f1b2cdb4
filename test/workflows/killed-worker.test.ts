/**
 * Workers killed by SIGKILL in the middle of an attempt. Real Temporal, PostgreSQL and processes; the dispatcher of the
 * killed one never answers, the one of the next is scripted. The killed worker runs the built package.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Context } from '@temporalio/activity';
import { toFailure } from '../../activities/failures.js';
import { type DeliveryTimeouts, deliveryTimeouts } from '../../src/domain/delivery/delivery-timeouts.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  createScriptedDispatcher,
  type DeliveryLine,
  type DeliveryStore,
  readHistory,
  TEST_TIMEOUTS,
} from '../support/delivery-line.js';
import { temporalAddress } from '../support/temporal.js';

const { dispatcher, modes, posts } = createScriptedDispatcher();
let store: DeliveryStore;
beforeAll(async () => {
  store = await createDeliveryStore();
});
/** Of the batches: stopped at the end, whatever became of a test. */
const lines: DeliveryLine[] = [];
afterAll(async () => {
  await Promise.all(lines.map((own) => own.stop()));
  await store.close();
});

type Dying = Pick<Awaited<ReturnType<typeof withDyingWorker>>, 'child' | 'output'>;

const SHORT = { ...TEST_TIMEOUTS, regular: { ...TEST_TIMEOUTS.regular, startToCloseMs: 6_000 } };

/** A task queue whose only worker is one that will be killed. */
async function withDyingWorker(timeouts: DeliveryTimeouts = SHORT) {
  const line = await createDeliveryLine({ store, dispatcher, timeouts, eager: false, run: false });
  const next = () => createDeliveryLine({ store, dispatcher, deployment: line.deployment });
  return { line, next, ...spawnWorker(line.taskQueue) };
}

function spawnWorker(taskQueue: string) {
  const script = fileURLToPath(new URL('../support/worker-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, store.url, temporalAddress(), taskQueue], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, output: child.stdout };
}

async function killWhileDispatching({ child, output }: Dying, mode: string): Promise<void> {
  const ended = once(child, 'exit');
  let printed = '';
  for await (const chunk of output) {
    printed += chunk;
    if (printed.includes('dispatching ')) break;
  }
  child.kill('SIGKILL');
  await ended;
  expect(printed).toContain(`dispatching ${mode} `);
}

it('R13: an attempt that is lost after many tries is waited out for seconds, as after few', async () => {
  const LOST = 10;
  let tries = 0;
  const line = await createDeliveryLine({
    store,
    dispatcher,
    timeouts: SHORT,
    activities: {
      // The destination is away for nine tries, which spend nothing; the tenth worker never answers.
      async dispatchEvent() {
        tries += 1;
        if (tries < LOST) throw toFailure({ code: 'DESTINATION.OPEN', status: null, attempt: null }, 1);
        if (tries === LOST) await Context.current().cancelled; // as this worker stops, long after
        return { kind: 'delivered', receiptId: 'after the lost one' };
      },
    },
  });
  lines.push(line);
  const id = await store.append();
  await line.start(id, { firstAttempt: 'regular' });
  // By a coefficient of two alone the next one would come after more than eight minutes.
  expect(await line.run(id).result()).toMatchObject({ receiptId: 'after the lost one' });
  expect(tries).toBe(LOST + 1);
}, 30_000);

it('R10: killed in the local attempt: the next one goes regular and counts it as lost; no second local one', async () => {
  const { line, next, ...dying } = await withDyingWorker();
  const id = await store.append();
  await line.start(id);
  await killWhileDispatching(dying, 'local');
  const second = await next();
  expect(await second.run(id).result()).toMatchObject({ kind: 'delivered' });
  expect(modes(id)).toEqual(['regular']);
  expect(await readHistory(second.run(id))).toEqual(['marker', 'scheduled dispatchEvent']);
  expect(await store.attemptRows(id)).toEqual([
    { n: 1, local: true, code: 'DELIVERY.ATTEMPT_LOST', finished: true },
    { n: 2, local: false, code: null, finished: true },
  ]);
  await second.stop();
  await line.stop();
});

it('R11: killed in a regular attempt: its row is closed as lost by the next one, which delivers', async () => {
  const { line, next, ...dying } = await withDyingWorker();
  const id = await store.append();
  await line.start(id, { firstAttempt: 'regular' });
  await killWhileDispatching(dying, 'regular');
  const second = await next();
  expect(await second.run(id).result()).toMatchObject({ kind: 'delivered' });
  expect(await store.attemptRows(id)).toEqual([
    { n: 1, local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true },
    { n: 2, local: false, code: null, finished: true },
  ]);
  await second.stop();
  await line.stop();
});

it('R13: killed in a long attempt, of up to ten minutes: noticed by the missing heartbeats, delivered by the next one', async () => {
  const long = deliveryTimeouts(600_000);
  const { line, next, ...dying } = await withDyingWorker({ ...long, regular: { ...long.regular, heartbeatMs: 6_000 } });
  const id = await store.append();
  await line.start(id);
  await killWhileDispatching(dying, 'regular');
  const second = await next();
  expect(await second.run(id).result()).toMatchObject({ kind: 'delivered' });
  expect(await readHistory(second.run(id))).toEqual(['scheduled dispatchEvent']);
  expect(await store.attemptRows(id)).toEqual([
    { n: 1, local: false, code: 'DELIVERY.ATTEMPT_LOST', finished: true },
    { n: 2, local: false, code: null, finished: true },
  ]);
  await second.stop();
  await line.stop();
});

const carry = async (carrier: string) => [await store.append({ carrier }), await store.append({ carrier })];

it('R10, R20: killed in the local attempt of a batch: one regular post, and no second local one', async () => {
  const { line, next, ...dying } = await withDyingWorker();
  lines.push(line);
  const carrier = line.carrier();
  const ids = await carry(carrier);
  posts.splice(0);
  await line.startBatch(carrier, ids);
  await killWhileDispatching(dying, 'local');
  const second = await next();
  lines.push(second);
  expect(await second.batch(carrier).result()).toMatchObject({ delivered: 2, fellOut: 0 });
  expect(posts).toEqual([{ ids, mode: 'regular' }]);
  expect(await readHistory(second.batch(carrier))).toEqual(['marker', 'scheduled dispatchBatch']);
  expect(await store.carriedRows(ids)).toMatchObject([{ status: 'DELIVERED', carrier, attempts: [] }, { carrier }]);
});

it('R12, R20: a batch that kills two workers kills no third one: all fall out, each alone, and may have their effect', async () => {
  const { line, next, ...dying } = await withDyingWorker();
  lines.push(line);
  const carrier = line.carrier();
  const ids = await carry(carrier);
  posts.splice(0);
  await line.startBatch(carrier, ids);
  await killWhileDispatching(dying, 'local');
  await killWhileDispatching(spawnWorker(line.taskQueue), 'regular');
  const third = await next();
  lines.push(third);
  expect(await third.batch(carrier).result()).toMatchObject({ fellOut: 2, code: 'DELIVERY.ATTEMPT_LOST' });
  expect(posts).toEqual([]);
  const attempts = ['0/1 DELIVERY.ATTEMPT_LOST local carried', '0/2 DELIVERY.ATTEMPT_LOST carried'];
  const out = { status: 'PENDING', epoch: 1, carrier: null, no_coalesce: true, doubtful: true, attempts };
  expect(await store.carriedRows(ids)).toMatchObject([out, out]);
});
