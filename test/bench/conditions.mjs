// Under which conditions a report was made: what somebody would have to set up to find the same.
import { execFile } from 'node:child_process';
import { open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { spreadOf } from './run-pairs.mjs';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url);
const PACKAGE = new URL('package.json', ROOT);
const BUILT_FROM = ['src', 'workflows', 'activities'];
/** What a figure is made by: the product, and what measures it. */
const MEASURED = [...BUILT_FROM, 'prisma', 'config', 'test/bench', 'package.json', 'package-lock.json'];
/** A copy of a checkout has its files' times of the copying, in no order. */
const COPIED_WITHIN_MS = 60_000;
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
    runs: `${pairs} of each side, about ${seconds} s each, in turns A B, B A, …; a CHECKPOINT and half a second before each; where the other side is not ours, its run begins 11 s after one of ours, when our idle relay looks once or twice a second only`,
    ...(shrink === 1 ? {} : { shrink: `backlogs are an ${shrink}th of what the figures say: a trial` }),
    build: { version, commit: await readCommit(), dist: await readBuild() },
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
    everything:
      'on this one machine: contenders, PostgreSQL, Temporal, and the bench. It sleeps while contenders with processes of their own run (ours, bare Temporal); the others are in its process (bare loops, relay alone, job queues, claims), which also holds an idle client of Temporal',
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
    const changed = (await git('status', '--porcelain', '--', ...MEASURED.map((path) => `:/${path}`))) !== '';
    return `${await git('rev-parse', '--short', 'HEAD')}${changed ? ', with changes' : ''}`;
  } catch {
    return 'not a checkout';
  }
}

/** The commit tells of the sources; what runs is what was built of them. */
async function readBuild() {
  const built = (await stat(new URL('dist/src/index.js', ROOT))).mtimeMs;
  for (const folder of BUILT_FROM) {
    for (const entry of await readdir(new URL(folder, ROOT), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
      const { mtimeMs } = await stat(join(entry.parentPath, entry.name));
      if (mtimeMs > built + COPIED_WITHIN_MS) return `older than ${entry.name} and perhaps more of its sources`;
    }
  }
  return 'younger than its sources';
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
