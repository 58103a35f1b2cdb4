/**
 * A duty that one process does at a time: a loop under a lease in PostgreSQL, renewed by a timer of its own, so that a
 * long turn does not lose it. Nobody leads: whoever takes the lease first after its end goes on.
 *
 * The lease keeps two processes from doing the same work twice; it does not keep a process that was stopped and woken
 * from writing. So every write of a duty carries its holder and is fenced by the lease's row (`LeaseHold`).
 */
import { randomUUID } from 'node:crypto';
import type { LeaseHold, LeaseStore, Logger } from './ports.js';
import type { RelayTime } from './relay-time.js';

export interface LeasedDuty {
  /** Of the lease's row: one for each duty. */
  readonly name: string;
  /** After so long without a renewal another process may take it. Renewed three times as often. */
  readonly leaseMs: number;
  /** Between the end of a turn and the next one. */
  readonly everyMs: number;
  /** One turn. The signal aborts when the lease is lost or the process stops; what it throws is told and tried again. */
  readonly turn: (hold: LeaseHold, signal: AbortSignal) => Promise<void>;
}

export interface RunningDuty {
  /** Lets the turn under way end, at most `graceMs`, and gives the lease back. */
  stop(): Promise<void>;
}

const GRACE_MS = 5_000;
/** A duty that never works must not look, in today's log, like one that does. */
const TOLD_AGAIN_AFTER_MS = 600_000;

/** Starts at once. Never throws; a turn that fails is logged when that begins, every ten minutes while it goes on, and when it is over. */
export function runUnderLease(
  deps: { readonly leases: LeaseStore; readonly time: RelayTime; readonly log: Logger },
  duty: LeasedDuty,
  graceMs = GRACE_MS,
): RunningDuty {
  const { leases, time, log } = deps;
  const { name, leaseMs } = duty;
  const hold: LeaseHold = { name, holder: randomUUID() };
  const stopping = new AbortController();
  let lost = new AbortController();
  let heldUntil = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let toldAt = 0;

  const renewing = renew();
  const working = work();
  return {
    async stop() {
      stopping.abort();
      lost.abort();
      const finished = new AbortController();
      const ended = Promise.all([working, renewing]).finally(() => finished.abort());
      await Promise.race([ended, time.sleep(graceMs, finished.signal)]);
      // Not given back, it ends by itself.
      await leases.release(hold).catch(() => undefined);
    },
  };

  async function renew(): Promise<void> {
    while (!stopping.signal.aborted) {
      const askedAt = time.now();
      const taken = await leases.take(hold, leaseMs).catch(() => null);
      // Counted from the question on, so that it ends here before it ends there.
      if (taken === true) heldUntil = askedAt + leaseMs;
      if (taken === false) heldUntil = Number.NEGATIVE_INFINITY;
      if (time.now() >= heldUntil) lost.abort();
      else if (lost.signal.aborted && !stopping.signal.aborted) lost = new AbortController();
      const left = heldUntil - time.now();
      await time.sleep(left > 0 ? Math.min(left, leaseMs / 3) : leaseMs / 3, stopping.signal);
    }
  }

  async function work(): Promise<void> {
    while (!stopping.signal.aborted) {
      const { signal } = lost;
      if (time.now() < heldUntil && !signal.aborted) {
        try {
          await duty.turn(hold, signal);
          if (failures > 0) log.info({ duty: name, failures }, 'duty.works_again');
          failures = 0;
        } catch (error) {
          if (failures === 0 || time.now() - toldAt >= TOLD_AGAIN_AFTER_MS) {
            log.error({ duty: name, failures: failures + 1, err: error }, 'duty.failed');
            toldAt = time.now();
          }
          failures += 1;
        }
        await time.sleep(duty.everyMs, stopping.signal);
      } else {
        await time.sleep(Math.min(duty.everyMs, leaseMs / 3), stopping.signal);
      }
    }
  }
}
