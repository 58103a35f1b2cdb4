// The page as it was built, by its files alone: how much script the first view waits for, and that nothing in it would be
// stopped by its Content-Security-Policy. Real: dist/monitor. Nothing is fake.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';

const folder = 'dist/monitor';
const read = (path: string) => readFileSync(join(folder, path));
const textOf = (path: string) => read(path).toString('utf8');

interface Chunk {
  readonly file: string;
  readonly isEntry?: boolean;
  readonly imports?: readonly string[];
  readonly dynamicImports?: readonly string[];
  readonly css?: readonly string[];
  readonly assets?: readonly string[];
}
const manifest = JSON.parse(textOf('.vite/manifest.json')) as Record<string, Chunk>;
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) =>
    join(entry.parentPath, entry.name)
      .slice(folder.length + 1)
      .replaceAll('\\', '/'),
  );
const scripts = files.filter((path) => path.endsWith('.js'));
const shell = textOf('index.html');

const OVERVIEW = 'views/overview/overview-view.tsx';
/** What the issue promises. */
const FIRST_VIEW_BYTES = 200_000;

/** The scripts that a browser has to have for these, in the order of the manifest. */
function scriptsOf(...entries: readonly string[]): readonly string[] {
  const keys = new Set(entries);
  // What is added on the way is come to, too.
  for (const name of keys) for (const imported of manifest[name]?.imports ?? []) keys.add(imported);
  return [...new Set([...keys].map((name) => manifest[name]?.file ?? ''))].filter((file) => file.endsWith('.js'));
}

it('the first view waits for less than 200 kB of script', () => {
  const first = scriptsOf('index.html', OVERVIEW);
  expect(manifest[OVERVIEW]).toMatchObject({ isDynamicEntry: true });
  const bytes = first.map((file) => brotliCompressSync(read(file)).length);
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(FIRST_VIEW_BYTES);
  // And for no other view's.
  expect(first.filter((file) => /\/(events|letters|audit|policies|sign-in)-/.test(file))).toEqual([]);
});

it('each other view is a script of its own, loaded when it is looked at', () => {
  const entry = scriptsOf('index.html');
  for (const view of [
    'events/events-routes',
    'dead-letters/letters-routes',
    'audit/audit-routes',
    'policies/policies-view',
    'sign-in/sign-in-view',
  ]) {
    const { file, isEntry } = manifest[`views/${view}.tsx`] ?? {};
    expect([view, file, isEntry]).toEqual([view, expect.stringMatching(/\.js$/), undefined]);
    expect(entry).not.toContain(file);
  }
});

it('the shell has nothing inline, and refers to this server alone', () => {
  expect(shell.match(/<script\b[^>]*>/g)?.filter((tag) => !/\ssrc="\/monitor\/assets\/[\w.-]+"/.test(tag))).toEqual([]);
  expect(shell).not.toMatch(/<script\b[^>]*>\s*[^<\s]/);
  expect(shell).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:|data:/i);
  const addresses = [...shell.matchAll(/\s(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
  expect(addresses.length).toBeGreaterThan(2);
  for (const address of addresses) expect(address).toMatch(/^\/monitor\/assets\/[\w.-]+$/);
});

it('nothing is written into a data: address, and nothing comes from elsewhere', () => {
  const foreign = [...scripts, ...files.filter((path) => path.endsWith('.css'))].flatMap((path) => {
    const text = textOf(path);
    const urls = [...text.matchAll(/\b(?:https?|wss?|blob):\/\/[^\s"'`)\\<>]*/g)].map(([url]) => url);
    const loads = [...text.matchAll(/(?:url\(|@import)\s*["']?([^"')\s]+)/g)].map(([, url = '']) => url);
    return [
      ...urls.filter((url) => !KNOWN_NAMES.test(url)).map((url) => `${path}: ${url}`),
      ...loads.filter((url) => !/^(\/monitor\/|#)/.test(url)).map((url) => `${path}: ${url}`),
      ...(/["'`(]data:/.test(text) ? [`${path}: data:`] : []),
    ];
  });
  expect(foreign).toEqual([]);
});
/** Names of XML vocabularies, and what React and Mantine say in their errors: no browser asks for them. */
const KNOWN_NAMES = /^http:\/\/www\.w3\.org\/|^https:\/\/(react\.dev\/errors|mantine\.dev\/theming)\//;

it('every file is in the manifest, or is the shell, or one of them compressed', () => {
  const named = new Set(
    Object.values(manifest).flatMap(({ file, css = [], assets = [] }) => [file, ...css, ...assets]),
  );
  const known = (path: string) => named.has(path) || path === 'index.html' || path === '.vite/manifest.json';
  expect(files.filter((path) => !known(path.replace(/\.(br|gz)$/, '')))).toEqual([]);
  expect([...named].filter((path) => !files.includes(path))).toEqual([]);
  for (const path of scripts) expect(files).toEqual(expect.arrayContaining([`${path}.br`, `${path}.gz`]));
});

it('brings no schemas along, and no maps', () => {
  expect(files.filter((path) => path.endsWith('.map'))).toEqual([]);
  for (const path of scripts) {
    // Names that zod keeps whatever it is minified by.
    expect([path, /ZodError|\$ZodType|_zod\b/.test(textOf(path))]).toEqual([path, false]);
    expect([path, /sourceMappingURL|eval\(|new Function\(/.test(textOf(path))]).toEqual([path, false]);
  }
});
