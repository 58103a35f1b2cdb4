// Real: the built command line, PostgreSQL with passwords, locks and sockets. Nothing is fake. What a person and a program
// read when a command cannot do what it was asked for, and while it waits.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { definitionOf, SETTING_KEYS, variableOf } from '../../src/infrastructure/config/settings.js';
import { EXIT } from '../../src/main/exit-codes.js';
import { asAdmin, createEmptyDatabase, createTestDatabases, type TestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { CLI, endLeftoverCli, outboxCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop } from '../support/roles.js';

const folder = mkdtempSync(join(tmpdir(), 'outbox-cli-'));
const file = join(folder, 'events.ndjson');
writeFileSync(file, '{"id":"a","action":"x.y","time":"2026-01-01T00:00:00Z"}\n');
let databases: TestDatabases;
let empty: Awaited<ReturnType<typeof createEmptyDatabase>>;
beforeAll(async () => {
  databases = await createTestDatabases();
  empty = await createEmptyDatabase();
}, 60_000);
afterAll(async () => {
  await endLeftoverCli();
  await databases.drop();
  await empty.drop();
  rmSync(folder, { recursive: true });
});

/** Both databases at one URL. */
const at = (url: string) => ({ OUTBOX_DATABASE_URL: url, AUDIT_DATABASE_URL: url });

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const { code, printed, stdout } = await runOutboxCli(args, environment);
  return { code, stdout, stderr: printed.slice(stdout.length) };
}

const MIGRATE_DEPLOY = ['migrate', 'deploy'];
const MIGRATE_STATUS = ['migrate', 'status'];
const KEYS_CREATE = ['keys', 'create', '--name', 'n'];
const IMPORT = ['import', file, '--mapping', 'default'];
const COMMANDS = [MIGRATE_DEPLOY, MIGRATE_STATUS, KEYS_CREATE, IMPORT];
const name = (args: readonly string[]) => args.filter((word) => word !== file).join(' ');

/** Nothing on standard output, one sentence on standard error; with --json one document there that says the same. */
async function expectFailure(
  args: readonly string[],
  environment: Record<string, string>,
  expected: { kind: keyof typeof EXIT; says: string | RegExp },
) {
  const text = await run(args, environment);
  expect(text).toEqual({ code: EXIT[expected.kind], stdout: '', stderr: expect.stringMatching(/^outbox: [^\n]+\n$/) });
  expect(text.stderr).toMatch(expected.says);
  expect(text.stderr).not.toContain('hunter2');
  const json = await run([...args, '--json'], environment);
  expect(json).toMatchObject({ code: EXIT[expected.kind], stdout: '' });
  const message = expect.stringMatching(expected.says);
  expect(JSON.parse(json.stderr)).toEqual({
    error: { kind: expected.kind, exitCode: EXIT[expected.kind], message, problems: [] },
  });
}

