// A worker that verifies in a process of its own, to be killed: the built package under a real lease, on a log whose reading
// never answers. Argument: database URL. Says "there" once it has taken a verification.

import { runVerifications } from '../../dist/src/application/audit/monitor/run-verifications.js';
import { systemTime } from '../../dist/src/application/delivery/relay-time.js';
import { runUnderLease } from '../../dist/src/application/delivery/run-under-lease.js';
import { createLeaseStore } from '../../dist/src/infrastructure/prisma/lease-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createVerificationQueue } from '../../dist/src/infrastructure/prisma/verification-store.js';

const [databaseUrl] = process.argv.slice(2);
const pool = createPool(databaseUrl);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const readHead = () => {
  process.stdout.write('there\n');
  return new Promise(() => {});
};
const opened = { store: { readHead }, leaves: {}, tools: {}, keys: { base: 'x', verifiers: [] }, anchor: null };
const turn = runVerifications(
  {
    queue: createVerificationQueue(pool),
    open: () => ({ ...opened, async close() {} }),
    sleep: systemTime.sleep,
    explain: String,
    onEnded() {},
  },
  0,
);
runUnderLease(
  { leases: createLeaseStore(pool, 'audit'), time: systemTime, log },
  { name: 'verify', everyMs: 10, leaseMs: 1_500, turn },
);
