// One figure: prepares its contenders, lets them take turns, judges the median by the goal.
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { runAlone, runPairs, show, spreadOf } from './run-pairs.mjs';

/** A run that takes so many times --seconds is told before, too. */
const TELL_FROM = 5;

/** Thrown by a contender's `prepare` for what this build does not have: the figure is left out, and says why. */
export class NotAvailableError extends Error {
  name = 'NotAvailableError';
}

/**
 * @param {import('./world.mjs').World} world
 * @param {import('./figures.mjs').Figure} figure
 * @param {{ pairs: number, seconds: number, log: (line: string) => void }} options
 * @returns {Promise<object[]>} the figure, and after it what else its runs have told (`more`)
 */
export async function measureFigure(world, figure, { pairs, seconds, log }) {
  const { title, field = 'perSecond', runs = pairs, scale = 1, more = [] } = figure;
  const rows = [figure, ...more].map((row) => ({
    name: row.name,
    title: row.title,
    why: row.why ?? `From the runs of “${title}”.`,
    goal: row.goal ?? null,
    field: row.field ?? 'perSecond',
    unit: row.unit ?? 'events/s',
  }));
  const contenders = [];
  try {
    const sides = {};
    for (const side of ['a', 'b']) {
      if (figure[side] === undefined) continue;
      const { use, label, options = {}, scale: ownScale = scale } = figure[side];
      const { prepare } = await import(`./contenders/${use}.mjs`);
      const contender = await prepare(world, options);
      contenders.push(contender);
      log(`  ${label} is ready`);
      sides[side] = { label, contender, scale: ownScale, runs: [], endedAt: performance.now() };
    }
    // Both sides live for the whole figure. What one does of its own accord after a run is over before the other's clock starts.
    const before = async (side) => {
      const other = sides[side === 'a' ? 'b' : 'a'];
      const activeForMs = other?.contender.activeForMs ?? 0;
      if (activeForMs > 0 && sides[side].contender.activeForMs === undefined) {
        await sleep(Math.max(0, other.endedAt + activeForMs - performance.now()));
      }
      await world.settle();
    };
    const measure = (side) => async () => {
      const asked = seconds * side.scale;
      if (side.scale >= TELL_FROM) log(`  ${side.label}: about ${Math.round(asked)} s from now`);
      const loadBefore = readMinuteLoad();
      const measured = await side.contender.measure(asked);
      side.endedAt = performance.now();
      const value = measured[field];
      if (!Number.isFinite(value)) throw new Error(`${side.label}: expected a number "${field}", got ${value}`);
      side.runs.push({ ...measured, loadBefore, loadAfter: readMinuteLoad() });
      return value;
    };
    const common = { log: (line) => log(`  ${line}`), before };
    if (sides.b === undefined) await runAlone({ ...common, a: measure(sides.a), runs });
    else await runPairs({ ...common, a: measure(sides.a), b: measure(sides.b), pairs: runs });
    return rows.map((row, at) => judge(toAnswer(row, sides, at === 0), log));
  } catch (error) {
    const status = error instanceof NotAvailableError ? 'skipped' : 'failed';
    log(`  ${status}: ${status === 'skipped' ? error.message : error.stack}`);
    return rows.map((row) => ({ ...row, status, reason: error.message }));
  } finally {
    for (const contender of contenders.reverse()) {
      await contender.close().catch((error) => log(`  not closed: ${error.message}`));
    }
  }
}

/** All runs stand once in the report, with the first figure that is made of them. */
function toAnswer(row, { a, b }, withRuns) {
  const valuesOf = ({ label, runs }) =>
    runs.map((run) => {
      if (!Number.isFinite(run[row.field]))
        throw new Error(`${label}: expected a number "${row.field}", got ${run[row.field]}`);
      return run[row.field];
    });
  const toSide = (side) => ({
    label: side.label,
    name: side.contender.name,
    settings: side.contender.settings,
    spread: spreadOf(valuesOf(side)),
    ...countOf(side),
    ...(withRuns ? { runs: side.runs } : {}),
  });
  const answer = { ...row, status: 'measured', a: toSide(a) };
  if (b === undefined) return { ...answer, value: answer.a.spread };
  const other = toSide(b);
  return { ...answer, b: other, value: spreadOf(answer.a.spread.all.map((value, at) => value / other.spread.all[at])) };
}

/** Of events, or of claims, in a run: a quantile of few is another thing than one of many. */
function countOf({ runs }) {
  const counts = runs.map(({ count }) => count).filter(Number.isFinite);
  return counts.length === 0 ? {} : { count: spreadOf(counts).median };
}

/** Of the last minute: before a run it tells what else the machine had to do. */
function readMinuteLoad() {
  return loadavg()[0];
}

function judge(figure, log) {
  const { goal, value } = figure;
  const { median } = value;
  const met = goal === null ? null : 'atLeast' in goal ? median >= goal.atLeast : median <= goal.atMost;
  log(
    `  ${figure.name}: ${show(median)} (${show(value.min)}–${show(value.max)})${met === false ? ', MISSES ITS GOAL' : ''}`,
  );
  return { ...figure, met };
}
