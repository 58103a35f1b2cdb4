// A relay in a process of its own, to be killed: the built package on a real database. Temporal is played by one table
// (started_run), which like Temporal takes a workflow id once. Kills itself at the failpoint that it is given.
// Arguments: database URL, failpoint.
import { relayOutbox } from '../../dist/src/application/delivery/relay-outbox.js';
import { systemTime } from '../../dist/src/application/delivery/relay-time.js';
import { createDeadLetterStore } from '../../dist/src/infrastructure/prisma/dead-letter-store.js';
import { createPool } from '../../dist/src/infrastructure/prisma/pg-pool.js';
import { createRelayStore } from '../../dist/src/infrastructure/prisma/relay-store.js';

const [databaseUrl, failpoint] = process.argv.slice(2);
const pool = createPool(databaseUrl);
const log = { debug() {}, info() {}, warn() {}, error() {} };
relayOutbox(
  {
    store: createRelayStore(pool),
    starter: {
      async start({ eventId, epoch }) {
        const text = 'INSERT INTO public.started_run (id, starter) VALUES ($1, $2) ON CONFLICT DO NOTHING';
        const { rowCount } = await pool.query(text, [`${eventId}:${epoch}`, `process ${process.pid}`]);
        return rowCount === 1 ? { kind: 'started', eager: false } : { kind: 'exists' };
      },
    },
    deadLetters: createDeadLetterStore(pool),
    time: systemTime,
    telemetry: { log, count() {} },
  },
  {
    policyHash: 'p',
    failpoint: (name) => {
      if (name === failpoint) process.kill(process.pid, 'SIGKILL');
    },
  },
);
