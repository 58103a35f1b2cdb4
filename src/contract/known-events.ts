import type { AuditCategory, AuditOperation, AuditOutcome, SEVERITIES } from './audit-dto.js';

/** What is known of an action beforehand, whoever sends it: our outbox and CloudEvents are mapped by the same table. */
export interface KnownEvent {
  readonly category: AuditCategory;
  readonly operation: AuditOperation;
  /** Default: `success`. */
  readonly outcome?: AuditOutcome;
  /** Default: `info`. */
  readonly severity?: (typeof SEVERITIES)[number];
  /** The payload's `reason` is why. */
  readonly reason?: true;
}

/**
 * By action, its first word once (`order.order.placed` is looked up as `order.placed`). A new kind of event needs an entry
 * at most, and mostly none: what is not here is mapped by its words. docs/mapping.md has the same table; a test holds both
 * together.
 */
export const KNOWN_EVENTS = {
  'auth.user.signed_in': { category: 'authentication', operation: 'login' },
  'auth.user.signed_out': { category: 'authentication', operation: 'logout' },
  'auth.user.sign_in_failed': {
    category: 'authentication',
    operation: 'login',
    outcome: 'failure',
    severity: 'medium',
    reason: true,
  },
  'auth.user.locked': { category: 'iam', operation: 'update', severity: 'medium', reason: true },
  'auth.user.unlocked': { category: 'iam', operation: 'update', severity: 'low' },
  'auth.user.password_changed': { category: 'iam', operation: 'update', severity: 'low' },
  'auth.user.password_reset': { category: 'iam', operation: 'update', severity: 'medium' },
  'auth.user.password_reset_requested': { category: 'authentication', operation: 'other', severity: 'low' },
  'auth.user.mfa_enabled': { category: 'iam', operation: 'update', severity: 'low' },
  'auth.user.mfa_disabled': { category: 'iam', operation: 'update', severity: 'high' },
  'auth.session.revoked': { category: 'authentication', operation: 'logout', severity: 'low' },
  'auth.token.issued': { category: 'authentication', operation: 'create', severity: 'low' },
  'auth.token.revoked': { category: 'authentication', operation: 'delete', severity: 'low' },
  'auth.access.denied': {
    category: 'authorization',
    operation: 'execute',
    outcome: 'denied',
    severity: 'medium',
    reason: true,
  },
  'user.invited': { category: 'iam', operation: 'create' },
  'user.created': { category: 'iam', operation: 'create', severity: 'low' },
  'user.updated': { category: 'iam', operation: 'update' },
  'user.email_changed': { category: 'iam', operation: 'update', severity: 'low' },
  'user.disabled': { category: 'iam', operation: 'update', severity: 'medium', reason: true },
  'user.enabled': { category: 'iam', operation: 'update', severity: 'low' },
  'user.deleted': { category: 'iam', operation: 'delete', severity: 'medium' },
  'user.impersonated': { category: 'authentication', operation: 'login', severity: 'high', reason: true },
  'role.created': { category: 'iam', operation: 'create', severity: 'medium' },
  'role.updated': { category: 'iam', operation: 'update', severity: 'medium' },
  'role.deleted': { category: 'iam', operation: 'delete', severity: 'medium' },
  'role.granted': { category: 'authorization', operation: 'update', severity: 'medium' },
  'role.revoked': { category: 'authorization', operation: 'update', severity: 'medium' },
  'order.placed': { category: 'data', operation: 'create' },
  'order.updated': { category: 'data', operation: 'update' },
  'order.cancelled': { category: 'data', operation: 'update', reason: true },
  'order.shipped': { category: 'data', operation: 'update' },
  'order.delivered': { category: 'data', operation: 'update' },
  'order.returned': { category: 'data', operation: 'update', reason: true },
  'order.refunded': { category: 'billing', operation: 'execute', severity: 'low', reason: true },
  'billing.invoice.issued': { category: 'billing', operation: 'create' },
  'billing.invoice.paid': { category: 'billing', operation: 'update' },
  'billing.invoice.voided': { category: 'billing', operation: 'update', severity: 'low', reason: true },
  'billing.payment.captured': { category: 'billing', operation: 'execute' },
  'billing.payment.failed': {
    category: 'billing',
    operation: 'execute',
    outcome: 'failure',
    severity: 'low',
    reason: true,
  },
  'billing.payment.refunded': { category: 'billing', operation: 'execute', severity: 'low', reason: true },
  'billing.subscription.started': { category: 'billing', operation: 'create' },
  'billing.subscription.changed': { category: 'billing', operation: 'update' },
  'billing.subscription.cancelled': { category: 'billing', operation: 'update', reason: true },
  'configuration.setting.changed': { category: 'configuration', operation: 'update', severity: 'medium' },
  'configuration.feature_flag.changed': { category: 'configuration', operation: 'update', severity: 'low' },
  'configuration.policy.changed': { category: 'configuration', operation: 'update', severity: 'high' },
  'configuration.api_key.created': { category: 'configuration', operation: 'create', severity: 'high' },
  'configuration.api_key.revoked': { category: 'configuration', operation: 'delete', severity: 'medium' },
  'configuration.webhook.created': { category: 'configuration', operation: 'create', severity: 'medium' },
  'configuration.webhook.deleted': { category: 'configuration', operation: 'delete', severity: 'low' },
  'file.uploaded': { category: 'data', operation: 'create' },
  'file.viewed': { category: 'data', operation: 'read' },
  'file.downloaded': { category: 'data', operation: 'read' },
  'file.updated': { category: 'data', operation: 'update' },
  'file.moved': { category: 'data', operation: 'update' },
  'file.deleted': { category: 'data', operation: 'delete', severity: 'low' },
  'file.shared': { category: 'authorization', operation: 'update', severity: 'medium' },
  'file.unshared': { category: 'authorization', operation: 'update', severity: 'low' },
  'outbox.destination.paused': { category: 'system', operation: 'update', severity: 'medium', reason: true },
  'outbox.destination.resumed': { category: 'system', operation: 'update', severity: 'low', reason: true },
  'outbox.dead_letter.redriven': { category: 'system', operation: 'execute', severity: 'low', reason: true },
  'outbox.dead_letter.edited': { category: 'system', operation: 'update', severity: 'medium', reason: true },
  'outbox.dead_letter.discarded': { category: 'system', operation: 'update', severity: 'medium', reason: true },
  'outbox.redrive_job.created': { category: 'system', operation: 'execute', severity: 'low', reason: true },
  'outbox.redrive_job.cancelled': { category: 'system', operation: 'update', severity: 'low' },
  'outbox.books.repaired': { category: 'system', operation: 'execute', severity: 'medium', reason: true },
} as const satisfies Readonly<Record<string, KnownEvent>>;

export function findKnownEvent(action: string): KnownEvent | undefined {
  const once = action.replace(/^([a-z0-9]+)\.\1\./, '$1.');
  return Object.hasOwn(KNOWN_EVENTS, once) ? KNOWN_EVENTS[once as keyof typeof KNOWN_EVENTS] : undefined;
}
