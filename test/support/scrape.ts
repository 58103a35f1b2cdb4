/** What a process tells on /metrics, as a test looks at it. */
import { spawnSync } from 'node:child_process';
import type { MetricName } from '../../src/application/metrics/metric-table.js';
import { eventually } from './eventually.js';
import { findPromtool } from './find-promtool.js';

export interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export async function scrape(port: number | null): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  if (answer.status !== 200) throw new Error(`expected 200 from /metrics, got ${answer.status}`);
  return answer.text();
}

/** A histogram's count stands for it. */
export function readSeries(text: string): Series[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]);
    return [{ name, labels: Object.fromEntries(pairs), value: Number(value) }];
  });
}

/** The sum over what has these labels; null: there is no such series. */
export function readValue(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number | null {
  const found = readSeries(text).filter(
    (one) =>
      (one.name === name || one.name === `${name}_count`) &&
      Object.entries(labels).every(([key, value]) => one.labels[key] === value),
  );
  return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0);
}

/** Asks these processes until one of them says so, and notes which metric it was. */
export function watchMetrics(ports: () => readonly (number | null)[]) {
  const moved = new Set<MetricName>();
  return {
    moved,
    async until(
      name: MetricName,
      labels: Readonly<Record<string, string>>,
      expected: (value: number | null) => boolean,
    ): Promise<void> {
      await eventually(
        `${name}${JSON.stringify(labels)} as told`,
        async () => {
          for (const port of ports()) if (expected(readValue(await scrape(port), name, labels))) return true;
          return false;
        },
        30_000,
      );
      moved.add(name);
    },
  };
}

/** What promtool has to say of a scrape; empty: nothing. */
export async function checkWithPromtool(text: string): Promise<string> {
  const promtool = await findPromtool({ note: (line) => process.stderr.write(`${line}\n`) });
  const { status, stdout, stderr } = spawnSync(promtool, ['check', 'metrics'], { input: text, encoding: 'utf8' });
  return status === 0 ? '' : `exit ${status}\n${stdout}${stderr}`;
}
