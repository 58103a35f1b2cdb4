// `outbox audit` as built. Real: the command line as processes, PostgreSQL. Fake: nothing.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { recordListSchema, recordViewSchema } from '../../src/contract/audit-records-api.js';
import { event, startIngest, type TestIngest } from '../integration/ingest-set-up.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { fillRecords, makeMonths } from '../support/records.js';

let ingest: TestIngest;
let ids: string[];

beforeAll(async () => {
  ingest = await startIngest();
  const [acme, none] = [await ingest.key(['audit:write'], 'acme'), await ingest.key(['audit:write'])];
  const hostile = { type: 'user' as const, id: '\u202e\u001b]0;x\u0007' };
  const sent = [
    [event({ action: 'auth.user.signed_in', actor: hostile }), acme],
    [event({ action: 'auth.users.listed', targets: [] }), acme],
    [event({ action: 'order.order.placed', outcome: 'failure', data: { text: 'ü\u009b31m=1+1' } }), none],
  ] as const;
  ids = [];
  for (const [one, key] of sent) ids.push((await ingest.post(one, { key })).body.recordId);
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(() => ingest.stop());

const audit = (...args: string[]) => runOutboxCli(['audit', ...args], { AUDIT_DATABASE_URL: ingest.auditUrl });

it('lists records of every tenant, or those that a filter means, page by page; foreign text cannot steer a terminal', async () => {
  const listed = await audit('list');
  expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('that is all') });
  for (const id of ids) expect(listed.stdout).toContain(id);
  expect(listed.stdout).toContain('user:\\u202e\\u001b]0;x\\u0007');
  expect(listed.stdout).toMatch(/^[\x20-\x7e\n]+$/);

  const first = await audit('list', '--limit', '2', '--json');
  const page = recordListSchema.partial({ searched: true }).parse({ ...JSON.parse(first.stdout), searched: undefined });
  expect(page.items.map(({ recordId }) => recordId)).toEqual([...ids].sort().reverse().slice(0, 2));
  const rest = JSON.parse((await audit('list', '--before', String(page.next), '--json')).stdout);
  expect(rest).toMatchObject({ items: [{ recordId: [...ids].sort()[0] }], next: null });

  const only = async (...flags: string[]) =>
    JSON.parse((await audit('list', '--json', ...flags)).stdout).items.map(
      (item: { recordId: string }) => item.recordId,
    );
  expect(await only('--action', 'auth.user')).toEqual([ids[0]]);
  expect(await only('--tenant', '')).toEqual([ids[2]]);
  expect(await only('--tenant', 'acme', '--target-type', 'session', '--target', 's-1')).toEqual([ids[0]]);
  expect(await only('--outcome', 'failure', '--text', 'Ü')).toEqual([ids[2]]);
  expect(await only('--until', '2026-01-01T00:00:00Z')).toEqual([]);
});

it('shows one, also as OCSF; one that is not there is exit code 1', async () => {
  const [, , id] = ids as [string, string, string];
  expect(recordViewSchema.parse(JSON.parse((await audit('show', id, '--json')).stdout))).toMatchObject({
    recordId: id,
  });
  expect(JSON.parse((await audit('show', id, '--ocsf')).stdout)).toMatchObject({ class_uid: 3002, status_id: 2 });
  const shown = await audit('show', id);
  expect(shown.stdout).toContain('action         order.order.placed\n');
  expect(shown.stdout).toMatch(/^[\x20-\x7e\n]+$/);
  const missing = await audit('show', '0198c0de-0000-7000-8000-000000000001');
  expect(missing).toMatchObject({ code: 1, stdout: '', printed: expect.stringContaining('no such record') });
});

it('exports NDJSON with its end, and CSV', async () => {
  const { code, stdout } = await audit('export', '--tenant', 'acme');
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect({ code, end: lines.pop() }).toEqual({ code: 0, end: { type: 'end', records: 2 } });
  expect(lines.map(({ recordId }) => recordId)).toEqual([ids[0], ids[1]].sort());
  const csv = (await audit('export', '--tenant', '', '--format', 'csv')).stdout;
  expect(csv).toContain('{"text":"ü\u009b31m=1+1"}'.replaceAll('"', '""'));
  expect(csv.split('\r\n')).toHaveLength(3);
});

it('what does not fit is named by its option, exit code 64', async () => {
  for (const [flags, told] of [
    [['list', '--since', 'yesterday'], '--since: Expected an RFC 3339'],
    [['export', '--actor-type', 'robot'], '--actor-type: '],
    [['list', '--limit', '201'], '--limit'],
    [['list', '--action', 'a%'], '--action: '],
  ] as const) {
    expect(await audit(...flags)).toMatchObject({ code: 64, stdout: '', printed: expect.stringContaining(told) });
  }
});

it('whoever has read enough ends an export', async () => {
  await makeMonths(ingest.pool, 6);
  await fillRecords(ingest.pool, {
    tenantId: 'many',
    count: 20_000,
    from: new Date('2026-02-01T00:00:00Z'),
    stepMs: 1_000,
  });
  const cli = new URL('../../dist/src/cli/outbox.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [cli, 'audit', 'export'], {
    env: { PATH: process.env.PATH, AUDIT_DATABASE_URL: ingest.auditUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child.stdout, 'data');
  child.stdout.destroy();
  const [code] = await once(child, 'exit');
  expect(code).toBe(1);
}, 60_000);
