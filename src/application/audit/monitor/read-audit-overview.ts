import type { Verification } from '../../../contract/verifications-api.js';
import { type PartDeps, type PartReader, partReader, type SeenPart } from '../../overview-part.js';
import { findLogNotes, findLogTrouble, type ReadLogStatus } from '../log/read-log-status.js';
import type { LatestVerification, VerificationBook } from './ports-verification.js';

export interface ReadAuditOverviewDeps {
  /** Resolves when the database answers. */
  readonly ping: () => Promise<void>;
  readonly status: ReadLogStatus;
  readonly verifications: Pick<VerificationBook, 'readLatest'>;
  /** Milliseconds, never going back. */
  readonly clock: () => number;
  readonly part: PartDeps;
}

export interface AuditOverviewOptions {
  /** How often a worker should verify the whole log; 0: only when somebody asks. */
  readonly verifyHours: number;
}

/** The parts of the overview that the audit log's database tells of, each to be read at a pace of its own. */
export interface AuditOverview {
  readonly auditDatabase: PartReader<'auditDatabase'>;
  readonly seal: PartReader<'seal'>;
  readonly verification: PartReader<'verification'>;
}

/** A worker that has the keys takes what is asked for within seconds. */
const UNTAKEN_AFTER_SECONDS = 60;
const VERIFIER = 'a worker with AUDIT_DATABASE_URL and the keys of the log (AUDIT_SIGNING_KEYS or AUDIT_VERIFIER_KEYS)';

/** Reads nothing before it is asked, and never rejects. */
export function readAuditOverview(
  { ping, status, verifications, clock, part }: ReadAuditOverviewDeps,
  { verifyHours }: AuditOverviewOptions,
): AuditOverview {
  return {
    auditDatabase: partReader(
      'auditDatabase',
      async () => {
        const startedAt = clock();
        await ping();
        return { value: { tookMs: Math.round((clock() - startedAt) * 10) / 10 }, trouble: null };
      },
      part,
    ),
    seal: partReader(
      'seal',
      async () => {
        const read = await status();
        const { size, unsealed, checkpoint } = read;
        const trouble = findLogTrouble(read);
        return {
          value: {
            size,
            unsealed: unsealed.count,
            countedUpTo: unsealed.countedUpTo,
            oldestSeconds: unsealed.oldestSeconds,
            checkpoint: checkpoint === null ? null : { size: checkpoint.size, ageSeconds: checkpoint.ageSeconds },
            trouble,
            notes: findLogNotes(read),
          },
          trouble: trouble.length === 0 ? null : trouble.join('; '),
        };
      },
      part,
    ),
    verification: partReader(
      'verification',
      async () => judgeVerification(await verifications.readLatest(), verifyHours),
      part,
    ),
  };
}

/**
 * What one has found stands until another one of the whole log has ended: that it is looked at again does not make a broken
 * log whole. Nor does one that could not be done, or one of another part. What is broken is shown above all else.
 */
function judgeVerification(read: LatestVerification, everyHours: number): SeenPart<'verification'> {
  const { latest, done, brokenPart, waitingSeconds, unverifiedSeconds } = read;
  const broken = done?.outcome === 'broken' ? done : brokenPart;
  const shown = broken ?? (latest === null || latest.endedAt !== null ? latest : (done ?? latest));
  const late = unverifiedSeconds !== null && everyHours > 0 && unverifiedSeconds > 2 * everyHours * 3_600;
  const sentences = [
    ...(broken === null ? [] : [describeBroken(broken)]),
    ...(latest?.state === 'failed' ? [`the latest verification could not be done: ${latest.error}`] : []),
    ...(waitingSeconds !== null && waitingSeconds >= UNTAKEN_AFTER_SECONDS
      ? [`a verification was asked for ${waitingSeconds} s ago, and nobody takes it: that does ${VERIFIER}`]
      : []),
    ...(late
      ? [`${describeLate(done, Math.floor(unverifiedSeconds / 3_600), everyHours)}: that does ${VERIFIER}`]
      : []),
  ];
  return {
    value:
      shown === null
        ? null
        : {
            endedAt: shown.endedAt,
            state: shown.state,
            outcome: shown.outcome,
            records: shown.report?.records ?? null,
          },
    trouble: sentences.length === 0 ? null : sentences.join('; '),
  };
}

function describeLate(done: Verification | null, hours: number, everyHours: number): string {
  const expected = `expected every ${everyHours} h (AUDIT_VERIFY_HOURS)`;
  return done === null
    ? `the whole log was never verified, in ${hours} h since its first record was sealed, ${expected}`
    : `the whole log was verified last ${hours} h ago, ${expected}`;
}

/** Which kinds, and how many; what they are says docs/audit-log.md, and which ones the verification itself. */
export function describeBroken({ report, recordId }: Pick<Verification, 'report' | 'recordId'>): string {
  const counts = Object.entries(report?.counts ?? {}).sort(([, one], [, other]) => other - one);
  const kinds = counts.map(([kind, count]) => `${count} ${kind}`);
  const what = recordId === null ? 'the log is broken' : `a part of the log is broken, that of record ${recordId}`;
  return `${what}: ${kinds.join(', ')}; see what its verification names, and \`outbox audit verify\``;
}
