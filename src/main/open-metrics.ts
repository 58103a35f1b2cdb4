import { readLogStatus } from '../application/audit/log/read-log-status.js';
import type { Logger } from '../application/delivery/ports.js';
import { type MetricSample, sampleOf } from '../application/metrics/metrics.js';
import { auditGauges, outboxGauges } from '../application/metrics/read-gauges.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createSource } from '../infrastructure/metrics/metric-source.js';
import { createProcessMetrics, type ProcessMetrics } from '../infrastructure/metrics/process-metrics.js';
import { createCheckpointStore } from '../infrastructure/prisma/checkpoint-store.js';
import { createDestinationStore } from '../infrastructure/prisma/destination-store.js';
import { createGaugeStore } from '../infrastructure/prisma/gauge-store.js';
import { createDatabaseInspector } from '../infrastructure/prisma/inspect-database.js';
import { createLagStore } from '../infrastructure/prisma/lag-store.js';
import { countOverdueRuns } from '../infrastructure/prisma/overdue-runs.js';
import { createOverviewStore } from '../infrastructure/prisma/overview-store.js';
import { createPool, type PgPool, readPools, runStatement } from '../infrastructure/prisma/pg-pool.js';
import { readRetentionLag } from '../infrastructure/prisma/settled-store.js';
import { createVerificationBook } from '../infrastructure/prisma/verification-store.js';
import type { SdkMetrics } from '../infrastructure/temporal/sdk-metrics.js';
import { packageVersion } from './package-version.js';
import type { RoleName } from './role-name.js';

export interface OpenMetricsOptions {
  readonly roles: readonly RoleName[];
  readonly settings: Settings;
  readonly log: Logger;
  /** Event types that the configuration names. */
  readonly eventTypes: readonly string[];
  /** Whether Temporal answers; null: nobody has asked it yet. Bounded in time. Left out: no role here needs it. */
  readonly findTemporal?: () => Promise<boolean | null>;
  /** Without waiting: what the roles that run here know of themselves. */
  readonly readRoles: () => readonly MetricSample[];
  /** null: those of Temporal's SDK are not told. */
  readonly sdkMetrics: SdkMetrics | null;
}

export interface OpenMetrics extends ProcessMetrics {
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;

/** One connection for each database, opened by a scrape: it waits for nobody, and keeps nobody waiting. */
const READING = {
  max: 1,
  statementTimeoutMs: 2_000,
  connectTimeoutMs: 2_000,
  applicationName: 'temporal-outbox metrics',
  // At the end of a role nothing waits for what a scrape still reads.
  endTimeoutMs: 500,
};

/** The metrics of this process, and what it reads of the databases that its roles have. Opens nothing before a scrape. */
export function openMetrics(options: OpenMetricsOptions): OpenMetrics {
  const { roles, settings, log, sdkMetrics, findTemporal, eventTypes } = options;
  const metrics = createProcessMetrics({
    roles,
    version: packageVersion(),
    deployment: settings.deployment,
    eventTypes,
    readOwn: () => [...readPoolSamples(), ...options.readRoles()],
  });
  const pools: PgPool[] = [];
  const open = (url: string) => {
    const pool = createPool(url, READING);
    pools.push(pool);
    return pool;
  };
  const delivers = roles.some((role) => role !== 'api');
  if (settings.databaseUrl !== undefined && (delivers || settings.ops === 'on')) {
    const pool = open(settings.databaseUrl);
    const parts = outboxGauges({
      gauges: createGaugeStore(pool),
      overview: createOverviewStore(pool),
      destinations: createDestinationStore(pool),
      countOverdue: () => countOverdueRuns(pool),
      readHolders: createDatabaseInspector(pool, 'outbox').readHolders,
      readRetentionLag:
        settings.retentionDays === 0 ? null : () => readRetentionLag(pool, settings.retentionDays * DAY_MS),
    });
    metrics.addSource(createSource({ name: 'outbox_database', reach: () => ping(pool), parts, log }));
  }
  if (settings.auditDatabaseUrl !== undefined && roles.some((role) => role !== 'relay')) {
    const pool = open(settings.auditDatabaseUrl);
    const parts = auditGauges({
      gauges: createGaugeStore(pool),
      status: readLogStatus({
        lag: createLagStore(pool),
        checkpoints: createCheckpointStore(pool),
        keys: null,
        checkpointMs: settings.auditCheckpointMs,
      }),
      verifications: createVerificationBook(pool),
    });
    metrics.addSource(createSource({ name: 'audit_database', reach: () => ping(pool), parts, log }));
  }
  if (findTemporal !== undefined) {
    const reach = async () => {
      const answers = await findTemporal();
      if (answers === false) throw new Error('Temporal does not answer');
      return answers === null ? { unknown: true as const } : undefined;
    };
    metrics.addSource(createSource({ name: 'temporal', reach, log }));
  }
  if (sdkMetrics !== null) {
    const reach = async () => ({ text: await sdkMetrics.read() });
    // They cost nobody else anything.
    metrics.addSource(createSource({ name: 'sdk', reach, log, keptMs: 0 }));
  }
  return {
    ...metrics,
    close: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
    },
  };
}

/** That the server answers, and a connection can be had: of no table, so that neither a lock nor a missing right is told as away. */
async function ping(pool: PgPool): Promise<undefined> {
  await runStatement(pool, { name: 'gauge_ping', text: 'SELECT 1', timeoutMs: READING.connectTimeoutMs });
  return undefined;
}

function readPoolSamples(): readonly MetricSample[] {
  return readPools().flatMap(({ name, max, used, idle, waiting }) => {
    const pool = name.replace(/^temporal-outbox /, '');
    return [
      sampleOf('outbox_pool_connections', { pool, state: 'used' }, used),
      sampleOf('outbox_pool_connections', { pool, state: 'idle' }, idle),
      sampleOf('outbox_pool_connections', { pool, state: 'waiting' }, waiting),
      sampleOf('outbox_pool_max_connections', { pool }, max),
    ];
  });
}
