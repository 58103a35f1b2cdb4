/**
 * The servers of a chaos run that owns them: a durable PostgreSQL for the outbox and the audit log, and Temporal on a PostgreSQL
 * of its own, so that the outbox's database and Temporal's store can be away one without the other. All keep their ports over
 * every restart.
 */
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { startEmbeddedPostgres } from '../../dist/src/infrastructure/embedded/embedded-postgres.js';
import { freePort } from '../../dist/src/infrastructure/embedded/free-port.js';
import { startReaper } from '../../dist/src/main/chaos/start-reaper.js';
import { anyPort } from '../../dist/src/main/chaos/toxiproxy.js';
import { createTemporalDatabases } from '../bench/temporal-databases.mjs';
import { servicePorts, startTemporalOnPostgres, temporalPrograms } from '../bench/temporal-on-postgres.mjs';
import { smallDisk } from './small-disk.mjs';

/**
 * @typedef {object} OwnServers
 * @property {string} folder for the files of the run, removed at the end
 * @property {import('../../dist/src/main/chaos/start-reaper.js').Reaper} reaper
 * @property {string} outboxUrl of a user who owns the databases and is no superuser, as where a deployment has one
 * @property {string} auditUrl
 * @property {{ outboxUrl: string, auditUrl: string }} runner a superuser's
 * @property {{ address: string, namespace: string }} temporal
 * @property {import('../../dist/src/main/chaos/ports.js').ChaosServers} servers
 * @property {AbortSignal} broken a server has ended although nobody stopped it
 * @property {string} temporalVersion
 * @property {() => Promise<readonly string[]>} close what failed on the way, each a sentence
 *
 * @param {{ log: (line: string) => void, onReaperLost?: (why: string) => void, maxConnections?: number, dynamicConfig?: Record<string, boolean> }} options of the outbox's PostgreSQL,
 *   default 400: eight more relays are 160; more of Temporal's dynamic configuration
 * @returns {Promise<OwnServers>}
 */
