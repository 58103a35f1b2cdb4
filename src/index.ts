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
export type { EventRedaction, PayloadRule } from './application/delivery/mappers/redact-payload.js';
export type { AuditMapper, AuditStatement } from './application/delivery/mappers/to-audit-event.js';
export type { NewOutboxEvent } from './application/delivery/new-outbox-event.js';
export { defineNotifier } from './application/delivery/notify/define-notifier.js';
export { describeNotice, type NoticeText } from './application/delivery/notify/describe-notice.js';
export { isNotifyError, NotifyError, type NotifyErrorOptions } from './application/delivery/notify/notify-error.js';
export type {
  AlertNotice,
  DeadLettersNotice,
  Notice,
  NoticeKind,
  Notifier,
  NotifierProblem,
  NotifyContext,
} from './application/delivery/notify/ports.js';
export type { NoticeRoutes } from './application/delivery/notify/route-notice.js';
export type { Handler, HandlerContext, HttpRequest, HttpResponse, Logger } from './application/delivery/ports.js';
export type { IngestConfig, IngestRedaction, RedactionNames } from './contract/ingest-config.js';
export type { DeadLetterGroup, DeadLetterSample } from './domain/delivery/dead-letter-group.js';
export { ERROR_CATALOG, ERROR_CODES, type ErrorCode } from './domain/delivery/error-catalog.js';
export {
  IntegrationError,
  type IntegrationErrorOptions,
  isIntegrationError,
} from './domain/delivery/integration-error.js';
export type { IntegrationEvent } from './domain/delivery/integration-event.js';
export type { JsonObject, JsonValue } from './domain/delivery/json.js';
export type { Receipt } from './domain/delivery/receipt.js';
export type { RedactionRules } from './domain/redaction/redactor.js';
export { logNotifier } from './infrastructure/notifiers/log-notifier.js';
export { type SentryNotifierOptions, sentryNotifier } from './infrastructure/notifiers/sentry-notifier.js';
export { type SlackNotifierOptions, slackNotifier } from './infrastructure/notifiers/slack-notifier.js';
export { type WebhookNotifierOptions, webhookNotifier } from './infrastructure/notifiers/webhook-notifier.js';
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
