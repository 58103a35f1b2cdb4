/**
 * When the relay looks again, and for how many. When: at once while batches come full, every `floorMs` while events came in the last
 * `activeMs`, then doubling up to `idleMs` with jitter, so that many idle relays do not ask at the same moment.
 * Pure: time and random come in.
 */
export interface PollOptions {
  readonly floorMs: number;
  readonly idleMs: number;
  readonly activeMs: number;
}

/** rules.md, "Defaults". */
export const DEFAULT_POLL: PollOptions = { floorMs: 25, idleMs: 1_000, activeMs: 10_000 };

export interface PollState {
  /** When a claim last brought events, or the relay began. */
  readonly lastEventsAt: number;
  /** The delay before jitter that was given last. */
  readonly delayMs: number;
}

export interface ClaimOutcome {
  /** Rows claimed. */
  readonly claimed: number;
  /** Rows asked for. */
  readonly batch: number;
  /** Lanes were left unwalked in this round, so that nothing found does not mean nothing due. */
  readonly unfinished: boolean;
}

export function startPolling(options: PollOptions, now: number): PollState {
  return { lastEventsAt: now, delayMs: options.floorMs };
}

/** `random` in [0, 1). The wait returned is 0, the floor, or between half and the whole of the backed-off delay. */
export function nextPoll(
  state: PollState,
  outcome: ClaimOutcome,
  options: PollOptions,
  now: number,
  random: number,
): { readonly state: PollState; readonly waitMs: number } {
  const lastEventsAt = outcome.claimed > 0 ? now : state.lastEventsAt;
  const busy = { lastEventsAt, delayMs: options.floorMs };
  if (outcome.claimed >= outcome.batch) return { state: busy, waitMs: 0 };
  if (now - lastEventsAt < options.activeMs) return { state: busy, waitMs: options.floorMs };
  // A round over the lanes is walked at the floor; the silence after it goes on where it was.
  if (outcome.unfinished) return { state: { ...state, lastEventsAt }, waitMs: options.floorMs };
  const delayMs = Math.min(options.idleMs, state.delayMs * 2);
  return { state: { lastEventsAt, delayMs }, waitMs: Math.round(delayMs * (0.5 + random / 2)) };
}

/** What is claimed is started within about this time, so that what becomes due meanwhile gets its turn (R5). */
const TURN_MS = 1_000;
/** Fewer than are started at once: on a full CPU that shortens a turn. Where Temporal takes seconds for each it costs rate. */
const LEAST_BATCH = 8;

/** How many runs to claim next, `most` at most: as many as were started within `TURN_MS`; after a full claim that was quicker, twice as many. */
export function nextBatch(batch: number, most: number, started: number, tookMs: number): number {
  if (tookMs <= TURN_MS) return started < batch ? batch : Math.min(most, batch * 2);
  return Math.min(most, Math.max(LEAST_BATCH, Math.floor((started * TURN_MS) / tookMs)));
}
