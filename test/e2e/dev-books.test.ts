// Real: what `outbox dev --once` left behind in its folder, its PostgreSQL started again. Fake: the damage, done by hand to
// rows and files, each of which the comparison of the books has to name.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { compareBooks } from '../../src/main/dev/compare-books.js';
import { compareFailures } from '../../src/main/dev/compare-failures.js';
import { readSampleLines } from '../../src/main/dev/import-sample.js';
import { readJournal } from '../../src/main/dev/journal.js';
import { readLedger } from '../../src/main/dev/sample-partner.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { temporalCli } from '../support/temporal.js';

let folder: string;
let postgres: EmbeddedPostgres;
let outbox: pg.Pool;
let audit: pg.Pool;

const once = () =>
  runOutboxCli(['dev', '--once', '--data-dir', folder], {
    TEMPORAL_CLI_PATH: temporalCli(),
    OUTBOX_API_PORT: '18280',
    OUTBOX_PROBE_PORT: '18281',
  });

async function open(): Promise<void> {
  postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), port: 0 });
  outbox = poolOf('outbox');
  audit = poolOf('audit');
}

/** A pool of one connection, so that a transaction on it is what the comparison looks at. */
function poolOf(database: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: postgres.url(database), max: 1 });
  pool.on('error', () => {}); // the server stops while the last connection is being closed
  return pool;
}

async function close(): Promise<void> {
  await outbox?.end();
  await audit?.end();
  await postgres?.stop();
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-dev-books-'));
  expect((await once()).code).toBe(0);
  await open();
}, 180_000);
afterAll(async () => {
  await endLeftoverCli();
  await close();
  await rm(folder, { recursive: true, force: true });
});

const journalFile = () => join(folder, 'journal.ndjson');
const ledgerFile = () => join(folder, 'partner.ndjson');

async function compare() {
  const accounts = {
    journal: await readJournal(journalFile()),
    lines: await readSampleLines(),
    ledger: await readLedger(ledgerFile()),
  };
  const found = await compareBooks({ outbox, audit }, accounts, 'no run');
  const failures = await compareFailures(outbox, accounts.journal, 'no run');
  return { ...found, problems: [...found.problems, ...failures.problems] };
}

/** Does the damage to a file, looks, and puts the file back. */
async function problemsWith(file: string, damage: (text: string) => string): Promise<readonly string[]> {
  const text = await readFile(file, 'utf8');
  const broken = damage(text);
  expect(broken).not.toBe(text);
  await writeFile(file, broken);
  try {
    return (await compare()).problems;
  } finally {
    await writeFile(file, text);
  }
}

/** Does the damage to rows in a transaction, looks at them in it, and rolls it back. */
async function problemsAfter(pool: pg.Pool, ...statements: string[]): Promise<readonly string[]> {
  await pool.query('BEGIN');
  try {
    for (const statement of statements) await pool.query(statement);
    return (await compare()).problems;
  } finally {
    await pool.query('ROLLBACK');
  }
}

const ONE = (where: string) => `(SELECT e.id FROM outbox.event e WHERE ${where} ORDER BY e.id LIMIT 1)`;
const AUTH = ONE("e.event_type = 'AUTH'");
const REFUSED = ONE("e.payload->'rehearse'->>'refuse' = 'true'");
const BUSY = ONE("e.payload->'rehearse' ? 'busy'");

