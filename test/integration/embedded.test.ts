// Real: PostgreSQL and Temporal started by the product's own embedded module, as processes. Fake: `go`, and a `temporal`
// that lets somebody else be quicker on its port before it becomes the real one.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/infrastructure/embedded/embedded-postgres.js';
import { type EmbeddedTemporal, startEmbeddedTemporal } from '../../src/infrastructure/embedded/embedded-temporal.js';
import { findTemporal } from '../../src/infrastructure/embedded/find-temporal.js';
import { downloadTemporalCli } from '../../src/infrastructure/temporal/download-cli.js';
import { createTestDatabases } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { isAlive, numberWrittenIn } from '../support/outbox-cli.js';
import { temporalCli } from '../support/temporal.js';

let folder: string;
const running: (EmbeddedPostgres | EmbeddedTemporal)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outbox-embedded-')); // 0700, as mkdtemp makes it
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  await rm(folder, { recursive: true, force: true });
});

async function startPostgres(options: { readyWithinMs?: number; notes?: string[] } = {}): Promise<EmbeddedPostgres> {
  const { notes = [], ...rest } = options;
  const note = (line: string) => void notes.push(line);
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'pg'), port: 0, fsync: false, note, ...rest });
  running.push(server);
  return server;
}

async function query(server: EmbeddedPostgres, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url('postgres') });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe('test databases', () => {
  it('are clones of the migrated templates', async () => {
    const databases = await createTestDatabases();
    try {
      const client = new pg.Client({ connectionString: databases.outboxUrl });
      await client.connect();
      const { rows } = await client.query('SELECT count(*)::int AS n FROM outbox.event');
      await client.end();
      expect(rows).toEqual([{ n: 0 }]);
    } finally {
      await databases.drop();
    }
  });
});

describe('the embedded PostgreSQL', () => {
  it('keeps its data in the folder named, also where its own user cannot reach that folder', async () => {
    const first = await startPostgres();
    expect(first.dataDir).toBe(join(folder, 'pg'));
    await query(first, 'CREATE TABLE kept AS SELECT 7 AS n');
    await first.stop();
    expect(await readdir(join(folder, 'pg'))).toContain('PG_VERSION');

    expect(await query(await startPostgres(), 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  });

  it('ends what a start that was killed before it had written its pid file left behind', async () => {
    const left = await startPostgres();
    await query(left, 'CREATE TABLE kept AS SELECT 7 AS n');
    await rm(join(folder, 'pg.pid'));

    const notes: string[] = [];
    const next = await startPostgres({ notes });
    expect(notes).toContain('ended the PostgreSQL that an earlier start left running');
    expect(isAlive(left.pid)).toBe(false);
    expect(await query(next, 'SELECT n FROM kept')).toEqual([{ n: 7 }]);
  });

  it("does no harm to a process that only has the number that PostgreSQL's own file names", async () => {
    await (await startPostgres()).stop();
    await writeFile(join(folder, 'pg', 'postmaster.pid'), `${process.pid}\n`);
    const notes: string[] = [];
    // PostgreSQL itself refuses a folder whose file names a living process of its user, and takes it over otherwise.
    await startPostgres({ notes }).catch(() => {});
    expect(notes).toEqual([]);
    expect(isAlive(process.pid)).toBe(true);
  });

  it('is stopped when it is not ready in time', async () => {
    const first = await startPostgres();
    await first.stop();
    await writeFile(join(folder, 'pg', 'pg_hba.conf'), 'host all all 127.0.0.1/32 reject\n');
    const starting = startPostgres({ readyWithinMs: 3_000 });
    starting.catch(() => {}); // looked at below
    const pid = await numberWrittenIn(join(folder, 'pg', 'postmaster.pid'));
    await expect(starting).rejects.toThrow('PostgreSQL did not answer in 3 s');
    expect(isAlive(pid)).toBe(false);
  });

  it('says so when it ends although nobody stopped it, and nothing when it is stopped', async () => {
    const killed = await startPostgres();
    process.kill(killed.pid, 'SIGINT');
    await expect(killed.failed).rejects.toThrow(/^PostgreSQL \(process \d+\) ended, .*shut down$/s);

    const stopped = await startPostgres();
    let said = false;
    stopped.failed.catch(() => {
      said = true;
    });
    await stopped.stop();
    expect(said).toBe(false);
  });
});

describe('the embedded Temporal', () => {
  it('takes the next port when somebody was quicker between the look and the bind', async () => {
    const cli = join(folder, 'temporal');
    const asked = join(folder, 'asked');
    // At its first start: holds the port that it was told to take until the real one has failed on it.
    await writeFile(
      cli,
      `#!${process.execPath}
const { spawnSync } = require('node:child_process');
const { appendFileSync, existsSync } = require('node:fs');
const args = process.argv.slice(2);
const real = () => process.exit(spawnSync(${JSON.stringify(temporalCli())}, args, { stdio: 'inherit' }).status ?? 1);
if (args[1] !== 'start-dev') real();
const port = args[args.indexOf('--port') + 1];
const first = !existsSync(${JSON.stringify(asked)});
appendFileSync(${JSON.stringify(asked)}, port + '\\n');
if (first) require('node:net').createServer().listen(Number(port), '127.0.0.1', real);
else process.execve(${JSON.stringify(temporalCli())}, ['temporal', ...args], process.env);
`,
    );
    await chmod(cli, 0o755);
    const server = await startEmbeddedTemporal({
      cli,
      pidFile: join(folder, 'temporal.pid'),
      port: 0,
      uiPort: null,
      searchAttributes: [],
    });
    running.push(server);
    const ports = (await readFile(asked, 'utf8')).trim().split('\n');
    expect(ports).toHaveLength(2);
    expect(server.address).toBe(`127.0.0.1:${ports[1]}`);

    process.kill(server.pid, 'SIGKILL');
    await expect(server.failed).rejects.toThrow(/^Temporal \(process \d+\) ended/);
  });
});

describe('the Temporal CLI', () => {
  it('is not built any further when the start is given up', async () => {
    const bin = join(folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'go'), `#!/bin/sh\necho $$ > ${folder}/go.pid\nexec sleep 600\n`);
    await chmod(join(bin, 'go'), 0o755);
    const controller = new AbortController();
    const cacheDir = join(folder, 'cache');
    const environment = { PATH: `${bin}:/usr/bin:/bin` };
    // The child is looked up on the PATH of the environment that it gets.
    const finding = findTemporal({
      environment,
      cacheDir,
      download: undefined,
      note: () => {},
      signal: controller.signal,
    });
    finding.catch(() => {}); // looked at below
    const pid = await numberWrittenIn(join(folder, 'go.pid'));
    controller.abort(new Error('given up'));
    await expect(finding).rejects.toThrow('given up');
    await eventually('go gone', async () => !isAlive(pid));
    expect(await readdir(join(cacheDir, 'temporal-cli-1.5.1'))).toEqual([]);
  });

  it('is not downloaded any further when the start is given up', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(downloadTemporalCli(join(folder, 'cli'), controller.signal)).rejects.toThrow('aborted');
  });
});
