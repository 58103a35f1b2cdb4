import { checkSigningSecrets } from '../application/audit/authenticate-api-key.js';
import { EventSchemaError } from '../application/audit/event-schemas.js';
import { checkFingerprintKeys, FingerprintKeyError, type FingerprintKeys } from '../application/audit/fingerprint.js';
import { createIngestRules, type IngestRules } from '../application/audit/ingest-rules.js';
import type { ApiKeyStore, AuditStore, FailedIngestStore } from '../application/audit/ports.js';
import { SecretKeyError } from '../application/audit/secret-box.js';
import { NO_METRICS } from '../application/metrics/metrics.js';
import { DEFAULT_HTTP_LIMITS } from '../http/http-limits.js';
import type { Logger } from '../http/logger.js';
import { MonitorFilesError } from '../http/monitor-files.js';
import { type ApiOptions, startApi } from '../http/start-api.js';
import { ConfigurationError, requireSetting } from '../infrastructure/config/load-settings.js';
import { createAuditApiKeys } from '../infrastructure/prisma/audit-api-keys.js';
import { createAuditStore } from '../infrastructure/prisma/audit-store.js';
import { createBookStore } from '../infrastructure/prisma/book-store.js';
import { createDeploymentStore } from '../infrastructure/prisma/deployment-store.js';
import { createDestinationStore } from '../infrastructure/prisma/destination-store.js';
import { createFailedIngestStore } from '../infrastructure/prisma/failed-ingest-store.js';
import { findIdentityGaps } from '../infrastructure/prisma/identities-stay.js';
import { createOrderingStore } from '../infrastructure/prisma/ordering-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../infrastructure/prisma/process-store.js';
import { createRecordReader } from '../infrastructure/prisma/record-reader.js';
import { checkDeployment } from './check-deployment.js';
import { deliveryHandlers } from './delivery-handlers.js';
import { openDeadLetterOps } from './dlq-asking.js';
import { openEventOps, openPolicyOps } from './event-ops.js';
import { explainDatabase } from './explain-database.js';
import { explainListen } from './explain-listen.js';
import { failAt } from './fail-at.js';
import { openLogMonitor } from './open-log-monitor.js';
import { openFigures, openOverview } from './open-overview.js';
import { openProofs } from './open-proofs.js';
import { refuseTransactionPooling } from './refuse-transaction-pooling.js';
import type { RoleContext, StartedRole } from './role.js';
import { checkMonitorSettings, monitorOptions, openMonitorPools } from './start-monitor.js';
import { StartRefusedError } from './start-refused-error.js';

/**
 * The `api` role: the audit log's entrance, with OUTBOX_OPS=on also the delivery's operations and the monitor. Starts without
 * its databases, too: live, not ready, answering 503.
 */
export async function startApiRole(context: RoleContext): Promise<StartedRole> {
  const { settings, config, log, metrics = NO_METRICS } = context;
  const rules = readRules(config);
  if (settings.ops === 'on' && settings.monitor === 'on') checkMonitorSettings(settings, log);
  const url = requireSetting(settings.auditDatabaseUrl, 'AUDIT_DATABASE_URL');
  const pool = openPool(url, { max: settings.auditPoolSize, applicationName: 'temporal-outbox api', log });
  // Of its own: whoever searches waits for others who search, and never keeps the ingest waiting.
  const reading = { max: settings.auditReadPoolSize, applicationName: 'temporal-outbox api reading', log };
  const readPool = openPool(url, reading);
  const ops = openOps(context, url);
  const close = async () => {
    await ops?.close();
    await Promise.all([pool.end(), readPool.end()]);
  };
  const store = createAuditStore(pool);
  const apiKeys = createAuditApiKeys(pool);
  const secretKey = settings.auditSecretKey ?? null;
  const fingerprintKeys = requireSetting(settings.auditFingerprintKeys, 'AUDIT_FINGERPRINT_KEYS');
  const refuse = async () => {
    await refuseWrong({ pool, store, apiKeys, fingerprintKeys, secretKey }, log);
    if (ops !== null) await refuseOtherDeployment(ops.pool, settings.deployment, log);
  };
  const starting = refuse().then(() =>
    startApi({
      store,
      apiKeys,
      failedIngest: withFailpoint(createFailedIngestStore(pool), failAt(settings.testFailpoint)),
      records: createRecordReader(readPool),
      fingerprintKeys,
      secretKey,
      ratePerMinute: settings.auditRatePerMinute === 0 ? null : settings.auditRatePerMinute,
      rules,
      proofs: openProofs(readPool),
      logMonitor: openLogMonitor(readPool, settings),
      ...ops?.options,
      host: settings.host,
      port: settings.apiPort,
      logger: log,
      tracing: context.traces?.tracing,
      metrics,
      // In one process with relay and worker it is the last of three to stop.
      limits: {
        closeGraceMs: Math.min(DEFAULT_HTTP_LIMITS.closeGraceMs, Math.floor(settings.shutdownGraceMs / 6)),
        // Each goes by short turns, so that four to a connection wait for one less than the five seconds of a pool.
        maxSearches: 4 * settings.auditReadPoolSize,
      },
    }),
  );
  const api = await starting.catch(async (error: unknown) => {
    await close();
    if (error instanceof MonitorFilesError) throw new StartRefusedError(error.message, { cause: error });
    throw explainListen(error, 'OUTBOX_API_PORT');
  });
  return {
    name: 'api',
    port: api.port,
    // Its own /ready says this, on the api's port.
    notReady: async () => null,
    hint: () => {},
    async stop() {
      await api.close();
      await close();
    },
  };
}

