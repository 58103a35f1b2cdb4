/** Lets everything come to its end: nothing fails any more, every actor goes on, time passes, the reconciler makes its turns. */
import { goOn } from './commands.js';
import { checkEnd } from './invariants.js';
import type { Opened } from './jobs.js';
import { SEATS, type SeatName } from './scene.js';
import type { World } from './world.js';

const WELL: Opened = { outcome: 'ok', choice: 0 };
const MOST_ROUNDS = 30;
const MOST_STEPS = 400;

export async function runOut(world: World): Promise<void> {
  world.trace.push('---- everything is well from here on');
  world.ledger.mood.splice(0);
  for (const { end } of world.open.splice(0)) await end(true);
  await untilOver(world);
  await world.pass(90_000_000);
  await settleDown(world);
  checkEnd(world);
}

async function untilOver(world: World): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round += 1) {
    await settleDown(world);
    if (isOver(world)) return;
    // Past the leases; then so far that the reconciler looks.
    await world.pass(round % 2 === 0 ? 31_000 : 400_000);
  }
}

function isOver(world: World): boolean {
  const open = [...world.books.rows.values()].some(({ status }) => status === 'PENDING' || status === 'STARTED');
  return !open && world.temporal.tasks('waiting').length === 0 && world.temporal.tasks('taken').length === 0;
}

/** Until nobody has anything to do but wait. */
async function settleDown(world: World): Promise<void> {
  let ticked = false;
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    for (const job of world.jobs) {
      const gate = job.gates.find(({ kind }) => kind !== 'sleep');
      if (gate !== undefined) await world.step(job, gate, WELL);
    }
    if ([...world.jobs].some(({ gates, underWay }) => underWay.size > 0 || gates.some(({ kind }) => kind !== 'sleep')))
      continue;
    for (const task of world.temporal.tasks('taken')) world.temporal.timeOut(task, false);
    if (await begins(world, ['worker-1', 'worker-2'])) continue;
    if (!ticked) {
      ticked = true;
      await goOn(world, 'reconciler', 1, WELL);
      for (const seat of ['relay-1', 'relay-2'] as const) await goOn(world, seat, 2, WELL);
      continue;
    }
    return;
  }
  throw new Error(`expected to come to rest within ${MOST_STEPS} rounds:\n  ${world.trace.slice(-60).join('\n  ')}`);
}

async function begins(world: World, seats: readonly SeatName[]): Promise<boolean> {
  for (const seat of seats) {
    if (!SEATS.includes(seat) || world.temporal.tasks('waiting').length === 0) return false;
    await goOn(world, seat, 1, WELL);
  }
  return true;
}
