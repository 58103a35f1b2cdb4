/**
 * Lays out the world of a chaos run on given servers: what stands between them and the roles, the destinations past the process
 * boundary, the roles as processes, a producer. Taken down in reverse, also when laying out fails half-way; a run that is killed
 * leaves it to the reaper.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { processEnvironment } from '../../infrastructure/config/process-environment.js';
import { findToxiproxy } from '../../infrastructure/embedded/find-toxiproxy.js';
import { freePort } from '../../infrastructure/embedded/free-port.js';
import { seededRandom } from '../dev/seeded-random.js';
import { type ChaosConfigChoices, writeChaosConfig } from './chaos-config.js';
import { type ProducerDeps, type RunningProducer, startChaosProducer } from './chaos-producer.js';
import { createTraffic, type TrafficOptions } from './chaos-traffic.js';
import { type StartedFleet, startFleet } from './fleet.js';
import { startLedger } from './ledger.js';
import { startNotices } from './notices.js';
import type { ChaosProxy, ChaosServers, ChaosWorld, FleetRole, ProxyName } from './ports.js';
import { runCli, runCliOrThrow } from './run-cli.js';
import { type Reaper, startReaper } from './start-reaper.js';
import { anyPort, startToxiproxy } from './toxiproxy.js';

export interface LayOutOptions {
  readonly seed: number;
  readonly deployment: string;
  /** Of the roles and the producer, before the proxies; the owner's, where the databases are fresh. */
  readonly outboxUrl: string;
  readonly auditUrl: string;
  /** Of the runner itself: it must be let in when the roles are not. Default: the same. */
  readonly runner?: { readonly outboxUrl: string; readonly auditUrl: string };
  readonly temporal: { readonly address: string; readonly namespace: string };
  /** Fresh databases: they are migrated, and the log gets keys. Otherwise all of that must be there already. */
  readonly fresh: boolean;
  /** null: they belong to somebody else and are never restarted. */
  readonly servers: ChaosServers | null;
  /** Of every role beside what is laid out here: a staging's AUDIT_FINGERPRINT_KEYS, TEMPORAL_TLS, … */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default: two relays, two workers, one api. */
  readonly roles?: Readonly<Record<FleetRole, number>>;
  /** Of the producer's events. Default: the deployment's own. */
  readonly source?: string;
  /** Default: the traffic of a chaos run. */
  readonly traffic?: (options: TrafficOptions) => ProducerDeps['traffic'];
  readonly producer?: Pick<ProducerDeps, 'connections' | 'catchUp'>;
  /** Of the roles' configuration. */
  readonly config?: ChaosConfigChoices;
  /** Default: a new one in the temporary folder, removed at the end. */
  readonly folder?: string;
  /** Default: one of its own. */
  readonly reaper?: Reaper;
  /** The `outbox.js` of the roles. Default: of this build. */
  readonly cli?: string;
  readonly signal?: AbortSignal;
  readonly log: (line: string) => void;
}

export interface LaidOut {
  readonly world: ChaosWorld & { readonly producer: RunningProducer; readonly fleet: StartedFleet };
  /** Of the command line for an operator's commands, and the roles' configuration file. */
  readonly cli: string;
  readonly configFile: string;
  /** Takes all of it down. What fails on the way is in the answer, each a sentence; the rest is taken down all the same. */
  close(): Promise<readonly string[]>;
}

/** In place of the defaults: a person waits for the run, and faults last seconds. */
const SETTINGS = {
  OUTBOX_NOTICE_WINDOW_MS: '2000',
  OUTBOX_BREAKER_OPEN_MS: '2000',
  OUTBOX_OPS: 'on',
  // What is removed could not be compared.
  OUTBOX_RETENTION_DAYS: '0',
};
const ROLES = { relay: 2, worker: 2, api: 1 };

