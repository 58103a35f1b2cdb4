/** Starter, search attributes and namespace against a real Temporal. Nothing is fake; no worker runs. */
import { randomUUID } from 'node:crypto';
import { NativeConnection, Runtime } from '@temporalio/worker';
import { DEFAULT_TIMEOUTS } from '../../src/domain/delivery/delivery-timeouts.js';
import {
  connectTemporal,
  readNamespaceId,
  readTemporalTarget,
} from '../../src/infrastructure/temporal/connect-temporal.js';
import { createDeliveryWorker } from '../../src/infrastructure/temporal/delivery-worker.js';
import { toSdkLogger } from '../../src/infrastructure/temporal/install-runtime.js';
import { prepareSearchAttributes, searchAttributeNames } from '../../src/infrastructure/temporal/search-attributes.js';
import { slotsFor } from '../../src/infrastructure/temporal/worker-slots.js';
import {
  createWorkflowStarter,
  type WorkflowStarterOptions,
} from '../../src/infrastructure/temporal/workflow-starter.js';
import type { BatchActivities, DeliveryActivities, NotifyActivities } from '../../workflows/contract.js';
import { claimed, PLACES, silentLog, workflowBundle } from '../support/delivery-line.js';
import { temporalAddress } from '../support/temporal.js';

let connection: NativeConnection;
beforeAll(async () => {
  Runtime.install({ logger: toSdkLogger(silentLog), shutdownSignals: [] });
  connection = await NativeConnection.connect({ address: temporalAddress() });
});
afterAll(() => connection.close());

const starterWith = (more: Partial<WorkflowStarterOptions>) =>
  createWorkflowStarter({
    connection,
    namespace: 'default',
    deployment: 'set-up',
    taskQueue: 'nobody',
    timeoutsOf: () => DEFAULT_TIMEOUTS,
    searchAttributes: null,
    eager: false,
    ...more,
  });

describe('R8: what Temporal answers to a start is the environment’s', () => {
  it('R8: a wrong namespace and a missing search attribute are refusals with their reason', async () => {
    const wrong = await starterWith({ namespace: 'nowhere' }).start(claimed(randomUUID()), 5_000);
    expect(wrong).toMatchObject({ kind: 'refused', reason: expect.stringMatching(/namespace|nowhere/i) });
    const missing = await starterWith({ searchAttributes: searchAttributeNames('Absent') }).start(
      claimed(randomUUID()),
      5_000,
    );
    expect(missing).toMatchObject({ kind: 'refused', reason: expect.stringContaining('Absent') });
  });

  it('R8: no answer in time is a refusal; asked again, the same id is started once at most', async () => {
    const id = randomUUID();
    const starter = starterWith({});
    expect(await starter.start(claimed(id), 1)).toMatchObject({ kind: 'refused' });
    const answers = [await starter.start(claimed(id), 5_000), await starter.start(claimed(id), 5_000)];
    expect(answers[1]).toEqual({ kind: 'exists' });
  });

  it('R8: a row that makes no workflow id is refused, not thrown', async () => {
    expect(await starterWith({}).start(claimed('no-uuid'), 5_000)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('UUID'),
    });
  });
});

it('a worker is to keep several pollers of each kind: one alone may sleep for ten seconds after Temporal is back', async () => {
  const worker = await createDeliveryWorker({
    ...{ connection, namespace: 'default', taskQueue: 'nobody', identity: 'quiet', slots: slotsFor(1, PLACES) },
    ...{
      workflowBundle: await workflowBundle(),
      activities: {} as BatchActivities & DeliveryActivities & NotifyActivities,
    },
  });
  const { workflowTaskPollerBehavior, activityTaskPollerBehavior } = worker.options;
  await worker.runUntil(async () => {});
  for (const behavior of [workflowTaskPollerBehavior, activityTaskPollerBehavior]) {
    expect(behavior).toMatchObject({ type: 'autoscaling', minimum: 5 });
  }
});

describe('search attributes', () => {
  it('require names what is missing and how to make it; ensure makes it, once or at the same time; off asks nothing', async () => {
    const prefix = `Set${randomUUID().slice(0, 4)}`;
    const prepare = (mode: 'ensure' | 'require' | 'off') =>
      prepareSearchAttributes(connection, { namespace: 'default', prefix, mode });
    await prepare('off');
    await expect(prepare('require')).rejects.toThrow(`${prefix}EventName`);
  });

  it('those of the development server are there', async () => {
    await prepareSearchAttributes(connection, { namespace: 'default', prefix: 'Outbox', mode: 'require' });
    await prepareSearchAttributes(connection, { namespace: 'default', prefix: 'Outbox', mode: 'ensure' });
  });
});

describe('where Temporal is', () => {
  it('overrides win over Temporal’s own variables, which win over the defaults', () => {
    const environment = { TEMPORAL_ADDRESS: 'a:1', TEMPORAL_NAMESPACE: 'n', TEMPORAL_CONFIG_FILE: '/nonexistent' };
    expect(readTemporalTarget(environment)).toMatchObject({ address: 'a:1', namespace: 'n' });
    expect(readTemporalTarget(environment, { address: 'b:2' })).toMatchObject({ address: 'b:2', namespace: 'n' });
    expect(readTemporalTarget({ HOME: '/nonexistent' })).toMatchObject({
      address: 'localhost:7233',
      namespace: 'default',
    });
  });

  it('a namespace has an id; a missing one and a server that is away are named', async () => {
    const target = readTemporalTarget({}, { address: temporalAddress(), namespace: 'default' });
    expect(await readNamespaceId(connection, target)).toMatch(/^[0-9a-f-]{36}$/);
    await expect(readNamespaceId(connection, { ...target, namespace: 'nowhere' })).rejects.toThrow('no such namespace');
    const away = readTemporalTarget({}, { address: '127.0.0.1:1' });
    await expect(connectTemporal(away)).rejects.toThrow('127.0.0.1:1');
  });
});
