// R6, R19 on the built command line. Real: relay and workers as processes, PostgreSQL, Temporal, HTTP. Fake: the second
// destination, a scripted HTTP server behind httpHandler.
import { eventually } from '../support/eventually.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
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
  // What was under way when it opened comes to its end before the first trial's does.
  await eventually('a first trial that failed', async () => (await breaker()).generation >= 3);
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
