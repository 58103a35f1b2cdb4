/**
 * Behind a pooler. Real: PgBouncer before PostgreSQL, Temporal, and the roles as processes of the built command line, every
 * statement of theirs through it.
 */
import pg from 'pg';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { recordEvent } from '../../src/infrastructure/prisma/record-event.js';
import { EXIT } from '../../src/main/exit-codes.js';
import { createEmptyDatabase, createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { runOutboxCli } from '../support/outbox-cli.js';
import { type PgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createTestDeployment, stop } from '../support/roles.js';

let direct: TestDatabases;
let pooler: PgBouncer | undefined;
beforeEach(async () => {
  direct = await createTestDatabases(null);
});
afterEach(async () => {
  await pooler?.stop();
  pooler = undefined;
  await direct.drop();
});

async function behind(mode: 'session' | 'transaction' | 'statement') {
  pooler = await startPgBouncer(direct.outboxUrl, mode);
  return {
    through: pooler.through,
    databases: {
      outboxUrl: pooler.through(direct.outboxUrl),
      auditUrl: pooler.through(direct.auditUrl),
      drop: async () => {},
    },
  };
}

type DatabaseVariable = 'OUTBOX_DATABASE_URL' | 'AUDIT_DATABASE_URL';

/** The command ends with these words where the URLs named lead through such a pooler; the others are direct. */
async function expectRefused(
  mode: 'transaction' | 'statement',
  command: string[],
  pooled: readonly DatabaseVariable[],
  words: string,
): Promise<void> {
  const deployment = await createTestDeployment(direct);
  const { databases } = await behind(mode);
  const urls = { OUTBOX_DATABASE_URL: databases.outboxUrl, AUDIT_DATABASE_URL: databases.auditUrl };
  const through = Object.fromEntries(pooled.map((variable) => [variable, urls[variable]]));
  const { code, printed } = await runOutboxCli(command, { ...deployment.environment, ...through });
  expect([code, printed]).toEqual([EXIT.configuration, expect.stringContaining(words)]);
  await pooler?.stop();
  pooler = undefined;
  await deployment.drop();
}

const EVENT = {
  eventName: 'order.order.placed.v1',
  eventType: 'ORDER',
  aggregate: { type: 'order', id: '1' },
  payload: { total: 1 },
} as const;

describe('session pooling', () => {
  it('carries every role: an event is delivered to the audit log, and its record sealed', async () => {
    const { databases } = await behind('session');
    const deployment = await createTestDeployment(databases);
    const api = await deployment.start('api', { OUTBOX_OPS: 'on' });
    const rest = await deployment.start('relay,worker', { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` });
    const id = await deployment.append(EVENT);
    await deployment.untilStatus(id, 'DELIVERED');
    expect(await deployment.records(id)).toBe(1);
    const status = await runOutboxCli(['status', '--json'], deployment.environment);
    expect([status.code, status.printed]).toEqual([EXIT.done, expect.stringContaining('books')]);
    expect([await stop(rest), await stop(api)]).toEqual([0, 0]);
    await deployment.drop();
  });

  it('carries migrations', async () => {
    const { through } = await behind('session');
    const empty = await createEmptyDatabase();
    const urls = { OUTBOX_DATABASE_URL: through(empty.url), AUDIT_DATABASE_URL: through(empty.url) };
    const { code, printed } = await runOutboxCli(['migrate', 'deploy', '--deployment', 'main'], urls);
    expect([code, printed]).toEqual([0, expect.stringContaining('deployment: main')]);
    await pooler?.stop();
    pooler = undefined;
    await empty.drop();
  });
});

describe('transaction pooling', () => {
  it('takes the events of producers', async () => {
    const { databases } = await behind('transaction');
    const pool = new pg.Pool({ connectionString: databases.outboxUrl, max: 8 });
    await pool.query("INSERT INTO outbox.deployment (name) VALUES ('main')");
    const append = async () => {
      const client = await pool.connect();
      try {
        await client.query('BEGIN');
        const id = await recordEvent(client, EVENT);
        await client.query('COMMIT');
        return id;
      } finally {
        client.release();
      }
    };
    // Many clients beside each other, so that a client comes to another session each time.
    const ids = await Promise.all(Array.from({ length: 64 }, append));
    const { rows } = await pool.query('SELECT count(*)::int AS n FROM outbox.delivery WHERE event_id = ANY ($1)', [
      ids,
    ]);
    expect(rows).toEqual([{ n: 64 }]);
    await pool.end();
  });

  it.each([
    [['relay'], 'OUTBOX_DATABASE_URL'],
    [['worker'], 'OUTBOX_DATABASE_URL'],
    [['api'], 'AUDIT_DATABASE_URL'],
    [['migrate', 'deploy'], 'OUTBOX_DATABASE_URL'],
  ])('%s refuses to start, and says why', async (command, variable) => {
    const words = `${variable} leads through a pooler that gives each transaction another session`;
    await expectRefused('transaction', command, ['OUTBOX_DATABASE_URL', 'AUDIT_DATABASE_URL'], words);
  });

  it('a worker refuses to seal an audit log behind it', async () => {
    await expectRefused('transaction', ['worker'], ['AUDIT_DATABASE_URL'], 'AUDIT_DATABASE_URL leads through a pooler');
  });
});

it.each([
  [['relay'], 'OUTBOX_DATABASE_URL'],
  [['api'], 'AUDIT_DATABASE_URL'],
  [['migrate', 'deploy'], 'OUTBOX_DATABASE_URL'],
])(
  'statement pooling, which allows no transaction: %s refuses to start, and does not wait for it',
  async (command, variable) => {
    await expectRefused(
      'statement',
      command,
      ['OUTBOX_DATABASE_URL', 'AUDIT_DATABASE_URL'],
      `${variable} leads through a pooler`,
    );
  },
);

it('a worker whose audit log is away at its start does nothing there once it is back behind transaction pooling', async () => {
  const deployment = await createTestDeployment(direct);
  const port = await freePort(0);
  const away = Object.assign(new URL(direct.auditUrl), { host: `127.0.0.1:${port}` }).toString();
  const worker = await deployment.start('worker', { AUDIT_DATABASE_URL: away });
  pooler = await startPgBouncer(direct.auditUrl, 'transaction', port);
  expect(pooler.through(direct.auditUrl)).toBe(away);
  await eventually('the worker to say so', async () => {
    const answer = await fetch(`http://127.0.0.1:${worker.probePort}/ready`);
    const { warnings = [] } = (await answer.json()) as { warnings?: string[] };
    return warnings.some((warning) => warning.startsWith('AUDIT_DATABASE_URL leads through a pooler'));
  });
  await eventually('its sealer to refuse', async () => worker.printed().includes('"duty":"sealer"'));
  expect(await stop(worker)).toBe(0);
  await pooler.stop();
  pooler = undefined;
  await deployment.drop();
});