export async function layOutWorld(options: LayOutOptions): Promise<LaidOut> {
  const undo: { what: string; step: () => Promise<unknown> }[] = [];
  const failed: string[] = [];
  const close = async () => {
    for (const { what, step } of undo.splice(0).reverse()) {
      await step().catch((error: unknown) => failed.push(`${what}: ${error instanceof Error ? error.message : error}`));
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
  const reaper = options.reaper ?? startReaper();
  if (options.reaper === undefined) undo('the reaper', () => reaper.close());
  const folder = options.folder ?? (await ownFolder(reaper, undo));

  const pool = (name: string, url: string) => {
    const opened = new pg.Pool({ connectionString: url, max: 6, application_name: 'chaos-runner', ...DEADLINES });
    opened.on('error', () => {}); // a fault ended it while idle; the next statement opens another
    undo(`the runner's connections to ${name}`, () => opened.end());
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
  const toxiproxy = await startToxiproxy({ program, pidFile: join(folder, 'toxiproxy.pid') });
  reaper.watch(toxiproxy.pid);
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
  const direct = { OUTBOX_DATABASE_URL: outboxUrl, AUDIT_DATABASE_URL: auditUrl, OUTBOX_DEPLOYMENT: deployment };
  const given = { ...options.environment };
  if (options.fresh) {
    await runCliOrThrow(cli, ['migrate', 'deploy', '--deployment', deployment], direct);
    Object.assign(given, await newLog(cli, folder));
  }
  given.OUTBOX_AUDIT_API_KEY ??= await newKey(cli, direct, options.fresh ? null : undo);
  await runCliOrThrow(cli, ['policies', 'apply', '--ordering', '--config', configFile], { ...direct, ...given });

  const environment: Record<string, string> = {
    ...SETTINGS,
    ...given,
    ...direct,
    OUTBOX_DATABASE_URL: through(proxies.outbox, outboxUrl),
    AUDIT_DATABASE_URL: through(proxies.audit, auditUrl),
    OUTBOX_AUDIT_URL: `http://${proxies.ingest.address}`,
    TEMPORAL_ADDRESS: proxies.temporal.address,
    TEMPORAL_NAMESPACE: temporal.namespace,
  };
  const roles = options.roles ?? ROLES;
  log(
    `the roles: ${Object.entries(roles)
      .map(([role, n]) => `${n} ${role}`)
      .join(', ')}`,
  );
  const fleet = await startFleet({ roles, cli, configFile, environment, folder, apiPort, reaper });
  undo('the roles', () => fleet.close());

  const canary = `canary-${randomBytes(12).toString('hex')}`;
  const producer = await startChaosProducer({
    url: environment.OUTBOX_DATABASE_URL as string,
    journalFile: join(folder, 'journal.ndjson'),
    ...options.producer,
    traffic: (options.traffic ?? createTraffic)({ random: seededRandom(seed), canary }),
    ...(options.source === undefined ? {} : { source: options.source }),
  });
  undo('the producer', () => producer.stop());
  // First, so that nothing waits for a proxy that a fault left cut.
  undo('the proxies', () => Promise.all(Object.values(proxies).map((proxy) => proxy.heal())));
  const { servers } = options;
  const world = { seed, folder, deployment, outbox, audit, temporal, environment, proxies, fleet, ledger, notices };
  return { world: { ...world, producer, servers, canary, log }, cli, configFile };
}

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

/** With `undo` revoked at the end: at a staging nobody else would know what it is for. */
async function newKey(cli: string, direct: Readonly<Record<string, string>>, undo: Undo | null): Promise<string> {
  const scopes = ['--scope', 'audit:write:any-tenant', 'audit:write'];
  const printed = await runCliOrThrow(cli, ['keys', 'create', '--name', 'chaos run', ...scopes, '--json'], direct);
  const { secret, prefix } = JSON.parse(printed) as { secret: string; prefix: string };
  undo?.('the key of the worker', async () => {
    const { code, stderr } = await runCli(cli, ['keys', 'revoke', prefix], direct);
    if (code !== 0) throw new Error(`key ${prefix} was not revoked: ${stderr.slice(-300)}`);
  });
  return secret;
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
