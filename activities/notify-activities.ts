/** The activities of `notifyGroup`, thin as the others are. What a channel's error says stays in our log. */
import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { NotifyError } from '../src/application/delivery/notify/notify-error.js';
import type { GroupNotifier } from '../src/application/delivery/notify/notify-group.js';
import type { Logger } from '../src/application/delivery/ports.js';
import { catalogEntry } from '../src/domain/delivery/error-catalog.js';
import { isIntegrationError } from '../src/domain/delivery/integration-error.js';
import type { NotifyActivities } from '../workflows/contract.js';

export function createNotifyActivities({
  notifier,
  log,
}: {
  readonly notifier: GroupNotifier;
  readonly log: Logger;
}): NotifyActivities {
  return {
    async claimGroup({ rowId }) {
      const claimed = await notifier.claim({ rowId, claimant: ownRun() }).catch((error) => Promise.reject(told(error)));
      return claimed === null ? { kind: 'nothing' } : { kind: 'claimed', ...claimed };
    },

    async sendNotice({ channel, ...group }) {
      const one = { told: group, channel, claimant: ownRun(), signal: cancellationSignal() };
      await notifier.send(one).catch((error) => Promise.reject(toFailure(error, activityInfo().attempt)));
    },

    async finishGroup({ outcome }) {
      await notifier.finish({ claimant: ownRun(), outcome }).catch((error) => Promise.reject(told(error)));
    },
  };

  function told(error: unknown): ApplicationFailure {
    const code = isIntegrationError(error) ? error.code : 'HANDLER.FAILED';
    log.warn({ error, workflowId: ownRun() }, 'notice.store_failed');
    return bare(ApplicationFailure.create({ message: catalogEntry(code).message, type: code }));
  }
}

const MOST_DELAY_MS = 300_000;

/** As the other side asked; else a second and twice as long each time, to five minutes. */
function toFailure(error: NotifyError, attempt: number): ApplicationFailure {
  const { retryable, retryAfterMs } = error;
  const code = error.code ?? 'HANDLER.FAILED';
  const delayMs = retryAfterMs ?? Math.min(MOST_DELAY_MS, 1_000 * 2 ** Math.min(attempt - 1, 20));
  return bare(
    ApplicationFailure.create({
      message: catalogEntry(code).message,
      type: code,
      nonRetryable: !retryable,
      ...(retryable ? { nextRetryDelay: Math.max(1, delayMs), category: ApplicationFailureCategory.BENIGN } : {}),
    }),
  );
}

function bare(failure: ApplicationFailure): ApplicationFailure {
  failure.stack = '';
  return failure;
}

function ownRun(): string {
  const { workflowExecution } = activityInfo();
  if (workflowExecution === undefined) throw new TypeError('expected to be called by a workflow');
  return workflowExecution.workflowId;
}
