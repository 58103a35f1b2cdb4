import { once } from 'node:events';
import type { Request, Response } from 'express';
import { exportRecords } from '../application/audit/reading/export-records.js';
import { RECORD_LINES } from '../application/audit/reading/record-lines.js';
import { toRecordView } from '../application/audit/reading/to-record-view.js';
import { CSV_MEDIA_TYPE, exportQuerySchema, NDJSON_MEDIA_TYPE } from '../contract/audit-records-api.js';
import type { HttpLimits } from './http-limits.js';
import { createPlaces } from './places.js';
import { type RecordRouteDeps, readFilter, readRecordQuery, requireReader } from './record-routes.js';

/** An export may take minutes. */
const RETRY_AFTER_SECONDS = 10;
/** Lines that are handed on at once: enough for few calls, little beside a page. */
const CHUNK_CHARS = 64 * 1024;

/**
 * GET /integration/v1/audit/logs/export: every record that a filter means, the oldest first, a line each. One page is in
 * memory; the next one is read once the reader has taken it. Whoever stops reading for `exportPageMs`, or goes away, ends
 * it, and so does an error: then the last line is missing.
 */
export function getAuditExport(
  deps: RecordRouteDeps,
  limits: Pick<HttpLimits, 'exportPageMs' | 'maxExports' | 'maxExportsPerKey'>,
) {
  const { maxExports: total, maxExportsPerKey: perKey } = limits;
  const places = createPlaces({ what: 'exports', total, perKey, retryAfterSeconds: RETRY_AFTER_SECONDS });
  return async (req: Request, res: Response): Promise<void> => {
    const key = await requireReader(deps.gate, req, res);
    const { format, ...query } = readRecordQuery(req, exportQuerySchema);
    const filter = readFilter(query, key);
    await places.within(key, async () => {
      const lines = RECORD_LINES[format];
      res.set('Content-Type', `${format === 'csv' ? CSV_MEDIA_TYPE : NDJSON_MEDIA_TYPE}; charset=utf-8`);
      if (format === 'csv') res.set('Content-Disposition', 'attachment; filename="audit-records.csv"');
      if (req.method === 'HEAD') {
        res.end();
        return;
      }
      const out = writerOf(res, limits.exportPageMs);
      let records = 0;
      let first = lines.first;
      for await (const page of exportRecords({ reader: deps.records }, filter)) {
        const bytes = await out.writeAll(first, page.records, (record) => lines.line(toRecordView(record)));
        first = '';
        records += page.records.length;
        page.took(bytes);
        if (out.gone()) return;
        res.flushHeaders(); // a long look in vain is no silence; an error of the first page still had its answer
      }
      res.end(first + lines.last(records));
    });
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
