/** What a person does in Temporal's Web UI: ends runs. And what nobody can do there: let the time pass that the reconciler waits. */
import { eventRunId } from '../../../domain/delivery/workflow-ids.js';
import type { ChaosWorld } from '../ports.js';
import { withTemporal } from '../with-temporal.js';
import { untilStatus } from './look.js';
import { PATIENCE_MS } from './wait.js';

/** The reconciler looks at rows that are five minutes past due. */
const OVERDUE_MS = 300_000;

/** Terminates the runs of these events, whose epoch is 0, and sees that each gets its letter: how many did. */
export async function endByHand(
  world: ChaosWorld,
  ids: readonly string[],
  { signal, problems }: { signal: AbortSignal; problems: string[] },
): Promise<number> {
  const unstarted = await untilStatus(world, ids, ['STARTED'], { withinMs: PATIENCE_MS / 2, signal });
  if (unstarted.length > 0) {
    problems.push(`${unstarted.length} of ${ids.length} events that a person was to end had no run`);
    return 0;
  }
  await withTemporal(world, async ({ client: { workflow } }) => {
    for (const eventId of ids) {
      const workflowId = eventRunId({ deployment: world.deployment, eventId, epoch: 0 });
      await workflow.getHandle(workflowId).terminate('chaos: by hand');
    }
  });
  // As if what they waited for had passed, and five minutes: rows of our own, and nothing but their time.
  await world.outbox.query(
    `UPDATE outbox.delivery SET due_at = clock_timestamp() - $2 * interval '1 millisecond'
     WHERE event_id = ANY ($1::uuid[]) AND status = 'STARTED'`,
    [ids, OVERDUE_MS + 5_000],
  );
  const open = await untilStatus(world, ids, ['DEAD'], { withinMs: PATIENCE_MS, signal });
  if (open.length > 0)
    problems.push(`${open.length} of ${ids.length} terminated runs had no letter in time after they were due`);
  const { rows } = await world.outbox.query<{ code: string }>(
    "SELECT DISTINCT code FROM outbox.dead_letter WHERE event_id = ANY ($1::uuid[]) AND code <> 'WORKFLOW.TERMINATED'",
    [ids],
  );
  for (const { code } of rows) problems.push(`a terminated run: expected a letter WORKFLOW.TERMINATED, got ${code}`);
  return ids.length - open.length;
}
