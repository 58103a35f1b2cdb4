// The report: report.json with every run, report.md for people, and the plots.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { goalOf, plotsOf } from './report-plots.mjs';
import { show, spreadOf } from './run-pairs.mjs';

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
    const runs = ({ spread, count }) => `${spreadText(spread)}${countText(count)}`;
    return [
      figure.title,
      `${spreadText(value)}${unit}`,
      [goalOf(figure), verdict].filter(Boolean).join(': '),
      b === undefined ? countText(a.count).slice(2) : runs(a),
      b === undefined ? '' : `${runs(b)}; ${figure.unit}`,
    ];
  });
  return toTable(['figure', 'median (least–greatest)', 'goal', 'a, and n of a run', 'b, and n of a run'], rows);
}

function toMarkdown(report) {
  const { conditions, figures } = report;
  const left = figures.filter(({ status }) => status !== 'measured');
  const plots = Object.keys(plotsOf(figures)).map((name) => `![${name}](${name})`);
  return `# Benchmark, ${conditions.startedAt}

A ratio is the median of ratios of pairs, a ÷ b; rates beside it are medians of their own.

${tableOf(report)}

${[...left.map(({ title, status, reason }) => `- ${title}: ${status}. ${reason}`), ...plots].join('\n\n')}

${timesOf(figures)}${processorTimesOf(figures)}${runsOf(figures)}## What each figure tells
${figures.map(({ title, why }) => `- ${title}: ${why}`).join('\n')}

## Contenders
${contendersOf(figures).join('\n')}

## Conditions
${flatten(conditions).join('\n')}
`;
}

/** What is a time of each event or claim: the medians of the runs' quantiles, and of how many. */
function timesOf(figures) {
  const timed = figures.filter(({ a }) => a?.runs?.[0]?.p99Ms !== undefined);
  if (timed.length === 0) return '';
  const rows = timed.map(({ title, a: { runs } }) => {
    const of = (field) => show(spreadOf(runs.map((run) => run[field])).median);
    const counts = runs.map(({ count }) => count);
    const waiting = runs[0].waiting?.toLocaleString('en') ?? '';
    return [title, ...['p50Ms', 'p95Ms', 'p99Ms', 'mostMs'].map(of), `${counts.join(', ')}`, waiting];
  });
  return `## Times, ms\n${toTable(['of', 'p50', 'p95', 'p99', 'most', 'how many, by run', 'waiting'], rows)}\n\n`;
}

/** Medians of the runs. */
function processorTimesOf(figures) {
  const costs = figures.filter(({ a }) => a?.runs?.[0]?.processorSecondsPerThousand !== undefined);
  if (costs.length === 0) return '';
  const of = ({ runs }, name) => show(spreadOf(runs.map((run) => run.processorSecondsPerThousand[name])).median);
  const rows = costs
    .flatMap(({ a, b }) => [a, b])
    .filter((side) => side !== undefined)
    .map((side) => {
      const names = Object.keys(side.runs[0].processorSecondsPerThousand);
      return [side.label, names.map((name) => `${name} ${of(side, name)}`).join(', ')];
    });
  return `## CPU seconds per 1,000 events, by process\n${toTable(['of', 'median'], rows)}\n\n`;
}

/** What else the machine had to do, and what was posted more than once: by run, since one may be what spoils a figure. */
function runsOf(figures) {
  const sides = figures.flatMap(({ name, a, b }) =>
    [a, b].filter((side) => side?.runs).map((side) => ({ name, side })),
  );
  if (sides.length === 0) return '';
  const rows = sides.map(({ name, side: { label, runs } }) => {
    const each = (text) => runs.map(text).join(', ');
    const counted = runs.some(({ postsAgain }) => postsAgain !== undefined);
    return [
      name,
      label,
      each(({ loadBefore, loadAfter }) => `${show(loadBefore)} → ${show(loadAfter)}`),
      counted ? each(({ postsAgain }) => postsAgain) : 'not counted',
      counted ? each(({ replayed }) => replayed) : 'not counted',
    ];
  });
  const head = [
    'figure',
    'side',
    'load of the last minute, before → after',
    'posts beyond one for each of its runs',
    'replayed',
  ];
  return `## Each run\n${toTable(head, rows)}\n\n`;
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

function spreadText({ median, min, max }) {
  return `${show(median)} (${show(min)}–${show(max)})`;
}

function countText(count) {
  return count === undefined ? '' : `, n ${Math.round(count).toLocaleString('en')}`;
}

function toTable(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}
