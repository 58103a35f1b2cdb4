/**
 * R21, R22: one tick of the reconciler. Looks after rows that are STARTED and did not move in time: asks Temporal for each
 * run, then puts the row off, dispatches it again or ends it with a letter. Runs under the lease `reconcile`.
 *
 * What it reads may be old by the time it writes: every write names the epoch and the carrier that it is about, so that a
 * run which settles meanwhile wins. It can die after each step: the next tick reads the same facts from Temporal.
 */
import { judgeRun, stopReason, type Verdict } from '../../../domain/delivery/judge-run.js';
import { eventRunId } from '../../../domain/delivery/workflow-ids.js';
import type { AlertDeps } from '../notify/raise-alert.js';
import { endAlert, raiseAlert } from '../notify/raise-alert.js';
import type { DeadLetterInput, LeaseHold } from '../ports.js';
import type { RecordedDeadLetter } from '../record-dead-letter.js';
import type { RelayTime } from '../relay-time.js';
import type { NamespaceGuard } from './namespace-guard.js';
import type { OverdueRow, ReconcileStore, RunInspector, RunLook } from './ports.js';

export interface ReconcileDeps extends AlertDeps {
  readonly store: ReconcileStore;
  readonly runs: RunInspector;
  readonly namespace: NamespaceGuard;
  /** Asks `find` first (R18). */
  readonly recordDeadLetter: (
    input: Omit<DeadLetterInput, 'message'>,
    signal: AbortSignal,
  ) => Promise<RecordedDeadLetter>;
  readonly time: RelayTime;
  readonly count: (name: string, by?: number) => void;
}

export interface ReconcileOptions {
  readonly deployment: string;
  readonly taskQueue: string;
  /** Default 5 min past due. */
  readonly overdueMs?: number;
}

/** Looks at Temporal in one tick, and of these at once. */
const LOOKS = 50;
const AT_ONCE = 10;
const OVERDUE_MS = 300_000;
/** R3: rows moved by an adoption, so many a second. */
const ADOPTED_AT_ONCE = 200;
/** A run that such a worker ended is looked at some two minutes later, and there are no more of them than places. */
const LATELY_MS = 900_000;

export async function reconcileRuns(
  deps: ReconcileDeps,
  { deployment, taskQueue, overdueMs = OVERDUE_MS }: ReconcileOptions,
  hold: LeaseHold,
  signal: AbortSignal,
): Promise<void> {
  const { store, namespace } = deps;
  if (!(await namespace.check())) return;
  // What is not adopted yet is lost, as a person said: it would look like a tick full of lost runs.
  if (await adopt(deps, hold, signal)) return;
  const rows = await store.findOverdue(overdueMs, LOOKS);
  await tellMissingWorkers(deps, taskQueue, rows.length > 0);
  const looks = await lookAtAll(deps, rows, deployment, signal);
  if (signal.aborted || (looks.length > 0 && looks.every(({ look }) => look.kind === 'unknown'))) return;
  // "Not found" means nothing where the namespace itself went away while we looked.
  if (looks.some(({ look }) => look.kind === 'not-found') && !(await namespace.check())) return;
  await tellNotFound(deps, taskQueue, looks, Date.now());
  if (await stops(deps, hold, looks)) return;
  for (const { row, workflowId, look } of looks) {
    if (signal.aborted) return;
    await act({ ...deps, hold, overdueMs, signal }, row, workflowId, look);
  }
}

interface Looked {
  readonly row: OverdueRow;
  readonly workflowId: string;
  readonly look: RunLook;
}

/** Whether rows are left to adopt: somebody else holds them, or the lease, or this process stops. */
async function adopt(deps: ReconcileDeps, hold: LeaseHold, signal: AbortSignal): Promise<boolean> {
  const { store, time, log, count } = deps;
  for (let all = 0; !signal.aborted; ) {
    const { moved, left } = await store.adoptSome(hold, ADOPTED_AT_ONCE);
    all += moved;
    if (moved > 0) count('reconcile_adopted', moved);
    if (!left && all > 0) log.warn({ rows: all }, 'reconcile.adopted');
    if (!left || moved === 0) return left;
    await time.sleep(1_000, signal);
  }
  return true;
}

/** Nobody asks for tasks while rows are overdue: their runs wait, and are neither lost nor stuck. */
async function tellMissingWorkers(deps: ReconcileDeps, taskQueue: string, overdue: boolean): Promise<void> {
  const pollers = await deps.runs.countPollers();
  if (pollers === null) return;
  const name = { kind: 'worker_missing', subject: taskQueue } as const;
  if (pollers > 0) await endAlert(deps, name);
  else if (overdue) await raiseAlert(deps, { ...name, fields: { taskQueue, since: new Date().toISOString() } });
}

/**
 * R19: the event is in this database, so its worker has another one. Nobody knows when the last such worker is mended: it
 * is over once nobody has raised it for a while, so what such a worker left behind long ago must not raise it.
 */
