import { z } from 'zod';
import {
  AUDIT_LOGS_PATH,
  consistencyProofSchema,
  consistencyQuerySchema,
  inclusionProofSchema,
  LOG_CHECKPOINT_PATH,
  LOG_CONSISTENCY_PATH,
} from '../../contract/audit-api.js';
import { named, type Operation } from './operation.js';

const scopes = ['audit:read', 'audit:read:any-tenant', 'audit:write:any-tenant'] as const;
const area = 'log';

export const logOperations: readonly Operation[] = [
  {
    id: 'getLogCheckpoint',
    method: 'get',
    path: LOG_CHECKPOINT_PATH,
    area,
    summary: 'The newest signed checkpoint',
    description: 'How many records the log has and their root, as a signed note of C2SP. 404 while nothing is signed.',
    scopes,
    answers: [{ status: 200, description: 'The note as it was signed.', mediaType: 'text/plain' }],
    problems: ['not_found'],
  },
  {
    id: 'getLogConsistency',
    method: 'get',
    path: LOG_CONSISTENCY_PATH,
    area,
    summary: 'Prove that the log only grew',
    description: 'RFC 9162, section 2.1.4.',
    scopes,
    query: consistencyQuerySchema,
    answers: [{ status: 200, description: 'The proof.', schema: named('ConsistencyProof', consistencyProofSchema) }],
    problems: ['invalid_query', 'invalid_range'],
  },
  {
    id: 'getLogInclusion',
    method: 'get',
    path: `${AUDIT_LOGS_PATH}/{id}/proof`,
    area,
    summary: 'Prove that a record stands in the log',
    description: "RFC 9162, section 2.1.3. Another tenant's record is answered as one that is not there.",
    scopes: ['audit:read', 'audit:read:any-tenant'],
    parameters: [
      {
        name: 'id',
        description: 'The `recordId` of its receipt.',
        schema: z.guid(),
        example: '0197d3a0-5b10-7000-8000-00000000000a',
      },
    ],
    answers: [{ status: 200, description: 'The proof.', schema: named('InclusionProof', inclusionProofSchema) }],
    problems: ['not_found', 'not_signed_yet'],
  },
];
