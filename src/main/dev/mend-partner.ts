/**
 * The partner's people mend what they refused orders for, and the operator redrives their dead letters: by the use case of
 * `outbox dlq redrive`, so that it stands in the letters and in the audit log.
 */
import { MOST_IDS, redriveLetters } from '../../application/delivery/dead-letters/redrive-letters.js';
import { createDeadLetterActions } from '../../infrastructure/prisma/dead-letter-actions.js';
import { createCounters } from '../counters.js';
import { deliveryHandlers } from '../delivery-handlers.js';
import { openAsking } from '../dlq-asking.js';
import type { DevWorld } from './dev-world.js';
import { SAMPLE_PARTNER_KEY } from './sample-partner.js';

const WORD = { actor: 'outbox dev', reason: 'the partner is mended' };

export interface RefusedOrder {
  /** Of the letter. */
  readonly id: string;
  readonly eventId: string;
  readonly workflowId: string | null;
  readonly runId: string | null;
}

/** The partner's open letters, the oldest first; of these events, or of all. */
export async function findRefused({ outbox }: DevWorld, eventIds: readonly string[] | null): Promise<RefusedOrder[]> {
  const { rows } = await outbox.query<RefusedOrder>(
    `SELECT id, event_id AS "eventId", workflow_id AS "workflowId", run_id AS "runId" FROM outbox.dead_letter
     WHERE state = 'open' AND destination = $1 AND ($2::uuid[] IS NULL OR event_id = ANY ($2::uuid[]))
     ORDER BY created_at, id`,
    [SAMPLE_PARTNER_KEY, eventIds],
  );
  return rows;
}

/** From here on the partner takes the orders that it refused so far. */
export async function mendPartner(world: DevWorld, refused: readonly RefusedOrder[]): Promise<void> {
  await world.partner?.mend(refused.map(({ eventId }) => eventId));
}

/** Returns how many were redriven: the others were acted on by somebody else meanwhile. */
export async function redriveRefused(world: DevWorld, refused: readonly RefusedOrder[]): Promise<number> {
  const { outbox, settings, config, log } = world;
  const asking = openAsking(outbox, deliveryHandlers({ settings, config, log, counters: createCounters() }), log);
  const deps = { actions: createDeadLetterActions(outbox), ask: asking.ask, log };
  let redriven = 0;
  try {
    for (let at = 0; at < refused.length; at += MOST_IDS) {
      const ids = refused.slice(at, at + MOST_IDS).map(({ id }) => id);
      const outcomes = await redriveLetters(deps, { ids, tenantId: null }, WORD);
      redriven += outcomes.filter(({ kind }) => kind === 'redriven').length;
    }
  } finally {
    await asking.close();
  }
  world.roles.hint();
  return redriven;
}
