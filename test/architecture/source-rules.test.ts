// Real: Biome with the project's configuration, and the source files as they stand. Violations are planted in
// a folder of the test's own.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'source-rules-'));
  cpSync('biome.json', join(folder, 'biome.json'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function lint(path: string, text: string): { code: number | null; output: string } {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
  const biome = resolve('node_modules/@biomejs/biome/bin/biome');
  const { status, stdout, stderr } = spawnSync(process.execPath, [biome, 'lint', path], {
    cwd: folder,
    encoding: 'utf8',
  });
  return { code: status, output: stdout + stderr };
}

describe('the environment', () => {
  it.each([
    'export const url = process.env.DATABASE_URL;\n',
    "import { env } from 'node:process';\n\nexport const url = env.DATABASE_URL;\n",
  ])('is read by src/infrastructure/config only: %j is refused elsewhere', (text) => {
    for (const path of ['src/main/planted.ts', 'workflows/planted.ts', 'activities/planted.ts']) {
      expect(lint(path, text)).toMatchObject({ code: 1, output: expect.stringContaining('noProcessEnv') });
    }
    expect(lint('src/infrastructure/config/planted.ts', text)).toMatchObject({ code: 0 });
  });
});

describe('the domain', () => {
  const CLOCK_OR_RANDOM = /\b(Date\.now|new Date\(\)|Math\.random|performance\.|setTimeout|setInterval|crypto\b)/;

  it('has no clock and no random of its own: a workflow that runs it again gets the same answer', () => {
    const files = readdirSync('src/domain', { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.ts'),
    );
    expect(files.length).toBeGreaterThan(0);
    const guilty = files.filter((path) => CLOCK_OR_RANDOM.test(withoutComments(join('src/domain', path))));
    expect(guilty).toEqual([]);
  });
});

function withoutComments(path: string): string {
  return readFileSync(path, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
}
