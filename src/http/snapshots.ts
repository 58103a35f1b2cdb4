import type { PartReader } from '../application/overview-part.js';
import { OVERVIEW_PARTS, type OverviewPart, type OverviewPartName } from '../contract/overview-api.js';
import type { Logger } from './logger.js';

/** Both halves of the overview, read in the process that serves the page. */
export type PartReaders = { readonly [Name in OverviewPartName]: PartReader<Name> };

export interface PartListener {
  /** First, and once: all of them, as they are. */
  begin(parts: readonly OverviewPart[]): void;
  /** Each that is another one from then on. `json`: of the part, made once for all who listen. */
  change(part: OverviewPart, json: string): void;
}

export interface Snapshots {
  /** Begins once every part was looked at, which takes no longer than the deadline of one. What it returns ends it. */
  listen(listener: PartListener): Promise<() => void>;
}

/** Between two looks at one part. What changes by itself in a moment, or tells of an outage, often; what takes hours, seldom. */
const EVERY_MS: Readonly<Record<OverviewPartName, number>> = {
  outboxDatabase: 2_000,
  auditDatabase: 2_000,
  backlog: 2_000,
  rate: 2_000,
  destinations: 2_000,
  processes: 2_000,
  runs: 5_000,
  letters: 5_000,
  alerts: 5_000,
  books: 15_000,
  seal: 15_000,
  verification: 15_000,
};
/** However long a look has taken. */
const REST_MS = 500;

/**
 * Looks at the parts of the overview for all who listen together, so that ten of them cost what one does, and for nobody when
 * nobody does. Each part has a pace of its own and one look under way; its deadline is the reader's.
 */
export function createSnapshots(readers: PartReaders, log: Logger): Snapshots {
  const listeners = new Set<PartListener>();
  let looking: Looking | null = null;
  /** Those who listen, and those who are about to. */
  let held = 0;

  return {
    async listen(listener) {
      held++;
      looking ??= startLooking(readers, listeners, log);
      const { first, latest } = looking;
      await first;
      // In one turn: no change falls between the two.
      listener.begin(OVERVIEW_PARTS.flatMap((name) => latest.get(name) ?? []));
      listeners.add(listener);
      let stopped = false;
      return () => {
        if (stopped) return;
        stopped = true;
        listeners.delete(listener);
        held--;
        if (held > 0) return;
        looking?.stop();
        looking = null;
      };
    },
  };
}

interface Looking {
  /** Every part was looked at. Never rejects. */
  readonly first: Promise<unknown>;
  readonly latest: ReadonlyMap<OverviewPartName, OverviewPart>;
  stop(): void;
}

function startLooking(readers: PartReaders, listeners: ReadonlySet<PartListener>, log: Logger): Looking {
  const latest = new Map<OverviewPartName, OverviewPart>();
  const timers = new Map<OverviewPartName, NodeJS.Timeout>();
  let stopped = false;

  const tell = (part: OverviewPart) => {
    const before = latest.get(part.name);
    latest.set(part.name, part);
    if (stopped || (before !== undefined && isSame(before, part))) return;
    const json = JSON.stringify(part);
    for (const listener of listeners) listener.change(part, json);
  };
  const look = async (name: OverviewPartName): Promise<void> => {
    const began = performance.now();
    try {
      tell(await readers[name]());
    } catch (err) {
      // A reader tells what fails as `away`. Whatever else it is, the others go on, and so does this one; and whoever looks
      // is told, for a part that is not there at all would be taken for one that they may not see.
      log.error({ event: 'monitor.part_failed', part: name, err }, 'a part of the overview could not be read');
      tell(away(name, latest.get(name)));
    }
    if (stopped) return;
    const wait = Math.max(REST_MS, EVERY_MS[name] - (performance.now() - began));
    timers.set(
      name,
      setTimeout(() => void look(name), wait),
    );
  };

  return {
    first: Promise.all(OVERVIEW_PARTS.map(look)),
    latest,
    stop() {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
    },
  };
}

/** With what was known last. */
function away(name: OverviewPartName, last: OverviewPart | undefined): OverviewPart {
  const reason = 'it could not be read, for a reason that stands in the log of the api (monitor.part_failed)';
  // A name and its own value, which is not to be told of a name that is a parameter.
  return { name, state: 'away', at: last?.at ?? null, reason, value: last?.value ?? null } as OverviewPart;
}

/** But for the time of the look. */
function isSame(one: OverviewPart, other: OverviewPart): boolean {
  const text = ({ state, reason, value }: OverviewPart) => JSON.stringify([state, reason, value]);
  return text(one) === text(other);
}
