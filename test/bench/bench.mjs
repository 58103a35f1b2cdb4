// Usage: npm run bench -- [--only NAME,…] [--pairs 5] [--seconds 10] [--out test-results/bench] [--temporal dev|postgres] [--list]
// Every figure is a ratio from runs that take turns on one PostgreSQL (fsync on) and one Temporal server, with its spread; the
// report says under which conditions. A goal that is missed is marked; the exit code is 1 only where a run failed or an event
// was lost.
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { readConditions, readLoad } from './conditions.mjs';
import { FIGURES } from './figures.mjs';
import { measureFigure } from './measure-figure.mjs';
import { tableOf, writeReport } from './report.mjs';
import { openWorld } from './world.mjs';

const HELP = `npm run bench -- [options]
  --only NAME,…           these figures only; a name that ends in * takes all that begin so
  --pairs N               runs of each side (default 5)
  --seconds N             about as long is one run (default 10)
  --out FOLDER            for report.json, report.md and the plots (default test-results/bench)
  --temporal dev|postgres the dev server in memory (default), or a server with PostgreSQL as its store
  --list                  the figures with their goals
  --help`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    out: { type: 'string', default: 'test-results/bench' },
    temporal: { type: 'string', default: 'dev' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const [pairs, seconds] = [values.pairs, values.seconds].map(Number);
const chosen = chooseFigures(values.only);

if (values.help) console.log(HELP);
else if (values.list) for (const { name, title, goal } of FIGURES) console.log(`${name}: ${title}${goalText(goal)}`);
else if (!(pairs >= 1) || !(seconds > 0)) refuse('expected --pairs and --seconds to be numbers above 0');
else if (!['dev', 'postgres'].includes(values.temporal)) refuse('expected --temporal to be dev or postgres');
else if (chosen.length === 0) refuse(`no figure is called ${values.only}; --list tells their names`);
else await run();

async function run() {
  const log = (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`);
  await mkdir(values.out, { recursive: true });
  let world = null;
  // What was started ends with us, and what is on the disk goes, too.
  const stop = async () => {
    process.on('uncaughtException', () => {}); // connections of contenders break below them
    await world?.close().catch((error) => log(error.message));
    process.exit(130);
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  world = await openWorld({ temporal: values.temporal, seconds, log });
  const report = { conditions: null, figures: [] };
  try {
    report.conditions = await readConditions(world, { pairs, seconds, figures: chosen.map(({ name }) => name) });
    for (const figure of chosen) {
      log(`${figure.name}: ${figure.title}`);
      report.figures.push(await measureFigure(world, figure, { pairs, seconds, log }));
      report.conditions.loadAtEnd = readLoad();
      await writeReport(values.out, report); // after each: what was measured stands, whatever comes
    }
  } finally {
    await world.close();
  }
  console.log(`\n${tableOf(report)}\n\n${values.out}: report.json, report.md and the plots`);
  if (report.figures.some(({ status }) => status === 'failed')) process.exitCode = 1;
}

function chooseFigures(only) {
  if (only === undefined) return FIGURES;
  const asked = only.split(',');
  const fits = (name) => asked.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
  return FIGURES.filter(({ name }) => fits(name));
}

function goalText(goal) {
  if (goal === undefined) return '';
  return 'atLeast' in goal ? `, at least ${goal.atLeast}` : `, at most ${goal.atMost}`;
}

function refuse(reason) {
  console.error(`${reason}\n${HELP}`);
  process.exitCode = 64;
}
