// Real: the tarball (`npm pack` of the dist/ that stands), installed by npm into a copy of examples/existing-app, one
// PostgreSQL database for the application, the outbox and the audit log, Temporal, the processes and HTTP. Fake: the
// warehouse, a server of the example's own. Prisma's schema engine is the project's WebAssembly front, since the
// application's own is a download that a closed network does not reach.
import { execFile } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { freePort } from '../../src/infrastructure/embedded/free-port.js';
import { createEmptyDatabase } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { EXPECTED_TOPS, strangersIn, topOf } from '../support/packed-files.js';
import { type RunningProcess, startProcess } from '../support/start-process.js';
import { temporalAddress } from '../support/temporal.js';

const project = resolve('.');
const folder = mkdtempSync(join(tmpdir(), 'temporal-outbox-package-'));
const application = join(folder, 'shop');
const installed = join(application, 'node_modules/temporal-outbox');

/** Ours without what npm and jest put there, and without the project's own commands: what is not installed is not found. */
const machine: Record<string, string> = Object.fromEntries(
  Object.entries(process.env)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .filter(
      ([name]) => !/^(npm_(package|lifecycle|command|config_local_prefix)|NODE_OPTIONS|OUTBOX_|AUDIT_)/.test(name),
    ),
);
machine.PATH = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)]
  .filter((entry) => !entry.startsWith(join(project, 'node_modules/.bin')))
  .join(delimiter);
machine.PRISMA_SCHEMA_ENGINE_BINARY = join(project, 'config/prisma-schema-engine.ts');
machine.PRISMA_HIDE_UPDATE_MESSAGE = '1';

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly printed: string;
}

function run(cwd: string, environment: Record<string, string>, file: string, ...args: string[]): Promise<Output> {
  return new Promise((done) => {
    const options = { cwd, env: { ...machine, ...environment }, maxBuffer: 32 * 1024 * 1024 };
    const child = execFile(file, args, options, (error, stdout, stderr) =>
      done({ code: error === null ? 0 : Number(error.code), stdout, printed: stdout + stderr }),
    );
    child.stdin?.end();
  });
}

/** In the application, with the settings that it has by then. */
const environment: Record<string, string> = {};
const inShop = (file: string, ...args: string[]) => run(application, environment, file, ...args);
const evaluate = (script: string) => inShop('node', '--input-type=module', '--eval', script);

let packed: { size: number; files: { path: string; size: number }[] };
let database: { url: string; drop(): Promise<void> };
let client: pg.Client;

beforeAll(async () => {
  // Without its scripts, which would build dist/ anew under the other tests; the build before the tests made it.
  const pack = await run(project, {}, 'npm', 'pack', '--ignore-scripts', '--json', '--pack-destination', folder);
  const [made] = JSON.parse(pack.stdout) as [typeof packed & { filename: string }];
  packed = made;
  cpSync('examples/existing-app', application, {
    recursive: true,
    filter: (path) => !['node_modules', 'generated'].includes(basename(path)),
  });
  renameSync(join(folder, made.filename), join(application, 'temporal-outbox.tgz'));

  const since = performance.now();
  const install = await inShop('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund');
  if (install.code !== 0) throw new Error(`npm install failed:\n${install.printed}`);
  const seconds = Math.round((performance.now() - since) / 1000);
  process.stderr.write(`package: ${Math.round(packed.size / 1024)} KiB packed, installed in ${seconds} s\n`);
  const generate = await inShop('npm', 'run', 'generate'); // the application's own client
  if (generate.code !== 0) throw new Error(`prisma generate failed:\n${generate.printed}`);
  // R31: nobody bundles workflows at the user's. Whoever tries from here on fails.
  writeFileSync(
    join(application, 'node_modules/webpack/lib/index.js'),
    "module.exports = () => { throw new Error('webpack ran at the user') };\n",
  );
  rmSync(join(application, 'node_modules/@swc'), { recursive: true });

  database = await createEmptyDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  environment.DATABASE_URL = database.url;
}, 300_000);

const processes: RunningProcess[] = [];
afterAll(async () => {
  for (const child of processes) child.kill('SIGKILL');
  await Promise.all(processes.map(({ ended }) => ended));
  await client?.end();
  await database?.drop();
  rmSync(folder, { recursive: true, force: true });
});

function start(...command: [string, ...string[]]): RunningProcess {
  const child = startProcess(command, { cwd: application, env: { ...machine, ...environment } });
  processes.push(child);
  return child;
}

