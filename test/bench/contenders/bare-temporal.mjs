/**
 * Bare Temporal: a workflow with one empty activity, and of all else what ours has: SDK, worker options, start options, search
 * attributes, memo, static summary and details, input. Started 50 at once, as our relay does. `regular` and `local` have the
 * starter and the worker in processes of their own, as our roles apart; `local-eager` both in one process on one connection, and
 * so has every shape with `processes: 1`, which suits `regular` better on two cores.
 *
 * Nothing is asked of the server while the clock runs: the activity counts in its own process and tells when the last one ran,
 * and start and end are the server's own times, read from visibility afterwards: the first start to the last close. A fixed
 * count, so that every run can be found closed.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { fixCount } from '../fixed-count.mjs';
import { startNode } from '../node-process.mjs';
import { steadyRate } from '../run-pairs.mjs';

const PROCESS = fileURLToPath(new URL('bare-process.mjs', import.meta.url));
const WORKFLOWS = fileURLToPath(new URL('bare-workflow.mjs', import.meta.url));
const LATE_MS = 60_000;

const bundles = new Map();
let namespaces = 0;

/**
 * @param {import('../world.mjs').World} world
 * @param {{ shape?: 'regular' | 'local' | 'local-eager', processes?: 1 | 2, startsAtOnce?: number }} options
 */
export async function prepare(world, { shape = 'local', processes, startsAtOnce = 50 } = {}) {
  const eager = shape === 'local-eager';
  const together = eager || processes === 1;
  namespaces += 1;
  const namespace = await world.temporal.namespace(`bare-${namespaces}`);
  const given = {
    address: world.temporal.address,
    namespace,
    taskQueue: 'outbox-bench',
    bundle: await bundleIn(world.folder),
    eager,
    local: shape !== 'regular',
    startsAtOnce,
  };
  const started = [];
  const close = async () => {
    for (const one of started.splice(0)) await one.stop();
  };
  try {
    for (const roles of together ? [['starter', 'worker']] : [['worker'], ['starter']]) {
      started.push(
        await startNode({
          title: `bare ${roles.join(' and ')}`,
          args: [PROCESS, JSON.stringify({ ...given, roles })],
          ipc: true,
          started: (line) => (line?.msg === 'ready' ? true : undefined),
        }),
      );
    }
    const [worker, starter] = [started[0], started.at(-1)];
    const client = new Client({ connection: world.temporal.connection, namespace });
    const parts = { worker, starter, client };
    const { window } = world;
    const measure = await fixCount((count, expectedSeconds) => startAndWait(parts, { count, expectedSeconds, window }));
    return {
      name: `bare Temporal, ${shape}`,
      settings: {
        processes: together ? 'starter and worker in one' : 'starter + worker',
        eagerStart: eager,
        startsAtOnce,
        otherwise: 'worker and start options, search attributes, memo and input as ours',
      },
      processes: Object.fromEntries(started.map(({ pid }, at) => [at === 0 ? 'worker' : 'starter', pid])),
      measure,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** One for all bare contenders of a session. */
function bundleIn(folder) {
  if (!bundles.has(folder)) bundles.set(folder, makeBundle(join(folder, 'bare-workflow-bundle.js')));
  return bundles.get(folder);
}

async function makeBundle(path) {
  const { code } = await bundleWorkflowCode({ workflowsPath: WORKFLOWS, logger: new DefaultLogger('WARN') });
  await writeFile(path, code);
  return path;
}

async function startAndWait({ worker, starter, client }, { count, expectedSeconds, window }) {
  const failed = Promise.race([worker.failed, starter.failed]);
  const told = (process, what) => Promise.race([messageOf(process, what), failed]);
  const expecting = told(worker, 'expecting');
  worker.child.send({ expect: count });
  await expecting;
  const since = new Date().toISOString();
  const all = Promise.all([told(worker, 'done'), told(starter, 'started')]);
  window.opened();
  starter.child.send({ start: count });
  const [, { eager }] = await within(all, expectedSeconds * 2_000 + LATE_MS, `${count} runs of bare Temporal`);
  window.closed();
  const { first, closed } = await readTimes(client, { since, count });
  const seconds = closed.at(-1) - first;
  return { count, seconds, perSecond: count / seconds, steadyPerSecond: steadyRate(closed), eagerStarts: eager };
}

function messageOf({ child }, what) {
  return new Promise((resolve) => {
    const hear = (message) => {
      if (!(what in message)) return;
      child.off('message', hear);
      resolve(message);
    };
    child.on('message', hear);
  });
}

/** Visibility is written a moment later than the run closes. Seconds. @throws Error unless all have completed */
async function readTimes(client, { since, count }) {
  const query = `WorkflowType = 'deliverEvent' AND StartTime >= '${since}'`;
  for (const deadline = Date.now() + LATE_MS; ; await sleep(100)) {
    const { count: completed } = await client.workflow.count(`${query} AND ExecutionStatus = 'Completed'`);
    if (completed === count) break;
    if (Date.now() > deadline) throw new Error(`started ${count} runs, found ${completed} completed`);
  }
  const runs = [];
  for await (const run of client.workflow.list({ query, pageSize: 1_000 })) runs.push(run);
  const seconds = (time) => time.getTime() / 1_000;
  return {
    first: Math.min(...runs.map(({ startTime }) => seconds(startTime))),
    closed: runs.map(({ closeTime }) => seconds(closeTime)).sort((a, b) => a - b),
  };
}

async function within(promise, ms, what) {
  const late = new AbortController();
  const tooLate = sleep(ms, null, { signal: late.signal }).then(() => Promise.reject(new Error(`${what}: too late`)));
  try {
    return await Promise.race([promise, tooLate]);
  } finally {
    late.abort();
    tooLate.catch(() => {});
  }
}
