/** What `outbox doctor` looks at in the audit log's database. */
import { findLogNotes, findLogTrouble, readLogStatus } from '../application/audit/log/read-log-status.js';
import type { LatestVerification } from '../application/audit/monitor/ports-verification.js';
import { monthsAhead } from '../application/audit/retention/months.js';
import type { Check, Finding } from '../application/delivery/doctor/findings.js';
import {
  judgePartitions,
  judgeSeal,
  judgeVerification,
  type VerificationFacts,
} from '../application/delivery/doctor/judge-audit-log.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createCheckpointStore } from '../infrastructure/prisma/checkpoint-store.js';
import { createLagStore } from '../infrastructure/prisma/lag-store.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createRetentionStore } from '../infrastructure/prisma/retention-store.js';
import { createVerificationBook } from '../infrastructure/prisma/verification-store.js';
import { type DatabaseExam, examineDatabase, look } from './doctor-database.js';
import { openLogKeys } from './open-log-keys.js';

const OWN: readonly Check[] = ['seal', 'partitions', 'verification'];

/** Throws ConfigurationError for keys of the log that do not fit together. */
export function examineAudit(settings: Settings, url: string): Promise<DatabaseExam> {
  const keys = openLogKeys(settings);
  return examineDatabase('audit', url, OWN, async (pool) => {
    const checkpointMs = settings.auditCheckpointMs;
    const stores = { lag: createLagStore(pool), checkpoints: createCheckpointStore(pool) };
    const status = readLogStatus({ ...stores, keys, checkpointMs });
    const looks = [
      look(['seal'], 'audit', status, (read) => judgeSeal(read.size, [...findLogTrouble(read), ...findLogNotes(read)])),
      examinePartitions(pool),
      look(['verification'], 'audit', () => readVerifications(pool, settings), judgeVerification),
    ];
    return (await Promise.all(looks)).flat();
  });
}

function examinePartitions(pool: PgPool): Promise<readonly Finding[]> {
  return look(
    ['partitions'],
    'audit',
    () => createRetentionStore(pool).listPartitions(),
    (names) => judgePartitions(monthsAhead(names, new Date())),
  );
}

async function readVerifications(pool: PgPool, settings: Settings): Promise<VerificationFacts> {
  const read = await createVerificationBook(pool).readLatest();
  const { latest, done, brokenPart, waitingSeconds, unverifiedSeconds } = read;
  return {
    outcome: brokenPart === null ? (done?.outcome ?? null) : 'broken',
    unverifiedHours: unverifiedSeconds === null ? null : Math.floor(unverifiedSeconds / 3_600),
    // One that could not be done says nothing of the log, and is told beside what the last one that was done found.
    failed: latest?.state === 'failed' ? (latest.error ?? 'it does not say why') : null,
    endedHoursAgo: hoursSince(done),
    waitingMinutes: waitingSeconds === null ? null : Math.floor(waitingSeconds / 60),
    everyHours: settings.auditVerifyHours,
  };
}

function hoursSince(done: LatestVerification['done']): number | null {
  if (done === null || done.endedAt === null) return null;
  return Math.max(0, Math.floor((Date.now() - Date.parse(done.endedAt)) / 3_600_000));
}
