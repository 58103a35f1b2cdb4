/**
 * R21, R22 on a real Temporal and PostgreSQL: runs that are terminated, deleted, stuck, closed or waiting, and what one turn
 * of the reconciler does about them. The dispatcher and `find` are scripted. A race is held open by a step between what is
 * read and what is written, never by time. Rows are overdue from the moment they are due.
 */
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import type { Alert, AlertName } from '../../src/application/delivery/notify/alert-ports.js';
import type { EffectFinder, FoundEffect, LeaseHold } from '../../src/application/delivery/ports.js';
import type { RunInspector } from '../../src/application/delivery/reconcile/ports.js';
import { reconcileRuns } from '../../src/application/delivery/reconcile/reconcile-runs.js';
import { recordDeadLetter } from '../../src/application/delivery/record-dead-letter.js';
import { systemTime } from '../../src/application/delivery/relay-time.js';
import { batchRunId } from '../../src/domain/delivery/workflow-ids.js';
import { adoptNamespace } from '../../src/infrastructure/prisma/adopt-namespace.js';
import { createLeaseStore } from '../../src/infrastructure/prisma/lease-store.js';
import { createReconcileStore } from '../../src/infrastructure/prisma/reconcile-store.js';
import { createRunInspector } from '../../src/infrastructure/temporal/run-inspector.js';
import {
  claimed,
  createDeliveryLine,
  createDeliveryStore,
  createScriptedDispatcher,
  type DeliveryLine,
  type DeliveryStore,
  type LineOptions,
  RECEIPT,
  silentLog,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';

const { dispatcher, modes } = createScriptedDispatcher();
let store: DeliveryStore;
const lines: DeliveryLine[] = [];

beforeEach(async () => {
  store = await createDeliveryStore();
  await store.pool.query("INSERT INTO outbox.deployment (name) VALUES ('test') ON CONFLICT DO NOTHING");
});
afterEach(async () => {
  await Promise.all(lines.splice(0).map((line) => line.stop()));
  await store.close();
});

async function lineOf(options: Partial<LineOptions> = {}) {
  const line = await createDeliveryLine({ store, dispatcher, ...options });
  const stop = line.stop.bind(line);
  let stopped: Promise<void> | undefined;
  const own = {
    ...line,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
  lines.push(own);
  return own;
}

async function reconcilerOf(
  line: DeliveryLine,
  more: {
    runs?: Partial<RunInspector>;
    /** Around those of Temporal. */
    recorded?: (runs: RunInspector) => Partial<RunInspector>;
    find?: () => Promise<FoundEffect>;
    ours?: () => boolean;
  } = {},
) {
  const hold: LeaseHold = { name: 'reconcile', holder: randomUUID() };
  await createLeaseStore(store.pool).take(hold, 600_000);
  const counters: Record<string, number> = {};
  const raised = new Map<string, Alert>();
  const nameOf = ({ kind, subject }: AlertName) => `${kind}:${subject}`;
  const finder: EffectFinder = { find: more.find ?? (async () => ({ kind: 'none' })) };
  const { deadLetters, effects, attempts } = store;
  const runs = createRunInspector({
    connection: line.connection,
    namespace: 'default',
    taskQueue: line.taskQueue,
    identity: 'test',
    stuckAfter: 1,
  });
  // A turn leaves alone what nobody answered for: here only for seconds, so it is asked again.
  const knownLook = (workflowId: string) =>
    eventually('an answer about a run', async () => {
      const look = await runs.look(workflowId);
      return look.kind === 'unknown' ? null : look;
    });
  const ours = more.ours ?? (() => true);
  const deps = {
    alerts: {
      raise: async (alert: Alert) => void raised.set(nameOf(alert), alert),
      end: async (name: AlertName) => void raised.delete(nameOf(name)),
    },
    log: silentLog,
    store: createReconcileStore(store.pool),
    runs: { ...runs, look: knownLook, ...more.recorded?.(runs), ...more.runs },
    namespace: { check: async () => ours(), isOurs: ours },
    recordDeadLetter: (input: Parameters<typeof recordDeadLetter>[1], signal: AbortSignal) =>
      recordDeadLetter({ deadLetters, effects, attempts, finder, log: silentLog }, input, signal),
    time: { ...systemTime, sleep: async () => {} },
    count: (name: string, by = 1) => {
      counters[name] = (counters[name] ?? 0) + by;
    },
  };
  const options = { deployment: line.deployment, taskQueue: line.taskQueue, overdueMs: 0 };
  return {
    runs,
    hold,
    counters,
    alerts: () => [...raised.keys()],
    turn: (by = hold) => reconcileRuns(deps, options, by, new AbortController().signal),
  };
}

/** STARTED at epoch 0, its run started and waiting for a worker that never comes. */
async function waitingRun(line: DeliveryLine) {
  const id = await store.append();
  await line.start(id);
  return id;
}
async function remove(line: DeliveryLine, id: string, epoch = 0) {
  const { workflowId } = line.run(id, epoch);
  const execution = { namespace: 'default', workflowExecution: { workflowId } };
  await line.connection.workflowService.deleteWorkflowExecution(execution);
  await eventually('the run gone', () =>
    line
      .run(id, epoch)
      .describe()
      .then(
        () => false,
        (error: Error) => error.name === 'WorkflowNotFoundError',
      ),
  );
}
const markStarted = (id: string) =>
  store.pool.query(`UPDATE outbox.delivery SET status = 'STARTED', started_at = now() WHERE event_id = $1`, [id]);
const row = (id: string) =>
  store.one<{ status: string; epoch: number; redispatches: number; later: boolean }>(
    'SELECT status, epoch, redispatches, due_at > now() AS later FROM outbox.delivery WHERE event_id = $1',
    id,
  );
const stopped = () => store.one("SELECT stopped_reason AS reason FROM outbox.lease WHERE name = 'reconcile'");

it('R22, F29: terminated by a person: a letter, and no other run', async () => {
  const line = await lineOf({ run: false });
  const id = await waitingRun(line);
  const { turn, counters } = await reconcilerOf(line);
  await line.run(id).terminate('by hand');
  await turn();
  expect(await store.letters(id)).toMatchObject([
    { code: 'WORKFLOW.TERMINATED', state: 'open', workflow_id: line.run(id).workflowId, run_id: expect.any(String) },
  ]);
  expect(await row(id)).toMatchObject({ status: 'DEAD', epoch: 0 });
  expect(await store.notifications(id)).toHaveLength(1);
  expect(counters).toMatchObject({ reconcile_letters: 1 });
  await turn();
  expect(await store.letters(id)).toHaveLength(1);
});

it('R18, R22: terminated after the POST, and the effect stands: delivered, no letter', async () => {
  const line = await lineOf({ run: false });
  const id = await waitingRun(line);
  const { turn } = await reconcilerOf(line, { find: async () => ({ kind: 'stands', receipt: RECEIPT }) });
  await line.run(id).terminate();
  await turn();
  expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', receipt: { id: RECEIPT.id } });
  expect(await store.letters(id)).toEqual([]);
});

it('R22: its run is gone: dispatched again under the next epoch, delivered once', async () => {
  const idle = await lineOf({ run: false });
  const id = await waitingRun(idle);
  await remove(idle, id);
  const { turn } = await reconcilerOf(idle);
  await turn();
  expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 1 });
  const line = await lineOf({ deployment: idle.deployment });
  await markStarted(id);
  await line.start(id, { epoch: 1 });
  expect(await line.run(id, 1).result()).toMatchObject({ kind: 'delivered' });
  await turn();
  expect(await row(id)).toMatchObject({ status: 'DELIVERED', epoch: 1 });
  expect(modes(id)).toHaveLength(1);
});