describe('the tarball', () => {
  it('R31: holds the command, the doors, the generated clients, the migrations, the bundle, the sample and the papers', () => {
    expect(packed.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        '.env.example',
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'dist/src/cli/outbox.js',
        'dist/src/client.d.ts',
        'dist/src/client.js',
        'dist/src/index.d.ts',
        'dist/src/index.js',
        'dist/src/infrastructure/prisma/generated/audit/client.js',
        'dist/src/infrastructure/prisma/generated/outbox/client.js',
        'dist/src/testing.d.ts',
        'dist/src/testing.js',
        'dist/workflow-bundle.js',
        'dist/workflow-bundle-traced.js',
        'docs/errors.md',
        'docs/running.md',
        'examples/sample-cloudtrail.ndjson',
        'package.json',
        'prisma/audit/migrations/20261123000000_init/migration.sql',
        'prisma/outbox/migrations/20261123000000_init/migration.sql',
        'prisma/outbox/migrations/20261128000100_books_looks/migration.sql',
      ]),
    );
  });

  it('holds nothing else: no sources, tests, maps, data, keys or schema to generate from, and stays small', () => {
    expect(strangersIn(packed.files.map(({ path }) => path))).toEqual([]);
    expect([...new Set(packed.files.map(({ path }) => topOf(path)))].sort()).toEqual(EXPECTED_TOPS);
    expect(packed.size).toBeLessThan(3_200_000);
  });

  it('holds what each source was built to: nothing that runs is missing', () => {
    const modules = ['src', 'workflows', 'activities'].flatMap((root) =>
      readdirSync(root, { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.m?ts$/.test(path) && !/\.d\.ts$|^monitor\//.test(path))
        .map((path) => `dist/${root}/${path.replace(/ts$/, 'js')}`),
    );
    expect(modules.length).toBeGreaterThan(300);
    const held = new Set(packed.files.map(({ path }) => path));
    expect(modules.filter((path) => !held.has(path))).toEqual([]);
  });

  it('names no place of the machine that built it, and holds no secret', () => {
    const guilty = readdirSync(installed, { recursive: true, encoding: 'utf8' })
      .filter((path) => !path.startsWith('node_modules') && statSync(join(installed, path)).isFile())
      .filter((path) => {
        const text = readFileSync(join(installed, path), 'utf8');
        const map = /sourceMappingURL=data:[^,]*base64,([A-Za-z0-9+/=]+)/.exec(text)?.[1] ?? '';
        const whole = text + Buffer.from(map, 'base64').toString('utf8');
        return (
          whole.includes(project) || /-----BEGIN [A-Z ]*PRIVATE KEY|npm_[A-Za-z0-9]{36}|AKIA[0-9A-Z]{16}/.test(whole)
        );
      });
    expect(guilty).toEqual([]);
    const { scripts } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    for (const step of ['preinstall', 'install', 'postinstall']) expect(scripts).not.toHaveProperty(step);
  });
});

