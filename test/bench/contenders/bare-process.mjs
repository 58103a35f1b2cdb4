// A process of the bare contender: the starter, the worker, or both on one connection. Told what to do over IPC.
// Argument: { roles, address, namespace, taskQueue, bundle, eager, local, startsAtOnce }
import { hostname } from 'node:os';
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { v7 } from 'uuid';
import { hashPolicies } from '../../../dist/src/application/delivery/policy-hash.js';
import { resolvePolicies } from '../../../dist/src/application/delivery/policy-schema.js';
import { DEFAULT_TIMEOUTS } from '../../../dist/src/domain/delivery/delivery-timeouts.js';
import { DEFAULT_POLICY } from '../../../dist/src/domain/delivery/policy.js';
import { eventRunId } from '../../../dist/src/domain/delivery/workflow-ids.js';
import { createDeliveryWorker, readWorkflowBundle } from '../../../dist/src/infrastructure/temporal/delivery-worker.js';
import { installRuntime } from '../../../dist/src/infrastructure/temporal/install-runtime.js';
import {
  searchAttributeNames,
  searchAttributesOf,
} from '../../../dist/src/infrastructure/temporal/search-attributes.js';
import { slotsFor } from '../../../dist/src/infrastructure/temporal/worker-slots.js';
import { WORKFLOW_TASK_TIMEOUT_MS } from '../../../dist/src/infrastructure/temporal/workflow-starter.js';

const given = JSON.parse(process.argv[2]);
const { address, namespace, taskQueue } = given;
const log = {
  debug() {},
  info() {},
  warn: (fields, text) => console.error(text, fields),
  error: (fields, text) => console.error(text, fields),
};
await installRuntime(log);
const connection = await NativeConnection.connect({ address });
let done = 0;
let expected = Number.POSITIVE_INFINITY;
const stops = [];

if (given.roles.includes('worker')) {
  const worker = await createDeliveryWorker({
    connection,
    namespace,
    taskQueue,
    identity: `${hostname()}:${process.pid}`,
    workflowBundle: await readWorkflowBundle(given.bundle),
    // In memory, in the process that runs it: nothing cheaper can count.
    activities: {
      async doNothing() {
        done += 1;
        if (done === expected) process.send({ done });
      },
    },
    slots: slotsFor(1, { local: 32, regular: 64 }), // the settings' defaults, for one destination
  });
  const running = worker.run();
  running.catch((error) => {
    console.error(error);
    process.exit(1);
  });
  stops.push(() => {
    worker.shutdown();
    return running;
  });
}

const client = new Client({ connection, namespace });
const names = searchAttributeNames('Outbox');
const { hashes } = hashPolicies(resolvePolicies(undefined));

/** As our starter does: the same options, attributes, memo and input, each of the same length. */
async function startOne(deployment) {
  const eventId = v7();
  const event = { eventName: 'order.order.placed.v1', eventType: 'ORDER', tenantId: 'tenant-1' };
  const destination = 'audit.log';
  const input = {
    eventId,
    epoch: 0,
    carrier: null,
    firstAttempt: given.local ? 'local' : 'regular',
    policyHash: hashes.otherwise,
    policy: DEFAULT_POLICY,
    timeouts: DEFAULT_TIMEOUTS,
    errorCodeAttribute: names.errorCode,
  };
  const { eagerlyStarted } = await client.workflow.start('deliverEvent', {
    workflowId: eventRunId({ deployment, eventId, epoch: 0 }),
    taskQueue,
    args: [input],
    workflowIdReusePolicy: 'REJECT_DUPLICATE',
    workflowIdConflictPolicy: 'FAIL',
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT_MS,
    requestEagerStart: given.eager,
    memo: {
      eventId,
      epoch: 0,
      eventName: event.eventName,
      eventType: event.eventType,
      destination,
      aggregateType: 'order',
    },
    staticSummary: `${event.eventName} → ${destination}`,
    staticDetails: `Delivers outbox event \`${eventId}\` to \`${destination}\`, epoch 0.`,
    typedSearchAttributes: searchAttributesOf(names, event),
  });
  return eagerlyStarted;
}

async function startMany(count) {
  let sent = 0;
  let eager = 0;
  const oneByOne = async () => {
    while (sent < count) {
      sent += 1;
      if (await startOne('bench')) eager += 1;
    }
  };
  await Promise.all(Array.from({ length: Math.min(given.startsAtOnce, count) }, oneByOne));
  process.send({ started: count, eager });
}

process.on('message', ({ start, expect }) => {
  if (expect !== undefined) {
    done = 0;
    expected = expect;
    process.send({ expecting: expect });
  }
  if (start !== undefined) {
    startMany(start).catch((error) => {
      console.error(error);
      process.exit(1);
    });
  }
});
process.once('SIGTERM', async () => {
  for (const stop of stops) await stop();
  await connection.close();
  process.exit(0);
});
console.log(JSON.stringify({ msg: 'ready' }));