it('R22: closed without a word in the row: dispatched again; the fourth time without a person it is a letter', async () => {
  const superseded = { dispatchEvent: async () => ({ kind: 'superseded' as const }) };
  const line = await lineOf({
    activities: { ...superseded, recordDeadLetter: async () => ({ kind: 'superseded' as const }) },
  });
  const { turn } = await reconcilerOf(line);
  const id = await store.append();
  for (const epoch of [0, 1, 2, 3]) {
    expect(await row(id)).toMatchObject({ epoch, redispatches: epoch });
    await markStarted(id);
    await line.start(id, { epoch });
    await line.run(id, epoch).result();
    await turn();
  }
  expect(await row(id)).toMatchObject({ status: 'DEAD', epoch: 3 });
  expect(await store.letters(id)).toMatchObject([{ code: 'WORKFLOW.LOST', epoch: 3 }]);
  await store.redrive(id);
  expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 4, redispatches: 0 });
});

describe('a worker on another database', () => {
  async function notFoundLine() {
    // As its fifth try answers, four minutes later.
    const details = [{ code: 'DISPATCH.EVENT_NOT_FOUND', status: null, attempt: null }];
    const missing = { type: 'DISPATCH.EVENT_NOT_FOUND', nonRetryable: true, details };
    return lineOf({
      activities: {
        dispatchEvent: () => Promise.reject(ApplicationFailure.create(missing)),
        recordDeadLetter: async () => ({ kind: 'superseded' as const }),
      },
    });
  }
  async function ended(line: DeliveryLine) {
    const id = await store.append();
    await line.start(id);
    await expect(line.run(id).result()).rejects.toMatchObject({ cause: { type: 'DISPATCH.EVENT_NOT_FOUND' } });
    return id;
  }

  it('R19, R22: told, dispatched again however often and uncounted, and never a letter', async () => {
    const line = await notFoundLine();
    const { turn, alerts, counters } = await reconcilerOf(line);
    const id = await ended(line);
    await store.pool.query('UPDATE outbox.delivery SET redispatches = 3 WHERE event_id = $1', [id]);
    await turn();
    expect(alerts()).toEqual([`event_not_found:${line.taskQueue}`]);
    expect(counters).toEqual({ reconcile_redispatched: 1 });
    expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 3 });
    expect(await store.letters(id)).toEqual([]);
  });

  it('R19, R21: what it left behind does not stop the reconciler, and raises no alert once it was mended', async () => {
    const line = await notFoundLine();
    const ids = await Promise.all(Array.from({ length: 6 }, () => ended(line)));
    const { turn, alerts, runs } = await reconcilerOf(line, {
      runs: {
        look: async (workflowId) => {
          const look = await runs.look(workflowId);
          // It closed while no reconciler ran; the worker has been mended since.
          return look.kind === 'closed' ? { ...look, closedAt: new Date(look.closedAt.getTime() - 900_000) } : look;
        },
      },
    });
    await turn();
    expect(await stopped()).toEqual({ reason: null });
    for (const id of ids) expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 0 });
    expect(alerts()).toEqual([]);
  });
});

