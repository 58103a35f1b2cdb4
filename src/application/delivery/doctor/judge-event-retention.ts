import { type Finding, ok, warning } from './findings.js';

export interface EventRetentionFacts {
  /** OUTBOX_RETENTION_DAYS of whoever asks; 0: nothing leaves. */
  readonly days: number;
  /** For how long the oldest settled event that may leave has been allowed to. */
  readonly lagSeconds: number;
  /** Old enough, and kept only because the audit log was not asked about them; of the oldest 2,000. */
  readonly unproven: number;
}

/** A relay that does it comes every ten minutes; after a long rest, or a smaller number of days, it has much to do. */
const LATE_SECONDS = 6 * 3_600;

const id = 'retention';

export function judgeEventRetention({ days, lagSeconds, unproven }: EventRetentionFacts): readonly Finding[] {
  if (days === 0) return [ok(id, 'settled events are kept for ever (OUTBOX_RETENTION_DAYS=0)')];
  const found = [
    ...(unproven > 0 ? [notAsked(unproven)] : []),
    ...(lagSeconds < LATE_SECONDS ? [] : [late(days, lagSeconds)]),
  ];
  return found.length > 0 ? found : [ok(id, `settled events leave after ${days} days`)];
}

function notAsked(unproven: number): Finding {
  return warning(
    id,
    `${unproven} of the oldest settled events stay: nobody has asked the audit log whether it has what their hours delivered to it`,
    'give every relay OUTBOX_AUDIT_API_KEY; what was not asked is asked then by itself, within a day, or now by `outbox books --again --since HOUR --until HOUR`',
  );
}

function late(days: number, lagSeconds: number): Finding {
  return warning(
    id,
    `settled events should leave after ${days} days, and the oldest is too old for ${Math.floor(lagSeconds / 3_600)} h`,
    'start a relay with the same OUTBOX_RETENTION_DAYS, or look at the log of the relays (`duty.failed`, retention): one that may not remove needs `outbox grants --apply` again. `outbox books --gaps`: what belongs to an hour that does not balance stays',
  );
}
