/**
 * Tells people of the dead letters of one event type and code that came within one window (R24): waits, claims them, sends
 * through every channel beside the others, and notes what became of each. A channel that does not take it in time is given
 * up and noted; nothing here can fail or delay a delivery.
 *
 * A run that is terminated or cancelled leaves its rows undone: the relay starts it again under its own id, so that the
 * idempotency key, which is that id, stays.
 */
import { ActivityFailure, ApplicationFailure, isCancellation, log, proxyActivities, sleep } from '@temporalio/workflow';
import { type ErrorCode, isErrorCode } from '../src/domain/delivery/error-catalog.js';
import type { NotifyActivities, NotifyGroupInput, NotifyGroupResult, ToldGroup } from './contract.js';

const { claimGroup, finishGroup } = proxyActivities<NotifyActivities>({
  startToCloseTimeout: '15 s',
  // For as long as the database is away.
  retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '1 min' },
});

export async function notifyGroup({ rowId, windowMs, giveUpMs }: NotifyGroupInput): Promise<NotifyGroupResult> {
  if (windowMs > 0) await sleep(windowMs, { summary: 'others of the group' });
  const claim = await claimGroup({ rowId });
  if (claim.kind === 'nothing') return { count: 0, outcome: {} };
  const { told, channels } = claim;
  const outcome = Object.fromEntries(
    await Promise.all(channels.map(async (channel) => [channel, await tell(channel, told, giveUpMs)] as const)),
  );
  await finishGroup({ outcome });
  return { count: told.group.count, outcome };
}

async function tell(channel: string, told: ToldGroup, giveUpMs: number): Promise<'sent' | ErrorCode> {
  const { sendNotice } = proxyActivities<NotifyActivities>({
    startToCloseTimeout: '15 s',
    scheduleToCloseTimeout: giveUpMs,
    // Above every delay that the activity asks for, which this bound would cut.
    retry: { initialInterval: '5 s', backoffCoefficient: 2, maximumInterval: '1 h' },
    summary: channel,
  });
  try {
    await sendNotice({ ...told, channel });
    return 'sent';
  } catch (error) {
    if (isCancellation(error)) throw error;
    const code = codeOf(error);
    log.warn('A channel did not take a notice: given up', { channel, code });
    return code;
  }
}

/** What is no answer of the activity's is its time running out. */
function codeOf(error: unknown): ErrorCode {
  const cause = error instanceof ActivityFailure ? error.cause : error;
  return cause instanceof ApplicationFailure && isErrorCode(cause.type) ? cause.type : 'HTTP.TIMEOUT';
}