describe('the installed package', () => {
  it('R31: opens three doors, each with exactly these names', async () => {
    const names = `console.log(JSON.stringify(Object.fromEntries(await Promise.all(
      ['temporal-outbox', 'temporal-outbox/client', 'temporal-outbox/testing'].map(async (door) =>
        [door, Object.keys(await import(door)).sort()])))))`;
    expect(JSON.parse((await evaluate(names)).stdout)).toEqual({
      'temporal-outbox': [
        'ERROR_CATALOG',
        'ERROR_CODES',
        'IntegrationError',
        'NotInTransactionError',
        'NotifyError',
        'auditHandler',
        'createApi',
        'createRelay',
        'createRoles',
        'createWorker',
        'defineConfig',
        'defineHandler',
        'defineNotifier',
        'describeNotice',
        'httpHandler',
        'isIntegrationError',
        'isNotifyError',
        'logNotifier',
        'recordEvent',
        'recordEvents',
        'sentryNotifier',
        'slackNotifier',
        'toHttpError',
        'webhookNotifier',
      ],
      'temporal-outbox/client': ['AuditRequestError', 'createAuditClient', 'isAuditRequestError'],
      'temporal-outbox/testing': [
        'FakeHttpClient',
        'completeEvent',
        'createMemoryOutbox',
        'runHandler',
        'toAuditEvent',
        'toIntegrationEvent',
      ],
    });
    const inside = await evaluate("await import('temporal-outbox/dist/src/main/create-role.js')");
    expect(inside.printed).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('costs a producer neither Temporal nor a web server: they load with the roles', async () => {
    const loaded = await evaluate(`import { createRequire } from 'node:module';
      await import('temporal-outbox');
      const native = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'));
      const modules = Object.keys(createRequire(process.cwd() + '/x.js').cache).filter((path) =>
        /node_modules\\/(@temporalio|express|@prisma|pg|undici)\\//.test(path));
      console.log(JSON.stringify({ native, modules }))`);
    expect(JSON.parse(loaded.stdout)).toEqual({ native: [], modules: [] });
  });

  it('holds under a strict tsconfig, declarations of the package included', async () => {
    expect(await inShop('npm', 'run', 'types')).toMatchObject({ code: 0 });
  });

  it("runs a team's own tests of its handler and mapper", async () => {
    const tests = await inShop('npm', 'test');
    expect(tests.printed).toMatch(/fail 0/);
    expect(tests.code).toBe(0);
  });
});

describe("the README's code", () => {
  const blocks = [...readFileSync('README.md', 'utf8').matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code = '']) => code);
  const named = (name: string) => blocks.find((code) => code.startsWith(`// ${name}\n`)) ?? '';

  beforeAll(() => {
    const readme = join(application, 'readme');
    mkdirSync(readme);
    const write = (name: string, code: string) => writeFileSync(join(readme, name), code);
    write('temporal-outbox.config.ts', named('temporal-outbox.config.ts'));
    write('contact.test.ts', named('contact.test.ts'));
    write('record.test.ts', RECORDED.replace('README', blocks[0] ?? ''));
    write('tsconfig.json', JSON.stringify({ extends: '../tsconfig.json', include: ['.'] }));
  });

  it('is three whole pieces: an append, a configuration with a handler, a test of both', () => {
    expect(blocks).toEqual([
      expect.stringContaining('recordEvent(tx, {'),
      named('temporal-outbox.config.ts'),
      named('contact.test.ts'),
    ]);
  });

  it('holds under a strict tsconfig', async () => {
    expect(await inShop('npx', '--no-install', 'tsc', '-p', 'readme')).toMatchObject({ code: 0, stdout: '' });
  });

  it('appends, and delivers through the handler, as it stands', async () => {
    const tests = await inShop('node', '--test', 'readme/record.test.ts', 'readme/contact.test.ts');
    expect(tests.printed).toMatch(/pass 2\n/);
    expect(tests.code).toBe(0);
  });
});

/** What stands around the README's first piece in a reader's application, and what must have come of it. */
const RECORDED = `
import assert from 'node:assert/strict';
import { createMemoryOutbox, type MemoryTransaction } from 'temporal-outbox/testing';
const outbox = createMemoryOutbox();
const id = 'u-1';
const user = { update: async (_: object) => ({ id, tenantId: 'acme' }) };
const prisma = {
  $transaction: (work: (tx: MemoryTransaction & { user: typeof user }) => Promise<void>) =>
    outbox.transaction((tx) => work({ ...tx, user })),
};
README
const [delivery] = await outbox.deliver({});
assert.equal(delivery?.status, 'DELIVERED');
assert.deepEqual(
  outbox.auditEvents().map(({ action, tenantId }) => [action, tenantId]),
  [['auth.user.signed_in', 'acme']],
);
`;

