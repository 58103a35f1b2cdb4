/**
 * A Temporal server on a given PostgreSQL: the dev server's version, all four services in one process, loopback only.
 * Settings and their reasons: temporal-postgres-config.mjs.
 */
import { randomInt } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { spawnSupervised } from '../../dist/src/infrastructure/embedded/child-process.js';
import { findTemporal } from '../../dist/src/infrastructure/embedded/find-temporal.js';
import { freePort } from '../../dist/src/infrastructure/embedded/free-port.js';
import { buildTemporalServer, serverVersionOf } from './build-temporal-server.mjs';
import { createTemporalDatabases } from './temporal-databases.mjs';
import { DYNAMIC_CONFIG, dynamicConfigFile, inWords, serverConfig } from './temporal-postgres-config.mjs';

/** It only bounds what is broken: on two cores with fsync a start takes its time. */
const READY_WITHIN_MS = 180_000;

/**
 * @typedef {object} TemporalOnPostgres
 * @property {string} address with a namespace `default`
 * @property {string} server its version
 * @property {number} pid
 * @property {Record<string, string | number | boolean>} dynamicConfig
 * @property {string} dynamicConfiguration the same and the store's settings, in words
 * @property {Promise<never>} failed rejects when it ended although nobody stopped it
 * @property {() => Promise<void>} stop its databases go with it
 *
 * @param {{ postgres?: { adminUrl: string }, store?: import('./temporal-databases.mjs').TemporalStore, folder?: string,
 *   ports?: Awaited<ReturnType<typeof servicePorts>>, more?: Record<string, string | number | boolean>, onSpawn?: (pid: number) => void,
 *   log: (line: string) => void }} options a
 *   superuser's URL, or databases that have their schemas already; a folder to keep the settings and the process id in, default a
 *   temporary one; the ports of an earlier start, default any; more of the dynamic configuration; who is told of the process before it is ready
 * @returns {Promise<TemporalOnPostgres>}
 */
export async function startTemporalOnPostgres({
  postgres,
  store: given,
  folder = tmpdir(),
  ports,
  more,
  onSpawn,
  log,
}) {
  const dynamicConfig = { ...DYNAMIC_CONFIG, ...more };
  const { version, server, sqlTool } = await temporalPrograms(log);
  const home = await mkdtemp(join(folder, 'temporal-on-postgres-'));
  const undo = [() => rm(home, { recursive: true, force: true })];
  const stop = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const store = given ?? (await createTemporalDatabases({ adminUrl: postgres.adminUrl, sqlTool }));
    undo.push(store.drop);
    const of = { ports: ports ?? (await servicePorts()), dynamicConfig, onSpawn };
    const { started, address } = await startServer(server, home, store, of);
    undo.push(() => started.stop('SIGTERM', 30_000));
    return {
      address,
      server: version,
      pid: started.pid,
      dynamicConfig,
      dynamicConfiguration: inWords(dynamicConfig),
      failed: started.failed,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Built where they are not there yet.
 * @param {(line: string) => void} log
 * @returns {Promise<{ version: string, cli: string, server: string, sqlTool: string }>} paths of the three
 */
export async function temporalPrograms(log) {
  const cli = await findTemporal({ environment: process.env, note: log });
  const version = await serverVersionOf(cli);
  return { version, cli, ...(await buildTemporalServer({ version, log })) };
}

async function startServer(program, home, store, { ports, dynamicConfig, onSpawn }) {
  const dynamicFile = join(home, 'dynamic.yaml');
  await writeFile(dynamicFile, dynamicConfigFile(dynamicConfig));
  await mkdir(join(home, 'config'));
  await writeFile(join(home, 'config', 'bench.yaml'), JSON.stringify(serverConfig({ ports, store, dynamicFile })), {
    mode: 0o600, // the password of the database
  });
  const started = await spawnSupervised({
    title: 'Temporal on PostgreSQL',
    command: program,
    args: ['--root', home, '--env', 'bench', '--allow-no-auth', 'start'],
    env: { PATH: '/usr/bin:/bin', HOME: home }, // nothing of the user's own Temporal settings
    pidFile: join(home, 'server.pid'),
    onSpawn,
  });
  const address = `127.0.0.1:${ports.frontend.grpc}`;
  try {
    await registerDefaultNamespace(address, started);
  } catch (error) {
    await started.stop('SIGTERM', 5_000);
    throw error;
  }
  return { started, address };
}

/** As on the dev server, with its retention; done when the server knows it, so it takes starts. */
async function registerDefaultNamespace(address, started) {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    let connection;
    try {
      connection = await Connection.connect({ address, connectTimeout: 2_000 });
      await connection.workflowService.registerNamespace({
        namespace: 'default',
        workflowExecutionRetentionPeriod: { seconds: 86_400 },
      });
      return;
    } catch (error) {
      // Looked at first: what answered may be another's server, which was quicker on the port.
      if (started.hasExited()) throw new Error(`Temporal ended while starting:\n${started.tail()}`);
      if (error.code === ALREADY_EXISTS) return; // made by a call that was answered too late
      if (Date.now() > deadline)
        throw new Error(`Temporal was not ready in ${READY_WITHIN_MS / 1_000} s:\n${started.tail()}`, { cause: error });
      await sleep(100);
    } finally {
      await connection?.close();
    }
  }
}

const ALREADY_EXISTS = 6; // gRPC's status

/**
 * Two for each service, from somewhere below 32,768 on: the server's tables keep a membership port in a smallint, so that
 * none will do that port 0 would give. From anywhere there, so that two sessions that start at once do not meet.
 */
export async function servicePorts() {
  let next = randomInt(10_000, 30_000);
  const take = async () => {
    const port = await freePort(next);
    next = port + 1;
    return port;
  };
  const pair = async () => ({ grpc: await take(), membership: await take() });
  return { frontend: await pair(), history: await pair(), matching: await pair(), worker: await pair() };
}
