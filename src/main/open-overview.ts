import { type ReadFigures, readFigures } from '../application/delivery/monitor/read-figures.js';
import { type DeliveryReaders, readOverview } from '../application/delivery/monitor/read-overview.js';
import { systemTime } from '../application/delivery/relay-time.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createDestinationStore } from '../infrastructure/prisma/destination-store.js';
import { createFigureStore } from '../infrastructure/prisma/figure-store.js';
import { createOverviewStore } from '../infrastructure/prisma/overview-store.js';
import type { PgPool } from '../infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../infrastructure/prisma/process-store.js';
import { explainPart } from './explain-part.js';

export interface OverviewPools {
  readonly outbox: PgPool;
  /** For whether it answers, and who works by it; left out: the same. */
  readonly vitals?: PgPool;
}

/**
 * The overview's parts of an outbox database. Each has one look under way at most, and the looks share their pool's
 * connections: what hangs may keep others away that count, and never the two that go by `vitals`.
 */
export function openOverview(
  { outbox, vitals = outbox }: OverviewPools,
  { lagLimitSeconds }: Pick<Settings, 'lagLimitSeconds'>,
): DeliveryReaders {
  return readOverview(
    {
      store: { ...createOverviewStore(outbox), ping: createOverviewStore(vitals).ping },
      destinations: createDestinationStore(outbox),
      processes: createProcessStore(vitals),
      part: { explain: (error) => explainPart(error, 'outbox'), now: () => new Date() },
    },
    { lagLimitSeconds },
  );
}

/** What was settled in a window; one for a process, since it keeps its answers for a while. */
export function openFigures(pool: PgPool): ReadFigures {
  return readFigures({ store: createFigureStore(pool), time: systemTime });
}
