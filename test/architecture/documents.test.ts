// Real: every Markdown file of the project as it stands, and the program of the command line, built and not run.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { jest } from '@jest/globals';
import { Command } from 'commander';
import { SETTING_KEYS, variableOf } from '../../src/infrastructure/config/settings.js';

const FOLDERS = ['.', 'docs', 'examples', 'test', 'deploy'];
const SKIPPED = /(^|\/)(node_modules|test-results|dist|generated)\//;

const paths = [
  ...readdirSync('.').filter((name) => name.endsWith('.md')),
  ...FOLDERS.slice(1)
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))),
].filter((path) => path.endsWith('.md') && !SKIPPED.test(path));
const documents = new Map(paths.map((path) => [path, readFileSync(path, 'utf8')]));

describe('links', () => {
  it.each(paths)('%s: every relative link and its anchor lead somewhere', (path) => {
    const prose = withoutBlocks(textOf(path));
    const links = [...prose.matchAll(/\]\(([^()\s]+)(?: "[^"]*")?\)/g)].map(([, target = '']) => target);
    const broken = links.filter((target) => !/^[a-z]+:/.test(target)).filter((target) => !leads(path, target));
    expect(broken).toEqual([]);
  });

  it('every document that is named in plain words is there', () => {
    const missing = paths.flatMap((path) =>
      [...textOf(path).matchAll(/(?<![\w/.-])docs\/[\w/-]+\.md\b/g)]
        .map(([name]) => name)
        .filter((name) => !existsSync(name))
        .map((name) => `${path}: ${name}`),
    );
    expect(missing).toEqual([]);
  });
});

it('every test that is named exists', () => {
  const named = /(?<![\w./-])(?:e2e|integration|unit|workflows|contract|browser|architecture)\/[a-z0-9-]+(?=[`:,;])/g;
  const missing = paths.flatMap((path) =>
    [...textOf(path).matchAll(named)]
      .map(([name]) => name)
      .filter((name) => !['.test', '.contract', ''].some((kind) => existsSync(`test/${name}${kind}.ts`)))
      .map((name) => `${path}: ${name}`),
  );
  expect(missing).toEqual([]);
});

it('every setting that is named exists', () => {
  const known = new Set([...SETTING_KEYS.map(variableOf), ...ofTheTests()]);
  const unknown = paths.flatMap((path) =>
    [...textOf(path).matchAll(/(?<![A-Za-z_])(?:OUTBOX|AUDIT)_[A-Z][A-Z_]*(?![A-Za-z_…])/g)]
      .map(([name]) => name)
      .filter((name) => !name.endsWith('_') && !known.has(name))
      .map((name) => `${path}: ${name}`),
  );
  expect(unknown).toEqual([]);
});

describe('commands', () => {
  let program: Command;
  beforeAll(async () => {
    // The module builds the program and parses; here it is caught between the two.
    const parse = jest.spyOn(Command.prototype, 'parseAsync').mockImplementation(async function (this: Command) {
      program = this;
      return this;
    });
    await import('../../src/cli/program.js');
    parse.mockRestore();
  });

  it('every `outbox …` that is written exists, with its options', () => {
    const wrong: string[] = [];
    let seen = 0;
    for (const path of paths) {
      for (const words of commandsOf(textOf(path))) {
        seen += 1;
        const problem = problemOf(program, words);
        if (problem !== null) wrong.push(`${path}: outbox ${words.join(' ')}: ${problem}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(300);
  });
});

/** What tests and their set-up read from the environment, for test/README.md. */
function ofTheTests(): string[] {
  const sources = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((path) => /\.m?[jt]s$/.test(path));
  const reads = sources.flatMap((path) => [
    ...readFileSync(join('test', path), 'utf8').matchAll(/process\.env(?:\.|\[')((?:OUTBOX|AUDIT)_\w+)/g),
  ]);
  return reads.map(([, name = '']) => name);
}

function textOf(path: string): string {
  return documents.get(path) ?? readFileSync(path, 'utf8');
}

/** Blocks of code, and code in a line: what looks like a link there is none. */
function withoutBlocks(text: string): string {
  return text.replaceAll(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, '').replaceAll(/`[^`\n]*`/g, '`');
}

function leads(from: string, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : normalize(join(dirname(from), decodeURIComponent(file)));
  if (!existsSync(path)) return false;
  return anchor === undefined || !path.endsWith('.md') || anchorsOf(textOf(path)).has(anchor);
}

/** As GitHub makes them of headings; the second of the same gets `-1`. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const headings = text.replaceAll(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, '').matchAll(/^#{1,6} +(.+?) *#*$/gm);
  for (const [, heading = ''] of headings) {
    const slug = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-');
    let anchor = slug;
    for (let n = 1; anchors.has(anchor); n++) anchor = `${slug}-${n}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** The words after `outbox` of every command, in lines of shell blocks and in code within a line. */
function commandsOf(text: string): string[][] {
  const blocks = [...text.matchAll(/^( *)```(?:sh|bash)\n([\s\S]*?)^\1```/gm)].map(([, , code = '']) =>
    code.replaceAll(/\\\n/g, ' '),
  );
  const inline = [...text.replaceAll(/^( *)```[\s\S]*?^\1```/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    ([, code = '']) => code,
  );
  const lines = blocks.flatMap((code) => code.split('\n')).map((line) => line.replaceAll(/'[^']*'/g, 'TEXT'));
  return [...lines, ...inline].flatMap((line) =>
    [...line.matchAll(/(?:^|(?<! -n)[\s(;]|\.bin\/)outbox +(?=[a-z-])([^|;&<>)`]*)/g)]
      .filter(({ index }) => !/(^|\s)#/.test(line.slice(0, index + 1)))
      .map(([, rest = '']) => rest.replace(/\s#.*$/, '').trim())
      .map((rest) =>
        rest
          .replaceAll(/"[^"]*"|'[^']*'/g, 'TEXT')
          .split(/\s+/)
          .filter((word) => word !== ''),
      ),
  );
}

/** What of it the command line does not have, or null. */
function problemOf(program: Command, words: readonly string[]): string | null {
  let command = program;
  for (const word of words.map((each) => each.replace(/[,.]$/, ''))) {
    if (word.startsWith('--')) {
      const name = word.split('=')[0] as string;
      const has = ['--help', '--version'].includes(name) || command.options.some(({ long }) => long === name);
      if (!has) return `no option ${name}`;
      continue;
    }
    const next = command.commands.find((each) => each.name() === word);
    if (next !== undefined) command = next;
    else if (command.commands.length > 0 && /^[a-z][a-z-]*$/.test(word) && word !== 'help') return `no command ${word}`;
  }
  return null;
}
