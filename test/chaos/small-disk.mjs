/**
 * A disk that is full under `outbox.event`: a small file system in memory as a tablespace, into which the table is moved, and a
 * file that takes the rest of it. Needs root (mount). The WAL stays where it is, so this is a full data disk, not a full WAL
 * disk, which PostgreSQL answers by stopping.
 */
import { execFile } from 'node:child_process';
import { chown, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

const TABLE = 'outbox.event';
const SPACE = 'chaos_small';
/** Beside the table as it is: enough for what is appended while it is moved. */
const ROOM_BYTES = 24 * 1024 * 1024;
const LOCK_TRIES = 10;

/**
 * @param {{ folder: string, url: string, dataDir: string, reaper: import('../../dist/src/main/chaos/start-reaper.js').Reaper }} options
 *   a folder that is not there yet; a superuser's URL of the outbox's database; its server's folder, for whose user it is
 */
export function smallDisk({ folder, url, dataDir, reaper }) {
  const undo = [];
  const close = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };

  async function fill() {
    if (process.getuid?.() !== 0) {
      throw Object.assign(new Error('only root may mount a small disk to fill'), { cannotBeShown: true });
    }
    if (undo.length > 0) throw new Error('the disk is full already');
    try {
      const [{ bytes }] = await query(url, `SELECT pg_table_size('${TABLE}')::bigint AS bytes`);
      await mkdir(folder);
      undo.push(() => rm(folder, { recursive: true, force: true }));
      reaper.mount(folder); // before: of one that is not there nothing is lost
      await run('mount', ['-t', 'tmpfs', '-o', `size=${Number(bytes) + ROOM_BYTES},mode=755`, 'outbox-chaos', folder]);
      undo.push(async () => {
        await run('umount', [folder]);
        reaper.unmounted(folder);
      });
      const space = join(folder, 'space');
      await mkdir(space);
      const owner = await stat(dataDir);
      await chown(space, owner.uid, owner.gid);
      await query(url, `CREATE TABLESPACE ${SPACE} LOCATION '${space}'`);
      undo.push(() => query(url, `DROP TABLESPACE ${SPACE}`));
      await move(url, SPACE);
      undo.push(() => move(url, 'pg_default'));
      const ballast = join(folder, 'ballast');
      undo.push(() => rm(ballast, { force: true }));
      await writeUntilFull(ballast);
    } catch (error) {
      await close();
      throw error;
    }
    return close;
  }
  return { fill, close };
}

/** Under load: it waits for its lock a little, gives way, and asks again. */
async function move(url, space) {
  for (let tries = 1; ; tries += 1) {
    try {
      await query(url, `SET lock_timeout = '2s'; ALTER TABLE ${TABLE} SET TABLESPACE ${space}`);
      return;
    } catch (error) {
      if (error.code !== LOCK_NOT_AVAILABLE || tries === LOCK_TRIES) throw error;
    }
  }
}

const LOCK_NOT_AVAILABLE = '55P03';

async function writeUntilFull(file) {
  const handle = await open(file, 'w');
  try {
    for (const size of [1024 * 1024, 4_096]) {
      const block = Buffer.alloc(size, 1);
      while (await written(handle, block));
    }
  } finally {
    await handle.close();
  }
}

async function written(handle, block) {
  try {
    const { bytesWritten } = await handle.write(block);
    return bytesWritten === block.length;
  } catch (error) {
    if (error.code === 'ENOSPC') return false;
    throw error;
  }
}

async function query(url, text) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 60_000 });
  client.on('error', () => {}); // the statement tells
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}
