/**
 * The outbox's side of docs/erasure.md: the SQL of that page as it stands there. Real: PostgreSQL. Its psql variables are
 * put in by the test.
 */
import { readFileSync } from 'node:fs';
import pg from 'pg';
import { recordEvent } from '../../src/infrastructure/prisma/record-event.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';

let databases: TestDatabases;
let client: pg.Client;
beforeAll(async () => {
  databases = await createTestDatabases();
  client = new pg.Client({ connectionString: databases.outboxUrl });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await databases.drop();
});

const SUBJECT = 'o\'brien "17"';

/** Step 0 lists what is open, step 2 erases. */
function documented(step: 'list' | 'erase', tenant: string, subject: string): string {
  const blocks = readFileSync('docs/erasure.md', 'utf8').matchAll(/```sql\n([\s\S]*?)```/g);
  const [list = '', erase = '', ...more] = Array.from(blocks, ([, sql = '']) => sql);
  expect(more).toEqual([]);
  expect(erase).toContain('COMMIT');
  return { list, erase }[step]
    .replaceAll(":'tenant'", client.escapeLiteral(tenant))
    .replaceAll(":'subject'", client.escapeLiteral(subject));
}

async function append(tenantId: string, payload: object, status: string): Promise<string> {
  await client.query('BEGIN');
  const id = await recordEvent(client, {
    eventName: 'user.profile.changed.v1',
    eventType: 'USER',
    routingKey: 'audit.log',
    source: '/shop',
    aggregate: { type: 'user', id: 'a-1' },
    tenantId,
    payload: payload as Record<string, never>,
  });
  await client.query('COMMIT');
  await client.query(
    `UPDATE outbox.delivery SET status = $2, settled_at = CASE WHEN $2 = 'DELIVERED' THEN now() END,
       receipt = CASE WHEN $2 = 'DELIVERED' THEN '{"id": "r"}'::jsonb END WHERE event_id = $1`,
    [id, status],
  );
  await client.query(
    `INSERT INTO outbox.event_revision (event_id, epoch, payload, content_hash, actor, reason) VALUES ($1, 1, $2, 'h', 'a', 'r')`,
    [id, JSON.stringify(payload)],
  );
  await client.query(
    `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, message, stack, causes, response)
     VALUES ($1, 0, 1, 'm', 's', '[]', '{"body": "o''brien"}')`,
    [id],
  );
  return id;
}

it('empties the events of a subject that are settled, with their revisions and attempts, and nothing else', async () => {
  const [mine, open, others, another] = [
    await append('acme', { user: { id: SUBJECT } }, 'DELIVERED'),
    await append('acme', { user: { id: SUBJECT } }, 'PENDING'),
    await append('acme', { user: { id: 'u-18' } }, 'DELIVERED'),
    await append('other', { user: { id: SUBJECT } }, 'DELIVERED'),
  ];
  await client.query(documented('erase', 'acme', SUBJECT));
  const { rows } = await client.query(
    `SELECT e.id, e.payload = '{}' AND e.headers = '{}' AND e.content_hash = 'erased' AS event,
       (SELECT bool_and(r.payload = '{}' AND r.content_hash = 'erased') FROM outbox.event_revision r WHERE r.event_id = e.id) AS revision,
       (SELECT bool_and(a.response IS NULL AND a.message IS NULL) FROM outbox.delivery_attempt a WHERE a.event_id = e.id) AS attempt
     FROM outbox.event e`,
  );
  const erased = rows.filter(({ event, revision, attempt }) => event && revision && attempt).map(({ id }) => id);
  expect(erased).toEqual([mine]);
  const untouched = rows.filter(({ event, revision, attempt }) => !event && !revision && !attempt).map(({ id }) => id);
  expect(untouched.sort()).toEqual([open, others, another].sort());
  await expect(client.query(`UPDATE outbox.event SET payload = '{}'`)).rejects.toMatchObject({ code: '23001' });
});

it('lists what of a subject is open, with its letter, where an event has a tenant and where it has none', async () => {
  const subject = 'u-"31"';
  await append('acme', { user: { id: subject } }, 'DELIVERED');
  await append('acme', { note: `of ${subject}` }, 'PENDING');
  const dead = await append('acme', { user: { id: subject } }, 'DEAD');
  const nobodys = await append('', { user: { id: subject } }, 'STARTED');
  const letter = '0198c0de-0000-7000-8000-000000000031';
  await client.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries)
     VALUES ($1, $2, 0, 'audit.log', 'USER', 'HTTP.TIMEOUT', 'm', 9, 10)`,
    [letter, dead],
  );
  const list = async (tenant: string) => (await client.query(documented('list', tenant, subject))).rows;
  expect(await list('acme')).toMatchObject([{ event: dead, status: 'DEAD', letter }]);
  expect(await list('')).toMatchObject([{ event: nobodys, status: 'STARTED', letter: null }]);
});
