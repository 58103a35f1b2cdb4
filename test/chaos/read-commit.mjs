import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const TIMEOUT_MS = 10_000;

/** Of the checkout that runs; undefined: it is none, or there is no git. What is changed beside it is said. */
export async function readCommit() {
  const git = async (...words) => (await run('git', words, { cwd: CHECKOUT, timeout: TIMEOUT_MS })).stdout.trim();
  try {
    const [commit, changed] = await Promise.all([
      git('rev-parse', '--short=10', 'HEAD'),
      git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'workflows', 'activities', 'prisma', 'test'),
    ]);
    return changed === '' ? commit : `${commit}, with changes`;
  } catch {
    return undefined;
  }
}
