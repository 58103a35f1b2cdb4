// Usage: npm run bench -- --help
// Every figure is a ratio from runs that take turns on one PostgreSQL (fsync on) and one Temporal server, with its spread, or
// stands alone (a latency, a cost); the report says under which conditions. A goal that is missed is marked; the exit code is 1
// only where a run failed or an event was lost.
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { readConditions, readLoad } from './conditions.mjs';
import { FIGURES } from './figures.mjs';
import { measureFigure } from './measure-figure.mjs';
import { tableOf, writeReport } from './report.mjs';
import { openWorld } from './world.mjs';

const HELP = `npm run bench -- [options]
  --only NAME,…           these figures only, long ones too; a name that ends in * takes all that begin so
  --long                  those that take many minutes each, too: backlogs of a million, a snapshot held, idling, memory
  --pairs N               runs of each side (default 5); a figure may have its own number
  --seconds N             about as long is one run (default 10). Some take a multiple, told by --list: at 10 a snapshot is held
                          for five minutes, memory is watched for ten, a backlog is drained for one
  --shrink N              backlogs of a million, and the others, are an Nth of that (default 1): to try things out, no figure
  --out FOLDER            for report.json, report.md and the plots (default test-results/bench)
  --temporal dev|postgres the dev server in memory (default), or a server with PostgreSQL as its store
  --list                  the figures with their goals
  --help

Figures: composed-*, apart-* and coalesced-N beside bare Temporal; coalesced-*, composed-bare-single and relay-alone* beside what does
the same without it; wal-* and cost-* what an event costs in the databases and in CPU; actions-* in Temporal; latency-N and
first-after-idle from commit to record; growth-*, claim-*, held-snapshot, relays-N and memory-api (all roles) what changes with what
waits. A run that finds an event lost, or stored twice, or many posted again, fails its figure. adaptive-200 is what adaptive
coalescing keeps of always. Growth at a million needs some 10 GB of disk.`;

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    pairs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    out: { type: 'string', default: 'test-results/bench' },
    temporal: { type: 'string', default: 'dev' },
    long: { type: 'boolean', default: false },
    shrink: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const [pairs, seconds, shrink] = [values.pairs, values.seconds, values.shrink].map(Number);
const chosen = chooseFigures(values);

if (values.help) console.log(HELP);
else if (values.list) for (const figure of FIGURES) console.log(describe(figure));
else if (!(pairs >= 1) || !(seconds > 0)) refuse('expected --pairs and --seconds to be numbers above 0');
else if (!(shrink >= 1)) refuse('expected --shrink to be a number from 1');
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
  world = await openWorld({ temporal: values.temporal, seconds, shrink, log });
  const report = { conditions: null, figures: [] };
  try {
    report.conditions = await readConditions(world, {
      pairs,
      seconds,
      shrink,
      figures: chosen.map(({ name }) => name),
    });
    for (const figure of chosen) {
      log(`${figure.name}: ${figure.title}`);
      report.figures.push(...(await measureFigure(world, figure, { pairs, seconds, log })));
      report.conditions.loadAtEnd = readLoad();
      await writeReport(values.out, report); // after each: what was measured stands, whatever comes
    }
  } finally {
    await world.close();
  }
  console.log(`\n${tableOf(report)}\n\n${values.out}: report.json, report.md and the plots`);
  if (report.figures.some(({ status }) => status === 'failed')) process.exitCode = 1;
}

function chooseFigures({ only, long }) {
  if (only === undefined) return FIGURES.filter((figure) => long || figure.long !== true);
  const asked = only.split(',');
  const fits = (name) => asked.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one));
  return FIGURES.filter(({ name }) => fits(name));
}

function describe({ name, title, goal, scale = 1, long = false, runs, more = [] }) {
  const notes = [
    ...(scale === 1 ? [] : [`${scale} × --seconds a run`]),
    ...(runs === undefined ? [] : [`${runs} run${runs === 1 ? '' : 's'}`]),
    ...(long ? ['long'] : []),
  ];
  const told = more.map((row) => `\n    also ${row.name}: ${row.title}${goalText(row.goal)}`);
  return `${name}: ${title}${goalText(goal)}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}${told.join('')}`;
}

function goalText(goal) {
  if (goal === undefined) return '';
  return 'atLeast' in goal ? `, at least ${goal.atLeast}` : `, at most ${goal.atMost}`;
}

function refuse(reason) {
  console.error(`${reason}\n${HELP}`);
  process.exitCode = 64;
}
