import { parseNotifyRunId } from '../../../domain/delivery/workflow-ids.js';
import type { Logger } from '../ports.js';
import type { LeftBehind, LeftBehindPlace, NoticeStarter, NotificationStore } from './ports.js';

export interface StartLeftBehindDeps {
  readonly store: Pick<NotificationStore, 'findLeftBehind'>;
  readonly starter: NoticeStarter;
  readonly log: Logger;
}

export interface StartLeftBehindOptions {
  readonly windowMs: number;
  /** After the end of a window, and after a claim. Default a minute. */
  readonly graceMs?: number;
  /** What one look starts at most, of either kind. */
  readonly atOnce?: number;
}

const AT_ONCE = 100;
const START_TIMEOUT_MS = 5_000;
/** In a row: the rest is not sent into the same wall. */
const REFUSALS_TO_STOP = 3;

const FROM_THE_FIRST: LeftBehindPlace = { rowId: null, claimant: null };

/**
 * R24: starts the runs of groups that nobody tells of: the parent died before its start, its start was refused, the run
 * was terminated, or what it wrote was lost. A run that is on its way answers `exists`, so asking once too often does no
 * harm, and asking again under the id that claimed keeps the idempotency key. Each look goes on after the last one that was
 * looked at, so that groups on their way, however many, do not hide one that is not.
 */
export function createLeftBehindStarter(
  { store, starter, log }: StartLeftBehindDeps,
  { windowMs, graceMs = 60_000, atOnce = AT_ONCE }: StartLeftBehindOptions,
): (signal: AbortSignal) => Promise<void> {
  let after = FROM_THE_FIRST;
  return async (signal) => {
    const waits = { waitedMs: windowMs + graceMs, heldMs: graceMs };
    const found = await store.findLeftBehind({ ...waits, limit: atOnce, after });
    let refusals = 0;
    for (const one of found) {
      if (signal.aborted || refusals >= REFUSALS_TO_STOP) return;
      after = one.rowId === null ? { ...after, claimant: one.claimant } : { ...after, rowId: one.rowId };
      const rowId = one.rowId ?? parseNotifyRunId(one.claimant)?.id;
      if (rowId === undefined) continue;
      const answer = await starter.start(rowId, START_TIMEOUT_MS);
      if (answer.kind === 'started') log.warn({ rowId }, 'notice.group_left_behind');
      refusals = answer.kind === 'refused' ? refusals + 1 : 0;
      if (answer.kind === 'refused') log.warn({ rowId, reason: answer.reason }, 'notice.start_refused');
    }
    const isLast = (ofKind: (one: LeftBehind) => boolean) => found.filter(ofKind).length < atOnce;
    after = {
      rowId: isLast(({ rowId }) => rowId !== null) ? null : after.rowId,
      claimant: isLast(({ claimant }) => claimant !== null) ? null : after.claimant,
    };
  };
}
