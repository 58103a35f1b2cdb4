import type { Request, Response } from 'express';
import { editPayload } from '../application/delivery/dead-letters/edit-payload.js';
import { listDeadLetters } from '../application/delivery/dead-letters/list-dead-letters.js';
import type { DeadLetterReader, LetterKindReader } from '../application/delivery/dead-letters/ports.js';
import type { RedactPayload } from '../application/delivery/dead-letters/redacted-payload.js';
import {
  type ActDeps,
  type DiscardOutcome,
  discardLetters,
  type RedriveOutcome,
  redriveLetters,
} from '../application/delivery/dead-letters/redrive-letters.js';
import type { DeadLetterActions, RedriveJobStore } from '../application/delivery/dead-letters/redrive-ports.js';
import type { Handler } from '../application/delivery/ports.js';
import type { AnswerOf } from '../contract/answers.js';
import type {
  deadLetterPageSchema,
  deadLetterSchema,
  discardedSchema,
  editedSchema,
  letterKindsSchema,
  redrivenSchema,
} from '../contract/dead-letter-answers.js';
import {
  deadLetterQuerySchema,
  editSchema,
  idsSchema,
  letterKindsQuerySchema,
  payloadQuerySchema,
  reasonSchema,
  redriveSchema,
  severalRedriveSchema,
} from '../contract/dead-letters-api.js';
import type { redactedPayloadSchema } from '../contract/events-api.js';
import type { Logger } from './logger.js';
import type { Places } from './places.js';
import { HttpProblem } from './problem.js';
import { notFound, readBodyOf, readId, readQuery, requireOperator, toFilter, withFilter } from './read-operator.js';
import type { Gate } from './require-key.js';

/** What the operations API works on, of dead letters. */
export interface DeadLetterOps extends Omit<ActDeps, 'log'> {
  readonly letters: DeadLetterReader;
  readonly kinds: LetterKindReader;
  /** As `actions`, for who only looks. */
  readonly payloads: Pick<DeadLetterActions, 'find' | 'loadEvent'>;
  readonly redactPayload: RedactPayload;
  readonly jobs: RedriveJobStore;
  readonly handlers: readonly Handler[];
}

export interface DeadLetterRouteDeps {
  readonly gate: Gate;
  readonly deadLetters: DeadLetterOps;
  /** Of what may take seconds, whoever asks. */
  readonly searches: Places;
  readonly log: Logger;
}

/** GET /ops/v1/dead-letters: a page of those in one state, open ones unless asked otherwise, the newest first. */
export function listLetters({ gate, deadLetters, searches }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(gate, req, res, 'dlq:read');
    const { limit, before = null, state, ...asked } = readQuery(req, deadLetterQuerySchema);
    const deps = { letters: deadLetters.letters, now: () => new Date() };
    const filter = { ...toFilter(asked, operator), state };
    const page = await searches.within({ id: operator.actor }, () =>
      withFilter('invalid_query', '', () => listDeadLetters(deps, filter, { before, limit })),
    );
    res.json(page satisfies AnswerOf<typeof deadLetterPageSchema>);
  };
}

/** GET /ops/v1/dead-letters/{id}: of a letter, or of an event (then its latest letter). */
export function getLetter({ gate, deadLetters }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { tenantId } = await requireOperator(gate, req, res, 'dlq:read');
    const letter = await deadLetters.letters.show(readId(req), tenantId);
    if (letter === null) throw notFound();
    res.json(letter satisfies AnswerOf<typeof deadLetterSchema>);
  };
}

/** GET /ops/v1/dead-letters/kinds: the open ones by event type and code, the largest first. */
export function getLetterKinds({ gate, deadLetters, searches }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(gate, req, res, 'dlq:read');
    const { tenantId, destination } = toFilter(readQuery(req, letterKindsQuerySchema), operator);
    const kinds = await searches.within({ id: operator.actor }, () =>
      deadLetters.kinds.listKinds({ tenantId, destination }),
    );
    res.json(kinds satisfies AnswerOf<typeof letterKindsSchema>);
  };
}

/**
 * GET /ops/v1/dead-letters/{id}/payload: what its next redrive sends, personal data and all: for who may write. With
 * `redacted=true` without what is personal or secret, for who may read.
 */
export function getPayload({ gate, deadLetters }: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const scope = req.query.redacted === 'true' ? 'dlq:read' : 'dlq:write';
    const { tenantId } = await requireOperator(gate, req, res, scope);
    const { redacted } = readQuery(req, payloadQuerySchema);
    const [letter] = await deadLetters.payloads.find([readId(req)], tenantId);
    const loaded = letter?.kind === 'letter' ? await deadLetters.payloads.loadEvent(letter) : null;
    if (loaded === null) throw notFound();
    if (redacted === 'true') {
      res.json(deadLetters.redactPayload(loaded.event) satisfies AnswerOf<typeof redactedPayloadSchema>);
      return;
    }
    // The database's own text, so that no number changes on the way.
    res.type('application/json').send(loaded.payload);
  };
}

