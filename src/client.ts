/** A client of the audit log, for systems that write to it or ask it without an outbox. */

export { AuditRequestError, isAuditRequestError } from './audit-client/audit-request-error.js';
export {
  type AuditCallOptions,
  type AuditClient,
  type AuditClientOptions,
  createAuditClient,
} from './audit-client/create-audit-client.js';
export type { AuditBatchResult } from './audit-client/record-batch.js';
export type { AuditRetryOptions } from './audit-client/retry-turns.js';
export type { AuditIdentity, AuditLookupResponse, AuditReceipt, Problem, ProblemCode } from './contract/audit-api.js';
export type { AuditEvent } from './contract/audit-dto.js';
export type { RecordPage, RecordQuery, RecordView } from './contract/audit-records-api.js';
