import type { Request, Response } from 'express';
import { countRedrive, createRedriveJob } from '../application/delivery/dead-letters/redrive-job.js';
import type { AnswerOf } from '../contract/answers.js';
import { cancelSchema, createJobSchema, redriveJobQuerySchema } from '../contract/dead-letters-api.js';
import type { redriveCountSchema, redriveJobPageSchema, redriveJobSchema } from '../contract/redrive-job-answers.js';
import type { DeadLetterRouteDeps } from './dead-letter-routes.js';
import { notFound, readBodyOf, readId, readQuery, requireOperator, toFilter, withFilter } from './read-operator.js';

/** POST /ops/v1/redrive-jobs: 202 with the job that a relay runs, 200 with a count for a dry run or nothing to redrive. */
export function postJob({ gate, deadLetters, searches }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(gate, req, res, 'dlq:write');
    const { filter: asked, dryRun, cap = null, ...more } = await readBodyOf(req, createJobSchema);
    const deps = { jobs: deadLetters.jobs, now: () => new Date() };
    const filter = toFilter(asked, operator);
    if (dryRun) {
      const gone = whenGone(res);
      const counting = searches.within({ id: operator.actor }, () =>
        withFilter('invalid_request', '/filter', () => countRedrive(deps, filter, gone)),
      );
      try {
        res.json((await counting) satisfies AnswerOf<typeof redriveCountSchema>);
      } catch (error) {
        // That it ended is what was wanted.
        if (!gone.aborted) throw error;
      }
      return;
    }
    const input = { ...more, filter, cap, actor: operator.actor, tenantId: operator.tenantId };
    const job = await withFilter('invalid_request', '/filter', () => createRedriveJob(deps, input));
    if (job === null) res.json({ count: 0, edited: 0, groups: [] } satisfies AnswerOf<typeof redriveCountSchema>);
    else res.status(202).json(job satisfies AnswerOf<typeof redriveJobSchema>);
  };
}

/** Aborted once nobody waits for the answer: a count may take long, and its place is another one's then. */
function whenGone(res: Response): AbortSignal {
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  return gone.signal;
}

/** GET /ops/v1/redrive-jobs: the newest first. */
export function listJobs({ gate, deadLetters }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { tenantId } = await requireOperator(gate, req, res, 'dlq:read');
    const { limit, before = null } = readQuery(req, redriveJobQuerySchema);
    // One more than asked for says whether there is a next page.
    const rows = await deadLetters.jobs.list({ tenantId, before, limit: limit + 1 });
    const items = rows.slice(0, limit);
    const next = rows.length > limit ? (items.at(-1)?.id ?? null) : null;
    res.json({ items, next } satisfies AnswerOf<typeof redriveJobPageSchema>);
  };
}

/** GET /ops/v1/redrive-jobs/{id} */
export function getJob({ gate, deadLetters }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { tenantId } = await requireOperator(gate, req, res, 'dlq:read');
    const job = await deadLetters.jobs.show(readId(req), tenantId);
    if (job === null) throw notFound();
    res.json(job satisfies AnswerOf<typeof redriveJobSchema>);
  };
}

/** POST /ops/v1/redrive-jobs/{id}/cancel: answers the job as it ended, whoever ended it. */
export function postCancel({ gate, deadLetters }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { actor, tenantId } = await requireOperator(gate, req, res, 'dlq:write');
    const id = readId(req);
    await readBodyOf(req, cancelSchema);
    const job = await deadLetters.jobs.cancel(id, tenantId, actor);
    if (job === null) throw notFound();
    res.json(job satisfies AnswerOf<typeof redriveJobSchema>);
  };
}
