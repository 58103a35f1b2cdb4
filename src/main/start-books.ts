import { createStandingLookup } from '../application/delivery/books/ask-standing.js';
import { createBooksChecker } from '../application/delivery/books/check-books.js';
import type { StandingLookup } from '../application/delivery/books/ports.js';
import type { HttpClient } from '../application/delivery/ports.js';
import { systemTime } from '../application/delivery/relay-time.js';
import { type RunningDuty, runUnderLease } from '../application/delivery/run-under-lease.js';
import type { Settings } from '../infrastructure/config/settings.js';
import { createHttpClient } from '../infrastructure/http/create-http-client.js';
import { createBookStore } from '../infrastructure/prisma/book-store.js';
import { createLeaseStore } from '../infrastructure/prisma/lease-store.js';
import { dutyLeaseMs } from './duty-lease.js';
import type { DeliveryContext } from './role.js';

const EVERY_MS = 15_000;

/** R23: beside the relay; of all relays of a deployment one does it at a time. */
export function startBooks({ settings, log, counters, delivery }: DeliveryContext): RunningDuty {
  const http = createHttpClient();
  const standing = standingOf(settings, http);
  if (standing === null) log.info({ setting: 'OUTBOX_AUDIT_API_KEY' }, 'books.cannot_ask');
  const check = createBooksChecker({
    ...delivery.alerts,
    store: createBookStore(delivery.pool),
    standing,
    random: systemTime.random,
    count: counters.count,
  });
  const duty = runUnderLease(
    { leases: createLeaseStore(delivery.pool), time: systemTime, log },
    { name: 'books', leaseMs: dutyLeaseMs(settings), everyMs: EVERY_MS, turn: check },
  );
  return {
    async stop() {
      await duty.stop();
      await http.close();
    },
  };
}

/** null: without a key the audit log tells nothing. */
export function standingOf({ auditUrl, auditApiKey }: Settings, http: HttpClient): StandingLookup {
  return auditApiKey === undefined ? null : createStandingLookup(http, { baseUrl: auditUrl, apiKey: auditApiKey });
}
