/** Starts, step by step with progress, everything that `outbox dev` runs on. */
import { join } from 'node:path';
import { Listr } from 'listr2';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { apiKeyPrefix } from '../../application/audit/api-key-text.js';
import { createApiKey } from '../../application/audit/create-api-key.js';
import { createSignInLinks } from '../../application/audit/monitor/sign-in-links.js';
import type { OutboxConfig } from '../../application/delivery/define-config.js';
import { httpHandler } from '../../application/delivery/handlers/http-handler.js';
import { type Environment, loadSettings } from '../../infrastructure/config/load-settings.js';
import type { Settings } from '../../infrastructure/config/settings.js';
import { startEmbeddedPostgres } from '../../infrastructure/embedded/embedded-postgres.js';
import { startEmbeddedTemporal } from '../../infrastructure/embedded/embedded-temporal.js';
import { findTemporal } from '../../infrastructure/embedded/find-temporal.js';
import { freePort } from '../../infrastructure/embedded/free-port.js';
import { logNotifier } from '../../infrastructure/notifiers/log-notifier.js';
import { createAuditApiKeys } from '../../infrastructure/prisma/audit-api-keys.js';
import { createPool } from '../../infrastructure/prisma/pg-pool.js';
import { plainTemporalTarget, type TemporalTarget } from '../../infrastructure/temporal/connect-temporal.js';
import { downloadTemporalCli } from '../../infrastructure/temporal/download-cli.js';
import { searchAttributeNames } from '../../infrastructure/temporal/search-attributes.js';
import { readTarget } from '../delivery-environment.js';
import { runMigrate } from '../migrate.js';
import { type Started, startRoles } from '../start-roles.js';
import { checkOutsideDatabases, checkOutsideSettings } from './check-outside.js';
import { loadDevSecrets, saveDevSecrets } from './dev-secrets.js';
import type { DevOptions, Undo } from './run-dev.js';
import { createSampleTables } from './sample-application.js';
import { SAMPLE_PARTNER_KEY, type SamplePartner, startSamplePartner } from './sample-partner.js';
import { makeSignInLink } from './sign-in-link.js';
import { terminalNotifier } from './terminal-notifier.js';
import { writeEnvFile } from './write-env-file.js';

export interface DevWorld {
  readonly dataDir: string;
  readonly files: { readonly journal: string; readonly ledger: string };
  readonly settings: Settings;
  /** With the sample's handler and the terminal's channel. */
  readonly config: OutboxConfig;
  readonly outbox: Pool;
  readonly audit: Pool;
  readonly outboxUrl: string;
  /** Whether the databases are the environment's and not the embedded server's. */
  readonly outside: boolean;
  readonly roles: Started;
  /** For the person at the terminal; null where the environment names a key. */
  readonly apiKey: string | null;
  /** Opens the monitor as that key, once; null: there is none, or nobody signs in. */
  readonly signInLink: string | null;
  readonly temporal: { readonly target: TemporalTarget; readonly uiUrl: string | null };
  /** The sample's second destination; null where the sample application may not write. */
  readonly partner: SamplePartner | null;
  /** With which a person's own commands run on these databases; null where the environment names them. */
  readonly envFile: string | null;
  readonly log: Logger;
}

export interface OpenDevWorldOptions {
  readonly options: DevOptions;
  readonly dataDir: string;
  readonly environment: Environment;
  readonly config: OutboxConfig;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** Gets a step for everything that is started, as it is started. */
  readonly undo: Undo;
  /** Gets what rejects when something that was started ends by itself. */
  readonly watch: (failed: Promise<never>) => void;
  /** Told what is being done, as it is begun. */
  readonly doing: (what: string) => void;
}

/** Filled by the steps, in their order. */
interface Draft {
  environment: Record<string, string | undefined>;
  apiKey?: string | null;
  signInLink?: string | null;
  temporal?: DevWorld['temporal'];
  outbox?: Pool;
  audit?: Pool;
  roles?: Started;
  settings?: Settings;
  config?: OutboxConfig;
  partner?: SamplePartner;
}

const PORTS = { postgres: 5433, temporal: 7233, temporalUi: 8233 };

