// Real: `npm pack`, dry, without its scripts. What dist/ holds depends on the last build: e2e/package looks at that.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EXPECTED_TOPS, strangersIn, topOf } from '../support/packed-files.js';

function pack(folder = '.'): string[] {
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
  const { stdout } = spawnSync('npm', args, { encoding: 'utf8', cwd: folder });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  return files.map(({ path }) => path);
}

describe('the package', () => {
  const packed = pack();

  it('R31: carries every migration of both databases', () => {
    const migrations = ['outbox', 'audit'].flatMap((target) =>
      readdirSync(`prisma/${target}/migrations`, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.sql'))
        .map((path) => `prisma/${target}/migrations/${path}`),
    );
    expect(migrations.length).toBeGreaterThanOrEqual(2);
    expect(packed).toEqual(expect.arrayContaining(migrations));
  });

  it('carries every document, and each part that it should', () => {
    const documents = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.md'));
    expect(packed).toEqual(expect.arrayContaining(documents.map((path) => `docs/${path}`)));
    const tops = new Set([...packed.map(topOf), 'dist']);
    expect([...tops].sort()).toEqual(EXPECTED_TOPS);
  });

  it('carries the alert rules, their tests, the dashboard and the pages that they lead to', () => {
    const needed = ['deploy/prometheus', 'deploy/grafana', 'docs/alerts'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((name) => /\.\w+$/.test(name))
        .map((name) => `${folder}/${name}`),
    );
    expect(needed.length).toBeGreaterThanOrEqual(30);
    expect(packed).toEqual(expect.arrayContaining(needed));
  });

  it('carries nothing that only we need', () => {
    expect(strangersIn(packed)).toEqual([]);
  });

  it('carries neither secrets nor what is left lying about, wherever in its folders that lies', () => {
    const folder = mkdtempSync(join(tmpdir(), 'package-contents-'));
    try {
      copyFileSync('package.json', join(folder, 'package.json'));
      const planted = ['dist/src/index.js', 'dist/src/index.js.map', 'dist/workflow-bundle.js'];
      planted.push('.env', 'docs/.env', 'docs/running.md', 'docs/images/overview.png', 'examples/producers/tls.key');
      planted.push('docs/server.pem', 'test/a.test.ts', 'config/release.ts', 'src/index.ts', '.npmrc', '.ci/run');
      for (const path of planted) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        writeFileSync(join(folder, path), 'planted');
      }
      expect(pack(folder).sort()).toEqual([
        'dist/src/index.js',
        'dist/workflow-bundle.js',
        'docs/running.md',
        'package.json',
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it.each([
    'test/unit/a.test.ts',
    'dist/src/a.test.js',
    'dist/src/index.js.map',
    'docs/.env',
    'docs/images/overview-light.png',
    'examples/producers/tls.key',
    'src/index.ts',
    'config/release.ts',
    'dist/src/infrastructure/prisma/generated/outbox/client.d.ts',
  ])('the rules would find %s', (path) => {
    expect(strangersIn([path])).toEqual([path]);
  });
});
