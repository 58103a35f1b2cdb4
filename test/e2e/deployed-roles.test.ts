// Real: what docker-compose.yml and the Dockerfile say, read from them: the install (npm), commands, environment, order, health
// checks, graces, the image's user and a tree that this user cannot write; PostgreSQL; Temporal's server and its SQL tool, in the
// version that the compose file names, on that PostgreSQL; HTTP. Not real: the containers. Each is a plain process here, so names
// are 127.0.0.1 with a port, each role has a free port and listens on loopback, and the folder /app is a temporary one. Without
// root no other user can be had: then it is the one who runs the tests, and says so.
import { execFile } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { type ComposeService, composeFileWith, inOrder } from '../support/compose-file.js';
import { type ContainerProcess, endContainers, startContainer } from '../support/container-process.js';
import { dockerfile, imageEnvironment, imageUser } from '../support/docker-file.js';
import { eventually } from '../support/eventually.js';

const run = promisify(execFile);
const ROLES = ['api', 'relay', 'worker'] as const;
/** Not ours, and nothing waits for them. */
const LEFT_OUT = ['temporal-ui', 'prometheus', 'alertmanager', 'grafana', 'otel-collector'];
const PASSWORD = 'a-password-of-this-test';
const variables: Record<string, string> = {
  DB_ADMIN_PASSWORD: PASSWORD,
  DB_APPLICATION_PASSWORD: `${PASSWORD}-1`,
  DB_OUTBOX_PASSWORD: `${PASSWORD}-2`,
  DB_AUDIT_PASSWORD: `${PASSWORD}-3`,
  DB_TEMPORAL_PASSWORD: `${PASSWORD}-4`,
  AUDIT_FINGERPRINT_KEYS: `k1:${'ab'.repeat(32)}`,
};

const folder = mkdtempSync(join(tmpdir(), 'temporal-outbox-deployed-'));
const app = join(folder, 'app');
const tools = join(folder, 'tools');
const writable = join(folder, 'tmp');
const anchor = join(folder, 'anchor');
const user = process.getuid?.() === 0 ? imageUser() : null;

let postgres: EmbeddedPostgres;
let temporal: { address: string; process: ContainerProcess };
let shop: pg.Pool;
let client: Client;
interface Running {
  readonly role: string;
  readonly port: number;
  readonly process: ContainerProcess;
  readonly graceMs: number;
}
const running: Running[] = [];
const started: string[] = [];

beforeAll(async () => {
  if (user === null) process.stderr.write('deployed-roles: not root, so the roles run as the user of the tests\n');
  chmodSync(folder, 0o755);
  for (const made of [app, tools, writable, anchor, join(folder, 'packed')]) mkdirSync(made);
  // The image's user cannot reach a Node that stands in somebody's home.
  cpSync(process.execPath, join(tools, 'node'));
  await Promise.all([installApp(), startServers()]);
  for (const name of inOrder(services())) {
    if (LEFT_OUT.includes(name)) continue;
    await startService(name);
    started.push(name);
  }
  shop = new pg.Pool({
    host: '127.0.0.1',
    port: postgres.port,
    user: 'shop',
    database: 'shop',
    password: `${PASSWORD}-1`,
  });
  const connection = await Connection.connect({ address: temporal.address });
  client = new Client({ connection, namespace: 'shop' });
}, 600_000);

