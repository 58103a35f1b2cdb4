import { type AuditEvent, auditEventSchema, toFieldProblems } from '../../../contract/audit-dto.js';
import { findUnstorable } from '../../../contract/json-value.js';
import { IntegrationError } from '../../../domain/delivery/integration-error.js';

/**
 * The event, if it is one by the DTO: what a mapper of the user's got wrong must die by name here, not as a 422 that names
 * nobody.
 * @throws IntegrationError `DISPATCH.INVALID_EVENT` with the field
 */
export function checkAuditEvent(audit: AuditEvent): AuditEvent {
  const parsed = auditEventSchema.safeParse(audit);
  const [problem] = parsed.success ? findUnstorable(audit, 1) : toFieldProblems(parsed.error);
  if (problem === undefined) return audit;
  throw new IntegrationError('DISPATCH.INVALID_EVENT', {
    field: problem.pointer,
    message: `The audit event made by the mapper does not fit at ${problem.pointer}: ${problem.detail}`,
  });
}
