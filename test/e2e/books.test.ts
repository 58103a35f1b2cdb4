// R23 on the built command line. Real: api, two relays and a worker as processes, PostgreSQL, Temporal, HTTP between them.
// Fake: nothing; an event is made old, and a record taken away, by SQL.
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type TestDeployment } from '../support/roles.js';

let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(() => deployment.drop());

const HOUR = `${new Date(Date.now() - 5 * 3_600_000).toISOString().slice(0, 13)}:00:00Z`;
const HOSTILE = '\u202eacme\u00a0<b>';

it('R23: a record that is gone is found by a relay, repaired by a person, delivered again and balanced', async () => {
  const api = await deployment.start('api');
  const more = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  await deployment.start('worker', more);
  const id = await deployment.append({ tenantId: HOSTILE });
  await deployment.outbox.query('ALTER TABLE outbox.event DISABLE TRIGGER event_insert_only');
  await deployment.outbox.query('UPDATE outbox.event SET recorded_at = $1::timestamptz', [HOUR]);
  await deployment.outbox.query('ALTER TABLE outbox.event ENABLE TRIGGER event_insert_only');
  const relays = await Promise.all([deployment.start('relay', more), deployment.start('relay', more)]);
  await deployment.untilStatus(id, 'DELIVERED');
  expect(relays).toHaveLength(2);
  // As after a restore of the audit log: what the outbox says was delivered does not stand there.
  await deployment.audit.query('ALTER TABLE audit.record_key DISABLE TRIGGER ALL');
  await deployment.audit.query('DELETE FROM audit.record_key WHERE event_id = $1', [id]);
  await deployment.audit.query('ALTER TABLE audit.record_key ENABLE TRIGGER ALL');

  const { OUTBOX_DATABASE_URL, OUTBOX_AUDIT_API_KEY } = deployment.environment as Record<string, string>;
  const environment = { OUTBOX_DATABASE_URL, OUTBOX_AUDIT_API_KEY, ...more } as Record<string, string>;
  const books = (...args: string[]) => runOutboxCli(['books', ...args], environment);
  await eventually(
    'the first look',
    async () => {
      const { stdout } = await books('--hour', HOUR, '--json');
      return stdout !== '' && JSON.parse(stdout).checkedAt !== null;
    },
    60_000,
  );
  await books('--hour', HOUR, '--again');
  const found = await eventually(
    'the gap',
    async () => {
      const answer = await books('--hour', HOUR);
      return answer.stdout.includes('1 gaps') && answer;
    },
    60_000,
  );
  expect(found.code).toBe(1);
  expect(found.stdout).toContain(`${id}  not_in_audit_log  DELIVERED  0  \\u202eacme\\u00a0<b>`);
  expect(await books('--gaps', '--json')).toMatchObject({ code: 1 });

  const dry = await books('--hour', HOUR, '--repair');
  expect(dry).toMatchObject({ code: 0 });
  expect(dry.stdout).toContain('1 would be mended: --apply --reason');
  expect(await deployment.status(id)).toBe('DELIVERED');
  expect(await books('--hour', HOUR, '--repair', '--apply')).toMatchObject({ code: 64 });
  const done = await books('--hour', HOUR, '--repair', '--apply', '--reason', 'restored', '--actor', 'ada', '--json');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.stdout)).toMatchObject({ kind: 'repaired', repaired: { not_in_audit_log: 1 } });
  await eventually('delivered again', async () => {
    const { rows } = await deployment.outbox.query('SELECT status, epoch FROM outbox.delivery WHERE event_id = $1', [
      id,
    ]);
    return rows[0]?.status === 'DELIVERED' && rows[0].epoch === 1;
  });
  await books('--hour', HOUR, '--again');
  const after = await eventually(
    'balanced',
    async () => {
      const answer = await books('--hour', HOUR);
      return answer.stdout.includes('balanced') && answer;
    },
    60_000,
  );
  expect(after.code).toBe(0);
  await eventually('the repair in the audit log', async () => {
    const { rows } = await deployment.audit.query(
      "SELECT FROM audit.record WHERE body::jsonb->>'action' = 'outbox.books.repaired'",
    );
    return rows.length === 1;
  });
}, 240_000);

it('R23: what does not fit the command line is named', async () => {
  const environment = { OUTBOX_DATABASE_URL: deployment.databases.outboxUrl };
  for (const args of [
    ['--hour', 'yesterday'],
    ['--hour', '2026-11-23T09:30:00Z'],
    ['--repair'],
    ['--again'],
    ['--since', '2026-11-23T09'],
    ['--again', '--until', '2026-11-23T09'],
    ['--again', '--since', '2026-11-23T09', '--until', '2026-11-23T09'],
    ['--again', '--since', '2026-11-23T09', '--hour', '2026-11-23T09'],
    ['--repair', '--again', '--since', '2026-11-23T09'],
    ['--limit', '0'],
  ]) {
    expect(await runOutboxCli(['books', ...args], environment)).toMatchObject({ code: 64 });
  }
  expect(await runOutboxCli(['books', '--hour', '2001-01-01T00', '--repair'], environment)).toMatchObject({ code: 1 });
  const again = ['books', '--again', '--since', '2001-01-01T00', '--until', '2001-01-02T00', '--json'];
  expect(await runOutboxCli(again, environment)).toMatchObject({ code: 0, stdout: '{"hours":0}\n' });
});
