// Real: the built command line, api, relay and worker as processes, PostgreSQL, Temporal. Fake: a destination, a scripted
// HTTP server behind httpHandler.
import { resolvePolicies } from '../../src/application/delivery/policy-schema.js';
import { simulateFailures } from '../../src/domain/delivery/simulate-failures.js';
import { seededRandom } from '../../src/main/dev/seeded-random.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';
import { startScriptedDestination } from '../support/scripted-destination.js';

let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(() => deployment.drop());

it('B29: a policy that does not fit is told with every path; exit code 78, nothing started', async () => {
  const config = await deployment.configFile(
    '',
    `policies: { '*': { maxAttempts: 0, codes: { 'HTTP.TEAPOT': 'final', 'STORE.UNAVAILABLE': 'final', 'HTTP.TIMEOUT': { attempts: 0 } } },
      ORDER: { backoff: { kind: 'exponential', initialMs: 0, maximumMs: 10 } },
      BILLING: { backoff: { kind: 'fixed', intervalMs: 0 } },
      AUTH: { backoff: { kind: 'full-jitter', initialMs: 100, maximumMs: 10 } } }`,
  );
  await refusesAll(config, [
    'policies.*.maxAttempts',
    'policies.*.codes.HTTP.TEAPOT',
    'policies.*.codes.STORE.UNAVAILABLE',
    'policies.*.codes.HTTP.TIMEOUT.attempts',
    'policies.ORDER.backoff.initialMs',
    'policies.BILLING.backoff.intervalMs',
    'policies.AUTH.backoff.maximumMs: expected at least initialMs',
  ]);
});

it('B29: a webhook that is not https, or is in a private network, is told with its path; allowed by name it is taken', async () => {
  const secret = `whsec_${Buffer.alloc(32, 1).toString('base64')}`;
  const hook = (url: string, more = '') => `webhookNotifier({ url: '${url}', secret: '${secret}', ${more} })`;
  const config = await deployment.configFile(
    '',
    `notifiers: [${hook('http://hooks.example/')}, ${hook('https://10.0.0.1/', `name: 'b'`)},
      ${hook('https://[::ffff:192.168.0.1]/', `name: 'c'`)}, ${hook('https://hooks.internal/', `name: 'd', allowHosts: ['hooks.internal']`)}]`,
  );
  await refusesAll(config, [
    'notifiers[0].url: expected https',
    'notifiers[1].url: expected a public host',
    'notifiers[2].url: expected a public host',
  ]);
  // A name says where it leads only when it is asked.
  const local = await deployment.configFile('', `notifiers: [${hook('https://localhost:1/')}]`);
  for (const role of ['relay', 'worker']) {
    const { code, printed } = await runOutboxCli([role, '--config', local], deployment.environment);
    expect({ role, code, printed }).toEqual({ role, code: 78, printed: expect.stringContaining('notifiers[0].url') });
    expect(printed).not.toContain('process.started');
  }
  const allowed = await deployment.configFile(
    '',
    `notifiers: [${hook('http://127.0.0.1:1/', `allowHosts: ['127.0.0.1']`)}]`,
  );
  const relay = await deployment.start('relay', {}, ['--config', allowed]);
  expect(await stop(relay)).toBe(0);
}, 60_000);

