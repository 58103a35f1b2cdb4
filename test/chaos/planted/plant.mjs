// Puts a bug into a copy of dist/, in a temporary folder that stands in for the package. Nothing of it is ever in src.
import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUGS } from './bugs.mjs';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** What the built code looks for beside dist/. */
const BESIDE = ['package.json', 'node_modules', 'prisma', 'deploy', 'docs', 'examples', '.env.example'];

/**
 * `name` as in bugs.mjs; null copies the build as it is, so that a clean run differs from a planted one in nothing else.
 * `remove` takes the folder away.
 * @throws Error where the build does not have the text that a replacement looks for exactly once
 */
export async function plant(name) {
  const replacements = name === null ? [] : bugNamed(name).replacements;
  const folder = await realpath(await mkdtemp(join(tmpdir(), `outbox-planted-${name ?? 'nothing'}-`)));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const dist = join(folder, 'dist');
    await cp(join(ROOT, 'dist'), dist, { recursive: true });
    for (const beside of BESIDE) await symlink(await realpath(join(ROOT, beside)), join(folder, beside));
    for (const replacement of replacements) await replace(dist, replacement);
    return { folder, dist, cli: join(dist, 'src/cli/outbox.js'), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

export function bugNamed(name) {
  const bug = BUGS.find((one) => one.name === name);
  if (bug === undefined) throw new Error(`expected the name of a planted bug (--list tells them), got "${name}"`);
  return bug;
}

async function replace(dist, { file, find, replace: by }) {
  const path = join(dist, file);
  const [before, ...rest] = (await readFile(path, 'utf8')).split(find);
  if (rest.length !== 1) {
    const wanted = `expected once in dist/${file}, found ${rest.length} times:\n${find}`;
    throw new Error(`the code moved: mend the planted bug. ${wanted}`);
  }
  await writeFile(path, before + by + rest[0]);
}