describe('a database that a command cannot work with is told in a sentence, with and without --json', () => {
  it.each([KEYS_CREATE, IMPORT].map((args) => [name(args), args] as const))('%s: not migrated', async (_, args) => {
    await expectFailure(args, at(empty.url), { kind: 'configuration', says: 'run `outbox migrate deploy` first' });
  });

  it.each(COMMANDS.map((args) => [name(args), args] as const))(
    '%s: nobody there, no such database',
    async (_, args) => {
      const away = at('postgresql://someone:hunter2@127.0.0.1:1/nowhere');
      // The reason stands in it once.
      const once =
        /^(?!.*(ECONNREFUSED|outbox: outbox).*\1)(outbox: )?the (outbox|audit) database .*ECONNREFUSED 127\.0\.0\.1:1/;
      await expectFailure(args, away, { kind: 'unavailable', says: once });
      const url = new URL(databases.outboxUrl);
      url.pathname = '/nothing_of_this_name';
      await expectFailure(args, at(url.href), {
        kind: 'configuration',
        says: /^(?!.*(does not exist).*\1).*database "nothing_of_this_name" does not exist/,
      });
    },
  );

  describe('where the server asks for a password, or gives no rights', () => {
    let configured: string;
    beforeAll(async () => {
      await asAdmin(async (client) => {
        await client.query("CREATE ROLE cli_guarded LOGIN PASSWORD 'right'; CREATE ROLE cli_idle LOGIN");
        configured =
          (await client.query<{ hba: string }>("SELECT pg_read_file('pg_hba.conf') AS hba")).rows[0]?.hba ?? '';
        await writeHba(client, `host all cli_guarded 127.0.0.1/32 scram-sha-256\n${configured}`);
      });
      await eventually('the server asks for the password', () =>
        connects('hunter2').then(
          () => false,
          (error: { code?: string }) => error.code === '28P01',
        ),
      );
    });
    afterAll(() =>
      asAdmin(async (client) => {
        await writeHba(client, configured);
        await client.query('DROP ROLE cli_guarded; DROP ROLE cli_idle');
      }),
    );

    const as = (user: string, password: string) => {
      const url = new URL(databases.outboxUrl);
      Object.assign(url, { username: user, password });
      return url.href;
    };
    async function connects(password: string) {
      const client = new pg.Client({ connectionString: as('cli_guarded', password) });
      await client.connect();
      await client.end();
    }

    it.each(COMMANDS.map((args) => [name(args), args] as const))('%s: a wrong password', async (_, args) => {
      await expectFailure(args, at(as('cli_guarded', 'hunter2')), {
        kind: 'configuration',
        says: /password authentication failed for user "cli_guarded".*_DATABASE_URL/,
      });
    });

    it.each(['relay', 'worker', 'api'])(
      '%s: a wrong password ends the start; waiting does not mend it',
      async (role) => {
        const { code, stderr } = await run([role], {
          ...at(as('cli_guarded', 'hunter2')),
          AUDIT_FINGERPRINT_KEYS: `t:${'ab'.repeat(32)}`,
          OUTBOX_AUDIT_API_KEY: 'tob_x',
          OUTBOX_PROBE_PORT: '0',
          OUTBOX_API_PORT: '0',
        });
        expect([code, stderr]).toEqual([
          EXIT.configuration,
          expect.stringMatching(
            /^outbox: .* refuses us: password authentication failed for user "cli_guarded".*_DATABASE_URL/,
          ),
        ]);
      },
    );

    it('keys create, migrate deploy: no rights', async () => {
      const url = new URL(databases.auditUrl);
      url.username = 'cli_idle';
      for (const args of [KEYS_CREATE, MIGRATE_DEPLOY]) {
        await expectFailure(args, at(url.href), { kind: 'configuration', says: /permission denied for/ });
      }
    });
  });

  it('shows where it came from at OUTBOX_LOG_LEVEL=debug, and only then', async () => {
    const environment = { ...at(empty.url), OUTBOX_LOG_LEVEL: 'debug' };
    const stack = /StartRefusedError: .*\n\s+at .*:\d+:\d+.*[\s\S]*caused by .*relation "audit.api_key"/;
    expect(await run(KEYS_CREATE, environment)).toMatchObject({ code: 78, stderr: expect.stringMatching(stack) });
    const { stderr } = await run([...KEYS_CREATE, '--json'], environment);
    expect(JSON.parse(stderr).error.stack).toMatch(stack);
  });
});

async function writeHba(client: pg.Client, text: string) {
  const { rows } = await client.query<{ hba_file: string }>('SHOW hba_file');
  const lines = client.escapeLiteral(text.trimEnd());
  await client.query(
    `COPY (SELECT unnest(string_to_array(${lines}, E'\\n'))) TO ${client.escapeLiteral(rows[0]?.hba_file ?? '')}`,
  );
  await client.query('SELECT pg_reload_conf()');
}

