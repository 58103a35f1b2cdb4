// Real: the dashboard as it stands, its expressions read by promtool, the Temporal SDK's own source. Fake: what Grafana
// puts into the variables.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPromtool } from '../support/find-promtool.js';
import { metricsOf } from '../support/metrics-of.js';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}

const dashboard = JSON.parse(readFileSync('deploy/grafana/temporal-outbox.json', 'utf8')) as {
  panels: Panel[];
  templating: { list: { name: string; type: string }[] };
};
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

const folder = mkdtempSync(join(tmpdir(), 'temporal-outbox-dashboard-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('has the rows that a person looks for', () => {
  const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
  const expected = ['Overview', 'Delivery', 'Latency', 'Destinations', 'Dead letters'];
  expect(rows).toEqual([...expected, 'Books and audit', 'Temporal SDK', 'Processes']);
});

it.each(panels)('$title (panel $id) has a unit, a description and the data source of the variable', (panel) => {
  expect(panel.fieldConfig?.defaults.unit).toMatch(/^\w+$/);
  expect(panel.description).toMatch(/^[A-Z0-9].{20,}\.$/);
  expect(panel.targets?.length).toBeGreaterThan(0);
  for (const { uid } of [panel, ...(panel.targets ?? [])].map((one) => one.datasource ?? { uid: 'none' })) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own form of a variable.
    expect(uid).toBe('${datasource}');
  }
});

it('lays no panel over another one', () => {
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)},${y + Math.floor(cell / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
});

it('asks for one deployment by its variable, in every selector of every expression', () => {
  expect(dashboard.templating.list.map(({ name, type }) => `${name}: ${type}`)).toEqual([
    'datasource: datasource',
    'deployment: query',
  ]);
  const selectors = expressions.flatMap((expr) => expr.match(/\b(outbox|audit|temporal)_\w+(\{[^}]*\})?/g) ?? []);
  expect(selectors.filter((selector) => !selector.includes('{deployment=~"$deployment"'))).toEqual([]);
});

it(
  'has only expressions that promtool reads',
  async () => {
    const promtool = await findPromtool();
    const rules = expressions.map((expr, at) => ({
      record: `panel:${at}`,
      expr: expr.replaceAll('$__rate_interval', '5m'),
    }));
    // JSON is YAML.
    const path = join(folder, 'rules.yml');
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
    expect(execFileSync(promtool, ['check', 'rules', path], { encoding: 'utf8' })).toContain(
      `${rules.length} rules found`,
    );
  },
  30 * 60_000,
);

it('knows the metrics of the Temporal SDK by the names that its source gives them', () => {
  const core = 'node_modules/@temporalio/core-bridge/sdk-core/crates';
  const sources = ['client/src/metrics.rs', 'common/src/telemetry/metrics.rs', 'sdk-core/src/telemetry/metrics.rs'];
  const known = sources.flatMap((path) =>
    [...readFileSync(join(core, path), 'utf8').matchAll(/"([a-z_]+)"/g)].map(([, name]) => name),
  );
  const asked = expressions.flatMap(metricsOf).filter((name) => name.startsWith('temporal_'));
  expect(asked.length).toBeGreaterThan(5);
  // Of the SDK's exporter with base units: counters end in _total, histograms in _seconds.
  const bare = (name: string) => name.replace(/^temporal_/, '').replace(/(_total|_seconds_(bucket|sum|count))$/, '');
  expect(asked.filter((name) => !known.includes(bare(name)))).toEqual([]);
});