it('R22: one that waits for a worker is put off and told of, neither lost nor stuck; a worker ends the alert', async () => {
  const idle = await lineOf({ run: false });
  const id = await waitingRun(idle);
  const { turn, alerts, counters } = await reconcilerOf(idle);
  await turn();
  expect(await row(id)).toMatchObject({ status: 'STARTED', epoch: 0, later: true });
  expect(counters).toEqual({ reconcile_put_off: 1 });
  expect(alerts()).toEqual([`worker_missing:${idle.taskQueue}`]);
  const line = await lineOf({ deployment: idle.deployment });
  expect(await line.run(id).result()).toMatchObject({ kind: 'delivered' });
  await turn();
  expect(alerts()).toEqual([]);
});

let stuck: Promise<WorkflowBundleWithSourceMap> | undefined;
/** Packed once, for those who want it. */
function stuckBundle() {
  stuck ??= bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../fixtures/stuck-workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
  return stuck;
}

describe('a run whose workflow task fails again and again', () => {
  async function stuckRun() {
    const line = await lineOf({ bundle: await stuckBundle(), eager: false });
    const id = await store.append();
    await line.start(id);
    await eventually('a task that failed twice', async () => {
      const { raw } = await line.run(id).describe();
      return (raw.pendingWorkflowTask?.attempt ?? 0) > 1;
    });
    return { line, id };
  }

  it('R22: is terminated, and its event dispatched again by a worker that is mended, delivered once', async () => {
    const { line, id } = await stuckRun();
    const { turn, alerts, counters, runs } = await reconcilerOf(line);
    await turn();
    expect(await runs.look(line.run(id).workflowId)).toMatchObject({ kind: 'terminated', byUs: true });
    expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 1 });
    expect(counters).toMatchObject({ reconcile_terminated: 1, reconcile_redispatched: 1 });
    expect(alerts()).toEqual(['workflows_stuck:']);
    await line.stop();
    const mended = await lineOf({ deployment: line.deployment });
    await markStarted(id);
    await mended.start(id, { epoch: 1 });
    expect(await mended.run(id, 1).result()).toMatchObject({ kind: 'delivered' });
    expect(modes(id)).toHaveLength(1);
  });

  it('R22: dispatched three times already: terminated, and a letter', async () => {
    const { line, id } = await stuckRun();
    await store.pool.query('UPDATE outbox.delivery SET redispatches = 3 WHERE event_id = $1', [id]);
    const { turn } = await reconcilerOf(line);
    await turn();
    expect(await store.letters(id)).toMatchObject([{ code: 'WORKFLOW.STUCK', epoch: 0 }]);
  });

  it('R22: died after it terminated: the next turn reads from the history that it was us', async () => {
    const { line, id } = await stuckRun();
    let dead = true;
    const { turn, runs } = await reconcilerOf(line, {
      runs: {
        look: async (workflowId) => {
          const look = await runs.look(workflowId);
          return dead && look.kind === 'terminated' ? { kind: 'unknown' } : look;
        },
      },
    });
    await turn();
    expect(await row(id)).toMatchObject({ status: 'STARTED', epoch: 0 });
    dead = false;
    await store.pool.query('UPDATE outbox.delivery SET due_at = now() WHERE event_id = $1', [id]);
    await turn();
    expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1 });
    expect(await store.letters(id)).toEqual([]);
  });

  it('R22: a person was quicker with it: a letter, for that is what the history says', async () => {
    const { line, id } = await stuckRun();
    const { turn } = await reconcilerOf(line, {
      runs: { terminate: async () => void (await line.run(id).terminate('by hand')) },
    });
    await turn();
    expect(await store.letters(id)).toMatchObject([{ code: 'WORKFLOW.TERMINATED' }]);
  });

  it('R22: is stuck, too, where a worker died with its first task, which hides how the later ones ended', async () => {
    const idle = await lineOf({ run: false });
    const id = await waitingRun(idle);
    // A worker that takes the task and is never heard of again.
    const taken = await idle.connection.workflowService.pollWorkflowTaskQueue({
      namespace: 'default',
      taskQueue: { name: idle.taskQueue },
      identity: 'dead-worker',
    });
    expect(taken.workflowExecution?.workflowId).toBe(idle.run(id).workflowId);
    await eventually(
      'the first task timed out',
      async () =>
        (await idle.run(id).fetchHistory()).events?.some((one) => one.workflowTaskTimedOutEventAttributes != null),
      15_000,
    );
    const line = await lineOf({ deployment: idle.deployment, bundle: await stuckBundle() });
    const attemptOf = async () => (await line.run(id).describe()).raw.pendingWorkflowTask?.attempt ?? 0;
    await eventually('a task that was begun twice', async () => (await attemptOf()) > 1);
    const { turn, runs, alerts } = await reconcilerOf(line);
    expect(await runs.look(line.run(id).workflowId)).toMatchObject({ kind: 'running', stuck: false });
    await eventually('a task that was begun four times', async () => (await attemptOf()) > 3, 40_000);
    expect(await runs.look(line.run(id).workflowId)).toMatchObject({ kind: 'running', stuck: true });
    await turn();
    expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 1 });
    expect(alerts()).toEqual(['workflows_stuck:']);
  });

  it('R22: one whose task did not fail first waits for a worker, and is not stuck whatever its attempt', async () => {
    const { line, id } = await stuckRun();
    const { runs } = await reconcilerOf(line);
    // Its history ends in a failed task; that of a run that was never worked on does not.
    expect(await runs.look(line.run(id).workflowId)).toMatchObject({ kind: 'running', stuck: true });
    const idle = await lineOf({ run: false });
    const waiting = await waitingRun(idle);
    const all = createRunInspector({
      connection: idle.connection,
      namespace: 'default',
      taskQueue: idle.taskQueue,
      identity: 'test',
      stuckAfter: 0.5, // its one attempt is more than this, and not more than three times as many
    });
    expect(await all.look(idle.run(waiting).workflowId)).toMatchObject({ kind: 'running', stuck: false });
  });
});

