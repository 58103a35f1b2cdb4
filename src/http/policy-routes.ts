import type { Request, Response } from 'express';
import { differentPolicies, explainPolicies } from '../application/delivery/explain-policies.js';
import type { ProcessStore, SeenProcess } from '../application/delivery/monitor/ports.js';
import type { OrderingStore } from '../application/delivery/ordering/ports.js';
import { hashPolicies, policyHash } from '../application/delivery/policy-hash.js';
import type { RunPolicyReader } from '../application/delivery/policy-ports.js';
import { type PoliciesInput, resolvePolicies } from '../application/delivery/policy-schema.js';
import type { PolicyHashes } from '../application/delivery/ports.js';
import type { AnswerOf } from '../contract/answers.js';
import { type policyListSchema, simulationQuerySchema, type simulationSchema } from '../contract/policies-api.js';
import { ERROR_CODES, isErrorCode } from '../domain/delivery/error-catalog.js';
import { simulateFailures } from '../domain/delivery/simulate-failures.js';
import type { Logger } from './logger.js';
import { HttpProblem } from './problem.js';
import { readQuery, requireOperator } from './read-operator.js';
import type { Gate } from './require-key.js';

/** What the operations API works on, of policies. */
export interface PolicyOps {
  /** `policies` of this api's configuration. */
  readonly configured: PoliciesInput;
  readonly processes: Pick<ProcessStore, 'list'>;
  readonly runs: RunPolicyReader;
  /** Numbers in [0, 1), the same ones for the same seed. */
  readonly random: (seed: number) => () => number;
}

export interface PolicyRouteDeps {
  readonly gate: Gate;
  readonly policies: PolicyOps;
  readonly ordering: Pick<OrderingStore, 'read'>;
  readonly log: Logger;
}

const MOST_PROCESSES = 200;

/** GET /ops/v1/policies: what is in force and why. They are everybody's: a key that is bound to a tenant sees none. */
export function getPolicies({ gate, policies, ordering, log }: PolicyRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    await requireEverybodys(gate, req, res);
    const { configured, processes, runs } = policies;
    const orNull = <T>(part: string, read: Promise<T>): Promise<T | null> =>
      read.catch((err: unknown) => {
        // What cannot be looked up is said to be so: it hides nothing of the configuration's own.
        log.warn({ event: 'policies.part_away', part, requestId: res.locals.requestId, err }, 'not looked up');
        return null;
      });
    const [orderings, seen, inRuns] = await Promise.all([
      orNull('orderings', ordering.read()),
      orNull('relays', processes.list(MOST_PROCESSES)),
      orNull('runs', runs.listInRuns()),
    ]);
    res.json({
      policies: explainPolicies(configured, orderings),
      relays: seen === null ? null : toRelays(seen, hashPolicies(resolvePolicies(configured)).hashes),
      inRuns,
    } satisfies AnswerOf<typeof policyListSchema>);
  };
}

/**
 * Those that live: what others said is not what is in force. One whose policies cannot be read has others than these.
 */
function toRelays(seen: readonly SeenProcess[], ours: PolicyHashes) {
  return seen
    .filter(({ roles, silent }) => roles.includes('relay') && !silent)
    .map(({ host, pid, seenAt, says }) => {
      const different = says.policies === null ? null : differentPolicies(ours, says.policies);
      const same = different !== null && different.length === 0;
      return { host, pid, seenAt, same, different: different ?? [], coalescing: says.coalescing };
    });
}

/** GET /ops/v1/policies/simulation: the attempts of an event that always fails so, by what decides in production. */
export function getPolicySimulation({ gate, policies }: PolicyRouteDeps) {
  return async (req: Request, res: Response): Promise<void> => {
    await requireEverybodys(gate, req, res);
    const { eventType = '*', code, seed, attemptMs, retryAfter } = readQuery(req, simulationQuerySchema);
    if (!isErrorCode(code)) {
      const errors = [{ pointer: '/code', detail: `Expected one of ${ERROR_CODES.join(', ')}` }];
      throw new HttpProblem('invalid_filter', 'There is no such code', { errors });
    }
    const policy = resolvePolicies(policies.configured).of(eventType);
    const retryAfterMs = retryAfter === undefined ? null : retryAfter * 1_000;
    const simulation = simulateFailures({ policy, code, random: policies.random(seed), attemptMs, retryAfterMs });
    res.json({ eventType, code, hash: policyHash(policy), ...simulation } satisfies AnswerOf<typeof simulationSchema>);
  };
}

async function requireEverybodys(gate: Gate, req: Request, res: Response): Promise<void> {
  const { tenantId } = await requireOperator(gate, req, res, 'dlq:read');
  if (tenantId !== null) throw new HttpProblem('tenant_forbidden', 'Expected an API key without a tenant');
}
