import {
  POLICIES_PATH,
  POLICY_SIMULATION_PATH,
  policyListSchema,
  simulationQuerySchema,
  simulationSchema,
} from '../../contract/policies-api.js';
import { named, type Operation } from './operation.js';

const scopes = ['dlq:read', 'dlq:write'] as const;
const area = 'policies';

/** Policies are everybody's: a key that is bound to a tenant sees none. */
export const policyOperations: readonly Operation[] = [
  {
    id: 'getPolicies',
    method: 'get',
    path: POLICIES_PATH,
    area,
    summary: 'Show what is in force, and why',
    description:
      "Of this api's configuration, beside what living relays say of theirs and what runs under way have. What cannot be " +
      'looked up now is null.',
    scopes,
    answers: [{ status: 200, description: 'All of them.', schema: named('PolicyList', policyListSchema) }],
    problems: ['tenant_forbidden'],
  },
  {
    id: 'getPolicySimulation',
    method: 'get',
    path: POLICY_SIMULATION_PATH,
    area,
    summary: 'Show the attempts of an event that always fails with one code',
    description: "By the functions that decide in production, under this api's configuration. Nothing is sent.",
    scopes,
    query: simulationQuerySchema,
    answers: [{ status: 200, description: 'The attempts.', schema: named('PolicySimulation', simulationSchema) }],
    problems: ['invalid_query', 'tenant_forbidden', 'invalid_filter'],
  },
];
