/**
 * `outbox status` beside the monitor's own parts: what it says, and how it ends. Real: PostgreSQL, the built command line.
 * Fake: processes and letters are rows.
 */
import { randomUUID } from 'node:crypto';
import type { OverviewPart } from '../../src/contract/overview-api.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { EXIT } from '../../src/main/exit-codes.js';
import type { Status } from '../../src/main/read-status.js';
import { asAdmin, createEmptyDatabase, createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { type CliProcess, endLeftoverCli, outboxCli, runOutboxCli } from '../support/outbox-cli.js';

const DEAD_URL = 'postgresql://someone:hunter2@127.0.0.1:1/nowhere';

let databases: TestDatabases;
let pool: PgPool;
beforeEach(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 2 });
  // For an hour to come, so that no test is about how long it takes.
  await pool.query(
    `INSERT INTO outbox.process (id, roles, host, pid, version, skew_ms, says, seen_at)
     VALUES ($1, '{relay,worker}', 'machine', 7, '0.1.0', 0, '{}', clock_timestamp() + interval '1 hour')`,
    [randomUUID()],
  );
});
afterEach(async () => {
  await endLeftoverCli();
  await pool.end();
  await databases.drop();
});

const urls = () => ({ OUTBOX_DATABASE_URL: databases.outboxUrl, AUDIT_DATABASE_URL: databases.auditUrl });
/** Of a look that is not answered in its time, and of the next one where that waited for the same answer. */
const LATE = /no answer within|expected an answer within|does not answer in time/;
/** At most three times, while a part has no answer in its time: on a busy machine that is the right thing to say. */
async function status(args: readonly string[] = [], environment: Record<string, string> = urls()) {
  for (let times = 1; ; times++) {
    const ended = await runOutboxCli(['status', ...args], environment);
    if (times === 3 || !LATE.test(ended.printed)) return ended;
  }
}
const letter = () =>
  pool.query(
    `INSERT INTO outbox.dead_letter (id, event_id, epoch, destination, event_type, code, message, retry_count, max_retries)
     VALUES (gen_random_uuid(), gen_random_uuid(), 0, 'audit.log', 'ORDER', 'HTTP.TLS', 'm', 1, 1)`,
  );
const part = ({ parts }: Status, name: OverviewPart['name']) => parts.find((one) => one.name === name);

it('well: 0, also with --check; every part is there, and minutes that nobody counted are told', async () => {
  const { code, stdout } = await status(['--check', '--json']);
  const document = JSON.parse(stdout) as Status;
  const verdict = { state: 'well', sentence: 'all is well', concerns: [], notLookedAt: [] };
  expect([code, document.verdict]).toEqual([EXIT.done, verdict]);
  expect(document.parts.map(({ state }) => state)).toEqual(document.parts.map(() => 'ok'));
  expect(document.figures.map(({ window }) => window)).toEqual(['15m', '1h', '24h']);
  expect(document).toMatchObject({ figuresMissing: null, notLookedAt: [] });

  const text = await status();
  expect(text.stdout).toMatch(/^verdict {8}all is well\nrate {11}0\/s over 60 s\nlag /);
  expect(text.stdout).toMatch(/^last 15 min {4}0 delivered, 0 died; \d+ minutes were not counted$/m);
  expect(text.stdout).toMatch(/^process {8}relay and worker {2}machine:7 {2}0\.1\.0/m);
  expect(text.stdout).toMatch(/^verification {3}never$/m);
});

it('not well: 1 with --check alone, and what is not well stands first', async () => {
  await letter();
  const { code, stdout } = await status();
  expect(code).toBe(EXIT.done);
  expect(stdout).toMatch(/^verdict {8}attention: one dead letter is open, the oldest since /);
  expect((await status(['--check'])).code).toBe(EXIT.failed);
});

it('without the URL of the audit log its parts are not looked at, and that is said', async () => {
  const { code, stdout } = await status(['--check'], { OUTBOX_DATABASE_URL: databases.outboxUrl });
  expect(code).toBe(EXIT.done);
  expect(stdout).toMatch(/^verdict {8}what was looked at is well$/m);
  expect(stdout).toMatch(/^not looked at {2}the audit log: AUDIT_DATABASE_URL is not set$/m);
  expect(stdout).not.toMatch(/^seal /m);
});