describe('settings and options', () => {
  const all = [...COMMANDS, ['api'], ['relay'], ['worker'], ['run', '--roles', 'api,relay']];
  it.each(all.map((args) => [name(args), args] as const))(
    '%s: names what is missing and says that no .env is read, once',
    async (_, args) => {
      const { code, stdout, stderr } = await run(args);
      expect([code, stdout]).toEqual([EXIT.configuration, '']);
      expect(stderr).toMatch(
        /^outbox: the configuration does not fit:\n( {2}- \w+: missing .*\n)+No \.env file is read .*--env-file=\.env.*\nEvery setting/,
      );
      expect(stderr.match(/does not fit/g)).toHaveLength(1);
    },
  );

  it("names a file's problems under one heading", async () => {
    const config = join(folder, 'wrong.config.mjs');
    writeFileSync(config, 'export default { handlers: 7, polices: {} };');
    const { code, stderr } = await run(['relay', '--config', config], at(databases.outboxUrl));
    expect([code, stderr]).toEqual([
      EXIT.configuration,
      `outbox: the configuration does not fit:\n  - ${config}: polices: unknown; known are handlers, mappers, redaction, policies, notifiers, notify, ingest\n  - ${config}: handlers: expected an array\n`,
    ]);
  });

  it('--json: the problems are a list', async () => {
    const { code, stderr } = await run([...MIGRATE_STATUS, '--json'], { OUTBOX_BACTH: '1' });
    const problems = [
      /^OUTBOX_DATABASE_URL: missing/,
      /^AUDIT_DATABASE_URL: missing/,
      /^OUTBOX_BACTH: unknown.*OUTBOX_BATCH/,
    ];
    expect([code, JSON.parse(stderr)]).toMatchObject([
      EXIT.configuration,
      { error: { kind: 'configuration', problems: problems.map((problem) => expect.stringMatching(problem)) } },
    ]);
  });

  it.each([
    [['nonsense'], "unknown command 'nonsense'", 'outbox'],
    [['migrate'], 'expected a command', 'outbox migrate'],
    [['migrate', 'deploi'], "unknown command 'deploi' (Did you mean deploy?)", 'outbox migrate'],
    [
      ['migrate', 'deploy', '--deploiment', 'x'],
      "unknown option '--deploiment' (Did you mean --deployment?)",
      'outbox migrate deploy',
    ],
    [
      ['migrate', 'deploy', '--deployment', 'No_Name'],
      '--deployment: expected 1 to 40 of a-z',
      'outbox migrate deploy',
    ],
    [['migrate', 'status', 'x'], "too many arguments for 'status'", 'outbox migrate status'],
    [['keys', 'create', '--nme', 'x'], "unknown option '--nme' (Did you mean --name?)", 'outbox keys create'],
    [['keys', 'create'], "required option '--name <text>' is missing", 'outbox keys create'],
    [['keys', 'create', '--name', ' '], '--name: expected 1 to 200 characters', 'outbox keys create'],
    [
      ['keys', 'create', '--name', 'x', '--scope', 'all'],
      "argument 'all' is invalid. Allowed choices",
      'outbox keys create',
    ],
    [
      ['keys', 'create', '--name', 'x', '--tenant', 'a', '--scope', 'audit:write:any-tenant'],
      '--tenant: ',
      'outbox keys create',
    ],
    [['import', '--mapping', 'default'], "missing required argument 'file'", 'outbox import'],
    [['run'], "required option '--roles <list>' is missing", 'outbox run'],
    [['run', '--roles', 'api,realy'], 'expected api, relay, worker, got "realy"', 'outbox run'],
    [['relay', '--confg', 'x'], "unknown option '--confg' (Did you mean --config?)", 'outbox relay'],
    [['worker', 'x'], "too many arguments for 'worker'", 'outbox worker'],
  ])('%j: 64, what was expected, and which help to read', async (args, says, command) => {
    const environment = at(databases.outboxUrl);
    const { code, stdout, stderr } = await run(args, environment);
    expect([code, stdout]).toEqual([EXIT.usage, '']);
    expect(stderr).toMatch(/^outbox: |\noutbox: /); // below the help, where a command is missing
    expect(stderr).toContain(says);
    expect(stderr.endsWith(`\nSee: ${command} --help\n`)).toBe(true);
  });

  it('a wrong command line with --json is a JSON document, too', async () => {
    const { code, stdout, stderr } = await run(['keys', 'create', '--nme', 'x', '--json']);
    expect([code, stdout]).toEqual([EXIT.usage, '']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { kind: 'usage', exitCode: 64 } });
  });

  it('an unknown mapping lists the known ones; a missing file is 66', async () => {
    const environment = at(databases.outboxUrl);
    const unknown = await run(['import', file, '--mapping', 'x'], environment);
    expect([unknown.code, unknown.stderr]).toEqual([
      EXIT.usage,
      expect.stringMatching(/--mapping: none is named "x".*\n {2}cloudtrail: /),
    ]);
    await expectFailure(['import', join(folder, 'none'), '--mapping', 'default'], environment, {
      kind: 'noInput',
      says: /expected a readable file/,
    });
  });

  it('--json: each refused line is a document on standard error, the result alone on standard output', async () => {
    const mixed = join(folder, 'mixed.ndjson');
    writeFileSync(mixed, '{"id":"m","action":"x.y","time":"2026-01-01T00:00:00Z"}\n{"id":\n');
    const { code, stdout, stderr } = await run(
      ['import', mixed, '--mapping', 'default', '--json'],
      at(databases.outboxUrl),
    );
    expect([code, JSON.parse(stdout)]).toMatchObject([EXIT.refused, { imported: 1, refused: 1 }]);
    expect(JSON.parse(stderr)).toEqual({ refused: { line: 2, reason: expect.stringContaining('JSON') } });
  });
});

