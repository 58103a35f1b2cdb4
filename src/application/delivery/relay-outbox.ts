/**
 * The relay: claims due rows, starts one run for each, marks them STARTED. Any number of relays may run beside each
 * other; none of them leads.
 *
 *   claim (lease, token) → check each row → start, bounded → mark what was accepted, release the rest → wait → claim …
 *
 * Guarantees
 * - A row is marked only by the relay whose token it carries (R7). A relay that was away too long writes to no row.
 * - Nothing that Temporal or the database answers ends or spends a delivery (R8). Only `checkStartFields` does.
 * - The loop never ends by an error: it backs off, says so once, and says so once when it is over.
 *
 * Why a start without an answer is released like a refused one: it may have taken effect, and that is harmless. The run
 * finds its row by (event, epoch), not by the token, so it delivers and settles from PENDING; whoever claims the row
 * next starts the same workflow id, hears "exists" and marks it. The only thing to keep is that a lease outlives its
 * starts, else two relays would take turns with one batch and every mark would be fenced: so no start is sent later
 * than its deadline and a margin for the mark before the lease's end.
 */
import { randomUUID } from 'node:crypto';
import { type Metrics, NO_METRICS } from '../metrics/metrics.js';
import type { Tracing } from '../tracing.js';
import { checkStartFields } from './check-start-fields.js';
import type { BacklogWatch } from './coalescing/watch-backlog.js';
import {
  type ClaimOutcome,
  DEFAULT_POLL,
  nextBatch,
  nextPoll,
  type PollOptions,
  startPolling,
} from './poll-schedule.js';
import type { ClaimedEvent, DeadLetterStore, Logger, PolicyHashes, RelayStore, WorkflowStarter } from './ports.js';
import { probeKeeper } from './probe-keeper.js';
import type { RelayTime } from './relay-time.js';
import { type StartedRuns, startRuns } from './start-runs.js';
import { watchRoom } from './watch-room.js';

/** `claimed` = `started` + `refused` + `rejected` + `unsent`; `existed`, `eager` and `coalesced` are parts of `started`. */
export type RelayCounter =
  | 'claimed'
  | 'started'
  | 'existed'
  | 'eager'
  | 'coalesced'
  | 'refused'
  | 'rejected'
  | 'unsent'
  | 'fenced_relay_writes'
  | 'overtaken_marks'
  | 'abandoned_writes';

export interface RelayDeps {
  readonly store: RelayStore;
  readonly starter: WorkflowStarter;
  readonly deadLetters: Pick<DeadLetterStore, 'recordDeadLetter'>;
  readonly time: RelayTime;
  readonly telemetry: {
    readonly log: Logger;
    count(counter: RelayCounter, by: number): void;
    readonly metrics?: Metrics;
  };
  /** Told of every batch whose starts Temporal refused. */
  readonly onStartsRefused?: (refusal: { readonly reason: string; readonly count: number }) => void;
  readonly tracing?: Tracing | undefined;
}

export interface RelayOptions {
  /** By event type; of this relay's configuration, stored already. */
  readonly policies: PolicyHashes;
  /** R20: what travels many to a run, and how carriers are named. Left out: nothing. */
  readonly coalescing?: { readonly backlog: BacklogWatch; readonly carrierPrefix: string };
  readonly leaseMs?: number;
  readonly batch?: number;
  /** Starts at once. */
  readonly inFlight?: number;
  /** Of one start; at most a third of the lease. */
  readonly startTimeoutMs?: number;
  /** Cap of runs for a destination that names none. */
  readonly maxRuns?: number;
  readonly poll?: PollOptions;
  /** What `stop` waits for at most. */
  readonly graceMs?: number;
  /** For tests of races: called at the named points. */
  readonly failpoint?: (name: 'after-claim' | 'after-start-before-mark' | 'after-mark') => void | Promise<void>;
}

export interface Relay {
  /** Something was appended in this process: look now instead of at the next poll. Cheap; may be called at any rate. */
  hint(): void;
  /** Claims nothing more, finishes the starts that are sent, marks them, releases the rest; at most `graceMs`. */
  stop(): Promise<void>;
}

/** rules.md, "Defaults". */
const DEFAULTS = { leaseMs: 30_000, batch: 200, inFlight: 50, startTimeoutMs: 5_000, maxRuns: 500, graceMs: 30_000 };
const WRITE_MARGIN_MS = 5_000;
const MAX_PAUSE_MS = 5_000;
const TRIES_BEFORE_PUT_OFF = 5;
const PUT_OFF_MS = 300_000;

