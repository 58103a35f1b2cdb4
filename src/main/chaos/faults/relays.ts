/** F1, F2, F5: a relay that dies or stands still while it holds claims. */
import type { ChaosWorld, FleetMember } from '../ports.js';
import { pause } from '../within.js';
import { defineFault, type Inflicting } from './define-fault.js';
import { count, databaseTime, leaseMs, metric, untilStatus } from './look.js';
import { idsOf, ownEvents } from './own-events.js';
import { PATIENCE_MS, pick, until } from './wait.js';

/** Beyond the lease, 30 s by default: a poll, of at most this. */
const TAKEN_OVER_SECONDS = 5;
/** So long it is looked for, to say how late it was. */
const LOOKED_FOR_MS = 60_000;
/** A start that is slowed, and its mark. */
const MARKED_WITHIN_MS = 3_500;
/** Less than what starts are slowed by. */
const STARTS_WITHIN_MS = 150;
/** A start that was under way has its own deadline of five seconds. */
const LATE_WITHIN_MS = 15_000;
/** With the waits around it well within a lease, so that what is held is not taken over meanwhile. */
const GO_ON_WITHIN_MS = 12_000;

export const killedRelay = defineFault({
  id: 'F1',
  title: 'kill -9 a relay at random, two running',
  weight: 3,
  // Whether the other relays went on is seen by events of its own to the ledger.
  resources: ['relay', 'temporal', 'ledger'],
  short: [3, 6],
  long: [20, 60],
  heal: ({ proxies }) => proxies.temporal.heal(),
  async inflict(world, { random, signal, durationMs, short, problems, heal, patience }) {
    const end = performance.now() + durationMs;
    let killed = 0;
    let taken = 0;
    let lateSeconds = 0;
    let last = false;
    while (!last && !signal.aborted) {
      const stopped = await stopHolding(world, random, { signal, events: short ? 60 : 200 });
      const { member, held } = stopped;
      const victim = member.kill('SIGKILL');
      await victim.ended;
      last = short || performance.now() >= end;
      if (last) await heal();
      else await world.proxies.temporal.heal();
      if (held.length > 0) killed += 1;
      const over = await untilMoved(world, stopped, { signal, patience, problems });
      taken += over.moved;
      lateSeconds = Math.max(lateSeconds, over.lateSeconds);
      await victim.nextReady(60_000).catch((error: unknown) => problems.push(String(error)));
    }
    return {
      happened: killed,
      what: `${killed} relays killed with claims of their own, ${taken} claims taken over within ${lateSeconds} s of the end of their lease`,
    };
  },
});

export const killedAtEachStep = defineFault({
  id: 'F2',
  title: 'a relay killed after claim, after start and before mark, after mark',
  weight: 2,
  resources: ['relay'],
  short: [6, 9],
  long: [30, 60],
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
      // So that there is something to claim, whatever the flow does; the others may be quicker. More only once that is taken: what
      // nobody claims since the line is full would fill it further.
      let ids: readonly string[] = [];
      const died = async () => {
        if (member.starts > 1) return true;
        if ((await count(world.outbox, UNCLAIMED, [ids])) > 0) return false;
        const events = ownEvents(world, 20);
        ids = idsOf(events);
        await world.producer.append(events);
        return false;
      };
      if (await until(died, { withinMs: PATIENCE_MS / 2, signal, everyMs: 200 })) deaths += 1;
    } finally {
      await world.fleet.remove(member);
    }
  } while (!signal.aborted && performance.now() < end && !short);
  return deaths;
}

const UNCLAIMED = "outbox.delivery WHERE event_id = ANY ($1::uuid[]) AND status = 'PENDING' AND lease_token IS NULL";

