// Under which conditions a report was made: what somebody would have to set up to find the same.
import { execFile } from 'node:child_process';
import { open, readFile, rm, statfs } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { spreadOf } from './run-pairs.mjs';

const run = promisify(execFile);
const PACKAGE = new URL('../../package.json', import.meta.url);
const SETTINGS = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'autovacuum',
  'max_connections',
];
/** By statfs(2). On tmpfs an fsync costs nothing, and figures of durable stores would be too good. */
const FILE_SYSTEMS = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlay',
};

export async function readConditions(world, { pairs, seconds, shrink, figures }) {
  const { dependencies, devDependencies, version } = JSON.parse(await readFile(PACKAGE, 'utf8'));
  const watched = ['@temporalio/worker', '@temporalio/client', 'pg', 'undici', 'express', 'graphile-worker', 'pg-boss'];
  const [{ model }] = cpus();
  return {
    startedAt: new Date().toISOString(),
    figures,
    runs: `${pairs} of each side, about ${seconds} s each, in turns A B, B A, …; a CHECKPOINT and half a second before each`,
    ...(shrink === 1 ? {} : { shrink: `backlogs are an ${shrink}th of what the figures say: a trial` }),
    build: { version, commit: await readCommit() },
    temporal: {
      server: world.temporal.server,
      store: world.temporal.store === 'dev' ? 'dev server, in memory' : 'PostgreSQL',
      dynamicConfiguration: world.temporal.dynamicConfiguration,
    },
    postgres: {
      ...(await readPostgres(world.postgres.adminUrl)),
      fileSystem: await readFileSystem(world.folder),
      fsyncOf8KiB: `${await timeFsync(world.folder)} µs (median)`,
    },
    versions: {
      node: process.version,
      ...Object.fromEntries(
        Object.entries({ ...devDependencies, ...dependencies }).filter(([name]) => watched.includes(name)),
      ),
    },
    machine: {
      cpu: model,
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      kernel: `${type()} ${release()}`,
    },
    loadAtStart: readLoad(),
    everything: 'on this one machine: contenders, PostgreSQL, Temporal, and the bench, which sleeps while they run',
  };
}

/** Of the last 1, 5 and 15 minutes. */
export function readLoad() {
  return loadavg()
    .map((load) => load.toFixed(2))
    .join(' ');
}

async function readCommit() {
  const git = (...args) => run('git', args, { cwd: new URL('.', import.meta.url) }).then(({ stdout }) => stdout.trim());
  try {
    const changed =
      (await git('status', '--porcelain', '--', ':/src', ':/workflows', ':/activities', ':/prisma')) !== '';
    return `${await git('rev-parse', '--short', 'HEAD')}${changed ? ', with changes' : ''}`;
  } catch {
    return 'not a checkout';
  }
}

async function readPostgres(adminUrl) {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    const { rows } = await client.query(`SELECT name, current_setting(name) AS value FROM unnest($1::text[]) name`, [
      SETTINGS,
    ]);
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  } finally {
    await client.end();
  }
}

async function readFileSystem(folder) {
  const { type: magic } = await statfs(folder);
  return FILE_SYSTEMS[magic] ?? `0x${magic.toString(16)}`;
}

/** What durability costs here: without it nobody can compare commits with another machine's. */
async function timeFsync(folder) {
  const path = join(folder, 'fsync');
  const file = await open(path, 'w');
  try {
    const page = Buffer.alloc(8_192, 1);
    const times = [];
    for (let n = 0; n < 100; n++) {
      const from = performance.now();
      await file.write(page, 0, page.length, 0);
      await file.datasync();
      times.push((performance.now() - from) * 1_000);
    }
    return Math.round(spreadOf(times).median);
  } finally {
    await file.close();
    await rm(path);
  }
}