it('the outbox database away: 69, what else is known is printed, and nothing of it as 0', async () => {
  const away = { OUTBOX_DATABASE_URL: DEAD_URL, AUDIT_DATABASE_URL: databases.auditUrl };
  const { code, stdout, printed } = await status(['--json'], away);
  const document = JSON.parse(stdout) as Status;
  expect([code, document.verdict.state]).toEqual([EXIT.unavailable, 'wrong']);
  expect(document.verdict.concerns).toMatchObject([{ part: 'outboxDatabase' }]);
  expect(part(document, 'letters')).toMatchObject({ state: 'away', value: null, at: null });
  expect(part(document, 'seal')).toMatchObject({ state: 'ok' });
  expect(printed).not.toContain('hunter2');
  const text = await status([], away);
  expect(text.code).toBe(EXIT.unavailable);
  expect(text.stdout).toMatch(/^dead {11}not known: .*ECONNREFUSED/m);
  expect(text.stdout).toMatch(/^seal {11}0 sealed/m);
});

it('a database that is not migrated, a setting that does not fit: 78 and a sentence, nothing on standard output', async () => {
  const empty = await createEmptyDatabase();
  try {
    const { code, stdout, printed } = await status(['--json'], { OUTBOX_DATABASE_URL: empty.url });
    expect([code, stdout]).toEqual([EXIT.configuration, '']);
    expect(printed).toContain('run `outbox migrate deploy` first');
  } finally {
    await empty.drop();
  }
  expect((await status([], {})).code).toBe(EXIT.configuration);
});

describe('--watch', () => {
  const linesOf = (cli: CliProcess) => cli.stdout().split('\n').filter(Boolean);
  const said = (line: string) => line.replace(/^\S+/, '');
  /** But for looks that came too late, and for what was said before them and is said again after. */
  const changesOf = (cli: CliProcess) => {
    const lines = linesOf(cli);
    return lines.filter((line, at) => {
      if (LATE.test(line)) return false;
      const before = lines.slice(0, at).findLast((earlier) => !LATE.test(earlier));
      const isSaidAgain = LATE.test(lines[at - 1] ?? '') && said(before ?? '') === said(line);
      return !isSaidAgain;
    });
  };
  const untilChanges = (cli: CliProcess, count: number) =>
    eventually(`${count} lines`, async () => changesOf(cli).length >= count && changesOf(cli));

  it('in a pipe: a line at first, and one when something changes; SIGTERM ends it with 0', async () => {
    const cli = outboxCli(['status', '--watch', '1'], urls());
    expect(await untilChanges(cli, 1)).toEqual([expect.stringMatching(/^\d{4}-\S+Z {2}well: all is well$/)]);
    await letter();
    expect((await untilChanges(cli, 2))[1]).toMatch(/ {2}attention: one dead letter is open/);
    cli.kill('SIGTERM');
    expect([await cli.ended, changesOf(cli).length]).toEqual([EXIT.done, 2]);
  });

  it('with --json: a document a line; a database that goes away keeps what was known, with its age', async () => {
    await letter();
    const cli = outboxCli(['status', '--watch', '1', '--json'], urls());
    const latest = async () => JSON.parse(linesOf(cli).at(-1) ?? '') as Status;
    const before = await eventually('a document that knows of letters', async () => {
      const seen = await latest();
      return part(seen, 'letters')?.state === 'ok' && seen;
    });
    expect(part(before, 'letters')).toMatchObject({ state: 'ok', value: { open: 1 } });
    const name = new URL(databases.outboxUrl).pathname.slice(1);
    await asAdmin(async (client) => {
      await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
      await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
    });
    const gone = await eventually('the database is away', async () => {
      const seen = await latest();
      return seen.verdict.state === 'wrong' && part(seen, 'letters')?.state === 'away' && seen;
    });
    expect(part(gone, 'letters')).toMatchObject({ state: 'away', value: { open: 1 } });
    expect(Date.parse(part(gone, 'letters')?.at ?? '')).toBeLessThan(Date.parse(gone.at));
    await asAdmin((client) => client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS true`));
    await eventually('it is back', async () => (await latest()).verdict.state === 'attention');
    cli.kill('SIGINT');
    expect(await cli.ended).toBe(EXIT.done);
  });

  it('with --check: refused, for it never ends with a verdict', async () => {
    const { code, printed } = await status(['--watch', '--check']);
    expect([code, printed]).toEqual([EXIT.usage, expect.stringContaining('--check')]);
  });
});
