/**
 * Finds the PgBouncer that the tests of poolers start, in this order: the path in TEST_PGBOUNCER, `pgbouncer` on PATH or in
 * /usr/sbin, and under root on a Debian the package of that name, which is installed. Without one it fails.
 */
import { execFile } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { installPackage } from './install-package.mjs';

const run = promisify(execFile);
const ANSWERS_WITHIN_MS = 10_000;

/** Its path. `note` is told before what takes long. */
export async function findPgBouncer({ environment = process.env, note = () => {} } = {}) {
  const named = environment.TEST_PGBOUNCER;
  if (named !== undefined) {
    if (await isOne(named)) return named;
    throw new Error(`TEST_PGBOUNCER: ${named} is no PgBouncer`);
  }
  const found = await look(environment);
  if (found !== null) return found;
  const why = await installPackage('pgbouncer', { environment, note });
  const installed = why === null ? await look(environment) : null;
  if (installed !== null) return installed;
  const reason = why ?? 'it was installed, and does not run';
  throw new Error(
    `no PgBouncer for the tests of poolers. Install one (Debian: apt-get install pgbouncer), or name it with TEST_PGBOUNCER.\n  apt-get: ${reason}`,
  );
}

async function look({ PATH = '' }) {
  const folders = [...PATH.split(delimiter).filter((folder) => folder !== ''), '/usr/sbin'];
  for (const folder of folders) {
    const path = join(folder, 'pgbouncer');
    if (await isOne(path)) return path;
  }
  return null;
}

async function isOne(path) {
  return run(path, ['--version'], { timeout: ANSWERS_WITHIN_MS }).then(
    ({ stdout }) => /^PgBouncer \d/.test(stdout),
    () => false, // the next folder
  );
}