export async function openDevWorld(given: OpenDevWorldOptions): Promise<DevWorld> {
  const { options, dataDir, environment, log, signal } = given;
  const asked = loadSettings(environment, []);
  const target = readTarget(environment);
  const outside = checkOutsideSettings(asked, target.named, options);
  const samples = !outside || options.sample;
  const draft: Draft = { environment: { ...environment } };
  const files = { journal: join(dataDir, 'journal.ndjson'), ledger: join(dataDir, 'partner.ndjson') };

  const step = (title: string, work: (note: (line: string) => void) => Promise<void>, enabled = true) => ({
    title,
    enabled,
    task: async (_: Draft, task: { output: string }) => {
      signal.throwIfAborted();
      given.doing(title);
      await work((line) => {
        given.doing(line);
        task.output = line; // below the step's title
      });
    },
  });
  const steps = new Listr<Draft>(
    [
      step(
        outside ? 'PostgreSQL: the one that the environment names' : 'PostgreSQL (a few seconds; longer after a crash)',
        async (note) => {
          if (!outside) await startPostgres(given, draft, note);
          draft.outbox = openPool(draft, 'OUTBOX_DATABASE_URL', given);
          draft.audit = openPool(draft, 'AUDIT_DATABASE_URL', given);
          if (outside && !options.migrate) await checkOutsideDatabases(asked, draft.outbox);
        },
      ),
      step(
        target.named
          ? `Temporal: the server at ${target.address}`
          : 'Temporal with its Web UI (a few seconds; about 3 minutes when it has to be built first)',
        async (note) => {
          draft.temporal = target.named ? { target, uiUrl: null } : await startTemporal(given, asked, note);
          // What the environment names is the Web UI of another server.
          if (draft.temporal.uiUrl !== null) draft.environment.OUTBOX_TEMPORAL_UI_URL = draft.temporal.uiUrl;
        },
      ),
      step(
        'Migrations',
        async (note) => {
          const { text } = await runMigrate({
            command: 'deploy',
            outboxUrl: draft.environment.OUTBOX_DATABASE_URL,
            auditUrl: draft.environment.AUDIT_DATABASE_URL,
            deployment: environment.OUTBOX_DEPLOYMENT,
          });
          note(text.replaceAll('\n', '; '));
        },
        !outside || options.migrate,
      ),
      step('api, relay and worker', async (note) => {
        const { keyId } = await giveKeys(given, asked, draft, outside);
        // A queue of its own on a server that others use: their workers would look for these events in their database.
        if (!outside && target.named) draft.environment.OUTBOX_TASK_QUEUE = `outbox-${keyId}`;
        // On somebody else's database, or server, another namespace may as well be a wrong address.
        const adoptLost = !outside && !target.named;
        await startRolesOfDev(given, draft, { samples, ledger: files.ledger, outside, adoptLost, note });
        note(`listening on port ${draft.roles?.apiPort}`);
      }),
    ],
    {
      renderer: 'default',
      fallbackRenderer: 'simple',
      registerSignalListeners: false,
      rendererOptions: { collapseSubtasks: false },
    },
  );
  await steps.run();
  const { partner = null, environment: made, ...started } = draft as Required<Omit<Draft, 'partner'>> & Draft;
  const envFile = outside ? null : await writeEnvFile(dataDir, made, target.named ? null : started.temporal.target);
  const outboxUrl = made.OUTBOX_DATABASE_URL as string;
  return { ...started, dataDir, files, outboxUrl, outside, partner, envFile, log };
}

async function startPostgres(given: OpenDevWorldOptions, draft: Draft, note: (line: string) => void) {
  const { dataDir, undo, watch, signal } = given;
  const postgres = await startEmbeddedPostgres({
    dataDir: join(dataDir, 'postgres'),
    port: PORTS.postgres,
    signal,
    note,
  });
  undo.push(() => postgres.stop());
  watch(postgres.failed);
  for (const name of ['outbox', 'audit']) await postgres.createDatabase(name);
  draft.environment.OUTBOX_DATABASE_URL = postgres.url('outbox');
  draft.environment.AUDIT_DATABASE_URL = postgres.url('audit');
}

function openPool(draft: Draft, variable: string, { undo, log }: OpenDevWorldOptions): Pool {
  const pool = createPool(draft.environment[variable] as string, {
    max: 8,
    applicationName: 'temporal-outbox sample',
    onConnectionLost: (error) => log.warn({ err: error }, 'database.connection_lost'),
  });
  undo.push(() => pool.end());
  return pool;
}

async function startTemporal(
  { environment, dataDir, undo, watch, signal }: OpenDevWorldOptions,
  { searchAttributePrefix }: Settings,
  note: (line: string) => void,
): Promise<DevWorld['temporal']> {
  const leftAside = ['TEMPORAL_API_KEY', 'TEMPORAL_NAMESPACE', 'TEMPORAL_PROFILE', 'TEMPORAL_TLS'].filter(
    (name) => environment[name],
  );
  if (leftAside.length > 0) note(`no address of a Temporal server is named: ${leftAside.join(', ')} left aside`);
  const cli = await findTemporal({ environment, download: downloadTemporalCli, signal, note });
  const temporal = await startEmbeddedTemporal({
    cli,
    dbFile: join(dataDir, 'temporal.db'),
    pidFile: join(dataDir, 'temporal.pid'),
    port: PORTS.temporal,
    uiPort: PORTS.temporalUi,
    searchAttributes: Object.values(searchAttributeNames(searchAttributePrefix)),
    signal,
    note,
  });
  undo.push(() => temporal.stop());
  watch(temporal.failed);
  return { target: plainTemporalTarget(temporal.address, 'default'), uiUrl: temporal.uiUrl };
}

/**
 * The keys of the audit log. On databases of its own dev has its own, whatever the environment names for another audit log;
 * on outside ones what the environment names is taken, and what it leaves out is made (which `--migrate` has allowed).
 */
