/** `outbox events list | show` and `outbox dlq kinds`. Real: PostgreSQL, the built command line. Letters and attempts are rows. */
import { randomUUID } from 'node:crypto';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { EXIT } from '../../src/main/exit-codes.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { runOutboxCli } from '../support/outbox-cli.js';

let databases: TestDatabases;
let pool: PgPool;
beforeAll(async () => {
  databases = await createTestDatabases('shop');
  pool = createPool(databases.outboxUrl, { max: 2 });
});
beforeEach(() => pool.query('DELETE FROM outbox.delivery; DELETE FROM outbox.event; DELETE FROM outbox.dead_letter'));
afterAll(async () => {
  await pool.end();
  await databases.drop();
});

const run = (...args: string[]) => runOutboxCli(args, { OUTBOX_DATABASE_URL: databases.outboxUrl });
const list = (...args: string[]) => run('events', 'list', ...args);

async function append(event: object = {}): Promise<string> {
  const { rows } = await pool.query<{ id: string }>('SELECT outbox.record_event($1::jsonb) AS id', [
    JSON.stringify({
      eventName: 'order.order.placed.v1',
      eventType: 'ORDER',
      aggregate: { type: 'order', id: '1', version: 3 },
      payload: { total: 5 },
      ...event,
    }),
  ]);
  return rows[0]?.id as string;
}

