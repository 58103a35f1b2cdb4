import { once } from 'node:events';
import type { Request, Response } from 'express';
import { exportRecords } from '../application/audit/reading/export-records.js';
import { RECORD_LINES } from '../application/audit/reading/record-lines.js';
import { toRecordView } from '../application/audit/reading/to-record-view.js';
import { CSV_MEDIA_TYPE, exportQuerySchema, NDJSON_MEDIA_TYPE } from '../contract/audit-records-api.js';
import { mayRead } from '../domain/audit/api-key.js';
import type { HttpLimits } from './http-limits.js';
import type { Logger } from './logger.js';
import { createPlaces } from './places.js';
import { type RecordRouteDeps, readFilter, readRecordQuery } from './record-routes.js';
import { requireKey, requireScope } from './require-key.js';

/** An export may take minutes. */
const RETRY_AFTER_SECONDS = 10;
/** Lines that are handed on at once: enough for few calls, little beside a page. */
const CHUNK_CHARS = 64 * 1024;

/**
 * GET /integration/v1/audit/logs/export: every record that a filter means, the oldest first, a line each. One page is in
 * memory; the next one is read once the reader has taken it. Whoever stops reading for `exportPageMs`, or goes away, ends
 * it, and so do an error and the end of the session that asked: then the last line is missing. It changes nothing, so it
 * is no record; who took what stands in the log of the api, when it begins and when it is over.
 */
export function getAuditExport(
  deps: RecordRouteDeps,
  limits: Pick<HttpLimits, 'exportPageMs' | 'exportSessionMs' | 'maxExports' | 'maxExportsPerKey'>,
  logger: Logger,
) {
  const { maxExports: total, maxExportsPerKey: perKey } = limits;
  const places = createPlaces({ what: 'exports', total, perKey, retryAfterSeconds: RETRY_AFTER_SECONDS });
  return async (req: Request, res: Response): Promise<void> => {
    const caller = await requireKey(deps.gate, req, res);
    const { key, actor } = caller;
    requireScope(mayRead(key), 'audit:read');
    const { format, ...query } = readRecordQuery(req, exportQuerySchema);
    const filter = readFilter(query, key);
    await places.within(key, async () => {
      res.set('Content-Type', `${format === 'csv' ? CSV_MEDIA_TYPE : NDJSON_MEDIA_TYPE}; charset=utf-8`);
      if (format === 'csv') res.set('Content-Disposition', 'attachment; filename="audit-records.csv"');
      if (req.method === 'HEAD') {
        res.end();
        return;
      }
      const about = { requestId: res.locals.requestId, actor, keyId: key.id, format, filter };
      logger.info({ event: 'audit_log.export_begun', ...about }, 'records are being exported');
      const counted = { records: 0, outcome: 'failed' };
      try {
        counted.outcome = await write(counted);
      } finally {
        logger.info({ event: 'audit_log.exported', ...about, ...counted }, 'an export is over');
      }
    });

    async function write(counted: { records: number }): Promise<'whole' | 'cut' | 'session over'> {
      const lines = RECORD_LINES[format];
      const out = writerOf(res, limits.exportPageMs);
      let first = lines.first;
      let lookedAt = performance.now();
      for await (const page of exportRecords({ reader: deps.records }, filter)) {
        const bytes = await out.writeAll(first, page.records, (record) => lines.line(toRecordView(record)));
        first = '';
        counted.records += page.records.length;
        page.took(bytes);
        if (out.gone()) return 'cut';
        if (performance.now() - lookedAt >= limits.exportSessionMs) {
          if (!(await caller.stands())) {
            res.destroy(); // half an answer must not look like a whole one
            return 'session over';
          }
          lookedAt = performance.now();
        }
        res.flushHeaders(); // a long look in vain is no silence; an error of the first page still had its answer
      }
      res.end(first + lines.last(counted.records));
      return 'whole';
    }
  };
}

function writerOf(res: Response, pageMs: number) {
  const gone = () => res.destroyed || res.closed;
  /** Resolves when there is room again or nobody to read any more. */
  const room = async (signal: AbortSignal) => {
    const ended = new AbortController();
    const either = AbortSignal.any([signal, ended.signal]);
    try {
      await Promise.race([once(res, 'drain', { signal: either }), once(res, 'close', { signal: either })]);
    } catch (error) {
      if (!signal.aborted) throw error;
      res.destroy(); // half an answer must not look like a whole one
    } finally {
      ended.abort();
    }
  };
  return {
    gone,
    async writeAll<T>(first: string, items: readonly T[], lineOf: (item: T) => string): Promise<number> {
      const deadline = AbortSignal.timeout(pageMs);
      let chunk = first;
      let bytes = 0;
      for (const [n, item] of items.entries()) {
        chunk += lineOf(item);
        if (chunk.length < CHUNK_CHARS && n < items.length - 1) continue;
        if (gone()) return bytes;
        const buffer = Buffer.from(chunk);
        bytes += buffer.length;
        chunk = '';
        if (!res.write(buffer)) await room(deadline);
      }
      return bytes;
    },
  };
}
