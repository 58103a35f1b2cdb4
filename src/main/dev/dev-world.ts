/** Starts, step by step with progress, everything that `outbox dev` runs on. */
import { join } from 'node:path';
import { Listr } from 'listr2';
import type { Pool } from 'pg';
import type { Logger } from 'pino';
import { apiKeyPrefix } from '../../application/audit/api-key-text.js';
import { createApiKey } from '../../application/audit/create-api-key.js';
import type { OutboxConfig } from '../../application/delivery/define-config.js';
import { httpHandler } from '../../application/delivery/handlers/http-handler.js';
import { type Environment, loadSettings } from '../../infrastructure/config/load-settings.js';
import type { Settings } from '../../infrastructure/config/settings.js';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../infrastructure/embedded/embedded-postgres.js';
import { startEmbeddedTemporal } from '../../infrastructure/embedded/embedded-temporal.js';
import { findTemporal } from '../../infrastructure/embedded/find-temporal.js';
import { freePort } from '../../infrastructure/embedded/free-port.js';
import { createAuditApiKeys } from '../../infrastructure/prisma/audit-api-keys.js';
import { createPool } from '../../infrastructure/prisma/pg-pool.js';
import { downloadTemporalCli } from '../../infrastructure/temporal/download-cli.js';
import { searchAttributeNames } from '../../infrastructure/temporal/search-attributes.js';
import { runMigrate } from '../migrate.js';
import { StartRefusedError } from '../start-refused-error.js';
import { type Started, startRoles } from '../start-roles.js';
import { loadDevSecrets, saveDevSecrets } from './dev-secrets.js';
import type { DevOptions, Undo } from './run-dev.js';
import { createSampleTables, SAMPLE_PARTNER_KEY } from './sample-application.js';
import { startSamplePartner } from './sample-partner.js';

export interface DevWorld {
  readonly dataDir: string;
  readonly settings: Settings;
  readonly outbox: Pool;
  readonly audit: Pool;
  readonly outboxUrl: string;
  readonly roles: Started;
  readonly apiKey: string;
  readonly temporal: { readonly address: string; readonly uiUrl: string | null };
  /** Whether the sample application may write. */
  readonly samples: boolean;
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
}

/** Filled by the steps, in their order. */
interface Draft {
  environment: Record<string, string | undefined>;
  apiKey?: string;
  temporal?: DevWorld['temporal'];
  outbox?: Pool;
  audit?: Pool;
  roles?: Started;
  settings?: Settings;
}

const PORTS = { postgres: 5433, temporal: 7233, temporalUi: 8233, api: 8080, probe: 8081 };

export async function openDevWorld(given: OpenDevWorldOptions): Promise<DevWorld> {
  const { options, dataDir, environment, log, signal } = given;
  const draft: Draft = { environment: { ...environment } };
  const outside = environment.OUTBOX_DATABASE_URL !== undefined || environment.AUDIT_DATABASE_URL !== undefined;
  checkOutside(environment, options);
  const samples = !outside || options.sample;

  const steps = new Listr<Draft>(
    [
      {
        title: outside
          ? 'PostgreSQL: the one that the environment names'
          : 'PostgreSQL (a few seconds; longer after a crash)',
        task: async (_, task) => {
          signal.throwIfAborted();
          if (!outside) await startPostgres(given, draft, outputOf(task));
          draft.outbox = openPool(draft, 'OUTBOX_DATABASE_URL', given);
          draft.audit = openPool(draft, 'AUDIT_DATABASE_URL', given);
        },
      },
      {
        title: 'Temporal with its Web UI (a few seconds; about 3 minutes when it has to be built first)',
        task: async (_, task) => {
          signal.throwIfAborted();
          await startTemporal(given, draft, outputOf(task));
        },
      },
      {
        title: 'Migrations',
        enabled: !outside || options.migrate,
        task: async (_, task) => {
          signal.throwIfAborted();
          const { text } = await runMigrate({
            command: 'deploy',
            outboxUrl: draft.environment.OUTBOX_DATABASE_URL,
            auditUrl: draft.environment.AUDIT_DATABASE_URL,
            deployment: environment.OUTBOX_DEPLOYMENT,
          });
          task.output = text.replaceAll('\n', '; ');
        },
      },
      {
        title: 'api, relay and worker',
        task: async (_, task) => {
          signal.throwIfAborted();
          await startRolesOfDev(given, draft, samples);
          task.output = `listening on port ${draft.roles?.apiPort}`;
        },
      },
    ],
    {
      renderer: 'default',
      fallbackRenderer: 'simple',
      registerSignalListeners: false,
      rendererOptions: { collapseSubtasks: false },
    },
  );
  await steps.run();
  const { settings, outbox, audit, roles, apiKey, temporal } = draft as Required<Draft>;
  const outboxUrl = draft.environment.OUTBOX_DATABASE_URL as string;
  return { dataDir, settings, outbox, audit, outboxUrl, roles, apiKey, temporal, samples, log };
}

/** Lines below the step's title. */
function outputOf(task: { output: string }): (line: string) => void {
  return (line) => {
    task.output = line;
  };
}

