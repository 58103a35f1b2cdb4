/** What may happen, one at a time; fast-check puts it in any order. Whatever has nobody to happen to does nothing. */
import fc from 'fast-check';
import { adoptNamespace } from '../../src/infrastructure/prisma/adopt-namespace.js';
import { startAct, startRelay, startTick } from './actors.js';
import type { Job, Opened, Outcome } from './jobs.js';
import { FINAL, type Mood } from './ledger.js';
import { COALESCED, DEPLOYMENT, SEATS, type SeatName, SINGLE } from './scene.js';
import type { Run, Task } from './temporal.js';
import { startWork } from './worker.js';
import type { World } from './world.js';

/** Nothing is kept beside the world: it is compared with itself, before and after. */
type Model = Record<string, never>;
type Command = fc.AsyncCommand<Model, World>;

const command = (name: string, run: (world: World) => Promise<void>): Command => ({
  check: () => true,
  run: async (_, world) => run(world),
  toString: () => name,
});

/** What the next calls of the destination meet: the same, some times. */
export function moods(): fc.Arbitrary<readonly Mood[]> {
  const outcome = fc.constantFrom('refused' as const, 'lost' as const);
  const choice = fc.oneof(fc.constant(FINAL), fc.nat({ max: 11 }));
  return fc
    .record({ outcome, choice, count: fc.nat({ max: 8 }) })
    .map(({ count, ...mood }) => Array.from({ length: count }, () => mood));
}

const pick = <T>(list: readonly T[], choice: number): T | undefined => list[choice % list.length];

export function commands(): fc.Arbitrary<Iterable<Command>> {
  const choice = fc.nat({ max: 11 });
  const destination = fc.constantFrom(SINGLE, COALESCED, COALESCED);
  const outcome = fc.oneof(
    { weight: 12, arbitrary: fc.constant<Outcome>('ok') },
    { weight: 6, arbitrary: fc.constantFrom<Outcome>('lost', 'refused', 'slow') },
  );
  const go = fc
    .record({
      seat: fc.constantFrom(...SEATS, 'person' as const),
      choice,
      outcome,
      steps: fc.constantFrom(1, 1, 1, 2, 3, 5, 8),
    })
    .map(({ seat, steps, ...opened }) =>
      command(`go(${seat}, ${steps}, ${opened.outcome}, ${opened.choice})`, (world) =>
        goOn(world, seat, steps, opened),
      ),
    );
  const one = (name: string, run: (world: World, choice: number) => Promise<void>) =>
    choice.map((at) => command(`${name}(${at})`, (world) => run(world, at)));
  return fc.commands(
    [
      fc.tuple(destination, fc.boolean(), fc.integer({ min: 1, max: 3 })).map(([to, commits, count]) =>
        command(`append(${to}, ${commits ? 'committed' : 'open'}, ${count})`, async (world) => {
          for (let n = 0; n < count; n += 1) await world.append(to, commits);
        }),
      ),
      fc.boolean().map((commits) => command(`end(${commits})`, async (world) => world.open.shift()?.end(commits))),
      ...[go, go, go, go, go, go, go, go, go],
      moods().map((mood) =>
        command(
          `destination(${mood[0]?.outcome ?? 'well'}, ${mood[0]?.choice ?? 0}, ${mood.length})`,
          async ({ ledger }) => {
            ledger.mood.splice(0, ledger.mood.length, ...mood);
          },
        ),
      ),
      fc.constantFrom(1_000, 31_000, 360_000).map((ms) => command(`pass(${ms})`, async (world) => pass(world, ms))),
      one('crash', crashOne),
      one('timeOut', timeOut),
      one('tire', tire),
      fc.oneof(
        { weight: 3, arbitrary: one('terminate', terminate) },
        { weight: 3, arbitrary: one('forget', forget) },
        { weight: 1, arbitrary: fc.constant(command('loseTemporal()', loseTemporal)) },
      ),
    ],
    { maxCommands: 100, size: 'max' },
  );
}

