import type { Client } from '@temporalio/client';

/** Why workflow tasks of these runs failed, each with its run: a worker whose workflows do not fit a history fails so. */
export async function failedWorkflowTasks(client: Client, workflowIds: readonly string[]): Promise<string[]> {
  const failed: string[] = [];
  for (const id of workflowIds) {
    const { events } = await client.workflow.getHandle(id).fetchHistory();
    for (const { workflowTaskFailedEventAttributes: attributes } of events ?? []) {
      if (attributes) failed.push(`${id}: ${attributes.failure?.message ?? attributes.cause}`);
    }
  }
  return failed;
}
