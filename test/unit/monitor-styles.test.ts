/** What the page's styles make of a width, and of light and dark. The browser's tests do not look at each with each. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MONITOR = fileURLToPath(new URL('../../src/monitor', import.meta.url));
const SHEETS = readdirSync(MONITOR, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.css'))
  .map((path) => ({ path, text: readFileSync(`${MONITOR}/${path}`, 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '') }));

/** What stands in braces behind each place that the pattern finds, the braces in it included. */
function blocksOf(text: string, head: RegExp): string[] {
  return Array.from(text.matchAll(head), ({ 0: { length }, index }) => {
    const from = text.indexOf('{', index + length) + 1;
    let depth = 1;
    let to = from;
    for (; depth > 0 && to < text.length; to++) depth += text[to] === '{' ? 1 : text[to] === '}' ? -1 : 0;
    return text.slice(from, to - 1);
  });
}
/** `property: value`, of whatever rule. */
const declarationsOf = (block: string) =>
  Array.from(block.matchAll(/([\w-]+)\s*:\s*([^;{}]+);/g), ([, property, value]) => `${property}: ${value?.trim()}`);

const WIDTH = /@(?:media|container)[^{]*\b(?:width|inline-size)\b/g;
const SCHEME = /\[data-mantine-color-scheme=[^{]*/g;
const schemes = SHEETS.flatMap(({ text }) => blocksOf(text, SCHEME)).flatMap(declarationsOf);
const colours = [
  ...new Set(schemes.map((text) => text.split(':')[0] as string).filter((name) => name.startsWith('--'))),
];
const COLOUR = new RegExp(
  String.raw`#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|color-mix|light-dark)\(|^(?:color|opacity|filter|fill|stroke):|var\((?:${colours.join('|')})\)`,
  'i',
);

it('the page has colours, a light and a dark scheme, and widths that it is laid out for', () => {
  expect(colours).toEqual(expect.arrayContaining(['--page', '--ink', '--ink-2', '--line']));
  expect(SHEETS.flatMap(({ text }) => blocksOf(text, SCHEME))).toHaveLength(2);
  expect(SHEETS.flatMap(({ text }) => blocksOf(text, WIDTH)).length).toBeGreaterThan(3);
});

it('a width changes no colour of what is there: it adds a label of a cell, and a line between two cards', () => {
  const found = SHEETS.flatMap(({ path, text }) =>
    blocksOf(text, WIDTH)
      .flatMap(declarationsOf)
      .filter((declaration) => COLOUR.test(declaration))
      .map((declaration) => [path, declaration]),
  );
  expect(found).toEqual([
    ['parts/data-table.module.css', 'border-bottom: 2px solid var(--line)'],
    ['parts/data-table.module.css', 'color: var(--ink-2)'],
  ]);
});

it('a scheme is colours, and nothing that is laid out', () => {
  expect(
    schemes.filter(
      (text) => !/^(?:color-scheme: (?:light|dark)|--[\w-]+: (?:#[0-9a-f]{3,6}|var\(--[\w-]+\)))$/.test(text),
    ),
  ).toEqual([]);
  expect(
    SHEETS.filter(({ path, text }) => path !== 'theme/variables.css' && /prefers-color-scheme|light-dark\(/.test(text)),
  ).toEqual([]);
});
