/**
 * Finds the Chromium that the browser tests and the screenshots drive, in this order: the path in TEST_CHROMIUM,
 * `chromium`, `chromium-browser` or `google-chrome` on PATH, where macOS has it, and under root on a Debian the package of
 * that name, which is installed. Tests of a page without a browser prove nothing, so without one it fails.
 */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { installPackage, lastLine } from './install-package.mjs';

const run = promisify(execFile);

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const ON_MACOS = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const ANSWERS_WITHIN_MS = 30_000;

/**
 * The path of a Chromium that tells its version. `note` is told before what takes long. Throws one Error that names every way
 * that was tried.
 */
export async function findChromium({ environment = process.env, note = () => {} } = {}) {
  const named = environment.TEST_CHROMIUM;
  if (named !== undefined) {
    // Named on purpose: falling back to another one would hide the mistake.
    const why = await whyNot(named);
    if (why === null) return named;
    throw notFound([`TEST_CHROMIUM: ${named} ${why}`]);
  }
  const tried = ['TEST_CHROMIUM: not set'];
  const found = await findOnPath(environment, tried);
  if (found !== null) return found;
  if (process.platform === 'darwin') {
    for (const path of ON_MACOS) {
      const why = await whyNot(path);
      if (why === null) return path;
      tried.push(`${path} ${why}`);
    }
  }
  const why = await installPackage('chromium', { environment, note });
  if (why === null) {
    const installed = await findOnPath(environment, tried);
    if (installed !== null) return installed;
    tried.push('apt-get: the package chromium was installed, and runs no browser');
  } else {
    tried.push(`apt-get: ${why}`);
  }
  throw notFound(tried);
}

async function findOnPath(environment, tried) {
  const folders = (environment.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const refused = [];
  for (const name of NAMES) {
    for (const folder of folders) {
      const path = join(folder, name);
      if (!(await isExecutable(path))) continue;
      const why = await whyNot(path);
      if (why === null) return path;
      refused.push(`${path} ${why}`);
    }
  }
  tried.push(refused.length > 0 ? `PATH: ${refused.join('; ')}` : `PATH: no ${NAMES.join(', no ')} in it`);
  return null;
}

/** null: it is one. Some systems have a script of that name which only says where to get it. */
async function whyNot(path) {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: ANSWERS_WITHIN_MS });
    return /\b(Chromium|Chrome)\b.*\d/.test(stdout) ? null : 'tells no version';
  } catch (error) {
    return `does not run: ${lastLine(error)}`;
  }
}

async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false, // the next folder of PATH
  );
}

function notFound(tried) {
  return new Error(
    `no Chromium for the browser tests. Install one (Debian: apt-get install chromium), or name it with TEST_CHROMIUM.\n${tried.map((way) => `  ${way}`).join('\n')}`,
  );
}
