import { rollFigures } from '../application/delivery/monitor/roll-figures.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { type RunningDuty, runUnderLease } from '../application/delivery/run-under-lease.js';
import { createFigureStore } from '../infrastructure/prisma/figure-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { dutyLeaseMs } from './duty-lease.js';
import type { DeliveryContext } from './role.js';

/** A minute is counted this much later than it could be, at most. */
const EVERY_MS = 5_000;

/** Counts deliveries by the minute, beside the relay; of all relays of a deployment one does it at a time. */
export function startFigures({ settings, log, delivery }: DeliveryContext): RunningDuty {
  return runUnderLease(
    { leases: createLeaseStore(delivery.pool), time: systemTime, log },
    {
      name: 'figures',
      leaseMs: dutyLeaseMs(settings),
      everyMs: EVERY_MS,
      turn: rollFigures({ store: createFigureStore(delivery.pool), log }),
    },
  );
}
