/**
 * The runs themselves, as Temporal has them: each is of an event that stands (I3), each that failed has its letter (I4), and no
 * history holds a secret (I9).
 */
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { defaultTaskQueue } from '../../domain/delivery/deployment.js';
import { eventRunId, parseEventRunId } from '../../domain/delivery/workflow-ids.js';
import { isNotFound } from '../../infrastructure/temporal/connect-temporal.js';
import type { BookRow, Books } from './books.js';
import { canaryForms } from './canary-forms.js';
import type { Look } from './look-at-end.js';
import type { ChaosWorld } from './ports.js';
import { withTemporal } from './with-temporal.js';

/** Visibility is asked page by page; more failed runs, or open ones, than this are not looked at. */
const MOST_RUNS = 5_000;
/** Histories that are read whole. */
const MOST_HISTORIES = 60;
/** Beside those: of notices, and of batches. */
const MOST_GROUP_HISTORIES = 10;

export async function lookAtRuns(
  world: Pick<ChaosWorld, 'deployment' | 'environment' | 'temporal' | 'canary'>,
  books: Books,
): Promise<Look> {
  const { deployment, environment, canary } = world;
  return withTemporal(world, async ({ client }) => {
    const queue = environment.OUTBOX_TASK_QUEUE ?? defaultTaskQueue(deployment);
    const failed = await listRuns(client, queue, "ExecutionStatus = 'Failed'");
    const open = await listRuns(client, queue, "ExecutionStatus = 'Running'");
    const ofGroups = failed.filter((workflowId) => parseEventRunId(workflowId) === null);
    const problems = [
      ...withoutRow([...failed, ...open], books, deployment),
      ...withoutLetter(failed, books, deployment),
    ];
    const batches = await listRuns(client, queue, "WorkflowType = 'deliverBatch'", MOST_GROUP_HISTORIES);
    const chosen = [...chooseRuns(books, failed, deployment), ...chooseNotices(books), ...batches];
    const histories = await searchHistories(client, chosen, canaryForms(canary));
    return {
      looked: [
        `I3, I4: ${countOf(failed)} failed runs, their events and their letters; ${ofGroups.length} of them of batches and notices`,
        // No violation: after a worker's death Temporal asks again by a delay of its own, though the event has come to its end.
        `I3: ${countOf(open)} runs that were still open, and their events`,
        `I9: ${histories.read} histories, of the runs with the most attempts and of some others, of notices and of batches`,
      ],
      problems: [...problems, ...histories.problems],
      missing: histories.read === 0 && chosen.length > 0 ? ['I9: no history could be read'] : [],
    };
  });
}

async function listRuns(client: Client, queue: string, which: string, most = MOST_RUNS): Promise<string[]> {
  const runs: string[] = [];
  const query = `TaskQueue = '${queue}' AND ${which}`;
  for await (const { workflowId } of client.workflow.list({ query })) {
    runs.push(workflowId);
    if (runs.length === most) break;
  }
  return runs;
}

function countOf(runs: readonly string[]): string {
  return `${runs.length}${runs.length === MOST_RUNS ? ' (no more were asked for)' : ''}`;
}

/** Nothing of a chaos run is removed, so its event was rolled back, or is lost. */
export function withoutRow(
  workflowIds: readonly string[],
  { rows }: Pick<Books, 'rows'>,
  deployment: string,
): string[] {
  return [...new Set(workflowIds)].flatMap((workflowId) => {
    const run = parseEventRunId(workflowId);
    if (run === null || run.deployment !== deployment || rows.has(run.eventId)) return [];
    return [`I3 ${run.eventId}: expected nothing, for the outbox has no row of it; came the run ${workflowId}`];
  });
}

function withoutLetter(failed: readonly string[], { rows, letters }: Books, deployment: string): string[] {
  const lettered = new Set(letters.map(({ eventId, epoch }) => `${eventId}:${epoch}`));
  return failed.flatMap((workflowId) => {
    const run = parseEventRunId(workflowId);
    if (run === null || run.deployment !== deployment) return []; // of a batch, or a notice: their events tell
    // Without a row there could be no letter: told above.
    if (!rows.has(run.eventId) || lettered.has(`${run.eventId}:${run.epoch}`)) return [];
    return [`I4 ${run.eventId}: expected a dead letter of its failed run ${workflowId}, there is none`];
  });
}

/** Those that went the longest way say the most; one in so many of the others. */
function chooseRuns({ rows }: Books, failed: readonly string[], deployment: string): string[] {
  const attemptsOf = ({ delivery }: BookRow) =>
    Object.values(delivery?.failures ?? {}).reduce((sum, count) => sum + count, 0) + (delivery?.epoch ?? 0);
  const all = [...rows.values()];
  const hardest = [...all].sort((a, b) => attemptsOf(b) - attemptsOf(a)).slice(0, MOST_HISTORIES / 3);
  const every = Math.max(1, Math.floor((3 * all.length) / MOST_HISTORIES));
  const some = all.filter((_, at) => at % every === 0);
  const ids = [...hardest, ...some].map(({ id, delivery }) =>
    eventRunId({ deployment, eventId: id, epoch: delivery?.epoch ?? 0 }),
  );
  return [...new Set([...failed.slice(0, MOST_HISTORIES / 3), ...ids])].slice(0, MOST_HISTORIES);
}

/** What they tell of is in what they were given. */
function chooseNotices({ letters }: Books): readonly string[] {
  const runs = new Set(
    letters.flatMap(({ notifications }) => notifications.flatMap(({ claimedBy }) => claimedBy ?? [])),
  );
  return [...runs].slice(0, MOST_GROUP_HISTORIES);
}

async function searchHistories(
  client: Client,
  workflowIds: readonly string[],
  forms: readonly string[],
): Promise<{ readonly read: number; readonly problems: readonly string[] }> {
  const problems: string[] = [];
  let read = 0;
  for (const workflowId of workflowIds) {
    try {
      const history = await client.workflow.getHandle(workflowId).fetchHistory();
      read += 1;
      if (holds(history, forms)) problems.push(`I9 ${workflowId}: expected no secret in its history, it holds it`);
    } catch (error) {
      // Carried by a batch, retained no longer, or of a server whose data were lost.
      // What the client does not put into words of its own comes as the server says it.
      if (!(error instanceof WorkflowNotFoundError) && !isNotFound(error)) throw error;
    }
  }
  return { read, problems };
}

/** Payloads are bytes there. */
function holds(value: unknown, forms: readonly string[]): boolean {
  const text = JSON.stringify(value, (_, inner) => (inner instanceof Uint8Array ? toBase64(inner) : inner));
  return forms.some((form) => text.includes(form));
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