afterAll(async () => {
  await shop?.end();
  await client?.connection.close();
  await Promise.all(running.map(({ process }) => process.stop(1_000)));
  await temporal?.process.stop(30_000);
  await endContainers();
  await postgres?.stop();
  if (existsSync(app)) await run('chmod', ['-R', 'u+w', app]);
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

describe('the roles of docker-compose.yml', () => {
  it('come up in its order, two of each, each well by its own health check and as the user of the image', async () => {
    expect(started.slice(0, 2)).toEqual(['postgres', 'databases']);
    expect(running.map(({ role }) => role).sort()).toEqual(ROLES.flatMap((role) => [role, role]));
    for (const {
      process: { pid },
    } of running) {
      const uid = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      expect(Number(uid)).toBe(user?.uid ?? process.getuid?.());
    }
  });

  it('could not write a file where their code is', async () => {
    const places = [app, join(app, 'deploy'), join(app, 'node_modules/temporal-outbox/dist')];
    const script = `for (const place of ${JSON.stringify(places)})
      try { require('node:fs').writeFileSync(place + '/new', ''); console.log('written ' + place); }
      catch (error) { console.log(error.code); }`;
    const trial = startContainer(['node', '-e', script], { cwd: app, env: basics(), user });
    await trial.ended;
    expect(trial.stdout().trim().split('\n')).toEqual(['EACCES', 'EACCES', 'EACCES']);
  });

  it('deliver what the application appends as its own role: both relays, both workers and so both apis take part', async () => {
    const took = { relays: new Set<string>(), workers: new Set<string>() };
    const ids: string[] = [];
    await eventually(
      'two relays and two workers in the histories',
      async () => {
        // One after the other: a relay that has just found work looks again long before one that was idle.
        const some: string[] = [];
        while (some.length < 50) some.push(await append());
        ids.push(...some);
        await untilDelivered(some);
        for (const id of some) {
          const { events } = await client.workflow.getHandle(`shop:${id}:0`).fetchHistory();
          for (const event of events ?? []) {
            const by = event.workflowExecutionStartedEventAttributes?.identity;
            if (by) took.relays.add(by);
            const worker = event.workflowTaskCompletedEventAttributes?.identity;
            if (worker) took.workers.add(worker);
          }
        }
        return took.relays.size === 2 && took.workers.size === 2;
      },
      90_000,
    );
    // Each worker has an api of its own here.
    const audit = new pg.Client({ connectionString: place(services().api as ComposeService).AUDIT_DATABASE_URL });
    await audit.connect();
    const { rows } = await audit.query('SELECT count(*)::int AS n FROM audit.record WHERE event_id = ANY ($1)', [ids]);
    await audit.end();
    expect(rows[0].n).toBe(ids.length);
  }, 120_000);

  it('stop with 0 within the grace that compose gives them, in the middle of work, and lose nothing', async () => {
    const ids = await Promise.all(Array.from({ length: 100 }, append));
    await eventually('work under way', async () => (await delivered(ids)) > 0);
    const stopped = running.splice(0);
    const codes = await Promise.all(
      stopped.map(async ({ role, process, graceMs }) => [role, await process.stop(graceMs)]),
    );
    expect(codes).toEqual(stopped.map(({ role }) => [role, 0]));
    for (const role of ROLES) await startService(role);
    await eventually('all delivered', async () => (await delivered(ids)) === ids.length, 60_000);
  }, 180_000);
});

const services = () => composeFileWith(variables).services;

async function append(): Promise<string> {
  const event = {
    eventName: 'shop.order.placed.v1',
    eventType: 'ORDER',
    aggregate: { type: 'order', id: '1' },
    payload: {},
  };
  const { rows } = await shop.query('SELECT outbox.record_event($1::jsonb) AS id', [JSON.stringify(event)]);
  return rows[0].id;
}

/** The application may only append, so this looks as the outbox's owner. */
async function delivered(ids: readonly string[]): Promise<number> {
  const owner = new pg.Client({ connectionString: place(services().relay as ComposeService).OUTBOX_DATABASE_URL });
  await owner.connect();
  const { rows } = await owner.query(
    "SELECT count(*)::int AS n FROM outbox.delivery WHERE event_id = ANY ($1) AND status = 'DELIVERED'",
    [ids],
  );
  await owner.end();
  return rows[0].n;
}

const untilDelivered = (ids: readonly string[]) =>
  eventually('all of them delivered', async () => (await delivered(ids)) === ids.length, 60_000);

/** The Dockerfile's own install, then nobody but root may write it. */
async function installApp(): Promise<void> {
  const packed = join(folder, 'packed');
  // Without its scripts: the build before the tests made what they would make.
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', packed]);
  cpSync('deploy/app', app, { recursive: true });
  mkdirSync(join(app, 'deploy'));
  for (const file of ['deploy/health.mjs', 'deploy/postgres/create-databases.mjs'])
    cpSync(file, join(app, 'deploy', file.split('/').at(-1) as string));
  const install = dockerfile().find(({ name, text }) => name === 'RUN' && text.includes('npm install'))?.text ?? '';
  const command = install
    .replace(/^--mount=\S+\s+/, '')
    .replace('/packed/', `${packed}/`)
    .replace('npm install', 'npm install --prefer-offline');
  // As after a checkout by somebody whose umask lets nobody else read.
  await run('sh', ['-euc', `umask 077; ${command}`], { cwd: app, maxBuffer: 32 * 1024 * 1024 });
  await run('chmod', ['-R', 'a-w', app]);
  if (user !== null) for (const own of [writable, anchor]) chownSync(own, user.uid, user.gid);
}

/** What compose takes from images of others: PostgreSQL, and Temporal's programs on the PATH of its jobs. */
async function startServers(): Promise<void> {
  [postgres] = await Promise.all([
    startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), port: 0, fsync: false, maxConnections: 300 }),
    run(process.execPath, ['test/support/temporal-on-postgres.mjs', 'programs']).then(({ stdout }) => {
      const { cli, sqlTool } = JSON.parse(stdout) as { cli: string; sqlTool: string };
      symlinkSync(cli, join(tools, 'temporal'));
      symlinkSync(sqlTool, join(tools, 'temporal-sql-tool'));
    }),
  ]);
  await askForPasswords();
}

