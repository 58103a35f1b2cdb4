/**
 * Ends what a verification left running in a Temporal namespace that is not its own: no worker of it is there any more, so it
 * would wait there for ever. Only runs whose ids carry the verification's own deployment name.
 */
import type { NativeConnection } from '@temporalio/worker';
import pg from 'pg';
import { eventRunId } from '../../domain/delivery/workflow-ids.js';

const TIMEOUT_MS = 5_000;
const MOST = 100_000;
const AT_ONCE = 20;
const REASON = 'outbox verify: its run is over';

/** How many were ended. What is not there, or has ended by itself, is no matter. */
export async function endOwnRuns(
  connection: NativeConnection,
  {
    namespace,
    deployment,
    outboxUrl,
  }: { readonly namespace: string; readonly deployment: string; readonly outboxUrl: string },
): Promise<number> {
  const ids = await readOwnRuns(outboxUrl, deployment);
  let ended = 0;
  const next = async () => {
    for (let workflowId = ids.pop(); workflowId !== undefined; workflowId = ids.pop()) {
      const execution = { workflowId };
      const call = () =>
        connection.workflowService.terminateWorkflowExecution({
          namespace,
          workflowExecution: execution,
          reason: REASON,
        });
      await connection.withDeadline(Date.now() + TIMEOUT_MS, call).then(
        () => {
          ended += 1;
        },
        () => {}, // NOT_FOUND mostly: it has ended; whoever is away now leaves it, and its name says whose it is
      );
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  return ended;
}

/** From its own rows: never by visibility, which lags, and which other deployments share. */
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