/** An outside database is touched only as far as the options say. */
function checkOutside(environment: Environment, options: DevOptions): void {
  const named = ['OUTBOX_DATABASE_URL', 'AUDIT_DATABASE_URL'].filter((name) => environment[name] !== undefined);
  if (named.length === 1) {
    throw new StartRefusedError(
      `${named[0]} is set alone: set both database URLs, or none to use the embedded PostgreSQL`,
    );
  }
  if (named.length === 2 && options.once && !options.sample) {
    throw new StartRefusedError(
      '--once writes sample traffic: allow it on the database that the environment names with --sample',
    );
  }
}

async function startPostgres({ dataDir, undo }: OpenDevWorldOptions, draft: Draft, note: (line: string) => void) {
  const postgres: EmbeddedPostgres = await startEmbeddedPostgres({
    dataDir: join(dataDir, 'postgres'),
    port: PORTS.postgres,
    note,
  });
  undo.push(() => postgres.stop());
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

async function startTemporal(given: OpenDevWorldOptions, draft: Draft, note: (line: string) => void): Promise<void> {
  const { environment, dataDir, undo } = given;
  const configured = environment.TEMPORAL_ADDRESS;
  if (configured !== undefined) {
    draft.temporal = { address: configured, uiUrl: null };
    return;
  }
  const cli = await findTemporal({ environment, download: downloadTemporalCli, note });
  const { searchAttributePrefix } = loadSettings(environment, []);
  const temporal = await startEmbeddedTemporal({
    cli,
    dbFile: join(dataDir, 'temporal.db'),
    pidFile: join(dataDir, 'temporal.pid'),
    port: PORTS.temporal,
    uiPort: PORTS.temporalUi,
    searchAttributes: Object.values(searchAttributeNames(searchAttributePrefix)),
    note,
  });
  undo.push(() => temporal.stop());
  draft.environment.TEMPORAL_ADDRESS = temporal.address;
  draft.environment.TEMPORAL_NAMESPACE = 'default';
  draft.temporal = { address: temporal.address, uiUrl: temporal.uiUrl };
}

async function startRolesOfDev(given: OpenDevWorldOptions, draft: Draft, samples: boolean): Promise<void> {
  const { dataDir, environment, config, log, signal, undo } = given;
  const secretsFile = join(dataDir, 'secrets.json');
  let secrets = await loadDevSecrets(secretsFile);
  const keys = createAuditApiKeys(draft.audit as Pool);
  if (environment.OUTBOX_AUDIT_API_KEY === undefined && !(await keyStands(draft, secrets.auditApiKey))) {
    const worker = await createApiKey({ keys })({
      name: 'outbox dev: worker',
      scopes: ['audit:write:any-tenant', 'audit:write'],
    });
    const visitor = await createApiKey({ keys })({ name: 'outbox dev: you', scopes: ['audit:write', 'audit:read'] });
    secrets = { ...secrets, auditApiKey: worker.secret, visitorKey: visitor.secret };
    await saveDevSecrets(secretsFile, secrets);
  }
  const apiPort = await freePort(Number(environment.OUTBOX_API_PORT ?? PORTS.api));
  const probeWanted = Number(environment.OUTBOX_PROBE_PORT ?? PORTS.probe);
  // The api listens only later: its port is still free to everybody who asks.
  const probePort = await freePort(probeWanted, apiPort);
  draft.environment = {
    AUDIT_FINGERPRINT_KEYS: secrets.fingerprintKeys,
    OUTBOX_AUDIT_API_KEY: secrets.auditApiKey ?? undefined,
    ...draft.environment,
    OUTBOX_API_PORT: String(apiPort),
    OUTBOX_PROBE_PORT: String(probePort),
    OUTBOX_AUDIT_URL: environment.OUTBOX_AUDIT_URL ?? `http://127.0.0.1:${apiPort}`,
  };
  draft.settings = loadSettings(draft.environment, ['api', 'relay', 'worker']);
  draft.apiKey = secrets.visitorKey ?? '(the one that you named in OUTBOX_AUDIT_API_KEY)';

  const handlers = [...(config.handlers ?? [])];
  if (samples) {
    const partner = await startSamplePartner();
    undo.push(() => partner.close());
    handlers.push(httpHandler({ routingKey: SAMPLE_PARTNER_KEY, url: partner.url }));
    await createSampleTables(draft.outbox as Pool);
  }
  draft.roles = await startRoles({
    roles: ['api', 'relay', 'worker'],
    settings: draft.settings,
    config: { ...config, handlers },
    log,
    environment: draft.environment,
    signal,
  });
  const { roles } = draft;
  undo.push(() => roles.stop());
}

/** The kept key may be of an audit database that is gone. */
async function keyStands(draft: Draft, secret: string | null): Promise<boolean> {
  if (secret === null) return false;
  const prefix = apiKeyPrefix(secret);
  return prefix !== null && (await createAuditApiKeys(draft.audit as Pool).findByPrefix(prefix)) !== null;
}