/** Before anything is opened: a schema that does not compile would let through what it is there to refuse. */
function readRules({ ingest }: RoleContext['config']): IngestRules {
  try {
    return createIngestRules(ingest);
  } catch (error) {
    throw error instanceof EventSchemaError ? new ConfigurationError(error.problems) : error;
  }
}

/** What operators see and do, and the page that they do it on. */
function openOps(context: RoleContext, auditUrl: string) {
  const { settings, config, log } = context;
  if (settings.ops === 'off') return null;
  const url = requireSetting(settings.databaseUrl, 'OUTBOX_DATABASE_URL');
  // A person acts now and then: a few connections, opened when somebody does.
  const pool = openPool(url, { max: 4, applicationName: 'temporal-outbox ops', log });
  // Of its own: whoever searches keeps nobody from acting, and by one connection more than may search at once nobody who
  // looks at one thing waits for them either.
  const reading = { max: DEFAULT_HTTP_LIMITS.maxOpsSearches + 1, applicationName: 'temporal-outbox ops reading', log };
  const readPool = openPool(url, reading);
  const pools = openMonitorPools({ outbox: url, audit: auditUrl }, (error) =>
    log.warn({ err: error }, 'database.connection_lost'),
  );
  const deadLetters = openDeadLetterOps(pool, deliveryHandlers(context), log, config.redaction, readPool);
  const processes = createProcessStore(pools.vitals);
  const overview = openOverview(pools, settings);
  const events = openEventOps(readPool, { settings, config, processes });
  const { temporalUi } = events;
  const options: Pick<ApiOptions, 'ops' | 'monitor'> = {
    ops: {
      overview,
      figures: openFigures(pools.outbox),
      events,
      destinations: { ...createDestinationStore(pool), list: createDestinationStore(readPool).list },
      deadLetters,
      ordering: createOrderingStore(readPool),
      books: { list: createBookStore(readPool).list, lookAgain: createBookStore(pool).lookAgain },
      policies: openPolicyOps(readPool, { config, processes }),
    },
    ...(settings.monitor === 'off'
      ? {}
      : { monitor: monitorOptions({ pools, overview, settings, temporalUi, links: context.signInLinks }) }),
  };
  return {
    pool,
    options,
    close: async () => {
      await deadLetters.close();
      await Promise.all([pool.end(), readPool.end(), pools.close()]);
    },
  };
}

function openPool(
  url: string,
  { log, ...options }: { readonly max: number; readonly applicationName: string; readonly log: Logger },
): PgPool {
  return createPool(url, {
    ...options,
    onConnectionLost: (error) => log.warn({ err: error }, 'database.connection_lost'),
  });
}

/** R25: a letter may be redriven however old it is, so what it may have recorded must be known for ever. */
async function refuseLostIdentities(audit: PgPool): Promise<void> {
  const gaps = await findIdentityGaps(audit);
  if (gaps.length === 0) return;
  throw new StartRefusedError(
    `identities of the audit log may be removed, and what is redriven would then be recorded twice: expected ${gaps.join(' and ')} on audit.record_key, found it off or gone. Mend it: ALTER TABLE audit.record_key ENABLE ALWAYS TRIGGER ${gaps[0]}`,
  );
}

/** R1: what operators do must reach the outbox that they mean. Away is no reason not to start. */
async function refuseOtherDeployment(ops: PgPool, deployment: string, log: Logger): Promise<void> {
  try {
    await refuseTransactionPooling(ops, 'outbox');
    checkDeployment(await createDeploymentStore(ops).readName(), deployment);
  } catch (error) {
    const explained = explainDatabase(error, 'outbox');
    if (explained instanceof StartRefusedError) throw explained;
    log.warn({ waitingFor: 'the outbox database', reason: (explained as Error).message }, 'start.waiting');
  }
}

/** For the test of a crash between keeping an event and saying so. */
function withFailpoint(store: FailedIngestStore, failpoint: (point: string) => void): FailedIngestStore {
  const keep: FailedIngestStore['keep'] = async (event) => {
    const id = await store.keep(event);
    failpoint('after-keep-before-answer');
    return id;
  };
  return { ...store, keep };
}

/**
 * Away is no reason not to start. Not migrated is, for everything would be answered by an error of ours; another secret
 * under a known key id is, for every resend would be told to be other content; and so is a signing secret that cannot be
 * opened, for its key's requests would never be served.
 */
async function refuseWrong(
  given: {
    pool: PgPool;
    store: AuditStore;
    apiKeys: ApiKeyStore;
    fingerprintKeys: FingerprintKeys;
    secretKey: Uint8Array | null;
  },
  log: Logger,
): Promise<void> {
  try {
    await refuseTransactionPooling(given.pool, 'audit');
    await given.store.ping();
    await refuseLostIdentities(given.pool);
    await checkFingerprintKeys(given.store, given.fingerprintKeys);
    await checkSigningSecrets(given.apiKeys, given.secretKey);
  } catch (error) {
    if (error instanceof SecretKeyError) throw new StartRefusedError(error.message);
    if (error instanceof FingerprintKeyError) throw new StartRefusedError(`AUDIT_FINGERPRINT_KEYS: ${error.message}`);
    const explained = explainDatabase(error, 'audit');
    if (explained instanceof StartRefusedError) throw explained;
    log.warn({ waitingFor: 'the audit database', reason: (explained as Error).message }, 'start.waiting');
  }
}
