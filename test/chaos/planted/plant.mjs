// Puts a bug into a copy of dist/, in a temporary folder that stands in for the package. Nothing of it is ever in src.
import { cp, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUGS } from './bugs.mjs';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** What the built code looks for beside dist/. */
const BESIDE = ['package.json', 'node_modules', 'prisma', 'deploy', 'docs', 'examples', '.env.example'];
/** Two files of three, which no process reads. */
const UNREAD = /\.(d\.m?ts|map)$/;

/**
 * `name` as in bugs.mjs; null copies the build as it is, so that a clean run differs from a planted one in nothing else.
 * The folder is made in `within`. `cli` is the copy's command line, `dist` the folder that stands in for dist/; `remove` takes it all away.
 * @throws Error where the build does not have the text that a replacement looks for exactly once
 */
export async function plant(name, { within = tmpdir() } = {}) {
  const changed = name === null ? new Map() : await changedFiles(bugNamed(name));
  const folder = await realpath(await mkdtemp(join(within, `outbox-planted-${name ?? 'nothing'}-`)));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const dist = join(folder, 'dist');
    await cp(join(ROOT, 'dist'), dist, { recursive: true, filter: (path) => !UNREAD.test(path) });
    for (const beside of BESIDE) await symlink(await realpath(join(ROOT, beside)), join(folder, beside));
    for (const [file, text] of changed) await writeFile(join(dist, file), text);
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

/** The new texts of the files of dist/ that the bug changes, by their names. Throws as `plant` does. */
export async function changedFiles({ replacements }) {
  const texts = new Map();
  for (const { file, find, replace } of replacements) {
    const text = texts.get(file) ?? (await readFile(join(ROOT, 'dist', file), 'utf8'));
    const [before, ...rest] = text.split(find);
    if (rest.length !== 1) {
      const wanted = `expected once in dist/${file}, found ${rest.length} times:\n${find}`;
      throw new Error(`the code moved: mend the planted bug. ${wanted}`);
    }
    texts.set(file, before + replace + rest[0]);
  }
  return texts;
}