describe('the comparison of the books', () => {
  it('finds nothing in what a run left behind', async () => {
    const { problems, own, imported, acts, others, records, partner } = await compare();
    expect(problems).toEqual([]);
    expect(own).toEqual({ delivered: 182, dead: 0, open: 0, other: 0 });
    expect(imported).toEqual({ delivered: 20, dead: 0, open: 0, other: 0 });
    expect(others).toEqual({ delivered: 0, dead: 0, open: 0, other: 0 });
    expect([records, partner]).toEqual([181, { taken: 22, busy: 4, refused: 3 }]);
    expect(acts).toEqual({ delivered: 1, dead: 0, open: 0, other: 0 });
  });

  it('names a discarded event, one that is dead without a letter, and one that is still dead', async () => {
    const set = (what: string, id: string) => `UPDATE outbox.delivery SET ${what} WHERE event_id = ${id}`;
    const letter = (state: string) => `UPDATE outbox.dead_letter SET state = '${state}' WHERE event_id = ${REFUSED}`;
    const dead = set("status = 'DEAD', receipt = NULL", REFUSED);
    expect(await problemsAfter(outbox, set("status = 'DISCARDED', receipt = NULL", AUTH))).toEqual([
      expect.stringMatching(/: DISCARDED, and was expected to be delivered$/),
    ]);
    const again = await problemsAfter(outbox, dead, letter('open'));
    expect(again).toContainEqual(
      expect.stringMatching(/: DEAD, and was expected to be delivered once it was redriven$/),
    );
    expect(await problemsAfter(outbox, dead)).toContainEqual(expect.stringMatching(/: DEAD with 0 open dead letters$/));
  });

  it('names a retry, a redrive, a notice, or an event for the audit log that is missing', async () => {
    const lessAttempts = `DELETE FROM outbox.delivery_attempt WHERE event_id = ${BUSY} AND n > 1`;
    expect(await problemsAfter(outbox, lessAttempts)).toEqual([
      expect.stringMatching(/: answered with 503, and delivered without a retry$/),
    ]);
    expect(
      await problemsAfter(outbox, `UPDATE outbox.delivery SET epoch = 0, budget_epoch = 0 WHERE event_id = ${REFUSED}`),
    ).toEqual([expect.stringMatching(/: answered with 422, and delivered without a redrive$/)]);
    const untold = `UPDATE outbox.notification SET done_at = NULL WHERE event_id = ${REFUSED}`;
    expect(await problemsAfter(outbox, untold)).toEqual([expect.stringMatching(/^letter .*: nobody was told of it$/)]);
    const unaudited = await problemsAfter(
      outbox,
      'ALTER TABLE outbox.event DISABLE TRIGGER event_insert_only',
      `UPDATE outbox.event SET payload = '{"letters": []}' WHERE event_name = 'outbox.dead_letter.redriven.v1'`,
    );
    expect(unaudited).toHaveLength(3);
    expect(unaudited).toContainEqual(
      expect.stringMatching(/^letter .*: redriven, and 0 events tell the audit log of its redrive$/),
    );
  });

  it('names a second notice of letters that came within the window of the first one', async () => {
    const journal = await readJournal(journalFile());
    const { run } = [...journal.committed.values()][0] as { run: string };
    await outbox.query('BEGIN');
    try {
      // One notice of all of them, at the end of their window: on a slow machine they may have come in two.
      await outbox.query(
        `UPDATE outbox.notification SET claimed_by = 'one',
           claimed_at = (SELECT max(created_at) + interval '1 second' FROM outbox.dead_letter)
         WHERE dead_letter_id IS NOT NULL`,
      );
      expect(await compareFailures(outbox, journal, run)).toMatchObject({
        problems: [],
        run: { letters: 3, notices: 1 },
      });
      await outbox.query(`UPDATE outbox.notification SET claimed_by = 'another' WHERE event_id = ${REFUSED}`);
      const found = await compareFailures(outbox, journal, run);
      expect(found.problems).toEqual([
        expect.stringMatching(/a notice of its own, and its letters were in the window/),
      ]);
      expect(found.run).toMatchObject({ letters: 3, notices: 2, redriven: 3, healed: 3 });
    } finally {
      await outbox.query('ROLLBACK');
    }
  });

  it('R25: does not take the record of another tenant, or of another source, for the event’s', async () => {
    for (const column of ['tenant_id', 'source']) {
      const problems = await problemsAfter(
        audit,
        'ALTER TABLE audit.record DISABLE TRIGGER record_append_only',
        `UPDATE audit.record SET ${column} = 'another' WHERE seq = (SELECT min(seq) FROM audit.record)`,
      );
      expect(problems).toEqual([
        expect.stringMatching(/: delivered, and 0 records in the audit log$/),
        expect.stringMatching(/another.*: a record in the audit log without a row of the outbox$/),
      ]);
    }
  });

  it('names a line of the import that is not there', async () => {
    const problems = await problemsAfter(
      outbox,
      'ALTER TABLE outbox.event DISABLE TRIGGER event_insert_only',
      `UPDATE outbox.event SET headers = '{}' WHERE id = ${ONE("e.event_type = 'IMPORT'")}`,
    );
    expect(problems).toEqual([expect.stringMatching(/: a line of the import, and 0 rows of the outbox$/)]);
  });

  it("compares the partner's ledger: an effect that is missing, doubled, another's, of nobody, or was never refused", async () => {
    const taken = /\{"key":"[^"]+","did":"taken"[^\n]+\n/;
    const refused = /\{"key":"[^"]+","did":"refused"[^\n]+\n/;
    const busy = /\{"key":"[^"]+","did":"busy"[^\n]+\n/;
    const nobodys = '{"key":"nobody","did":"taken","order":"1","items":1}\n';
    for (const [damage, problem] of [
      [(text: string) => text.replace(taken, ''), /: delivered, and 0 orders taken by the partner$/],
      [(text: string) => text + taken.exec(text)?.[0], /: delivered, and 2 orders taken by the partner$/],
      [
        (text: string) => text.replace(/(?<="did":"taken".*"items":)\d/, '99'),
        /: the partner took other than .*, 99 items\)$/,
      ],
      [(text: string) => text + nobodys, /^nobody: an order taken by the partner without a row of the outbox$/],
      [(text: string) => text.replace(refused, ''), /: never refused by the partner$/],
      [(text: string) => text.replace(busy, ''), /: the partner was to be busy [12] times, and was [01] times$/],
    ] as const) {
      expect(await problemsWith(ledgerFile(), damage)).toEqual([expect.stringMatching(problem)]);
    }
  });

  it('names a committed event without a row, and a rolled-back one with a row', async () => {
    const lost = { run: 'r', at: 0, kind: 'committed', ids: ['lost'], expect: 'delivered' };
    expect(await problemsWith(journalFile(), (text) => `${text}${JSON.stringify(lost)}\n`)).toEqual([
      'lost: committed, and no row of the outbox',
    ]);
    expect(await problemsWith(journalFile(), (text) => text.replace('"committed"', '"rolledBack"'))).toEqual([
      expect.stringMatching(/: rolled back, and yet a row of the outbox$/),
    ]);
  });
});

it('counts an event that somebody appended by hand apart, and reports its delivery', async () => {
  await outbox.query(
    `SELECT outbox.record_event('{"eventName": "my.own.test.v1", "eventType": "MINE", "aggregate": {"type": "a", "id": "1"}, "payload": {}}')`,
  );
  await close();
  const { code, printed } = await once();
  expect(printed).toContain('others    1 appended by somebody else: 1 delivered, 0 dead, 0 under way\n');
  expect(printed).toContain('0 new, 20 there already');
  expect(printed).not.toContain('PROBLEM');
  expect(code).toBe(0);
  await open();
}, 120_000);
