/**
 * `outbox operators`, and the api that they sign in to. Real: the built command line and page, PostgreSQL, HTTP. Fake: nothing;
 * a terminal that does not show what is typed is not there.
 */
import { spawnSync } from 'node:child_process';
import { SESSION_PATH } from '../../src/contract/monitor-api.js';
import { EXIT } from '../../src/main/exit-codes.js';
import { CLI, endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';

const PASSWORD = 'correct horse battery staple';

let deployment: TestDeployment;
let environment: Record<string, string>;
beforeAll(async () => {
  deployment = await createTestDeployment();
  environment = { AUDIT_DATABASE_URL: deployment.databases.auditUrl };
}, 60_000);
afterAll(async () => {
  await endLeftoverCli();
  await deployment.drop();
});

/** With this on standard input. */
function run(args: readonly string[], input = '') {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, 'operators', ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...environment },
    input,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}

it('adds, lists, changes and disables; again changes nothing, and no password or hash is shown', () => {
  expect(run(['add', 'alice', '--role', 'operator'], `${PASSWORD}\n`)).toEqual({
    code: 0,
    stdout: 'alice may sign in as operator\n',
    stderr: '',
  });
  const wall = run(['add', 'wall-screen', '--role', 'watcher', '--json'], PASSWORD);
  expect(JSON.parse(wall.stdout)).toEqual({
    name: 'wall-screen',
    role: 'watcher',
    createdAt: expect.any(String),
    changedAt: expect.any(String),
    disabledAt: null,
  });
  const taken = run(['add', 'alice', '--role', 'viewer'], PASSWORD);
  expect([taken.code, taken.stderr]).toEqual([EXIT.failed, expect.stringContaining('alice: may sign in already')]);
  expect(run(['role', 'alice', 'viewer']).stdout).toContain('alice is a viewer');
  expect(run(['password', 'alice'], `${PASSWORD}, and more`).stdout).toContain('alice has another password');
  expect(run(['disable', 'alice']).stdout).toContain('alice is disabled');
  const again = run(['disable', 'alice']);
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('alice was disabled already, at ')]);
  const disabled = run(['password', 'alice'], PASSWORD);
  expect([disabled.code, disabled.stderr]).toEqual([EXIT.failed, expect.stringContaining('is disabled')]);
  expect(run(['add', 'alice', '--role', 'operator'], PASSWORD).code).toBe(0);
  const listed = run(['list']).stdout;
  expect(listed).toMatch(/^alice {2}operator {2}since \S+Z {2}password of \S+Z\nwall-screen {2}watcher .*\n$/);
  expect(JSON.parse(run(['list', '--json']).stdout)).toMatchObject([{ name: 'alice' }, { name: 'wall-screen' }]);
  expect(run(['list', '--json']).stdout).not.toMatch(/scrypt|horse/);
});

it.each<[string, string[], string, number, RegExp]>([
  ['a short password', ['add', 'bob', '--role', 'viewer'], 'short', EXIT.usage, /expected a password of 12 to 200/],
  ['no password', ['add', 'bob', '--role', 'viewer'], '', EXIT.usage, /expected a password of 12 to 200/],
  ['two lines', ['add', 'bob', '--role', 'viewer'], `${PASSWORD}\n${PASSWORD}\n`, EXIT.usage, /control character/],
  ['no end', ['add', 'bob', '--role', 'viewer'], 'x'.repeat(10_000), EXIT.usage, /alone on standard input/],
  ['no role', ['add', 'bob'], PASSWORD, EXIT.usage, /required option '--role <role>' is missing/],
  ['an unknown role', ['add', 'bob', '--role', 'admin'], PASSWORD, EXIT.usage, /watcher, viewer, operator/],
  [
    'an unknown role to change to',
    ['role', 'bob', 'admin'],
    '',
    EXIT.usage,
    /expected one of watcher, viewer, operator/,
  ],
  ['a name that is none', ['add', 'Bob O’Hara', '--role', 'viewer'], PASSWORD, EXIT.usage, /expected 1 to 64 of a-z/],
  ['nobody, whose password is changed', ['password', 'nobody'], PASSWORD, EXIT.failed, /nobody: nobody has that name/],
  ['nobody, who is disabled', ['disable', 'nobody'], '', EXIT.failed, /nobody: nobody has that name/],
])('refuses %s', (_, args, input, code, sentence) => {
  const answer = run(args, input);
  expect([answer.code, answer.stdout]).toEqual([code, '']);
  expect(answer.stderr).toMatch(sentence);
  expect(answer.stderr).not.toContain(PASSWORD);
});

describe('the api', () => {
  let api: StartedProcess;
  afterEach(async () => {
    if (api !== undefined) await stop(api);
  });

  it('serves the page, and lets in who was added', async () => {
    expect(run(['add', 'carol', '--role', 'viewer'], PASSWORD).code).toBe(0);
    api = await deployment.start('api', { OUTBOX_OPS: 'on' });
    const url = `http://127.0.0.1:${api.apiPort}`;
    const page = await fetch(`${url}/monitor`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const signIn = (password: string) =>
      fetch(`${url}${SESSION_PATH}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Origin: url },
        body: JSON.stringify({ name: 'carol', password }),
      });
    expect((await signIn(`${PASSWORD}!`)).status).toBe(401);
    const session = await signIn(PASSWORD);
    expect([session.status, await session.json()]).toEqual([200, expect.objectContaining({ actor: 'user:carol' })]);
  });

  it('serves none where it is off, and the operations all the same', async () => {
    api = await deployment.start('api', { OUTBOX_OPS: 'on', OUTBOX_MONITOR: 'off' });
    const url = `http://127.0.0.1:${api.apiPort}`;
    expect((await fetch(`${url}/monitor`)).status).toBe(404);
    expect((await fetch(`${url}/ops/v1/overview`)).status).toBe(401);
  });

  it('B29: asks nobody to sign in only where nobody else comes to', async () => {
    const open = { OUTBOX_OPS: 'on', OUTBOX_MONITOR_SIGN_IN: 'off' };
    const given = { ...deployment.environment, ...open, OUTBOX_HOST: '0.0.0.0' };
    const { code, printed } = await runOutboxCli(['api'], given);
    expect([code, printed]).toEqual([
      EXIT.configuration,
      expect.stringContaining('OUTBOX_MONITOR_SIGN_IN: off is for this machine alone'),
    ]);
    expect(printed).not.toContain('api.listening');
    api = await deployment.start('api', open);
    const session = await fetch(`http://127.0.0.1:${api.apiPort}${SESSION_PATH}`);
    expect(await session.json()).toMatchObject({ actor: 'user:anybody', role: 'viewer' });
  });
});
