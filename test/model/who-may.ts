/** The row protocol as a table: which actor may make which row of which (R4, R7, R16, R17, R20, R22). */
import type { Books, Row } from './books.js';
import type { Job } from './jobs.js';
import { runIdOf } from './scene.js';
import type { World } from './world.js';

export interface Move {
  readonly before: Row;
  readonly after: Row;
  readonly books: Books;
}

type Judge = (world: World, job: Job, move: Move) => boolean;

const isOpen = ({ status }: Row) => status === 'PENDING' || status === 'STARTED';
const sameEpoch = ({ before, after }: Move) => before.epoch === after.epoch;
const isFreed = ({ token, carrier }: Row) => token === null && carrier === null;
/** To the relays again, in the next epoch. */
const isAgain = ({ before, after }: Move) =>
  after.status === 'PENDING' && after.epoch === before.epoch + 1 && isFreed(after);
const runs = (world: World, row: Row) => world.temporal.find(runIdOf(row))?.state === 'running';

/** R16: whoever carries the receipt, by event and epoch. */
const settles: Judge = (world, _, move) =>
  sameEpoch(move) &&
  (isOpen(move.before) || move.before.status === 'DEAD') &&
  move.after.status === 'DELIVERED' &&
  move.after.receipt === world.ledger.effects.get(move.before.id)?.receiptId;

const claims: Judge = (_, job, { before, after, books }) =>
  before.status === 'PENDING' &&
  after.status === 'PENDING' &&
  before.epoch === after.epoch &&
  after.token !== null &&
  job.tokens.has(after.token) &&
  before.due <= books.now;
const marks: Judge = (_, job, { before, after }) =>
  before.status === 'PENDING' &&
  after.status === 'STARTED' &&
  before.epoch === after.epoch &&
  before.token !== null &&
  job.tokens.has(before.token) &&
  after.token === null &&
  after.carrier === before.carrier;
const releases: Judge = (_, job, { before, after }) =>
  before.status === 'PENDING' &&
  after.status === 'PENDING' &&
  before.epoch === after.epoch &&
  before.token !== null &&
  job.tokens.has(before.token) &&
  isFreed(after);

/** R17: of a run of this epoch and carrier. */
const carries: Judge = (_, job, { before }) =>
  job.carried?.epochs.get(before.id) === before.epoch && job.carried.carrier === before.carrier && isOpen(before);
const buries: Judge = (_, __, move) => sameEpoch(move) && move.after.status === 'DEAD';
const ofOwnEpoch: Judge = (_, job, { before }) => job.carried?.epochs.get(before.id) === before.epoch;

/** R18: nothing but the doubt, which this does not look at. */
const leaves: Judge = (_, __, { before, after }) =>
  JSON.stringify({ ...before, due: 0, alone: false }) === JSON.stringify({ ...after, due: 0, alone: false });

/** Null: it may. */
export function decide(world: World, job: Job, move: Move): string | null {
  const is = (...judges: Judge[]) => judges.every((judge) => judge(world, job, move));
  switch (job.actor) {
    case 'relay':
      return is(claims) || is(marks) || is(releases) ? null : 'R7: no claim, mark or release of its own';
    case 'worker':
      if (is(ofOwnEpoch, settles) || is(carries, buries) || is(leaves)) return null;
      return is(carries, (_, __, it) => isAgain(it) && it.before.carrier !== null)
        ? null
        : 'R16, R17: not this run’s to write';
    case 'reconciler':
      if (is(settles) || is(leaves)) return null;
      return move.before.status === 'STARTED' && !runs(world, move.before) && (isAgain(move) || is(buries))
        ? null
        : 'R22: no row of a run that has ended';
    case 'person':
      if (is(settles)) return null;
      if (move.before.status !== 'DEAD') return 'R2: a person acts on what is dead';
      if (isAgain(move) && move.after.budget === move.after.epoch) return null;
      return sameEpoch(move) && move.after.status === 'DISCARDED' ? null : 'R2: neither redriven nor discarded';
  }
}

/**
 * What each actor does of its own accord: a model in which one of them never comes shows nothing of it. Left out, since no seed came
 * to them yet: a worker, and a person, that settle what is dead.
 */
export const MOVES = [
  'a relay claims',
  'a relay takes over',
  'a relay marks',
  'a relay releases',
  'a worker settles',
  'a worker buries',
  'a worker lets fall out',
  'the reconciler settles',
  'the reconciler buries',
  'the reconciler dispatches again',
  'a person redrives',
  'a person discards',
] as const;

/** Null: only its time changed, or what this table does not look at. */
export function nameMove({ actor }: Job, move: Move): (typeof MOVES)[number] | null {
  const { before, after } = move;
  const who = actor === 'reconciler' ? 'the reconciler' : (`a ${actor}` as const);
  const does = (() => {
    if (after.status === 'DELIVERED')
      return before.status === 'DEAD' && actor === 'worker' ? 'settles what is dead' : 'settles';
    if (after.status === 'DEAD') return before.status === 'DEAD' ? null : 'buries';
    if (after.status === 'DISCARDED') return 'discards';
    if (after.status === 'STARTED') return before.status === 'PENDING' ? 'marks' : null;
    if (after.epoch > before.epoch)
      return { relay: null, worker: 'lets fall out', reconciler: 'dispatches again', person: 'redrives' }[actor];
    if (after.token === before.token) return null;
    if (after.token === null) return 'releases';
    return before.token === null ? 'claims' : 'takes over';
  })();
  return MOVES.find((name) => name === `${who} ${does}`) ?? null;
}
