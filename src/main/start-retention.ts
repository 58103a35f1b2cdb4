import { monthsAhead } from '../application/audit/retention/months.js';
import { type PartitionOutcome, retainRecords } from '../application/audit/retention/retain-records.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { runUnderLease } from '../application/delivery/run-under-lease.js';
import { createFileAnchor } from '../infrastructure/anchor/file-anchor.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { createRetentionStore } from '../infrastructure/prisma/retention-store.js';
import { createVerifyStore, WHOLE_TABLE_TIMEOUT_MS } from '../infrastructure/prisma/verify-store.js';
import { dutyLeaseMs } from './duty-lease.js';
import { openLogKeys } from './open-log-keys.js';
import type { RoleContext } from './role.js';
import type { SessionCheck } from './session-check.js';

/** A drop that could not have its lock must not wait for a day, and a look that finds nothing due costs nothing. */
const EVERY_MS = 3_600_000;
/** The api makes three ahead every day: with one left, it has not for two months. */
const FEWEST_AHEAD = 2;

export interface RunningRetention {
  /** What is not as it should be, for /ready. */
  warnings(): readonly string[];
  stop(): Promise<void>;
}

/**
 * Drops what is past keeping, in one worker at a time, and looks whether there are partitions for the months to come; null
 * where this worker has no audit database.
 */
export function startRetention(
  { settings, log }: Pick<RoleContext, 'settings' | 'log'>,
  sessions: SessionCheck,
): RunningRetention | null {
  const { auditDatabaseUrl, auditRetentionMonths: months, auditAnchorFile } = settings;
  if (auditDatabaseUrl === undefined) return null;
  const keys = openLogKeys(settings);
  const pool = createPool(auditDatabaseUrl, {
    max: 2,
    applicationName: 'temporal-outbox retention',
    statementTimeoutMs: WHOLE_TABLE_TIMEOUT_MS,
    onConnectionLost: (error) => log.warn({ err: error }, 'database.connection_lost'),
  });
  const store = createRetentionStore(pool);
  const standing: string[] = [];
  const able = keys !== null && keys.signers.length > 0 && auditAnchorFile !== undefined;
  if (months !== undefined && !able) {
    standing.push('AUDIT_RETENTION_MONTHS without AUDIT_SIGNING_KEYS and AUDIT_ANCHOR_FILE: nothing is dropped');
    for (const warning of standing) log.warn({ event: 'audit_log.retention' }, warning);
  }
  const retain =
    months === undefined || !able
      ? null
      : retainRecords({
          store,
          verify: createVerifyStore(pool),
          keys,
          anchor: createFileAnchor(auditAnchorFile),
          now: () => new Date(),
        });
  let trouble: string[] = [];

  /** A turn that fails is in the log as `duty.failed`; whoever asks only whether all is well hears of it here. */
  async function turn(signal: AbortSignal): Promise<void> {
    try {
      await sessions.ask();
      trouble = await look(signal);
    } catch (error) {
      if (!signal.aborted) trouble = ['retention could not be done: see duty.failed in the log'];
      throw error;
    }
  }

  async function look(signal: AbortSignal): Promise<string[]> {
    const found: string[] = [];
    const ahead = monthsAhead(await store.listPartitions(), new Date());
    if (ahead < FEWEST_AHEAD) {
      const message = `partitions of the audit log reach ${ahead} months ahead: records of a month without one are refused; start an api, or SELECT audit.ensure_partitions()`;
      log.error({ event: 'audit_log.partitions', ahead }, message);
      found.push(message);
    }
    const outcomes = retain === null || months === undefined ? [] : await retain({ months, dryRun: false }, signal);
    for (const outcome of outcomes) {
      tell(outcome);
      if (outcome.kind !== 'dropped')
        found.push(`retention of ${outcome.partition}: ${outcome.kind}, ${outcome.what ?? 'again within the hour'}`);
    }
    return found;
  }

  function tell({ partition, kind, rows, what }: PartitionOutcome): void {
    const fields = { event: 'audit_log.retention', partition, outcome: kind, rows };
    if (kind === 'dropped') log.info(fields, 'a month of records was dropped');
    else if (kind === 'busy')
      log.warn(fields, 'a month of records is due, and its table is in use; again within the hour');
    else log.error({ ...fields, what }, 'a month of records is due, and may not be dropped');
  }

  const duty = runUnderLease(
    { leases: createLeaseStore(pool, 'audit'), time: systemTime, log },
    { name: 'retention', leaseMs: dutyLeaseMs(settings), everyMs: EVERY_MS, turn: (_hold, signal) => turn(signal) },
  );
  return {
    warnings: () => [...standing, ...trouble],
    async stop() {
      await duty.stop();
      await pool.end();
    },
  };
}