describe("the deployment's name", () => {
  it('R1: --deployment and OUTBOX_DEPLOYMENT that differ are refused by name; nothing is applied', async () => {
    const environment = { ...at(empty.url), OUTBOX_DEPLOYMENT: 'shop' };
    const { code, stderr } = await run([...MIGRATE_DEPLOY, '--deployment', 'other'], environment);
    expect([code, stderr]).toEqual([
      EXIT.configuration,
      expect.stringContaining('--deployment says "other", OUTBOX_DEPLOYMENT says "shop"'),
    ]);
    const status = await run([...MIGRATE_STATUS, '--json'], at(empty.url));
    expect(JSON.parse(status.stdout)).toMatchObject([{ applied: [] }, { applied: [] }]);
  });

  it('R1: the option alone, the variable alone, both alike, an empty variable; another than the stored one is refused', async () => {
    const database = await createEmptyDatabase();
    try {
      const deploy = async (args: readonly string[], more: Record<string, string> = {}) => {
        const { code, stdout, stderr } = await run([...MIGRATE_DEPLOY, '--json', ...args], {
          ...at(database.url),
          ...more,
        });
        return code === 0 ? JSON.parse(stdout).deployment : [code, stderr];
      };
      expect(await deploy([], { OUTBOX_DEPLOYMENT: 'shop' })).toBe('shop');
      expect(await deploy(['--deployment', 'shop'])).toBe('shop');
      expect(await deploy(['--deployment', 'shop'], { OUTBOX_DEPLOYMENT: 'shop' })).toBe('shop');
      expect(await deploy([], { OUTBOX_DEPLOYMENT: '' })).toBe('shop');
      expect(await deploy(['--deployment', 'other'])).toEqual([
        EXIT.configuration,
        expect.stringMatching(/\\"shop\\", not to \\"other\\"/),
      ]);
      const imported = await run(IMPORT, { ...at(database.url), OUTBOX_DEPLOYMENT: '' });
      expect(imported.code).toBe(0);
    } finally {
      await database.drop();
    }
  });
});

