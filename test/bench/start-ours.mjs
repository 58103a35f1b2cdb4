/**
 * The shipped product on a fresh outbox and a fresh audit log: `outbox api`, and `outbox run --roles relay,worker` (composed) or
 * `outbox relay` and `outbox worker` (apart), each a process of its own with the settings' defaults.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DEFAULT_POLL } from '../../dist/src/application/delivery/poll-schedule.js';
import { defineConfig } from '../../dist/src/index.js';
import { NotAvailableError } from './measure-figure.mjs';
import { OUTBOX_CLI, startNode } from './node-process.mjs';
import { openBacklog } from './outbox-backlog.mjs';

const COMMANDS = { composed: [['run', '--roles', 'relay,worker']], apart: [['relay'], ['worker']] };
/** After its last event a relay looks forty times a second for so long. Then once or twice a second, as the idle do. */
const ACTIVE_FOR_MS = DEFAULT_POLL.activeMs + 1_000;
let namespaces = 0;

/**
 * @typedef {object} OursOptions
 * @property {'composed' | 'apart'} [roles]
 * @property {'off' | number} [coalescing] the size of a batch
 * @property {'always' | 'adaptive'} [mode] of coalescing, default always
 * @property {Record<string, string>} [environment] settings in place of their defaults
 * @property {string} [nodeOptions] NODE_OPTIONS of every process, the api's, too
 */

/**
 * @param {import('./world.mjs').World} world
 * @param {OursOptions} options
 */
export async function startOurs(world, options = {}) {
  const { roles = 'composed', coalescing = 'off', mode = 'always', nodeOptions } = options;
  const forNode = nodeOptions === undefined ? {} : { NODE_OPTIONS: nodeOptions };
  const environment = { ...options.environment, ...forNode };
  const config = configOf(coalescing, mode);
  namespaces += 1;
  const namespace = await world.temporal.namespace(`ours-${namespaces}`);
  const outboxUrl = await world.postgres.createOutbox('bench');
  const undo = [() => world.postgres.drop(outboxUrl)];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const audit = await world.audit(forNode);
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
    const backlog = openBacklog({ outboxUrl, audit, window: world.window });
    undo.push(() => backlog.close());
    return {
      name: `ours, ${roles}${coalescing === 'off' ? '' : `, coalesced by ${coalescing}`}`,
      settings: {
        processes: Object.keys(processes).join(' + '),
        coalescing: coalescing === 'off' ? 'off' : `${mode}, by ${coalescing}`,
        eagerStart: roles === 'composed',
        sealing: 'off',
        otherwise: 'the defaults',
        ...environment,
      },
      /** Process ids by role, for who counts CPU and memory. */
      processes,
      databases: { outbox: outboxUrl, audit: audit.databaseUrl },
      namespace,
      backlog,
      /** How long after a run it still takes part of the machine that belongs to the other side. */
      activeForMs: ACTIVE_FOR_MS,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function configOf(coalescing, mode) {
  if (coalescing === 'off') return {};
  const config = { policies: { '*': { coalescing: { mode, size: coalescing } } } };
  try {
    return defineConfig(config);
  } catch (error) {
    throw new NotAvailableError(`this build cannot coalesce: ${error.message.replaceAll('\n', ' ')}`);
  }
}
