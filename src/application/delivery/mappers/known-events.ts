import type { AuditMapper } from './to-audit-event.js';

/**
 * What the default mapping would not get right for events that are common enough to know, by name without version. A new
 * kind of event needs an entry at most, and mostly none.
 */
export const KNOWN_EVENTS: Readonly<Record<string, AuditMapper>> = {
  // What a person did with a destination.
  'outbox.destination.paused': ({ payload }) => ({
    operation: 'update',
    severity: 'medium',
    ...reason(payload.reason),
  }),
  'outbox.destination.resumed': ({ payload }) => ({ operation: 'update', severity: 'low', ...reason(payload.reason) }),
  'auth.user.signed_in': () => ({ category: 'authentication', operation: 'login' }),
  'auth.user.signed_out': () => ({ category: 'authentication', operation: 'logout' }),
  'auth.user.sign_in_failed': ({ payload }) => ({
    category: 'authentication',
    operation: 'login',
    outcome: 'failure',
    severity: 'medium',
    ...reason(payload.reason),
  }),
  'auth.user.password_changed': () => ({ category: 'iam', operation: 'update', severity: 'low' }),
  'order.order.placed': () => ({ category: 'data', operation: 'create' }),
  'order.order.cancelled': ({ payload }) => ({ category: 'data', operation: 'update', ...reason(payload.reason) }),
  'order.order.shipped': () => ({ category: 'data', operation: 'update' }),
  'billing.invoice.issued': () => ({ category: 'billing', operation: 'create' }),
  'billing.payment.captured': () => ({ category: 'billing', operation: 'execute' }),
  'billing.payment.failed': ({ payload }) => ({
    category: 'billing',
    operation: 'execute',
    outcome: 'failure',
    severity: 'low',
    ...reason(payload.reason),
  }),
  // What a person did with dead letters.
  'outbox.dead_letter.redriven': ({ payload }) => ({
    operation: 'execute',
    severity: 'low',
    ...reason(payload.reason),
  }),
  'outbox.dead_letter.edited': ({ payload }) => ({
    operation: 'update',
    severity: 'medium',
    ...reason(payload.reason),
  }),
  'outbox.dead_letter.discarded': ({ payload }) => ({
    operation: 'update',
    severity: 'medium',
    ...reason(payload.reason),
  }),
};

function reason(value: unknown): { outcomeReason?: string } {
  return typeof value === 'string' && value !== '' ? { outcomeReason: value } : {};
}
