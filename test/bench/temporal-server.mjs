// The Temporal server of a session, and namespaces on it that take our starts.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey } from '@temporalio/common';
import { startEmbeddedTemporal } from '../../dist/src/infrastructure/embedded/embedded-temporal.js';
import { findTemporal } from '../../dist/src/infrastructure/embedded/find-temporal.js';
import { searchAttributeNames } from '../../dist/src/infrastructure/temporal/search-attributes.js';

/**
 * @typedef {object} TemporalServer
 * @property {string} address
 * @property {(name: string) => Promise<string>} namespace makes one with our search attributes; resolves when it takes starts
 * @property {'dev' | 'postgres'} store
 * @property {string} server its version
 * @property {string} dynamicConfiguration in words
 * @property {number} pid
 * @property {Connection} connection of the bench itself, never of a contender
 * @property {() => Promise<void>} close
 */

/**
 * What `temporal server start-dev` sets by itself, by its source (temporalcli/commands.server.go, temporalcli/devserver/server.go
 * of v1.5.1): another CLI may set something else, so a report tells its version.
 */
const DEV_SERVER = [
  'history.hostLevelCacheMaxSize=8096',
  'frontend.namespaceRPS.visibility=100',
  'system.forceSearchAttributesCacheRefreshOnRead=true',
  'frontend.persistenceMaxQPS=10000',
  'history.persistenceMaxQPS=45000',
  'addresses of its own for callbacks of Nexus',
].join('; ');

/** @returns {Promise<TemporalServer>} */
export async function startTemporal({ store, folder, postgres, log }) {
  if (store === 'postgres') {
    const { startTemporalOnPostgres } = await import('./temporal-on-postgres.mjs');
    return connect(await startTemporalOnPostgres({ folder, postgres, log }), store);
  }
  const cli = await findTemporal({ environment: process.env, note: log });
  const { stdout: version } = await promisify(execFile)(cli, ['--version'], { timeout: 10_000 });
  const server = await startEmbeddedTemporal({
    cli,
    pidFile: join(folder, 'temporal.pid'),
    port: 0,
    uiPort: null,
    searchAttributes: Object.values(searchAttributeNames('Outbox')),
    note: log,
  });
  const dynamicConfiguration =
    `none of ours (start-dev --headless --log-level error, SQLite in memory, one history shard), all else the server's defaults; ` +
    `set by the CLI v1.5.1: ${DEV_SERVER}; this one is: ${version.trim()}`;
  return connect({ ...server, dynamicConfiguration }, store);
}

async function connect(server, store) {
  const connection = await Connection.connect({ address: server.address });
  const { serverVersion } = await connection.workflowService.getSystemInfo({});
  return {
    address: server.address,
    namespace: (name) => createNamespace(connection, name),
    store,
    server: serverVersion,
    dynamicConfiguration: server.dynamicConfiguration,
    pid: server.pid,
    connection,
    async close() {
      await connection.close();
      await server.stop();
    },
  };
}

const KEYWORD = 2; // temporal.api.enums.v1.IndexedValueType
const TAKES_STARTS_WITHIN_MS = 120_000;

/** The server caches namespaces and their attributes for a while: it is ready when a start that names them is taken. */
async function createNamespace(connection, namespace) {
  const names = Object.values(searchAttributeNames('Outbox'));
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: { seconds: 86_400 },
  });
  const client = new Client({ connection, namespace });
  const deadline = Date.now() + TAKES_STARTS_WITHIN_MS;
  for (let added = false; ; await sleep(250)) {
    try {
      if (!added) {
        const searchAttributes = Object.fromEntries(names.map((name) => [name, KEYWORD]));
        await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
        added = true;
      }
      const trial = await client.workflow.start('trial', {
        workflowId: `trial-${randomUUID()}`,
        taskQueue: 'nobody-polls-this',
        typedSearchAttributes: names.map((name) => ({ key: defineSearchAttributeKey(name, 'KEYWORD'), value: 'x' })),
      });
      await trial.terminate();
      return namespace;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}
