// Usage: node test/bench/try-settings.mjs CONTENDER '[{…}, {…}]' [--rounds 5] [--seconds 2]
// Short trials of one contender's options that take turns: how its best settings were found. Prints the median rate of each and
// its CPU seconds for 1,000 events, of PostgreSQL and the contender's processes: on few cores the one that needs least is the
// fastest, and it depends less on what else the machine does.
import { parseArgs } from 'node:util';
import { readProcessorTime, readProcessorTimeOfTree } from './processor-time.mjs';
import { show, spreadOf } from './run-pairs.mjs';
import { openWorld } from './world.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '2' } },
});
const [use, list = '[{}]'] = positionals;
const [rounds, seconds] = [values.rounds, values.seconds].map(Number);
const { prepare } = await import(`./contenders/${use}.mjs`);
const world = await openWorld();
const trials = [];
try {
  for (const options of JSON.parse(list)) {
    trials.push({ options, contender: await prepare(world, options), rates: [], cpu: [] });
  }
  for (let round = 0; round < rounds; round++) {
    for (const trial of round % 2 === 0 ? trials : [...trials].reverse()) {
      const before = readTimes(trial.contender);
      const { perSecond, count } = await trial.contender.measure(seconds);
      trial.rates.push(perSecond);
      trial.cpu.push(((readTimes(trial.contender) - before) / count) * 1_000);
    }
  }
  for (const { options, rates, cpu } of trials) {
    const [rate, used] = [rates, cpu].map(spreadOf);
    const ranges = `${show(rate.min)}–${show(rate.max)} events/s, CPU s per 1,000: ${show(used.median)} (${show(used.min)}–${show(used.max)})`;
    console.log(`${show(rate.median)} (${ranges}) ${JSON.stringify(options)}`);
  }
} finally {
  for (const { contender } of trials) await contender.close();
  await world.close();
}

/** With the appending: it is the same for all options. */
function readTimes({ processes }) {
  const own = Object.values(processes).reduce((sum, pid) => sum + readProcessorTime(pid), 0);
  return own + readProcessorTimeOfTree(world.postgres.pid);
}
