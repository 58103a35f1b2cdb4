// Real: the activities. Theirs is the SDK's environment, and a dispatcher with a bug.
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { type ActivitiesDeps, createActivities } from '../../activities/create-activities.js';
import { NOTHING_CARRIED } from '../../src/domain/delivery/carried-state.js';
import { DEFAULT_TIMEOUTS } from '../../src/domain/delivery/delivery-timeouts.js';

const { storeMs, sendMs, totalMs } = DEFAULT_TIMEOUTS.regular;
const TASK = {
  ...{ eventId: '0198c0de-0000-7000-8000-000000000001', epoch: 0, carrier: null },
  ...{ previous: null, carried: NOTHING_CARRIED, deadlines: { storeMs, sendMs, totalMs } },
};

it.each([
  [1, 1_000],
  [3, 4_000],
  [7, 64_000],
  [500, 64_000],
])('R13: a bug of ours is tried again later and later: after try %i in %i ms', async (attempt, delayMs) => {
  const logged: unknown[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (_: object, message?: string) => void logged.push(message) };
  const { dispatchEvent } = createActivities({
    log,
    dispatchEvent: () => Promise.reject(new TypeError('a payload that is quoted')),
  } as unknown as ActivitiesDeps);
  const failure: unknown = await new MockActivityEnvironment({ attempt })
    .run(dispatchEvent, TASK)
    .catch((error) => error);
  expect(failure).toBeInstanceOf(ApplicationFailure);
  expect(failure).toMatchObject({ type: 'HANDLER.FAILED', nextRetryDelay: delayMs, nonRetryable: false });
  expect(JSON.stringify(failure)).not.toContain('quoted');
  expect(logged).toEqual(['activity.unexpected_error']);
});
