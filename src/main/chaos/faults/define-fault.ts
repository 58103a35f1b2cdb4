/** What every fault does alike: it heals in any case, tells when, and tells nothing of its row where the run was given up. */
import { LANES } from '../chaos-traffic.js';
import type { ChaosWorld, Fault, FaultContext, FaultId, FaultOutcome, Resource } from '../ports.js';
import { until } from './wait.js';

type Range = readonly [least: number, most: number];

export interface Inflicting extends FaultContext {
  /** Expectations of the row that did not hold. */
  readonly problems: string[];
  /** Once: what comes after it is looked at on a healthy line. A kill is over at once, so it calls this then. */
  heal(): Promise<void>;
}

export interface FaultSpec {
  readonly id: FaultId;
  readonly title: string;
  readonly needs?: Fault['needs'];
  readonly weight?: number;
  /** Seconds that it holds. */
  readonly short: Range;
  readonly long: Range;
  readonly recoversWithinSeconds?: number;
  /** None: nothing else may hold meanwhile. */
  readonly resources?: readonly Resource[];
  /** Takes off all that `inflict` put on, whatever came of it. */
  readonly heal?: (world: ChaosWorld) => Promise<void>;
  readonly inflict: (
    world: ChaosWorld,
    inflicting: Inflicting,
  ) => Promise<{ readonly happened: number; readonly what: string }>;
}

export function defineFault(spec: FaultSpec): Fault {
  const { id, title, needs = 'staging', weight = 1, recoversWithinSeconds, resources } = spec;
  return {
    ...{ id, title, needs, weight },
    ...(recoversWithinSeconds === undefined ? {} : { recoversWithinSeconds }),
    ...(resources === undefined ? {} : { resources }),
    duration: (random, short) => {
      const [least, most] = short ? spec.short : spec.long;
      return Math.round((least + random() * (most - least)) * 1_000);
    },
    inject: (world, context) => inject(spec, world, context),
  };
}

async function inject(spec: FaultSpec, world: ChaosWorld, context: FaultContext): Promise<FaultOutcome> {
  const problems: string[] = [];
  let healedAt: number | null = null;
  let breakerMs = 0;
  const heal = async () => {
    if (healedAt !== null) return;
    await spec.heal?.(world);
    healedAt = Date.now();
    breakerMs = await readBreaker(world, context.signal);
  };
  try {
    const { happened, what } = await spec.inflict(world, { ...context, problems, heal });
    await heal();
    // What was looked for when the run was given up had no time to come.
    const told = context.signal.aborted ? [] : problems;
    return { happened, what, healedAt: healedAt ?? Date.now(), breakerMs, problems: told };
  } finally {
    await heal();
  }
}

/** A server that has just come back may refuse at first. */
const READ_WITHIN_MS = 5_000;

/** How long the slower of the flow's breakers that are not closed may still keep work back: a trial that is under way may fail. */
export async function readBreaker({ outbox }: ChaosWorld, signal: AbortSignal): Promise<number> {
  let ms = 0;
  await until(
    async () => {
      const { rows } = await outbox.query<{ ms: number }>(
        `SELECT coalesce(max(greatest(0, CASE breaker WHEN 'open' THEN extract(epoch FROM open_until - clock_timestamp()) * 1000
           WHEN 'half_open' THEN coalesce(open_ms, 0) ELSE 0 END)), 0)::float8 AS ms FROM outbox.destination
         WHERE name = ANY ($1::text[])`,
        [LANES],
      );
      ms = rows[0]?.ms ?? 0;
      return true;
    },
    { withinMs: READ_WITHIN_MS, signal },
  );
  return ms;
}
