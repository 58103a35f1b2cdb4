import type { CoalescedSizes, Coalescing } from '../../../domain/delivery/coalescing.js';
import type { CoalescingLane } from '../monitor/ports.js';
import type { Coalescings } from '../policy-schema.js';
import type { BacklogStore, Logger } from '../ports.js';
import type { RelayTime } from '../relay-time.js';

const LOOK_EVERY_MS = 1_000;
const FAILED_LOOK_MS = 10_000;
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

/**
 * R20: which event types are coalesced now, at each of `destinations` (those whose handler takes events together). An
 * adaptive one is switched on above its backlog and off again below the lower one, at each destination by itself; what a
 * relay knows of it is in memory, and beginning anew costs a second.
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
  let on = new Map<string, ReadonlySet<string>>();
  let current: CoalescedSizes = anything ? Object.fromEntries(destinations.map((name) => [name, fixed])) : {};
  let lookAt = time.now();

  const ofType = (type: string) => coalescings.named.get(type) ?? coalescings.otherwise;
  const told = [...coalescings.named, ['*', coalescings.otherwise] as const]
    .filter(([, { mode }]) => mode !== 'off')
    .map(([eventType]) => eventType);
  const lanesOf = (destination: string): CoalescingLane[] => {
    const switched = on.get(destination) ?? new Set<string>();
    return [...new Set([...told, ...switched])].map((eventType) => ({
      destination,
      eventType,
      on: ofType(eventType).mode === 'always' || switched.has(eventType),
    }));
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
      const next = new Map<string, Set<string>>(destinations.map((name) => [name, new Set()]));
      for (const { destination, eventType, waiting } of counted) {
        const { mode, above, below } = ofType(eventType);
        const was = on.get(destination)?.has(eventType) ?? false;
        if (mode !== 'adaptive' || waiting < (was ? below : above)) continue;
        next.get(destination)?.add(eventType);
        if (!was) log.info({ destination, eventType, waiting }, 'relay.coalescing_on');
      }
      for (const [destination, types] of on) {
        for (const eventType of types) {
          if (!next.get(destination)?.has(eventType)) log.info({ destination, eventType }, 'relay.coalescing_off');
        }
      }
      on = next;
      current = Object.fromEntries(
        destinations.map((name) => [
          name,
          { ...fixed, ...Object.fromEntries([...(next.get(name) ?? [])].map((type) => [type, ofType(type).size])) },
        ]),
      );
    },
  };
}
