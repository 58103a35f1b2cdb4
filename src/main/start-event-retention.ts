import { systemTime } from '../application/delivery/relay-time.js';
import { removeSettled } from '../application/delivery/retention/remove-settled.js';
import { type RunningDuty, runUnderLease } from '../application/delivery/run-under-lease.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { createSettledStore } from '../infrastructure/prisma/settled-store.js';
import { dutyLeaseMs } from './duty-lease.js';
import { failAt } from './fail-at.js';
import type { DeliveryContext } from './role.js';

/** What may not leave is looked at again each time, so not often; and a day's events need not leave in one minute. */
const EVERY_MS = 600_000;
export const DAY_MS = 86_400_000;

/** Settled events leave, beside the relay; of all relays of a deployment one does it at a time. null: nothing ever leaves. */
export function startEventRetention({ settings, log, counters, delivery }: DeliveryContext): RunningDuty | null {
  const { retentionDays, testFailpoint, auditApiKey } = settings;
  if (retentionDays === 0) return null;
  const store = createSettledStore(delivery.pool, {
    failpoint: failAt(testFailpoint),
    canAsk: auditApiKey !== undefined,
  });
  const deps = { store, time: systemTime, log, count: counters.count };
  return runUnderLease(
    { leases: createLeaseStore(delivery.pool), time: systemTime, log },
    {
      name: 'retention',
      leaseMs: dutyLeaseMs(settings),
      everyMs: EVERY_MS,
      turn: removeSettled(deps, retentionDays * DAY_MS),
    },
  );
}
