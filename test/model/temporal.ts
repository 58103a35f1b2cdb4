/**
 * Temporal as far as its guarantees go, in memory: one run for an id for as long as it is kept (REJECT_DUPLICATE), activities
 * executed at least once, a local one again only by a replay, runs that are terminated, deleted, or lost with all others. The
 * workflows in it are the product's own.
 */
import { randomUUID } from 'node:crypto';
import { ActivityFailure, ApplicationFailure, RetryState, TimeoutFailure, TimeoutType } from '@temporalio/common';
import type { RunLook } from '../../src/application/delivery/reconcile/ports.js';
import type { DeliverBatchInput, DeliverEventInput } from '../../workflows/contract.js';
import { inRun } from './workflow-sdk.js';

export interface Task {
  readonly run: Run;
  readonly name: string;
  readonly arg: unknown;
  readonly local: boolean;
  attempt: number;
  heartbeat: unknown;
  state: 'waiting' | 'taken' | 'over';
  /** Whose answer counts: that of the last one who took it. */
  turn: number;
  end(answer: unknown): void;
  fail(error: Error): void;
}

export interface Run {
  readonly workflowId: string;
  readonly runId: string;
  readonly work: RunWork;
  state: 'running' | 'completed' | 'failed' | 'terminated';
  closedAt: Date;
  tasks: Task[];
}

export type RunWork =
  | { readonly kind: 'event'; readonly input: DeliverEventInput }
  | { readonly kind: 'batch'; readonly input: DeliverBatchInput };

/** The product's. */
export interface Workflows {
  deliverEvent(input: DeliverEventInput): Promise<unknown>;
  deliverBatch(input: DeliverBatchInput): Promise<unknown>;
}

const copy = <T>(value: T): T => (value === undefined ? value : JSON.parse(JSON.stringify(value)));

/** Events of a first workflow task, and of one that comes after a worker that died in it (R10). */
const FIRST_TASK = 3;
const LATER_TASK = 6;

export function createTemporal(workflows: Workflows) {
  const runs = new Map<string, Run>();
  /** Ids that it ever had a run of: what a person deletes was started all the same. */
  const started = new Set<string>();

  function begin(run: Run, historyLength: number): void {
    // A replay begins anew: what the one before it waits for never comes.
    const tasks: Task[] = [];
    run.tasks = tasks;
    const close = (state: 'completed' | 'failed') => {
      if (run.tasks !== tasks || run.state !== 'running') return;
      run.state = state;
      run.closedAt = new Date();
    };
    const schedule = (of: { readonly name: string; readonly arg: unknown; readonly local: boolean }) =>
      new Promise<unknown>((resolve, reject) => {
        const over = () => void tasks.splice(tasks.indexOf(task), 1);
        const task: Task = {
          ...of,
          run,
          attempt: 1,
          heartbeat: undefined,
          state: 'waiting',
          turn: 0,
          end: (answer) => {
            over();
            resolve(copy(answer));
          },
          fail: (error) => {
            over();
            reject(error);
          },
        };
        tasks.push(task);
      });
    const { work } = run;
    const deliver = () =>
      work.kind === 'event' ? workflows.deliverEvent(copy(work.input)) : workflows.deliverBatch(copy(work.input));
    inRun({ schedule, historyLength }, deliver).then(
      () => close('completed'),
      () => close('failed'),
    );
  }

  return {
    started,
    find: (workflowId: string) => runs.get(workflowId),
    all: () => [...runs.values()],
    start(workflowId: string, work: RunWork): 'started' | 'exists' {
      if (runs.has(workflowId)) return 'exists';
      const state = 'running' as const;
      const run: Run = { workflowId, runId: randomUUID(), work, state, closedAt: new Date(), tasks: [] };
      runs.set(workflowId, run);
      started.add(workflowId);
      begin(run, FIRST_TASK);
      return 'started';
    },
    tasks: (state: Task['state']) =>
      [...runs.values()].flatMap((run) => (run.state === 'running' ? run.tasks.filter((t) => t.state === state) : [])),
    take(task: Task): number {
      task.state = 'taken';
      task.turn += 1;
      return task.turn;
    },
    /** What a worker tells of an activity; too late, nobody listens. */
    report(task: Task, turn: number, told: { answer: unknown } | { error: unknown }, heartbeat: unknown): void {
      if (task.run.state !== 'running' || task.turn !== turn || task.state !== 'taken') return;
      if ('answer' in told) {
        task.end(told.answer);
        return;
      }
      const failure = asFailure(told.error);
      if (task.local || failure.nonRetryable) {
        const state = failure.nonRetryable ? RetryState.NON_RETRYABLE_FAILURE : RetryState.MAXIMUM_ATTEMPTS_REACHED;
        task.fail(new ActivityFailure('failed', task.name, '1', state, 'worker', failure));
        return;
      }
      task.heartbeat = heartbeat === undefined ? task.heartbeat : copy(heartbeat);
      task.attempt += 1;
      task.state = 'waiting';
    },
    /** Its worker is dead, or slower than the time it has: somebody else gets it. `inTask`: a local one, and its worker lives. */
    timeOut(task: Task, inTask: boolean): void {
      task.turn += 1;
      if (!task.local) {
        task.attempt += 1;
        task.state = 'waiting';
      } else if (inTask) {
        const cause = new TimeoutFailure('timed out', undefined, TimeoutType.START_TO_CLOSE);
        task.fail(new ActivityFailure('failed', task.name, '1', RetryState.TIMEOUT, 'worker', cause));
      } else begin(task.run, LATER_TASK);
    },
    terminate(run: Run): void {
      if (run.state !== 'running') return;
      run.state = 'terminated';
      run.closedAt = new Date();
    },
    forget: (workflowId: string) => void runs.delete(workflowId),
    forgetAll: () => runs.clear(),
    look(workflowId: string): RunLook {
      const run = runs.get(workflowId);
      if (run === undefined) return { kind: 'not-found' };
      const { runId, closedAt } = run;
      if (run.state === 'running') return { kind: 'running', stuck: false, runId };
      if (run.state === 'terminated') return { kind: 'terminated', byUs: false, runId };
      return { kind: 'closed', eventNotFound: false, runId, closedAt };
    },
  };
}

export type ModelTemporal = ReturnType<typeof createTemporal>;

/** As it comes over the wire. */
function asFailure(error: unknown): ApplicationFailure {
  if (!(error instanceof ApplicationFailure)) throw error;
  const { message, type, nonRetryable, details } = error;
  return ApplicationFailure.create({
    message,
    type: type ?? null,
    nonRetryable: nonRetryable ?? false,
    details: copy(details ?? []),
  } as Parameters<typeof ApplicationFailure.create>[0]);
}