async function giveKeys(
  { dataDir }: OpenDevWorldOptions,
  asked: Settings,
  draft: Draft,
  outside: boolean,
): Promise<{ keyId: string | undefined }> {
  const file = join(dataDir, 'secrets.json');
  let secrets = await loadDevSecrets(file);
  const named = outside && asked.auditApiKey !== undefined;
  const keys = createAuditApiKeys(draft.audit as Pool);
  // The person's own databases: whoever runs them may see and do all of it.
  const ofInside = ['dlq:write', 'audit:read:any-tenant'] as const;
  const made =
    named ||
    ((await findKey(keys, secrets.auditApiKey)) !== null &&
      (outside || (await findKey(keys, secrets.visitorKey))?.scopes.includes('audit:read:any-tenant') === true));
  if (!made) {
    const worker = await createApiKey({ keys })({
      name: 'outbox dev: worker',
      scopes: ['audit:write:any-tenant', 'audit:write'],
    });
    const visitor = await createApiKey({ keys })({
      name: 'outbox dev: you',
      // Who may touch an outside deployment's dead letters is its operators' to say.
      scopes: ['audit:write', 'audit:read', ...(outside ? [] : ofInside)],
    });
    secrets = { ...secrets, auditApiKey: worker.secret, visitorKey: visitor.secret };
    await saveDevSecrets(file, secrets);
  }
  if (!named) draft.environment.OUTBOX_AUDIT_API_KEY = secrets.auditApiKey ?? undefined;
  if (!outside || asked.auditFingerprintKeys === undefined) {
    draft.environment.AUDIT_FINGERPRINT_KEYS = secrets.fingerprintKeys;
  }
  if (!outside) {
    // On an outside log dev's key would be a stranger's, and its first checkpoint in the way of the owner's.
    draft.environment.AUDIT_SIGNING_KEYS = secrets.signingKey;
    draft.environment.AUDIT_ANCHOR_FILE = join(dataDir, 'anchor.ndjson');
    delete draft.environment.AUDIT_VERIFIER_KEYS;
    delete draft.environment.AUDIT_LOG_ORIGIN;
    delete draft.environment.OUTBOX_AUDIT_URL;
    draft.environment.OUTBOX_OPS ||= 'on';
  }
  draft.apiKey = named ? null : secrets.visitorKey;
  return { keyId: secrets.fingerprintKeys.split(':')[0] };
}

/** null: the kept key is of an audit database that is gone. */
async function findKey(keys: ReturnType<typeof createAuditApiKeys>, secret: string | null) {
  const prefix = secret === null ? null : apiKeyPrefix(secret);
  return prefix === null ? null : keys.findByPrefix(prefix);
}

async function startRolesOfDev(
  { config, log, signal, undo, watch, environment }: OpenDevWorldOptions,
  draft: Draft,
  given: { samples: boolean; ledger: string; outside: boolean; adoptLost: boolean; note: (line: string) => void },
): Promise<void> {
  const { samples, ledger, outside, adoptLost, note } = given;
  const wanted = loadSettings(environment, []);
  const apiPort = await freePort(wanted.apiPort);
  // The api listens only later: its port is still free to everybody who asks.
  const probePort = await freePort(wanted.probePort, apiPort);
  draft.environment.OUTBOX_API_PORT = String(apiPort);
  draft.environment.OUTBOX_PROBE_PORT = String(probePort);
  draft.environment.OUTBOX_AUDIT_URL ||= `http://127.0.0.1:${apiPort}`;
  // Links from notices and from Temporal lead to dev's own page.
  if (!outside) draft.environment.OUTBOX_MONITOR_URL = `http://127.0.0.1:${apiPort}/monitor/`;
  // Nobody at a terminal waits for a minute.
  draft.environment.OUTBOX_NOTICE_WINDOW_MS ||= '2000';
  draft.settings = loadSettings(draft.environment, ['api', 'relay', 'worker']);

  const handlers = [...(config.handlers ?? [])];
  if (samples) {
    const partner = await startSamplePartner(ledger);
    undo.push(() => partner.close());
    draft.partner = partner;
    handlers.push(httpHandler({ routingKey: SAMPLE_PARTNER_KEY, url: partner.url }));
    await createSampleTables(draft.outbox as Pool);
  }
  const signInLinks = createSignInLinks();
  const notifiers = [...(config.notifiers ?? [logNotifier()]), terminalNotifier(process.stdout)];
  draft.config = { ...config, handlers, notifiers };
  const roles = await startRoles({
    roles: ['api', 'relay', 'worker'],
    adoptLost,
    settings: draft.settings,
    config: draft.config,
    log,
    environment: draft.environment,
    temporal: (draft.temporal as DevWorld['temporal']).target,
    signal,
    signInLinks,
    onWaiting: note,
  });
  draft.roles = roles;
  undo.push(() => roles.stop());
  watch(roles.failed);
  const deps = { links: signInLinks, keys: createAuditApiKeys(draft.audit as Pool) };
  draft.signInLink = await makeSignInLink(deps, draft.settings, { apiKey: draft.apiKey ?? null, apiPort });
}
