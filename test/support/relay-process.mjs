// A relay in a process of its own, to be killed: the built package on a real database. Temporal is played by one table
// (started_run), which like Temporal takes a workflow id once. Kills itself at the failpoint that it is given.
// Arguments: database URL, failpoint.
import { built } from './built.ts';

const { relayOutbox } = await import(built('src/application/delivery/relay-outbox.js'));
const { systemTime } = await import(built('src/application/delivery/relay-time.js'));
const { createDeadLetterStore } = await import(built('src/infrastructure/prisma/dead-letter-store.js'));
const { createPool } = await import(built('src/infrastructure/prisma/pg-pool.js'));
const { createRelayStore } = await import(built('src/infrastructure/prisma/relay-store.js'));

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
