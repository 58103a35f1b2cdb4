// Real: api, relays and worker as processes of the built command line, PostgreSQL, Temporal, HTTP between them; what a
// person does with dead letters through the command line. Fake: the partner, a scripted HTTP server behind httpHandler.
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

let deployment: TestDeployment;
let partner: ScriptedDestination;
let api: StartedProcess;
let worker: StartedProcess;
let line: Record<string, string>;
let config: string;
/** How often the partner took an event, by its Idempotency-Key. */
let taken: Map<string, number>;

beforeAll(async () => {
  deployment = await createTestDeployment();
  partner = await startScriptedDestination();
  config = await deployment.configFile(
    `httpHandler({ routingKey: 'test.partner', url: '${partner.url}', timeoutMs: 60_000 })`,
  );
  api = await deployment.start('api');
  line = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  worker = await deployment.start('worker', line, ['--config', config]);
}, 60_000);
beforeEach(() => {
  taken = new Map();
});
afterEach(() => endLeftoverCli([api, worker]));
afterAll(async () => {
  await Promise.all([stop(api), stop(worker)]);
  await partner.close();
  await deployment.drop();
});

const dlq = (...args: string[]) =>
  runOutboxCli(['dlq', ...args], { OUTBOX_DATABASE_URL: deployment.databases.outboxUrl });
// biome-ignore lint/suspicious/noExplicitAny: whatever the command printed, looked at by the test
const json = async (...args: string[]): Promise<Record<string, any>> => {
  const { code, stdout, printed } = await dlq(...args, '--json');
  if (stdout === '') throw new Error(printed);
  return { ...JSON.parse(stdout), code };
};
const startRelay = (more: Record<string, string> = {}) =>
  deployment.start('relay', { ...line, OUTBOX_LEASE_MS: '5000', ...more }, ['--config', config]);
const refuse = () => partner.answer((_, response) => response.writeHead(422).end('{"why":"no iban"}'));
const take = () =>
  partner.answer(({ key }, response) => {
    taken.set(key, (taken.get(key) ?? 0) + 1);
    response.writeHead(201).end(JSON.stringify({ id: `p-${key}` }));
  });
const append = (type: string, count: number) =>
  Promise.all(
    Array.from({ length: count }, (_, i) =>
      deployment.append({ routingKey: 'test.partner', eventType: type, tenantId: 'acme', payload: { i } }),
    ),
  );
const statuses = async (ids: readonly string[]) =>
  (
    await deployment.outbox.query(
      'SELECT status, epoch, count(*)::int AS n FROM outbox.delivery WHERE event_id = ANY ($1) GROUP BY 1, 2 ORDER BY 1, 2',
      [ids],
    )
  ).rows;

/** Dead, as the partner refused them. */
async function dead(type: string, count: number): Promise<string[]> {
  refuse();
  const ids = await append(type, count);
  await eventually(
    `${count} dead`,
    async () => (await statuses(ids))[0]?.status === 'DEAD' && (await statuses(ids))[0]?.n === count,
    40_000,
  );
  return ids;
}

it('R2: found, understood, redriven and delivered; the second failure is a letter linked to the first; all of it is in the audit log', async () => {
  await startRelay();
  const [id] = (await dead('ONE', 1)) as [string];
  const listed = await json('list', '--type', 'ONE');
  const [letter] = listed['items'] as { id: string }[];
  expect(listed).toMatchObject({ items: [{ eventId: id, code: 'HTTP.CLIENT_ERROR', status: 422 }], next: null });
  expect((await dlq('show', id)).stdout).toContain('no iban');

  expect(await json('redrive', id, '--dry-run')).toMatchObject({ count: 1, results: [{ id, state: 'open' }] });
  expect(await json('redrive', id, '--reason', 'try', '--actor', 'ada')).toMatchObject({
    code: 0,
    results: [{ outcome: 'redriven', epoch: 1 }],
  });
  await eventually(
    'dead again',
    async () => (await statuses([id]))[0]?.epoch === 1 && (await deployment.status(id)) === 'DEAD',
  );
  expect(await json('show', id)).toMatchObject({
    epoch: 1,
    state: 'open',
    previous: [{ id: letter?.id, state: 'redriven' }],
  });
  // What was said of the first letter does not move the second one.
  expect(await json('redrive', letter?.id as string, '--reason', 'again')).toMatchObject({
    code: 1,
    results: [{ outcome: 'not-open', state: 'redriven', actor: 'ada' }],
  });

  take();
  expect((await dlq('redrive', id, '--reason', 'mended', '--actor', 'bob')).stdout).toBe(
    `${id}: redriven, as epoch 2\n`,
  );
  await deployment.untilStatus(id, 'DELIVERED');
  expect(taken.get(id)).toBe(1);
  const records = await eventually('both redrives in the audit log', async () => {
    const { rows } = await deployment.audit.query(
      `SELECT body::jsonb AS body FROM audit.record WHERE body::jsonb->>'action' = 'outbox.dead_letter.redriven'
       ORDER BY body::jsonb->>'outcomeReason' DESC`,
    );
    return rows.length === 2 && rows.map(({ body }) => body);
  });
  expect(records).toMatchObject([
    {
      tenantId: 'acme',
      category: 'system',
      operation: 'execute',
      outcomeReason: 'try',
      actor: { type: 'user', id: 'ada' },
      targets: [{ type: 'dead_letter', id: letter?.id }],
      data: { letters: [{ eventId: id, epoch: 1 }] },
    },
    { outcomeReason: 'mended', actor: { id: 'bob' }, data: { letters: [{ eventId: id, epoch: 2 }] } },
  ]);
});

