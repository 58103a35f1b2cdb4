/** What every fault does alike: it heals in any case, tells when, and tells nothing of its row where the run was given up. */
import type { ChaosWorld, Fault, FaultContext, FaultId, FaultOutcome, Resource } from '../ports.js';

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
  const heal = async () => {
    if (healedAt !== null) return;
    await spec.heal?.(world);
    healedAt = Date.now();
  };
  try {
    const { happened, what } = await spec.inflict(world, { ...context, problems, heal });
    await heal();
    // What was looked for when the run was given up had no time to come.
    return { happened, what, healedAt: healedAt ?? Date.now(), problems: context.signal.aborted ? [] : problems };
  } finally {
    await heal();
  }
}