async function tellNotFound(
  deps: ReconcileDeps,
  taskQueue: string,
  looks: readonly Looked[],
  now: number,
): Promise<void> {
  const since = now - LATELY_MS;
  if (!looks.some(({ look }) => look.kind === 'closed' && look.eventNotFound && look.closedAt.getTime() > since))
    return;
  await raiseAlert(deps, { kind: 'event_not_found', subject: taskQueue, fields: { taskQueue } });
}

async function lookAtAll(
  { runs }: ReconcileDeps,
  rows: readonly OverdueRow[],
  deployment: string,
  signal: AbortSignal,
): Promise<readonly Looked[]> {
  const looked: Looked[] = [];
  for (let at = 0; at < rows.length && !signal.aborted; at += AT_ONCE) {
    const some = rows.slice(at, at + AT_ONCE).map(async (row) => {
      const { eventId, epoch, carrier } = row.run;
      const workflowId = carrier ?? eventRunId({ deployment, eventId, epoch });
      return { row, workflowId, look: await runs.look(workflowId) };
    });
    looked.push(...(await Promise.all(some)));
  }
  return looked;
}

/** R21: too many odd ones in a tick are the environment's. Nothing is written until it looks right, or a person adopts. */
async function stops(deps: ReconcileDeps, hold: LeaseHold, looks: readonly Looked[]): Promise<boolean> {
  const { store, log, count } = deps;
  const reason = stopReason(looks.map(({ look }) => look));
  const changed = await store.setStop(hold, reason);
  const stuck = looks.filter(({ look }) => look.kind === 'running' && look.stuck).map(({ workflowId }) => workflowId);
  const stuckName = { kind: 'workflows_stuck', subject: '' } as const;
  if (stuck.length === 0) await endAlert(deps, stuckName);
  else {
    const fields = { count: stuck.length, workflowIds: stuck.slice(0, 10) };
    await raiseAlert(deps, { ...stuckName, fields });
  }
  if (reason === null) {
    if (changed) log.warn({}, 'reconcile.goes_on');
    await endAlert(deps, { kind: 'reconciler_stopped', subject: '' });
    return false;
  }
  if (changed) {
    count('reconcile_stops');
    log.error({ reason, looks: looks.length, stuck: stuck.length }, 'reconcile.stopped');
  }
  await raiseAlert(deps, { kind: 'reconciler_stopped', subject: '', fields: { reason } });
  return true;
}

type ActDeps = ReconcileDeps & {
  readonly hold: LeaseHold;
  readonly overdueMs: number;
  readonly signal: AbortSignal;
};

async function act(deps: ActDeps, row: OverdueRow, workflowId: string, look: RunLook): Promise<void> {
  const judge = (found: RunLook) => judgeRun(found, row.redispatches, row.run.carrier !== null);
  const verdict = judge(look);
  if (verdict.kind !== 'terminate') return carryOut(deps, row, workflowId, look, verdict);
  if (look.kind !== 'running' || !(await deps.store.mayWrite(deps.hold))) return;
  await deps.runs.terminate(workflowId, look.runId);
  deps.count('reconcile_terminated');
  // Only what its history says counts: a person, or the run itself, may have been quicker.
  const after = await deps.runs.look(workflowId);
  const next = judge(after);
  if (next.kind === 'terminate') return;
  return carryOut(deps, row, workflowId, after, next);
}

async function carryOut(
  deps: ActDeps,
  row: OverdueRow,
  workflowId: string,
  look: RunLook,
  verdict: Exclude<Verdict, { kind: 'terminate' }>,
): Promise<void> {
  const { store, hold, log, count } = deps;
  const { run } = row;
  const fields = { eventId: run.eventId, epoch: run.epoch, workflowId, run: look.kind };
  if (verdict.kind === 'put-off') {
    const rows = await store.putOff(hold, row, deps.overdueMs);
    if (rows > 0) count('reconcile_put_off', rows);
    return;
  }
  const { code } = verdict;
  if (verdict.kind === 'redispatch') {
    const { counted } = verdict;
    const rows = await store.redispatch(hold, run, counted);
    if (rows > 0) count('reconcile_redispatched', rows);
    else count('reconcile_overtaken');
    const redispatches = row.redispatches + (counted ? 1 : 0);
    log.warn({ ...fields, code, redispatches, rows }, 'reconcile.redispatched');
    return;
  }
  if (!(await store.mayWrite(hold))) return;
  const runId = 'runId' in look ? look.runId : null;
  const answer = await deps.recordDeadLetter({ run, code, attempt: null, workflowId, runId }, deps.signal);
  count(answer.kind === 'recorded' ? 'reconcile_letters' : 'reconcile_overtaken');
  log.warn({ ...fields, code, outcome: answer.kind }, 'reconcile.ended');
}
