/**
 * temporal-outbox, for the application beside it: append events, define handlers and mappers, run the roles.
 */

export { defineConfig, type OutboxConfig } from './application/delivery/define-config.js';
export {
  defineHandler,
  type EventWith,
  type HandlerDefinition,
  type HandlerReceipt,
  type PayloadSchema,
} from './application/delivery/define-handler.js';
export { type AuditHandlerOptions, auditHandler } from './application/delivery/handlers/audit-handler.js';
export { type HttpHandlerOptions, httpHandler } from './application/delivery/handlers/http-handler.js';
export { toHttpError } from './application/delivery/handlers/to-http-error.js';
export type { AuditMapper, AuditStatement } from './application/delivery/mappers/to-audit-event.js';
export type { NewOutboxEvent } from './application/delivery/new-outbox-event.js';
export type { Handler, HandlerContext, HttpRequest, HttpResponse, Logger } from './application/delivery/ports.js';
export { ERROR_CATALOG, ERROR_CODES, type ErrorCode } from './domain/delivery/error-catalog.js';
export {
  IntegrationError,
  type IntegrationErrorOptions,
  isIntegrationError,
} from './domain/delivery/integration-error.js';
export type { IntegrationEvent } from './domain/delivery/integration-event.js';
export type { JsonObject, JsonValue } from './domain/delivery/json.js';
export type { Receipt } from './domain/delivery/receipt.js';
export type { RedactionRules } from './domain/delivery/redaction/redactor.js';
export {
  NotInTransactionError,
  type OutboxTransaction,
  type QueryTransaction,
  recordEvent,
  recordEvents,
  type TagTransaction,
} from './infrastructure/prisma/record-event.js';
export {
  type CreateRolesOptions,
  createApi,
  createRelay,
  createRoles,
  createWorker,
  type RunningRoles,
} from './main/create-role.js';
