import { z } from 'zod';
import {
  AUDIT_STATUS_PATH,
  logStatusSchema,
  PROOF_STATES_PATH,
  proofStatesRequestSchema,
  proofStatesSchema,
  VERIFICATIONS_PATH,
  verificationListSchema,
  verificationRequestSchema,
  verificationSchema,
} from '../../contract/verifications-api.js';
import { named, type Operation, type PathParameter } from './operation.js';

const scopes = ['audit:read', 'audit:read:any-tenant'] as const;
const RECORD = '0197d3a0-5b10-7000-8000-00000000000a';
const id: PathParameter = {
  name: 'id',
  description: 'Of a verification.',
  schema: z.guid(),
  example: '0197d3a0-5f00-7000-8000-00000000000e',
};
const verification = named('Verification', verificationSchema);
const area = 'log';

/** The log is everybody's: a key that is bound to a tenant is shown its records' states, and nothing else. */
export const verificationOperations: readonly Operation[] = [
  {
    id: 'getLogStatus',
    method: 'get',
    path: AUDIT_STATUS_PATH,
    area,
    summary: 'Show how far sealing and signing have come',
    description: "And who holds them up. It is everybody's: a key that is bound to a tenant sees none of it.",
    scopes,
    answers: [{ status: 200, description: 'As it is now.', schema: named('AuditLogStatus', logStatusSchema) }],
    problems: ['tenant_forbidden'],
  },
  {
    id: 'getProofStates',
    method: 'post',
    path: PROOF_STATES_PATH,
    area,
    summary: 'Show which records are signed',
    description:
      'In the order asked. What is not there, or of another tenant, is `unknown`; so is a record whose leaf its seal does not ' +
      'have. No hash is compared with a record: that is what a proof, or a verification, is for.',
    scopes,
    body: {
      'application/json': {
        schema: named('ProofStatesRequest', proofStatesRequestSchema),
        examples: { one: { recordIds: [RECORD] } },
      },
    },
    answers: [{ status: 200, description: 'A state for each.', schema: named('ProofStates', proofStatesSchema) }],
    problems: ['invalid_request'],
  },
  {
    id: 'listVerifications',
    method: 'get',
    path: VERIFICATIONS_PATH,
    area,
    summary: 'List verifications',
    description: 'The latest 50, the newest first. A worker asks for some by itself: `outbox:schedule`.',
    scopes,
    answers: [{ status: 200, description: 'All of them.', schema: named('VerificationList', verificationListSchema) }],
    problems: ['tenant_forbidden'],
  },
  {
    id: 'createVerification',
    method: 'post',
    path: VERIFICATIONS_PATH,
    area,
    summary: 'Have the log verified',
    description:
      'All of it, or the part that a record stands in. A worker does it that has the keys of the log, one at a time. Where the ' +
      'same is asked for already, the answer is that one. 429 while a hundred are open.',
    scopes: ['dlq:write'],
    body: {
      'application/json': {
        schema: named('VerificationRequest', verificationRequestSchema),
        examples: { all: {}, one: { recordId: RECORD } },
      },
    },
    answers: [{ status: 202, description: 'As it is now: look again.', schema: verification }],
    problems: ['tenant_forbidden', 'invalid_request'],
  },
  {
    id: 'getVerification',
    method: 'get',
    path: `${VERIFICATIONS_PATH}/{id}`,
    area,
    summary: 'Show one',
    scopes,
    parameters: [id],
    answers: [{ status: 200, description: 'As it is now.', schema: verification }],
    problems: ['not_found', 'tenant_forbidden'],
  },
];
