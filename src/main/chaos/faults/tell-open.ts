/** What is known of events that are still open where they should not be, for a person who looks for the reason. */
import { eventRunId } from '../../../domain/delivery/workflow-ids.js';
import type { ChaosWorld } from '../ports.js';
import { withTemporal } from '../with-temporal.js';
import { within } from '../within.js';

const SHOWN = 3;
const LAST_STEPS = 8;
const ASK_MS = 20_000;

/** Their rows and attempts, and the last steps of their runs. Never rejects: a part that cannot be read says so. */
export async function tellOpen(world: ChaosWorld, ids: readonly string[]): Promise<string> {
  const shown = ids.slice(0, SHOWN);
  const part = async (name: string, read: Promise<string>) =>
    within(ASK_MS, name, read).catch((error: Error) => `${name}: ${error.message}`);
  return (
    await Promise.all([part('their rows', tellRows(world, shown)), part('their runs', tellRuns(world, shown))])
  ).join('; ');
}

async function tellRows({ outbox }: ChaosWorld, ids: readonly string[]): Promise<string> {
  const { rows } = await outbox.query<{ how: string }>(
    `SELECT d.event_id || ' ' || d.destination || ' ' || d.status || ' epoch ' || d.epoch || ', due in '
            || round(extract(epoch FROM d.due_at - clock_timestamp())) || ' s, start tries ' || d.start_tries || ', attempts '
            || coalesce((SELECT string_agg(a.n || ' ' || coalesce(a.code, CASE WHEN a.finished_at IS NULL THEN 'unfinished' ELSE 'done' END)
                                            || ' ' || round(extract(epoch FROM clock_timestamp() - a.started_at)) || ' s ago', ', ' ORDER BY a.epoch, a.n)
                         FROM outbox.delivery_attempt a WHERE a.event_id = d.event_id), 'none') AS how
     FROM outbox.delivery d WHERE d.event_id = ANY ($1::uuid[])`,
    [ids],
  );
  return rows.map(({ how }) => how).join('; ');
}

/** By the seconds since each step, oldest first: who waits for whom stands between two of them. */
async function tellRuns(world: ChaosWorld, ids: readonly string[]): Promise<string> {
  return withTemporal(world, async ({ client: { workflow } }) => {
    const { rows } = await world.outbox.query<{ id: string; epoch: number }>(
      'SELECT event_id AS id, epoch FROM outbox.delivery WHERE event_id = ANY ($1::uuid[])',
      [ids],
    );
    const told = rows.map(async ({ id, epoch }) => {
      const workflowId = eventRunId({ deployment: world.deployment, eventId: id, epoch });
      const handle = workflow.getHandle(workflowId);
      const { events } = await handle.fetchHistory();
      const steps = (events ?? []).slice(-LAST_STEPS).map((event) => {
        return `${tellStep(event)} ${ageOf(event.eventTime)}`;
      });
      const pending = await handle
        .describe()
        .then(({ raw }) => (raw.pendingActivities ?? []).map(tellPending), tellError);
      return `${workflowId}: ${[...steps, ...pending].join(', ')}`;
    });
    return (await Promise.all(told)).join('; ');
  });
}

const tellError = (error: Error) => [`what is pending: ${error.message}`];

type Time = { readonly seconds?: unknown } | null | undefined;

function ageOf(time: Time): string {
  const seconds = Number(time?.seconds ?? 0);
  const age = Math.round(Date.now() / 1_000 - seconds);
  if (seconds === 0) return 'never';
  return age < 0 ? `in ${-age} s` : `${age} s ago`;
}

/** A history shows that an activity began only once it has ended: whether it waits, or is under way, stands here alone. */
function tellPending(activity: {
  readonly state?: unknown;
  readonly attempt?: number | null;
  readonly scheduledTime?: Time;
  readonly lastStartedTime?: Time;
  readonly lastWorkerIdentity?: string | null;
  readonly lastFailure?: { readonly applicationFailureInfo?: { readonly type?: string | null } | null } | null;
}): string {
  const { state, attempt, scheduledTime, lastStartedTime, lastWorkerIdentity, lastFailure } = activity;
  const failed = lastFailure ? `, failed by ${lastFailure.applicationFailureInfo?.type || 'no answer'}` : '';
  return `pending (state ${state}, try ${attempt} to begin ${ageOf(scheduledTime)}, the last one begun ${ageOf(lastStartedTime)} by ${lastWorkerIdentity || 'nobody'}${failed})`;
}

const ATTRIBUTES = 'EventAttributes';

/** `workflowTaskStarted by 4711@worker-1`: the one field of it that has a value names it. */
function tellStep(event: object): string {
  const [name, value] =
    Object.entries(event).find(([field, of]) => field.endsWith(ATTRIBUTES) && of !== null && of !== undefined) ?? [];
  const { identity } = (value ?? {}) as { identity?: string | null };
  return `${name?.slice(0, -ATTRIBUTES.length) ?? 'an event'}${identity ? ` by ${identity}` : ''}`;
}
