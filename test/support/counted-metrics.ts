import type { Metrics } from '../../src/application/metrics/metrics.js';

/** What was counted and how often observed, by `name` and, where it has labels, ` label=value`. */
export function createCountedMetrics(): Metrics & { readonly counted: Record<string, number> } {
  const counted: Record<string, number> = {};
  const add = (name: string, labels: Readonly<Record<string, string>>, by: number) => {
    const series = [name, ...Object.entries(labels).map(([label, value]) => `${label}=${value}`)].join(' ');
    counted[series] = (counted[series] ?? 0) + by;
  };
  return {
    counted,
    count: (name, labels, by = 1) => add(name, labels, by),
    observe: (name, labels) => add(name, labels, 1),
  };
}
