import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url));

/** Whether there is a Python that schemathesis runs on; else why not. */
export function lookForPython() {
  const { status, stdout } = spawnSync('python3', ['-c', 'import sys; print(sys.version_info >= (3, 10))'], {
    encoding: 'utf8',
  });
  if (status !== 0) return 'python3 is missing: install Python 3.10 or newer to fuzz the api';
  return stdout.trim() === 'True' ? null : 'python3 is too old: install Python 3.10 or newer to fuzz the api';
}

/**
 * schemathesis of requirements.txt in a folder of its own, made anew when that file changed. What to spawn for it.
 * @returns {Promise<{ command: string, env: Record<string, string> }>}
 */
export async function installSchemathesis(folder, note) {
  const wanted = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex');
  const marker = join(folder, 'installed');
  const packages = join(folder, 'packages');
  const venv = join(folder, 'venv');
  if ((await readFile(marker, 'utf8').catch(() => '')) !== wanted) {
    note('installing schemathesis (once)');
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    // Some systems ship Python without what makes a venv; pip alone is enough then.
    if (run('python3', ['-m', 'venv', venv]).status === 0) {
      must(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS]);
    } else {
      await rm(venv, { recursive: true, force: true });
      must('python3', ['-m', 'pip', 'install', '--quiet', '--target', packages, '-r', REQUIREMENTS]);
    }
    await writeFile(marker, wanted);
  }
  return existsSync(venv)
    ? { command: join(venv, 'bin', 'python'), env: {} }
    : { command: 'python3', env: { PYTHONPATH: packages } };
}

function run(command, args) {
  return spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, PIP_DISABLE_PIP_VERSION_CHECK: '1', PIP_ROOT_USER_ACTION: 'ignore' },
  });
}

function must(command, args) {
  const { status, stderr, error } = run(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr.slice(-2_000)}`);
}
