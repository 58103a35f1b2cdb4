/**
 * Lays out the world of a chaos run on given servers: what stands between them and the roles, the destinations past the process
 * boundary, the roles as processes, a producer. Taken down in reverse, also when laying out fails half-way; a run that is killed
 * leaves it to the reaper.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { processEnvironment } from '../../infrastructure/config/process-environment.js';
import { findToxiproxy } from '../../infrastructure/embedded/find-toxiproxy.js';
import { freePort } from '../../infrastructure/embedded/free-port.js';
import { seededRandom } from '../dev/seeded-random.js';
import { CHAOS_SETTINGS, type ChaosConfigChoices, writeChaosConfig } from './chaos-config.js';
import { type ProducerDeps, type RunningProducer, startChaosProducer } from './chaos-producer.js';
import { createTraffic, type TrafficOptions } from './chaos-traffic.js';
import { type StartedFleet, startFleet } from './fleet.js';
import { startLedger } from './ledger.js';
import { startNotices } from './notices.js';
import type { ChaosProxy, ChaosServers, ChaosWorld, ProxyName } from './ports.js';
import { runCliOrThrow } from './run-cli.js';
import { type Reaper, startReaper } from './start-reaper.js';
import { anyPort, startToxiproxy } from './toxiproxy.js';
import { within } from './within.js';

export interface LayOutOptions {
  readonly seed: number;
  readonly deployment: string;
  /** Of the roles and the producer, before the proxies: of an owner of two empty databases, which are migrated here. */
  readonly outboxUrl: string;
  readonly auditUrl: string;
  /** Of the runner itself: it must be let in when the roles are not. Default: the same. */
  readonly runner?: { readonly outboxUrl: string; readonly auditUrl: string };
  readonly temporal: { readonly address: string; readonly namespace: string };
  /** null: they belong to somebody else and are never restarted. */
  readonly servers: ChaosServers | null;
  /** Of every role and command beside what is laid out here: how to get into a staging's servers, and how far. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: the traffic of a chaos run. */
  readonly traffic?: (options: TrafficOptions) => ProducerDeps['traffic'];
  readonly producer?: Pick<ProducerDeps, 'connections' | 'catchUp'>;
  /** Of the roles' configuration. */
  readonly config?: ChaosConfigChoices;
  /** Default: a new one in the temporary folder, removed at the end. */
  readonly folder?: string;
  /** Default: one of its own, and `onReaperLost` is told when that ends by itself. */
  readonly reaper?: Reaper;
  readonly onReaperLost?: (why: string) => void;
  /** The `outbox.js` of the roles. Default: of this build. */
  readonly cli?: string;
  readonly signal?: AbortSignal;
  /** Aborts where a server has ended by itself. Of toxiproxy this is watched here. */
  readonly broken?: AbortSignal;
  readonly log: (line: string) => void;
}

export interface LaidOut {
  readonly world: ChaosWorld & { readonly producer: RunningProducer; readonly fleet: StartedFleet };
  /** Takes all of it down. What fails on the way is in the answer, each a sentence; the rest is taken down all the same. */
  close(): Promise<readonly string[]>;
}

const ROLES = { relay: 2, worker: 2, api: 1 };
/** A step of taking it down: more than a role has to stop. */
const UNDO_MS = 60_000;
const POOL_END_MS = 15_000;