/** As the image of PostgreSQL does, where the embedded one trusts whoever is on this machine. */
async function askForPasswords(): Promise<void> {
  const admin = new pg.Client({ connectionString: postgres.url('postgres') });
  await admin.connect();
  await admin.query(`ALTER ROLE postgres PASSWORD ${admin.escapeLiteral(PASSWORD)}`);
  writeFileSync(join(postgres.dataDir, 'pg_hba.conf'), 'host all all 127.0.0.1/32 scram-sha-256\n');
  await admin.query('SELECT pg_reload_conf()');
  await admin.end();
}

async function startService(name: string): Promise<void> {
  const service = services()[name] as ComposeService;
  if (name === 'postgres') return; // healthy by the time that startServers is done
  if (name === 'temporal') return startTemporal(service);
  if ((ROLES as readonly string[]).includes(name)) return startRole(name, service);
  // Images of others have users of their own; ours all have the same.
  const job = startContainer(commandOf(service), { cwd: app, env: place(service), user: service.build ? user : null });
  const code = await job.ended;
  if (code !== 0) throw new Error(`${name} ended with ${code}:\n${job.printed().slice(-2_000)}`);
  if (name === 'grants') await createWorkerKey();
}

async function startTemporal({ environment = {} }: ComposeService): Promise<void> {
  const { POSTGRES_USER: user, POSTGRES_PWD: password } = environment;
  const store = {
    server: { host: '127.0.0.1', port: `${postgres.port}`, user, password },
    databases: { main: 'temporal', visibility: 'temporal_visibility' },
  };
  const args = ['test/support/temporal-on-postgres.mjs', 'serve', JSON.stringify(store), folder];
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };
  const server = startContainer([process.execPath, ...args], { cwd: resolve('.'), env, user: null });
  const early = server.ended.then((code) => {
    throw new Error(`Temporal ended with ${code}: ${server.printed()}`);
  });
  early.catch(() => {}); // raced below; it ends later in any case
  const [line] = await Promise.race([
    eventually('an address', async () => /\{.*\}/.exec(server.stdout()), 60_000),
    early,
  ]);
  temporal = { ...(JSON.parse(line as string) as { address: string }), process: server };
}

