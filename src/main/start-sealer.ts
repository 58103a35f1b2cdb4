import { keepLog } from '../application/audit/log/keep-log.js';
import type { Anchor, CheckpointStore } from '../application/audit/log/ports.js';
import { findLogTrouble, readLogStatus } from '../application/audit/log/read-log-status.js';
import { sealRecords } from '../application/audit/log/seal-records.js';
import { type WriteCheckpoint, writeCheckpoint } from '../application/audit/log/write-checkpoint.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { runUnderLease } from '../application/delivery/run-under-lease.js';
import { createFileAnchor } from '../infrastructure/anchor/file-anchor.js';
import { createCheckpointStore } from '../infrastructure/prisma/checkpoint-store.js';
import { createLagStore } from '../infrastructure/prisma/lag-store.js';
import { createLeafStore } from '../infrastructure/prisma/leaf-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { createPool, type PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createSealStore } from '../infrastructure/prisma/seal-store.js';
import { dutyLeaseMs } from './duty-lease.js';
import { failAt } from './fail-at.js';
import { openLogKeys } from './open-log-keys.js';
import type { RoleContext } from './role.js';
import type { SessionCheck } from './session-check.js';

const EVERY_MS = 250;
const STATUS_WITHIN_MS = 1_000;

export interface RunningSealer {
  /** What is not as it should be with the log, for /ready; within a second, never an error. */
  warnings(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/**
 * Seals and signs the audit log, in one worker at a time; null where this one has no audit database. Waits for nothing: an
 * audit database that is away keeps no event from being delivered elsewhere. Throws ConfigurationError for wrong keys.
 */
export function startSealer(
  { settings, log }: Pick<RoleContext, 'settings' | 'log'>,
  sessions: SessionCheck,
): RunningSealer | null {
  const keys = openLogKeys(settings);
  if (settings.auditDatabaseUrl === undefined) return null;
  const pool = createPool(settings.auditDatabaseUrl, {
    max: 2,
    applicationName: 'temporal-outbox sealer',
    onConnectionLost: (error) => log.warn({ err: error }, 'database.connection_lost'),
  });
  const anchor = settings.auditAnchorFile === undefined ? null : createFileAnchor(settings.auditAnchorFile);
  const signing = keys !== null && keys.signers.length > 0;
  const checkpoint = signing
    ? openCheckpoints(pool, { anchor, keys, failpoint: failAt(settings.testFailpoint) })
    : null;
  const standing = [
    ...(signing ? [] : ['no AUDIT_SIGNING_KEYS: records are sealed, and nothing is signed']),
    ...(anchor !== null ? [] : ['no AUDIT_ANCHOR_FILE: who owns the database can rewrite the log unseen']),
  ];
  for (const warning of standing) log.warn({ event: 'audit_log.unprotected' }, warning);

  const seal = sealRecords({ store: createSealStore(pool), log });
  const keeper = keepLog({
    seal,
    checkpoint,
    checkpointMs: settings.auditCheckpointMs,
    now: () => performance.now(),
    log,
  });
  const duty = runUnderLease(
    { leases: createLeaseStore(pool, 'audit'), time: systemTime, log },
    {
      name: 'sealer',
      leaseMs: dutyLeaseMs(settings),
      everyMs: EVERY_MS,
      turn: async (_hold, signal) => {
        await sessions.ask();
        await keeper.turn(signal);
      },
    },
  );
  const status = readLogStatus({
    lag: createLagStore(pool),
    checkpoints: createCheckpointStore(pool),
    keys,
    checkpointMs: settings.auditCheckpointMs,
  });
  return {
    async warnings() {
      const late = AbortSignal.timeout(STATUS_WITHIN_MS);
      const passed = new Promise<string[]>((resolve) => {
        late.onabort = () => resolve(['how far the audit log is sealed is not known: its database did not answer']);
      });
      const found = status().then(
        (read) => findLogTrouble(read),
        () => ['how far the audit log is sealed is not known: its database does not answer'],
      );
      const alert = keeper.alert();
      const trouble = [
        ...(await Promise.race([found, passed])),
        ...(alert === null ? [] : [`${alert.code}: ${alert.message}`]),
      ];
      // Why it is not anchored is said already.
      return [...standing, ...trouble.filter((line) => anchor !== null || !line.includes('not anchored'))];
    },
    async stop() {
      await duty.stop();
      await pool.end();
    },
  };
}

function openCheckpoints(
  pool: PgPool,
  given: {
    anchor: Anchor | null;
    keys: NonNullable<ReturnType<typeof openLogKeys>>;
    failpoint: (point: string) => void;
  },
): WriteCheckpoint {
  const { anchor, keys, failpoint } = given;
  const leaves = createLeafStore(pool);
  const store = createCheckpointStore(pool);
  // For the test of a crash between the anchor and the database.
  const insert: CheckpointStore['insert'] = async (checkpoint) => {
    failpoint('after-anchor-before-checkpoint');
    return store.insert(checkpoint);
  };
  const checkpoints = { ...store, insert };
  return writeCheckpoint({ leaves, checkpoints, anchor, keys });
}
