import type { Request, Response } from 'express';
import { findLogNotes, findLogTrouble, type ReadLogStatus } from '../application/audit/log/read-log-status.js';
import type { VerificationBook } from '../application/audit/monitor/ports-verification.js';
import type { ReadProofStates } from '../application/audit/monitor/read-proof-states.js';
import type { AnswerOf } from '../contract/answers.js';
import {
  type logStatusSchema,
  proofStatesRequestSchema,
  type proofStatesSchema,
  type verificationListSchema,
  verificationRequestSchema,
  type verificationSchema,
} from '../contract/verifications-api.js';
import { HttpProblem } from './problem.js';
import { notFound, readBodyOf, readId, requireOperator } from './read-operator.js';
import { requireReader } from './record-routes.js';
import type { Gate } from './require-key.js';

/** What is asked of the log as a log, and of its verifications. */
export interface LogMonitor {
  readonly status: ReadLogStatus;
  readonly proofStates: ReadProofStates;
  readonly verifications: Pick<VerificationBook, 'ask' | 'list' | 'find'>;
}

export interface VerificationRouteDeps {
  readonly gate: Gate;
  readonly logMonitor: LogMonitor;
}

/** The latest of them: each with a report of some kilobytes where much is broken. */
const LISTED = 50;
const FULL_RETRY_AFTER_SECONDS = '60';

/** GET /integration/v1/audit/log/status: how far sealing and signing have come, and who holds them up. */
export function getLogStatus({ gate, logMonitor }: VerificationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    refuseTenant(await requireReader(gate, req, res));
    const status = await logMonitor.status();
    const { size, unsealed, checkpoint } = status;
    res.json({
      size,
      unsealed,
      // Whether it is signed by a key of the log, no api can tell: it has none.
      checkpoint:
        checkpoint === null
          ? null
          : {
              branch: checkpoint.branch,
              size: checkpoint.size,
              ageSeconds: checkpoint.ageSeconds,
              anchor: checkpoint.anchor,
            },
      trouble: findLogTrouble(status),
      notes: findLogNotes(status),
    } satisfies AnswerOf<typeof logStatusSchema>);
  };
}

/** POST /integration/v1/audit/log/proof-states: how far the proof of each record of a page has come. Changes nothing. */
export function postProofStates({ gate, logMonitor }: VerificationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const key = await requireReader(gate, req, res);
    const { recordIds } = await readBodyOf(req, proofStatesRequestSchema);
    res.json((await logMonitor.proofStates(key, recordIds)) satisfies AnswerOf<typeof proofStatesSchema>);
  };
}

/** POST /integration/v1/audit/verifications: 202 with the job that a worker does, or is doing where the same was asked for. */
export function postVerification({ gate, logMonitor }: VerificationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const operator = await requireOperator(gate, req, res, 'dlq:write');
    refuseTenant(operator);
    const { recordId = null } = await readBodyOf(req, verificationRequestSchema);
    const job = await logMonitor.verifications.ask(recordId, operator.actor);
    if (job === 'full') {
      throw new HttpProblem('rate_limited', 'Too many verifications are asked for; ask again when some have ended', {
        headers: { 'Retry-After': FULL_RETRY_AFTER_SECONDS },
      });
    }
    res.status(202).json(job satisfies AnswerOf<typeof verificationSchema>);
  };
}

/** GET /integration/v1/audit/verifications: the newest first. */
export function listVerifications({ gate, logMonitor }: VerificationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    refuseTenant(await requireReader(gate, req, res));
    const items = await logMonitor.verifications.list(LISTED);
    res.json({ items } satisfies AnswerOf<typeof verificationListSchema>);
  };
}

/** GET /integration/v1/audit/verifications/{id} */
export function getVerification({ gate, logMonitor }: VerificationRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    refuseTenant(await requireReader(gate, req, res));
    const job = await logMonitor.verifications.find(readId(req));
    if (job === null) throw notFound();
    res.json(job satisfies AnswerOf<typeof verificationSchema>);
  };
}

/** The log is everybody's, and who holds it up, or what is broken in it, no tenant's to know. */
function refuseTenant({ tenantId }: { readonly tenantId: string | null }): void {
  if (tenantId !== null) throw new HttpProblem('tenant_forbidden', 'Expected an API key without a tenant');
}
