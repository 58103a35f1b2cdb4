import type { Request, Response } from 'express';
import type { ReadProofs } from '../application/audit/log/read-proofs.js';
import { type ConsistencyProof, type InclusionProof, LOG_SIZE_PATTERN } from '../contract/audit-api.js';
import { mayLookUp, mayRead } from '../domain/audit/api-key.js';
import { toBase64 } from '../domain/audit/base64.js';
import { HttpProblem } from './problem.js';
import { type Gate, requireKey, requireScope } from './require-key.js';

export interface LogRouteDeps {
  readonly gate: Gate;
  readonly proofs: ReadProofs;
}

/** Checkpoints come some seconds apart: sooner is asked in vain. */
const SIGNED_IN_SECONDS = '10';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** GET /integration/v1/audit/log/checkpoint: the newest signed checkpoint as it is, a C2SP signed note. */
export function getCheckpoint({ gate, proofs }: LogRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { key } = await requireKey(gate, req, res);
    requireScope(mayLookUp(key), 'audit:read');
    const checkpoint = await proofs.checkpoint();
    if (checkpoint === null) throw new HttpProblem('not_found', 'Nothing is signed yet');
    res.type('text/plain; charset=utf-8').send(checkpoint.note);
  };
}

/** GET /integration/v1/audit/log/consistency?from&to: that the log only grew between the two sizes. */
export function getConsistency({ gate, proofs }: LogRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { key } = await requireKey(gate, req, res);
    requireScope(mayLookUp(key), 'audit:read');
    const unknown = Object.keys(req.query).find((name) => name !== 'from' && name !== 'to');
    if (unknown !== undefined) throw new HttpProblem('invalid_query', 'Expected from and to, and nothing else');
    const [from, to] = [readSize(req.query.from), readSize(req.query.to)];
    const answer = await proofs.consistency(from, to);
    if (answer.kind === 'outside') {
      throw new HttpProblem(
        'invalid_range',
        `Expected 1 <= from <= to <= ${answer.size}, the size of the newest checkpoint`,
      );
    }
    res.json({ from, to, hashes: answer.hashes.map(toBase64) } satisfies ConsistencyProof);
  };
}

/** GET /integration/v1/audit/logs/{id}/proof: that the record stands in the log. A foreign record is as one that is not there. */
export function getInclusion({ gate, proofs }: LogRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    const { key } = await requireKey(gate, req, res);
    requireScope(mayRead(key), 'audit:read');
    const { id } = req.params;
    const answer =
      typeof id === 'string' && UUID.test(id)
        ? await proofs.inclusion(key, id.toLowerCase())
        : ({ kind: 'missing' } as const);
    if (answer.kind === 'missing') throw new HttpProblem('not_found', 'No such record');
    if (answer.kind === 'not_signed_yet') {
      throw new HttpProblem('not_signed_yet', 'The record stands in no signed checkpoint yet; ask again', {
        headers: { 'Retry-After': SIGNED_IN_SECONDS },
      });
    }
    const { index, size, hashes, note } = answer;
    res.json({ index, size, hashes: hashes.map(toBase64), note } satisfies InclusionProof);
  };
}

/** NaN for what is no size: the use case finds that outside of every log. */
function readSize(value: unknown): number {
  return typeof value === 'string' && LOG_SIZE_PATTERN.test(value) ? Number(value) : Number.NaN;
}
