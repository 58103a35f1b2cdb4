import { readLogStatus } from '../application/audit/log/read-log-status.js';
import { type AuditOverview, readAuditOverview } from '../application/audit/monitor/read-audit-overview.js';
import { readProofStates } from '../application/audit/monitor/read-proof-states.js';
import type { LogMonitor } from '../http/verification-routes.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createAuditStore } from '../infrastructure/prisma/audit-store.js';
import { createCheckpointStore } from '../infrastructure/prisma/checkpoint-store.js';
import { createLagStore } from '../infrastructure/prisma/lag-store.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createProofStateStore } from '../infrastructure/prisma/proof-state-store.js';
import { createVerificationBook } from '../infrastructure/prisma/verification-store.js';
import { explainPart } from './explain-part.js';

/** What its workers do how often, as far as the settings here say the same as theirs. */
export type LogSettings = Pick<Settings, 'auditCheckpointMs' | 'auditVerifyHours'>;

/** How the log in an audit database stands, and its verifications. Needs no keys: those are the worker's. */
export function openLogMonitor(pool: PgPool, settings: LogSettings): LogMonitor {
  return {
    status: statusOf(pool, settings),
    proofStates: readProofStates(createProofStateStore(pool)),
    verifications: createVerificationBook(pool),
  };
}

/** The overview's parts of an audit database. Whoever reads all three at once needs a pool of three connections. */
export function openAuditOverview(pool: PgPool, settings: LogSettings): AuditOverview {
  return readAuditOverview(
    {
      ping: () => createAuditStore(pool).ping(),
      status: statusOf(pool, settings),
      verifications: createVerificationBook(pool),
      clock: () => performance.now(),
      part: { explain: (error) => explainPart(error, 'audit'), now: () => new Date() },
    },
    { verifyHours: settings.auditVerifyHours },
  );
}

function statusOf(pool: PgPool, { auditCheckpointMs: checkpointMs }: LogSettings) {
  return readLogStatus({
    lag: createLagStore(pool),
    checkpoints: createCheckpointStore(pool),
    keys: null,
    checkpointMs,
  });
}
