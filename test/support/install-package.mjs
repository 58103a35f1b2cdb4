/** Debian's packages that tests need and a machine may lack: where they run as root, the set-up installs them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALLED_WITHIN_MS = 5 * 60_000;

/** Why it could not be installed; null: it was. Once, and within a bound: a test command that hangs is of no use to anybody. */
export async function installPackage(name, { environment: { PATH }, note }) {
  if (process.platform !== 'linux') return 'only on Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  note(`no ${name} found: installing it with apt-get (a minute or two, once)`);
  const until = Date.now() + INSTALLED_WITHIN_MS;
  const env = { PATH, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) =>
    run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], {
      env,
      timeout: Math.max(1_000, until - Date.now()),
      maxBuffer: 32 * 1024 * 1024,
    });
  try {
    await apt('update');
    await apt('install', '-y', '--no-install-recommends', name);
    return null;
  } catch (error) {
    return lastLine(error);
  }
}

export function lastLine(error) {
  if (error.killed === true) return 'it took too long';
  const lines = `${error.message}\n${error.stderr ?? ''}`.split('\n').filter((line) => line.trim() !== '');
  return lines.at(-1)?.trim() ?? 'no reason was given';
}
