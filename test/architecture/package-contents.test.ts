// Real: `npm pack`, dry, without its scripts. What dist/ holds depends on the last build, so it is not looked at here.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

describe('the package', () => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const packed = files.map(({ path }) => path);

  it('R31: carries every migration of both databases', () => {
    const migrations = ['outbox', 'audit'].flatMap((target) =>
      readdirSync(`prisma/${target}/migrations`, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.sql'))
        .map((path) => `prisma/${target}/migrations/${path}`),
    );
    expect(migrations.length).toBeGreaterThanOrEqual(2);
    expect(packed).toEqual(expect.arrayContaining(migrations));
  });

  it('carries the alert rules, their tests, the dashboard and the pages that they lead to', () => {
    const needed = ['deploy/prometheus', 'deploy/grafana', 'docs/alerts'].flatMap((folder) =>
      readdirSync(folder).map((name) => `${folder}/${name}`),
    );
    expect(needed.length).toBeGreaterThanOrEqual(30);
    expect(packed).toEqual(expect.arrayContaining(needed));
  });

  it('carries nothing that only we need', () => {
    const shipped =
      /^(dist\/|\.env\.example$|deploy\/[\w./-]+$|docs\/[\w./-]+\.md$|examples\/(producers\/[\w.-]+|sample-cloudtrail\.ndjson)$|prisma\/(outbox|audit)\/migrations\/|(CHANGELOG|README|CONTRIBUTING|SECURITY)\.md$|LICENSE$|package\.json$)/;
    expect(packed.filter((path) => !shipped.test(path))).toEqual([]);
  });
});