describe('R21: too many at once', () => {
  it('lost: nothing is written and the stop is kept; found again it goes on by itself', async () => {
    const line = await lineOf({ run: false });
    const ids = await Promise.all(Array.from({ length: 5 }, () => store.append()));
    const terminated = await waitingRun(line);
    await line.run(terminated).terminate();
    const { turn, alerts, counters, hold } = await reconcilerOf(line);
    await turn();
    for (const id of ids) expect(await row(id)).toMatchObject({ status: 'STARTED', epoch: 0, later: false });
    expect(await store.letters(terminated)).toEqual([]);
    expect(await stopped()).toEqual({ reason: 'RUNS_LOST' });
    expect(alerts()).toEqual([`worker_missing:${line.taskQueue}`, 'reconciler_stopped:']);
    await turn();
    expect(counters).toEqual({ reconcile_stops: 1 });
    // Another process takes the lease over: the stop outlives its holder, and its writes are refused, too.
    expect(await createReconcileStore(store.pool).mayWrite(hold)).toBe(false);
    for (const id of ids) await line.start(id);
    await turn();
    expect(await stopped()).toEqual({ reason: null });
    expect(alerts()).toEqual([`worker_missing:${line.taskQueue}`]);
    expect(await store.letters(terminated)).toHaveLength(1);
  });

  it('lost for good, as a person says: the adoption lifts the stop and dispatches all of them again', async () => {
    const line = await lineOf({ run: false });
    const ids = await Promise.all(Array.from({ length: 5 }, () => store.append()));
    const { turn, counters } = await reconcilerOf(line);
    await turn();
    expect(await stopped()).toEqual({ reason: 'RUNS_LOST' });
    const { name } = await store.one<{ name: string }>('SELECT name FROM outbox.deployment');
    expect(await adoptNamespace(store.pool, randomUUID(), name)).toEqual({ started: 5 });
    const later = await store.append();
    await store.pool.query('UPDATE outbox.delivery SET due_at = now() + $2::interval WHERE event_id = $1', [
      later,
      '1 h',
    ]);
    await turn();
    for (const id of ids) expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 0 });
    expect(await row(later)).toMatchObject({ status: 'STARTED', epoch: 0 });
    expect(counters).toMatchObject({ reconcile_adopted: 5 });
    expect(await store.one('SELECT adopting_before AS before FROM outbox.deployment')).toEqual({ before: null });
    expect(await stopped()).toEqual({ reason: null });
  });

  it('R3: a person adopts while a tick looks: its stop is not kept, and the next tick adopts', async () => {
    const line = await lineOf({ run: false });
    const ids = await Promise.all(Array.from({ length: 5 }, () => store.append()));
    const { name } = await store.one<{ name: string }>('SELECT name FROM outbox.deployment');
    let adopted: Promise<unknown> | undefined;
    const { turn, runs } = await reconcilerOf(line, {
      runs: {
        look: async (workflowId) => {
          adopted ??= adoptNamespace(store.pool, randomUUID(), name);
          await adopted;
          return runs.look(workflowId);
        },
      },
    });
    await turn();
    for (const id of ids) expect(await row(id)).toMatchObject({ status: 'STARTED', epoch: 0 });
    expect(await stopped()).toEqual({ reason: null });
    await turn();
    for (const id of ids) expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 0 });
  });

  it('R3: an adoption that commits while the stop is being written', async () => {
    await lineOf({ run: false });
    const reconcile = createReconcileStore(store.pool);
    const hold = { name: 'reconcile', holder: randomUUID() };
    await createLeaseStore(store.pool).take(hold, 600_000);
    const person = await store.pool.connect();
    await person.query('BEGIN');
    await person.query('UPDATE outbox.deployment SET adopting_before = now()');
    await person.query("UPDATE outbox.lease SET stopped_reason = NULL WHERE name = 'reconcile'");
    const set = reconcile.setStop(hold, 'RUNS_LOST');
    await eventually('the stop waits for the person', async () => {
      const { rows } = await store.pool.query(
        "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
      );
      return rows.length > 0;
    });
    await person.query('COMMIT');
    person.release();
    expect(await set).toBe(false);
    expect(await stopped()).toEqual({ reason: null });
  });

  it('R3: while rows are left to adopt nothing is looked at', async () => {
    const line = await lineOf({ run: false });
    const id = await store.append();
    const { name } = await store.one<{ name: string }>('SELECT name FROM outbox.deployment');
    await adoptNamespace(store.pool, randomUUID(), name);
    const looked: string[] = [];
    const { turn } = await reconcilerOf(line, {
      runs: {
        look: async (workflowId) => {
          looked.push(workflowId);
          return { kind: 'not-found' };
        },
      },
    });
    const other = await store.pool.connect();
    await other.query('BEGIN');
    await other.query('SELECT FROM outbox.delivery WHERE event_id = $1 FOR UPDATE', [id]);
    await turn();
    expect(looked).toEqual([]);
    await other.query('ROLLBACK');
    other.release();
    await turn();
    expect(await row(id)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 0 });
  });

  it('stuck: none is terminated', async () => {
    const line = await lineOf({ run: false });
    await Promise.all(Array.from({ length: 5 }, () => store.append()));
    const ended: string[] = [];
    const { turn, alerts } = await reconcilerOf(line, {
      runs: {
        look: async () => ({ kind: 'running', stuck: true, runId: 'r' }),
        terminate: async (id) => void ended.push(id),
      },
    });
    await turn();
    expect(ended).toEqual([]);
    expect(await stopped()).toEqual({ reason: 'RUNS_STUCK' });
    expect(alerts()).toEqual(expect.arrayContaining(['workflows_stuck:', 'reconciler_stopped:']));
  });
});

