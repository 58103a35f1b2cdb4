import type { Request, Response } from 'express';
import type { OrderingStore } from '../application/delivery/ordering/ports.js';
import type { AnswerOf } from '../contract/answers.js';
import { type blockedPageSchema, blockedQuerySchema } from '../contract/blocked-aggregates-api.js';
import { HttpProblem } from './problem.js';
import { readQuery, requireOperator } from './read-operator.js';
import type { Gate } from './require-key.js';

export interface BlockedAggregateRouteDeps {
  readonly gate: Gate;
  readonly ordering: Pick<OrderingStore, 'listBlocked'>;
}

/** GET /ops/v1/blocked-aggregates: who waits behind which dead event. */
export function listBlockedAggregates({ gate, ordering }: BlockedAggregateRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(gate, req, res, 'dlq:read');
    const query = readQuery(req, blockedQuerySchema);
    if (operator.tenantId !== null && query.tenantId !== undefined && query.tenantId !== operator.tenantId) {
      throw new HttpProblem('tenant_forbidden', 'This API key is bound to another tenant');
    }
    const { eventType = null, destination = null, after = null, limit } = query;
    const filter = { eventType, destination, tenantId: operator.tenantId ?? query.tenantId ?? null };
    res.json((await ordering.listBlocked(filter, { after, limit })) satisfies AnswerOf<typeof blockedPageSchema>);
  };
}
