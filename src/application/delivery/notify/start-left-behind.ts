import { parseNotifyRunId } from '../../../domain/delivery/workflow-ids.js';
import type { Logger } from '../ports.js';
import type { LeftBehind, NoticeStarter, NotificationStore } from './ports.js';

export interface StartLeftBehindDeps {
  readonly store: Pick<NotificationStore, 'findLeftBehind'>;
  readonly starter: NoticeStarter;
  readonly log: Logger;
}

export interface StartLeftBehindOptions {
  readonly windowMs: number;
  /** After the end of a window, and after a claim. Default a minute. */
  readonly graceMs?: number;
}

/** What one look starts at most, of either kind. */
const AT_ONCE = 100;
const START_TIMEOUT_MS = 5_000;
/** In a row: the rest is not sent into the same wall. */
const REFUSALS_TO_STOP = 3;

/**
 * R24: starts the runs of groups that nobody tells of: the parent died before its start, its start was refused, or the run
 * was terminated. A run that is on its way answers `exists`, so asking once too often does no harm, and asking again under
 * the id that claimed keeps the idempotency key.
 */
export async function startLeftBehind(
  { store, starter, log }: StartLeftBehindDeps,
  { windowMs, graceMs = 60_000 }: StartLeftBehindOptions,
  signal: AbortSignal,
): Promise<void> {
  const found = await store.findLeftBehind({ waitedMs: windowMs + graceMs, heldMs: graceMs, limit: AT_ONCE });
  let refusals = 0;
  for (const rowId of found.flatMap(rowOf)) {
    if (signal.aborted || refusals >= REFUSALS_TO_STOP) return;
    const answer = await starter.start(rowId, START_TIMEOUT_MS);
    if (answer.kind === 'started') log.warn({ rowId }, 'notice.group_left_behind');
    refusals = answer.kind === 'refused' ? refusals + 1 : 0;
    if (answer.kind === 'refused') log.warn({ rowId, reason: answer.reason }, 'notice.start_refused');
  }
}

function rowOf({ rowId, claimant }: LeftBehind): string[] {
  const id = rowId ?? parseNotifyRunId(claimant)?.id;
  return id === undefined ? [] : [id];
}
