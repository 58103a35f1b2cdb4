/** What the operations API works on, of events and policies. */
import { createPayloadRedactor } from '../application/delivery/dead-letters/redacted-payload.js';
import type { OutboxConfig } from '../application/delivery/define-config.js';
import { findTemporalUi } from '../application/delivery/find-temporal-ui.js';
import type { ProcessStore } from '../application/delivery/monitor/ports.js';
import type { EventOps } from '../http/event-routes.js';
import type { PolicyOps } from '../http/policy-routes.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createEventReader } from '../infrastructure/prisma/event-reader.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createRunPolicies } from '../infrastructure/prisma/run-policies.js';
import { seededRandom } from './dev/seeded-random.js';

export interface OpsContext {
  readonly settings: Pick<Settings, 'deployment' | 'temporalUiUrl'>;
  readonly config: Pick<OutboxConfig, 'policies' | 'redaction'>;
  readonly processes: Pick<ProcessStore, 'list'>;
}

export function openEventOps(pool: PgPool, { settings, config, processes }: OpsContext): EventOps {
  return {
    reader: createEventReader(pool),
    deployment: settings.deployment,
    temporalUi: findTemporalUi(processes, settings.temporalUiUrl ?? null),
    redactPayload: createPayloadRedactor(config.redaction),
  };
}

export function openPolicyOps(
  pool: PgPool,
  { config, processes }: Pick<OpsContext, 'config' | 'processes'>,
): PolicyOps {
  return { configured: config.policies ?? {}, processes, runs: createRunPolicies(pool), random: seededRandom };
}
