/**
 * What an event costs in Temporal: actions, as Temporal Cloud bills them, state transitions, history events and their bytes, by
 * the histories of the runs that carried so many events. A count, the same in every run: nothing here depends on the machine.
 *
 * Actions by https://docs.temporal.io/evaluate/cloud/actions (read in November 2026), each by the history event that its table
 * names: a start 1; an activity 1, each retry of it 1; local activities 1 for each workflow task that records any, however many,
 * and their retries after a task heartbeat; a timer 1; an upsert of search attributes 1 (those of the start are free); a signal
 * 1; a child 2. Not seen in histories: activity heartbeats (handlers with long timeouts only), workflow task heartbeats, queries
 * (somebody who opens a run's details in the Web UI).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import pg from 'pg';
import { startOurs } from '../start-ours.mjs';

const LATE_MS = 30_000;

/** Of the attributes of a history event. @type {Record<string, (attributes: any) => number>} */
const ACTIONS = {
  workflowExecutionStartedEventAttributes: () => 1,
  activityTaskScheduledEventAttributes: () => 1,
  activityTaskStartedEventAttributes: ({ attempt }) => attempt - 1,
  timerStartedEventAttributes: () => 1,
  upsertWorkflowSearchAttributesEventAttributes: () => 1,
  workflowExecutionSignaledEventAttributes: () => 1,
  startChildWorkflowExecutionInitiatedEventAttributes: () => 2,
  workflowTaskCompletedEventAttributes: ({ meteringMetadata }) =>
    meteringMetadata?.nonfirstLocalActivityExecutionAttempts ?? 0,
};

/**
 * @param {import('../world.mjs').World} world
 * @param {import('../start-ours.mjs').OursOptions & { events: number, regular?: boolean }} options `regular`: without the fast
 *   first attempt, as where a destination is slow
 */
export async function prepare(world, { events, regular = false, ...options }) {
  const { backlog, ...ours } = await startOurs(world, options);
  const client = new Client({ connection: world.temporal.connection, namespace: ours.namespace });
  return {
    ...ours,
    settings: { ...ours.settings, events, firstAttempt: regular ? 'regular' : 'local' },
    async measure() {
      const since = new Date().toISOString();
      await backlog.hold(events);
      if (regular) await skipFirstAttempt(ours.databases.outbox);
      await backlog.release(events, 10);
      await backlog.verify();
      const runs = await closedRuns(client, since);
      const sum = (of) => runs.reduce((total, run) => total + of(run), 0) / events;
      return {
        count: events,
        runs: runs.length,
        actions: sum(({ history }) => countActions(history)),
        stateTransitions: sum(({ info }) => Number(info.raw.stateTransitionCount)),
        historyEvents: sum(({ info }) => info.historyLength),
        historyBytes: sum(({ info }) => info.historySize),
      };
    },
  };
}

/** A row that goes on with a budget, as one that has left a batch: its first attempt in this epoch is a regular one. */
async function skipFirstAttempt(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`UPDATE outbox.delivery SET epoch = 1 WHERE status = 'PENDING'`);
  await client.end();
}

/** Visibility is written a moment later than a run closes. */
async function closedRuns(client, since) {
  // The event that wakes the relay has a run of its own, which is not counted.
  const query = `(WorkflowType = 'deliverBatch' OR OutboxEventType = 'ORDER') AND StartTime >= '${since}'`;
  for (const deadline = Date.now() + LATE_MS; ; await sleep(250)) {
    const { count: open } = await client.workflow.count(`${query} AND ExecutionStatus = 'Running'`);
    const runs = [];
    for await (const info of client.workflow.list({ query: `${query} AND ExecutionStatus = 'Completed'` })) {
      const history = await client.workflow.getHandle(info.workflowId, info.runId).fetchHistory();
      runs.push({ info, history: history.events });
    }
    if (open === 0 && runs.length > 0) return runs;
    if (Date.now() > deadline) throw new Error(`${open} runs are open, ${runs.length} completed`);
  }
}

/** @param {any[]} history events as the server has them */
function countActions(history) {
  const markers = new Set();
  let actions = 0;
  for (const event of history) {
    if (event.markerRecordedEventAttributes)
      markers.add(String(event.markerRecordedEventAttributes.workflowTaskCompletedEventId));
    for (const [name, of] of Object.entries(ACTIONS)) if (event[name]) actions += of(event[name]);
  }
  return actions + markers.size;
}
