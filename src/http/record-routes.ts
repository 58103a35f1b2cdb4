import type { Request, Response } from 'express';
import type { z } from 'zod';
import { toOcsf } from '../application/audit/ocsf/to-ocsf.js';
import { listRecords } from '../application/audit/reading/list-records.js';
import type { RecordFilter, RecordReader } from '../application/audit/reading/ports.js';
import type { RecordCursors } from '../application/audit/reading/record-cursor.js';
import { toRecordFilter } from '../application/audit/reading/to-record-filter.js';
import { toRecordView } from '../application/audit/reading/to-record-view.js';
import { AUDIT_LIMITS, toFieldProblems } from '../contract/audit-dto.js';
import { type RecordFilterQuery, type RecordList, recordsQuerySchema } from '../contract/audit-records-api.js';
import { findUnstorable } from '../contract/json-value.js';
import { type ApiKey, mayRead, tenantToRead } from '../domain/audit/api-key.js';
import { timeOfPlace } from '../domain/audit/record-id.js';
import type { HttpLimits } from './http-limits.js';
import { createPlaces } from './places.js';
import { HttpProblem } from './problem.js';
import { notFound } from './read-operator.js';
import { type Gate, requireKey, requireScope } from './require-key.js';

export interface RecordRouteDeps {
  readonly gate: Gate;
  readonly records: RecordReader;
  readonly cursors: RecordCursors;
}

/** GET /integration/v1/audit/logs: a page of the records that a filter means, the newest first. */
export function listAuditLogs(
  { gate, records: reader, cursors }: RecordRouteDeps,
  { maxSearches: total, maxSearchesPerKey: perKey }: Pick<HttpLimits, 'maxSearches' | 'maxSearchesPerKey'>,
) {
  const places = createPlaces({ what: 'searches', total, perKey, retryAfterSeconds: 1 });
  return async (req: Request, res: Response): Promise<void> => {
    const key = await requireReader(gate, req, res);
    const { limit, cursor, format, ...query } = readRecordQuery(req, recordsQuerySchema);
    const filter = readFilter(query, key);
    const after = cursor === undefined ? null : cursors.read(cursor, filter);
    if (cursor !== undefined && after === null) {
      const detail = 'Expected the `next` of a page with this same filter, unchanged';
      throw new HttpProblem('invalid_filter', 'The cursor does not fit', { errors: [{ pointer: '/cursor', detail }] });
    }
    const clock = () => performance.now();
    const page = await places.within(key, () => listRecords({ reader, clock }, filter, { after, limit }));
    const items = page.records.map(toRecordView);
    res.json({
      items: format === 'ocsf' ? items.map(toOcsf) : items,
      next: page.after === null ? null : cursors.write(page.after, filter),
      searched: {
        records: page.searched,
        backTo: page.after === null ? null : new Date(timeOfPlace(page.after)).toISOString(),
      },
    } satisfies RecordList);
  };
}

/** GET /integration/v1/audit/logs/{recordId}. Another tenant's is not there. */
export function getAuditLog({ gate, records }: RecordRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const key = await requireReader(gate, req, res);
    const tenantId = tenantToRead(key, undefined);
    const [record] = await records.read([String(req.params.recordId).toLowerCase()], tenantId);
    if (record === undefined) throw notFound();
    res.json(toRecordView(record));
  };
}

/** Throws HttpProblem (401, 403). */
export async function requireReader(gate: Gate, req: Request, res: Response): Promise<ApiKey> {
  const { key } = await requireKey(gate, req, res);
  requireScope(mayRead(key), 'audit:read');
  return key;
}

/** Throws HttpProblem (422). */
export function readRecordQuery<Query>(req: Request, schema: z.ZodType<Query>): Query {
  const parsed = schema.safeParse(req.query);
  const unstorable = findUnstorable(req.query, AUDIT_LIMITS.problems);
  if (parsed.success && unstorable.length === 0) return parsed.data;
  const errors = parsed.success ? unstorable : [...unstorable, ...toFieldProblems(parsed.error)];
  throw new HttpProblem('invalid_filter', 'The filter does not fit', { errors });
}

/** Throws HttpProblem (403). */
export function readFilter(query: RecordFilterQuery, key: ApiKey): RecordFilter {
  const tenantId = tenantToRead(key, query.tenantId);
  if (tenantId !== 'forbidden') return toRecordFilter(query, tenantId);
  throw new HttpProblem('tenant_forbidden', 'This API key may not read that tenant', {
    errors: [{ pointer: '/tenantId', detail: 'Not a tenant of this API key' }],
  });
}