/** The next steps of who sits there, or of the next one who has any; the last one ends as `opened` says. */
export async function goOn(world: World, asked: SeatName, steps: number, opened: Opened): Promise<void> {
  const from = SEATS.indexOf(asked);
  const seat = [...SEATS.slice(from), ...SEATS.slice(0, from)].find((one) => mayGoOn(world, one)) ?? asked;
  for (let left = steps; left > 0; left -= 1) {
    const job = world.seats.get(seat);
    if (job === undefined || job.state !== 'live') {
      const next = begin(world, seat, opened.choice);
      if (next === null) return;
      world.seats.set(seat, next);
      await world.begun(next);
      continue;
    }
    const awake = job.gates.filter(({ kind }) => kind !== 'sleep');
    const gate = pick(awake, opened.choice) ?? nextSleep(job);
    if (gate === undefined) return;
    await world.step(job, gate, left === 1 ? opened : { ...opened, outcome: 'ok' });
  }
}

function mayGoOn(world: World, seat: SeatName): boolean {
  const job = world.seats.get(seat);
  if (job?.state === 'live') return job.gates.length > 0;
  if (seat === 'person') return world.books.letters.some(({ state }) => state === 'open');
  return !seat.startsWith('worker') || world.temporal.tasks('waiting').length > 0;
}

function nextSleep(job: Job) {
  return job.gates.toSorted((a, b) => (a.until ?? 0) - (b.until ?? 0))[0];
}

function begin(world: World, seat: SeatName, choice: number): Job | null {
  if (seat.startsWith('relay')) return startRelay(world, seat);
  if (seat === 'reconciler') return startTick(world);
  if (seat === 'person') {
    const letter = pick(
      world.books.letters.filter(({ state }) => state === 'open'),
      choice,
    );
    return letter === undefined ? null : startAct(world, letter.id, choice % 5 === 4 ? 'discard' : 'redrive');
  }
  const task = pick(world.temporal.tasks('waiting'), choice);
  return task === undefined ? null : startWork(world, seat, task);
}

async function pass(world: World, ms: number): Promise<void> {
  // What an adoption has read is a moment, which would stay where it was.
  const adopts = [...world.jobs].some(({ gates }) => gates.some(({ label }) => label.startsWith('reconcile_adopt_')));
  if (world.isFree() && !adopts) await world.pass(ms);
}

async function crashOne(world: World, choice: number): Promise<void> {
  const seat = pick(SEATS, choice) as SeatName;
  const job = world.seats.get(seat);
  if (job?.state !== 'live' || job.underWay.size > 0) return;
  world.seats.delete(seat);
  await world.crash(job);
}

/** Of a worker that is dead, or that goes on and does not know. */
async function timeOut(world: World, choice: number): Promise<void> {
  const task: Task | undefined = pick(world.temporal.tasks('taken'), choice);
  if (task === undefined) return;
  world.trace.push(`${task.name} of ${task.run.workflowId} times out`);
  world.temporal.timeOut(task, choice % 2 === 1);
}

async function terminate(world: World, choice: number): Promise<void> {
  const running: readonly Run[] = world.temporal.all().filter(({ state }) => state === 'running');
  const run = pick(running, choice);
  if (run === undefined) return;
  world.trace.push(`${run.workflowId} is terminated`);
  world.temporal.terminate(run);
}

/** A run that Temporal keeps no longer; fewer than what stops the reconciler (R21). */
async function forget(world: World, choice: number): Promise<void> {
  const run = pick(world.temporal.all(), choice);
  if (run === undefined) return;
  world.trace.push(`${run.workflowId} is forgotten`);
  world.temporal.forget(run.workflowId);
}

/** R8: as one whose start was refused four times already. */
async function tire(world: World, choice: number): Promise<void> {
  const idle = [...world.books.rows.values()].filter(({ status, token }) => status === 'PENDING' && token === null);
  const row = pick(idle, choice);
  if (row === undefined || !world.isFree()) return;
  world.trace.push(`${row.id} has been refused four times`);
  await world.pool.query('UPDATE outbox.delivery SET start_tries = 4 WHERE event_id = $1', [row.id]);
}

const NAMESPACE = '0b6a1f5e-3c55-4a8e-9d55-000000000001';

/** R3: another store, and a person who says so. */
async function loseTemporal(world: World): Promise<void> {
  if (!world.isFree()) return;
  world.trace.push('Temporal loses its data, and a person adopts the new one');
  world.temporal.forgetAll();
  await adoptNamespace(world.pool, NAMESPACE, DEPLOYMENT);
}
