import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import helmet from 'helmet';
import { FingerprintKeyError } from '../application/audit/fingerprint.js';
import { StoreUnavailableError } from '../application/audit/ports.js';
import { SecretKeyError } from '../application/audit/secret-box.js';
import type { Tracing } from '../application/tracing.js';
import type { AnswerOf } from '../contract/answers.js';
import {
  AUDIT_LOGS_PATH,
  AUDIT_LOOKUP_PATH,
  LOG_CHECKPOINT_PATH,
  LOG_CONSISTENCY_PATH,
  PROBLEM_MEDIA_TYPE,
  PROBLEMS,
} from '../contract/audit-api.js';
import { AUDIT_EXPORT_PATH } from '../contract/audit-records-api.js';
import { BLOCKED_AGGREGATES_PATH } from '../contract/blocked-aggregates-api.js';
import { BOOKS_AGAIN_PATH, BOOKS_PATH } from '../contract/books-api.js';
import { DEAD_LETTERS_PATH, LETTER_KINDS_PATH, REDRIVE_JOBS_PATH } from '../contract/dead-letters-api.js';
import { DESTINATIONS_PATH } from '../contract/destinations-api.js';
import { EVENTS_PATH } from '../contract/events-api.js';
import { FAILED_INGEST_PATH } from '../contract/failed-ingest-api.js';
import { MONITOR_PATH, SESSION_PATH, STREAM_PATH } from '../contract/monitor-api.js';
import { FIGURES_PATH, OVERVIEW_PATH } from '../contract/overview-api.js';
import { POLICIES_PATH, POLICY_SIMULATION_PATH } from '../contract/policies-api.js';
import {
  LIVE_PATH,
  type liveSchema,
  type notReadySchema,
  READY_PATH,
  type readySchema,
} from '../contract/probes-api.js';
import { AUDIT_STATUS_PATH, PROOF_STATES_PATH, VERIFICATIONS_PATH } from '../contract/verifications-api.js';
import { isIntegrationError } from '../domain/delivery/integration-error.js';
import { type AuditRouteDeps, postAuditLogs, postAuditLookup } from './audit-routes.js';
import { type BlockedAggregateRouteDeps, listBlockedAggregates } from './blocked-aggregate-routes.js';
import { type BookRouteDeps, getBooks, postBooksAgain } from './book-routes.js';
import {
  type DeadLetterRouteDeps,
  getLetter,
  getLetterKinds,
  getPayload,
  listLetters,
  postDiscardLetter,
  postPayload,
  postRedrive,
  postSeveralDiscards,
  postSeveralRedrives,
} from './dead-letter-routes.js';
import { type DestinationRouteDeps, listDestinations, postPause, postResume } from './destination-routes.js';
import { type EventRouteDeps, getEvent, getEventPayload, listEvents } from './event-routes.js';
import { getAuditExport } from './export-route.js';
import {
  type FailedIngestRouteDeps,
  getFailedIngest,
  listFailedIngest,
  postDiscard,
  postMatching,
  postRetry,
} from './failed-ingest-routes.js';
import type { HttpLimits } from './http-limits.js';
import { getCheckpoint, getConsistency, getInclusion, type LogRouteDeps } from './log-routes.js';
import type { Logger } from './logger.js';
import { serveMonitorFiles } from './monitor-files.js';
import type { Monitor } from './open-monitor.js';
import { describeApi } from './openapi/operations.js';
import { DOCS_PATH, OPENAPI_PATH } from './openapi/reference.js';
import { getFigures, getOverview, type OverviewRouteDeps } from './overview-routes.js';
import { getPolicies, getPolicySimulation, type PolicyRouteDeps } from './policy-routes.js';
import { HttpProblem, idsOf, toProblem } from './problem.js';
import { getAuditLog, listAuditLogs, type RecordRouteDeps } from './record-routes.js';
import { getJob, listJobs, postCancel, postJob } from './redrive-job-routes.js';
import { serveReference } from './reference-routes.js';
import { deleteSession, getSession, postSession } from './session-routes.js';
import { traceRequest } from './trace-request.js';
import {
  getLogStatus,
  getVerification,
  listVerifications,
  postProofStates,
  postVerification,
  type VerificationRouteDeps,
} from './verification-routes.js';

type OpsRouteDeps = OverviewRouteDeps &
  EventRouteDeps &
  DestinationRouteDeps &
  DeadLetterRouteDeps &
  BookRouteDeps &
  BlockedAggregateRouteDeps &
  PolicyRouteDeps;

