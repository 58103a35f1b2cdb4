import {
  FIGURES_PATH,
  figuresQuerySchema,
  figuresSchema,
  OVERVIEW_PATH,
  overviewSchema,
} from '../../contract/overview-api.js';
import { named, type Operation } from './operation.js';

const area = 'overview';

/** They are everybody's: a key that is bound to a tenant sees none. */
export const overviewOperations: readonly Operation[] = [
  {
    id: 'getOverview',
    method: 'get',
    path: OVERVIEW_PATH,
    area,
    summary: 'Show how the delivery stands, part by part',
    description: 'Always 200: a part that does not answer is `away`, with why and the last value that there was.',
    scopes: ['dlq:read', 'dlq:write'],
    answers: [{ status: 200, description: 'Every part.', schema: named('Overview', overviewSchema) }],
    problems: ['tenant_forbidden'],
  },
  {
    id: 'getFigures',
    method: 'get',
    path: FIGURES_PATH,
    area,
    summary: 'Show what was settled in a window, and how fast',
    description:
      'Of closed minutes, as they were counted then: a redrive takes nothing out of them. Minutes that were not counted are told as such, and are in no sum.',
    scopes: ['dlq:read', 'dlq:write'],
    query: figuresQuerySchema,
    answers: [{ status: 200, description: 'The window.', schema: named('Figures', figuresSchema) }],
    problems: ['invalid_query', 'tenant_forbidden'],
  },
];
