import type { ClaimedEvent, StartAnswer, WorkflowStarter } from './ports.js';
import type { RelayTime } from './relay-time.js';

export interface StartBatchOptions {
  readonly inFlight: number;
  readonly startTimeoutMs: number;
  /** No start is sent after this moment of `time.now()`. */
  readonly lastStartAt: number;
  readonly stopped: () => boolean;
}

export interface StartedBatch {
  /** A run with the event's own id exists: to be marked. */
  readonly accepted: readonly ClaimedEvent[];
  readonly refused: readonly { readonly event: ClaimedEvent; readonly reason: string }[];
  /** Never sent: a shutdown, the lease running out, or starts being refused. */
  readonly unsent: readonly ClaimedEvent[];
  readonly eager: number;
  readonly existed: number;
}

/** So many refusals without as many successes: the rest of the batch is not sent into the same wall. */
const REFUSALS_TO_STOP = 3;

/**
 * Starts one run for each event, `inFlight` at once, each with a deadline. Never throws: whatever a start answers, or
 * does not, is the environment's and comes back as `refused` (R8).
 */
export async function startBatch(
  deps: { readonly starter: WorkflowStarter; readonly time: RelayTime },
  events: readonly ClaimedEvent[],
  options: StartBatchOptions,
): Promise<StartedBatch> {
  const accepted: ClaimedEvent[] = [];
  const refused: { event: ClaimedEvent; reason: string }[] = [];
  let eager = 0;
  let existed = 0;
  let sent = 0;

  const goOn = () =>
    sent < events.length &&
    !options.stopped() &&
    deps.time.now() <= options.lastStartAt &&
    (refused.length < REFUSALS_TO_STOP || refused.length <= accepted.length);

  const sendOneByOne = async () => {
    while (goOn()) {
      const event = events[sent++] as ClaimedEvent;
      const answer = await startBefore(deps, event, options.startTimeoutMs);
      if (answer.kind === 'refused') refused.push({ event, reason: answer.reason });
      else accepted.push(event);
      if (answer.kind === 'exists') existed += 1;
      if (answer.kind === 'started' && answer.eager) eager += 1;
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.inFlight, events.length) }, sendOneByOne));
  return { accepted, refused, unsent: events.slice(sent), eager, existed };
}

async function startBefore(
  deps: { readonly starter: WorkflowStarter; readonly time: RelayTime },
  event: ClaimedEvent,
  timeoutMs: number,
): Promise<StartAnswer> {
  const answered = new AbortController();
  try {
    // The starter has the deadline too; this one holds even where a client library forgets its own.
    return await Promise.race([
      deps.starter.start(event, timeoutMs),
      deps.time.sleep(timeoutMs, answered.signal).then(() => unanswered(timeoutMs)),
    ]);
  } catch (error) {
    return { kind: 'refused', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    answered.abort();
  }
}

function unanswered(timeoutMs: number): StartAnswer {
  return { kind: 'refused', reason: `no answer to a start within ${timeoutMs} ms` };
}
