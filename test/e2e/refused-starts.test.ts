// Real: the built command line, PostgreSQL, Temporal. Nothing is fake. What a role says when it must not start.

import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:net';
import { createEmptyDatabase, createTestDatabases } from '../support/databases.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type TestDeployment } from '../support/roles.js';

const CONFIGURATION = 78;
let deployment: TestDeployment;
beforeAll(async () => {
  deployment = await createTestDeployment();
}, 60_000);
afterAll(async () => {
  await endLeftoverCli();
  await deployment.drop();
});

/** Runs a role that is expected to end by itself; the sentence it says. Stacks and log lines of errors are no sentence. */
async function refusal(role: string, more: Record<string, string> = {}) {
  const { code, printed } = await runOutboxCli([role], { ...deployment.environment, ...more });
  expect(printed).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(printed).not.toContain('process.started');
  return [code, printed] as const;
}

for (const role of ['relay', 'worker'])
  it(`R1: the ${role} refuses another deployment than the one that the database holds`, async () => {
    expect(await refusal(role, { OUTBOX_DEPLOYMENT: 'other' })).toEqual([
      CONFIGURATION,
      expect.stringContaining(`belongs to deployment "${deployment.name}", OUTBOX_DEPLOYMENT says "other"`),
    ]);
  });

it('B29: names every problem of the configuration at once, no value of a secret, and starts nothing', async () => {
  const { code, printed } = await runOutboxCli(['run', '--roles', 'api,worker'], {
    OUTBOX_DATABASE_URL: 'mysql://root:hunter2@x/y',
    AUDIT_FINGERPRINT_KEYS: 'hunter2',
    OUTBOX_BATCH: 'many',
    OUTBOX_BACTH: '5',
    AUDIT_NOTHING: '1',
    OUTBOX_AUDIT_API_KEY: '',
  });
  expect(code).toBe(CONFIGURATION);
  for (const problem of [
    'OUTBOX_DATABASE_URL: expected postgresql://',
    'AUDIT_DATABASE_URL: missing (api)',
    'AUDIT_FINGERPRINT_KEYS: expected id:hex',
    'OUTBOX_BATCH: expected a whole number from 1 to 1000, got "many"',
    'OUTBOX_BACTH: unknown; did you mean OUTBOX_BATCH?',
    'AUDIT_NOTHING: unknown',
    'OUTBOX_AUDIT_API_KEY: missing (worker)',
  ]) {
    expect(printed).toContain(problem);
  }
  expect(printed).not.toContain('hunter2');
  expect(printed).not.toContain('"level"');
});

it('B29: names a configuration file that is missing, and one that does not fit', async () => {
  const gone = await runOutboxCli(['relay', '--config', '/nonexistent.config.ts'], deployment.environment);
  expect([gone.code, gone.printed]).toEqual([
    CONFIGURATION,
    expect.stringContaining('/nonexistent.config.ts: no such'),
  ]);
  const twice = await deployment.configFile(
    ["'http://127.0.0.1:1'", "'http://127.0.0.1:2'"]
      .map((url) => `httpHandler({ routingKey: 'a', url: ${url} })`)
      .join(),
  );
  const { code, printed } = await runOutboxCli(['worker', '--config', twice], deployment.environment);
  expect([code, printed]).toEqual([CONFIGURATION, expect.stringContaining(twice)]);
  const broken = await deployment.configFile('');
  await writeFile(broken, 'export default {{');
  const syntax = await runOutboxCli(['worker', '--config', broken], deployment.environment);
  expect([syntax.code, syntax.printed]).toEqual([CONFIGURATION, expect.stringContaining(broken)]);
});

it('B29: the api names every action whose schema does not compile, and opens nothing', async () => {
  const schemas = {
    'auth.user.signed_in': { type: 'strnig' },
    'order.placed@2': { $ref: 'https://example.com/elsewhere' },
    'order.placed': { type: 'object' },
  };
  const file = await deployment.configFile('', `ingest: { schemas: ${JSON.stringify(schemas)} }`);
  const { code, printed } = await runOutboxCli(['api', '--config', file], deployment.environment);
  expect(code).toBe(CONFIGURATION);
  expect(printed).toContain('ingest.schemas["auth.user.signed_in"]: does not compile');
  expect(printed).toContain('ingest.schemas["order.placed@2"]: does not compile');
  expect(printed).not.toContain('"order.placed"]');
  expect(printed).not.toContain('api.listening');
});

