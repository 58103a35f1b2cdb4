/**
 * F25, F26: processes that differ from the others: in their clock, their cache, their build. What makes them so is a module
 * that Node.js loads before the role (`--import`), so that the code under test is the packed one.
 */
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ChaosWorld, FleetMember } from '../ports.js';
import { defineFault, type Inflicting } from './define-fault.js';
import { metric, timesPrinted, untilStatus } from './look.js';
import { answerOwn, healLedger, idsOf, ownEvents } from './own-events.js';
import { tellOpen } from './tell-open.js';
import { PATIENCE_MS } from './wait.js';

const HOUR_MS = 3_600_000;
/** On standard error, so that a role that did not load it is not taken for one that did. */
const SHIFTED = 'chaos: clock shifted';
const UNCACHED = 'chaos: no workflow cache';
const OTHER_BUILD = 'chaos: another build of the workflows';

/** The wall clock only: `performance.now()` and timers run on, as they do where somebody sets a machine's clock. */
const clockModule = (ms: number) => `const Real = globalThis.Date;
const now = Real.now.bind(Real);
Real.now = () => now() + ${ms};
globalThis.Date = new Proxy(Real, {
  construct: (target, given, made) =>
    Reflect.construct(target, given.length === 0 ? [Real.now()] : given, made === globalThis.Date ? target : made),
  apply: () => new Real(Real.now()).toString(),
});
process.stderr.write('${SHIFTED} by ${ms} ms\\n');
`;

export const shiftedClocks = defineFault({
  id: 'F25',
  title: 'clocks: a relay two hours ahead, a worker two hours behind',
  short: [5, 8],
  long: [60, 120],
  async inflict(world, inflicting) {
    const relay = await writeModule(world, 'clock-ahead.mjs', clockModule(2 * HOUR_MS));
    const worker = await writeModule(world, 'clock-behind.mjs', clockModule(-2 * HOUR_MS));
    const fenced = await watchCounter(world, 'outbox_fenced_writes_total');
    return beside(world, inflicting, {
      environments: [
        { role: 'relay', environment: { NODE_OPTIONS: relay } },
        { role: 'worker', environment: { NODE_OPTIONS: worker } },
      ],
      async judge([ahead, behind]) {
        for (const member of [ahead, behind]) {
          if (!member?.printed().includes(SHIFTED))
            inflicting.problems.push(`${member?.name}: its clock was not shifted`);
        }
        const claimed = await counted(ahead, 'outbox_claimed_events_total');
        const delivered = await counted(behind, 'outbox_delivered_events_total');
        const late = await fenced();
        // R4: a lease that ended by a relay's clock would be taken from whoever holds it.
        if (late > 0) inflicting.problems.push(`${late} writes were fenced: a lease did not hold`);
        const skews = await skewsOf(world);
        if (!skews.some((ms) => ms > HOUR_MS) || !skews.some((ms) => ms < -HOUR_MS)) {
          inflicting.problems.push(
            `the processes tell of skews of ${skews.join(', ')} ms: expected two hours each way`,
          );
        }
        const what = `the relay two hours ahead claimed ${claimed}, the worker two hours behind delivered ${delivered}`;
        return { happened: Math.min(claimed, delivered), what };
      },
    });
  },
});

export const mixedWorkers = defineFault({
  id: 'F26',
  title: 'workflow cache off; two worker versions together',
  short: [6, 10],
  long: [60, 120],
  heal: healLedger,
  async inflict(world, inflicting) {
    const uncached = await writeModule(world, 'no-workflow-cache.mjs', cacheModule(world));
    const second = await writeModule(world, 'other-build.mjs', OTHER_BUILD_MODULE);
    const pattern = /TMPRL1100|nondeterminis|DeterminismViolation/gi;
    const before = timesPrinted(world, pattern);
    return beside(world, inflicting, {
      environments: [
        { role: 'worker', environment: { NODE_OPTIONS: uncached } },
        { role: 'worker', environment: { NODE_OPTIONS: second } },
      ],
      async judge(members) {
        const [first, other] = members;
        if (!first?.printed().includes(UNCACHED)) inflicting.problems.push('the worker without a cache has one');
        if (!other?.printed().includes(OTHER_BUILD))
          inflicting.problems.push('the worker of another build has the same');
        const errors = timesPrinted(world, pattern) - before;
        if (errors > 0) inflicting.problems.push(`${errors} lines of the workers tell of a determinism error`);
        const delivered = await Promise.all(members.map((member) => counted(member, 'outbox_delivered_events_total')));
        const what = `delivered without a cache ${delivered[0]}, by the other build ${delivered[1]} (${other?.name})`;
        return {
          happened: Math.min(...delivered),
          what: `${what}; committed histories are replayed by test/workflows/replay`,
        };
      },
    });
  },
});

