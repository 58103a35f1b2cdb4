import type { Request, Response } from 'express';
import type { ReadFigures } from '../application/delivery/monitor/read-figures.js';
import type { DeliveryReaders } from '../application/delivery/monitor/read-overview.js';
import type { AnswerOf } from '../contract/answers.js';
import { figuresQuerySchema, type figuresSchema, type overviewSchema } from '../contract/overview-api.js';
import { HttpProblem } from './problem.js';
import { type Operator, readQuery, requireOperator } from './read-operator.js';
import type { Gate } from './require-key.js';

export interface OverviewRouteDeps {
  readonly gate: Gate;
  readonly overview: DeliveryReaders;
  readonly figures: ReadFigures;
}

/**
 * GET /ops/v1/overview: how the delivery stands, always 200: what is away is so in its part. It is everybody's: a key that is
 * bound to a tenant sees none.
 */
export function getOverview({ gate, overview }: OverviewRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    refuseTenant(await requireOperator(gate, req, res, 'dlq:read'));
    const parts = await Promise.all(Object.values(overview).map((read) => read()));
    res.json({ at: new Date().toISOString(), parts } satisfies AnswerOf<typeof overviewSchema>);
  };
}

/** GET /ops/v1/figures: what was settled in the last quarter of an hour, hour or day. As above. */
export function getFigures({ gate, figures }: OverviewRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    refuseTenant(await requireOperator(gate, req, res, 'dlq:read'));
    const answer = await figures(readQuery(req, figuresQuerySchema));
    res.json(answer satisfies AnswerOf<typeof figuresSchema>);
  };
}

function refuseTenant({ tenantId }: Operator): void {
  if (tenantId !== null) throw new HttpProblem('tenant_forbidden', 'Expected an API key without a tenant');
}
