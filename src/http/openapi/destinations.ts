import {
  DESTINATIONS_PATH,
  destinationListSchema,
  destinationNameSchema,
  pausedSchema,
  pauseRequestSchema,
  pauseSchema,
  resumeRequestSchema,
} from '../../contract/destinations-api.js';
import { named, type Operation, type PathParameter } from './operation.js';

const name: PathParameter = {
  name: 'name',
  description: 'A routing key, or `*` for all destinations.',
  schema: destinationNameSchema,
  example: 'audit.log',
};
const pause = named('Pause', pauseSchema);
const area = 'destinations';

/** A destination is everybody's: a key that is bound to a tenant neither sees nor holds it. */
export const destinationOperations: readonly Operation[] = [
  {
    id: 'listDestinations',
    method: 'get',
    path: DESTINATIONS_PATH,
    area,
    summary: 'Show how each stands, and what is paused',
    scopes: ['dlq:read', 'dlq:write'],
    answers: [{ status: 200, description: 'All of them.', schema: named('DestinationList', destinationListSchema) }],
    problems: ['tenant_forbidden'],
  },
  {
    id: 'pauseDestination',
    method: 'post',
    path: `${DESTINATIONS_PATH}/{name}/pause`,
    area,
    summary: 'Hold what is not sent yet',
    description: 'The same again replaces reason and end; with `replaces` only those of that pause.',
    scopes: ['dlq:write'],
    parameters: [name],
    body: {
      'application/json': {
        schema: named('PauseRequest', pauseRequestSchema),
        examples: { one: { reason: 'the partner moves its data centre', until: '2099-01-01T06:00:00Z' } },
      },
    },
    answers: [{ status: 200, description: 'The pause in force.', schema: named('Paused', pausedSchema) }],
    problems: ['tenant_forbidden', 'not_found', 'paused_meanwhile', 'invalid_request'],
  },
  {
    id: 'resumeDestination',
    method: 'post',
    path: `${DESTINATIONS_PATH}/{name}/resume`,
    area,
    summary: 'End the pause of exactly this scope',
    scopes: ['dlq:write'],
    parameters: [name],
    body: {
      'application/json': {
        schema: named('ResumeRequest', resumeRequestSchema),
        examples: { one: { reason: 'the partner has moved' } },
      },
    },
    answers: [{ status: 200, description: 'The pause that was in force.', schema: pause }],
    problems: ['tenant_forbidden', 'not_found', 'paused_meanwhile', 'invalid_request'],
  },
];
