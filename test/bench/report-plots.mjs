// The report's plots.
import { dotPlot } from './plot.mjs';
import { linePlot } from './plot-lines.mjs';
import { show } from './run-pairs.mjs';

/** By file name. Goals differ by more than an order of magnitude: what is drawn is how far a figure is from its own. */
export function plotsOf(figures) {
  const measured = figures.filter(({ status }) => status === 'measured');
  const judged = measured.filter(({ goal }) => goal !== null);
  const toGoal =
    ({ goal }) =>
    (value) =>
      // What could be 0 or less is drawn as ten times as good.
      'atLeast' in goal ? value / goal.atLeast : goal.atMost / Math.max(value, goal.atMost / 10);
  const rates = new Map();
  const growth = new Map();
  for (const { a, b, unit } of measured) {
    for (const side of [a, b]) {
      // What is told of the same runs a second time has none.
      if (side?.runs === undefined || unit !== 'events/s') continue;
      const { waiting } = side.settings;
      const [found, key] = waiting === undefined ? [rates, side.label] : [growth, waiting];
      found.set(key, [...(found.get(key) ?? []), ...side.spread.all]);
    }
  }
  const memory = measured.map(({ a }) => a.runs?.[0]).find((run) => run?.samples !== undefined);
  return {
    ...(judged.length === 0
      ? {}
      : {
          'goals.svg': dotPlot({
            title: 'Figures against their goals',
            axis: 'how many times as good as the goal asks (right of the line: met)',
            line: 1,
            rows: judged.map((figure) => ({
              label: figure.title,
              values: figure.value.all.map(toGoal(figure)),
              note: `${show(figure.value.median)}, goal ${goalOf(figure)}`,
              bad: figure.met === false,
            })),
          }),
        }),
    ...(rates.size === 0
      ? {}
      : {
          'rates.svg': dotPlot({
            title: 'Rates of all runs',
            axis: 'events a second, logarithmic',
            logarithmic: true,
            rows: [...rates].map(([label, values]) => ({ label, values })),
          }),
        }),
    ...(growth.size === 0
      ? {}
      : {
          'growth.svg': dotPlot({
            title: 'Rate by what waits, coalesced',
            axis: 'events a second',
            rows: [...growth]
              .sort(([one], [other]) => one - other)
              .map(([waiting, values]) => ({ label: `${waiting.toLocaleString('en')} waiting`, values })),
          }),
        }),
    ...(memory === undefined
      ? {}
      : {
          'memory.svg': linePlot({
            title: `Memory of each role, ${memory.waiting.toLocaleString('en')} waiting at first`,
            x: 'seconds',
            y: 'resident, MiB',
            lines: Object.keys(memory.samples[0])
              .filter((key) => key !== 'seconds')
              .map((role) => ({ label: role, points: memory.samples.map((one) => [one.seconds, one[role]]) })),
          }),
        }),
  };
}

export function goalOf({ goal }) {
  if (goal === null) return '';
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}