export interface AuditAppDeps {
  readonly routes: AuditRouteDeps & FailedIngestRouteDeps & RecordRouteDeps & LogRouteDeps & VerificationRouteDeps;
  /** The delivery's operations API; left out: it is not there. */
  readonly ops?: OpsRouteDeps;
  /** The monitor, whose sessions are the gate's, too; left out: it is not there. */
  readonly monitor?: Pick<Monitor, 'session' | 'stream' | 'files'>;
  /** Resolves when the database answers; bounded in time. */
  readonly ping: () => Promise<void>;
  readonly limits: HttpLimits;
  readonly logger: Logger;
  /** Left out: off. */
  readonly tracing?: Tracing | undefined;
}

const RETRY_AFTER_SECONDS = '1';

/**
 * The audit log's HTTP surface. Every request is answered: with what it asked for or with an RFC 9457 problem, which
 * holds no stack, no value that was sent and nothing of the server. One log line for each request refused.
 */
export function createAuditApp(deps: AuditAppDeps): RequestListener {
  const app = buildAuditApp(deps);
  const answer = answerProblem(deps.logger);
  // What the router itself gives up (a URL that it cannot parse) would be answered by Express: in HTML, with a stack.
  return (req, res) =>
    app(req as Request, res as Response, (error?: unknown) =>
      startRequest(req as Request, res as Response, () =>
        answer(error ?? new HttpProblem('malformed_url', 'Expected a URL'), req as Request, res as Response, () => {}),
      ),
    );
}

/** The router alone. Whatever it has stands in the document that `describeApi` makes, too. */
export function buildAuditApp(deps: AuditAppDeps): Express {
  const app = express();
  app.disable('etag');
  app.set('query parser', 'simple');
  app.enable('strict routing');
  app.enable('case sensitive routing');
  app.use(helmet());
  app.use(startRequest);
  app.use(traceRequest(deps.tracing));
  app.use(checkHead);
  app.use(checkUrl(deps.limits));
  app.route(LIVE_PATH).get(answerLive).all(refuseMethod('GET, HEAD'));
  app.route(READY_PATH).get(answerReady(deps)).all(refuseMethod('GET, HEAD'));
  const logs = app.route(AUDIT_LOGS_PATH);
  logs
    .get(listAuditLogs(deps.routes, deps.limits))
    .post(postAuditLogs(deps.routes))
    .all(refuseMethod('GET, HEAD, POST'));
  // Before a record's own: the word is no id.
  app
    .route(AUDIT_EXPORT_PATH)
    .get(getAuditExport(deps.routes, deps.limits, deps.logger))
    .all(refuseMethod('GET, HEAD'));
  app.route(`${AUDIT_LOGS_PATH}/:recordId`).get(getAuditLog(deps.routes)).all(refuseMethod('GET, HEAD'));
  app.route(AUDIT_LOOKUP_PATH).post(postAuditLookup(deps.routes)).all(refuseMethod('POST'));
  app.route(LOG_CHECKPOINT_PATH).get(getCheckpoint(deps.routes)).all(refuseMethod('GET, HEAD'));
  app.route(LOG_CONSISTENCY_PATH).get(getConsistency(deps.routes)).all(refuseMethod('GET, HEAD'));
  app.route(`${AUDIT_LOGS_PATH}/:id/proof`).get(getInclusion(deps.routes)).all(refuseMethod('GET, HEAD'));
  app.route(AUDIT_STATUS_PATH).get(getLogStatus(deps.routes)).all(refuseMethod('GET, HEAD'));
  app.route(PROOF_STATES_PATH).post(postProofStates(deps.routes)).all(refuseMethod('POST'));
  const verifications = app.route(VERIFICATIONS_PATH);
  verifications.get(listVerifications(deps.routes)).post(postVerification(deps.routes));
  verifications.all(refuseMethod('GET, HEAD, POST'));
  app.route(`${VERIFICATIONS_PATH}/:id`).get(getVerification(deps.routes)).all(refuseMethod('GET, HEAD'));
  app.route(FAILED_INGEST_PATH).get(listFailedIngest(deps.routes)).all(refuseMethod('GET, HEAD'));
  for (const verb of ['retry', 'discard'] as const)
    app.route(`${FAILED_INGEST_PATH}/${verb}`).post(postMatching(deps.routes, verb)).all(refuseMethod('POST'));
  app.route(`${FAILED_INGEST_PATH}/:id`).get(getFailedIngest(deps.routes)).all(refuseMethod('GET, HEAD'));
  app.route(`${FAILED_INGEST_PATH}/:id/retry`).post(postRetry(deps.routes)).all(refuseMethod('POST'));
  app.route(`${FAILED_INGEST_PATH}/:id/discard`).post(postDiscard(deps.routes)).all(refuseMethod('POST'));
  if (deps.ops !== undefined) routeOps(app, deps.ops);
  if (deps.monitor !== undefined) routeMonitor(app, deps.monitor);
  const reference = serveReference(describeApi({ ops: deps.ops !== undefined, monitor: deps.monitor !== undefined }));
  app.route(OPENAPI_PATH).get(reference.document).all(refuseMethod('GET, HEAD'));
  app.route(DOCS_PATH).get(reference.page).all(refuseMethod('GET, HEAD'));
  app.use(() => {
    throw new HttpProblem('not_found', 'Nothing is here');
  });
  app.use(answerProblem(deps.logger));
  return app;
}