describe('what happens between the look and the write', () => {
  it.each(['terminated', 'gone'])(
    'R16: a run that is %s settled meanwhile: delivered, the write hits nothing',
    async (how) => {
      const line = await lineOf({ run: false });
      const id = await waitingRun(line);
      if (how === 'gone') await remove(line, id);
      else await line.run(id).terminate();
      const { turn, counters, runs } = await reconcilerOf(line, {
        runs: {
          look: async (workflowId) => {
            const look = await runs.look(workflowId);
            await store.attempts.settle({ eventId: id, epoch: 0, carrier: null }, RECEIPT, null, 5_000);
            return look;
          },
        },
      });
      await turn();
      expect(await store.delivery(id)).toMatchObject({ status: 'DELIVERED', epoch: 0 });
      expect(await store.letters(id)).toEqual([]);
      expect(counters).toEqual({ reconcile_overtaken: 1 });
    },
  );

  it('R4: an attempt that failed meanwhile has moved its row, which is not put off then', async () => {
    const line = await lineOf({ run: false });
    const id = await waitingRun(line);
    const { turn, counters, runs } = await reconcilerOf(line, {
      runs: {
        look: async (workflowId) => {
          await store.pool.query(`UPDATE outbox.delivery SET due_at = now() + interval '9 h' WHERE event_id = $1`, [
            id,
          ]);
          return runs.look(workflowId);
        },
      },
    });
    await turn();
    expect(counters).toEqual({});
    const { far } = await store.one<{ far: boolean }>(
      `SELECT due_at > now() + interval '8 h' AS far FROM outbox.delivery WHERE event_id = $1`,
      id,
    );
    expect(far).toBe(true);
  });

  it('R21: the lease went to another: nothing is written, nothing terminated', async () => {
    const line = await lineOf({ run: false });
    const ids = await Promise.all([1, 2, 3].map(() => waitingRun(line)));
    await remove(line, ids[0] as string);
    await line.run(ids[1] as string).terminate();
    const ended: string[] = [];
    const { turn, runs } = await reconcilerOf(line, {
      runs: {
        look: async (workflowId) =>
          workflowId === line.run(ids[2] as string).workflowId
            ? { kind: 'running', stuck: true, runId: 'r' }
            : runs.look(workflowId),
        terminate: async (id) => void ended.push(id),
      },
    });
    await turn({ name: 'reconcile', holder: randomUUID() });
    for (const id of ids) expect(await row(id)).toMatchObject({ status: 'STARTED', epoch: 0, later: false });
    expect(ended).toEqual([]);
    expect(await store.letters(ids[1] as string)).toEqual([]);
  });

  it('R3: the namespace is another one, before or while it looks: nothing is concluded from "not found"', async () => {
    const line = await lineOf({ run: false });
    const id = await store.append();
    let checks = 0;
    for (const oursUntil of [0, 1]) {
      checks = 0;
      const { turn } = await reconcilerOf(line, { ours: () => checks++ < oursUntil });
      await turn();
      expect(await row(id)).toMatchObject({ status: 'STARTED', epoch: 0 });
      await store.pool.query("DELETE FROM outbox.lease WHERE name = 'reconcile'");
    }
  });

  it('R21: Temporal does not answer: nothing is written', async () => {
    const line = await lineOf({ run: false });
    const id = await store.append();
    const { turn, counters } = await reconcilerOf(line, { runs: { look: async () => ({ kind: 'unknown' }) } });
    await turn();
    expect([await row(id), counters]).toMatchObject([{ status: 'STARTED', epoch: 0, later: false }, {}]);
  });
});

