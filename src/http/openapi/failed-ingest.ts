import { z } from 'zod';
import {
  FAILED_INGEST_PATH,
  failedIngestCountsSchema,
  failedIngestFoundSchema,
  failedIngestListSchema,
  failedIngestMatchingSchema,
  failedIngestQuerySchema,
  failedIngestReasonSchema,
  failedIngestRetriedSchema,
  failedIngestSchema,
} from '../../contract/failed-ingest-api.js';
import { named, type Operation, type PathParameter } from './operation.js';

const id: PathParameter = {
  name: 'id',
  description: '`failedIngestId` of a problem `internal`.',
  schema: z.uuid(),
  example: '0197d3a0-5c00-7000-8000-00000000000b',
};
const body = {
  'application/json': {
    schema: named('FailedIngestReason', failedIngestReasonSchema),
    examples: { one: { reason: 'the disk has room again' } },
  },
};
const matching = {
  'application/json': {
    schema: named('FailedIngestMatching', failedIngestMatchingSchema),
    examples: { count: { filter: { code: '53100' }, reason: 'the disk has room again', dryRun: true } },
  },
};
const counts = named('FailedIngestCounts', failedIngestCountsSchema);
const area = 'failed ingest';

/** What the audit log could not store (R28). A key that is bound to a tenant sees its own tenant's only. */
export const failedIngestOperations: readonly Operation[] = [
  {
    id: 'listFailedIngest',
    method: 'get',
    path: FAILED_INGEST_PATH,
    area,
    summary: 'List what could not be stored',
    description: 'The newest first; open ones unless asked otherwise.',
    scopes: ['dlq:read', 'dlq:write'],
    query: failedIngestQuerySchema,
    answers: [{ status: 200, description: 'One page.', schema: named('FailedIngestPage', failedIngestListSchema) }],
    problems: ['invalid_query'],
  },
  {
    id: 'retryMatchingFailedIngest',
    method: 'post',
    path: `${FAILED_INGEST_PATH}/retry`,
    area,
    summary: 'Store all that match',
    description: 'The open ones, at most 1,000 in a call, the oldest first. What fails stays open: go on with `after`.',
    scopes: ['dlq:write'],
    body: matching,
    answers: [{ status: 200, description: 'How they ended, or how many there are.', schema: counts }],
    problems: ['invalid_request'],
  },
  {
    id: 'discardMatchingFailedIngest',
    method: 'post',
    path: `${FAILED_INGEST_PATH}/discard`,
    area,
    summary: 'Give up all that match',
    description: 'The open ones, at most 1,000 in a call. The rows stay, without their bodies.',
    scopes: ['dlq:write'],
    body: matching,
    answers: [{ status: 200, description: 'How they ended, or how many there are.', schema: counts }],
    problems: ['invalid_request'],
  },
  {
    id: 'getFailedIngest',
    method: 'get',
    path: `${FAILED_INGEST_PATH}/{id}`,
    area,
    summary: 'Show one, with its body',
    description: 'What is stored, overtaken or discarded has none any more.',
    scopes: ['dlq:read', 'dlq:write'],
    parameters: [id],
    answers: [
      { status: 200, description: 'With its body.', schema: named('FailedIngestFound', failedIngestFoundSchema) },
    ],
    problems: ['not_found'],
  },
  {
    id: 'retryFailedIngest',
    method: 'post',
    path: `${FAILED_INGEST_PATH}/{id}/retry`,
    area,
    summary: 'Store it now',
    description: 'Still failing, it is a problem `still_failing` and stays open.',
    scopes: ['dlq:write'],
    parameters: [id],
    body,
    answers: [
      {
        status: 200,
        description: 'Stored; or another content has its identity.',
        schema: named('FailedIngestRetried', failedIngestRetriedSchema),
      },
    ],
    problems: ['not_found', 'not_open', 'invalid_request', 'invalid_event', 'still_failing'],
  },
  {
    id: 'discardFailedIngest',
    method: 'post',
    path: `${FAILED_INGEST_PATH}/{id}/discard`,
    area,
    summary: 'Give it up',
    description: 'The row stays, without its body.',
    scopes: ['dlq:write'],
    parameters: [id],
    body,
    answers: [{ status: 200, description: 'As it is now.', schema: named('FailedIngest', failedIngestSchema) }],
    problems: ['not_found', 'not_open', 'invalid_request'],
  },
];
