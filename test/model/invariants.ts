/**
 * What holds after every step, whoever moved: which rows may exist (`checkBooks`), who may change a row to what (`checkStep`),
 * and at the end, when everything has run out (`checkEnd`). Named after rules and invariants: R4, I1.
 */
import { catalogEntry, isErrorCode } from '../../src/domain/delivery/error-catalog.js';
import type { Books, Letter, Row } from './books.js';
import type { Job } from './jobs.js';
import { LEASE_MS, ownRunId, POLICY, runIdOf } from './scene.js';
import { decide, nameMove } from './who-may.js';
import type { World } from './world.js';

export class BrokenInvariant extends Error {
  override readonly name = 'BrokenInvariant';
}

function expectThat(holds: boolean, said: string, world: World): void {
  if (holds) return;
  throw new BrokenInvariant(`${said}\nThe last steps:\n  ${world.trace.slice(-60).join('\n  ')}`);
}

const told = (row: Row | undefined) => (row === undefined ? 'no row' : JSON.stringify(row));

export function checkBooks(world: World): void {
  const { rows, letters, attempts } = world.books;
  const openOf = Map.groupBy(
    letters.filter(({ state }) => state === 'open'),
    ({ event }) => event,
  );
  for (const row of rows.values()) {
    const open = openOf.get(row.id) ?? [];
    const same = open.filter(({ epoch }) => epoch === row.epoch);
    expectThat(
      row.status === 'DEAD' ? open.length === 1 && same.length === 1 : open.length === 0,
      `I1: DEAD and one open letter of its epoch, or neither: ${told(row)}, ${JSON.stringify(open)}`,
      world,
    );
    const effect = world.ledger.effects.get(row.id)?.receiptId;
    expectThat(
      row.status !== 'DELIVERED' || row.receipt === effect,
      `I2: the ledger's receipt is stored: ${told(row)}`,
      world,
    );
    expectThat(
      row.status !== 'STARTED' || world.temporal.started.has(runIdOf(row)),
      `R7: STARTED only where its run was started: ${told(row)}`,
      world,
    );
    const spent = attempts.filter(
      ({ event, epoch, code }) =>
        event === row.id && epoch >= row.budget && isErrorCode(code) && catalogEntry(code).spends,
    ).length;
    expectThat(
      spent <= POLICY.maxAttempts,
      `I6: ${spent} attempts spent of ${POLICY.maxAttempts}: ${told(row)}`,
      world,
    );
  }
  for (const letter of letters) checkLetter(world, letter);
}

function checkLetter(world: World, letter: Letter): void {
  const said = JSON.stringify(letter);
  expectThat(letter.notices === 1, `I4: one notification row for each letter: ${said}`, world);
  if (letter.state !== 'open') return;
  const { code } = letter;
  const spends = isErrorCode(code) && catalogEntry(code).spends && catalogEntry(code).rule.kind !== 'final';
  expectThat(!spends || letter.retries >= letter.max, `I6: a letter only once its budget is spent: ${said}`, world);
  expectThat(
    letter.effect !== 'none' || !world.ledger.effects.has(letter.event),
    `R18: a letter says that there is no effect, and there is one: ${said}`,
    world,
  );
}

export function checkStep(world: World, before: Books, movers: readonly Job[]): void {
  const after = world.books;
  for (const [id, row] of before.rows) {
    const next = after.rows.get(id);
    if (next === undefined) {
      expectThat(false, `I1: the row is gone: ${told(row)}`, world);
      continue;
    }
    expectThat(next.epoch >= row.epoch, `R2: an epoch only grows: ${told(row)} -> ${told(next)}`, world);
    const changed = JSON.stringify({ ...row, due: 0 }) !== JSON.stringify({ ...next, due: 0 });
    // Two at once: either may have moved it, and one after the other.
    if (!changed || movers.length > 1) continue;
    const [mover] = movers;
    const move = { before: row, after: next, books: after };
    const refusal = mover === undefined ? 'nobody moved' : decide(world, mover, move);
    const name = mover === undefined ? null : nameMove(mover, move);
    if (name !== null) world.moves.set(name, (world.moves.get(name) ?? 0) + 1);
    expectThat(
      refusal === null,
      `${refusal}: ${mover?.name ?? ''} (${mover?.ran.join(', ') ?? ''}) made of ${told(row)} ${told(next)}`,
      world,
    );
  }
  for (const job of movers) {
    if (job.ran.some((label) => LOADS.has(label))) job.loaded = after;
    if (job.ran.includes('relay-claim')) noteClaims(world, before, job);
    checkNotes(world, job);
  }
}