describe('batches', () => {
  interface Batch {
    readonly carrier: string;
    readonly ids: readonly string[];
  }
  /** So many events STARTED in one batch; `start` false: nobody ever started its run. */
  async function batchOf(line: DeliveryLine, count: number, { start = true } = {}): Promise<Batch> {
    const carrier = batchRunId({ deployment: line.deployment, id: randomUUID() });
    const ids = await Promise.all(Array.from({ length: count }, () => store.append()));
    await store.pool.query('UPDATE outbox.delivery SET carrier = $2 WHERE event_id = ANY ($1)', [ids, carrier]);
    if (start) {
      const events = ids.map((id) => ({ ...claimed(id), carrier }));
      expect(await line.starter.startBatch({ carrier, events }, 5_000)).toMatchObject({ kind: 'started' });
    }
    return { carrier, ids };
  }
  const handleOf = (line: DeliveryLine, { carrier }: Batch) => line.client.workflow.getHandle(carrier);
  const rowsOf = async ({ ids }: Batch) => {
    const text = `SELECT status, epoch, carrier, redispatches, no_coalesce, due_at > now() AS later
      FROM outbox.delivery WHERE event_id = ANY ($1) ORDER BY event_id`;
    return (await store.pool.query<Record<string, unknown>>(text, [ids])).rows;
  };
  const all = (batch: Batch, row: object) => batch.ids.map(() => expect.objectContaining(row) as object);
  const alone = { status: 'PENDING', epoch: 1, carrier: null, no_coalesce: true, redispatches: 1 };
  const lettersOf = async ({ ids }: Batch) => (await Promise.all(ids.map((id) => store.letters(id)))).flat();
  /** What Temporal was asked about, beside what it answers. */
  const recording = (looked: string[]) => (runs: RunInspector) => ({
    look: (workflowId: string) => {
      looked.push(workflowId);
      return runs.look(workflowId);
    },
  });

  it('R20, R21: one look for each batch, whatever it carries, and one that goes on is put off as a whole', async () => {
    const line = await lineOf({ run: false });
    const [batch, other] = [await batchOf(line, 6), await batchOf(line, 3)];
    const own = await waitingRun(line);
    const looked: string[] = [];
    const { turn, counters } = await reconcilerOf(line, { recorded: recording(looked) });
    await turn();
    expect(looked.sort()).toEqual([batch.carrier, other.carrier, line.run(own).workflowId].sort());
    expect(counters).toEqual({ reconcile_put_off: 10 });
    for (const one of [batch, other]) {
      expect(await rowsOf(one)).toEqual(all(one, { status: 'STARTED', epoch: 0, carrier: one.carrier, later: true }));
    }
    await turn();
    expect(looked).toHaveLength(3);
  });

  it('R20: what is due later of a batch that goes on keeps its time', async () => {
    const line = await lineOf({ run: false });
    const batch = await batchOf(line, 2);
    const [sleeps] = batch.ids;
    await store.pool.query(`UPDATE outbox.delivery SET due_at = now() + interval '1 hour' WHERE event_id = $1`, [
      sleeps,
    ]);
    const { turn, counters } = await reconcilerOf(line);
    await turn();
    expect(counters).toEqual({ reconcile_put_off: 1 });
    const text = `SELECT due_at > now() + interval '50 minutes' AS kept FROM outbox.delivery WHERE event_id = $1`;
    expect(await store.one(text, sleeps)).toEqual({ kept: true });
  });

  it('R20, R22: terminated by a person: no letter; each event goes on in a run of its own, delivered once', async () => {
    const line = await lineOf({ run: false });
    const batch = await batchOf(line, 4);
    const { turn, counters } = await reconcilerOf(line);
    await handleOf(line, batch).terminate('by hand');
    await turn();
    expect(await rowsOf(batch)).toEqual(all(batch, alone));
    expect([await lettersOf(batch), counters]).toEqual([[], { reconcile_redispatched: 4 }]);
    const working = await lineOf({ deployment: line.deployment });
    for (const id of batch.ids) {
      await markStarted(id);
      await working.start(id, { epoch: 1, firstAttempt: 'regular' });
      expect(await working.run(id, 1).result()).toMatchObject({ kind: 'delivered' });
      expect(modes(id)).toHaveLength(1);
    }
    await turn();
    expect(await rowsOf(batch)).toEqual(all(batch, { status: 'DELIVERED', epoch: 1 }));
  });

  it('R20, R21: one lost batch of fifty is one lost run: its events go on, and nothing stops', async () => {
    const line = await lineOf({ run: false });
    const batch = await batchOf(line, 50, { start: false });
    const looked: string[] = [];
    const { turn, counters } = await reconcilerOf(line, { recorded: recording(looked) });
    await turn();
    expect([looked, counters]).toEqual([[batch.carrier], { reconcile_redispatched: 50 }]);
    expect(await rowsOf(batch)).toEqual(all(batch, alone));
    expect(await stopped()).toEqual({ reason: null });
  });

  it('R20, R21: five lost batches are too many at once: nothing of them is written', async () => {
    const line = await lineOf({ run: false });
    const batches = await Promise.all(Array.from({ length: 5 }, () => batchOf(line, 2, { start: false })));
    const { turn } = await reconcilerOf(line);
    await turn();
    expect(await stopped()).toEqual({ reason: 'RUNS_LOST' });
    for (const batch of batches) expect(await rowsOf(batch)).toEqual(all(batch, { status: 'STARTED', epoch: 0 }));
  });

  it('R20, R22: lost for the fourth time without a person: still no letter, for the next run is its own; that one is', async () => {
    const line = await lineOf({ run: false });
    const batch = await batchOf(line, 2, { start: false });
    await store.pool.query('UPDATE outbox.delivery SET redispatches = 3');
    const { turn } = await reconcilerOf(line);
    await turn();
    expect(await rowsOf(batch)).toEqual(all(batch, { ...alone, redispatches: 4 }));
    expect(await lettersOf(batch)).toEqual([]);
    for (const id of batch.ids) await markStarted(id);
    await turn();
    expect((await lettersOf(batch)).map(({ code, epoch }) => [code, epoch])).toEqual([
      ['WORKFLOW.LOST', 1],
      ['WORKFLOW.LOST', 1],
    ]);
  });

  it('R20: what has left the batch, or is settled, is left alone; the rest goes on', async () => {
    const line = await lineOf({ run: false });
    const batch = await batchOf(line, 4, { start: false });
    const [settled, left, next] = batch.ids as readonly [string, string, string];
    await store.batches.settleBatch([{ ref: { eventId: settled, epoch: 0 }, receipt: RECEIPT }], 5_000);
    const fallen = [{ ref: { eventId: left, epoch: 0 }, delayMs: 60_000, alone: false, attempts: [] }];
    await store.batches.fallOut(batch.carrier, fallen, { runId: 'r', worker: 'w', doubtful: false }, 5_000);
    // Claimed again, by another batch.
    await store.pool.query(`UPDATE outbox.delivery SET carrier = 'other' WHERE event_id = $1`, [next]);
    const reconcile = createReconcileStore(store.pool);
    const { hold } = await reconcilerOf(line);
    const run = { eventId: batch.ids[3] as string, epoch: 0, carrier: batch.carrier };
    expect(await reconcile.redispatch({ ...hold, holder: randomUUID() }, run, true)).toBe(0);
    expect(await reconcile.redispatch(hold, run, true)).toBe(1);
    expect(await row(settled)).toMatchObject({ status: 'DELIVERED', epoch: 0 });
    expect(await row(left)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 0, later: true });
    expect(await row(next)).toMatchObject({ status: 'STARTED', epoch: 0, redispatches: 0 });
    expect(await row(run.eventId)).toMatchObject({ status: 'PENDING', epoch: 1, redispatches: 1 });
    expect(await reconcile.redispatch(hold, run, true)).toBe(0);
  });

  it('R20, R22: stuck: terminated, and its events go on by themselves', async () => {
    const line = await lineOf({ bundle: await stuckBundle(), eager: false });
    const batch = await batchOf(line, 3);
    await eventually('a task that failed twice', async () => {
      const { raw } = await handleOf(line, batch).describe();
      return (raw.pendingWorkflowTask?.attempt ?? 0) > 1;
    });
    const { turn, alerts, counters, runs } = await reconcilerOf(line);
    await turn();
    expect(await runs.look(batch.carrier)).toMatchObject({ kind: 'terminated', byUs: true });
    expect(await rowsOf(batch)).toEqual(all(batch, alone));
    expect(counters).toEqual({ reconcile_terminated: 1, reconcile_redispatched: 3 });
    expect(alerts()).toEqual(['workflows_stuck:']);
  });

  it('R19, R20: a worker on another database has none of its events: told, dispatched again uncounted', async () => {
    const details = [{ code: 'DISPATCH.EVENT_NOT_FOUND', status: null, attempt: null }];
    const missing = { type: 'DISPATCH.EVENT_NOT_FOUND', nonRetryable: true, details };
    const line = await lineOf({
      activities: { dispatchBatch: () => Promise.reject(ApplicationFailure.create(missing)) } as never,
    });
    const batch = await batchOf(line, 3);
    await expect(handleOf(line, batch).result()).rejects.toMatchObject({ cause: { type: 'DISPATCH.EVENT_NOT_FOUND' } });
    const { turn, alerts, counters } = await reconcilerOf(line);
    await turn();
    expect(alerts()).toEqual([`event_not_found:${line.taskQueue}`]);
    expect(counters).toEqual({ reconcile_redispatched: 3 });
    expect(await rowsOf(batch)).toEqual(all(batch, { ...alone, redispatches: 0 }));
  });

  it('R3, R20: adopted after the loss of all runs, its events may travel together again', async () => {
    const line = await lineOf({ run: false });
    const batch = await batchOf(line, 3, { start: false });
    const own = await store.append();
    const { name } = await store.one<{ name: string }>('SELECT name FROM outbox.deployment');
    await adoptNamespace(store.pool, randomUUID(), name);
    const { turn, counters } = await reconcilerOf(line);
    await turn();
    expect(counters).toMatchObject({ reconcile_adopted: 4 });
    expect(await rowsOf(batch)).toEqual(all(batch, { ...alone, no_coalesce: false, redispatches: 0 }));
    expect(await row(own)).toMatchObject({ status: 'PENDING', epoch: 1 });
  });
});

