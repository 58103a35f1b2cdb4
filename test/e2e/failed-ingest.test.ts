// R28 on the built command line. Real: api, relay and worker as processes, PostgreSQL, Temporal, HTTP, and why the audit
// log fails: a trigger on audit.record that refuses the events a test names. Fake: nothing.
import { randomUUID } from 'node:crypto';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, type TestDeployment } from '../support/roles.js';

let deployment: TestDeployment;
let environment: Record<string, string>;
let key: string;

beforeAll(async () => {
  deployment = await createTestDeployment();
  const { AUDIT_DATABASE_URL, AUDIT_FINGERPRINT_KEYS } = deployment.environment as Record<string, string>;
  environment = { AUDIT_DATABASE_URL, AUDIT_FINGERPRINT_KEYS } as Record<string, string>;
  const made = await runOutboxCli(
    ['keys', 'create', '--name', 'test', '--scope', 'audit:write', 'dlq:read', '--json'],
    {
      AUDIT_DATABASE_URL: AUDIT_DATABASE_URL as string,
    },
  );
  key = (JSON.parse(made.stdout) as { secret: string }).secret;
  await deployment.audit.query(`
    CREATE TABLE public.refused (event_id text);
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM public.refused r WHERE r.event_id = NEW.event_id) THEN RAISE EXCEPTION 'refused'; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON audit.record FOR EACH ROW EXECUTE FUNCTION public.refuse()`);
}, 60_000);
afterEach(async () => {
  await mend();
  await endLeftoverCli();
});
afterAll(() => deployment.drop());

const refuse = (id: string) => deployment.audit.query('INSERT INTO public.refused VALUES ($1)', [id]);
const mend = () => deployment.audit.query('TRUNCATE public.refused');
const rowsOf = async (id: string) =>
  (await deployment.audit.query('SELECT * FROM audit.failed_ingest WHERE event_id = $1 ORDER BY id', [id])).rows;
const failedIngest = (...args: string[]) => runOutboxCli(['failed-ingest', ...args], environment);

function event(eventId: string, data: AuditEvent['data'] = {}): AuditEvent {
  return {
    specVersion: '1.0',
    eventId,
    source: '/services/auth',
    action: 'auth.user.signed_in',
    actionVersion: 1,
    category: 'authentication',
    operation: 'login',
    outcome: 'success',
    occurredAt: '2026-01-02T03:04:05.678Z',
    actor: { type: 'user', id: 'u-1' },
    targets: [],
    data,
  };
}

async function post(api: StartedProcess, body: AuditEvent) {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  const url = `http://127.0.0.1:${api.apiPort}${AUDIT_LOGS_PATH}`;
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json()) as { failedIngestId?: string; recordId?: string } };
}

/** Fails an event of each id; the ids of their rows. */
async function fail(api: StartedProcess, ...events: AuditEvent[]): Promise<string[]> {
  const ids: string[] = [];
  for (const one of events) {
    await refuse(one.eventId);
    const answer = await post(api, one);
    expect(answer.status).toBe(500);
    ids.push(answer.body.failedIngestId as string);
  }
  return ids;
}

it('R28: an api killed after it kept an event and before it said so: the resend finds the row, and later closes it', async () => {
  const id = randomUUID();
  await refuse(id);
  const doomed = await deployment.start('api', { OUTBOX_TEST_FAILPOINT: 'after-keep-before-answer' });
  await expect(post(doomed, event(id))).rejects.toThrow();
  expect(await doomed.ended).toBe('SIGKILL');
  const [kept] = await rowsOf(id);
  expect(kept).toMatchObject({ state: 'open', tries: 1 });

  const api = await deployment.start('api');
  expect(await post(api, event(id))).toMatchObject({ status: 500, body: { failedIngestId: kept.id } });
  await mend();
  expect((await post(api, event(id))).status).toBe(201);
  expect(await rowsOf(id)).toMatchObject([{ id: kept.id, state: 'stored', tries: 2 }]);
});

it('R28: the command line lists, shows, retries and discards; what strangers sent cannot steer a terminal', async () => {
  const api = await deployment.start('api');
  const [first, second] = [randomUUID(), `\u202e-${randomUUID()}`];
  const [one, two] = (await fail(api, event(first, { text: '\u009b31m\u202e ü' }), event(second))) as [string, string];

  const listed = await failedIngest('list', '--json');
  expect(listed.code).toBe(0);
  expect(JSON.parse(listed.stdout)).toMatchObject({
    items: [
      { id: two, eventId: second, state: 'open', tenantId: null },
      { id: one, eventId: first },
    ],
    next: null,
  });
  const page = await failedIngest('list', '--limit', '1');
  expect(page.stdout).toContain(two);
  expect(page.stdout).toContain(`more: --before ${two}`);
  expect((await failedIngest('list', '--limit', '1', '--before', two)).stdout).toContain(one);

  const shown = await failedIngest('show', one);
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('\\u009b31m\\u202e \\u00fc') });
  for (const { stdout } of [listed, page, shown]) expect(stdout).toMatch(/^[\x20-\x7e\n]+$/);
  const json = JSON.parse((await failedIngest('show', one, '--json')).stdout);
  expect(JSON.parse(json.body)).toEqual(event(first, { text: '\u009b31m\u202e ü' }));

  const still = await failedIngest('retry', one, '--reason', 'too early');
  expect(still).toMatchObject({ code: 1, stdout: expect.stringContaining(`${one}: failed again, and stays open`) });
  await mend();
  const gone = randomUUID();
  const retried = await failedIngest('retry', one, gone, '--reason', 'mended', '--actor', 'ada', '--json');
  expect(retried.code).toBe(1);
  expect(JSON.parse(retried.stdout).results).toMatchObject([
    { id: one, outcome: 'stored', receipt: { eventId: first } },
    { id: gone, outcome: 'missing' },
  ]);
  expect(await rowsOf(first)).toMatchObject([{ state: 'stored', tries: 2, actor: 'ada', reason: 'mended' }]);
  expect(await deployment.records(first)).toBe(1);

  expect((await failedIngest('discard', two, '--reason', 'a test')).code).toBe(0);
  expect(await rowsOf(second)).toMatchObject([{ state: 'discarded', actor: expect.any(String), reason: 'a test' }]);
  for (const verb of ['retry', 'discard']) {
    expect(await failedIngest(verb, two, '--reason', 'again')).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('expected one that is open, this one is discarded'),
    });
  }
  expect((await failedIngest('list')).stdout).toContain('none is open');
});

