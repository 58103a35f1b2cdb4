import type { CoalescedSizes, Coalescing } from '../../../domain/delivery/coalescing.js';
import type { CoalescingLane } from '../monitor/ports.js';
import type { Coalescings } from '../policy-schema.js';
import type { BacklogStore, Logger, WaitingType } from '../ports.js';
import type { RelayTime } from '../relay-time.js';

const LOOK_EVERY_MS = 1_000;
const FAILED_LOOK_MS = 10_000;
/**
 * So long it has to be below the lower bound at every look before it is off. Batches bring a load that single runs cannot
 * carry below it within a second: switched off at once, it would be on again in the next one, for as long as the load lasts.
 * With its backlog gone it costs nothing to stay on so long, but that what comes together meanwhile travels together.
 */
export const OFF_AFTER_MS = 30_000;
/** Lanes that are told of. */
const MOST_LANES = 500;

export interface BacklogWatch {
  /** What travels many to a run now. */
  sizes(): CoalescedSizes;
  /** May be called at any rate: it counts once a second, and only where some type is adaptive. Not told, nothing changes. */
  look(): Promise<void>;
}

export interface BacklogTelling {
  /**
   * For people: what may travel many to a run, and whether it does now. Types whose policy is `off` are not in it; of those
   * that only `*` speaks of, `*` itself and the ones that are switched on. At most 500.
   */
  read(): readonly CoalescingLane[];
}

type LowSince = ReadonlyMap<string, number | null>;

/**
 * R20: which event types are coalesced now, at each of `destinations` (those whose handler takes events together). An
 * adaptive one is switched on above its backlog, and off again when it has been below the lower one for a while, at each
 * destination by itself; what a relay knows of it is in memory, and beginning anew costs a second.
 */
export function watchBacklog(
  deps: { readonly store: BacklogStore; readonly time: RelayTime; readonly log: Logger },
  { destinations, coalescings }: { readonly destinations: readonly string[]; readonly coalescings: Coalescings },
): BacklogWatch & BacklogTelling {
  const { store, time, log } = deps;
  const all = [coalescings.otherwise, ...coalescings.named.values()];
  const most = Math.max(...all.map(({ mode, above }) => (mode === 'adaptive' ? above : 0)));
  const always = ({ mode, size }: Coalescing) => (mode === 'always' ? size : 0);
  // A named type overrides `*`, also where it is off.
  const base = Object.fromEntries([...coalescings.named].map(([type, own]) => [type, always(own)]));
  const fixed = { ...base, '*': always(coalescings.otherwise) };
  const anything = all.some(({ mode }) => mode !== 'off');
  /** By destination and event type: since when it has been below the lower bound; null: it is not. */
  let on: ReadonlyMap<string, LowSince> = new Map();
  let current: CoalescedSizes = anything ? Object.fromEntries(destinations.map((name) => [name, fixed])) : {};
  let lookAt = time.now();

  const ofType = (type: string) => coalescings.named.get(type) ?? coalescings.otherwise;
  const told = [...coalescings.named, ['*', coalescings.otherwise] as const]
    .filter(([, { mode }]) => mode !== 'off')
    .map(([eventType]) => eventType);
  const lanesOf = (destination: string): CoalescingLane[] => {
    const switched: LowSince = on.get(destination) ?? new Map();
    return [...new Set([...told, ...switched.keys()])].map((eventType) => ({
      destination,
      eventType,
      on: ofType(eventType).mode === 'always' || switched.has(eventType),
    }));
  };
  /** What is on at a destination after a look, and says what is so no more, or newly. */
  const nextOf = (destination: string, counted: readonly WaitingType[]): LowSince => {
    const here = counted.filter((one) => one.destination === destination);
    const waits = new Map(here.map(({ eventType, waiting }) => [eventType, waiting]));
    const before: LowSince = on.get(destination) ?? new Map();
    const next = new Map<string, number | null>();
    const now = time.now();
    for (const [eventType, since] of before) {
      const lowSince = (waits.get(eventType) ?? 0) < ofType(eventType).below ? (since ?? now) : null;
      if (lowSince === null || now - lowSince < OFF_AFTER_MS) next.set(eventType, lowSince);
      else log.info({ destination, eventType }, 'relay.coalescing_off');
    }
    for (const [eventType, waiting] of waits) {
      const { mode, above } = ofType(eventType);
      if (mode !== 'adaptive' || before.has(eventType) || waiting < above) continue;
      next.set(eventType, null);
      log.info({ destination, eventType, waiting }, 'relay.coalescing_on');
    }
    return next;
  };
  return {
    sizes: () => current,
    read: () => destinations.flatMap(lanesOf).slice(0, MOST_LANES),
    async look() {
      if (most === 0 || destinations.length === 0 || time.now() < lookAt) return;
      lookAt = time.now() + LOOK_EVERY_MS;
      let counted: Awaited<ReturnType<BacklogStore['countWaiting']>>;
      try {
        counted = await store.countWaiting(destinations, most);
      } catch (error) {
        // The claim goes on with what it knew; if the store is away, that says so.
        lookAt = time.now() + FAILED_LOOK_MS;
        log.debug({ error }, 'relay.backlog_not_counted');
        return;
      }
      const next = new Map(destinations.map((name) => [name, nextOf(name, counted)]));
      on = next;
      current = Object.fromEntries(
        [...next].map(([name, types]) => [
          name,
          { ...fixed, ...Object.fromEntries([...types.keys()].map((type) => [type, ofType(type).size])) },
        ]),
      );
    },
  };
}