export const stoppedRelay = defineFault({
  id: 'F5',
  title: 'SIGSTOP a relay past its lease, then SIGCONT',
  weight: 2,
  // Whether the other relays went on is seen by events of its own to the ledger.
  resources: ['relay', 'temporal', 'ledger'],
  short: [6, 10],
  long: [35, 60],
  heal: ({ proxies }) => proxies.temporal.heal(),
  async inflict(world, { random, signal, short, problems, heal, patience }) {
    let slept: Slept = { held: 0, late: 0 };
    // A relay that was stopped just as its claim was answered knows of none, and writes nothing; one that was stopped with its last
    // mark on the way holds none any more: lawful, and shows nothing.
    for (let tries = 0; tries < 3 && Math.min(slept.held, slept.late) === 0 && !signal.aborted; tries += 1) {
      slept = await sleepOverLease(world, random, { signal, patience, problems, events: short ? 60 : 200 });
    }
    await heal();
    return {
      happened: Math.min(slept.held, slept.late),
      what: `${slept.held} claims that their holder slept over, ${slept.late} late writes counted`,
    };
  },
});

interface Slept {
  /** Claims that it held as it was stopped. */
  readonly held: number;
  /** Writes of its own that it counted as late after it went on. */
  readonly late: number;
}

async function sleepOverLease(
  world: ChaosWorld,
  random: () => number,
  { signal, patience, problems, events }: Pick<Inflicting, 'signal' | 'patience' | 'problems'> & { events: number },
): Promise<Slept> {
  // Also before it is stopped a run may end before its mark: what it told last, right before, is where counting begins.
  const relays = world.fleet.of('relay');
  const watches = new Map<FleetMember, () => number | null>();
  for (const relay of relays) watches.set(relay, await watchLateWrites(relay, signal));
  let before: number | null = null;
  let stopped: Stopped;
  try {
    stopped = await stopHolding(world, random, { signal, events });
  } finally {
    for (const lastTold of watches.values()) lastTold();
  }
  const { member, held } = stopped;
  try {
    before = watches.get(member)?.() ?? null;
    await world.proxies.temporal.heal();
    await untilMoved(world, stopped, { signal, patience, problems });
  } finally {
    member.kill('SIGCONT');
  }
  let late = 0;
  await until(
    async () => {
      const told = await lateWrites(member);
      if (told !== null && before !== null) late = told - before;
      return late > 0 || before === null;
    },
    { withinMs: LATE_WITHIN_MS, signal },
  );
  return { held: held.length, late };
}

/** A single claim may be the one that is being marked right now. */
const SOME = 5;

interface Stopped {
  /** Left stopped. */
  readonly member: FleetMember;
  readonly held: readonly Claim[];
}

/**
 * SIGSTOP of a relay at a moment when it holds claims. The relays are tried in turn: one that goes on after a stop is slower
 * than the others for a while, and gets nothing. Without any claims after some tries one is left stopped that holds none.
 */
async function stopHolding(
  world: ChaosWorld,
  random: () => number,
  { signal, events }: { signal: AbortSignal; events: number },
): Promise<Stopped> {
  const { proxies, producer } = world;
  const relays = world.fleet.of('relay');
  const first = relays.indexOf(pick(relays, random));
  // Starts take a moment, so that there is one in which claims are held.
  await proxies.temporal.add('latency', { latency: 700, jitter: 0 }, { stream: 'downstream' });
  for (let tries = 0; ; tries += 1) {
    const member = relays[(first + tries) % relays.length] as FleetMember;
    try {
      await producer.append(ownEvents(world, events));
      await until(async () => (await claimsOf(world)).length >= SOME, { withinMs: 5_000, signal, everyMs: 20 });
      // It has its answer by then, and its starts have not.
      await pause(STARTS_WITHIN_MS, signal);
      member.kill('SIGSTOP');
      const tokens = new Set((await claimsOf(world)).map(({ token }) => token));
      await pause(MARKED_WITHIN_MS, signal);
      // No column says whose a token is. The others have marked theirs once they have started what came after it; what still
      // stands then, and after another while, is the stopped one's.
      if (await othersWentOn(world, signal)) {
        await pause(MARKED_WITHIN_MS, signal);
        const held = (await claimsOf(world)).filter(({ token }) => tokens.has(token));
        if (held.length > 0) return { member, held };
      }
      if (tries === 9 || signal.aborted) return { member, held: [] };
    } catch (error) {
      member.kill('SIGCONT'); // no kill ends what stands still now
      throw error;
    }
    member.kill('SIGCONT');
  }
}

