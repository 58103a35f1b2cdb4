import { readEventCursor, writeEventCursor } from './event-cursor.js';
import type { EventFilter, EventPlace, EventReader, EventSummary, EventsLooked, FoundEvent } from './ports.js';

/** A page costs no more than this, however little of it the filter means: then it comes short, with where it stands. */
export const MOST_LOOKED = 20_000;
/** The last turn included, an answer is there within a second. */
const MOST_MS = 700;

export interface EventPage {
  /** The newest first. */
  readonly items: readonly EventSummary[];
  /** `cursor` of the next page; null on the last one. */
  readonly next: string | null;
  readonly searched: {
    readonly events: number;
    /** null: it looked at all that there are. */
    readonly backTo: string | null;
  };
}

export interface ListEventsDeps {
  readonly reader: Pick<EventReader, 'look' | 'pick'>;
  /** Milliseconds of a clock that never goes back. */
  readonly clock: () => number;
}

/** A filter that nobody can mean, or a cursor that is not of it, told by its field. */
export class EventFilterError extends Error {
  override readonly name = 'EventFilterError';
  readonly field: 'until' | 'cursor';

  constructor(field: EventFilterError['field'], expected: string) {
    super(`${field}: ${expected}`);
    this.field = field;
  }
}

/**
 * A page of the events that a filter means, 1 to 200. It may be short of `limit`, even empty, and yet not the last one:
 * what is rare is looked for in turns, and `searched` says how far. `cursor`: the `next` of the page before, of this same
 * filter.
 * @throws EventFilterError; IntegrationError `STORE.UNAVAILABLE`
 */
export async function listEvents(
  deps: ListEventsDeps,
  filter: EventFilter,
  { cursor, limit }: { readonly cursor: string | null; readonly limit: number },
): Promise<EventPage> {
  if (filter.since !== null && filter.until !== null && Date.parse(filter.since) >= Date.parse(filter.until)) {
    throw new EventFilterError('until', 'expected a time after since');
  }
  const before = cursor === null ? null : readEventCursor(cursor, filter);
  if (cursor !== null && before === null) {
    throw new EventFilterError('cursor', 'expected the next of a page with this same filter, unchanged');
  }
  // One more than asked for says whether there is a next page.
  const take = limit + 1;
  const { found, events, place } = (await pick(deps, filter, before, take)) ?? (await walk(deps, filter, before, take));
  const items = found.slice(0, limit);
  const after = found.length > limit ? (items.at(-1)?.place ?? null) : place;
  return {
    items: items.map(({ event }) => event),
    next: after === null ? null : writeEventCursor(after, filter),
    searched: { events, backTo: after?.recordedAt ?? null },
  };
}

/** An aggregate's events are looked at by an index of their own, whatever their state. */
async function pick(
  { reader }: ListEventsDeps,
  filter: EventFilter,
  before: EventPlace | null,
  take: number,
): Promise<EventsLooked | null> {
  return filter.state === null || filter.aggregateId !== null ? null : reader.pick({ filter, before, take });
}

async function walk(
  { reader, clock }: ListEventsDeps,
  filter: EventFilter,
  before: EventPlace | null,
  take: number,
): Promise<EventsLooked> {
  const startedAt = clock();
  const found: FoundEvent[] = [];
  let place = before;
  let events = 0;
  let turn = 0;
  do {
    const left = take - found.length;
    const most = Math.min(eventsOfTurn(filter, turn++, left), MOST_LOOKED - events);
    const looked = await reader.look({ filter, before: place, events: most, take: left });
    found.push(...looked.found);
    events += looked.events;
    place = looked.place;
  } while (place !== null && found.length < take && events < MOST_LOOKED && clock() - startedAt < MOST_MS);
  return { found, events, place };
}

/** Few at first, for most filters mean something that is near. */
function eventsOfTurn(filter: EventFilter, turn: number, left: number): number {
  return meansAllOnItsWay(filter) ? left : Math.max(left, Math.min(1_000 * 4 ** turn, 16_000));
}

/** Whether nothing is looked at in vain: all events, or all of one aggregate's id, of whatever time. */
function meansAllOnItsWay({ aggregateId: _, since: __, until: ___, ...rest }: EventFilter): boolean {
  return Object.values(rest).every((value) => value === null);
}
