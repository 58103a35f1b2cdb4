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

/**
 * The overview's parts of an outbox database. Each has one look under way at most, and the looks share the pool's
 * connections: with three of them a part that hangs keeps no other one away.
 */
export function openOverview(pool: PgPool, { lagLimitSeconds }: Pick<Settings, 'lagLimitSeconds'>): DeliveryReaders {
  return readOverview(
    {
      store: createOverviewStore(pool),
      destinations: createDestinationStore(pool),
      processes: createProcessStore(pool),
      part: { explain: (error) => explainPart(error, 'outbox'), now: () => new Date() },
    },
    { lagLimitSeconds },
  );
}

/** What was settled in a window; one for a process, since it keeps its answers for a while. */
export function openFigures(pool: PgPool): ReadFigures {
  return readFigures({ store: createFigureStore(pool), time: systemTime });
}
