// Real: the rules as they stand, read and evaluated by promtool. Fake: the series in promtool's own test files.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { findPromtool } from '../support/find-promtool.js';
import { metricsOf } from '../support/metrics-of.js';
import { PATIENCE } from '../support/patience.js';

const run = promisify(execFile);

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}
interface Case {
  readonly promql_expr_test?: readonly { readonly expr: string; readonly exp_samples: readonly unknown[] }[];
}
const RULES = 'deploy/prometheus/alerts.yml';
const CASES = ['deploy/prometheus/alerts.test.yml', 'deploy/prometheus/alerts.days.test.yml'];
/** Only bounds what is broken. */
const EVALUATED_WITHIN_MS = 120_000 * PATIENCE;
const text = (path: string) => readFileSync(path, 'utf8');

const rules = (parse(text(RULES)) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const alerts = rules.filter((rule): rule is Rule & { alert: string } => rule.alert !== undefined);
const names = alerts.map(({ alert }) => alert);

let promtool: string;
beforeAll(async () => {
  promtool = await findPromtool();
}, 30 * 60_000);

/** What promtool says of it; '' where all is well. */
async function refused(...args: string[]): Promise<string> {
  return run(promtool, args, { timeout: EVALUATED_WITHIN_MS }).then(
    () => '',
    (error: { stdout: string; stderr: string }) => error.stdout + error.stderr || String(error),
  );
}

describe('the alerts', () => {
  it('are rules that promtool reads', async () => {
    expect(await refused('check', 'rules', RULES)).toBe('');
  });

  it(
    'fire when they should and stay quiet when they should, as promtool evaluates them',
    async () => {
      expect(await refused('test', 'rules', ...CASES)).toBe('');
    },
    EVALUATED_WITHIN_MS,
  );

  it('have each a case in which it fires and one in which it does not', () => {
    const seen = CASES.flatMap((path) => (parse(text(path)) as { tests: Case[] }).tests)
      .flatMap(({ promql_expr_test: tests = [] }) => tests)
      .map(({ expr, exp_samples }) => ({ alert: /alertname="(\w+)"/.exec(expr)?.[1], fires: exp_samples.length > 0 }));
    const lacking = (fires: boolean) =>
      names.filter((name) => !seen.some((one) => one.alert === name && one.fires === fires));
    expect({ fires: lacking(true), quiet: lacking(false) }).toEqual({ fires: [], quiet: [] });
  });

  it.each(alerts)('$alert says how bad it is, what it is and where its page stands', ({ alert, ...rule }) => {
    expect(['critical', 'warning', 'info']).toContain(rule.labels?.severity);
    expect(Object.keys(rule.annotations ?? {}).sort()).toEqual(['description', 'runbook_url', 'summary']);
    expect(rule.annotations?.runbook_url).toBe(`docs/alerts/${alert}.md`);
    const used = Object.values(rule.annotations ?? {}).flatMap((words) =>
      [...words.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label),
    );
    // A label that the expression does not keep would be empty in every alert.
    for (const label of used) expect(rule.expr).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b|deployment:outbox`));
  });
});

describe('docs/alerts', () => {
  it('has a page for each alert and none for anything else', () => {
    const pages = readdirSync('docs/alerts').filter((name) => name !== 'README.md');
    expect(pages.sort()).toEqual(names.map((name) => `${name}.md`).sort());
  });

  it.each(alerts)(
    '$alert.md says how bad it is, what is at stake, how to look, what to do and when to silence',
    (rule) => {
      const page = text(`docs/alerts/${rule.alert}.md`);
      expect(page.startsWith(`# ${rule.alert}\n\n**${rule.labels?.severity}** · `)).toBe(true);
      expect(page.match(/^## .*$/gm)).toEqual(['## Look', '## Do', '## Silence']);
      expect(page).toMatch(/lost|No event is concerned|a loss|removed/);
    },
  );

  it('are listed in its README with their severity, in the order of the rules', () => {
    const listed = [...text('docs/alerts/README.md').matchAll(/^\| \[(\w+)\]\((\w+)\.md\) \| (\w+) \|/gm)];
    expect(listed.map(([, name, page, severity]) => [name, page, severity])).toEqual(
      alerts.map(({ alert, labels }) => [alert, alert, labels?.severity]),
    );
  });
});

describe('the metrics that are asked for', () => {
  /** Of the names those that the first column of docs/metrics.md does not have. */
  function unknown(names: readonly string[]): string[] {
    const rows = text('docs/metrics.md')
      .split('\n')
      .filter((line) => line.startsWith('|'));
    const known = rows.flatMap((row) => (row.split('|')[1] ?? '').match(/\b(outbox|audit)_\w+/g) ?? []);
    return names.filter((name) => !known.includes(name) && !known.includes(name.replace(/_(bucket|sum|count)$/, '')));
  }

  it('are in docs/metrics.md, but for the series that a rule records', () => {
    const recorded = rules.flatMap(({ record }) => record ?? []);
    const asked = rules.flatMap(({ expr }) => metricsOf(expr)).filter((name) => !recorded.includes(name));
    expect(asked.length).toBeGreaterThan(20);
    expect(unknown(asked)).toEqual([]);
  });

  it('are there in the dashboard, too, beside those of the Temporal SDK', () => {
    const dashboard = JSON.parse(text('deploy/grafana/temporal-outbox.json')) as {
      panels: { targets?: { expr: string }[] }[];
    };
    const asked = dashboard.panels
      .flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => metricsOf(expr)))
      .filter((name) => !name.startsWith('temporal_'));
    expect(asked.length).toBeGreaterThan(30);
    expect(unknown(asked)).toEqual([]);
  });
});