/** As a delivery would leave it that failed twice. */
async function die(eventId: string): Promise<string> {
  const letter = randomUUID();
  await pool.query(`UPDATE outbox.delivery SET status = 'DEAD', settled_at = clock_timestamp() WHERE event_id = $1`, [
    eventId,
  ]);
  await pool.query(
    `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, local, run_id, worker, finished_at, code, status, message, delay_ms)
     VALUES ($1, 0, 1, true, 'run-1', 'w:1', clock_timestamp(), 'HTTP.SERVER_ERROR', 503, 'busy', 1500),
            ($1, 0, 2, false, 'run-1', 'w:1', clock_timestamp(), 'HTTP.CLIENT_ERROR', 422, 'iban', NULL)`,
    [eventId],
  );
  await pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, tenant, code, message, retry_count, max_retries,
       workflow_id, run_id)
     SELECT $1, event_id, 0, destination, event_type, tenant, 'HTTP.CLIENT_ERROR', 'iban', 2, 10, 'shop:' || event_id || ':0', 'run-1'
     FROM outbox.delivery WHERE event_id = $2`,
    [letter, eventId],
  );
  return letter;
}

describe('events list', () => {
  it('the newest first, page by page, each once; the end is said', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift(await append());
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const { code, stdout } = await list('--limit', '2', '--json', ...(cursor === null ? [] : ['--cursor', cursor]));
      const page = JSON.parse(stdout) as { items: { id: string }[]; next: string | null };
      expect(code).toBe(EXIT.done);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.next;
    } while (cursor !== null);
    expect(seen).toEqual(ids);
    const { stdout } = await list();
    expect(stdout).toMatch(
      new RegExp(`^${ids[0]} .* waiting  order\\.order\\.placed\\.v1  audit\\.log  -  order/1 v3 `),
    );
    expect(stdout).toMatch(/that is all\n$/);
  });

  it('by state, tenant and aggregate; nothing found is said', async () => {
    const dead = await append({ tenantId: 'acme' });
    await die(dead);
    const other = await append({ aggregate: { type: 'order', id: '4711' } });
    const ids = async (...args: string[]) =>
      (JSON.parse((await list('--json', ...args)).stdout).items as { id: string }[]).map(({ id }) => id);
    expect(await ids('--state', 'dead')).toEqual([dead]);
    expect(await ids('--tenant', 'acme')).toEqual([dead]);
    expect(await ids('--tenant', '')).toEqual([other]);
    expect(await ids('--aggregate', '4711', '--aggregate-type', 'order')).toEqual([other]);
    expect(await ids('--since', '2999-01-01T00:00:00Z')).toEqual([]);
    expect((await list('--type', 'NONE')).stdout).toBe('none is so\n');
  });

  it('a cursor of another filter, an end before its beginning, a state that is none: 64, in a sentence', async () => {
    for (let n = 0; n < 2; n += 1) await append();
    const { next } = JSON.parse((await list('--limit', '1', '--json')).stdout) as { next: string };
    for (const [args, says] of [
      [['--cursor', next, '--type', 'ORDER'], '--cursor: expected the next of a page with this same filter'],
      [['--since', '2026-01-02T00:00:00Z', '--until', '2026-01-01T00:00:00Z'], '--until: expected a time after since'],
      [['--state', 'lost'], 'Allowed choices are waiting, running'],
    ] as const) {
      const { code, stdout, printed } = await list(...args);
      expect([code, stdout, printed]).toEqual([EXIT.usage, '', expect.stringContaining(says)]);
    }
  });

  it('what strangers sent does not steer a terminal', async () => {
    await append({ aggregate: { type: 'order', id: 'a\u202eb', version: 1 } });
    expect((await list()).stdout).toContain('order/a\\u202eb v1');
  });
});

describe('events show', () => {
  it('its way: attempts, letter, and its run under the deployment that the database names', async () => {
    const id = await append({ payload: { iban: 'DE00' } });
    const letter = await die(id);
    const { code, stdout } = await run('events', 'show', id);
    expect(code).toBe(EXIT.done);
    expect(stdout).toMatch(new RegExp(`^event {9}${id} {2}order\\.order\\.placed\\.v1 {2}ORDER$`, 'm'));
    expect(stdout).toMatch(/^state {9}dead {2}epoch 0$/m);
    expect(stdout).toMatch(new RegExp(`^run {11}shop:${id}:0 {2}run-1$`, 'm'));
    expect(stdout).toMatch(
      /^attempt {7}0\.1 local {2}\S+ {2}HTTP\.SERVER_ERROR {2}503 {2}busy {2}next in 1\.5 s {2}by w:1$/m,
    );
    expect(stdout).toMatch(/^attempt {7}0\.2 {2}\S+ {2}HTTP\.CLIENT_ERROR {2}422 {2}iban {2}by w:1$/m);
    expect(stdout).toMatch(
      new RegExp(`^dead letter {3}${letter} {2}epoch 0 {2}\\S+ {2}HTTP\\.CLIENT_ERROR {2}open$`, 'm'),
    );
    expect(stdout).not.toContain('DE00');
    const document = JSON.parse((await run('events', 'show', letter, '--payload', '--json')).stdout);
    expect(document).toMatchObject({ id, state: 'dead', payload: { iban: 'DE00' }, letters: [{ id: letter }] });
  });

  it('of more attempts than are shown it says so, as its letter does', async () => {
    const id = await append({});
    const letter = await die(id);
    const some = / the latest 200 are shown$/m;
    expect((await run('events', 'show', id)).stdout).not.toMatch(some);
    await pool.query(
      `INSERT INTO outbox.delivery_attempt (event_id, epoch, n, finished_at, code)
       SELECT $1, 0, n, now(), 'HTTP.TIMEOUT' FROM generate_series(3, 250) n`,
      [id],
    );
    expect((await run('events', 'show', id)).stdout).toMatch(some);
    expect((await run('dlq', 'show', letter)).stdout).toMatch(some);
  });

  it('none of that id: 1; no id at all: 64', async () => {
    const nobody = randomUUID();
    const { code, stdout, printed } = await run('events', 'show', nobody);
    expect([code, stdout, printed]).toEqual([EXIT.failed, '', expect.stringContaining(`${nobody}: no such event`)]);
    expect((await run('events', 'show', '4711')).code).toBe(EXIT.usage);
  });
});

describe('dlq kinds', () => {
  it('by event type and code, the most first; of one tenant', async () => {
    for (const tenantId of ['acme', 'acme', '']) await die(await append(tenantId === '' ? {} : { tenantId }));
    const { stdout } = await run('dlq', 'kinds');
    expect(stdout).toMatch(
      /^ {6}3 {2}ORDER {2}HTTP\.CLIENT_ERROR {2}\S+ to \S+ {2}3 in 24 hours {2}3 in the last one {2}audit\.log\nthat is all\n$/,
    );
    const document = JSON.parse((await run('dlq', 'kinds', '--tenant', 'acme', '--json')).stdout);
    expect(document.items).toMatchObject([{ eventType: 'ORDER', code: 'HTTP.CLIENT_ERROR', count: 2 }]);
    expect((await run('dlq', 'kinds', '--destination', 'crm')).stdout).toBe('none is open\n');
  });
});
