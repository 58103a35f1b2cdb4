import { type Finding, ok, warning } from './findings.js';

export interface EventRetentionFacts {
  /** OUTBOX_RETENTION_DAYS of whoever asks; 0: nothing leaves. */
  readonly days: number;
  /** For how long the oldest settled event that may leave has been allowed to. */
  readonly lagSeconds: number;
}

/** A relay that does it comes every ten minutes; after a long rest, or a smaller number of days, it has much to do. */
const LATE_SECONDS = 6 * 3_600;

export function judgeEventRetention({ days, lagSeconds }: EventRetentionFacts): readonly Finding[] {
  const id = 'retention';
  if (days === 0) return [ok(id, 'settled events are kept for ever (OUTBOX_RETENTION_DAYS=0)')];
  if (lagSeconds < LATE_SECONDS) return [ok(id, `settled events leave after ${days} days`)];
  return [
    warning(
      id,
      `settled events should leave after ${days} days, and the oldest has been allowed to for ${Math.floor(lagSeconds / 3_600)} h`,
      'start a relay with the same OUTBOX_RETENTION_DAYS, or look at the log of the relays (`duty.failed`, retention): one that may not remove needs `outbox grants --apply` again',
    ),
  ];
}
