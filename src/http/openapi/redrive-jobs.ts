import { z } from 'zod';
import {
  cancelSchema,
  createJobSchema,
  REDRIVE_JOBS_PATH,
  redriveJobQuerySchema,
} from '../../contract/dead-letters-api.js';
import { redriveCountSchema, redriveJobPageSchema, redriveJobSchema } from '../../contract/redrive-job-answers.js';
import { named, type Operation, type PathParameter } from './operation.js';

const id: PathParameter = {
  name: 'id',
  description: 'Of a job.',
  schema: z.guid(),
  example: '0197d3a0-5e00-7000-8000-00000000000d',
};
const job = named('RedriveJob', redriveJobSchema);
const area = 'redrive jobs';

/** A key that is bound to a tenant sees and cancels what it made itself. */
export const redriveJobOperations: readonly Operation[] = [
  {
    id: 'listRedriveJobs',
    method: 'get',
    path: REDRIVE_JOBS_PATH,
    area,
    summary: 'List jobs',
    description: 'The newest first.',
    scopes: ['dlq:read', 'dlq:write'],
    query: redriveJobQuerySchema,
    answers: [{ status: 200, description: 'One page.', schema: named('RedriveJobPage', redriveJobPageSchema) }],
    problems: ['invalid_query'],
  },
  {
    id: 'createRedriveJob',
    method: 'post',
    path: REDRIVE_JOBS_PATH,
    area,
    summary: 'Redrive every letter of a filter, or count them',
    description: 'The relay role runs it.',
    scopes: ['dlq:write'],
    body: {
      'application/json': {
        schema: named('RedriveJobRequest', createJobSchema),
        examples: {
          count: { filter: { code: 'HTTP.TIMEOUT' }, reason: 'the partner is back', dryRun: true },
          job: { filter: { code: 'HTTP.TIMEOUT' }, reason: 'the partner is back', rate: 20 },
        },
      },
    },
    answers: [
      {
        status: 200,
        description: 'Of a dry run, or where there is nothing to redrive: the count.',
        schema: named('RedriveCount', redriveCountSchema),
      },
      { status: 202, description: 'The job.', schema: job },
    ],
    problems: ['tenant_forbidden', 'invalid_request'],
  },
  {
    id: 'getRedriveJob',
    method: 'get',
    path: `${REDRIVE_JOBS_PATH}/{id}`,
    area,
    summary: 'Show one',
    scopes: ['dlq:read', 'dlq:write'],
    parameters: [id],
    answers: [{ status: 200, description: 'The job.', schema: job }],
    problems: ['not_found'],
  },
  {
    id: 'cancelRedriveJob',
    method: 'post',
    path: `${REDRIVE_JOBS_PATH}/{id}/cancel`,
    area,
    summary: 'Cancel one',
    description: 'What is redriven stays so. Answers the job as it ended, whoever ended it.',
    scopes: ['dlq:write'],
    parameters: [id],
    body: { 'application/json': { schema: named('Cancel', cancelSchema), examples: { one: {} } } },
    answers: [{ status: 200, description: 'The job as it ended.', schema: job }],
    problems: ['not_found', 'invalid_request'],
  },
];
