/**
 * The whole line under `outbox grants`. Real: PostgreSQL with a role for each part, the built roles as processes that log
 * in as them, Temporal, HTTP. Fake: the partner, a scripted HTTP server; a trigger that refuses one event.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import { BOOKS_PATH } from '../../src/contract/books-api.js';
import { DEAD_LETTERS_PATH, REDRIVE_JOBS_PATH } from '../../src/contract/dead-letters-api.js';
import { DESTINATIONS_PATH } from '../../src/contract/destinations-api.js';
import { FAILED_INGEST_PATH } from '../../src/contract/failed-ingest-api.js';
import { AUDIT_STATUS_PATH, PROOF_STATES_PATH, VERIFICATIONS_PATH } from '../../src/contract/verifications-api.js';
import { formatSignerKey } from '../../src/domain/audit/note-key.js';
import { recordEvent } from '../../src/infrastructure/prisma/record-event.js';
import { event } from '../integration/ingest-set-up.js';
import { newSigner } from '../integration/log-set-up.js';
import { createDatabaseRoles, type DatabaseRoles } from '../support/database-roles.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

let roles: DatabaseRoles;
let deployment: TestDeployment;
let partner: ScriptedDestination;
let running: StartedProcess[] = [];
let apiUrl: string;
let key: string;

beforeAll(async () => {
  roles = await createDatabaseRoles();
  deployment = await createTestDeployment();
  const { outboxUrl, auditUrl } = deployment.databases;
  const owner = { OUTBOX_DATABASE_URL: outboxUrl, AUDIT_DATABASE_URL: auditUrl };
  for (let time = 0; time < 2; time++) {
    const { code, printed } = await runOutboxCli(['grants', '--apply', ...roles.options()], owner);
    expect([code, printed]).toEqual([
      0,
      expect.stringMatching(/^outbox: \d+ statements applied\naudit: \d+ statements applied\n$/),
    ]);
  }
  const made = await runOutboxCli(
    ['keys', 'create', '--name', 'test', '--scope', 'audit:write', 'audit:read', 'dlq:write', '--json'],
    owner,
  );
  key = JSON.parse(made.stdout).secret;
  partner = await startScriptedDestination();
  const config = await deployment
    .configFile(
      `httpHandler({ routingKey: 'test.partner', url: '${partner.url}' })`,
      `policies: { SLOW: { maxAttempts: 50, backoff: { kind: 'fixed', intervalMs: 300 } } }`,
    )
    .catch(() => '');
  const as = (role: 'api' | 'relay' | 'worker') => ({
    OUTBOX_DATABASE_URL: roles.urlAs(role, outboxUrl),
    AUDIT_DATABASE_URL: roles.urlAs(role, auditUrl),
    OUTBOX_LEASE_MS: '5000',
    OUTBOX_BREAKER_OPEN_MS: '500',
    OUTBOX_NOTICE_WINDOW_MS: '200',
  });
  const api = await deployment.start('api', { ...as('api'), OUTBOX_OPS: 'on' }, ['--config', config]);
  apiUrl = `http://127.0.0.1:${api.apiPort}`;
  const line = { OUTBOX_AUDIT_URL: apiUrl };
  const [relay, worker] = await Promise.all([
    deployment.start('relay', { ...as('relay'), ...line }, ['--config', config]),
    deployment.start('worker', { ...as('worker'), ...line, AUDIT_SIGNING_KEYS: formatSignerKey(newSigner()) }, [
      '--config',
      config,
    ]),
  ]);
  running = [api, relay, worker];
}, 120_000);
afterEach(() => {
  // Whatever the rest of a test says: no statement of any part lacked a right.
  expect(
    running.flatMap((one) =>
      one
        .printed()
        .split('\n')
        .filter((text) => /permission denied|42501/.test(text)),
    ),
  ).toEqual([]);
});
afterAll(async () => {
  await Promise.all(running.map((one) => stop(one)));
  await endLeftoverCli();
  await partner?.close();
  await roles?.drop([deployment.databases.outboxUrl, deployment.databases.auditUrl]);
  await deployment.drop();
});

async function asRole<T>(
  role: Parameters<DatabaseRoles['urlAs']>[0],
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: roles.urlAs(role, url) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const append = (parts: Partial<Parameters<typeof recordEvent>[1]> = {}) =>
  asRole('producer', deployment.databases.outboxUrl, async (client) => {
    await client.query('BEGIN');
    const id = await recordEvent(client, {
      eventName: 'order.order.placed.v1',
      eventType: 'ORDER',
      routingKey: 'test.partner',
      aggregate: { type: 'order', id: '1' },
      payload: { total: 5 },
      ...parts,
    });
    await client.query('COMMIT');
    return id;
  });
// biome-ignore lint/suspicious/noExplicitAny: whatever came back, looked at by the test
const call = async (method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> => {
  const response = await fetch(`${apiUrl}${path}`, {
    method,
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: await response.json() };
};
const WORD = { reason: 'mended' };
const letterOf = async (id: string) => (await call('GET', `${DEAD_LETTERS_PATH}/${id}`)).body;

it('a producer appends; the relay, the worker and the api bring it to the audit log; a replay writes none', async () => {
  const id = await append({ routingKey: 'audit.log' });
  await deployment.untilStatus(id, 'DELIVERED');
  expect(await deployment.records(id)).toBe(1);
  const one = event();
  expect([
    (await call('POST', AUDIT_LOGS_PATH, one)).status,
    (await call('POST', AUDIT_LOGS_PATH, one)).status,
  ]).toEqual([201, 200]);
  await eventually('the use of the key to be written', async () => {
    const { rows } = await deployment.audit.query(
      'SELECT count(*)::int AS n FROM audit.api_key WHERE last_used_at IS NOT NULL',
    );
    return rows[0].n === 2; // the worker's and ours
  });
});

it('what the partner refuses is a letter; it is edited, redriven, alone and by a job, and discarded', async () => {
  partner.answer((_, response) => response.writeHead(422).end('{}'));
  const ids = await Promise.all([append(), append(), append(), append()]);
  await Promise.all(ids.map((id) => deployment.untilStatus(id, 'DEAD')));
  partner.answer(accept);
  const [one, two, three, four] = await Promise.all(ids.map(letterOf));
  expect((await call('GET', `${DEAD_LETTERS_PATH}?limit=2`)).body.items).toHaveLength(2);
  expect(
    (await call('POST', `${DEAD_LETTERS_PATH}/${one.id}/payload`, { payload: { total: 6 }, ...WORD })).status,
  ).toBe(200);
  expect((await call('POST', `${DEAD_LETTERS_PATH}/${one.id}/redrive`, WORD)).status).toBe(200);
  expect((await call('POST', `${DEAD_LETTERS_PATH}/redrive`, { ids: [two.id], ...WORD })).status).toBe(200);
  expect((await call('POST', `${DEAD_LETTERS_PATH}/${three.id}/discard`, WORD)).status).toBe(200);
  const job = await call('POST', REDRIVE_JOBS_PATH, { filter: {}, ...WORD });
  expect(job.status).toBe(202);
  await Promise.all([ids[0], ids[1], ids[3]].map((id) => deployment.untilStatus(id as string, 'DELIVERED')));
  await eventually('the job to have taken what stood (it looks once more, 35 s later)', async () => {
    const { body } = await call('GET', `${REDRIVE_JOBS_PATH}/${job.body.id}`);
    return body.state === 'done' || body.looksAgainAt !== null;
  });
  const again = { since: '2026-01-01T00:00:00Z', until: '2026-01-02T00:00:00Z' };
  expect((await call('POST', '/ops/v1/books/again', again)).status).toBe(202);
  expect(four.state).toBe('open'); // until the job
});

it('a destination that is away opens its breaker and is tried again; operators pause and resume it', async () => {
  partner.answer((_, response) => response.writeHead(503).end());
  const ids = await Promise.all(Array.from({ length: 12 }, () => append({ eventType: 'SLOW' })));
  await eventually(
    'the outage',
    async () => (await deployment.outbox.query('SELECT FROM outbox.outage')).rowCount !== 0,
    60_000,
  );
  partner.answer(accept);
  await eventually(
    'the end of it',
    async () => {
      const { rows } = await deployment.outbox.query('SELECT FROM outbox.outage WHERE closed_at IS NULL');
      return rows.length === 0;
    },
    60_000,
  );
  const name = 'test.partner';
  expect((await call('POST', `${DESTINATIONS_PATH}/${name}/pause`, WORD)).status).toBeLessThan(300);
  expect((await call('POST', `${DESTINATIONS_PATH}/${name}/resume`, WORD)).status).toBeLessThan(300);
  expect((await call('GET', DESTINATIONS_PATH)).status).toBe(200);
  expect((await call('GET', BOOKS_PATH)).status).toBe(200);
  await Promise.all(ids.map((id) => deployment.untilStatus(id, 'DELIVERED')));
});

it('R28: the api keeps what it cannot store, and stores it when a person asks', async () => {
  const one = event({ eventId: randomUUID() });
  await deployment.audit.query(`
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
      $$ BEGIN IF NEW.event_id = '${one.eventId}' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON audit.record FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
  const failed = await call('POST', AUDIT_LOGS_PATH, one);
  expect([failed.status, failed.body.failedIngestId]).toEqual([500, expect.any(String)]);
  const { failedIngestId } = failed.body;
  expect((await call('POST', `${FAILED_INGEST_PATH}/${failedIngestId}/retry`, WORD)).status).toBe(500);
  await deployment.audit.query('DROP TRIGGER refuse ON audit.record');
  expect((await call('POST', `${FAILED_INGEST_PATH}/${failedIngestId}/retry`, WORD)).status).toBe(200);
});

it('the log is verified by the worker, by itself and when a person asks the api for it', async () => {
  const { recordId } = (await call('POST', AUDIT_LOGS_PATH, event())).body;
  await eventually('the one that it asks for itself', async () => {
    const { items } = (await call('GET', VERIFICATIONS_PATH)).body;
    return items.at(-1)?.askedBy === 'outbox:schedule' && items.at(-1)?.outcome === 'whole';
  });
  const asked = await call('POST', VERIFICATIONS_PATH, {});
  expect([asked.status, asked.body.askedBy]).toEqual([202, expect.stringMatching(/^api-key:/)]);
  await eventually('what it has found', async () => {
    const { body } = await call('GET', `${VERIFICATIONS_PATH}/${asked.body.id}`);
    return body.outcome === 'whole';
  });
  expect((await call('GET', AUDIT_STATUS_PATH)).status).toBe(200);
  await eventually('its proof', async () => {
    const { body } = await call('POST', PROOF_STATES_PATH, { recordIds: [recordId] });
    return body.items[0].state === 'signed';
  });
});

it('every duty under a lease has run without lacking a right', async () => {
  const expected = ['alerts', 'books', 'effects', 'figures', 'jobs', 'limits', 'notices', 'reconcile'];
  await eventually('all duties to have a lease', async () => {
    const { rows } = await deployment.outbox.query('SELECT name FROM outbox.lease ORDER BY name');
    return expected.every((name) => rows.some((row) => row.name === name));
  });
});
