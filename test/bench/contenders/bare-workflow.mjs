// The least that a workflow of our shape can be: one empty activity. Bundled for the bare contender's worker.
import { proxyActivities, proxyLocalActivities } from '@temporalio/workflow';

/** Of the type that ours has, with the input that ours gets; the activities' options are ours too. */
export async function deliverEvent({ firstAttempt, timeouts }) {
  if (firstAttempt === 'local') {
    const { scheduleToStartMs, startToCloseMs } = timeouts.local;
    await proxyLocalActivities({
      scheduleToStartTimeout: scheduleToStartMs,
      startToCloseTimeout: startToCloseMs,
      retry: { maximumAttempts: 1 },
      summary: 'first attempt',
    }).doNothing();
    return;
  }
  await proxyActivities({
    startToCloseTimeout: timeouts.regular.startToCloseMs,
    retry: { initialInterval: '1 s', backoffCoefficient: 2, maximumInterval: '1 h' },
    summary: 'regular attempts',
  }).doNothing();
}
