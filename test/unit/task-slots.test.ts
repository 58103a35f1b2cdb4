// How many workflow tasks a worker takes on, by what it ends and what waits for a destination. Fake: the SDK that asks for
// slots, and the clock; both are real in test/workflows/slow-destinations and test/e2e.
import type { SlotPermit, SlotReserveContext } from '@temporalio/worker';
import type { BatchDispatcher, Dispatcher } from '../../src/application/delivery/ports.js';
import { createSemaphore } from '../../src/application/delivery/semaphore.js';
import { createTaskSlots, tellLocalCalls, tellWaits } from '../../src/infrastructure/temporal/task-slots.js';

const USED = { slotInfo: { type: 'workflow', workflowType: 'deliverEvent', isSticky: false } } as const;
const context = (isSticky: boolean) => ({ isSticky }) as SlotReserveContext;

function createWorker(maximum = 100) {
  let at = 0;
  const { supplier, localCall } = createTaskSlots(maximum, () => at);
  const held = { common: [] as SlotPermit[], sticky: [] as SlotPermit[] };
  return {
    supplier,
    localCall,
    /** How many tasks of each kind hold a slot. */
    held: () => [held.common.length, held.sticky.length],
    pass: (ms: number) => {
      at += ms;
    },
    /** Asks as pollers do, each until it is let in. */
    async poll(kind: 'common' | 'sticky', count: number, signal = new AbortController().signal) {
      for (let n = 0; n < count; n++) {
        supplier.reserveSlot(context(kind === 'sticky'), signal).then(
          (permit) => held[kind].push(permit),
          () => {},
        );
      }
      await settled();
    },
    async end(kind: 'common' | 'sticky', count: number, used = true) {
      for (const permit of held[kind].splice(0, count)) supplier.releaseSlot({ permit, ...(used ? USED : {}) });
      await settled();
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

it('eight of each kind begin, and the others wait for the end of one of theirs', async () => {
  const worker = createWorker();
  await worker.poll('common', 20);
  expect(worker.held()).toEqual([8, 0]);
  await worker.poll('sticky', 20);
  expect(worker.held()).toEqual([8, 8]);
  await worker.end('common', 3, false);
  expect(worker.held()).toEqual([8, 8]);
});

it('R14: what waits for a destination keeps no other out, up to the most that a worker has', async () => {
  const worker = createWorker(40);
  await worker.poll('common', 60);
  const ends = Array.from({ length: 8 }, () => worker.localCall());
  await settled();
  expect(worker.held()).toEqual([16, 0]);
  for (let n = 0; n < 60; n++) ends.push(worker.localCall());
  await settled();
  expect(worker.held()).toEqual([32, 0]); // the sticky queue has eight, whatever hangs
  await worker.poll('sticky', 60);
  expect(worker.held()).toEqual([32, 8]);
  // Ended, they count again; told twice, one end is one.
  for (const end of [...ends, ...ends]) end();
  await worker.end('common', 24, false);
  expect(worker.held()).toEqual([8, 8]);
});

it('a worker that gets through more takes more on: what it ends in a second; after a rest it begins anew', async () => {
  const worker = createWorker(200);
  await worker.poll('common', 2_000);
  await worker.poll('sticky', 20);
  for (let n = 0; n < 1_000; n++) {
    await worker.end('common', 1);
    worker.pass(20);
  }
  const [common = 0, sticky] = worker.held();
  expect(Math.abs(common - 50)).toBeLessThanOrEqual(2);
  expect(sticky).toBe(8); // each kind by its own rate
  worker.pass(10_000);
  await worker.end('common', common - 5, false);
  expect(worker.held()).toEqual([8, 8]);
});

it('neither kind takes the last eight of the other, however much it gets through', async () => {
  const worker = createWorker(40);
  for (const kind of ['sticky', 'common'] as const) {
    await worker.poll(kind, 2_000);
    for (let n = 0; n < 1_000; n++) {
      await worker.end(kind, 1);
      worker.pass(2);
    }
    expect(worker.held()).toEqual(kind === 'sticky' ? [0, 32] : [8, 32]);
  }
  await worker.end('sticky', 30);
  expect(worker.held()).toEqual([8, 32]);
});

it('a batch that waits for its place is told of until it has one, or gave up', async () => {
  const worker = createWorker();
  await worker.poll('common', 20);
  const places = tellWaits(
    createSemaphore(() => 1),
    worker,
  );
  const first = await places.enter(0, new AbortController().signal);
  expect(first).not.toBeNull();
  await worker.end('common', 1, false);
  expect(worker.held()).toEqual([8, 0]);
  const waits = places.enter(20, new AbortController().signal);
  await settled();
  expect(worker.held()).toEqual([9, 0]);
  expect(await waits).toBeNull();
  first?.();
  expect(places.taken()).toBe(0);
});

it('a poll that brings nothing says nothing of what the worker gets through', async () => {
  const worker = createWorker();
  await worker.poll('common', 1_000);
  for (let n = 0; n < 500; n++) await worker.end('common', 1, false);
  expect(worker.held()).toEqual([8, 0]);
});

it('who gives up waiting is no longer waited for; what was given and never arrived is free again, once', async () => {
  const worker = createWorker();
  const [stopOfTaken, stop] = [new AbortController(), new AbortController()];
  await worker.poll('common', 8, stopOfTaken.signal);
  const waiting = worker.supplier.reserveSlot(context(false), stop.signal);
  const reason = new Error('Request Cancelled');
  stop.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  await expect(worker.supplier.reserveSlot(context(false), stop.signal)).rejects.toBe(reason);
  stopOfTaken.abort(reason);
  await worker.poll('common', 20);
  expect(worker.held()).toEqual([16, 0]);
  await worker.end('common', 8, false); // those that were free already
  expect(worker.held()).toEqual([8, 0]);
});

it('tells of the calls of local attempts, of events and of batches, whatever becomes of them, and of no others', async () => {
  let calls = 0;
  const localCall = () => {
    calls++;
    return () => {
      calls--;
    };
  };
  const during: [string, number][] = [];
  const see = (what: string) => {
    during.push([what, calls]);
  };
  const dispatcher: Dispatcher & BatchDispatcher = tellLocalCalls(
    {
      dispatch: async (_, { mode }) => {
        see(mode);
        if (mode === 'local') throw new Error('no');
        return 'busy';
      },
      dispatchBatch: async (_, { mode }) => {
        see(`${mode} batch`);
        return 'busy';
      },
    },
    { localCall },
  );
  const event = {} as Parameters<Dispatcher['dispatch']>[0];
  const options = (mode: 'local' | 'regular') => ({ mode }) as Parameters<BatchDispatcher['dispatchBatch']>[1];
  await expect(dispatcher.dispatch(event, options('local'))).rejects.toThrow('no');
  expect(await dispatcher.dispatch(event, options('regular'))).toBe('busy');
  expect(await dispatcher.dispatchBatch([], options('local'))).toBe('busy');
  expect(await dispatcher.dispatchBatch([], options('regular'))).toBe('busy');
  expect(during).toEqual([
    ['local', 1],
    ['regular', 0],
    ['local batch', 1],
    ['regular batch', 0],
  ]);
  expect(calls).toBe(0);
});