it('R28: the command line retries and discards by a filter, and tells the audit log who did', async () => {
  const api = await deployment.start('api');
  const since = new Date(Date.now() - 1_000).toISOString();
  const events = [event(randomUUID()), event(randomUUID()), event(randomUUID())];
  const [first] = await fail(api, ...events);
  const matching = ['--code', 'P0001', '--source', '/services/auth', '--since', since];
  expect(await failedIngest('retry', ...matching, '--dry-run')).toMatchObject({
    code: 0,
    stdout: '3 match; nothing was done\n',
  });
  await mend();
  const some = await failedIngest('retry', ...matching, '--cap', '1', '--reason', 'mended', '--actor', 'ada');
  expect(some).toMatchObject({ code: 0, stdout: `1 match, 1 stored\nmore: --after ${first}\n` });
  expect(await rowsOf(events[0]?.eventId as string)).toMatchObject([{ id: first, state: 'stored', actor: 'ada' }]);
  const rest = await failedIngest(
    'discard',
    ...matching,
    '--after',
    first as string,
    '--reason',
    'a test',
    '--json',
    '--actor',
    'ada',
  );
  expect(JSON.parse(rest.stdout)).toMatchObject({ matched: 2, next: null, discarded: 2 });
  expect(await failedIngest('discard', ...matching, '--reason', 'x')).toMatchObject({ code: 0, stdout: '0 match\n' });
  expect((await failedIngest('list', '--state', 'discarded', ...matching, '--limit', '1')).stdout).toContain(
    'more: --before ',
  );
  const { rows } = await deployment.audit.query(
    `SELECT action, actor_type, actor_id FROM audit.record WHERE source = '/audit/failed-ingest' AND actor_id = 'ada' AND recorded_at >= $1
     ORDER BY recorded_at, record_id`,
    [since],
  );
  const by = { actor_type: 'user', actor_id: 'ada' };
  expect(rows).toEqual([
    { ...by, action: 'audit.failed_ingest.retried' },
    { ...by, action: 'audit.failed_ingest.discarded' },
    { ...by, action: 'audit.failed_ingest.discarded' },
  ]);
});

it('R28: wrong use ends with 64 or 78 and a sentence, what is not there with 1', async () => {
  const id = randomUUID();
  for (const args of [
    ['show', 'x'],
    ['list', '--state', 'gone'],
    ['list', '--limit', '201'],
    ['retry', id],
    ['discard', id, '--reason', ''],
    ['discard', '--reason', 'x'],
    ['discard', id, '--code', '23514', '--reason', 'x'],
    ['retry', id, '--dry-run'],
    ['retry', '--code', '23514'],
    ['retry', '--code', '23514', '--cap', '1001', '--reason', 'x'],
  ]) {
    expect({ args, ...(await failedIngest(...args)) }).toMatchObject({ args, code: 64 });
  }
  expect(await failedIngest('show', id)).toMatchObject({ code: 1, printed: `outbox: ${id}: no such failed event\n` });
  const { AUDIT_DATABASE_URL } = environment as { AUDIT_DATABASE_URL: string };
  const keyless = await runOutboxCli(['failed-ingest', 'retry', id, '--reason', 'x'], { AUDIT_DATABASE_URL });
  expect(keyless).toMatchObject({ code: 78, printed: expect.stringContaining('AUDIT_FINGERPRINT_KEYS: missing') });
  const away = { ...environment, AUDIT_DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' };
  expect(await runOutboxCli(['failed-ingest', 'list'], away)).toMatchObject({
    code: 69,
    printed: expect.stringMatching(/^outbox: the audit database does not answer/),
  });
});

it('R28: an event of our own outbox is an attempt that failed with INGEST.INTERNAL, and nothing is kept twice', async () => {
  const api = await deployment.start('api');
  const id = await deployment.append({});
  await refuse(id);
  await deployment.start('relay,worker', { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` });
  await eventually('a failed attempt', async () => {
    const { rows } = await deployment.outbox.query(
      `SELECT FROM outbox.delivery_attempt WHERE event_id = $1 AND code = 'INGEST.INTERNAL' AND status = 500`,
      [id],
    );
    return rows.length > 0;
  });
  await mend();
  await deployment.untilStatus(id, 'DELIVERED');
  expect(await deployment.records(id)).toBe(1);
  expect(await rowsOf(id)).toEqual([]);
}, 60_000);
