// Searches that the database lets wait, beside the ingest, and beside operators who act. Real: the built api as a process,
// PostgreSQL, HTTP, and what the searches wait for: a lock on what they look into, held in a second session. Fake: nothing.
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import { BOOKS_PATH } from '../../src/contract/books-api.js';
import { LETTER_KINDS_PATH } from '../../src/contract/dead-letters-api.js';
import { DESTINATIONS_PATH } from '../../src/contract/destinations-api.js';
import { event } from '../integration/ingest-set-up.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { makeMonths } from '../support/records.js';
import { createTestDeployment, type TestDeployment } from '../support/roles.js';

let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
  await makeMonths(deployment.audit, 1);
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(() => deployment.drop());

const newKey = async (...scopes: string[]): Promise<string> => {
  const { stdout } = await runOutboxCli(['keys', 'create', '--name', 'k', '--scope', ...scopes, '--json'], {
    AUDIT_DATABASE_URL: deployment.databases.auditUrl,
  });
  return JSON.parse(stdout).secret;
};

it('searches that wait use the connections of reading, and the ingest has its own', async () => {
  const api = await deployment.start('api', { AUDIT_POOL_SIZE: '2', AUDIT_READ_POOL_SIZE: '2' });
  const keys = [await newKey('audit:read'), await newKey('audit:read')];
  const writer = await newKey('audit:write');
  const ask = (key: string, path: string, body?: object) =>
    fetch(`http://127.0.0.1:${api.apiPort}${path}`, {
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
  const holder = new pg.Client({ connectionString: deployment.databases.auditUrl });
  await holder.connect();
  try {
    await holder.query('BEGIN; LOCK TABLE audit.record_2026_01 IN ACCESS EXCLUSIVE MODE');
    const month = 'recordedFrom=2026-01-02T00:00:00Z&recordedTo=2026-01-03T00:00:00Z';
    const searches = keys.flatMap((key) => [1, 2].map(() => ask(key, `${AUDIT_LOGS_PATH}?${month}`)));
    const waiting = await eventually('two searches to wait for the lock', async () => {
      const { rows } = await deployment.audit.query<{ name: string }>(
        `SELECT application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length === 2 ? rows : null;
    });
    expect(new Set(waiting.map(({ name }) => name))).toEqual(new Set(['temporal-outbox api reading']));
    for (let n = 0; n < 5; n++) {
      expect((await ask(writer, AUDIT_LOGS_PATH, event({ eventId: randomUUID() }))).status).toBe(201);
    }
    await holder.query('ROLLBACK');
    expect((await Promise.all(searches)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await ask(keys[0] as string, `${AUDIT_LOGS_PATH}?limit=1`)).status).toBe(200);
  } finally {
    await holder.end();
  }
}, 60_000);

it('whoever searches what failed keeps nobody from acting, nor from looking at one thing', async () => {
  const api = await deployment.start('api', { OUTBOX_OPS: 'on', OUTBOX_MONITOR: 'off' });
  const viewers = [await newKey('dlq:read'), await newKey('dlq:read')];
  const operator = await newKey('dlq:write');
  const ask = (key: string, path: string, body?: object) =>
    fetch(`http://127.0.0.1:${api.apiPort}${path}`, {
      headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
  const holder = new pg.Client({ connectionString: deployment.databases.outboxUrl });
  await holder.connect();
  try {
    await holder.query('BEGIN; LOCK TABLE outbox.dead_letter IN ACCESS EXCLUSIVE MODE');
    const searches = viewers.flatMap((key) => [1, 2, 3].map(() => ask(key, LETTER_KINDS_PATH)));
    const waiting = await eventually('five searches to wait for the lock', async () => {
      const { rows } = await deployment.outbox.query<{ name: string }>(
        `SELECT application_name AS name FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length === 5 ? rows : null;
    });
    expect(new Set(waiting.map(({ name }) => name))).toEqual(new Set(['temporal-outbox ops reading']));
    // One of them has as many as one may have, the other would, if there were more.
    const more = await Promise.all(viewers.map((key) => ask(key, LETTER_KINDS_PATH)));
    expect(more.map(({ status }) => status).sort()).toEqual([429, 503]);
    expect((await ask(operator, LETTER_KINDS_PATH)).status).toBe(503);
    expect((await ask(operator, `${DESTINATIONS_PATH}/crm.contact/pause`, { reason: 'held by a test' })).status).toBe(
      200,
    );
    expect((await ask(operator, BOOKS_PATH)).status).toBe(200);
    await holder.query('ROLLBACK');
    // One more than may search at once was told to come again.
    expect((await Promise.all(searches)).map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 503]);
    expect((await ask(operator, LETTER_KINDS_PATH)).status).toBe(200);
  } finally {
    await holder.end();
  }
}, 60_000);
