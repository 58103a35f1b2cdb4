// R6, R19 on the built command line. Real: relay and workers as processes, PostgreSQL, Temporal, HTTP. Fake: the second
// destination, a scripted HTTP server behind httpHandler.
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

const EVENTS = 60;
let deployment: TestDeployment;
let partner: ScriptedDestination;

beforeAll(async () => {
  deployment = await createTestDeployment();
  partner = await startScriptedDestination();
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(async () => {
  await partner.close();
  await deployment.drop();
});

const one = async <T>(text: string, ...values: unknown[]) => (await deployment.outbox.query(text, values)).rows[0] as T;
const breaker = async () =>
  (await one<{ breaker: string; generation: number } | undefined>(
    `SELECT breaker, generation FROM outbox.destination WHERE name = 'test.partner'`,
  )) ?? { breaker: 'closed', generation: 0 };
const spent = async () => (await one<{ n: number }>('SELECT count(*)::int AS n FROM outbox.delivery_attempt')).n;

it('R19: down, the breaker opens, events wait and spend nothing; healed, all are delivered and none is dead', async () => {
  // Without a breaker an event would be dead after four attempts, 0.3 s.
  const policies = `policies: { '*': { maxAttempts: 4, backoff: { kind: 'fixed', intervalMs: 100 } } }`;
  const config = await deployment.configFile(
    `httpHandler({ routingKey: 'test.partner', url: '${partner.url}' })`,
    policies,
  );
  partner.answer((_, response) => response.writeHead(500).end());
  const environment = { OUTBOX_BREAKER_OPEN_MS: '500' };
  const relay = await deployment.start('relay', environment, ['--config', config]);
  const workers = [
    await deployment.start('worker', environment, ['--config', config]),
    await deployment.start('worker', environment, ['--config', config]),
  ];
  const ids = await Promise.all(
    Array.from({ length: EVENTS }, () => deployment.append({ routingKey: 'test.partner' })),
  );
  await eventually('open', async () => (await breaker()).breaker === 'open');
  await eventually('a first trial that failed', async () => (await breaker()).generation >= 3);
  // What was under way when it opened has come to its end, too: between two trials nothing is spent.
  let stood = { attempts: -1, since: 0 };
  await eventually('nothing under way', async () => {
    const attempts = await spent();
    if (attempts !== stood.attempts) stood = { attempts, since: performance.now() };
    return performance.now() - stood.since > 500;
  });
  const before = { attempts: await spent(), generation: (await breaker()).generation };
  await eventually('two more', async () => (await breaker()).generation >= before.generation + 4);
  const after = { attempts: await spent(), generation: (await breaker()).generation };
  // Each trial is two generations and one attempt.
  expect(after.attempts - before.attempts).toBeLessThanOrEqual(
    Math.ceil((after.generation - before.generation) / 2) + 1,
  );
  expect(await one('SELECT count(*)::int AS n FROM outbox.dead_letter')).toEqual({ n: 0 });

  partner.answer(accept);
  for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
  expect(await breaker()).toMatchObject({ breaker: 'closed' });
  expect(await one('SELECT count(*)::int AS n FROM outbox.dead_letter')).toEqual({ n: 0 });
  expect(await one('SELECT code, status, closed_at IS NULL AS open FROM outbox.outage')).toEqual({
    code: 'HTTP.SERVER_ERROR',
    status: 500,
    open: false,
  });
  const opened = workers.flatMap((worker) => worker.lines().filter(({ msg }) => msg === 'destination.opened'));
  expect(opened).toMatchObject([{ destination: 'test.partner', code: 'HTTP.SERVER_ERROR', status: 500 }]);
  // The other destination never noticed.
  expect(await one(`SELECT breaker FROM outbox.destination WHERE name = 'audit.log'`)).toBeUndefined();
  for (const role of [relay, ...workers]) expect(await stop(role)).toBe(0);
}, 120_000);

describe('a pause', () => {
  it('R6: by the command line stops claims within one claim; nothing is spent; a resume goes on', async () => {
    const config = await deployment.configFile(`httpHandler({ routingKey: 'test.held', url: '${partner.url}' })`);
    const roles = await deployment.start('relay,worker', {}, ['--config', config]);
    const cli = (...args: string[]) =>
      runOutboxCli(['destinations', ...args], {
        OUTBOX_DATABASE_URL: deployment.environment.OUTBOX_DATABASE_URL as string,
      });
    const before = await deployment.append({ routingKey: 'test.held' });
    await deployment.untilStatus(before, 'DELIVERED');

    const paused = await cli(
      'pause',
      'test.held',
      '--reason',
      'maintenance',
      '--actor',
      'ada',
      '--for',
      '2h',
      '--json',
    );
    expect(paused.code).toBe(0);
    expect(JSON.parse(paused.stdout)).toMatchObject({
      destination: 'test.held',
      eventType: null,
      actor: 'ada',
      reason: 'maintenance',
    });
    expect(paused.printed).toBe(paused.stdout);
    // Nothing has this name: the pause stands, and holds nothing.
    const mistyped = await cli('pause', 'tset.held', '--type', 'ODER', '--reason', 'x');
    expect(mistyped).toMatchObject({ code: 0, stdout: expect.stringContaining('paused: tset.held, type ODER') });
    expect(mistyped.printed).toMatch(
      /no destination, .* or handler has the name "tset\.held"; the nearest is "test\.held"/,
    );
    expect(mistyped.printed).toMatch(/has the type "ODER"; the nearest is "ORDER"/);
    const held = await Promise.all(Array.from({ length: 5 }, () => deployment.append({ routingKey: 'test.held' })));
    // The relay goes on with others: it has claimed since.
    const other = await deployment.append({ routingKey: 'test.partner2' });
    const claimed = () =>
      deployment.outbox.query('SELECT policy_hash FROM outbox.delivery WHERE event_id = $1', [other]);
    await eventually('another claim', async () => (await claimed()).rows[0]?.policy_hash !== null);
    for (const id of held) expect(await deployment.status(id)).toBe('PENDING');
    expect(partner.seen.filter(({ key }) => held.includes(key))).toEqual([]);

    const listed = await cli('list');
    expect(listed).toMatchObject({ code: 0, stdout: expect.stringContaining('paused: test.held  until ') });
    expect(listed.stdout).toContain('by ada: maintenance');
    const list = JSON.parse((await cli('list', '--json')).stdout);
    expect(list.destinations.find(({ name }: { name: string }) => name === 'test.held')).toMatchObject({ waiting: 5 });

    expect(await one(`SELECT count(*)::int AS n FROM outbox.delivery_attempt WHERE event_id = ANY ($1)`, held)).toEqual(
      { n: 0 },
    );
    expect(await cli('resume', 'test.held', '--type', 'ORDER', '--reason', 'x')).toMatchObject({ code: 1 });
    expect((await cli('resume', 'test.held', '--reason', 'over', '--actor', 'ada')).code).toBe(0);
    for (const id of held) await deployment.untilStatus(id, 'DELIVERED');
    expect(await stop(roles)).toBe(0);
  }, 90_000);

  it('the api serves destinations where OUTBOX_OPS is on, and nowhere else', async () => {
    const { AUDIT_DATABASE_URL } = deployment.environment as { AUDIT_DATABASE_URL: string };
    const made = await runOutboxCli(['keys', 'create', '--name', 'ops', '--scope', 'dlq:read', '--json'], {
      AUDIT_DATABASE_URL,
    });
    const { secret } = JSON.parse(made.stdout) as { secret: string };
    for (const [ops, status] of [
      ['on', 200],
      ['off', 404],
    ] as const) {
      const api = await deployment.start('api', { OUTBOX_OPS: ops });
      const url = `http://127.0.0.1:${api.apiPort}/ops/v1/destinations`;
      expect((await fetch(url, { headers: { Authorization: `Bearer ${secret}` } })).status).toBe(status);
      expect(await stop(api)).toBe(0);
    }
  }, 60_000);

  it('wrong use ends with 64 and a sentence', async () => {
    const cli = (...args: string[]) =>
      runOutboxCli(['destinations', ...args], { OUTBOX_DATABASE_URL: 'postgresql://x@127.0.0.1:1/x' });
    for (const args of [
      ['pause', 'erp.sync'],
      ['pause', '--reason', 'x'],
      ['pause', 'erp sync', '--reason', 'x'],
      ['pause', 'erp.sync', '--reason', 'x', '--for', '2 weeks'],
      ['pause', 'erp.sync', '--reason', 'x', '--until', 'tomorrow'],
      ['pause', 'erp.sync', '--reason', 'x', '--until', '2020-01-01T00:00:00Z'],
      ['pause', 'erp.sync', '--reason', 'x', '--for', '1h', '--until', '2999-01-01T00:00:00Z'],
      ['resume', 'erp.sync', '--type', 'a b', '--reason', 'x'],
    ]) {
      expect({ args, ...(await cli(...args)) }).toMatchObject({ args, code: 64 });
    }
  }, 60_000);
});
