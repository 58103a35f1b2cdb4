import { NOTE_TOOLS } from '../application/audit/log/note-tools.js';
import { describeBroken } from '../application/audit/monitor/read-audit-overview.js';
import {
  type EndedVerification,
  type OpenedLog,
  runVerifications,
} from '../application/audit/monitor/run-verifications.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { runUnderLease } from '../application/delivery/run-under-lease.js';
import { createFileAnchor } from '../infrastructure/anchor/file-anchor.js';
import { createLeafStore } from '../infrastructure/prisma/leaf-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { createPool } from '../infrastructure/prisma/pg-pool.js';
import { createVerificationQueue } from '../infrastructure/prisma/verification-store.js';
import { createVerifyStore, WHOLE_TABLE_TIMEOUT_MS } from '../infrastructure/prisma/verify-store.js';
import { dutyLeaseMs } from './duty-lease.js';
import { explainPart } from './explain-part.js';
import { openLogKeys } from './open-log-keys.js';
import type { RoleContext } from './role.js';
import type { SessionCheck } from './session-check.js';

/** Somebody may be waiting at a page. */
const EVERY_MS = 2_000;
/** A statement that was given up in a stop, or by whoever lost the duty, is cut off and not waited for. */
const CLOSE_WITHIN_MS = 1_000;

export interface RunningVerifications {
  /** That the log was found broken by this worker, and not found whole since; for /ready. */
  warnings(): readonly string[];
  stop(): Promise<void>;
}

/**
 * Does the verifications that are asked for, and asks for the whole log by itself every AUDIT_VERIFY_HOURS, in one worker at
 * a time; null where this one has no audit database or none of the log's keys: what is asked for waits for one that has.
 */
export function startVerifications(
  { settings, log }: Pick<RoleContext, 'settings' | 'log'>,
  sessions: SessionCheck,
): RunningVerifications | null {
  const { auditDatabaseUrl: url, auditAnchorFile, auditVerifyHours } = settings;
  const keys = openLogKeys(settings);
  if (url === undefined) return null;
  if (keys === null) {
    const event = 'audit_log.unverified';
    log.warn({ event }, 'neither AUDIT_SIGNING_KEYS nor AUDIT_VERIFIER_KEYS: this worker verifies nothing');
    return null;
  }
  // For the duty and its rows alone: what verifies has another one, which may be busy for an hour.
  const pool = createPool(url, {
    max: 1,
    applicationName: 'temporal-outbox verifications',
    onConnectionLost: (error) => log.warn({ err: error }, 'database.connection_lost'),
  });
  const anchor = auditAnchorFile === undefined ? null : createFileAnchor(auditAnchorFile);
  const open = (): OpenedLog => {
    const reading = createPool(url, {
      max: 1,
      applicationName: 'temporal-outbox verification',
      statementTimeoutMs: WHOLE_TABLE_TIMEOUT_MS,
      endTimeoutMs: CLOSE_WITHIN_MS,
    });
    const store = createVerifyStore(reading);
    return { store, leaves: createLeafStore(reading), tools: NOTE_TOOLS, keys, anchor, close: () => reading.end() };
  };
  let broken: string | null = null;

  function onEnded(ended: EndedVerification): void {
    const { id, recordId, askedBy } = ended;
    const fields = { event: 'audit_log.verification', id, recordId, askedBy, outcome: ended.kind };
    switch (ended.kind) {
      case 'done': {
        const { outcome, report } = ended;
        const found = { ...fields, outcome, records: report.records, counts: report.counts };
        if (outcome === 'broken') log.error({ ...found, first: report.breaks[0] }, 'the audit log is broken');
        else log.info(found, 'the audit log was verified');
        // A part that is whole says nothing of the others.
        if (outcome === 'broken') broken = `${describeBroken(ended)} (verification ${id})`;
        else if (recordId === null) broken = null;
        return;
      }
      case 'failed': {
        // Without a cause it was asked of a record that there is nothing to compare with.
        const level = ended.cause === null ? 'warn' : 'error';
        log[level]({ ...fields, why: ended.why, err: ended.cause }, 'the audit log could not be verified');
        return;
      }
      case 'given up':
        log.warn({ ...fields, err: ended.cause }, 'a verification of the audit log was given back');
        return;
      case 'taken over':
        log.warn(fields, 'a verification of the audit log is no longer ours');
        return;
    }
  }

  const turn = runVerifications(
    {
      queue: createVerificationQueue(pool),
      open,
      sleep: systemTime.sleep,
      explain: (error) => explainPart(error, 'audit'),
      onEnded,
    },
    auditVerifyHours,
  );
  const duty = runUnderLease(
    { leases: createLeaseStore(pool, 'audit'), time: systemTime, log },
    {
      name: 'verify',
      leaseMs: dutyLeaseMs(settings),
      everyMs: EVERY_MS,
      turn: async (hold, signal) => {
        await sessions.ask();
        await turn(hold, signal);
      },
    },
  );
  return {
    warnings: () => (broken === null ? [] : [broken]),
    async stop() {
      await duty.stop();
      await pool.end();
    },
  };
}
