/**
 * What could not be stored keeps its body for as long as it is open (R28). Real: PostgreSQL, the packed migrations, HTTP for
 * whoever looks. Fake: rows are written as an api writes them, by the table's owner.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { FAILED_INGEST_PATH, failedIngestFoundSchema } from '../../src/contract/failed-ingest-api.js';
import { deployMigrations } from '../../src/infrastructure/prisma/migrations.js';
import { createEmptyDatabase } from '../support/databases.js';
import { runOutboxCli } from '../support/outbox-cli.js';
import { startIngest, type TestIngest } from './ingest-set-up.js';

const CLOSED = ['stored', 'other_content', 'discarded'] as const;
const INSERT = `INSERT INTO audit.failed_ingest (id, tenant_id, source, event_id, body, hmac_key_id, fingerprint, code, message, key_id,
    state, state_at, actor, reason)
  VALUES (gen_random_uuid(), '', 's', $1, '{"actor":"Ada"}', 'k', sha256('x'), 'P0001', 'm', gen_random_uuid(),
    $2, CASE WHEN $2 = 'open' THEN NULL ELSE now() END, 'a', 'r') RETURNING id`;
const bodies = async (client: pg.Client | pg.Pool) =>
  (await client.query('SELECT state, body, code, actor, reason, event_id FROM audit.failed_ingest ORDER BY event_id'))
    .rows;
const kept = (eventId: string, state: string, body: string) => ({
  ...{ event_id: eventId, state, body },
  ...{ code: 'P0001', actor: 'a', reason: 'r' },
});

describe('on a database that has closed rows', () => {
  let database: { url: string; drop(): Promise<void> };
  let folder: string;
  let client: pg.Client;
  beforeEach(async () => {
    database = await createEmptyDatabase();
    folder = mkdtempSync(join(tmpdir(), 'migrations-'));
    for (const name of readdirSync('prisma/audit/migrations').filter(
      (each) => /^\d/.test(each) && each < '20261128060000',
    ))
      cpSync(join('prisma/audit/migrations', name), join(folder, name), { recursive: true });
    await deployMigrations({ databaseUrl: database.url, target: 'audit', directory: folder });
    cpSync('prisma/audit/migrations', folder, { recursive: true });
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });
  afterEach(async () => {
    await client.end();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('the migration empties them, and leaves the open ones and all else as they were', async () => {
    for (const state of ['open', ...CLOSED]) await client.query(INSERT, [state, state]);
    await deployMigrations({ databaseUrl: database.url, target: 'audit', directory: folder });
    expect(await bodies(client)).toEqual(
      [...CLOSED, 'open'].sort().map((state) => kept(state, state, state === 'open' ? '{"actor":"Ada"}' : '')),
    );
  });

  it('one that is closed while the migration runs is emptied, too', async () => {
    await client.query(INSERT, ['e', 'open']);
    const session = new pg.Client({ connectionString: database.url });
    await session.connect();
    try {
      // Closed by an api of the release before, whose transaction the migration waits for once its long part is done.
      await session.query('BEGIN');
      await session.query(`UPDATE audit.failed_ingest SET state = 'stored', state_at = now()`);
      const migrating = deployMigrations({ databaseUrl: database.url, target: 'audit', directory: folder });
      for (let waits = false; !waits; ) {
        const { rows } = await client.query(
          `SELECT FROM pg_locks WHERE relation = 'audit.failed_ingest'::regclass AND NOT granted`,
        );
        waits = rows.length > 0;
      }
      await session.query('COMMIT');
      await migrating;
    } finally {
      await session.end();
    }
    expect(await bodies(client)).toEqual([kept('e', 'stored', '')]);
  });
});

describe('on a migrated database', () => {
  let ingest: TestIngest;
  beforeAll(async () => {
    ingest = await startIngest();
  });
  afterAll(() => ingest.stop());
  afterEach(() => ingest.pool.query('DELETE FROM audit.failed_ingest'));

  it.each(CLOSED)('whoever closes a row as %s, its body goes and the rest stays', async (state) => {
    await ingest.pool.query(INSERT, ['e-1', 'open']);
    await ingest.pool.query(INSERT, ['e-2', 'open']);
    // As the api of the release before does it.
    await ingest.pool.query(`UPDATE audit.failed_ingest SET state = $1, state_at = now() WHERE event_id = 'e-1'`, [
      state,
    ]);
    await ingest.pool.query(INSERT, ['e-3', state]);
    expect(await bodies(ingest.pool)).toEqual([
      kept('e-1', state, ''),
      kept('e-2', 'open', '{"actor":"Ada"}'),
      kept('e-3', state, ''),
    ]);
  });

  it('also where the session is one of replication, whose rows most triggers let pass', async () => {
    await ingest.pool.query(INSERT, ['e', 'open']);
    const session = new pg.Client({ connectionString: ingest.auditUrl });
    await session.connect();
    try {
      await session.query('SET session_replication_role = replica');
      await session.query(`UPDATE audit.failed_ingest SET state = 'stored', state_at = now()`);
    } finally {
      await session.end();
    }
    expect(await bodies(ingest.pool)).toEqual([kept('e', 'stored', '')]);
  });

  it('where one is shown its body is null, over HTTP and on the command line', async () => {
    const { rows } = await ingest.pool.query(INSERT, ['e', 'discarded']);
    const [{ id }] = rows;
    const key = await ingest.key(['dlq:read']);
    const answer = await ingest.post('', { method: 'GET', path: `${FAILED_INGEST_PATH}/${id}`, key });
    expect(failedIngestFoundSchema.parse(answer.body)).toMatchObject({
      id,
      state: 'discarded',
      body: null,
      reason: 'r',
    });
    const environment = { AUDIT_DATABASE_URL: ingest.auditUrl };
    const json = await runOutboxCli(['failed-ingest', 'show', id, '--json'], environment);
    expect(JSON.parse(json.stdout)).toMatchObject({ id, body: null });
    const shown = await runOutboxCli(['failed-ingest', 'show', id], environment);
    expect(shown.stdout).toMatch(/\nbody {6}none: only what is open keeps what was sent\n/);
  });
});