/** Starts the loop at once. */
export function relayOutbox(deps: RelayDeps, options: RelayOptions): Relay {
  const { store, time, telemetry } = deps;
  const { log, count, metrics = NO_METRICS } = telemetry;
  const settings = { ...DEFAULTS, poll: DEFAULT_POLL, failpoint: () => undefined, ...options };
  // A short lease shortens both, so that every lease leaves time to send, to hear and to mark.
  const startTimeoutMs = Math.min(settings.startTimeoutMs, settings.leaseMs / 3);
  const writeMarginMs = Math.min(WRITE_MARGIN_MS, settings.leaseMs / 3);
  const probeHolder = randomUUID();
  const refusals = troubleLog(deps, 'relay.starts_refused', 'relay.starts_accepted');
  const outages = troubleLog(deps, 'relay.store_away', 'relay.store_back');
  const holdProbes = probeKeeper({ store, time }, probeHolder);
  const { coalescing } = options;
  const lookAtRoom = watchRoom({ store, time, log }, settings.maxRuns);
  let poll = startPolling(settings.poll, time.now());
  let cursor: string | null = null;
  let inFlight = settings.inFlight;
  let atOnce = settings.batch;
  let stopBy = Number.POSITIVE_INFINITY;
  let hinted = false;
  let wake: AbortController | null = null;
  // A hint does not shorten a pause; a stop does.
  const pausing = new AbortController();

  const stopped = () => stopBy !== Number.POSITIVE_INFINITY;
  const done = loop();
  return {
    hint() {
      hinted = true;
      wake?.abort();
    },
    async stop() {
      if (!stopped()) stopBy = time.now() + settings.graceMs;
      wake?.abort();
      pausing.abort();
      const finished = new AbortController();
      await Promise.race([done.finally(() => finished.abort()), time.sleep(settings.graceMs, finished.signal)]);
    },
  };

  async function loop(): Promise<void> {
    while (!stopped()) {
      try {
        const { outcome, pauseMs } = await turn();
        await lookAtRoom();
        await coalescing?.backlog.look();
        if (pauseMs > 0) {
          await time.sleep(pauseMs, pausing.signal);
          continue;
        }
        const next = nextPoll(poll, outcome, settings.poll, time.now(), time.random());
        poll = next.state;
        await rest(next.waitMs);
      } catch (error) {
        // A claim that was not answered may have taken rows; nobody knows its token, so they wait for the lease's end.
        await time.sleep(outages.occurred({ reason: messageOf(error) }), pausing.signal);
      }
    }
  }

  async function turn(): Promise<{ outcome: ClaimOutcome; pauseMs: number }> {
    await holdProbes();
    const batch = Math.min(atOnce, inFlight < settings.inFlight ? inFlight : settings.batch);
    const leaseToken = randomUUID();
    const claimedAt = time.now();
    const { leaseMs, maxRuns: defaultMaxRuns, policies } = settings;
    const claim = await store.claim({
      ...{ leaseToken, leaseMs, batch, cursor, defaultMaxRuns, policies, probeHolder },
      ...(coalescing === undefined ? {} : { coalesced: { ...coalescing, sizes: coalescing.backlog.sizes() } }),
    });
    outages.over();
    cursor = claim.cursor;
    const outcome = { claimed: claim.events.length, batch, unfinished: claim.unfinished };
    if (outcome.claimed === 0) return { outcome, pauseMs: 0 };
    count('claimed', outcome.claimed);
    for (const { eventType } of claim.events) metrics.count('outbox_claimed_events_total', { event_type: eventType });
    const began = { claimedAt, leaseToken };
    const { tracing } = deps;
    if (tracing === undefined) return { outcome, pauseMs: await startClaimed(claim.events, began) };
    // One claim serves many traces: a trace of its own, with a link to each.
    const span = {
      ...({ name: 'relay.claim', kind: 'consumer', parent: null } as const),
      links: claim.events.flatMap(({ trace }) => trace ?? []),
      attributes: { 'outbox.events': outcome.claimed },
      beganMsAgo: time.now() - claimedAt,
    };
    return { outcome, pauseMs: await tracing.inSpan(span, () => startClaimed(claim.events, began)) };
  }

  /** Answers how long to pause. */
  async function startClaimed(
    events: readonly ClaimedEvent[],
    { claimedAt, leaseToken }: { readonly claimedAt: number; readonly leaseToken: string },
  ): Promise<number> {
    const { leaseMs } = settings;
    await settings.failpoint('after-claim');

    const fit = await rejectUnfit(events);
    const began = time.now();
    const started = await startRuns({ ...deps, metrics }, fit, {
      claimedAt,
      inFlight,
      startTimeoutMs,
      lastStartAt: claimedAt + leaseMs - startTimeoutMs - writeMarginMs,
      stopped,
    });
    atOnce = nextBatch(atOnce, settings.batch, started.acceptances, time.now() - began);
    count('started', started.accepted.length);
    count('existed', started.existed);
    count('eager', started.eager);
    count('coalesced', started.coalesced);
    count('refused', started.refused.length);
    count('unsent', started.unsent.length);
    await settings.failpoint('after-start-before-mark');

    const environment = started.refusals > started.acceptances;
    await writeBack(leaseToken, started, environment, claimedAt + leaseMs);
    await settings.failpoint('after-mark');
    return judge(started, environment);
  }

  /** R8: ends the rows that no run could carry; returns the others. */
  async function rejectUnfit(events: readonly ClaimedEvent[]): Promise<ClaimedEvent[]> {
    const fit: ClaimedEvent[] = [];
    for (const event of events) {
      const problem = checkStartFields(event);
      if (problem === null) {
        fit.push(event);
        continue;
      }
      const { eventId, epoch, carrier } = event;
      const code = 'DISPATCH.INVALID_EVENT';
      const input = { run: { eventId, epoch, carrier }, code, message: problem.message } as const;
      count('rejected', 1);
      metrics.count('outbox_start_failures_total', { kind: 'invalid' });
      try {
        const end = { ...input, attempt: null, workflowId: null, runId: null };
        const answer = await deps.deadLetters.recordDeadLetter(end, 5_000);
        if (answer.kind === 'recorded')
          metrics.count('outbox_dead_events_total', { event_type: event.eventType, code });
        if (answer.kind === 'superseded') metrics.count('outbox_fenced_writes_total', { write: 'dead_letter' });
        log.error({ eventId, epoch, code, field: problem.field }, 'delivery.dead');
      } catch (error) {
        // Its lease ends and it comes again; the others of the batch need not wait for that.
        log.error({ eventId, epoch, code, reason: messageOf(error) }, 'relay.reject_failed');
      }
    }
    return fit;
  }

  async function writeBack(leaseToken: string, started: StartedRuns, environment: boolean, leaseEnd: number) {
    const { accepted, refused, unsent } = started;
    const released = [
      ...unsent.map(({ eventId, epoch, carrier }) => ({ eventId, epoch, carrier, delayMs: 0, countTry: false })),
      ...refused.map(({ event, reason, unfit }) => ({
        eventId: event.eventId,
        epoch: event.epoch,
        carrier: event.carrier,
        delayMs: environment ? 0 : putOff(event, reason),
        countTry: !environment || unfit,
        sent: true,
      })),
    ];
    if (accepted.length > 0) await persist('mark', leaseEnd, (again) => store.markStarted(leaseToken, accepted, again));
    if (released.length > 0) await persist('release', leaseEnd, (again) => store.release(leaseToken, released, again));
  }

  /** One row is refused while others are accepted: later and later, never ended, said loudly from the fifth time on. */
  function putOff(event: ClaimedEvent, reason: string): number {
    const tries = event.startTries + 1;
    if (tries < TRIES_BEFORE_PUT_OFF) return 1_000 * 2 ** event.startTries;
    log.error({ eventId: event.eventId, epoch: event.epoch, tries, reason }, 'relay.start_put_off');
    return PUT_OFF_MS;
  }

  /** Fewer in flight while starts are refused, and a pause; more again with every batch that is not. */
  function judge(started: StartedRuns, environment: boolean): number {
    if (environment) {
      inFlight = Math.max(1, Math.floor(inFlight / 2));
      deps.onStartsRefused?.({ reason: started.refused[0]?.reason ?? '', count: started.refused.length });
      return refusals.occurred({ reason: started.refused[0]?.reason, refused: started.refused.length, inFlight });
    }
    if (started.accepted.length > 0) {
      inFlight = Math.min(settings.inFlight, inFlight + Math.ceil(settings.inFlight / 10));
      refusals.over();
    }
    return 0;
  }

  /** Tries a write while the lease makes it worth trying. Left undone it costs time only: the lease ends, see above. */
  async function persist(
    write: 'mark' | 'release',
    leaseEnd: number,
    run: (again: boolean) => Promise<{ overtaken: number; fenced: number }>,
  ): Promise<void> {
    for (let [delayMs, again] = [50, false]; ; delayMs = Math.min(1_000, delayMs * 2), again = true) {
      try {
        const { overtaken, fenced } = await run(again);
        outages.over();
        if (overtaken > 0) {
          count('overtaken_marks', overtaken);
          metrics.count('outbox_overtaken_events_total', {}, overtaken);
        }
        if (fenced > 0) {
          count('fenced_relay_writes', fenced);
          metrics.count('outbox_fenced_writes_total', { write }, fenced);
        }
        return;
      } catch (error) {
        outages.occurred({ reason: messageOf(error) });
        if (time.now() + delayMs >= Math.min(leaseEnd, stopBy)) {
          count('abandoned_writes', 1);
          log.warn({ write, reason: messageOf(error) }, 'relay.write_abandoned');
          return;
        }
      }
      await time.sleep(delayMs);
    }
  }

  async function rest(waitMs: number): Promise<void> {
    if (!hinted && !stopped() && waitMs > 0) {
      wake = new AbortController();
      await time.sleep(waitMs, wake.signal);
      wake = null;
    }
    hinted = false;
  }
}

/** Says when a trouble begins and when it is over, once each; in between answers how long to pause, growing to 5 s. */
function troubleLog({ time, telemetry }: RelayDeps, began: string, ended: string) {
  let times = 0;
  return {
    occurred(fields: object): number {
      if (times === 0) telemetry.log.error(fields, began);
      times += 1;
      return Math.round(Math.min(MAX_PAUSE_MS, 100 * 2 ** Math.min(times, 10)) * (0.5 + time.random() / 2));
    },
    over(): void {
      if (times > 0) telemetry.log.info({ times }, ended);
      times = 0;
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
