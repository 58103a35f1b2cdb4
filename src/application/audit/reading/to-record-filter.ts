import type { RecordFilterQuery } from '../../../contract/audit-records-api.js';
import type { RecordFilter } from './ports.js';

/** What was asked for, within the tenant that may be read (null: all of them). */
export function toRecordFilter(query: RecordFilterQuery, tenantId: string | null): RecordFilter {
  return {
    tenantId,
    actorType: query.actorType ?? null,
    actorId: query.actorId ?? null,
    targetType: query.targetType ?? null,
    targetId: query.targetId ?? null,
    action: query.action ?? null,
    category: query.category ?? null,
    operation: query.operation ?? null,
    outcome: query.outcome ?? null,
    severity: query.severity ?? null,
    source: query.source ?? null,
    recordedFrom: query.recordedFrom ?? null,
    recordedTo: query.recordedTo ?? null,
    occurredFrom: query.occurredFrom ?? null,
    occurredTo: query.occurredTo ?? null,
    text: query.text ?? null,
  };
}
