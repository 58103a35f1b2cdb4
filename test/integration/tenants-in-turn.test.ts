/** R5, in Temporal's queue: a server that has fairness on (1.29), real starts, its own answers to polls. No worker runs. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@temporalio/client';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { DEFAULT_TIMEOUTS } from '../../src/domain/delivery/delivery-timeouts.js';
import { batchRunId } from '../../src/domain/delivery/workflow-ids.js';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/infrastructure/embedded/embedded-temporal.js';
import { toSdkLogger } from '../../src/infrastructure/temporal/install-runtime.js';
import { createWorkflowStarter } from '../../src/infrastructure/temporal/workflow-starter.js';
import { claimed, silentLog } from '../support/delivery-line.js';
import { temporalCli } from '../support/temporal.js';

const NOISY = 60;
const QUIET = 3;

let folder: string;
let temporal: EmbeddedTemporal;
let connection: NativeConnection;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-fair-'));
  temporal = await startEmbeddedTemporal({
    cli: temporalCli(),
    pidFile: join(folder, 'temporal.pid'),
    port: 0,
    uiPort: null,
    searchAttributes: [],
    dynamicConfig: {
      'matching.enableFairness': 'true',
      // Turns are taken within a partition.
      'matching.numTaskqueueReadPartitions': '1',
      'matching.numTaskqueueWritePartitions': '1',
    },
  });
  Runtime.install({ logger: toSdkLogger(silentLog), shutdownSignals: [] });
  connection = await NativeConnection.connect({ address: temporal.address });
}, 90_000);

afterAll(async () => {
  await connection?.close();
  await temporal?.stop();
  await rm(folder, { recursive: true, force: true });
});

const starter = (taskQueue: string) =>
  createWorkflowStarter({
    connection,
    namespace: 'default',
    deployment: 'in-turn',
    taskQueue,
    timeoutsOf: () => DEFAULT_TIMEOUTS,
    searchAttributes: null,
    eager: false,
  });

async function startMany(taskQueue: string, count: number, tenantId: string): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  for (const id of ids) {
    const answer = await starter(taskQueue).start({ ...claimed(id), tenantId }, 10_000);
    expect(answer).toMatchObject({ kind: 'started' });
  }
  return ids;
}

/** The runs whose first workflow task is given out next, in order. */
async function poll(taskQueue: string, count: number): Promise<readonly string[]> {
  const runs: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const { workflowExecution } = await connection.withDeadline(Date.now() + 20_000, () =>
      connection.workflowService.pollWorkflowTaskQueue({
        namespace: 'default',
        taskQueue: { name: taskQueue },
        identity: 'test',
      }),
    );
    runs.push(workflowExecution?.workflowId ?? 'no task');
  }
  return runs;
}

it('R5: a tenant that comes late waits for a turn, not for all that a noisy one has started before', async () => {
  await startMany('turns', NOISY, 'noisy');
  const quiet = await startMany('turns', QUIET, 'quiet');
  const first = await poll('turns', 4 * QUIET);
  const turns = quiet.map((id) => first.some((run) => run.includes(id)));
  expect(turns).toEqual(quiet.map(() => true));
});

it('R20: a batch waits for the turn of its tenant; one of several tenants waits in nobody’s', async () => {
  const keyOf = async (tenants: readonly string[]) => {
    const carrier = batchRunId({ deployment: 'in-turn', id: randomUUID() });
    const events = tenants.map((tenantId) => ({ ...claimed(randomUUID()), carrier, tenantId }));
    expect(await starter('batches').startBatch({ carrier, events }, 10_000)).toMatchObject({ kind: 'started' });
    const { raw } = await new Client({ connection }).workflow.getHandle(carrier).describe();
    return raw.workflowExecutionInfo?.priority?.fairnessKey ?? '';
  };
  expect([await keyOf(['acme', 'acme']), await keyOf(['acme', 'other']), await keyOf(['', ''])]).toEqual([
    'acme',
    '',
    '',
  ]);
});

it('R8: a tenant whose name is longer in bytes than the server takes is started all the same', async () => {
  const tenantId = '\u{1F3E2}'.repeat(32);
  expect(Buffer.byteLength(tenantId)).toBeGreaterThan(64);
  const [id] = await startMany('long', 1, tenantId);
  const [run] = await poll('long', 1);
  expect(run).toContain(id);
});
