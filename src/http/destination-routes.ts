import type { Request, Response } from 'express';
import type { z } from 'zod';
import {
  type PauseDeps,
  type PausedMeanwhile,
  pauseDestination,
  resumeDestination,
} from '../application/delivery/destinations/pause-destination.js';
import type { DestinationStore, PauseScope, PersonsWord } from '../application/delivery/destinations/ports.js';
import type { AnswerOf } from '../contract/answers.js';
import { AUDIT_LIMITS, toFieldProblems } from '../contract/audit-dto.js';
import {
  type destinationListSchema,
  destinationNameSchema,
  type pausedSchema,
  pauseRequestSchema,
  type pauseSchema,
  resumeRequestSchema,
} from '../contract/destinations-api.js';
import { findUnstorable } from '../contract/json-value.js';
import { mayReadFailed, mayWriteFailed } from '../domain/audit/api-key.js';
import type { Logger } from './logger.js';
import { HttpProblem } from './problem.js';
import { readJson } from './read-json.js';
import { type Caller, type Gate, requireKey, requireScope } from './require-key.js';

export interface DestinationRouteDeps {
  readonly gate: Gate;
  readonly destinations: DestinationStore;
  /** Those whose handlers this process has. */
  readonly deadLetters: { readonly handlers: readonly { readonly routingKey: string }[] };
  readonly log: Logger;
}

/** GET /ops/v1/destinations: how each stands, and what is paused. */
export function listDestinations(deps: DestinationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    await requireOperator(deps, req, res, 'dlq:read');
    res.json((await deps.destinations.list()) satisfies AnswerOf<typeof destinationListSchema>);
  };
}

/**
 * POST /ops/v1/destinations/{name}/pause: holds what is not sent yet. Again: replaces reason and end, or only those of the pause that
 * was looked at. `known`: nothing has that name where false.
 */
export function postPause(deps: DestinationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { body, scope, word } = await readWord(deps, req, res, pauseRequestSchema);
    const { until = null, replaces } = body;
    const outcome = await pauseDestination(depsOf(deps), scope, { until, replaces }, word);
    if (outcome.kind === 'paused-meanwhile') throw pausedMeanwhile(outcome);
    if (outcome.kind === 'past') {
      throw new HttpProblem('invalid_request', 'Expected a time that is still to come', {
        errors: [{ pointer: '/until', detail: 'Expected a time that is still to come' }],
      });
    }
    res.json({ ...outcome.pause, known: outcome.unknown.length === 0 } satisfies AnswerOf<typeof pausedSchema>);
  };
}

/** POST /ops/v1/destinations/{name}/resume: ends the pause of exactly that scope, and answers it. */
export function postResume(deps: DestinationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { body, scope, word } = await readWord(deps, req, res, resumeRequestSchema);
    const outcome = await resumeDestination(depsOf(deps), scope, word, body.id);
    if (outcome.kind === 'paused-meanwhile') throw pausedMeanwhile(outcome);
    if (outcome.kind === 'not-paused') throw new HttpProblem('not_found', 'No pause of exactly this is in force');
    res.json(outcome.pause satisfies AnswerOf<typeof pauseSchema>);
  };
}

function pausedMeanwhile({ pause }: PausedMeanwhile): HttpProblem {
  const by = pause === null ? '' : ` by ${pause.actor}`;
  return new HttpProblem('paused_meanwhile', `Another pause of this was made meanwhile${by}: look at it again`);
}

function depsOf({ destinations, deadLetters, log }: DestinationRouteDeps): PauseDeps {
  const handled = deadLetters.handlers.map(({ routingKey }) => routingKey);
  return { destinations, handled, log, now: () => new Date() };
}

/** A destination is everybody's: a key that is bound to a tenant neither sees nor holds it. */
async function requireOperator(
  { gate }: DestinationRouteDeps,
  req: Request,
  res: Response,
  scope: 'dlq:read' | 'dlq:write',
): Promise<Caller> {
  const caller = await requireKey(gate, req, res);
  const { key } = caller;
  requireScope(scope === 'dlq:read' ? mayReadFailed(key) : mayWriteFailed(key), scope);
  if (key.tenantId !== null) throw new HttpProblem('tenant_forbidden', 'Expected an API key without a tenant');
  return caller;
}

/** The actor is the key, or who is signed in: what else a caller says of itself proves nothing. */
async function readWord<Body extends z.output<typeof resumeRequestSchema> | z.output<typeof pauseRequestSchema>>(
  deps: DestinationRouteDeps,
  req: Request,
  res: Response,
  schema: z.ZodType<Body>,
): Promise<{ body: Body; scope: PauseScope; word: PersonsWord }> {
  const { actor } = await requireOperator(deps, req, res, 'dlq:write');
  const name = destinationNameSchema.safeParse(req.params.name);
  if (!name.success) throw new HttpProblem('not_found', 'Nothing is here');
  const { value } = await readJson(req);
  const unstorable = findUnstorable(value, AUDIT_LIMITS.problems);
  const parsed = schema.safeParse(value);
  if (unstorable.length > 0 || !parsed.success) {
    const errors = parsed.success ? unstorable : [...unstorable, ...toFieldProblems(parsed.error)];
    throw new HttpProblem('invalid_request', 'Expected {"reason": "…"} and what is held', { errors });
  }
  const { reason, eventType = null, tenantId = null } = parsed.data;
  return {
    body: parsed.data,
    scope: { destination: name.data === '*' ? null : name.data, eventType, tenantId },
    word: { actor, reason },
  };
}
