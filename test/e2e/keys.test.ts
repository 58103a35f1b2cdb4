/** `outbox keys` and the api that it is for. Real: the built command line, PostgreSQL, HTTP. Fake: nothing. */
import { Webhook } from 'standardwebhooks';
import { EXIT } from '../../src/main/exit-codes.js';
import { event } from '../integration/ingest-set-up.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { endLeftoverCli, outboxCli, runOutboxCli, untilStarted } from '../support/outbox-cli.js';

const SECRET_KEY = 'ab'.repeat(32);

let databases: TestDatabases;
beforeAll(async () => {
  databases = await createTestDatabases();
});
afterEach(() => endLeftoverCli());
afterAll(() => databases.drop());

const run = (args: readonly string[], more: Record<string, string> = {}) =>
  runOutboxCli(['keys', ...args], { AUDIT_DATABASE_URL: databases.auditUrl, ...more });
const create = async (args: readonly string[], more: Record<string, string> = {}) => {
  const { code, stdout, printed } = await run(['create', '--name', 'k', '--json', ...args], more);
  if (code !== 0) throw new Error(printed);
  return JSON.parse(stdout);
};

describe('outbox keys', () => {
  it('create, list, revoke: what is shown, and that again changes nothing', async () => {
    const made = await create(['--scope', 'admin', '--tenant', 'acme', '--expires', '90d', '--rate-per-minute', '600']);
    const inNinetyDays = Date.now() + 90 * 86_400_000;
    expect(Math.abs(Date.parse(made.expiresAt) - inNinetyDays)).toBeLessThan(120_000);
    expect(made).toMatchObject({ scopes: ['admin'], tenantId: 'acme', ratePerMinute: 600 });

    const listed = await run(['list', '--json']);
    expect(JSON.parse(listed.stdout)).toEqual([
      {
        id: made.id,
        prefix: made.prefix,
        name: 'k',
        scopes: ['admin'],
        tenantId: 'acme',
        ratePerMinute: 600,
        signed: false,
        createdAt: expect.any(String),
        expiresAt: made.expiresAt,
        lastUsedAt: null,
        revokedAt: null,
        oldSecretUntil: null,
      },
    ]);
    const table = (await run(['list'])).stdout.split('\n');
    expect(table[0]).toMatch(/^PREFIX +NAME +SCOPES +TENANT +CREATED +EXPIRES +LAST USED +REVOKED +ID$/);
    expect(table[1]).toMatch(new RegExp(`^${made.prefix} +k +admin,600/min +acme +\\S+Z +\\S+Z +- +- +${made.id}$`));
    expect(table.join('\n')).not.toContain(made.secret.slice(13));

    const first = await run(['revoke', made.prefix]);
    expect([first.code, first.stdout]).toEqual([
      0,
      `${made.prefix} (k) is revoked: its next request is answered 401\n`,
    ]);
    const [{ revokedAt }] = JSON.parse((await run(['list', '--json'])).stdout);
    for (const ref of [made.id, `tob_${made.prefix}`, made.secret]) {
      const again = await run(['revoke', ref, '--json']);
      expect([again.code, JSON.parse(again.stdout)]).toEqual([
        0,
        expect.objectContaining({ already: true, revokedAt }),
      ]);
    }
    expect((await run(['revoke', made.prefix])).stdout).toContain('was revoked already, at 2');
    const none = await run(['revoke', 'nobodys0']);
    expect([none.code, none.printed]).toEqual([EXIT.failed, 'outbox: nobodys0: no such key\n']);
    const asJson = await run(['revoke', 'nobodys0', '--json']);
    expect(JSON.parse(asJson.printed)).toEqual({
      error: { kind: 'failed', exitCode: EXIT.failed, message: 'nobodys0: no such key', problems: [] },
    });
  });

  it.each([
    [['revoke', 'x'], 'expected the prefix of a key'],
    [['create', '--name', 'x', '--expires', 'soon'], '--expires: expected days, a date or a time'],
    [['create', '--name', 'x', '--expires', '0'], '--expires: expected at least one day'],
    [['create', '--name', 'x', '--expires', '2020-01-01'], '--expires: expected a time to come'],
    [['create', '--name', 'x', '--expires', '2027-02-30'], '--expires: expected days, a date or a time'],
    [['create', '--name', 'x', '--rate-per-minute', '0'], 'expected a whole number from 1'],
    [['create', '--name', 'x', '--tenant', 'a', '--scope', 'audit:read:any-tenant'], '--tenant: a key with the scope'],
  ])('%j is wrong usage', async (args, why) => {
    const { code, printed } = await run(args);
    expect([code, printed]).toEqual([EXIT.usage, expect.stringContaining(why)]);
  });

  it('a date ends a key at its first moment in UTC', async () => {
    expect((await create(['--expires', '2099-01-31'])).expiresAt).toBe('2099-01-31T00:00:00.000Z');
    expect((await create(['--expires', '2099-01-31T12:00:00+02:00'])).expiresAt).toBe('2099-01-31T10:00:00.000Z');
  });

  it('signed keys: AUDIT_SECRET_KEY is asked for by who needs it, the api starts with no other, and rotation works', async () => {
    const missing = await run(['create', '--name', 'k', '--signed']);
    expect([missing.code, missing.printed]).toEqual([
      EXIT.configuration,
      expect.stringContaining('AUDIT_SECRET_KEY: missing'),
    ]);
    const sealing = { AUDIT_SECRET_KEY: SECRET_KEY };
    const text = await run(['create', '--name', 'other', '--signed'], sealing);
    expect(text.stdout).toMatch(/^tob_\S+\nwhsec_\S+\n$/);
    await run(['revoke', text.stdout.slice(4, 12)]);
    const made = await create(['--signed'], sealing);
    const api = (more: Record<string, string>) =>
      outboxCli(['api'], {
        AUDIT_DATABASE_URL: databases.auditUrl,
        AUDIT_FINGERPRINT_KEYS: `t:${'cd'.repeat(32)}`,
        OUTBOX_API_PORT: '0',
        ...more,
      });
    for (const [more, why] of [
      [{}, 'AUDIT_SECRET_KEY is missing'],
      [{ AUDIT_SECRET_KEY: 'cd'.repeat(32) }, `does not open the signing secret of the key ${made.prefix}`],
    ] as const) {
      const refused = api(more);
      expect(await refused.ended).toBe(EXIT.configuration);
      expect(refused.printed()).toContain(why);
    }
    const rotated = await run(['rotate-secret', made.prefix, '--retire-after', '1', '--json'], sealing);
    const { signingSecret, oldSecretUntil } = JSON.parse(rotated.stdout);
    expect(Date.parse(oldSecretUntil)).toBeGreaterThan(Date.now() + 86_000_000);
    const running = api(sealing);
    const { apiPort } = await untilStarted(running);
    const post = async (secret: string) => {
      const body = JSON.stringify(event());
      const at = new Date();
      const { status } = await fetch(`http://127.0.0.1:${apiPort}/integration/v1/audit/logs`, {
        method: 'POST',
        headers: {
          Authorization: `Bearer ${made.secret}`,
          'Content-Type': 'application/json',
          'webhook-id': 'm',
          'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
          'webhook-signature': new Webhook(secret).sign('m', at, body),
        },
        body,
      });
      return status;
    };
    expect([await post(made.signingSecret), await post(signingSecret)]).toEqual([201, 201]);
    await run(['rotate-secret', made.prefix, '--retire-after', '0'], sealing);
    expect(await post(made.signingSecret)).toBe(401);
    running.kill('SIGTERM');
    expect(await running.ended).toBe(0);
  });

  it.each(['list', 'revoke', 'rotate-secret', 'create'])('keys %s --help has examples', async (name) => {
    const { code, stdout } = await run([name, '--help']);
    expect(code).toBe(0);
    expect(stdout.split('\nExamples:\n')[1]).toContain(`outbox keys ${name}`);
  });
});