export async function startOwnServers({ log, onReaperLost = log, maxConnections = 400, dynamicConfig }) {
  const reaper = startReaper(onReaperLost);
  const folder = await mkdtemp(join(tmpdir(), 'outbox-chaos-'));
  reaper.folder(folder);
  const broken = new AbortController();
  const onLost = (error) => broken.abort(error);
  const undo = [() => reaper.close(), () => rm(folder, { recursive: true, force: true })];
  const close = async () => {
    const failed = [];
    for (const step of undo.splice(0).reverse()) {
      // The rest comes down all the same; what stays is the reaper's, which is closed last.
      await Promise.resolve()
        .then(step)
        .catch((error) => failed.push(`a server did not come down: ${error.message}`));
    }
    return failed;
  };
  try {
    await chmod(folder, 0o755); // PostgreSQL runs as another user under root
    log('PostgreSQL for the outbox and the audit log, with fsync');
    const postgres = await keptPostgres({ dataDir: join(folder, 'pg'), maxConnections, reaper, onLost, log });
    undo.push(() => postgres.stop());
    await createOwner(postgres);

    log('Temporal on a PostgreSQL of its own, with fsync');
    const ofStore = { dataDir: join(folder, 'pg-temporal'), maxConnections: 100 };
    const store = await keptPostgres({ ...ofStore, reaper, onLost, log });
    undo.push(() => store.stop());
    const temporal = await keptTemporal({
      adminUrl: store.url('postgres'),
      folder,
      dynamicConfig,
      reaper,
      onLost,
      log,
    });
    undo.push(() => temporal.stop());

    const disk = smallDisk({
      folder: join(folder, 'disk'),
      url: postgres.url('outbox'),
      dataDir: join(folder, 'pg'),
      reaper,
    });
    undo.push(() => disk.close());
    return {
      folder,
      reaper,
      outboxUrl: asOwner(postgres.url('outbox')),
      auditUrl: asOwner(postgres.url('audit')),
      runner: { outboxUrl: postgres.url('outbox'), auditUrl: postgres.url('audit') },
      temporal: { address: temporal.address, namespace: 'default' },
      broken: broken.signal,
      temporalVersion: temporal.version,
      servers: {
        postgres: {
          get pid() {
            return postgres.pid;
          },
          adminUrl: postgres.url('postgres'),
          restartImmediately: postgres.restartImmediately,
          stop: postgres.stop,
          start: postgres.start,
          fillDisk: disk.fill,
        },
        temporal: {
          get pid() {
            return temporal.pid;
          },
          address: temporal.address,
          kill: temporal.kill,
          start: temporal.start,
          loseData: temporal.loseData,
        },
        watch: (pid) => reaper.watch(pid),
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const OWNER = 'chaos_owner';

async function createOwner(postgres) {
  const client = new pg.Client({ connectionString: postgres.url('postgres') });
  await client.connect();
  try {
    await client.query(`CREATE ROLE ${OWNER} LOGIN`);
    await client.query(`GRANT pg_read_all_stats TO ${OWNER}`); // to see who holds a snapshot
    for (const name of ['outbox', 'audit']) await client.query(`CREATE DATABASE ${name} OWNER ${OWNER}`);
  } finally {
    await client.end();
  }
}

function asOwner(url) {
  const changed = new URL(url);
  changed.username = OWNER;
  return changed.href;
}

/** A server whose processes change: stopping and starting it twice is stopping and starting it once. */
async function keepUp(up, { reaper, onLost }) {
  let running;
  let isUp = false;
  const start = async () => {
    const started = await up();
    running = started;
    isUp = true;
    started.failed.catch((error) => {
      if (isUp && running === started) onLost(error);
    });
  };
  await start();
  return {
    /** The last that was started. */
    get running() {
      return running;
    },
    get isUp() {
      return isUp;
    },
    async stop() {
      if (!isUp) return;
      isUp = false;
      const { pid } = running;
      await running.stop();
      reaper.forget(pid);
    },
    async start() {
      if (!isUp) await start();
    },
  };
}

/** On one port for as long as it is kept; its processes change. */
async function keptPostgres({ dataDir, maxConnections, reaper, onLost, log }) {
  const port = await freePort(anyPort());
  async function up() {
    const deadline = Date.now() + SAME_PORT_WITHIN_MS;
    for (;;) {
      // SIGKILL would leave its backends.
      const onSpawn = (pid) => reaper.watch(pid, 'SIGQUIT');
      const started = await startEmbeddedPostgres({ dataDir, port, maxConnections, onSpawn, note: log });
      if (started.port === port) return started;
      // It takes the next free one where its own is still held; clients know only this one.
      await started.stop();
      reaper.forget(started.pid);
      if (Date.now() > deadline) throw new Error(`expected port ${port} to be free for PostgreSQL's next start`);
      await sleep(200);
    }
  }
  const kept = await keepUp(up, { reaper, onLost });
  return {
    get pid() {
      return kept.running.pid;
    },
    url: (database) => kept.running.url(database),
    stop: kept.stop,
    start: kept.start,
    async restartImmediately() {
      process.kill(kept.running.pid, 'SIGQUIT');
      await kept.stop(); // from here on its end is wanted; waits for its end: a shutdown that is immediate already hears nothing gentler
      await kept.start();
    },
  };
}

const SAME_PORT_WITHIN_MS = 20_000;

/** On the same ports and the same store for as long as it is kept. */
async function keptTemporal({ adminUrl, folder, dynamicConfig, reaper, onLost, log }) {
  const { sqlTool } = await temporalPrograms(log);
  const ports = await servicePorts();
  const home = join(folder, 'temporal');
  await mkdir(home);
  let store = await createTemporalDatabases({ adminUrl, sqlTool });
  async function up() {
    const outliving = { ...store, drop: async () => {} }; // it outlives the server
    const onSpawn = (pid) => reaper.watch(pid);
    return startTemporalOnPostgres({ store: outliving, ports, folder: home, more: dynamicConfig, onSpawn, log });
  }
  const kept = await keepUp(up, { reaper, onLost });
  const kill = async () => {
    if (!kept.isUp) return;
    process.kill(kept.running.pid, 'SIGKILL');
    await kept.stop();
  };
  return {
    get pid() {
      return kept.running.pid;
    },
    address: kept.running.address,
    version: kept.running.server,
    stop: kept.stop,
    start: kept.start,
    kill,
    async loseData() {
      await kill();
      await store.drop();
      store = await createTemporalDatabases({ adminUrl, sqlTool });
      await kept.start();
    },
  };
}
