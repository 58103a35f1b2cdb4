// The report: report.json with every run, report.md for people, and the plots.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dotPlot } from './plot.mjs';
import { show } from './run-pairs.mjs';

/** @param {string} folder @param {{ conditions: object, figures: object[] }} report */
export async function writeReport(folder, report) {
  await writeFile(join(folder, 'report.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(folder, 'report.md'), toMarkdown(report));
  for (const [name, svg] of Object.entries(plotsOf(report.figures))) await writeFile(join(folder, name), svg);
}

/** @param {{ figures: object[] }} report */
export function tableOf({ figures }) {
  const rows = figures.map((figure) => {
    if (figure.status !== 'measured') return [figure.title, figure.status, goalOf(figure), '', ''];
    const { value, met, a, b } = figure;
    const verdict = met === null ? '' : met ? 'met' : '**missed**';
    const unit = b === undefined ? ` ${figure.unit}` : '';
    return [
      figure.title,
      `${spreadText(value)}${unit}`,
      [goalOf(figure), verdict].filter(Boolean).join(': '),
      b === undefined ? '' : spreadText(a.spread),
      b === undefined ? '' : `${spreadText(b.spread)} ${figure.unit}`,
    ];
  });
  return toTable(['figure', 'median (least–greatest)', 'goal', 'a', 'b'], rows);
}

function toMarkdown(report) {
  const { conditions, figures } = report;
  const left = figures.filter(({ status }) => status !== 'measured');
  const plots = Object.keys(plotsOf(figures)).map((name) => `![${name}](${name})`);
  return `# Benchmark, ${conditions.startedAt}

A ratio is the median of ratios of pairs, a ÷ b; rates beside it are medians of their own.

${tableOf(report)}

${[...left.map(({ title, status, reason }) => `- ${title}: ${status}. ${reason}`), ...plots].join('\n\n')}

## What each figure tells
${figures.map(({ title, why }) => `- ${title}: ${why}`).join('\n')}

## Contenders
${contendersOf(figures).join('\n')}

## Conditions
${flatten(conditions).join('\n')}
`;
}

function contendersOf(figures) {
  const found = new Map();
  for (const { a, b } of figures) {
    for (const side of [a, b]) if (side !== undefined) found.set(side.label, side.settings);
  }
  return [...found].map(([label, settings]) => {
    const said = Object.entries(settings).map(([key, value]) => `${key} ${value}`);
    return `- ${label}: ${said.join('; ')}`;
  });
}

function flatten(value, path = '') {
  return Object.entries(value).flatMap(([key, one]) => {
    const name = path === '' ? key : `${path}.${key}`;
    if (typeof one === 'object' && one !== null && !Array.isArray(one)) return flatten(one, name);
    return [`- ${name}: ${Array.isArray(one) ? one.join(', ') : one}`];
  });
}

/** By file name. Goals differ by more than an order of magnitude: what is drawn is how far a figure is from its own. */
function plotsOf(figures) {
  const measured = figures.filter(({ status }) => status === 'measured');
  const judged = measured.filter(({ goal }) => goal !== null);
  const toGoal =
    ({ goal }) =>
    (value) =>
      'atLeast' in goal ? value / goal.atLeast : goal.atMost / value;
  const rates = new Map();
  for (const { a, b, unit } of measured) {
    for (const side of [a, b]) {
      if (side === undefined || unit !== 'events/s') continue;
      rates.set(side.label, [...(rates.get(side.label) ?? []), ...side.spread.all]);
    }
  }
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
  };
}

function goalOf({ goal }) {
  if (goal === null) return '';
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}

function spreadText({ median, min, max }) {
  return `${show(median)} (${show(min)}–${show(max)})`;
}

function toTable(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}
