import { z } from 'zod';
import { AUDIT_LOGS_PATH } from '../../contract/audit-api.js';
import {
  AUDIT_EXPORT_PATH,
  CSV_MEDIA_TYPE,
  exportQuerySchema,
  NDJSON_MEDIA_TYPE,
  recordListSchema,
  recordsQuerySchema,
  recordViewSchema,
} from '../../contract/audit-records-api.js';
import { named, type Operation } from './operation.js';

const scopes = ['audit:read', 'audit:read:any-tenant'] as const;
const area = 'records';

/** A key that is bound to a tenant reads its own tenant's only. */
export const recordOperations: readonly Operation[] = [
  {
    id: 'listAuditRecords',
    method: 'get',
    path: AUDIT_LOGS_PATH,
    area,
    summary: 'List records',
    description:
      'The newest first. A page may hold fewer than asked for, even none, and yet have a `next`: one page looks at a bounded ' +
      'number of records, and `searched` says how far it came. Of one key a few are worked on at once (429 `rate_limited` beyond ' +
      'that), of all keys some more (503 `overloaded`); both say with Retry-After when to ask again.',
    scopes,
    query: recordsQuerySchema,
    answers: [{ status: 200, description: 'One page.', schema: named('AuditRecordPage', recordListSchema) }],
    problems: ['tenant_forbidden', 'invalid_filter'],
  },
  {
    id: 'exportAuditRecords',
    method: 'get',
    path: AUDIT_EXPORT_PATH,
    area,
    summary: 'Export every record of a filter',
    description:
      'A stream, the oldest first, a line each. The last line of NDJSON is `{"type": "end", "records": n}`: without it the ' +
      'export was cut off. Of CSV the end of the answer says so. Of one key two run at once (429 `rate_limited` beyond that), of ' +
      'all keys eight in an api (503 `overloaded`); both say with Retry-After when to ask again.',
    scopes,
    query: exportQuerySchema,
    answers: [
      {
        status: 200,
        description: 'The lines; CSV where it was asked for.',
        mediaType: [NDJSON_MEDIA_TYPE, CSV_MEDIA_TYPE],
        headers: ['Content-Disposition'],
      },
    ],
    problems: ['tenant_forbidden', 'invalid_filter'],
  },
  {
    id: 'getAuditRecord',
    method: 'get',
    path: `${AUDIT_LOGS_PATH}/{recordId}`,
    area,
    summary: 'Show one',
    description: "Another tenant's is answered as one that is not there.",
    scopes,
    parameters: [
      {
        name: 'recordId',
        description: 'Of its receipt.',
        schema: z.guid(),
        example: '0197d3a0-5b10-7000-8000-00000000000a',
      },
    ],
    answers: [{ status: 200, description: 'The record.', schema: named('AuditRecord', recordViewSchema) }],
    problems: ['not_found'],
  },
];
