// Real: deploy/compose-env.sh in sh, on deploy/compose.env.example, in a folder of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { composeFileWith } from '../support/compose-file.js';

const SCRIPT = resolve('deploy/compose-env.sh');
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'compose-env-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function script(input: string, ...args: string[]) {
  const { status: code, stdout, stderr } = spawnSync('sh', [SCRIPT, ...args], { cwd: folder, input, encoding: 'utf8' });
  return { code, stdout, stderr };
}
const env = () => readFileSync(join(folder, '.env'), 'utf8');
const values = () => Object.fromEntries([...env().matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));

it('writes all that compose asks for, each secret another one, for its owner alone', () => {
  expect(script('')).toEqual({ code: 0, stdout: '', stderr: '' });
  expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
  expect(() => composeFileWith(values())).not.toThrow();
  const made = Object.entries(values()).filter(([, value]) => value !== '');
  expect(made.map(([name]) => name).sort()).toEqual([
    'AUDIT_FINGERPRINT_KEYS',
    'AUDIT_SECRET_KEY',
    'DB_ADMIN_PASSWORD',
    'DB_APPLICATION_PASSWORD',
    'DB_AUDIT_PASSWORD',
    'DB_OUTBOX_PASSWORD',
    'DB_TEMPORAL_PASSWORD',
    'GRAFANA_PASSWORD',
  ]);
  expect(new Set(made.map(([, value]) => value)).size).toBe(made.length);
  for (const [name, value] of made) {
    expect([name, value]).toEqual([name, expect.stringMatching(/^(k1:[0-9a-f]{64}|[0-9a-f]{48}|[0-9a-f]{64})$/)]);
  }
});

it('leaves an .env alone that is there, for its keys are needed for ever', () => {
  script('');
  const before = env();
  expect(script('')).toMatchObject({ code: 1, stderr: expect.stringContaining('left as it is') });
  expect(env()).toBe(before);
});

it('sets a variable to the first line that it reads, whatever stands in it, and prints the others', () => {
  script('');
  const before = values();
  expect(script('a\\b/&c+d=\nthe public key\n', 'AUDIT_SIGNING_KEYS')).toMatchObject({
    code: 0,
    stdout: 'the public key\n',
  });
  expect(script('another\n', 'AUDIT_SIGNING_KEYS').code).toBe(0);
  expect(values()).toEqual({ ...before, AUDIT_SIGNING_KEYS: 'another' });
  script('a\\b/&c+d=\n', 'AUDIT_SIGNING_KEYS');
  expect(values().AUDIT_SIGNING_KEYS).toBe('a\\b/&c+d=');
  expect(statSync(join(folder, '.env')).mode & 0o777).toBe(0o600);
});

it.each([
  ['the command before it failed and printed nothing', '', 'OUTBOX_AUDIT_API_KEY', 'got none'],
  ['there is no such variable', 'x\n', 'OUTBOX_API_KEY', 'got OUTBOX_API_KEY'],
])('changes nothing where %s', (_, input, name, why) => {
  script('');
  const before = env();
  expect(script(input, name)).toMatchObject({ code: 1, stderr: expect.stringContaining(why) });
  expect(env()).toBe(before);
});
