// Builds the monitor's page into dist/monitor, and beside each of its files the same compressed by brotli and gzip, so
// that the api compresses nothing while it answers. Fails where the first view's script is larger than it may be.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { build, type Manifest } from 'vite';
import config from './vite.config.ts';

/** Of the entry and the overview with all that they import, by brotli. The page promises 200 kB. */
const FIRST_VIEW_BYTES = 190_000;
const FIRST_VIEW = ['index.html', 'views/overview/overview-view.tsx'];
const COMPRESSED = /\.(js|css|svg)$/;

const folder = fileURLToPath(new URL('../dist/monitor/', import.meta.url));
const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

await build({ ...config, configFile: false });
const manifest = JSON.parse(await readFile(`${folder}.vite/manifest.json`, 'utf8')) as Manifest;
const sizes = await compressAll();
const first = sum(filesOf(FIRST_VIEW));
const all = sum([...sizes.keys()]);
console.log(`Monitor, by brotli: ${toKb(first)} of script for the first view, ${toKb(all)} in all`);
for (const [file, bytes] of sizes) console.log(`  ${toKb(bytes).padStart(10)}  ${file}`);
if (first > FIRST_VIEW_BYTES) {
  console.error(`Expected at most ${toKb(FIRST_VIEW_BYTES)} for the first view: load later what it does not show`);
  process.exitCode = 1;
}

/** By file, how large it is by brotli. */
async function compressAll(): Promise<ReadonlyMap<string, number>> {
  const entries = await readdir(folder, { recursive: true, encoding: 'utf8' });
  const files = entries.map((entry) => entry.replaceAll('\\', '/')).filter((entry) => COMPRESSED.test(entry));
  const compressed = new Map<string, number>();
  for (const file of files.sort()) {
    const bytes = await readFile(`${folder}${file}`);
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
    const [br, gz] = await Promise.all([toBrotli(bytes, { params }), toGzip(bytes, { level: 9 })]);
    await writeFile(`${folder}${file}.br`, br);
    await writeFile(`${folder}${file}.gz`, gz);
    compressed.set(file, br.length);
  }
  return compressed;
}

/** The scripts that a browser loads for these entries before it shows them. */
function filesOf(entries: readonly string[]): readonly string[] {
  const keys = new Set(entries);
  // What is added on the way is come to, too.
  for (const key of keys) {
    const chunk = manifest[key];
    if (chunk === undefined) throw new Error(`Expected ${key} in the manifest: ${Object.keys(manifest).join(', ')}`);
    for (const imported of chunk.imports ?? []) keys.add(imported);
  }
  const files = [...keys].map((key) => (manifest[key] as Manifest[string]).file);
  return [...new Set(files)].filter((file) => file.endsWith('.js'));
}

function sum(files: readonly string[]): number {
  return files.reduce((total, file) => total + (sizes.get(file) ?? 0), 0);
}

function toKb(bytes: number): string {
  return `${(bytes / 1_000).toFixed(1)} kB`;
}
