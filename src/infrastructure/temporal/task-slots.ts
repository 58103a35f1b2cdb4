import type { CustomSlotSupplier, SlotPermit, WorkflowSlotInfo } from '@temporalio/worker';
import type { BatchDispatcher, Dispatcher, DispatchOptions } from '../../application/delivery/ports.js';
import type { Semaphore } from '../../application/delivery/semaphore.js';

export interface TaskSlots {
  /** For the worker's workflow tasks. */
  readonly supplier: CustomSlotSupplier<WorkflowSlotInfo>;
  /** A local attempt's call has begun: its task waits for a destination, and not for this worker. Call the answer at its end. */
  localCall(): () => void;
}

/** What a worker takes on is what it ends within this time, calls aside. */
const WINDOW_S = 1;
/** Of each kind; before so many are begun the rate says nothing. More than the pollers that stay, and the slot taken ahead. */
const FEWEST = 8;
/** Over which the rate is smoothed. */
const SMOOTHING_MS = 1_000;

/**
 * Slots for workflow tasks: as many as the worker gets through in a second. The rest waits in Temporal's queue, where tenants
 * take turns and other workers may take it, and where no workflow task timeout runs: a task that waits longer than that in a
 * worker is lost, with its local attempt.
 *
 * Counted are the tasks and pollers that hold a slot, less the calls of local attempts that are under way: those wait for their
 * destination, and a destination that hangs keeps no other out (R14). So many may be as were ended in the last second, and eight
 * at least; `maximum` with the calls. Where a task takes long because Temporal is far away, more of them make the rate higher,
 * and the rate makes more of them; where the CPU is what they wait for, they do not. A task that takes a second and more without
 * its calls, for a server or a database that is slow, is one of eight.
 *
 * The sticky queue and the common one are counted apart, or the pollers of one would keep those of the other waiting. First
 * tasks, whose local attempts these are, come by the common one.
 *
 * Not for a process that has a relay, too: an eager start waits in the SDK's core for a slot that only this thread can give,
 * with a lock held for which this thread waits in `worker.shutdown()` (SDK 1.23: core-bridge `try_reserve_slot`).
 */
export function createTaskSlots(maximum: number, now: () => number = () => performance.now()): TaskSlots {
  const [sticky, common] = [createKind(now), createKind(now)];
  let calls = 0;

  const isFree = (kind: Kind) => {
    if (sticky.held + common.held >= maximum) return false;
    if (kind.held >= maximum - FEWEST) return false;
    return kind.held - (kind === common ? calls : 0) < roomOf(kind);
  };
  const letIn = () => {
    for (const kind of [sticky, common]) {
      for (const takeOne of kind.waiting) {
        if (!isFree(kind)) break;
        takeOne();
      }
    }
  };
  const take = (kind: Kind): Permit => {
    kind.held++;
    return { kind, isHeld: true };
  };
  const giveBack = (permit: Permit) => {
    if (!permit.isHeld) return;
    permit.isHeld = false;
    permit.kind.held--;
    letIn();
  };

  return {
    localCall() {
      calls++;
      letIn();
      let isUnderWay = true;
      return () => {
        if (isUnderWay) calls--;
        isUnderWay = false;
      };
    },
    supplier: {
      type: 'custom',
      reserveSlot: ({ isSticky }, signal) =>
        new Promise<SlotPermit>((resolve, reject) => {
          const kind = isSticky ? sticky : common;
          let permit: Permit | null = null;
          const takeOne = () => {
            kind.waiting.delete(takeOne);
            permit = take(kind);
            resolve(permit);
          };
          // Also said of one that was given and never arrived: it would be held for good.
          const drop = () => {
            kind.waiting.delete(takeOne);
            if (permit !== null) giveBack(permit);
            reject(signal.reason);
          };
          if (signal.aborted) return drop();
          signal.addEventListener('abort', drop, { once: true });
          if (kind.waiting.size === 0 && isFree(kind)) takeOne();
          else kind.waiting.add(takeOne);
        }),
      // Asked for eager starts, of which there are none.
      tryReserveSlot: () => null,
      markSlotUsed: () => {},
      releaseSlot: ({ permit, slotInfo }) => {
        // One that polled in vain has none.
        if (slotInfo !== undefined && slotInfo !== null) (permit as Permit).kind.ends();
        giveBack(permit as Permit);
      },
    },
  };
}

interface Kind {
  held: number;
  /** In the order of asking. */
  readonly waiting: Set<() => void>;
  ends(): void;
  /** Tasks that ended, a second. */
  rate(): number;
}

interface Permit {
  readonly kind: Kind;
  isHeld: boolean;
}

function createKind(now: () => number): Kind {
  let ended = 0;
  let at = now();
  const ofLate = () => ended * Math.exp((at - now()) / SMOOTHING_MS);
  return {
    held: 0,
    waiting: new Set(),
    ends() {
      ended = ofLate() + 1;
      at = now();
    },
    rate: () => (ofLate() * 1_000) / SMOOTHING_MS,
  };
}

function roomOf(kind: Kind): number {
  return Math.max(FEWEST, kind.rate() * WINDOW_S);
}

type Telling = Pick<TaskSlots, 'localCall'>;

async function told<Answer>({ localCall }: Telling, call: () => Promise<Answer>): Promise<Answer> {
  const ended = localCall();
  try {
    return await call();
  } finally {
    ended();
  }
}

/** A batch that waits for its place waits for a destination, too. Regular ones, which hold no task, are told of as well: they are few. */
export function tellWaits(places: Semaphore, telling: Telling): Semaphore {
  return { ...places, enter: (waitMs, signal) => told(telling, () => places.enter(waitMs, signal)) };
}

/** Tells of each call by a local attempt; of one that finds no place, too, which is over at once. */
export function tellLocalCalls(
  dispatcher: Dispatcher & BatchDispatcher,
  telling: Telling,
): Dispatcher & BatchDispatcher {
  const during = <Answer>({ mode }: Pick<DispatchOptions, 'mode'>, call: () => Promise<Answer>) =>
    mode === 'local' ? told(telling, call) : call();
  return {
    dispatch: (event, options) => during(options, () => dispatcher.dispatch(event, options)),
    dispatchBatch: (events, options) => during(options, () => dispatcher.dispatchBatch(events, options)),
  };
}
