/**
 * Memory of each role, as processes of their own, while they drain so large a backlog one event to a run: resident pages, once a
 * second. "Flat" is the slope of a line through what was sampled after the first quarter (pools, caches and compiled code are
 * made in that), in per cent of the median, for ten minutes.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantileOf } from '../run-pairs.mjs';
import { startOurs } from '../start-ours.mjs';

const EVERY_MS = 1_000;
const SETTLING_IN = 0.25;
const TELL_EVERY = 60;

/**
 * @param {import('../world.mjs').World} world
 * @param {import('../start-ours.mjs').OursOptions & { waiting: number }} options
 */
export async function prepare(world, { waiting, ...options }) {
  const size = Math.ceil(waiting / world.shrink);
  const { backlog, ...ours } = await startOurs(world, options);
  let left = 0;
  let paused = false;
  return {
    ...ours,
    settings: { ...ours.settings, waiting: size },
    async measure(seconds) {
      await backlog.fill(size - left, { paused, log: world.log });
      paused = true;
      const samples = [];
      const drained = await backlog.releaseFor(seconds, () => sampleFor(seconds, ours.processes, samples, world.log));
      left = drained.left;
      await backlog.verify({ partly: true });
      const perSecond = drained.count / drained.seconds;
      return { waiting: size, ...drained, perSecond, ...summary(samples, Object.keys(ours.processes)), samples };
    },
  };
}

async function sampleFor(seconds, processes, samples, log) {
  const from = performance.now();
  for (let n = 1; performance.now() - from < seconds * 1_000; n++) {
    await sleep(Math.max(0, from + n * EVERY_MS - performance.now()));
    const sample = { seconds: (performance.now() - from) / 1_000 };
    for (const [role, pid] of Object.entries(processes)) sample[role] = await readMiB(pid);
    samples.push(sample);
    const said = Object.keys(processes).map((role) => `${role} ${Math.round(sample[role])}`);
    if (n % TELL_EVERY === 0) log(`    ${Math.round(sample.seconds)} s: ${said.join(', ')} MiB`);
  }
}

async function readMiB(pid) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))[1]) / 1_024;
}

/** `<role>MostMiB`, and `<role>GrowthPercent`: how much more it would be after ten minutes. */
function summary(samples, roles) {
  const steady = samples.slice(Math.floor(samples.length * SETTLING_IN));
  return Object.fromEntries(
    roles.flatMap((role) => [
      [`${role}MostMiB`, Math.max(...samples.map((sample) => sample[role]))],
      [
        `${role}GrowthPercent`,
        ((slopeOf(steady.map((sample) => [sample.seconds, sample[role]])) * 600) /
          quantileOf(
            steady.map((sample) => sample[role]),
            0.5,
          )) *
          100,
      ],
    ]),
  );
}

/** By least squares. */
function slopeOf(points) {
  const mean = (at) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return covariance / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
