/** Redrives everything that a filter names: counted first, then walked by the duty `jobs` at a bounded rate. */
import { v7 as uuidV7 } from 'uuid';
import type { LeaseHold, Logger } from '../ports.js';
import type { RelayTime } from '../relay-time.js';
import { checkFilter } from './check-filter.js';
import { checkWord } from './check-word.js';
import type { DeadLetterFilter } from './ports.js';
import type { PersonsWord, RedriveCount, RedriveJob, RedriveJobStore } from './redrive-ports.js';

export const DEFAULT_RATE = 50;
export const MOST_RATE = 1_000;
export const MOST_CAP = 100_000_000;

export interface RedriveJobInput extends PersonsWord {
  readonly filter: DeadLetterFilter;
  /** Letters a second, 1 to 1,000. */
  readonly rate: number;
  /** Letters in all; null: every one. */
  readonly cap: number | null;
  /** Of the key that asks. Default: an operator's, of no tenant. */
  readonly tenantId?: string | null;
}

interface JobDeps {
  readonly jobs: RedriveJobStore;
  readonly now: () => Date;
}

/**
 * What a job of this filter would redrive; writes nothing. `signal`: aborted when nobody waits for it any more.
 * @throws FilterError; IntegrationError `STORE.UNAVAILABLE`
 */
export async function countRedrive(
  { jobs, now }: JobDeps,
  filter: DeadLetterFilter,
  signal?: AbortSignal,
): Promise<RedriveCount> {
  checkFilter(filter, now());
  return jobs.count(filter, signal);
}

/**
 * Makes a job of the letters that are open now; the relay role runs it. Null where there is nothing to redrive.
 * @throws FilterError; TypeError for rate, cap or word; IntegrationError `STORE.UNAVAILABLE`
 */
export async function createRedriveJob(deps: JobDeps, input: RedriveJobInput): Promise<RedriveJob | null> {
  const { filter, rate, cap, actor, reason, tenantId = null } = input;
  checkWord(input);
  if (!isWhole(rate, MOST_RATE)) throw new TypeError(`rate: expected a whole number from 1 to ${MOST_RATE}`);
  if (cap !== null && !isWhole(cap, MOST_CAP))
    throw new TypeError(`cap: expected a whole number from 1 to ${MOST_CAP}`);
  const { count } = await countRedrive(deps, filter);
  if (count === 0) return null;
  const expected = Math.min(count, cap ?? count);
  return deps.jobs.create({ id: uuidV7(), filter, rate, cap, expected, actor, reason }, tenantId);
}

/** One turn of the duty `jobs`: steps whatever job is due, until none runs. */
export async function runRedriveJobs(
  { jobs, time, log }: { readonly jobs: Pick<RedriveJobStore, 'step'>; readonly time: RelayTime; readonly log: Logger },
  hold: LeaseHold,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const step = await jobs.step(hold);
    if (step.kind === 'idle') return;
    // Not longer than a turn may wait for a job that is made meanwhile.
    if (step.kind === 'wait') await time.sleep(Math.min(step.ms, 1_000), signal);
    else if (step.job.state === 'done') {
      const { id, redriven, skipped } = step.job;
      log.info({ jobId: id, redriven, skipped }, 'redrive_job.done');
    }
  }
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= most;
}