/** POST /ops/v1/dead-letters/{id}/redrive */
export function postRedrive(deps: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(deps.gate, req, res, 'dlq:write');
    const ids = [readId(req)];
    const { reason, revisions } = await readBodyOf(req, redriveSchema);
    const which = { ids, tenantId: operator.tenantId, revisions };
    const [outcome] = await redriveLetters(actDeps(deps), which, { reason, actor: operator.actor });
    res.json(orProblem(outcome as RedriveOutcome) satisfies AnswerOf<typeof redrivenSchema>);
  };
}

/** POST /ops/v1/dead-letters/{id}/discard */
export function postDiscardLetter(deps: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(deps.gate, req, res, 'dlq:write');
    const ids = [readId(req)];
    const word = { ...(await readBodyOf(req, reasonSchema)), actor: operator.actor };
    const [outcome] = await discardLetters(actDeps(deps), { ids, tenantId: operator.tenantId }, word);
    res.json(orProblem(outcome as DiscardOutcome) satisfies AnswerOf<typeof discardedSchema>);
  };
}

/** POST /ops/v1/dead-letters/redrive: several at once, each with an outcome of its own. */
export function postSeveralRedrives(deps: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { actor, tenantId } = await requireOperator(deps.gate, req, res, 'dlq:write');
    const { ids, reason, edited } = await readBodyOf(req, severalRedriveSchema);
    const which = { ids, tenantId, leavesEdited: !edited };
    res.json(outcomesOf(ids, await redriveLetters(actDeps(deps), which, { actor, reason })));
  };
}

/** POST /ops/v1/dead-letters/discard: as above. */
export function postSeveralDiscards(deps: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { actor, tenantId } = await requireOperator(deps.gate, req, res, 'dlq:write');
    const { ids, reason } = await readBodyOf(req, idsSchema);
    res.json(outcomesOf(ids, await discardLetters(actDeps(deps), { ids, tenantId }, { actor, reason })));
  };
}

function outcomesOf(ids: readonly string[], outcomes: readonly (RedriveOutcome | DiscardOutcome)[]) {
  return { results: outcomes.map(({ kind, ...more }, at) => ({ asked: ids[at], outcome: kind, ...more })) };
}

/** POST /ops/v1/dead-letters/{id}/payload: another payload for its next redrive; answers where the two differ. */
export function postPayload(deps: DeadLetterRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { actor, tenantId } = await requireOperator(deps.gate, req, res, 'dlq:write');
    const id = readId(req);
    const { payload, reason, revisions, dryRun } = await readBodyOf(req, editSchema, { exactBelow: '/payload' });
    const input = { id, tenantId, payload: JSON.stringify(payload), revisions, dryRun };
    const outcome = await editPayload({ ...actDeps(deps), handlers: deps.deadLetters.handlers }, input, {
      actor,
      reason,
    });
    if (outcome.kind === 'invalid') {
      const pointer = outcome.field.startsWith('/payload') ? outcome.field : `/payload`;
      const errors = [{ pointer, detail: outcome.message }];
      throw new HttpProblem('invalid_request', 'The payload does not fit', { errors });
    }
    res.json(orProblem(outcome) satisfies AnswerOf<typeof editedSchema>);
  };
}

function actDeps({ deadLetters, log }: DeadLetterRouteDeps): ActDeps {
  return { actions: deadLetters.actions, ask: deadLetters.ask, log };
}

/** What was done, with `outcome` for its kind; each kind of an outcome by itself. */
type Done<Outcome extends { readonly kind: string }> = Outcome extends {
  kind: 'missing' | 'not-open' | 'edited' | 'edited-meanwhile' | 'effect-stands' | 'not-told';
}
  ? never
  : Omit<Outcome, 'kind'> & { readonly outcome: Outcome['kind'] };

/** What was not done is a problem. */
function orProblem<Outcome extends { readonly kind: string; readonly state?: string; readonly by?: string | null }>(
  outcome: Outcome,
): Done<Outcome> {
  switch (outcome.kind) {
    case 'missing':
      throw notFound();
    case 'not-open':
      throw new HttpProblem('not_open', `Expected a letter that is open, this one is ${outcome.state}`);
    case 'edited-meanwhile':
      throw new HttpProblem(
        'edited_meanwhile',
        `Its payload was edited meanwhile${outcome.by === null ? '' : ` by ${outcome.by}`}: look at it again`,
      );
    case 'effect-stands':
      throw new HttpProblem('effect_stands', 'The effect of what was sent before stands');
    case 'not-told':
      throw new HttpProblem('effect_not_told', 'The destination did not say whether the effect stands; ask again');
    default: {
      const { kind, ...more } = outcome;
      return { outcome: kind, ...more } as unknown as Done<Outcome>;
    }
  }
}