export async function layOutWorld(options: LayOutOptions): Promise<LaidOut> {
  const undo: { what: string; step: () => Promise<unknown> }[] = [];
  const failed: string[] = [];
  const close = async () => {
    for (const { what, step } of undo.splice(0).reverse()) {
      await within(UNDO_MS, what, step()).catch((error: unknown) =>
        failed.push(`${what}: ${error instanceof Error ? error.message : error}`),
      );
    }
    return failed;
  };
  try {
    return { ...(await layOut(options, (what, step) => void undo.push({ what, step }))), close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Undo = (what: string, step: () => Promise<unknown>) => void;

async function layOut(options: LayOutOptions, undo: Undo): Promise<Omit<LaidOut, 'close'>> {
  const { seed, deployment, outboxUrl, auditUrl, temporal, log, signal } = options;
  const cli = options.cli ?? fileURLToPath(new URL('../../cli/outbox.js', import.meta.url));
  const reaper = options.reaper ?? startReaper(options.onReaperLost);
  if (options.reaper === undefined) undo('the reaper', () => reaper.close());
  const folder = options.folder ?? (await ownFolder(reaper, undo));

  const pool = (name: string, url: string) => {
    const sockets = new Set<Socket>();
    const stream = () => {
      const socket = new Socket();
      sockets.add(socket);
      return socket.once('close', () => sockets.delete(socket));
    };
    const of = { connectionString: url, max: 6, application_name: 'chaos-runner', stream };
    const opened = new pg.Pool({ ...of, ...DEADLINES });
    // A fault ended it: one that is idle is replaced, of one that is in use the statement tells. Unheard it would end the run.
    opened.on('error', () => {});
    opened.on('connect', (client) => client.on('error', () => {}));
    undo(`the runner's connections to ${name}`, async () => {
      try {
        // A fault that was given up may still hold one.
        await within(POOL_END_MS, 'their end', opened.end());
      } finally {
        for (const socket of sockets) socket.destroy();
      }
    });
    return opened;
  };
  const { runner = { outboxUrl, auditUrl } } = options;
  const [outbox, audit] = [pool('outbox', runner.outboxUrl), pool('audit', runner.auditUrl)];

  log('toxiproxy, ledger, notices');
  const ledger = await startLedger(join(folder, 'ledger.ndjson'));
  undo('the ledger', () => ledger.close());
  const notices = await startNotices();
  undo('the receiver of notices', () => notices.close());
  const program = await findToxiproxy({ environment: processEnvironment(), note: log, ...(signal && { signal }) });
  const pidFile = join(folder, 'toxiproxy.pid');
  const toxiproxy = await startToxiproxy({ program, pidFile, onSpawn: (pid) => reaper.watch(pid), note: log });
  const broken = new AbortController();
  toxiproxy.failed.catch((error) => broken.abort(error));
  undo('toxiproxy', async () => {
    await toxiproxy.stop();
    reaper.forget(toxiproxy.pid);
  });
  const apiPort = await freePort(anyPort());
  const upstreams = {
    outbox: hostOf(outboxUrl),
    audit: hostOf(auditUrl),
    temporal: temporal.address,
    ledger: `127.0.0.1:${ledger.port}`,
    ingest: `127.0.0.1:${apiPort}`,
    notices: `127.0.0.1:${notices.port}`,
  } satisfies Record<ProxyName, string>;
  const proxies = {} as Record<ProxyName, ChaosProxy>;
  for (const [name, upstream] of Object.entries(upstreams) as [ProxyName, string][]) {
    proxies[name] = await toxiproxy.proxy(name, upstream);
  }

  log('the deployment: migrations, keys, ordering');
  const configFile = await writeChaosConfig({
    ...options.config,
    file: join(folder, 'chaos.config.mjs'),
    ledgerUrl: through(proxies.ledger, ledger.url),
    findUrl: through(proxies.ledger, ledger.findUrl),
    notices: notices.at(proxies.notices.address),
  });
  const urls = { OUTBOX_DATABASE_URL: outboxUrl, AUDIT_DATABASE_URL: auditUrl, OUTBOX_DEPLOYMENT: deployment };
  const direct = { ...options.environment, ...urls };
  await runCliOrThrow(cli, ['migrate', 'deploy', '--deployment', deployment], direct);
  const keys = { ...(await newLog(cli, folder)), OUTBOX_AUDIT_API_KEY: await newKey(cli, direct) };
  await runCliOrThrow(cli, ['policies', 'apply', '--ordering', '--config', configFile], { ...direct, ...keys });

  const environment: Record<string, string> = {
    ...CHAOS_SETTINGS,
    ...direct,
    ...keys,
    OUTBOX_DATABASE_URL: through(proxies.outbox, outboxUrl),
    AUDIT_DATABASE_URL: through(proxies.audit, auditUrl),
    OUTBOX_AUDIT_URL: `http://${proxies.ingest.address}`,
    TEMPORAL_ADDRESS: proxies.temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
  };
  log(
    `the roles: ${Object.entries(ROLES)
      .map(([role, n]) => `${n} ${role}`)
      .join(', ')}`,
  );
  const fleet = await startFleet({ roles: ROLES, cli, configFile, environment, folder, apiPort, reaper });
  undo('the roles', () => fleet.close());

  const canary = `canary-${randomBytes(12).toString('hex')}`;
  const producer = await startChaosProducer({
    appendWithinMs: APPEND_WITHIN_MS,
    url: environment.OUTBOX_DATABASE_URL as string,
    journalFile: join(folder, 'journal.ndjson'),
    ...options.producer,
    traffic: (options.traffic ?? createTraffic)({ random: seededRandom(seed), canary }),
  });
  undo('the producer', () => producer.stop());
  // First, so that nothing waits for a proxy that a fault left cut.
  undo('the proxies', () => Promise.all(Object.values(proxies).map((proxy) => proxy.heal())));
  const { servers } = options;
  const world = { seed, folder, deployment, outbox, audit, temporal, environment, proxies, fleet, ledger, notices };
  const ended = options.broken === undefined ? broken.signal : AbortSignal.any([broken.signal, options.broken]);
  return { world: { ...world, cli, producer, servers, canary, broken: ended, log } };
}

/** Of a fault's own events: a server that was just started again, a disk that is slow. */
const APPEND_WITHIN_MS = 30_000;
/** A statement of the runner's own that hangs would hang the run. */
const DEADLINES = { connectionTimeoutMillis: 5_000, query_timeout: 60_000 };

async function ownFolder(reaper: Reaper, undo: Undo): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'outbox-chaos-'));
  reaper.folder(folder);
  undo('the folder', () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** As an operator makes it: fingerprints, a signing key, an anchor. */
async function newLog(cli: string, folder: string): Promise<Record<string, string>> {
  const made = JSON.parse(await runCliOrThrow(cli, ['audit', 'keygen', '--origin', 'chaos.test/log', '--json'], {}));
  return {
    AUDIT_FINGERPRINT_KEYS: `chaos:${randomBytes(32).toString('hex')}`,
    AUDIT_SIGNING_KEYS: (made as { signer: string }).signer,
    AUDIT_ANCHOR_FILE: join(folder, 'anchor.ndjson'),
  };
}

/** Of the worker. */
async function newKey(cli: string, direct: Readonly<Record<string, string>>): Promise<string> {
  const scopes = ['--scope', 'audit:write:any-tenant', 'audit:write'];
  const printed = await runCliOrThrow(cli, ['keys', 'create', '--name', 'chaos run', ...scopes, '--json'], direct);
  return (JSON.parse(printed) as { secret: string }).secret;
}

function hostOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port || '5432'}`;
}

function through(proxy: ChaosProxy, url: string): string {
  const changed = new URL(url);
  changed.host = proxy.address;
  // `{id}` in it is ours to fill, and no character of a URL.
  return changed.href.replaceAll('%7B', '{').replaceAll('%7D', '}');
}