describe('an existing application', () => {
  let warehouse: string;
  let delivery: RunningProcess | undefined;
  // One that a failed test left would hold the next one's port.
  afterEach(async () => {
    delivery?.kill('SIGKILL');
    await delivery?.ended;
  });
  const roles = async () => (await client.query('SELECT rolname FROM pg_roles ORDER BY 1')).rows;

  it('R29, R32: migrates its own tables and then ours, in one database, without a new role', async () => {
    environment.OUTBOX_DATABASE_URL = database.url;
    environment.AUDIT_DATABASE_URL = database.url;
    const before = await roles();
    const migrate = await inShop('npm', 'run', 'migrate');
    expect(migrate.printed).toContain('deployment: shop');
    expect(migrate.code).toBe(0);
    expect(await roles()).toEqual(before);
    const { rows } = await client.query(
      "SELECT schemaname FROM pg_tables WHERE tablename = '_prisma_migrations' ORDER BY 1",
    );
    expect(rows.map(({ schemaname }) => schemaname)).toEqual(['audit', 'outbox', 'public']);
    environment.OUTBOX_DEPLOYMENT = 'shop';
    expect(await inShop('npx', '--no-install', 'outbox', 'migrate', 'status')).toMatchObject({ code: 0 });
    expect(await inShop('npx', '--no-install', 'prisma', 'migrate', 'status')).toMatchObject({ code: 0 });
  }, 120_000);

  it('R31: brings an order to the audit log and to its own handler, each once, with neither generate nor webpack', async () => {
    const key = async (name: string, scope: string) =>
      (await inShop('npx', '--no-install', 'outbox', 'keys', 'create', '--name', name, '--scope', scope)).stdout.trim();
    const apiPort = await freePort(0);
    Object.assign(environment, {
      WAREHOUSE_PORT: '0',
      TEMPORAL_ADDRESS: temporalAddress(),
      OUTBOX_API_PORT: String(apiPort),
      OUTBOX_PROBE_PORT: '0',
      OUTBOX_AUDIT_URL: `http://127.0.0.1:${apiPort}`,
      AUDIT_FINGERPRINT_KEYS: `k1:${'ab'.repeat(32)}`,
      OUTBOX_AUDIT_API_KEY: await key('worker', 'audit:write:any-tenant'),
      SHOP_AUDIT_KEY: await key('auditors', 'audit:read'),
    });
    warehouse = await printedBy(start('node', 'src/warehouse.ts'), /http:\S+/);
    environment.WAREHOUSE_URL = warehouse;
    delivery = start(
      join(application, 'node_modules/.bin/outbox'),
      ...['run', '--roles', 'api,relay,worker', '--config', 'temporal-outbox.config.ts'],
    );
    await printedBy(delivery, /process\.started/);

    await orderArrives();
    const refused = await inShop('node', 'src/shop.ts', 'ada', 'teapot', '101');
    expect(refused).toMatchObject({ code: 1, printed: expect.stringContaining('not that many') });
    const { rows } = await client.query(
      `SELECT (SELECT count(*)::int FROM outbox.event) AS events, (SELECT count(*)::int FROM public.orders) AS orders,
         (SELECT count(*)::int FROM audit.record) AS records`,
    );
    expect(rows).toEqual([{ events: 2, orders: 1, records: 1 }]);
    delivery.kill('SIGTERM');
    expect(await delivery.ended).toBe(0);
  }, 120_000);

  it('runs the roles inside a program of its own', async () => {
    delivery = start('node', 'src/delivery.ts');
    await printedBy(delivery, /"probes":\d+/);
    await orderArrives();
    delivery.kill('SIGTERM');
    expect(await delivery.ended).toBe(0);
  }, 120_000);

  /** One order by the application's own script, and what must have come of it. */
  async function orderArrives(): Promise<void> {
    const before = await shipments();
    const order = await inShop('node', 'src/shop.ts', 'ada', 'teapot', '2');
    expect(order.printed).toContain('orderId');
    const { orderId, auditEvent, shipmentEvent } = JSON.parse(order.stdout);
    await eventually('both events delivered', async () => {
      const text = "SELECT 1 FROM outbox.delivery WHERE event_id = ANY($1) AND status = 'DELIVERED'";
      return (await client.query(text, [[auditEvent, shipmentEvent]])).rowCount === 2;
    });
    const { posts, shipped } = await shipments();
    expect(posts).toBe(before.posts + 1);
    expect(shipped[shipmentEvent]).toEqual({ orderId, sku: 'teapot', quantity: 2 });
    const found = await inShop('node', 'src/audit.ts', auditEvent, shipmentEvent);
    expect(found).toMatchObject({ code: 0, printed: expect.stringMatching(/"found":true.*"found":false/) });
    const { rows } = await client.query('SELECT count(*)::int AS records FROM audit.record WHERE event_id = $1', [
      auditEvent,
    ]);
    expect(rows).toEqual([{ records: 1 }]);
  }

  async function shipments(): Promise<{ posts: number; shipped: Record<string, unknown> }> {
    return (await fetch(warehouse)).json() as ReturnType<typeof shipments>;
  }
});

/** What it prints; fails at once, with all it said, when it ended without. */
async function printedBy(child: RunningProcess, wanted: RegExp): Promise<string> {
  const ended = child.ended.then((code) => {
    throw new Error(`expected ${wanted}, but the process ended with ${code}:\n${child.printed()}`);
  });
  const printed = eventually(
    `${wanted} from process ${child.pid}`,
    async () => wanted.exec(child.printed())?.[0],
    60_000,
  );
  return Promise.race([printed, ended]);
}
