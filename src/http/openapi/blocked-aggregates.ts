import {
  BLOCKED_AGGREGATES_PATH,
  blockedPageSchema,
  blockedQuerySchema,
} from '../../contract/blocked-aggregates-api.js';
import { named, type Operation } from './operation.js';

export const blockedAggregateOperations: readonly Operation[] = [
  {
    id: 'listBlockedAggregates',
    method: 'get',
    path: BLOCKED_AGGREGATES_PATH,
    area: 'blocked aggregates',
    summary: 'Show who waits behind which dead event',
    description: 'A page may be shorter than asked for although more follow: `next` says so.',
    scopes: ['dlq:read', 'dlq:write'],
    query: blockedQuerySchema,
    answers: [{ status: 200, description: 'One page.', schema: named('BlockedPage', blockedPageSchema) }],
    problems: ['invalid_query', 'tenant_forbidden'],
  },
];