describe('--help', () => {
  const paths = [
    'dev',
    'api',
    'relay',
    'worker',
    'run',
    'migrate',
    'migrate deploy',
    'migrate status',
    'keys',
    'keys create',
    'import',
    'audit',
    'audit keygen',
    'audit status',
    'audit adopt',
    'audit erase',
    'status',
    'doctor',
    'verify',
    'operators',
    'operators add',
    'events list',
    'events show',
    'dlq kinds',
    'temporal setup',
  ];
  it.each(paths)('outbox %s: examples that name it, on standard output', async (path) => {
    const { code, stdout, stderr } = await run([...path.split(' '), '--help']);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`Usage: outbox ${path}`);
    expect(stdout.split('\nExamples:\n')[1]).toContain(`outbox ${path}`);
  });

  it.each([
    ['api', 'api'],
    ['relay', 'relay'],
    ['worker', 'worker'],
    ['migrate deploy', 'migrate'],
    ['migrate status', 'migrate'],
    ['keys create', 'keys'],
    ['import', 'import'],
    ['audit status', 'audit'],
    ['audit adopt', 'audit adopt'],
    ['audit erase', 'audit erase'],
    ['status', 'status'],
    ['doctor', 'doctor'],
    ['verify', 'verify'],
    ['operators add', 'operators'],
    ['events list', 'events'],
  ] as const)('outbox %s: names every setting without which it does not start', async (path, user) => {
    const { stdout } = await run([...path.split(' '), '--help']);
    const needed = SETTING_KEYS.filter((key) => definitionOf(key).requiredBy?.includes(user)).map(variableOf);
    expect(needed.filter((variable) => !stdout.includes(variable))).toEqual([]);
    expect(needed.length).toBeGreaterThan(0);
  });

  it('outbox: every command and every exit code; docs/running.md has the codes, too', async () => {
    const { stdout } = await run(['--help']);
    const docs = readFileSync(fileURLToPath(new URL('../../docs/running.md', import.meta.url)), 'utf8');
    for (const code of Object.values(EXIT)) {
      expect(stdout).toMatch(new RegExp(`^ {2}${code} +\\S`, 'm'));
      expect(docs).toMatch(new RegExp(`^\\| (\\d+, )*${code}(, \\d+)* \\|`, 'm'));
    }
    for (const path of paths) expect(stdout).toMatch(new RegExp(`^ {2}${path.split(' ')[0]} `, 'm'));
  });

  it('ends in silence when nobody reads on', async () => {
    const child = spawn(process.execPath, [CLI, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = await once(child, 'close');
    expect([code, stderr]).toEqual([0, '']);
  });
});

describe('a migration that has to wait says for what', () => {
  it('who holds the lock; done when it is let go', async () => {
    const holder = new pg.Client({ connectionString: databases.outboxUrl, application_name: "somebody's console" });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE outbox._prisma_migrations');
    const { rows } = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    const cli = outboxCli([...MIGRATE_DEPLOY], {
      OUTBOX_DATABASE_URL: databases.outboxUrl,
      AUDIT_DATABASE_URL: databases.auditUrl,
    });
    const says = `outbox: waits for process ${rows[0]?.pid} ("somebody's console" of postgres) to let go of a lock, at most 60 s\n`;
    await eventually('it says for whom it waits', async () => cli.printed().includes(says));
    await holder.query('COMMIT');
    await holder.end();
    expect(await cli.ended).toBe(0);
    expect(cli.printed().split(says)).toHaveLength(2);
  });

  it('a server that accepts and does not answer', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket.on('error', () => {})));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const cli = outboxCli([...MIGRATE_STATUS, '--json'], at(`postgresql://someone@127.0.0.1:${port}/x`));
    const note = `{"note":"outbox: waits for 127.0.0.1:${port} to answer, at most 10 s"}\n`;
    await eventually('it says for what it waits', async () => cli.printed().includes(note));
    for (const socket of sockets) socket.destroy();
    server.close();
    expect(await cli.ended).toBe(EXIT.unavailable);
  });
});

describe('a role', () => {
  it('warns of a mistyped TEMPORAL_ variable, names the one that may be meant, and starts', async () => {
    const deployment = await createTestDeployment();
    try {
      const role = await deployment.start('relay', {
        TEMPORAL_ADRESS: 'temporal.example:7233',
        TEMPORAL_CLI_PATH: 'x',
      });
      const warned = role.lines().filter(({ msg }) => msg === 'environment.mistyped');
      expect(warned).toMatchObject([{ level: 'warn', variable: 'TEMPORAL_ADRESS', nearest: 'TEMPORAL_ADDRESS' }]);
      expect(await stop(role)).toBe(0);
      // Whoever reads a line of JSON as text sees a name that stands twice.
      for (const line of role.stdout().split('\n'))
        expect(line.match(/"deployment":/g)?.length ?? 0).toBeLessThanOrEqual(1);
      expect(role.stdout()).toContain('"msg":"process.counters"');
      const refused = await run(['relay'], { ...deployment.environment, OUTBOX_DEPLOYMENT: 'other' });
      expect(refused).toMatchObject({ code: EXIT.configuration, stdout: '' });
    } finally {
      await endLeftoverCli();
      await deployment.drop();
    }
  });
});
