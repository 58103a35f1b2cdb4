/** What the steady flow is made of: the same random gives the same transactions, but for the ids of their events. */
import { LEDGER_KEY } from './chaos-config.js';
import { SECRET_FIELD } from './payload-hash.js';
import type { ChaosEvent } from './ports.js';

export interface PlannedTransaction {
  readonly events: readonly ChaosEvent[];
  readonly rollBack: boolean;
}

export interface TrafficOptions {
  /** In [0, 1), seeded. */
  readonly random: () => number;
  /** Stands as `secret` in every payload. */
  readonly canary: string;
  /** Of all events those of the first tenant; the others share the rest alike. Default 0.1: none is louder. */
  readonly noisyShare?: number;
  /** Aggregates that CHAOS_ORDERED events are of. Default 40. */
  readonly hotAggregates?: number;
}

export const CHAOS_TENANTS = Array.from({ length: 10 }, (_, at) => `tenant-${at}`);

/** Where the flow goes, by the keys it is routed by. */
export const LANES = ['audit.log', LEDGER_KEY] as const satisfies readonly ChaosEvent['routingKey'][];

/** Binds nobody to an order and may not die: recovery is measured by it. Of an ordered event an older one decides when it comes. */
export const MEASURED_TYPE = 'CHAOS';
/** Few attempts in its policy: under faults some of these die, and may. */
export const STRICT_TYPE = 'CHAOS_STRICT';
/** In order of the aggregate's versions, dead ones skipped. */
export const ORDERED_TYPE = 'CHAOS_ORDERED';

const ROLLED_BACK = 1 / 20;
const SEVERAL = 1 / 50;
const AUDIT_SHARE = 0.4;
const STRICT_SHARE = 0.05;
const ORDERED_SHARE = 0.15;
const SMALLEST_NOTE = 40;
const LARGEST_NOTE = 8_000;

/** The next transaction, at each call. */
export function createTraffic(options: TrafficOptions): () => PlannedTransaction {
  const { random, canary, noisyShare = 0.1, hotAggregates = 40 } = options;
  const versions = new Map<string, number>();
  let n = 0;

  const pickTenant = (): string => {
    const [first = '', ...others] = CHAOS_TENANTS;
    return random() < noisyShare ? first : pick(others, random);
  };
  const nextAggregate = (ordered: boolean, routingKey: string): ChaosEvent['aggregate'] => {
    if (!ordered) return { type: 'chaos', id: `a-${Math.floor(random() * 100_000)}` };
    const id = `hot-${Math.floor(random() * hotAggregates)}`;
    // R9: the order is one of an aggregate within destination, type and tenant; the tenant goes by the aggregate below.
    const line = `${routingKey} ${id}`;
    const version = (versions.get(line) ?? 0) + 1;
    versions.set(line, version);
    return { type: 'chaos', id, version };
  };
  const nextEvent = (): ChaosEvent => {
    n += 1;
    const routingKey = random() < AUDIT_SHARE ? 'audit.log' : LEDGER_KEY;
    const kind = random();
    const strict = kind < STRICT_SHARE;
    const ordered = !strict && kind < STRICT_SHARE + ORDERED_SHARE;
    const aggregate = nextAggregate(ordered, routingKey);
    const hot = Number(aggregate.id.slice('hot-'.length));
    return {
      routingKey,
      eventName: 'chaos.thing.changed.v1',
      eventType: strict ? STRICT_TYPE : ordered ? ORDERED_TYPE : MEASURED_TYPE,
      tenantId: ordered ? (CHAOS_TENANTS[hot % CHAOS_TENANTS.length] as string) : pickTenant(),
      aggregate,
      payload: { n, note: makeNote(n, random), [SECRET_FIELD]: canary },
      ...(strict ? { expect: 'either' as const } : {}),
    };
  };
  return () => {
    const rollBack = random() < ROLLED_BACK;
    const size = random() < SEVERAL ? 2 + Math.floor(random() * 4) : 1;
    return { rollBack, events: Array.from({ length: size }, nextEvent) };
  };
}

/** As many small ones as large ones, by their magnitude. */
function makeNote(n: number, random: () => number): string {
  const length = Math.floor(SMALLEST_NOTE * (LARGEST_NOTE / SMALLEST_NOTE) ** random());
  return `chaos ${n} `.repeat(Math.ceil(length / 8)).slice(0, length);
}

function pick<T>(values: readonly T[], random: () => number): T {
  return values[Math.floor(random() * values.length)] as T;
}
