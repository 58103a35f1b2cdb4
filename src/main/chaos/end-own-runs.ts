/**
 * Ends what a verification left running in a Temporal namespace that is not its own: no worker of it is there any more, so it
 * would wait there for ever. Only runs whose ids carry the verification's own deployment name.
 */
import type { NativeConnection } from '@temporalio/worker';
import pg from 'pg';
import { defaultTaskQueue } from '../../domain/delivery/deployment.js';
import { eventRunId } from '../../domain/delivery/workflow-ids.js';
import { isNotFound } from '../../infrastructure/temporal/connect-temporal.js';
import { pause } from './within.js';

const TIMEOUT_MS = 5_000;
const WITHIN_MS = 120_000;
const MOST = 100_000;
const AT_ONCE = 20;
const REASON = 'outbox verify: its run is over';
const MOST_ERRORS = 40;
/** Visibility is behind what has happened, on a busy server by more. */
const LISTED_TIMES = 3;
const LAG_MS = 1_000;

export interface OwnRuns {
  readonly namespace: string;
  readonly deployment: string;
  readonly outboxUrl: string;
  readonly signal?: AbortSignal;
}

/**
 * By its own rows, which are never behind; and by its task queue, for runs that went on after their rows were settled. What is
 * not there, or has ended by itself, is no matter.
 * @throws where Temporal does not answer, or not in time: runs may be left
 */
export async function endOwnRuns(connection: NativeConnection, own: OwnRuns): Promise<void> {
  const until = Date.now() + WITHIN_MS;
  const { namespace, deployment, outboxUrl, signal } = own;
  const end = (ids: readonly string[]) => endAll(connection, { namespace, ids, until, signal });
  let failed = await end(await readOwnRuns(outboxUrl, deployment));
  for (let times = 1; times <= LISTED_TIMES; times += 1) {
    // What failed before is listed again.
    const listed = await listRunning(connection, { namespace, deployment, until });
    failed = await end(listed);
    if (times < LISTED_TIMES) await pause(LAG_MS, signal ?? new AbortController().signal);
  }
  if (failed !== null) throw failed;
}

interface Ending {
  readonly namespace: string;
  readonly ids: readonly string[];
  readonly until: number;
  readonly signal: AbortSignal | undefined;
}

/** The last error; where many come nothing more is tried. */
async function endAll(connection: NativeConnection, { namespace, ids, until, signal }: Ending): Promise<Error | null> {
  const left = [...ids];
  const errors: Error[] = [];
  const next = async () => {
    for (let workflowId = left.pop(); workflowId !== undefined; workflowId = left.pop()) {
      signal?.throwIfAborted();
      const request = { namespace, workflowExecution: { workflowId }, reason: REASON };
      try {
        await connection.withDeadline(deadline(until), () =>
          connection.workflowService.terminateWorkflowExecution(request),
        );
      } catch (error) {
        if (!isNotFound(error)) errors.push(error as Error); // else it has ended, or there never was one
      }
      if (errors.length >= MOST_ERRORS) return;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return errors.at(-1) ?? null;
}

function deadline(until: number): number {
  return Math.min(until, Date.now() + TIMEOUT_MS);
}

async function listRunning(
  connection: NativeConnection,
  { namespace, deployment, until }: { readonly namespace: string; readonly deployment: string; readonly until: number },
): Promise<string[]> {
  const query = `TaskQueue = '${defaultTaskQueue(deployment)}' AND ExecutionStatus = 'Running'`;
  const ids: string[] = [];
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const request = { namespace, query, pageSize: 1_000, ...(nextPageToken ? { nextPageToken } : {}) };
    const page = await connection.withDeadline(deadline(until), () =>
      connection.workflowService.listWorkflowExecutions(request),
    );
    ids.push(...(page.executions ?? []).map(({ execution }) => execution?.workflowId ?? ''));
    nextPageToken = page.nextPageToken;
  } while (nextPageToken?.length && ids.length < MOST);
  return ids.filter((id) => id.startsWith(`${deployment}:`));
}

async function readOwnRuns(outboxUrl: string, deployment: string): Promise<string[]> {
  const client = new pg.Client({ connectionString: outboxUrl, connectionTimeoutMillis: 10_000, query_timeout: 60_000 });
  client.on('error', () => {}); // told by the statement that waits for it
  try {
    await client.connect();
    const { rows } = await client.query<{ id: string | null; eventId: string; epoch: number }>(
      `SELECT d.carrier AS id, d.event_id AS "eventId", d.epoch FROM outbox.delivery d
       WHERE d.status IN ('PENDING', 'STARTED')
       UNION SELECT n.claimed_by, n.event_id, 0 FROM outbox.notification n
       WHERE n.done_at IS NULL AND n.claimed_by IS NOT NULL LIMIT $1`,
      [MOST],
    );
    const ids = rows.map(({ id, eventId, epoch }) => id ?? eventRunId({ deployment, eventId, epoch }));
    return [...new Set(ids)].filter((id) => id.startsWith(`${deployment}:`));
  } catch {
    return []; // not migrated yet: then nothing of it was started
  } finally {
    await client.end();
  }
}
