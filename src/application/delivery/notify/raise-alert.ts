import type { Logger } from '../ports.js';
import type { Alert, AlertName, AlertStore } from './alert-ports.js';

export interface AlertDeps {
  readonly alerts: Pick<AlertStore, 'raise' | 'end'>;
  readonly log: Logger;
}

/**
 * Notes that something is wrong, from any role and as often as it is seen: people are told once, and once when it is over.
 * Never throws, since an alert that cannot be kept must not end what noticed it: it is logged, and the next look raises it.
 */
export async function raiseAlert({ alerts, log }: AlertDeps, alert: Alert): Promise<void> {
  const { kind, subject } = alert;
  await alerts.raise(alert).catch((error) => log.warn({ kind, subject, error }, 'alert.not_kept'));
}

/** Notes that it is over. Whoever raises an alert ends it, and says so at each look: it may have been raised before a restart. */
export async function endAlert({ alerts, log }: AlertDeps, { kind, subject }: AlertName): Promise<void> {
  await alerts.end({ kind, subject }).catch((error) => log.warn({ kind, subject, error }, 'alert.end_not_kept'));
}
