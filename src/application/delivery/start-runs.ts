import { type Metrics, NO_METRICS } from '../metrics/metrics.js';
import type { ClaimedBatch, ClaimedEvent, StartAnswer, WorkflowStarter } from './ports.js';
import type { RelayTime } from './relay-time.js';

export interface StartRunsOptions {
  /** Of `time.now()`, when the ages of the events were told. */
  readonly claimedAt: number;
  readonly inFlight: number;
  readonly startTimeoutMs: number;
  /** No start is sent after this moment of `time.now()`. */
  readonly lastStartAt: number;
  readonly stopped: () => boolean;
}

export interface StartedRuns {
  /** A run with the id exists: to be marked. */
  readonly accepted: readonly ClaimedEvent[];
  readonly refused: readonly Refused[];
  /** Never sent: a shutdown, the lease running out, or starts being refused. */
  readonly unsent: readonly ClaimedEvent[];
  /** Of runs, not of their events. */
  readonly acceptances: number;
  readonly refusals: number;
  /** Of the accepted: events by what became of their start. */
  readonly eager: number;
  readonly existed: number;
  readonly coalesced: number;
}

interface Refused {
  readonly event: ClaimedEvent;
  readonly reason: string;
  /** Its batch was refused for what it is. */
  readonly unfit: boolean;
}

/** So many refusals without as many successes: the rest of the batch is not sent into the same wall. */
const REFUSALS_TO_STOP = 3;

/**
 * Starts one run for each event, and one for each group of events with a carrier (R20), `inFlight` at once, each with a
 * deadline. Never throws: whatever a start answers, or does not, is the environment's and comes back as `refused` (R8).
 */
export async function startRuns(
  deps: { readonly starter: WorkflowStarter; readonly time: RelayTime; readonly metrics?: Metrics },
  events: readonly ClaimedEvent[],
  options: StartRunsOptions,
): Promise<StartedRuns> {
  const { metrics = NO_METRICS } = deps;
  const runs = groupByCarrier(events);
  const accepted: ClaimedEvent[] = [];
  const refused: Refused[] = [];
  const counted = { eager: 0, existed: 0, coalesced: 0 };
  let sent = 0;
  let refusals = 0;
  let acceptances = 0;

  const maySend = () =>
    !options.stopped() &&
    deps.time.now() <= options.lastStartAt &&
    (refusals < REFUSALS_TO_STOP || refusals <= acceptances);

  /** Of those that nobody has tried before. */
  const observeWaits = (started: readonly ClaimedEvent[]) => {
    const sinceClaimMs = deps.time.now() - options.claimedAt;
    for (const { eventType, epoch, ageMs } of started) {
      if (epoch > 0 || ageMs === undefined) continue;
      const seconds = (ageMs + sinceClaimMs) / 1_000;
      metrics.observe('outbox_commit_to_start_seconds', { event_type: eventType }, seconds);
    }
  };

  const sendOneByOne = async () => {
    while (sent < runs.length && maySend()) {
      const run = runs[sent++] as ClaimedBatch | ClaimedEvent;
      const own = 'eventId' in run ? [run] : run.events;
      let answer = await startBefore(deps, run, options.startTimeoutMs);
      // Released, its events go into other batches, while an unanswered one may be under way: asked once more, it is known.
      if (answer.kind === 'refused' && !('eventId' in run) && maySend()) {
        answer = await startBefore(deps, run, options.startTimeoutMs);
      }
      if (answer.kind === 'refused') {
        refusals += 1;
        const { reason } = answer;
        const unfit = !('eventId' in run) && answer.unfit === true;
        refused.push(...own.map((event) => ({ event, reason, unfit })));
        metrics.count('outbox_start_failures_total', { kind: answer.unfit === true ? 'unfit' : 'refused' });
        continue;
      }
      if (answer.kind === 'started') {
        metrics.count('outbox_started_runs_total', { eager: answer.eager ? 'yes' : 'no' });
        observeWaits(own);
      }
      acceptances += 1;
      accepted.push(...own);
      if (answer.kind === 'exists') counted.existed += own.length;
      if (answer.kind === 'started' && answer.eager) counted.eager += own.length;
      if (!('eventId' in run)) counted.coalesced += own.length;
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.inFlight, runs.length) }, sendOneByOne));
  const unsent = runs.slice(sent).flatMap((run) => ('eventId' in run ? [run] : run.events));
  return { accepted, refused, unsent, acceptances, refusals, ...counted };
}

/** In the order claimed; a batch stands where its first event did. */
function groupByCarrier(events: readonly ClaimedEvent[]): (ClaimedBatch | ClaimedEvent)[] {
  const batches = new Map<string, { readonly carrier: string; readonly events: ClaimedEvent[] }>();
  const runs: (ClaimedBatch | ClaimedEvent)[] = [];
  for (const event of events) {
    const { carrier } = event;
    if (carrier === null) {
      runs.push(event);
      continue;
    }
    let batch = batches.get(carrier);
    if (batch === undefined) {
      batch = { carrier, events: [] };
      batches.set(carrier, batch);
      runs.push(batch);
    }
    batch.events.push(event);
  }
  return runs;
}

/** One for all: without a reason of ours an abort makes an error with a stack, for every start. */
const ANSWERED = new Error('answered');

async function startBefore(
  deps: { readonly starter: WorkflowStarter; readonly time: RelayTime },
  run: ClaimedBatch | ClaimedEvent,
  timeoutMs: number,
): Promise<StartAnswer> {
  const answered = new AbortController();
  try {
    // The starter has the deadline too; this one holds even where a client library forgets its own.
    return await Promise.race([
      'eventId' in run ? deps.starter.start(run, timeoutMs) : deps.starter.startBatch(run, timeoutMs),
      deps.time.sleep(timeoutMs, answered.signal).then(() => unanswered(timeoutMs)),
    ]);
  } catch (error) {
    return { kind: 'refused', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    answered.abort(ANSWERED);
  }
}

function unanswered(timeoutMs: number): StartAnswer {
  return { kind: 'refused', reason: `no answer to a start within ${timeoutMs} ms` };
}