it.each(['redrive-before-commit', 'redrive-after-commit'])(
  'R2: a relay killed in the middle of a job (%s): the next one goes on, and each is redriven and delivered once',
  async (failpoint) => {
    const type = `JOB_${failpoint.replaceAll('-', '_')}`;
    const first = await startRelay();
    const ids = await dead(type, 25);
    await stop(first);
    take();
    const made = await json('redrive', '--type', type, '--rate', '10', '--reason', 'mended', '--no-wait');
    const { id: jobId } = made['job'] as { id: string };
    expect(made).toMatchObject({ code: 0, job: { expected: 25, state: 'running', redriven: 0 } });
    const doomed = await startRelay({ OUTBOX_TEST_FAILPOINT: failpoint });
    expect(await doomed.ended).toBe('SIGKILL');
    expect(await json('jobs', jobId)).toMatchObject({
      state: 'running',
      redriven: failpoint.includes('after') ? 10 : 0,
    });

    await startRelay();
    await eventually('the job done', async () => (await json('jobs', jobId))['redriven'] === 25, 40_000);
    expect(await json('jobs', jobId)).toMatchObject({ redriven: 25, skipped: 0 });
    await eventually(
      'all delivered',
      async () => (await statuses(ids))[0]?.n === 25 && (await statuses(ids))[0]?.status === 'DELIVERED',
      40_000,
    );
    expect(await statuses(ids)).toEqual([{ status: 'DELIVERED', epoch: 1, n: 25 }]);
    expect([...taken.values()]).toEqual(Array.from({ length: 25 }, () => 1));
    const { rows } = await deployment.outbox.query(
      `SELECT payload->'letters' AS letters FROM outbox.event WHERE event_type = 'OUTBOX' AND payload->>'jobId' = $1`,
      [jobId],
    );
    const told = rows.flatMap(({ letters }) => letters.map(({ eventId }: { eventId: string }) => eventId));
    expect(told.sort()).toEqual([...ids].sort());
  },
  120_000,
);

it('a job is waited for, with its progress; a dry run counts; what does not fit is refused with a sentence', async () => {
  await startRelay();
  await dead('WAIT', 6);
  take();
  expect(await json('redrive', '--type', 'WAIT', '--dry-run')).toMatchObject({
    count: 6,
    groups: [{ destination: 'test.partner', eventType: 'WAIT', code: 'HTTP.CLIENT_ERROR', count: 6 }],
  });
  const { code, stdout, printed } = await dlq(
    'redrive',
    '--type',
    'WAIT',
    '--cap',
    '5',
    '--rate',
    '1',
    '--reason',
    'mended',
  );
  expect(code).toBe(0);
  expect(stdout).toMatch(/^[0-9a-f-]{36} {2}\S+ {2}done {2}5 of 5 redriven, 0 skipped {2}\S+ {2}mended\n$/);
  expect(printed).toMatch(/job [0-9a-f-]{36}: 5 letters, 1 a second at most/);
  expect(printed).toMatch(/\n[1-5] of 5 redriven\n/);
  expect((await json('list', '--type', 'WAIT'))['items']).toHaveLength(1);
  expect((await dlq('redrive', '--type', 'NONE', '--reason', 'r')).stdout).toContain('nothing was done');
  for (const [args, says] of [
    [['redrive', '--reason', 'r'], '--all'],
    [['redrive', '0198c0de-0000-7000-8000-000000000001', '--type', 'X', '--reason', 'r'], 'not both'],
    [['redrive', '--type', 'X'], '--reason'],
    [['redrive', '--text', 'x', '--reason', 'r'], 'since'],
    [['redrive', '--type', 'X', '--rate', '0', '--reason', 'r'], 'from 1 to 1000'],
    [['discard', '0198c0de-0000-7000-8000-000000000001'], '--reason'],
    [['jobs', '--cancel'], 'the id of a job'],
  ] as const) {
    const refused = await dlq(...args);
    expect({ args, code: refused.code, stdout: refused.stdout }).toEqual({ args, code: 64, stdout: '' });
    expect(refused.printed).toContain(says);
  }
});