function routeOps(app: Express, ops: OpsRouteDeps): void {
  app.route(OVERVIEW_PATH).get(getOverview(ops)).all(refuseMethod('GET, HEAD'));
  app.route(FIGURES_PATH).get(getFigures(ops)).all(refuseMethod('GET, HEAD'));
  app.route(EVENTS_PATH).get(listEvents(ops)).all(refuseMethod('GET, HEAD'));
  app.route(`${EVENTS_PATH}/:id`).get(getEvent(ops)).all(refuseMethod('GET, HEAD'));
  app.route(`${EVENTS_PATH}/:id/payload`).get(getEventPayload(ops)).all(refuseMethod('GET, HEAD'));
  app.route(POLICIES_PATH).get(getPolicies(ops)).all(refuseMethod('GET, HEAD'));
  app.route(POLICY_SIMULATION_PATH).get(getPolicySimulation(ops)).all(refuseMethod('GET, HEAD'));
  app.route(BLOCKED_AGGREGATES_PATH).get(listBlockedAggregates(ops)).all(refuseMethod('GET, HEAD'));
  app.route(BOOKS_PATH).get(getBooks(ops)).all(refuseMethod('GET, HEAD'));
  app.route(BOOKS_AGAIN_PATH).post(postBooksAgain(ops)).all(refuseMethod('POST'));
  app.route(DEAD_LETTERS_PATH).get(listLetters(ops)).all(refuseMethod('GET, HEAD'));
  // Before the letters' own: a word is no id.
  app.route(LETTER_KINDS_PATH).get(getLetterKinds(ops)).all(refuseMethod('GET, HEAD'));
  app.route(`${DEAD_LETTERS_PATH}/redrive`).post(postSeveralRedrives(ops)).all(refuseMethod('POST'));
  app.route(`${DEAD_LETTERS_PATH}/discard`).post(postSeveralDiscards(ops)).all(refuseMethod('POST'));
  app.route(`${DEAD_LETTERS_PATH}/:id`).get(getLetter(ops)).all(refuseMethod('GET, HEAD'));
  app.route(`${DEAD_LETTERS_PATH}/:id/redrive`).post(postRedrive(ops)).all(refuseMethod('POST'));
  app.route(`${DEAD_LETTERS_PATH}/:id/discard`).post(postDiscardLetter(ops)).all(refuseMethod('POST'));
  const payload = app.route(`${DEAD_LETTERS_PATH}/:id/payload`);
  payload.get(getPayload(ops)).post(postPayload(ops)).all(refuseMethod('GET, HEAD, POST'));
  app.route(REDRIVE_JOBS_PATH).get(listJobs(ops)).post(postJob(ops)).all(refuseMethod('GET, HEAD, POST'));
  app.route(`${REDRIVE_JOBS_PATH}/:id`).get(getJob(ops)).all(refuseMethod('GET, HEAD'));
  app.route(`${REDRIVE_JOBS_PATH}/:id/cancel`).post(postCancel(ops)).all(refuseMethod('POST'));
  app.route(DESTINATIONS_PATH).get(listDestinations(ops)).all(refuseMethod('GET, HEAD'));
  app.route(`${DESTINATIONS_PATH}/:name/pause`).post(postPause(ops)).all(refuseMethod('POST'));
  app.route(`${DESTINATIONS_PATH}/:name/resume`).post(postResume(ops)).all(refuseMethod('POST'));
}

function routeMonitor(app: Express, { session, stream, files }: NonNullable<AuditAppDeps['monitor']>): void {
  const sessions = app.route(SESSION_PATH);
  sessions.get(getSession(session)).post(postSession(session));
  sessions.delete(deleteSession(session, (sessionId) => stream.endOf(sessionId)));
  sessions.all(refuseMethod('GET, HEAD, POST, DELETE'));
  app
    .route(STREAM_PATH)
    .get((req, res) => stream.get(req, res))
    .all(refuseMethod('GET, HEAD'));
  app.use(MONITOR_PATH, serveMonitorFiles(files));
}

function startRequest(_req: Request, res: Response, next: NextFunction): void {
  res.locals.requestId = randomUUID();
  res.locals.startedAt = performance.now();
  res.set({ 'X-Request-Id': res.locals.requestId, 'Cache-Control': 'no-store' });
  next();
}