interface Beside {
  readonly environments: readonly {
    readonly role: 'relay' | 'worker';
    readonly environment: Record<string, string>;
  }[];
  /** Asked while they still run. */
  judge(members: readonly FleetMember[]): Promise<{ happened: number; what: string }>;
}

/** In each round; in a long form as many rounds as it has time for. */
const TOGETHER = 60;

/** With the odd ones beside the others: events that need several workflow tasks, until all are through. */
async function beside(world: ChaosWorld, inflicting: Inflicting, { environments, judge }: Beside) {
  const { durationMs, signal, problems, heal } = inflicting;
  const members: FleetMember[] = [];
  try {
    for (const { role, environment } of environments) members.push(await world.fleet.add(role, environment));
    const end = performance.now() + durationMs;
    do {
      const events = ownEvents(world, TOGETHER);
      // The second attempt is a regular one, by another task: without a cache, or in the other build, the run is replayed.
      answerOwn(world, idsOf(events), ({ n }) => (n === 1 ? { kind: 'status', status: 500 } : { kind: 'take' }));
      await world.producer.append(events);
      const open = await untilStatus(world, idsOf(events), ['DELIVERED'], { withinMs: PATIENCE_MS, signal });
      if (open.length > 0) {
        const how = await tellOpen(world, open);
        problems.push(`${open.length} of ${events.length} events were not delivered in time: ${how}`);
      }
    } while (performance.now() < end && !signal.aborted);
    const outcome = await judge(members);
    await heal();
    return outcome;
  } finally {
    await Promise.all(members.map((member) => world.fleet.remove(member)));
  }
}

/** Of one that has had something to do: one that does not answer shows nothing. */
async function counted(member: FleetMember | undefined, name: string): Promise<number> {
  return (member === undefined ? null : await metric(member, name)) ?? 0;
}

/** By how much it grew, of members that told it before, or are new, and tell it now. */
async function watchCounter({ fleet }: ChaosWorld, name: string): Promise<() => Promise<number>> {
  const read = async () =>
    Promise.all(fleet.members.map(async (member) => [member.name, await metric(member, name)] as const));
  const before = new Map(await read());
  return async () => {
    const grown = (await read()).map(([member, now]) => {
      const then = before.has(member) ? (before.get(member) ?? null) : 0;
      return now === null || then === null ? 0 : now - then;
    });
    return grown.reduce((sum, by) => sum + by, 0);
  };
}

/** How far each process's clock is from the database's, as it says itself. */
async function skewsOf({ outbox }: ChaosWorld): Promise<readonly number[]> {
  const { rows } = await outbox.query<{ ms: number }>(
    'SELECT skew_ms::float8 AS ms FROM outbox.process WHERE skew_ms IS NOT NULL',
  );
  return rows.map(({ ms }) => ms);
}

/** What NODE_OPTIONS says to load it. */
async function writeModule({ folder }: ChaosWorld, name: string, text: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, text);
  return `--import=${pathToFileURL(file).href}`;
}

/**
 * There is no setting for it, and there should be none: the SDK's own option, put where the role calls for a worker. It takes
 * few tasks at once: each begins its run anew, and of a hundred that it took on few cores most would time out.
 */
function cacheModule({ cli }: ChaosWorld): string {
  const sdk = createRequire(cli).resolve('@temporalio/worker');
  return `import { createRequire } from 'node:module';
const { Worker } = createRequire(${JSON.stringify(sdk)})(${JSON.stringify(sdk)});
const create = Worker.create;
const few = {
  maxCachedWorkflows: 0,
  maxConcurrentWorkflowTaskExecutions: 4,
  workflowTaskPollerBehavior: { type: 'simple-maximum', maximum: 2 },
};
Worker.create = (options) => create.call(Worker, { ...options, ...few });
process.stderr.write('${UNCACHED}\\n');
`;
}

/**
 * The same package, its workflows another build by one comment, put there when the role reads its bundle: Temporal sees two
 * versions that must agree. Nothing is copied, for a copy elsewhere would not find what the package depends on.
 */
const OTHER_BUILD_MODULE = `import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
const read = fs.readFile;
fs.readFile = async (file, ...rest) => {
  const text = await read(file, ...rest);
  if (typeof text !== 'string' || !/workflow-bundle(-traced)?\\.js$/.test(String(file))) return text;
  process.stderr.write('${OTHER_BUILD}\\n');
  return '/* another build */ ' + text;
};
syncBuiltinESMExports();
`;