it('discarded: stays in the list with who and why, and is told to the audit log', async () => {
  await startRelay();
  const [id] = (await dead('GONE', 1)) as [string];
  expect(await json('discard', id, '--reason', 'cancelled by phone', '--actor', 'ada')).toMatchObject({
    code: 0,
    results: [{ outcome: 'discarded' }],
  });
  expect(await json('list', '--state', 'discarded')).toMatchObject({
    items: [{ eventId: id, actor: 'ada', reason: 'cancelled by phone' }],
  });
  expect(await deployment.status(id)).toBe('DISCARDED');
  expect(await json('discard', id, '--reason', 'again')).toMatchObject({ code: 1, results: [{ outcome: 'not-open' }] });
  // Closed, not there, and under way: each told, none moved.
  const waiting = await deployment.append({ availableAt: new Date(Date.now() + 3_600_000).toISOString() });
  for (const [which, outcome] of [
    [id, 'not-open'],
    ['0198c0de-0000-7000-8000-000000000001', 'missing'],
    [waiting, 'not-open'],
  ] as const) {
    const refused = await json('redrive', which, '--reason', 'again');
    expect(refused).toMatchObject({ code: 1, results: [{ outcome }] });
  }
  expect(await deployment.status(waiting)).toBe('PENDING');
  await eventually('the record of it', async () => {
    const { rows } = await deployment.audit.query(
      `SELECT FROM audit.record WHERE body::jsonb->>'action' = 'outbox.dead_letter.discarded' AND body::jsonb->>'outcomeReason' = 'cancelled by phone'`,
    );
    return rows.length === 1;
  });
});

it('R15: edited, checked, redriven: the partner gets the new payload once', async () => {
  await startRelay();
  const [id] = (await dead('EDIT', 1)) as [string];
  expect(await dlq('payload', id)).toMatchObject({
    stdout: '{"i": 0}\n',
    printed: expect.stringContaining('edit it with --revisions 0\n'),
  });
  const file = join(tmpdir(), `payload-${id}.json`);
  await writeFile(file, '{"i":0,"iban":"DE1","n":12345678901234567890.5}');
  try {
    const fits = await dlq('edit', id, '--payload', file, '--dry-run', '--config', config);
    expect(fits).toMatchObject({ code: 0, stdout: expect.stringContaining('/iban  (nothing) -> "DE1"') });
    const edited = await json('edit', id, '--payload', file, '--reason', 'no iban', '--config', config);
    expect(edited).toMatchObject({ code: 0, outcome: 'edited', revision: 1, checkedBy: 'handler' });
    const late = ['edit', id, '--payload', file, '--revisions', '0', '--reason', 'r', '--config', config] as const;
    expect(await json(...late)).toMatchObject({ code: 1, outcome: 'edited-meanwhile', revisions: 1 });
    const dry = ['redrive', id, '--dry-run', '--revisions'] as const;
    expect([(await json(...dry, '0'))['count'], (await json(...dry, '1'))['count']]).toEqual([0, 1]);
    const unseen = await dlq('redrive', id, '--revisions', '0', '--reason', 'r', '--config', config);
    expect(unseen).toMatchObject({ code: 1, stdout: expect.stringContaining('edited meanwhile by') });
    await writeFile(file, '[]');
    expect(await json('edit', id, '--payload', file, '--reason', 'r', '--config', config)).toMatchObject({
      code: 1,
      outcome: 'invalid',
    });
  } finally {
    await rm(file);
  }
  expect((await dlq('edit', id, '--payload', file, '--reason', 'r')).code).toBe(64);
  take();
  expect(await json('redrive', id, '--reason', 'mended', '--config', config)).toMatchObject({ code: 0 });
  await deployment.untilStatus(id, 'DELIVERED');
  const [last, ...more] = partner.seen.filter(({ key }) => key === id).reverse();
  expect(more).toHaveLength(1); // the one that was refused
  expect(JSON.parse(last?.body ?? '')).toMatchObject({ payload: { i: 0, iban: 'DE1', n: '12345678901234567890.5' } });
  expect(await json('show', id)).toMatchObject({ state: 'redriven', revisions: [{ epoch: 1, reason: 'no iban' }] });
});
