/** How long after a fault was healed work flowed again: measured by an event of which something happened only then. Pure. */

export interface HealedFault {
  /** In the schedule. */
  readonly place: number;
  /** Milliseconds since the epoch. */
  readonly begunAt: number;
  readonly healedAt: number;
}

export interface FlownEvent {
  /** When it was committed, or when its run was started: what the question is about. */
  readonly beganAt: number;
  /** By the runner's clock; null: it is not settled. */
  readonly settledAt: number | null;
}

/**
 * By place, seconds from `healedAt` until an event that began after it was settled; null: of those that began
 * after it none was. Left out: no event came after it, or another fault was under way when it healed, whose own time holds it.
 */
export function measureRecovery(
  faults: readonly HealedFault[],
  events: Iterable<FlownEvent>,
): Record<number, number | null> {
  const flown = [...events].sort((a, b) => a.beganAt - b.beganAt);
  // The earliest end of each event and of all that came later.
  const earliest = new Float64Array(flown.length + 1).fill(Number.POSITIVE_INFINITY);
  for (let at = flown.length - 1; at >= 0; at -= 1) {
    earliest[at] = Math.min(flown[at]?.settledAt ?? Number.POSITIVE_INFINITY, earliest[at + 1] as number);
  }
  const seconds: Record<number, number | null> = {};
  for (const { place, healedAt } of faults) {
    const first = findFirst(flown, healedAt);
    if (isOverlapped({ place, healedAt }, faults) || first === flown.length) continue;
    const settledAt = earliest[first] as number;
    seconds[place] = Number.isFinite(settledAt) ? Math.max(0, Math.round((settledAt - healedAt) / 100) / 10) : null;
  }
  return seconds;
}

/** Another fault was under way when this one healed. */
export function isOverlapped(
  { place, healedAt }: Pick<HealedFault, 'place' | 'healedAt'>,
  faults: readonly HealedFault[],
): boolean {
  return faults.some((other) => other.place !== place && other.begunAt <= healedAt && healedAt < other.healedAt);
}

/** The first that began at or after `at`. */
function findFirst(flown: readonly FlownEvent[], at: number): number {
  let [low, high] = [0, flown.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((flown[middle] as FlownEvent).beganAt < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
