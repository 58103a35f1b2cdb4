/** R22: what is to be done about a row that did not move in time, by what Temporal knows of its run. */
import type { ErrorCode } from './error-catalog.js';

/** So often is an event dispatched again without a person's word. */
export const MOST_REDISPATCHES = 3;

export type Verdict =
  | { readonly kind: 'put-off' }
  /** End the run first; then look again. */
  | { readonly kind: 'terminate' }
  /** `counted`: towards `MOST_REDISPATCHES`. */
  | { readonly kind: 'redispatch'; readonly code: ErrorCode; readonly counted: boolean }
  | { readonly kind: 'letter'; readonly code: ErrorCode };

export type JudgedRun =
  | { readonly kind: 'running'; readonly stuck: boolean }
  | { readonly kind: 'terminated'; readonly byUs: boolean }
  /** `eventNotFound`: it failed because its worker's database does not have the event (R19). */
  | { readonly kind: 'closed'; readonly eventNotFound: boolean }
  | { readonly kind: 'not-found' | 'unknown' };

/** `carried`: the run is a batch (R20). It is no event's, so however it ended its events go on, each in a run of its own. */
export function judgeRun(run: JudgedRun, redispatches: number, carried = false): Verdict {
  const verdict = judge(run, redispatches);
  return carried && verdict.kind === 'letter' ? { kind: 'redispatch', code: verdict.code, counted: true } : verdict;
}

function judge(run: JudgedRun, redispatches: number): Verdict {
  switch (run.kind) {
    case 'unknown':
      return { kind: 'put-off' };
    case 'running':
      return { kind: run.stuck ? 'terminate' : 'put-off' };
    case 'terminated':
      return run.byUs ? again('WORKFLOW.STUCK', redispatches) : { kind: 'letter', code: 'WORKFLOW.TERMINATED' };
    case 'closed':
      // However often: the event is here, so it is no letter's, and no other run would take it up once that is mended.
      if (run.eventNotFound) return { kind: 'redispatch', code: 'DISPATCH.EVENT_NOT_FOUND', counted: false };
      return again('WORKFLOW.LOST', redispatches);
    case 'not-found':
      return again('WORKFLOW.LOST', redispatches);
  }
}

function again(code: ErrorCode, redispatches: number): Verdict {
  return redispatches < MOST_REDISPATCHES ? { kind: 'redispatch', code, counted: true } : { kind: 'letter', code };
}

/** R21: from so many of one kind on, and from this share of a tick, it is the environment's fault and no run's. */
const MOST_ODD = 5;
const MOST_ODD_SHARE = 0.05;

/** Why a tick may write nothing, as a machine's word; null: it may. */
export function stopReason(runs: readonly JudgedRun[]): 'RUNS_LOST' | 'RUNS_STUCK' | null {
  const answered = runs.filter(({ kind }) => kind !== 'unknown');
  const tooMany = (odd: readonly JudgedRun[]) =>
    odd.length >= MOST_ODD && odd.length > answered.length * MOST_ODD_SHARE;
  // A run whose worker did not have its event spends nothing and is never a letter: a stop would only keep it from its event.
  const lost = answered.filter((run) => run.kind === 'not-found' || (run.kind === 'closed' && !run.eventNotFound));
  if (tooMany(lost)) return 'RUNS_LOST';
  return tooMany(answered.filter((run) => run.kind === 'running' && run.stuck)) ? 'RUNS_STUCK' : null;
}
