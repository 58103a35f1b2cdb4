/** Recovery of a fault, lane by lane: the line is back when its slowest lane is, however quick the others were. Pure. */
import type { Books } from './books.js';
import type { JournalledEvent } from './chaos-journal.js';
import { MEASURED_TYPE } from './chaos-traffic.js';
import type { FaultRecord } from './inject-bout.js';
import { type FlownEvent, measureRecovery } from './recovery.js';

/** By place: seconds; null where a lane was not seen to flow again. */
export type SecondsByPlace = Readonly<Record<number, number | null>>;

export interface Recovery {
  /** Until an event was settled whose run was started after the heal: the parts have found each other. */
  readonly flowsAfter: SecondsByPlace;
  /** Until one was that was committed after it: what had gathered went before. */
  readonly newestAfter: SecondsByPlace;
}

export function recoveryOf(
  faults: readonly FaultRecord[],
  journal: ReadonlyMap<string, JournalledEvent>,
  books: Books,
): Recovery {
  const started = new Map<string, FlownEvent[]>();
  const committed = new Map<string, FlownEvent[]>();
  const put = (lanes: Map<string, FlownEvent[]>, lane: string, event: FlownEvent) => {
    const known = lanes.get(lane);
    if (known === undefined) lanes.set(lane, [event]);
    else known.push(event);
  };
  for (const { id, fate, endedAt, routingKey, eventType, expect } of journal.values()) {
    if (fate !== 'committed' || endedAt === null || eventType !== MEASURED_TYPE || expect !== 'delivered') continue;
    const { settledAt: end = null, startedAt: start = null } = books.rows.get(id)?.delivery ?? {};
    // The journal's times are ours, the row's are the database's.
    const settledAt = end === null ? null : end - books.aheadMs;
    put(committed, routingKey, { beganAt: endedAt, settledAt });
    if (start !== null) put(started, routingKey, { beganAt: start - books.aheadMs, settledAt });
  }
  return { flowsAfter: slowestOf(faults, started), newestAfter: slowestOf(faults, committed) };
}

function slowestOf(faults: readonly FaultRecord[], lanes: ReadonlyMap<string, readonly FlownEvent[]>): SecondsByPlace {
  const slowest: Record<number, number | null> = {};
  for (const flown of lanes.values()) {
    for (const [place, seconds] of Object.entries(measureRecovery(faults, flown))) {
      const before = slowest[Number(place)];
      slowest[Number(place)] = before === null || seconds === null ? null : Math.max(before ?? 0, seconds);
    }
  }
  return slowest;
}
