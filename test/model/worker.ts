/** A worker: the product's activities, in the context that the SDK gives them. */
import { asyncLocalStorage, Context, type Info } from '@temporalio/activity';
import { createActivities } from '../../activities/create-activities.js';
import { dispatchBatch } from '../../src/application/delivery/coalescing/dispatch-batch.js';
import { dispatchEvent } from '../../src/application/delivery/dispatch-event.js';
import { recordDeadLetter } from '../../src/application/delivery/record-dead-letter.js';
import { createSemaphore } from '../../src/application/delivery/semaphore.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { type Carried, type Job, passGate, startJob } from './jobs.js';
import { log, never, storesOf } from './stores.js';
import type { Run, RunWork, Task } from './temporal.js';
import type { World } from './world.js';

const redactor = createRedactor();

/** One activity of a run, by a worker that has taken it. */
export function startWork(world: World, name: string, task: Task): Job {
  const { temporal } = world;
  const turn = temporal.take(task);
  const { attempt, heartbeat } = task;
  return startJob({ name, actor: 'worker', carried: carriedBy(task.run) }, async (job) => {
    const activities = workerOf(world, job, name);
    let beat: unknown;
    const run = activities[task.name as keyof typeof activities] as (arg: unknown) => Promise<unknown>;
    const told = await asyncLocalStorage
      .run(
        contextOf(task, attempt, heartbeat, (details) => {
          beat = details;
        }),
        () => run(JSON.parse(JSON.stringify(task.arg))),
      )
      .then(
        (answer) => ({ answer }),
        (error: unknown) => ({ error }),
      );
    const { outcome } = await passGate(job, { kind: 'call', label: `report ${task.name} of ${task.run.workflowId}` });
    // Not heard, the server lets it time out.
    if (outcome === 'ok' || outcome === 'slow') temporal.report(task, turn, told, beat);
  });
}

function workerOf(world: World, job: Job, identity: string) {
  const { attempts, batches, effects, letters } = storesOf(world, job);
  const dispatcher = world.ledger.dispatcherOf(job);
  const random = () => 0.5;
  const places = createSemaphore(() => 4);
  const common = { dispatcher, log, random, redactor, onEventNotFound() {} };
  return createActivities({
    ...{ log, identity },
    dispatchEvent: (input) => dispatchEvent({ ...common, attempts, onFencedSettle() {} }, input),
    dispatchBatch: (input) =>
      dispatchBatch({ ...common, batches, placesOf: () => places, lastTookMs: new Map(), onFencedSettle() {} }, input),
    recordDeadLetter: (input, signal) =>
      recordDeadLetter(
        { deadLetters: letters, effects, attempts, finder: world.ledger.finderOf(job), log },
        input,
        signal,
      ),
    notices: { windowMs: 0, giveUpMs: 60_000 },
  } as Parameters<typeof createActivities>[0]);
}

function carriedBy({ work }: Run): Carried {
  const { input } = work;
  if (work.kind === 'batch') return { carrier: work.input.carrier, epochs: new Map(work.input.events) };
  const { eventId, epoch, carrier } = input as Extract<RunWork, { kind: 'event' }>['input'];
  return { carrier, epochs: new Map([[eventId, epoch]]) };
}

function contextOf({ run, local, name }: Task, attempt: number, heartbeatDetails: unknown, beat: (d: unknown) => void) {
  const { workflowId, runId } = run;
  const info = {
    attempt,
    heartbeatDetails,
    isLocal: local,
    activityType: name,
    workflowExecution: { workflowId, runId },
  };
  return new Context(
    info as unknown as Info,
    new Promise<never>(() => {}),
    never,
    beat,
    undefined,
    log as never,
    {} as never,
    {},
  );
}
