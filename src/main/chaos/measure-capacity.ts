/**
 * How many events a second this line delivers on this machine: a burst is appended at once and drained. The offered rate of a run
 * is a part of it, so that a slow machine shows faults and not its own limits.
 */
import { seededRandom } from '../dev/seeded-random.js';
import { createTraffic } from './chaos-traffic.js';
import type { ChaosEvent, ChaosWorld } from './ports.js';
import { readLine } from './watch-line.js';

/** Long enough that start and end of the drain do not count for much. */
const DRAIN_MS = 8_000;
const FIRST_BURST = 150;
const LARGEST_BURST = 20_000;
const ONE_TRANSACTION = 50;
const AT_ONCE = 4;
const POLL_MS = 100;

/** Events a second. @throws where the line does not drain within `deadlineMs`, or the signal aborts. */
export async function measureCapacity(
  world: Pick<ChaosWorld, 'producer' | 'outbox' | 'seed' | 'canary'>,
  { signal, deadlineMs = 120_000 }: { readonly signal: AbortSignal; readonly deadlineMs?: number },
): Promise<number> {
  const until = performance.now() + deadlineMs;
  const next = burstTraffic(world);
  // The first is not believed: pools fill, code is compiled, a relay begins with few runs at once.
  let perSecond = await drain(world, FIRST_BURST, next, { signal, until });
  for (let burst = burstFor(perSecond); ; burst = burstFor(perSecond)) {
    perSecond = await drain(world, burst, next, { signal, until });
    // As long as it takes to be believed.
    if (burstFor(perSecond) < burst * 1.5) return perSecond;
  }
}

function burstFor(perSecond: number): number {
  return Math.min(LARGEST_BURST, Math.max(FIRST_BURST, Math.round((perSecond * DRAIN_MS) / 1_000)));
}

/** Ordered ones are left out: their versions belong to the steady flow. */
function burstTraffic({ seed, canary }: Pick<ChaosWorld, 'seed' | 'canary'>): (most: number) => ChaosEvent[] {
  const traffic = createTraffic({ random: seededRandom(seed ^ 0x5eed), canary });
  return (most) => {
    const events: ChaosEvent[] = [];
    while (events.length < most) events.push(...traffic().events.filter(({ eventType }) => eventType === 'CHAOS'));
    return events.slice(0, most);
  };
}

async function drain(
  { producer, outbox }: Pick<ChaosWorld, 'producer' | 'outbox'>,
  burst: number,
  next: (most: number) => ChaosEvent[],
  { signal, until }: { signal: AbortSignal; until: number },
): Promise<number> {
  const begun = performance.now();
  let left = burst;
  const append = async () => {
    while (left > 0) {
      signal.throwIfAborted();
      const size = Math.min(ONE_TRANSACTION, left);
      left -= size;
      await producer.append(next(size));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, append));
  for (;;) {
    signal.throwIfAborted();
    const line = await readLine(outbox);
    const now = performance.now();
    if (line?.open === 0) return burst / ((now - begun) / 1_000);
    if (now > until) {
      throw new Error(
        `expected a burst of ${burst} events to be delivered before the deadline, ${line?.open ?? 'an unknown number'} are still open: ` +
          'look at what relay and worker print, or give --rate',
      );
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