/** By each that reads the configuration: exit code 78, every problem with its path and no other, nothing started. */
async function refusesAll(config: string, problems: readonly string[]): Promise<void> {
  for (const command of [['relay'], ['worker'], ['policies'], ['policies', 'apply', '--to-open']]) {
    const { code, printed } = await runOutboxCli([...command, '--config', config], deployment.environment);
    expect({ command, code }).toEqual({ command, code: 78 });
    for (const problem of problems) expect(printed).toContain(problem);
    expect(printed.match(/(policies|notifiers)[.[]/g)).toHaveLength(problems.length);
    expect(printed).not.toContain('process.started');
  }
  const { rows } = await deployment.outbox.query('SELECT FROM outbox.policy');
  expect(rows).toEqual([]);
}

it('--simulate prints what the deciding functions say, and the same for the same seed', async () => {
  const policies = {
    ORDER: { maxAttempts: 4, backoff: { kind: 'equal-jitter', initialMs: 1_000, maximumMs: 60_000 } },
  } as const;
  const config = await deployment.configFile('', `policies: ${JSON.stringify(policies)}`);
  const simulate = ['policies', '--simulate', 'HTTP.TIMEOUT', '--event-type', 'ORDER', '--seed', '7', '--json'];
  const { code, stdout } = await runOutboxCli([...simulate, '--config', config]);
  expect(code).toBe(0);
  const policy = resolvePolicies(policies).of('ORDER');
  expect(JSON.parse(stdout)).toMatchObject(simulateFailures({ policy, code: 'HTTP.TIMEOUT', random: seededRandom(7) }));
  expect((await runOutboxCli([...simulate, '--config', config])).stdout).toBe(stdout);
  const unknown = await runOutboxCli(['policies', '--simulate', 'HTTP.TEAPOT']);
  expect([unknown.code, unknown.printed]).toEqual([64, expect.stringContaining('HTTP.SERVER_ERROR')]);
});

it('an open delivery keeps the policy it was given until it is pointed to another', async () => {
  const partner = await startScriptedDestination();
  partner.answer((_, response) => response.writeHead(500).end());
  const handler = `httpHandler({ routingKey: 'test.partner', url: '${partner.url}' })`;
  const patient = `policies: { ORDER: { maxAttempts: 50, backoff: { kind: 'fixed', intervalMs: 500 } } }`;
  const strict = `policies: { ORDER: { codes: { 'HTTP.SERVER_ERROR': 'final' } } }`;
  const [before, after] = [await deployment.configFile(handler, patient), await deployment.configFile(handler, strict)];
  const api = await deployment.start('api');
  // Its failures in a row are enough for the breaker: that is short here, and another test's.
  const environment = { OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}`, OUTBOX_BREAKER_OPEN_MS: '100' };
  const first = await deployment.start('relay,worker', environment, ['--config', before]);
  const id = await deployment.append({ routingKey: 'test.partner' });
  const other = await deployment.append({ eventType: 'AUTH', routingKey: 'test.partner' });
  const hashOf = async (event: string) => {
    const { rows } = await deployment.outbox.query('SELECT policy_hash FROM outbox.delivery WHERE event_id = $1', [
      event,
    ]);
    return rows[0]?.policy_hash;
  };
  const attempts = async (event: string) => {
    const { rows } = await deployment.outbox.query(
      'SELECT n, delay_ms::int AS delay, finished_at IS NOT NULL AS finished FROM outbox.delivery_attempt WHERE event_id = $1 ORDER BY n',
      [event],
    );
    return rows as { n: number; delay: number; finished: boolean }[];
  };
  await eventually('three attempts', async () => (await attempts(id)).filter(({ finished }) => finished).length >= 3);
  expect((await attempts(id)).slice(0, 2).map(({ delay }) => delay)).toEqual([500, 500]);
  const given = await hashOf(id);
  expect(await hashOf(other)).not.toBe(given);

  // Another configuration in the roles alone changes nothing for it.
  expect(await stop(first)).toBe(0);
  const second = await deployment.start('relay,worker', environment, ['--config', after]);
  const made = (await attempts(id)).length;
  await eventually('two more attempts', async () => (await attempts(id)).length >= made + 2);
  expect(await hashOf(id)).toBe(given);

  const applied = await runOutboxCli(
    ['policies', 'apply', '--to-open', '--event-type', 'ORDER', '--config', after, '--json'],
    deployment.environment,
  );
  expect([applied.code, JSON.parse(applied.stdout)]).toEqual([0, { changed: 1, held: 0 }]);
  await deployment.untilStatus(id, 'DEAD');
  const listed = await runOutboxCli(['policies', '--config', after, '--json'], deployment.environment);
  expect(JSON.parse(listed.stdout).open).toEqual([{ eventType: 'AUTH', hash: await hashOf(other), open: 1 }]);
  expect(await stop(second)).toBe(0);
  expect(await stop(api)).toBe(0);
  await partner.close();
}, 90_000);
