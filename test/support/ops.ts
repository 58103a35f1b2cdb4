/** What the operations API works on, whole, on the outbox database of a test. */
import type { OutboxConfig } from '../../src/application/delivery/define-config.js';
import type { Handler } from '../../src/application/delivery/ports.js';
import { createBookStore } from '../../src/infrastructure/prisma/book-store.js';
import { createDestinationStore } from '../../src/infrastructure/prisma/destination-store.js';
import { createOrderingStore } from '../../src/infrastructure/prisma/ordering-store.js';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../../src/infrastructure/prisma/process-store.js';
import { openDeadLetterOps } from '../../src/main/dlq-asking.js';
import { openEventOps, openPolicyOps } from '../../src/main/event-ops.js';
import { openFigures, openOverview } from '../../src/main/open-overview.js';
import { silentLog } from './delivery-line.js';

export interface TestOpsOptions {
  readonly handlers?: readonly Handler[];
  readonly config?: Pick<OutboxConfig, 'policies' | 'redaction'>;
  /** Of Temporal's Web UI. Default: not configured. */
  readonly temporalUiUrl?: string;
}

/** `deadLetters.close` ends what is under way; the pool stays open. */
export function openTestOps(pool: PgPool, { handlers = [], config = {}, temporalUiUrl }: TestOpsOptions = {}) {
  const processes = createProcessStore(pool);
  const context = { settings: { deployment: 'main', temporalUiUrl }, config, processes };
  return {
    overview: openOverview({ outbox: pool }, { lagLimitSeconds: 300 }),
    figures: openFigures(pool),
    destinations: createDestinationStore(pool),
    ordering: createOrderingStore(pool),
    books: createBookStore(pool),
    deadLetters: openDeadLetterOps(pool, handlers, silentLog, config.redaction),
    events: openEventOps(pool, context),
    policies: openPolicyOps(pool, context),
  };
}
