/** R9: of an aggregate whose order binds, the earlier version has its effect before the later one. */
import type { BookRow } from './books.js';
import type { JournalledEvent } from './chaos-journal.js';
import type { Indexed } from './compare-chaos.js';
import type { Finder } from './findings.js';

interface Placed {
  readonly event: JournalledEvent;
  /** Of its effect, among all of its destination. */
  readonly place: number;
}

export function compareOrder(all: Indexed, { say }: Finder): void {
  const placeOf = placeEffects(all);
  const placed: Placed[] = [];
  for (const event of all.journal.values()) {
    const row = all.books.rows.get(event.id);
    const place = placeOf.get(event.id);
    if (event.version === null || place === undefined || row?.delivery?.ordered !== true) continue;
    // What has died lets the next one pass, and comes after it when it is redriven.
    if (!all.lettersOf.has(event.id)) placed.push({ event, place });
  }
  for (const [line, versions] of Map.groupBy(placed, ({ event }) => lineOf(event, all.books.rows.get(event.id)))) {
    versions.sort((a, b) => Number(a.event.version) - Number(b.event.version));
    for (const [at, later] of versions.entries()) {
      const earlier = lastBefore(later, versions.slice(0, at));
      if (earlier === undefined || earlier.place < later.place) continue;
      const what = `expected its effect after that of version ${earlier.event.version} (${earlier.event.id}), came before it`;
      say('R9', later.event.id, `${line} version ${later.event.version}: ${what}`);
    }
  }
}

/** Of all earlier versions, not the neighbour alone: the one whose effect came last. */
function lastBefore(later: Placed, versions: readonly Placed[]): Placed | undefined {
  let last: Placed | undefined;
  for (const earlier of versions) {
    // One that was committed after the other was appended may have come too late to go first.
    if ((earlier.event.endedAt ?? Number.POSITIVE_INFINITY) >= later.event.intentAt) continue;
    if (last === undefined || earlier.place > last.place) last = earlier;
  }
  return last;
}

function placeEffects({ requests, books }: Indexed): ReadonlyMap<string, number> {
  const placeOf = new Map<string, number>();
  for (const [place, { did, eventId }] of requests.entries()) {
    if (did === 'effect' && !placeOf.has(eventId)) placeOf.set(eventId, place);
  }
  for (const { eventId, seq } of books.records) if (!placeOf.has(eventId)) placeOf.set(eventId, seq);
  return placeOf;
}

function lineOf(event: JournalledEvent, row: BookRow | undefined): string {
  return [event.routingKey, event.eventType, row?.tenantId, event.aggregate].join(' ');
}
