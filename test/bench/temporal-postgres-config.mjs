/**
 * How a small Temporal server on PostgreSQL is set up: four services in one process, two cores for them, the database and
 * our roles together. Keys and defaults are those of server 1.29.1 (common/dynamicconfig/constants.go, config/docker.yaml).
 */
import { SQL_PLUGIN } from './temporal-databases.mjs';

/**
 * One write at a time goes through a history shard (history.shardIOConcurrency is 1; more is untested, say its authors), so
 * shards are the commits in flight. With one, every commit waits alone for its fsync; with four, commits share one and a
 * core has work meanwhile. Hundreds, the habit of clusters, would give every shard its own queue readers, which poll the
 * database and hold memory for nothing. The number cannot be changed later.
 */
const HISTORY_SHARDS = 4;

/**
 * Each of the four services opens its own pools, so at most 4 × (8 + 3) connections. Kept open (idle = most): a pool that
 * closes what is idle for a moment spends its time on connecting again. Three for visibility, which no run waits for, are
 * its limit too: its 55 indexes are written twice a run, and more at once would take the cores from the runs.
 */
const CONNECTIONS = { main: 8, visibility: 3 };

export const DYNAMIC_CONFIG = {
  // Default 4 each, to spread a queue over hosts. On one host they only part tasks from pollers: what is in a partition that
  // nobody polls is forwarded, ten times a second at most (matching.forwarderMaxRatePerSecond).
  'matching.numTaskqueueReadPartitions': 1,
  'matching.numTaskqueueWritePartitions': 1,
  // The default, named because figures rest on it: a start's answer brings the first workflow task to a worker in the same
  // process, without the way through matching.
  'system.enableEagerWorkflowStart': true,
  // Default off here and on from server 1.32: the same for a regular activity.
  'system.enableActivityEagerExecution': true,
  // Default 128,000 runs kept in memory. Ours are over in a moment and never looked at again. The dev server: 8,096.
  'history.hostLevelCacheMaxSize': 8_192,
  // Visibility tasks have 3 s each and wait for one of the three connections inside that time. Default 512 at once: behind,
  // many would give up there and be tried again.
  'history.visibilityProcessorSchedulerWorkerCount': 16,
  // Limits that keep tenants of a cluster from each other (defaults 2,400, 2,400, 3,000, 1,200 calls a second). There is one
  // tenant here, and the cores end first; but a relay's burst of starts must not be measured as RESOURCE_EXHAUSTED.
  'frontend.rps': 20_000,
  'frontend.namespaceRPS': 20_000,
  'history.rps': 20_000,
  'matching.rps': 20_000,
  // Default 10 lists and counts a second. As the dev server has it.
  'frontend.namespaceRPS.visibility': 100,
  // The default. The dev server has it on, which is a read of the store for every start that names search attributes.
  'system.forceSearchAttributesCacheRefreshOnRead': false,
  // Default 1,000, but the tables' columns take 255: a longer id is better refused at its start. As in the server's own
  // settings for SQL.
  'limit.maxIDLength': 255,
};

/**
 * @typedef {{ grpc: number, membership: number }} ServicePorts
 *
 * @param {object} options
 * @param {Record<'frontend' | 'history' | 'matching' | 'worker', ServicePorts>} options.ports
 * @param {import('./temporal-databases.mjs').TemporalStore} options.store
 * @param {string} options.dynamicFile
 */
export function serverConfig({ ports, store, dynamicFile }) {
  const { host, port, user, password } = store.server;
  const datastore = (databaseName, maxConns) => ({
    sql: {
      pluginName: SQL_PLUGIN,
      databaseName,
      connectAddr: `${host}:${port}`,
      connectProtocol: 'tcp',
      user,
      password,
      maxConns,
      maxIdleConns: maxConns,
      maxConnLifetime: '1h',
    },
  });
  const service = ({ grpc, membership }) => ({
    rpc: { grpcPort: grpc, membershipPort: membership, bindOnLocalHost: true },
  });
  const frontend = `127.0.0.1:${ports.frontend.grpc}`;
  return {
    log: { stdout: true, level: 'error' },
    persistence: {
      defaultStore: 'main',
      visibilityStore: 'visibility',
      numHistoryShards: HISTORY_SHARDS,
      datastores: {
        main: datastore(store.databases.main, CONNECTIONS.main),
        visibility: datastore(store.databases.visibility, CONNECTIONS.visibility),
      },
    },
    global: { membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' } },
    services: Object.fromEntries(Object.entries(ports).map(([name, pair]) => [name, service(pair)])),
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: { enabled: true, initialFailoverVersion: 1, rpcName: 'frontend', rpcAddress: frontend },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
    archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } },
    namespaceDefaults: { archival: { history: { state: 'disabled' }, visibility: { state: 'disabled' } } },
    publicClient: { hostPort: frontend },
    dynamicConfigClient: { filepath: dynamicFile, pollInterval: '60s' },
  };
}

/** The file that the server reads: of every key a list of values with constraints, here one without. JSON is YAML. */
export function dynamicConfigFile(values) {
  return JSON.stringify(Object.fromEntries(Object.entries(values).map(([key, value]) => [key, [{ value }]])), null, 2);
}

/** For the conditions of a report. */
export function inWords(values) {
  const keys = Object.entries(values).map(([key, value]) => `${key}=${value}`);
  const { main, visibility } = CONNECTIONS;
  return [
    `${HISTORY_SHARDS} history shards`,
    `${SQL_PLUGIN}, pools of ${main} and ${visibility} connections for each of four services`,
    ...keys,
  ].join('; ');
}