/** What Node would answer itself, without a body and without a line in the log (RFC 9112, 3.2; RFC 9110, 10.1.1). */
function checkHead(req: Request, _res: Response, next: NextFunction): void {
  if (req.httpVersionMajor === 1 && req.httpVersionMinor > 0) {
    if (req.headersDistinct.host?.length !== 1) {
      throw new HttpProblem('malformed_request', 'Expected the header Host, once');
    }
    if ((req.headers.expect ?? '100-continue').trim().toLowerCase() !== '100-continue') {
      throw new HttpProblem('malformed_request', 'Expected no other Expect than 100-continue');
    }
  }
  next();
}

function checkUrl({ maxUrlLength }: HttpLimits) {
  return (req: Request, _res: Response, next: NextFunction): void => {
    if (req.url.length > maxUrlLength) {
      throw new HttpProblem('url_too_long', `Expected a URL of at most ${maxUrlLength} characters`);
    }
    let decoded: string;
    try {
      decoded = decodeURIComponent(req.url);
    } catch (cause) {
      throw new HttpProblem('malformed_url', 'Expected percent-encoded UTF-8', { cause });
    }
    // A text to look for may hold a backslash.
    const path = decoded.split('?')[0] as string;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses
    if (/[\u0000-\u001f\u007f]/.test(decoded) || /\\|(^|\/)\.\.?(\/|$)/.test(path)) {
      throw new HttpProblem('malformed_url', 'Expected a URL without control characters and dot segments');
    }
    next();
  };
}

function answerLive(_req: Request, res: Response): void {
  res.json({ status: 'live' } satisfies AnswerOf<typeof liveSchema>);
}

function answerReady({ ping, logger }: AuditAppDeps) {
  return async (_req: Request, res: Response): Promise<void> => {
    try {
      await ping();
      res.json({ status: 'ready' } satisfies AnswerOf<typeof readySchema>);
    } catch (err) {
      logger.warn(
        { event: 'probe.not_ready', requestId: res.locals.requestId, err },
        'the audit database does not answer',
      );
      res
        .status(503)
        .set('Retry-After', RETRY_AFTER_SECONDS)
        .json({ status: 'not ready', waitingFor: ['database'] } satisfies AnswerOf<typeof notReadySchema>);
    }
  };
}

function refuseMethod(allow: string) {
  return (): never => {
    throw new HttpProblem('method_not_allowed', `Expected ${allow}`, { headers: { Allow: allow } });
  };
}

function answerProblem(logger: Logger) {
  // Express knows an error handler by its four parameters.
  return (error: unknown, req: Request, res: Response, _next: NextFunction): void => {
    const problem = asHttpProblem(error, req);
    const { status } = PROBLEMS[problem.code];
    res.locals.problemCode = problem.code;
    const fields = {
      event: 'request.rejected',
      requestId: res.locals.requestId,
      trace_id: res.locals.traceId,
      method: req.method,
      route: req.route?.path ?? null,
      status,
      code: problem.code,
      pointers: problem.errors.slice(0, 5).map(({ pointer }) => pointer.slice(0, 100)),
      keyId: res.locals.keyId ?? null,
      durationMs: Math.round(performance.now() - res.locals.startedAt),
    };
    if (status >= 500) logger.warn({ ...fields, err: problem.cause }, 'request not served');
    else logger.info(fields, 'request refused');
    if (res.headersSent) {
      res.destroy(); // half an answer must not look like a whole one
      return;
    }
    if (status === 503) res.set('Retry-After', RETRY_AFTER_SECONDS);
    res
      .status(status)
      .set(problem.headers)
      .set('Content-Type', PROBLEM_MEDIA_TYPE)
      .send(JSON.stringify(toProblem(problem, idsOf(res))));
  };
}

function asHttpProblem(error: unknown, req: Request): HttpProblem {
  if (error instanceof HttpProblem) return error;
  if (error instanceof StoreUnavailableError) {
    const stores = req.method === 'POST' && req.path === AUDIT_LOGS_PATH;
    const detail = stores
      ? 'The record could not be stored now; send it again'
      : 'The audit database does not answer now; ask again';
    return new HttpProblem('store_unavailable', detail, { cause: error });
  }
  if (isIntegrationError(error) && error.code === 'STORE.UNAVAILABLE') {
    return new HttpProblem('store_unavailable', 'The outbox database does not answer now; ask again', { cause: error });
  }
  // Its message names the key, for the log.
  if (error instanceof FingerprintKeyError) {
    return new HttpProblem('store_unavailable', 'The record could not be compared now; send it again', {
      cause: error,
    });
  }
  // Its message names the setting and the key, for the log.
  if (error instanceof SecretKeyError) {
    return new HttpProblem('store_unavailable', 'The signature could not be checked now; send it again', {
      cause: error,
    });
  }
  return new HttpProblem('internal', 'Something failed here; the same request may succeed later', { cause: error });
}
