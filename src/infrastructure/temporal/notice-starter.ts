import { Client } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { NOTIFY_GROUP, type NotifyGroupInput } from '../../../workflows/contract.js';
import type { NoticeStarter } from '../../application/delivery/notify/ports.js';
import { notifyRunId } from '../../domain/delivery/workflow-ids.js';
import { before, readRefusal } from './workflow-starter.js';

export interface NoticeStarterOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly deployment: string;
  readonly taskQueue: string;
  readonly giveUpMs: number;
}

/** For groups left behind (R24): under the id that their own start would have had, and without another window. */
export function createNoticeStarter(options: NoticeStarterOptions): NoticeStarter {
  const { connection, namespace, deployment, taskQueue, giveUpMs } = options;
  const client = new Client({ connection, namespace });
  return {
    async start(rowId, timeoutMs) {
      try {
        const input: NotifyGroupInput = { rowId, windowMs: 0, giveUpMs };
        const starting = connection.withDeadline(Date.now() + timeoutMs, () =>
          client.workflow.start(NOTIFY_GROUP, {
            workflowId: notifyRunId({ deployment, id: rowId }),
            taskQueue,
            args: [input],
            // A run that is closed may have left its rows undone, a completed one where the database went back to
            // before its commits. The claim decides who tells.
            workflowIdReusePolicy: 'ALLOW_DUPLICATE',
            workflowIdConflictPolicy: 'FAIL',
          }),
        );
        await before(starting, timeoutMs);
        return { kind: 'started' };
      } catch (error) {
        return readRefusal(error);
      }
    },
  };
}
