import type { Response } from 'express';
import type { Metrics } from '../application/metrics/metrics.js';

/** Counts the request once, when its answer was taken or its client has gone. */
export function countIngest(metrics: Metrics, res: Response): void {
  res.once('close', () => {
    const status = res.writableFinished ? String(res.statusCode) : CLIENT_GONE;
    metrics.count('audit_ingest_requests_total', { status });
    const seconds = (performance.now() - res.locals.startedAt) / 1_000;
    metrics.observe('audit_ingest_duration_seconds', {}, seconds);
  });
}

/** As proxies log it. */
const CLIENT_GONE = '499';