it('R21: destinations in turn, the oldest of each first; batches by their carrier', async () => {
  const reconcile = createReconcileStore(store.pool);
  const overdue = async (routingKey: string, minutes: number, carrier: string | null = null) => {
    const id = await store.append({ routingKey });
    const text = `UPDATE outbox.delivery SET due_at = now() - $2 * interval '1 minute', carrier = $3 WHERE event_id = $1`;
    await store.pool.query(text, [id, minutes, carrier]);
    return id;
  };
  const old = await overdue('a', 60);
  const older = await overdue('a', 90);
  const other = await overdue('b', 10);
  const carried = await overdue('c', 20, 'batch-1');
  await overdue('b', 4);
  await store.pool.query(`UPDATE outbox.delivery SET status = 'PENDING' WHERE event_id = $1`, [await overdue('d', 99)]);
  const found = await reconcile.findOverdue(300_000, 10);
  expect(found.map(({ run }) => [run.eventId, run.carrier])).toEqual([
    [older, null],
    [carried, 'batch-1'],
    [other, null],
    [old, null],
  ]);
  expect((await reconcile.findOverdue(300_000, 2)).map(({ run }) => run.eventId)).toEqual([older, carried]);
});

it('R3: an adoption moves so many at a time, and says when none is left', async () => {
  const reconcile = createReconcileStore(store.pool);
  const hold = { name: 'reconcile', holder: randomUUID() };
  await createLeaseStore(store.pool).take(hold, 600_000);
  await Promise.all(Array.from({ length: 5 }, () => store.append()));
  expect(await reconcile.adoptSome(hold, 2)).toEqual({ moved: 0, left: false });
  const { name } = await store.one<{ name: string }>('SELECT name FROM outbox.deployment');
  await adoptNamespace(store.pool, randomUUID(), name);
  expect(await reconcile.adoptSome({ ...hold, holder: randomUUID() }, 2)).toEqual({ moved: 0, left: true });
  expect(await reconcile.adoptSome(hold, 2)).toEqual({ moved: 2, left: true });
  expect(await reconcile.adoptSome(hold, 2)).toEqual({ moved: 2, left: true });
  expect(await reconcile.adoptSome(hold, 2)).toEqual({ moved: 1, left: false });
  await expect(adoptNamespace(store.pool, randomUUID(), 'another')).rejects.toThrow('another');
});
