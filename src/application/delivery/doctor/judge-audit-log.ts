import { type Finding, ok, orOk, warning, wrong } from './findings.js';

/** `trouble`: what is not as it should be with sealing and signing, a sentence each, as the log's own side says it. */
export function judgeSeal(size: number, trouble: readonly string[]): readonly Finding[] {
  const todo =
    'a worker with AUDIT_DATABASE_URL seals; with AUDIT_SIGNING_KEYS it signs, with AUDIT_ANCHOR_FILE it anchors: docs/audit-log.md';
  return orOk(
    trouble.map((sentence) => warning('seal', sentence, todo)),
    'seal',
    `${size} records are sealed, and nothing waits for long`,
  );
}

/** With one left, nobody has made any for two months. */
const FEWEST_AHEAD = 2;

/** `monthsAhead`: months after this one that have their partition. */
export function judgePartitions(monthsAhead: number): readonly Finding[] {
  const id = 'partitions';
  const reach = `partitions of the records reach ${monthsAhead} months ahead`;
  const todo = 'start an api, which makes them every day, or SELECT audit.ensure_partitions()';
  if (monthsAhead >= FEWEST_AHEAD) return [ok(id, reach)];
  if (monthsAhead > 0) return [warning(id, reach, todo)];
  return [wrong(id, `${reach}: from the next month on every record will be refused`, todo)];
}

/** Verifications of the whole log. */
export interface VerificationFacts {
  /** What the last one that was done has found, or one of a part since; null: none was. */
  readonly outcome: 'whole' | 'broken' | null;
  readonly endedHoursAgo: number | null;
  /** Since the last one or, where there was none, since the first record was sealed; null: an empty log needs none. */
  readonly unverifiedHours: number | null;
  /** Why the latest one could not be done; null: it could, or is under way. */
  readonly failed: string | null;
  /** Since one was asked for that no worker has taken; null: none waits. */
  readonly waitingMinutes: number | null;
  /** How often a worker should do one by itself; 0: never. */
  readonly everyHours: number;
}

const WAITING_MINUTES = 5;

export function judgeVerification(facts: VerificationFacts): readonly Finding[] {
  const id = 'verification';
  const { outcome, endedHoursAgo, unverifiedHours, failed, waitingMinutes, everyHours } = facts;
  const todo = 'start a worker with AUDIT_DATABASE_URL and the keys of the log, or run `outbox audit verify`';
  const found: Finding[] = [];
  if (outcome === 'broken') {
    const detail = 'the audit log is broken, as a verification found';
    found.push(wrong(id, detail, '`outbox audit verify` says where; docs/audit-log.md says what to do'));
  }
  if (failed !== null) found.push(warning(id, `the latest verification could not be done: ${failed}`, todo));
  if (waitingMinutes !== null && waitingMinutes >= WAITING_MINUTES) {
    const detail = `a verification was asked for ${waitingMinutes} minutes ago, and no worker has taken it`;
    found.push(warning(id, detail, todo));
  }
  if (everyHours > 0 && unverifiedHours !== null && unverifiedHours > 2 * everyHours) {
    const expected = `expected every ${everyHours} (AUDIT_VERIFY_HOURS)`;
    const detail =
      endedHoursAgo === null
        ? `the audit log was never verified as a whole, in ${unverifiedHours} hours since its first record was sealed, ${expected}`
        : `the audit log was verified ${endedHoursAgo} hours ago, ${expected}`;
    found.push(warning(id, detail, todo));
  }
  const whole = endedHoursAgo === null ? 'no verification is due yet' : `it was found whole ${endedHoursAgo} hours ago`;
  return orOk(found, id, `the audit log: ${whole}`);
}