/** Statements by which a run looks at what it carries. */
const LOADS = new Set(['delivery_load_event', 'delivery_begin_attempt', 'batch_load']);

/** R4: a row has one holder for as long as the lease lasts. */
function noteClaims(world: World, before: Books, job: Job): void {
  for (const row of world.books.rows.values()) {
    const { token } = row;
    const was = before.rows.get(row.id);
    if (token === null || was?.token === token || !job.tokens.has(token)) continue;
    const heldSince = was?.token == null || was.epoch !== row.epoch ? undefined : world.claimedAt.get(was.token);
    expectThat(
      heldSince === undefined || heldSince + LEASE_MS <= world.now(),
      `R4: claimed while another's lease lasts: ${told(was)} -> ${told(row)}`,
      world,
    );
    expectThat(
      row.carrier === null || !world.temporal.started.has(ownRunId(row.id, row.epoch)),
      `R20: put into a batch while a run of its own was started in this epoch: ${told(row)}`,
      world,
    );
    world.claimedAt.set(token, world.now());
  }
}

/** What a job has heard from its own calls, against what stands. */
function checkNotes(world: World, job: Job): void {
  for (const note of job.notes) {
    if (note.kind === 'settled') {
      const row = world.books.rows.get(note.eventId);
      const over = row === undefined || row.epoch !== note.epoch || row.status === 'DISCARDED';
      expectThat(
        over || (note.superseded !== true && row.status === 'DELIVERED'),
        `R16: a receipt of this epoch settles: ${job.name} was told "${note.superseded ? 'superseded' : 'settled'}" of ${told(row)}`,
        world,
      );
      continue;
    }
    const { carried } = job;
    for (const id of note.eventIds) {
      const row = job.loaded?.rows.get(id);
      const carries =
        row !== undefined &&
        carried?.epochs.get(id) === row.epoch &&
        row.carrier === carried.carrier &&
        (row.status === 'PENDING' || row.status === 'STARTED');
      expectThat(carries, `R15: ${job.name} sends what its run did not carry: ${told(row)}`, world);
    }
  }
}

export function checkEnd(world: World): void {
  const { rows, letters } = world.books;
  for (const id of world.committed) {
    const row = rows.get(id);
    const ended = row?.status === 'DELIVERED' || row?.status === 'DEAD' || row?.status === 'DISCARDED';
    expectThat(ended, `I1: an event is left: ${told(row)}`, world);
  }
  for (const row of rows.values()) {
    const run = world.temporal.find(runIdOf(row));
    expectThat(run?.state !== 'running', `I1: a run goes on without an event: ${told(row)}`, world);
    expectThat(row.token === null, `R7: a settled row has no token: ${told(row)}`, world);
  }
  for (const id of world.ledger.effects.keys()) {
    expectThat(rows.has(id), `I3: an effect of an event that was never committed: ${id}`, world);
  }
  const both = letters.filter(({ event, state }) => state === 'open' && rows.get(event)?.status === 'DELIVERED');
  expectThat(both.length === 0, `I1: delivered, with an open letter: ${JSON.stringify(both)}`, world);
  const standing = letters.filter(({ event, state }) => state === 'open' && world.ledger.effects.has(event));
  expectThat(
    standing.length === 0,
    `R18: its effect stands, and the letter is open: ${JSON.stringify(standing)}`,
    world,
  );
}
