import { LIVE_PATH, liveSchema, notReadySchema, READY_PATH, readySchema } from '../../contract/probes-api.js';
import { named, type Operation } from './operation.js';

export const probeOperations: readonly Operation[] = [
  {
    id: 'getLive',
    method: 'get',
    path: LIVE_PATH,
    area: 'probes',
    summary: 'Whether the process answers',
    answers: [{ status: 200, description: 'It does.', schema: named('Live', liveSchema) }],
  },
  {
    id: 'getReady',
    method: 'get',
    path: READY_PATH,
    area: 'probes',
    summary: 'Whether it can store',
    answers: [
      { status: 200, description: 'The audit database answers.', schema: named('Ready', readySchema) },
      {
        status: 503,
        description: 'It does not.',
        schema: named('NotReady', notReadySchema),
        headers: ['Retry-After'],
      },
    ],
  },
];
