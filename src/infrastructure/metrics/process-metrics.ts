/**
 * The metrics of one process: what is counted as it happens, what is read when somebody asks, and Node's own, as one text in
 * Prometheus' format. Nothing is done between two scrapes but counting.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { METRIC_NAMES, type MetricName, type MetricRole, metricOf } from '../../application/metrics/metric-table.js';
import { type MetricSample, type Metrics, sampleOf } from '../../application/metrics/metrics.js';
import { boundLabels } from './bound-labels.js';
import type { MetricSource } from './metric-source.js';

export interface ProcessMetricsOptions {
  readonly roles: readonly MetricRole[];
  readonly version: string;
  /** A label of every series: several outboxes may share a Prometheus. */
  readonly deployment: string;
  /** Those that the configuration names. */
  readonly eventTypes?: readonly string[];
  /** Read by every scrape, without waiting: what the process itself knows. */
  readonly readOwn: () => readonly MetricSample[];
}

export interface ProcessMetrics {
  readonly metrics: Metrics;
  /** From now on each scrape reads it, too. */
  addSource(source: MetricSource): void;
  /** Never rejects because of a source, and takes no longer than the slowest one's deadline. */
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** From a claim's milliseconds to an event that waited for two hours. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200];
/** Gauges that are named like counters, which Prometheus' own check refuses. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export function createProcessMetrics(options: ProcessMetricsOptions): ProcessMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ deployment: options.deployment });
  collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const bounds = new Map<MetricName, ReturnType<typeof boundLabels>>();
  const bound = (name: MetricName, labels: Readonly<Record<string, string>>) => {
    const found = bounds.get(name) ?? boundLabels();
    bounds.set(name, found);
    return found(labels);
  };
  const counters = new Map<MetricName, Counter>();
  const histograms = new Map<MetricName, Histogram>();
  /** Also of a role that was not thought of: better than not counted. */
  const counterOf = (name: MetricName) => {
    const found = counters.get(name) ?? new Counter(describe(name, registry));
    counters.set(name, found);
    return found;
  };
  const histogramOf = (name: MetricName) => {
    const found = histograms.get(name) ?? new Histogram({ ...describe(name, registry), buckets: BUCKETS });
    histograms.set(name, found);
    return found;
  };
  for (const name of METRIC_NAMES) {
    const { from, type, roles, labels, values: given = [] } = metricOf(name);
    const values = given === 'event_types' ? (options.eventTypes ?? []) : given;
    if (from !== 'process' || !roles.some((role) => options.roles.includes(role))) continue;
    if (type === 'histogram') histogramOf(name);
    else if (labels.length === 0) counterOf(name).inc(0);
    else for (const value of values) counterOf(name).inc(bound(name, { [labels[0] as string]: value }), 0);
    if (type === 'counter') counterOf(name);
  }

  const sources: MetricSource[] = [];
  let rendering: Promise<string> | null = null;

  async function renderOnce(): Promise<string> {
    const answers = await Promise.all(sources.map(async (source) => ({ source, ...(await source.read()) })));
    const { roles, version, deployment } = options;
    const samples = [
      ...answers.flatMap((answer) => answer.samples),
      ...options.readOwn(),
      ...answers.flatMap(({ source: { name: source }, up, parts }) => [
        ...(up === null ? [] : [sampleOf('outbox_source_up', { source }, up ? 1 : 0)]),
        ...parts.map((part) => sampleOf('outbox_source_part_up', { source, part: part.name }, part.up ? 1 : 0)),
      ]),
      ...roles.map((role) => sampleOf('outbox_build_info', { version, role, deployment }, 1)),
    ];
    const texts = answers.map(({ text }) => text);
    const values = readValues(samples, bound);
    values.setDefaultLabels({ deployment });
    const parts = [await registry.metrics(), await values.metrics(), ...texts];
    return parts
      .map((part) => part.trimEnd())
      .filter((part) => part !== '')
      .join('\n')
      .concat('\n');
  }

  return {
    metrics: {
      count: (name, labels, by = 1) => counterOf(name).inc(bound(name, labels), by),
      observe: (name, labels, seconds) => histogramOf(name).observe(bound(name, labels), Math.max(0, seconds)),
    },
    addSource: (source) => void sources.push(source),
    async render() {
      rendering ??= renderOnce().finally(() => {
        rendering = null;
      });
      return { contentType: registry.contentType, body: await rendering };
    },
  };
}

function describe(name: MetricName, registry: Registry) {
  const { help, labels } = metricOf(name);
  return { name, help, labelNames: [...labels], registers: [registry] };
}

/** A registry of its own for each scrape: what was not read this time is not there. Values of one series are added up. */
function readValues(
  samples: readonly MetricSample[],
  bound: (name: MetricName, labels: Readonly<Record<string, string>>) => Record<string, string>,
): Registry {
  const registry = new Registry();
  const made = new Map<MetricName, Counter | Gauge>();
  for (const { name, labels, value } of samples) {
    const described = describe(name, registry);
    const found = made.get(name) ?? (metricOf(name).type === 'counter' ? new Counter(described) : new Gauge(described));
    made.set(name, found);
    found.inc(bound(name, labels), value);
  }
  return registry;
}
