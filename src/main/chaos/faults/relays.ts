/** F1, F2, F5: a relay that dies or stands still while it holds claims. */
import type { ChaosWorld, FleetMember } from '../ports.js';
import { defineFault, type Inflicting } from './define-fault.js';
import { leaseMs, metric, untilStatus } from './look.js';
import { idsOf, ownEvents } from './own-events.js';
import { PATIENCE_MS, pick, sleep, until } from './wait.js';

/** Beyond the lease: a poll, a start, and a machine that is busy with all of us. */
const TAKEN_OVER_MS = 10_000;
/** A start that is slowed, and its mark. */
const MARKED_WITHIN_MS = 3_500;
/** With the waits around it well within a lease, so that what is held is not taken over meanwhile. */
const GO_ON_WITHIN_MS = 12_000;

export const killedRelay = defineFault({
  id: 'F1',
  title: 'kill -9 a relay at random, two running',
  weight: 3,
  resources: ['relay', 'temporal'],
  short: [3, 6],
  long: [20, 60],
  recoversWithinSeconds: 35,
  heal: ({ proxies }) => proxies.temporal.heal(),
  async inflict(world, { random, signal, durationMs, short, problems, heal }) {
    const end = performance.now() + durationMs;
    let killed = 0;
    let taken = 0;
    let last = false;
    while (!last && !signal.aborted) {
      const member = pick(world.fleet.of('relay'), random);
      const held = await stopHolding(world, member, { signal, events: short ? 60 : 200 }).catch((error: unknown) => {
        member.kill('SIGCONT'); // no kill ends what stands still now
        throw error;
      });
      const victim = member.kill('SIGKILL');
      await victim.ended;
      last = short || performance.now() >= end;
      if (last) await heal();
      else await world.proxies.temporal.heal();
      if (held.length > 0) killed += 1;
      const left = await untilMoved(world, held, signal);
      taken += held.length - left;
      if (left > 0) problems.push(`${left} claims of ${member.name} were not taken over within the lease and a poll`);
      await victim.nextReady(60_000).catch((error: unknown) => problems.push(String(error)));
    }
    return { happened: killed, what: `${killed} relays killed with claims of their own, ${taken} claims taken over` };
  },
});

export const killedAtEachStep = defineFault({
  id: 'F2',
  title: 'a relay killed after claim, after start and before mark, after mark',
  weight: 2,
  resources: ['relay'],
  short: [6, 9],
  long: [30, 60],
  recoversWithinSeconds: 35,
  async inflict(world, inflicting) {
    const points = ['after-claim', 'after-start-before-mark', 'after-mark'] as const;
    const deaths = new Map<string, number>();
    for (const point of points) {
      if (inflicting.signal.aborted) break;
      deaths.set(point, await dieAt(world, point, inflicting));
    }
    for (const [point, times] of deaths) {
      if (times === 0) inflicting.problems.push(`no relay died ${point}`);
    }
    await inflicting.heal();
    const what = [...deaths].map(([point, times]) => `${point} ${times}`).join(', ');
    return { happened: Math.min(...deaths.values()), what: `relays that killed themselves: ${what}` };
  },
});

/** A third relay that has only this in mind; started again it is a relay like the others, and another one takes its place. */
async function dieAt(world: ChaosWorld, point: string, { durationMs, signal, short }: Inflicting): Promise<number> {
  const end = performance.now() + durationMs / 3;
  let deaths = 0;
  do {
    const member = await world.fleet.add('relay', { OUTBOX_TEST_FAILPOINT: point });
    try {
      // So that there is something to claim, whatever the flow does; the others may be quicker.
      const died = async () => {
        if (member.starts > 1) return true;
        await world.producer.append(ownEvents(world, 20));
        return false;
      };
      if (await until(died, { withinMs: PATIENCE_MS / 2, signal, everyMs: 200 })) deaths += 1;
    } finally {
      await world.fleet.remove(member);
    }
  } while (!signal.aborted && performance.now() < end && !short);
  return deaths;
}

