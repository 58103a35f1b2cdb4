/** Who and what there is in every run. */
import { DEFAULT_POLICY, type RetryPolicy } from '../../src/domain/delivery/policy.js';
import { eventRunId } from '../../src/domain/delivery/workflow-ids.js';
import type { Row } from './books.js';

export const DEPLOYMENT = 'main';
export const LEASE_MS = 30_000;

export const SINGLE = 'one.alone';
/** Its events travel three to a run. */
export const COALESCED = 'many.together';

export const POLICY: RetryPolicy = { ...DEFAULT_POLICY, maxAttempts: 3, backoff: { kind: 'fixed', intervalMs: 1 } };
export const POLICY_HASH = 'model';

export const SEATS = ['relay-1', 'relay-2', 'worker-1', 'worker-2', 'reconciler', 'person'] as const;
export type SeatName = (typeof SEATS)[number];

export const ownRunId = (eventId: string, epoch: number) => eventRunId({ deployment: DEPLOYMENT, eventId, epoch });

/** The run that a row says it is in. */
export const runIdOf = ({ id, epoch, carrier }: Row) => carrier ?? ownRunId(id, epoch);
