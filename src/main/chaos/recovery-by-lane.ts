/** Recovery of a fault, lane by lane: the line is back when its slowest lane is, however quick the others were. Pure. */
import type { Books } from './books.js';
import type { JournalledEvent } from './chaos-journal.js';
import type { FaultRecord } from './inject-bout.js';
import { type FlownEvent, measureRecovery } from './recovery.js';

/** Only what binds nobody to an order, and may not die: of an ordered event an older one decides when it comes. */
const MEASURED_TYPE = 'CHAOS';

/** By place: seconds; null where a lane was not seen to flow again. */
export function recoveryOf(
  faults: readonly FaultRecord[],
  journal: ReadonlyMap<string, JournalledEvent>,
  books: Books,
): Record<number, number | null> {
  const lanes = new Map<string, FlownEvent[]>();
  for (const { id, fate, endedAt, routingKey, eventType, expect } of journal.values()) {
    if (fate !== 'committed' || endedAt === null || eventType !== MEASURED_TYPE || expect !== 'delivered') continue;
    const lane = lanes.get(routingKey) ?? [];
    const settledAt = books.rows.get(id)?.delivery?.settledAt ?? null;
    // The journal's times are ours, the row's are the database's.
    lane.push({ committedAt: endedAt, settledAt: settledAt === null ? null : settledAt - books.aheadMs });
    lanes.set(routingKey, lane);
  }
  const slowest: Record<number, number | null> = {};
  for (const flown of lanes.values()) {
    for (const [place, seconds] of Object.entries(measureRecovery(faults, flown))) {
      const before = slowest[Number(place)];
      slowest[Number(place)] = before === null || seconds === null ? null : Math.max(before ?? 0, seconds);
    }
  }
  return slowest;
}