describe('R8: a Temporal that is not as it was meant', () => {
  for (const role of ['relay', 'worker']) {
    it(`R8: the ${role} names a missing namespace, and missing search attributes; nothing is dead, nothing spent`, async () => {
      const id = await deployment.append({});
      expect(await refusal(role, { TEMPORAL_NAMESPACE: 'nowhere' })).toEqual([
        CONFIGURATION,
        expect.stringMatching(/^outbox: .*namespace "nowhere": the server has no such namespace/m),
      ]);
      const require = { OUTBOX_SEARCH_ATTRIBUTES: 'require', OUTBOX_SEARCH_ATTRIBUTE_PREFIX: 'Nobody' };
      expect(await refusal(role, require)).toEqual([
        CONFIGURATION,
        expect.stringMatching(/^outbox: .*NobodyEventName.*temporal operator search-attribute create/m),
      ]);
      expect(await deployment.status(id)).toBe('PENDING');
      const { rows } = await deployment.outbox.query(
        'SELECT start_tries, (SELECT count(*)::int FROM outbox.delivery_attempt) AS attempts FROM outbox.delivery WHERE event_id = $1',
        [id],
      );
      expect(rows).toEqual([{ start_tries: 0, attempts: 0 }]);
    });
  }

  it("B29: a broken profile file of Temporal's own is a problem of the configuration, told without quoting it", async () => {
    const file = await deployment.configFile('');
    await writeFile(file, '[profile.default\napi_key = "hunter2"\n');
    const [code, printed] = await refusal('relay', { TEMPORAL_CONFIG_FILE: file });
    expect([code, printed]).toEqual([
      CONFIGURATION,
      expect.stringContaining("Temporal's own variables or profile file"),
    ]);
    expect(printed).not.toContain('hunter2');
  });
});

it('R26: the api refuses another secret under a fingerprint key id that was used before', async () => {
  await deployment.audit.query(`INSERT INTO audit.fingerprint_key VALUES ('t', sha256('another secret'))`);
  expect(await refusal('api')).toEqual([
    CONFIGURATION,
    expect.stringContaining('AUDIT_FINGERPRINT_KEYS: fingerprint key "t": expected the secret that it was first used'),
  ]);
  await deployment.audit.query('DELETE FROM audit.fingerprint_key');
});

it('R1: the api with operations on refuses the outbox of another deployment', async () => {
  expect(await refusal('api', { OUTBOX_OPS: 'on', OUTBOX_DEPLOYMENT: 'another' })).toEqual([
    CONFIGURATION,
    expect.stringContaining('the outbox database belongs to deployment'),
  ]);
});

describe('a database that is not migrated', () => {
  it('is told by every role: nothing in it, or no deployment named yet', async () => {
    const empty = await createEmptyDatabase();
    const unnamed = await createTestDatabases(null);
    try {
      const both = { OUTBOX_DATABASE_URL: empty.url, AUDIT_DATABASE_URL: empty.url };
      for (const role of ['relay', 'worker', 'api']) {
        expect(await refusal(role, both)).toEqual([CONFIGURATION, expect.stringContaining('outbox migrate deploy')]);
      }
      const deployed = { OUTBOX_DATABASE_URL: unnamed.outboxUrl };
      expect(await refusal('relay', deployed)).toEqual([
        CONFIGURATION,
        expect.stringContaining('outbox migrate deploy'),
      ]);
    } finally {
      await empty.drop();
      await unnamed.drop();
    }
  });
});

describe('a database that answers and will not serve', () => {
  const outboxUrl = (change: (url: URL) => void) => {
    const url = new URL(deployment.databases.outboxUrl);
    change(url);
    return url.href;
  };

  it.each(['relay', 'worker', 'api'])('the %s names a database that does not exist', async (role) => {
    const url = outboxUrl((to) => {
      to.pathname = '/nowhere';
    });
    expect(await refusal(role, { OUTBOX_DATABASE_URL: url, AUDIT_DATABASE_URL: url })).toEqual([
      CONFIGURATION,
      expect.stringMatching(
        /^outbox: the (outbox|audit) database refuses us: database "nowhere" does not exist\. Mend (OUTBOX|AUDIT)_DATABASE_URL/m,
      ),
    ]);
  });

  it('a role without rights is told, and so is one that may not connect', async () => {
    const user = `r_${deployment.name.replaceAll('-', '_')}`;
    await deployment.outbox.query(`CREATE ROLE ${user} LOGIN PASSWORD 'x'`);
    try {
      const poor = outboxUrl((to) => {
        to.username = user;
        to.password = 'x';
      });
      expect(await refusal('relay', { OUTBOX_DATABASE_URL: poor })).toEqual([
        CONFIGURATION,
        expect.stringMatching(/^outbox: the outbox database refuses us: permission denied/m),
      ]);
      await deployment.outbox.query(`ALTER ROLE ${user} NOLOGIN`);
      expect(await refusal('relay', { OUTBOX_DATABASE_URL: poor })).toEqual([
        CONFIGURATION,
        expect.stringMatching(/^outbox: the outbox database refuses us: role .* is not permitted to log in/m),
      ]);
    } finally {
      await deployment.outbox.query(`DROP ROLE ${user}`);
    }
  });
});

describe('a port that is taken', () => {
  const held: Server = createServer();
  beforeAll(() => new Promise<void>((resolve) => void held.listen(0, '127.0.0.1', () => resolve())));
  afterAll(() => new Promise<void>((resolve) => void held.close(() => resolve())));

  it.each([
    ['api', 'OUTBOX_API_PORT'],
    ['relay', 'OUTBOX_PROBE_PORT'],
    ['worker', 'OUTBOX_PROBE_PORT'],
  ])('the %s names the variable to change', async (role, variable) => {
    const port = String((held.address() as AddressInfo).port);
    expect(await refusal(role, { [variable]: port })).toEqual([
      CONFIGURATION,
      expect.stringMatching(new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken: set ${variable}`)),
    ]);
  });
});
