import type {
  AuditActorType,
  AuditCategory,
  AuditEvent,
  AuditOperation,
  AuditOutcome,
} from '../../contract/audit-dto.js';

/** What records are filtered by, as the view's address and the api name it. */
export const RECORD_FILTER = [
  'text',
  'action',
  'outcome',
  'severity',
  'category',
  'operation',
  'actorType',
  'actorId',
  'targetType',
  'targetId',
  'tenantId',
  'source',
  'recordedFrom',
  'recordedTo',
  'occurredFrom',
  'occurredTo',
] as const;
export type RecordFilterName = (typeof RECORD_FILTER)[number];

/** The contract's own lists stand beside its schemas: a test holds these to them. */
export const OUTCOMES: readonly AuditOutcome[] = ['success', 'failure', 'denied', 'unknown'];
export const SEVERITIES: readonly NonNullable<AuditEvent['severity']>[] = ['info', 'low', 'medium', 'high', 'critical'];
export const OPERATIONS: readonly AuditOperation[] = [
  'create',
  'read',
  'update',
  'delete',
  'execute',
  'login',
  'logout',
  'other',
];
export const ACTOR_TYPES: readonly AuditActorType[] = ['user', 'service', 'system', 'apiKey', 'anonymous'];
export const CATEGORIES: readonly AuditCategory[] = [
  'authentication',
  'authorization',
  'iam',
  'data',
  'configuration',
  'billing',
  'integration',
  'system',
  'other',
];
