/**
 * The shipped product: `outbox api`, and `outbox run --roles relay,worker` (composed) or `outbox relay` and `outbox worker`
 * (apart), each a process of its own with the settings' defaults. A fixed count behind a pause, about as many as it does in the
 * seconds asked for; afterwards every event must be DELIVERED and have one record.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineConfig } from '../../../dist/src/index.js';
import { fixCount } from '../fixed-count.mjs';
import { NotAvailableError } from '../measure-figure.mjs';
import { OUTBOX_CLI, startNode } from '../node-process.mjs';
import { openBacklog } from '../outbox-backlog.mjs';

const COMMANDS = { composed: [['run', '--roles', 'relay,worker']], apart: [['relay'], ['worker']] };
let namespaces = 0;

/**
 * @param {import('../world.mjs').World} world
 * @param {{ roles?: 'composed' | 'apart', coalescing?: 'off' | number, environment?: Record<string, string> }} options
 *   `coalescing`: the size of a batch; `environment`: settings in place of their defaults
 */
export async function prepare(world, { roles = 'composed', coalescing = 'off', environment = {} } = {}) {
  const config = configOf(coalescing);
  namespaces += 1;
  const namespace = await world.temporal.namespace(`ours-${namespaces}`);
  const outboxUrl = await world.postgres.createOutbox('bench');
  const undo = [() => world.postgres.drop(outboxUrl)];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const audit = await world.audit();
    undo.push(() => audit.close());
    const configFile = join(world.folder, `${namespace}.config.mjs`);
    await writeFile(configFile, `export default ${JSON.stringify(config)};\n`);
    const env = {
      OUTBOX_DATABASE_URL: outboxUrl,
      OUTBOX_DEPLOYMENT: 'bench',
      OUTBOX_AUDIT_URL: audit.baseUrl,
      OUTBOX_AUDIT_API_KEY: audit.apiKey,
      OUTBOX_PROBE_PORT: '0',
      TEMPORAL_ADDRESS: world.temporal.address,
      TEMPORAL_NAMESPACE: namespace,
      ...environment,
    };
    const processes = { api: audit.pid };
    for (const command of COMMANDS[roles]) {
      const title = command.join(' ');
      const role = await startNode({
        title: `outbox ${title}`,
        args: [OUTBOX_CLI, ...command, '--config', configFile],
        env,
        started: (line) => (line?.msg === 'process.started' ? true : undefined),
      });
      undo.push(() => role.stop());
      processes[command[0]] = role.pid;
    }
    const backlog = openBacklog({ outboxUrl, auditUrl: audit.databaseUrl });
    undo.push(() => backlog.close());
    const measure = await fixCount((count, expectedSeconds) => deliver(world, backlog, { count, expectedSeconds }));
    return {
      name: `ours, ${roles}${coalescing === 'off' ? '' : `, coalesced by ${coalescing}`}`,
      settings: {
        processes: Object.keys(processes).join(' + '),
        coalescing: coalescing === 'off' ? 'off' : `always, by ${coalescing}`,
        eagerStart: roles === 'composed',
        sealing: 'off',
        otherwise: 'the defaults',
        ...environment,
      },
      /** Process ids by role, for who counts CPU and memory. */
      processes,
      databases: { outbox: outboxUrl, audit: audit.databaseUrl },
      measure,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function configOf(coalescing) {
  if (coalescing === 'off') return {};
  const config = { policies: { '*': { coalescing: { mode: 'always', size: coalescing } } } };
  try {
    return defineConfig(config);
  } catch (error) {
    throw new NotAvailableError(`this build cannot coalesce: ${error.message.replaceAll('\n', ' ')}`);
  }
}

async function deliver(world, backlog, { count, expectedSeconds }) {
  const attemptsBefore = await backlog.countAttempts();
  await backlog.hold(count);
  await world.settle();
  const { seconds, steadyPerSecond } = await backlog.release(count, expectedSeconds);
  await backlog.verify();
  const regularAttempts = (await backlog.countAttempts()) - attemptsBefore;
  return { count, seconds, perSecond: count / seconds, steadyPerSecond, regularAttempts };
}