export const stoppedRelay = defineFault({
  id: 'F5',
  title: 'SIGSTOP a relay past its lease, then SIGCONT',
  weight: 2,
  resources: ['relay', 'temporal'],
  short: [6, 10],
  long: [35, 60],
  recoversWithinSeconds: 40,
  heal: ({ proxies }) => proxies.temporal.heal(),
  async inflict(world, { random, signal, short, problems, heal }) {
    const member = pick(world.fleet.of('relay'), random);
    // Also before it is stopped a run may end before its mark: what it told last, right before, is where counting begins.
    const lastTold = watchLateWrites(member, signal);
    let before: number | null = null;
    let held: readonly Claim[] = [];
    try {
      held = await stopHolding(world, member, { signal, events: short ? 60 : 200 });
      before = lastTold();
      await world.proxies.temporal.heal();
      const left = await untilMoved(world, held, signal);
      if (left > 0) problems.push(`${left} claims of the stopped ${member.name} were not taken over after their lease`);
    } finally {
      lastTold();
      member.kill('SIGCONT');
    }
    await heal();
    let late = 0;
    await until(
      async () => {
        const told = await lateWrites(member);
        if (told !== null && before !== null) late = told - before;
        return late > 0 || before === null;
      },
      { withinMs: PATIENCE_MS / 2, signal },
    );
    if (held.length > 0 && before !== null && late <= 0) {
      problems.push(
        `${member.name} went on with ${held.length} stale claims, and none of its writes was counted as late`,
      );
    }
    return {
      happened: Math.min(held.length, late),
      what: `${held.length} claims that their holder slept over, ${late} late writes counted`,
    };
  },
});

/** SIGSTOP at a moment when it holds claims: those, and it is left stopped. Without any after some tries: none. */
async function stopHolding(
  world: ChaosWorld,
  member: FleetMember,
  { signal, events }: { signal: AbortSignal; events: number },
): Promise<readonly Claim[]> {
  const { proxies, producer } = world;
  // Starts take a moment, so that there is one in which claims are held.
  await proxies.temporal.add('latency', { latency: 700, jitter: 0 }, { stream: 'downstream' });
  for (let tries = 0; tries < 10 && !signal.aborted; tries += 1) {
    await producer.append(ownEvents(world, events));
    await until(async () => (await claimsOf(world)).length > 0, { withinMs: 5_000, signal, everyMs: 20 });
    member.kill('SIGSTOP');
    const tokens = new Set((await claimsOf(world)).map(({ token }) => token));
    await sleep(MARKED_WITHIN_MS, signal);
    // No column says whose a token is. The others have marked theirs once they have started what came after it; what still
    // stands then, and after another while, is the stopped one's.
    if (await othersWentOn(world, signal)) {
      await sleep(MARKED_WITHIN_MS, signal);
      const held = (await claimsOf(world)).filter(({ token }) => tokens.has(token));
      if (held.length > 0) return held;
    }
    member.kill('SIGCONT');
  }
  member.kill('SIGSTOP');
  return [];
}

/** A mark or release that met no row: another relay has it (fenced), or its run had ended (overtaken). null: it does not answer. */
async function lateWrites(member: FleetMember): Promise<number | null> {
  const fenced = await metric(member, 'outbox_fenced_writes_total');
  const overtaken = await metric(member, 'outbox_overtaken_events_total');
  return fenced === null || overtaken === null ? null : fenced + overtaken;
}

/** Asks all the time until it is asked for what came last, which it keeps to. */
function watchLateWrites(member: FleetMember, signal: AbortSignal): () => number | null {
  let last: number | null = null;
  let over = false;
  void (async () => {
    while (!over && !signal.aborted) {
      const told = await lateWrites(member);
      if (!over && told !== null) last = told;
      await sleep(50, signal);
    }
  })();
  return () => {
    over = true;
    return last;
  };
}

interface Claim {
  readonly id: string;
  readonly token: string;
}

async function claimsOf({ outbox }: ChaosWorld): Promise<readonly Claim[]> {
  const { rows } = await outbox.query<Claim>(
    "SELECT event_id AS id, lease_token AS token FROM outbox.delivery WHERE status = 'PENDING' AND lease_token IS NOT NULL",
  );
  return rows;
}

/** How many still stand as they were claimed, a lease and a poll later. */
async function untilMoved(world: ChaosWorld, claims: readonly Claim[], signal: AbortSignal): Promise<number> {
  let left = claims.length;
  const tokens = new Set(claims.map(({ token }) => token));
  await until(
    async () => {
      left = (await claimsOf(world)).filter(({ token }) => tokens.has(token)).length;
      return left === 0;
    },
    { withinMs: leaseMs(world) + TAKEN_OVER_MS, signal, everyMs: 250 },
  );
  return signal.aborted ? 0 : left;
}

/** Whether a relay that runs has claimed, started and marked what is appended now. */
async function othersWentOn(world: ChaosWorld, signal: AbortSignal): Promise<boolean> {
  const later = ownEvents(world, 4);
  await world.producer.append(later);
  const settled = ['STARTED', 'DELIVERED', 'DEAD'] as const;
  const patience = { withinMs: GO_ON_WITHIN_MS, signal, everyMs: 250 };
  return (await untilStatus(world, idsOf(later), settled, patience)).length === 0;
}
