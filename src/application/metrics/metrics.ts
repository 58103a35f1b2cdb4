import type { METRICS, MetricName } from './metric-table.js';

type Table = typeof METRICS;
type Counted<Type extends string> = {
  [Name in MetricName]: Table[Name] extends { readonly type: Type; readonly from: 'process' } ? Name : never;
}[MetricName];

export type LabelsOf<Name extends MetricName> = Readonly<Record<Table[Name]['labels'][number], string>>;

/** What happens is counted here as it happens. Never throws, and costs next to nothing. */
export interface Metrics {
  count<Name extends Counted<'counter'>>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  observe<Name extends Counted<'histogram'>>(name: Name, labels: LabelsOf<Name>, seconds: number): void;
}

/** Where nobody scrapes: commands, tests, the in-memory outbox. */
export const NO_METRICS: Metrics = { count: () => {}, observe: () => {} };

/** A value that was read when somebody asked. */
export interface MetricSample {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** `labels` as the table has them. */
export function sampleOf<Name extends MetricName>(name: Name, labels: LabelsOf<Name>, value: number): MetricSample {
  return { name, labels, value };
}