/** A mark or release that met no row: another relay has it (fenced), or its run had ended (overtaken). null: it does not answer. */
async function lateWrites(member: FleetMember): Promise<number | null> {
  const fenced = await metric(member, 'outbox_fenced_writes_total');
  const overtaken = await metric(member, 'outbox_overtaken_events_total');
  return fenced === null || overtaken === null ? null : fenced + overtaken;
}

/** Asks all the time until it is asked for what came last, which it keeps to. Resolves once there is a first answer. */
async function watchLateWrites(member: FleetMember, signal: AbortSignal): Promise<() => number | null> {
  let last: number | null = null;
  let over = false;
  void (async () => {
    while (!over && !signal.aborted) {
      const told = await lateWrites(member);
      if (!over && told !== null) last = told;
      await pause(50, signal);
    }
  })();
  await until(async () => last !== null, { withinMs: PATIENCE_MS / 2, signal, everyMs: 20 });
  return () => {
    over = true;
    return last;
  };
}

interface Claim {
  readonly id: string;
  readonly token: string;
  /** When the lease is over. */
  readonly dueAt: Date;
}

async function claimsOf({ outbox }: ChaosWorld): Promise<readonly Claim[]> {
  const { rows } = await outbox.query<Claim>(
    `SELECT event_id AS id, lease_token AS token, due_at AS "dueAt" FROM outbox.delivery
     WHERE status = 'PENDING' AND lease_token IS NOT NULL`,
  );
  return rows;
}

interface Moved {
  /** That were taken over. */
  readonly moved: number;
  /** Beyond its lease, of the last one; 0: none was later than that. */
  readonly lateSeconds: number;
}

/** Until others have taken over what a relay holds that is gone. Later than a poll after its lease is a problem. */
async function untilMoved(
  world: ChaosWorld,
  { member, held }: Stopped,
  { signal, patience, problems }: Pick<Inflicting, 'signal' | 'patience' | 'problems'>,
): Promise<Moved> {
  const waiting = new Set(held);
  let lateMs = 0;
  await until(
    async () => {
      const now = (await databaseTime(world.outbox)).getTime();
      const tokens = new Map((await claimsOf(world)).map(({ id, token }) => [id, token]));
      for (const claim of waiting) {
        if (tokens.get(claim.id) === claim.token) continue;
        lateMs = Math.max(lateMs, now - claim.dueAt.getTime());
        waiting.delete(claim);
      }
      return waiting.size === 0;
    },
    { withinMs: leaseMs(world) + patience * LOOKED_FOR_MS, signal, everyMs: 250 },
  );
  const lateSeconds = Math.round(lateMs / 100) / 10;
  const bound = patience * TAKEN_OVER_SECONDS;
  if (waiting.size > 0) problems.push(`${waiting.size} claims of ${member.name} were not taken over after their lease`);
  if (lateSeconds > bound) {
    problems.push(
      `claims of ${member.name} were to be taken over within ${bound} s of the end of their lease, it took ${lateSeconds} s`,
    );
  }
  return { moved: held.length - waiting.size, lateSeconds };
}

/** Whether a relay that runs has claimed, started and marked what is appended now. */
async function othersWentOn(world: ChaosWorld, signal: AbortSignal): Promise<boolean> {
  const later = ownEvents(world, 4);
  await world.producer.append(later);
  const settled = ['STARTED', 'DELIVERED', 'DEAD'] as const;
  const patience = { withinMs: GO_ON_WITHIN_MS, signal, everyMs: 250 };
  return (await untilStatus(world, idsOf(later), settled, patience)).length === 0;
}
