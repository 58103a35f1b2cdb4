// One figure: prepares its contenders, lets them take turns, judges the median by the goal.
import { runAlone, runPairs, show, spreadOf } from './run-pairs.mjs';

/** Thrown by a contender's `prepare` for what this build does not have: the figure is left out, and says why. */
export class NotAvailableError extends Error {
  name = 'NotAvailableError';
}

/**
 * @param {import('./world.mjs').World} world
 * @param {import('./figures.mjs').Figure} figure
 * @param {{ pairs: number, seconds: number, log: (line: string) => void }} options
 */
export async function measureFigure(world, figure, { pairs, seconds, log }) {
  const { name, title, why, goal = null, field = 'perSecond', unit = 'events/s', runs = pairs } = figure;
  const answer = { name, title, why, goal, field, unit };
  const contenders = [];
  try {
    const sides = {};
    for (const side of ['a', 'b']) {
      if (figure[side] === undefined) continue;
      const { use, label, options = {} } = figure[side];
      const { prepare } = await import(`./contenders/${use}.mjs`);
      const contender = await prepare(world, options);
      contenders.push(contender);
      log(`  ${label} is ready`);
      sides[side] = { label, contender, runs: [] };
    }
    const measure = (side) => async () => {
      const measured = await side.contender.measure(figure.seconds ?? seconds);
      const value = measured[field];
      if (!Number.isFinite(value)) throw new Error(`${side.label}: expected a number "${field}", got ${value}`);
      side.runs.push(measured);
      return value;
    };
    const common = { log: (line) => log(`  ${line}`), before: world.settle };
    if (sides.b === undefined) {
      const a = await runAlone({ ...common, a: measure(sides.a), runs });
      return judge({ ...answer, status: 'measured', a: toSide(sides.a, a), value: spreadOf(a) }, log);
    }
    const found = await runPairs({ ...common, a: measure(sides.a), b: measure(sides.b), pairs: runs });
    const [a, b] = [toSide(sides.a, found.a), toSide(sides.b, found.b)];
    return judge({ ...answer, status: 'measured', a, b, value: found.ratio }, log);
  } catch (error) {
    const status = error instanceof NotAvailableError ? 'skipped' : 'failed';
    log(`  ${status}: ${status === 'skipped' ? error.message : error.stack}`);
    return { ...answer, status, reason: error.message };
  } finally {
    for (const contender of contenders.reverse()) {
      await contender.close().catch((error) => log(`  not closed: ${error.message}`));
    }
  }
}

function toSide({ label, contender, runs }, values) {
  return { label, name: contender.name, settings: contender.settings, spread: spreadOf(values), runs };
}

function judge(figure, log) {
  const { goal, value } = figure;
  const { median } = value;
  const met = goal === null ? null : 'atLeast' in goal ? median >= goal.atLeast : median <= goal.atMost;
  log(`  ${show(median)} (${show(value.min)}–${show(value.max)})${met === false ? ', MISSES ITS GOAL' : ''}`);
  return { ...figure, met };
}
