/**
 * An open loop: offers events at a fixed rate, whatever becomes of them. What could not be appended stays owed and is appended
 * later, at no more than `catchUp` times the rate, so that an outage ends in a burst that has a bound.
 */
import type { PlannedTransaction } from './chaos-traffic.js';

export interface FlowDeps {
  readonly next: () => PlannedTransaction;
  readonly append: (transaction: PlannedTransaction) => Promise<unknown>;
  /** Whether, after this failure, its events may stand all the same: they are not appended again then. */
  readonly mayStand: (error: unknown) => boolean;
  /** Transactions at once. */
  readonly most: number;
  /** What is owed is appended at no more than so many times the rate. Default 2. */
  readonly catchUp?: number;
}

export interface Flow {
  /** Events. */
  readonly owed: number;
  rate(perSecond: number): void;
  /** After the transactions under way; what is owed is left. */
  stop(): Promise<void>;
}

const TICK_MS = 20;
const CATCH_UP = 2;
/** What has failed waits as long before it is tried again. */
const PAUSE_MS = 250;

export function createFlow({ next, append, mayStand, most, catchUp = CATCH_UP }: FlowDeps): Flow {
  const again: PlannedTransaction[] = [];
  const running = new Set<Promise<void>>();
  let perSecond = 0;
  let offered = 0;
  let allowed = 0;
  let pausedUntil = 0;
  let last = performance.now();

  const run = async (transaction: PlannedTransaction): Promise<void> => {
    try {
      await append(transaction);
    } catch (error) {
      pausedUntil = performance.now() + PAUSE_MS;
      if (!mayStand(error)) again.push(transaction); // the producer has counted it
    }
  };
  const start = (transaction: PlannedTransaction) => {
    const work: Promise<void> = run(transaction).finally(() => running.delete(work));
    running.add(work);
  };
  const tick = () => {
    const now = performance.now();
    const due = (perSecond * (now - last)) / 1_000;
    last = now;
    offered += due;
    // At most a second's worth is saved up: a loop that was held up does not fire everything at once.
    allowed = Math.min(allowed + catchUp * due, catchUp * perSecond);
    if (now < pausedUntil || perSecond === 0) return;
    while (running.size < most && allowed >= 1) {
      const late = again.shift();
      if (late === undefined && offered < 1) return;
      const transaction = late ?? next();
      // What rolls back is beside what was offered.
      if (late === undefined && !transaction.rollBack) offered -= transaction.events.length;
      allowed -= transaction.events.length;
      start(transaction);
    }
  };
  const timer = setInterval(tick, TICK_MS);
  return {
    get owed() {
      const failed = again.reduce((sum, { events, rollBack }) => sum + (rollBack ? 0 : events.length), 0);
      return Math.max(0, Math.floor(offered)) + failed;
    },
    rate(wanted) {
      perSecond = wanted;
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
    },
  };
}