/** What docs/deployment.md says to do between the migrations and the roles. */
async function createWorkerKey(): Promise<void> {
  const command = ['keys', 'create', '--name', 'worker', '--scope', 'audit:write:any-tenant'];
  const service = services().api as ComposeService;
  const made = startContainer(commandOf({ ...service, command }), { cwd: app, env: place(service), user });
  if ((await made.ended) !== 0) throw new Error(made.printed());
  variables.OUTBOX_AUDIT_API_KEY = made.stdout().trim();
}

async function startRole(role: string, { deploy, healthcheck, stop_grace_period: grace = '10s' }: ComposeService) {
  const graceMs = Number(grace.replace(/s$/, '')) * 1_000;
  const instances = Array.from({ length: deploy?.replicas ?? 1 }, async (_, instance) => {
    const service = services()[role] as ComposeService;
    const api = running.filter((one) => one.role === 'api')[instance];
    const env = {
      ...place(service, api?.port),
      OUTBOX_API_PORT: '0',
      OUTBOX_PROBE_PORT: '0',
      OUTBOX_METRICS_PORT: '0',
    };
    const process = startContainer(commandOf(service), { cwd: app, env, user });
    const ended = process.ended.then((code) => {
      throw new Error(`${role} ended with ${code} while starting:\n${process.printed().slice(-2_000)}`);
    });
    ended.catch(() => {}); // raced below; it ends later in any case
    const line = await Promise.race([
      eventually(`${role} started`, async () => process.lines().find(({ msg }) => msg === 'process.started'), 60_000),
      ended,
    ]);
    const port = Number(role === 'api' ? line.apiPort : line.probePort);
    running.push({ role, port, process, graceMs });
    const [, ...test] = healthcheck?.test ?? [];
    const ports = { OUTBOX_API_PORT: `${port}`, OUTBOX_PROBE_PORT: `${port}` };
    await eventually(`${role} healthy`, async () => {
      const check = startContainer(test.map(inApp), { cwd: app, env: { ...basics(), ...ports }, user });
      return (await check.ended) === 0;
    });
  });
  await Promise.all(instances);
}

/** The image's entry point without tini, which has nothing to reap here. */
function commandOf({ entrypoint, command = [] }: ComposeService): string[] {
  const given =
    entrypoint ?? (JSON.parse(dockerfile().findLast(({ name }) => name === 'ENTRYPOINT')?.text ?? '[]') as string[]);
  const entry = given[0] === 'tini' ? given.slice(2) : given;
  return [...entry.map(inApp), ...command];
}

const inApp = (text: string) => text.replace(/^\/app\b/, app);

function basics(): Record<string, string> {
  const path = [tools, '/usr/bin', '/bin'].join(delimiter);
  return { ...imageEnvironment(), PATH: path, HOME: writable, TMPDIR: writable, OUTBOX_HOST: '127.0.0.1' };
}

/** A service's environment, with 127.0.0.1 and a port for the names that compose would resolve. */
function place({ environment = {} }: ComposeService, apiPort?: number): Record<string, string> {
  const at = (key: string, text: string) =>
    (key.endsWith('HOST') ? '127.0.0.1' : text)
      .replace('@postgres:5432/', `@127.0.0.1:${postgres.port}/`)
      .replace(/^temporal:7233$/, temporal?.address ?? '')
      .replace('http://api:8080', `http://127.0.0.1:${apiPort ?? 8080}`)
      .replace(/^\/var\/lib\/temporal-outbox\/anchor/, anchor);
  const placed = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, at(key, value)]));
  const ports = {
    PGPORT: `${postgres.port}`,
    ...(placed.SQL_PORT === undefined ? {} : { SQL_PORT: `${postgres.port}` }),
  };
  return { ...basics(), ...placed, ...ports };
}
