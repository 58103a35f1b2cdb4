import type { NextFunction, Request, Response } from 'express';
import type { Tracing } from '../application/tracing.js';
import { readTraceContext, traceIdOf } from '../domain/trace-context.js';

/** Not the probes, which come every few seconds, nor the monitor's page and its stream, which stays open. */
const TRACED = /^\/(integration|ops)\//;

/**
 * Puts the request's trace into `res.locals.traceId`: with tracing on that of its own span, which goes on the caller's trace
 * (W3C `traceparent`) and lasts to the end of the answer; else the caller's own.
 */
export function traceRequest(tracing: Tracing | undefined) {
  return (req: Request, res: Response, next: NextFunction): void => {
    const { traceparent, tracestate } = req.headers;
    const sent = readTraceContext({ traceparent, tracestate });
    res.locals.traceId = traceIdOf(sent?.traceparent);
    if (tracing === undefined || !TRACED.test(req.path)) {
      next();
      return;
    }
    const attributes = { 'http.request.method': req.method, 'outbox.request.id': res.locals.requestId };
    const served = tracing.inSpan({ name: req.method, kind: 'server', parent: sent ?? null, attributes }, (span) => {
      res.locals.traceId = traceIdOf(span.context.traceparent);
      return new Promise<void>((resolve) => {
        res.once('close', () => {
          const route = typeof req.route?.path === 'string' ? req.route.path : null;
          if (route !== null) span.rename(`${req.method} ${route}`);
          const { statusCode, locals } = res;
          span.set({
            'http.route': route,
            'http.response.status_code': statusCode,
            'outbox.error.code': locals.problemCode,
          });
          if (statusCode >= 500) span.fail(String(statusCode));
          resolve();
        });
        next();
      });
    });
    served.catch(next);
  };
}
