// What is promised of /metrics. Real: the table, the registry, the sources, docs/metrics.md. Fake: what a source looks at, and
// its clock.
import { readdirSync, readFileSync } from 'node:fs';
import { METRIC_NAMES, metricOf } from '../../src/application/metrics/metric-table.js';
import { type MetricSample, sampleOf } from '../../src/application/metrics/metrics.js';
import { readOutboxGauges } from '../../src/application/metrics/read-gauges.js';
import { createSource, type Look, type MetricSource } from '../../src/infrastructure/metrics/metric-source.js';
import { createProcessMetrics } from '../../src/infrastructure/metrics/process-metrics.js';
import { mergeBlocks } from '../../src/infrastructure/temporal/sdk-metrics.js';
import { readSeries, readValue } from '../support/scrape.js';

const root = new URL('../../', import.meta.url);
const silent = { info() {}, warn() {} };
const never = new Promise<never>(() => {});
const due = (value: number) => [sampleOf('outbox_oldest_due_age_seconds', {}, value)];

describe('the table', () => {
  it('is what docs/metrics.md tells, row for row, and nothing else', () => {
    const told = readFileSync(new URL('docs/metrics.md', root), 'utf8')
      .split('\n')
      .filter((line) => /^\| `(outbox|audit)_/.test(line));
    const expected = METRIC_NAMES.map((name) => {
      const { type, labels, help, roles } = metricOf(name);
      const named = labels.length === 0 ? 'none' : labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${named} | ${help} | ${roles.join(', ')} |`;
    });
    expect(told.sort()).toEqual(expected.sort());
  });

  it('has no metric that no code outside of it names', () => {
    const sources = ['src', 'activities']
      .flatMap((folder) =>
        readdirSync(new URL(folder, root), { recursive: true }).map((name) => new URL(`${folder}/${name}`, root)),
      )
      .filter(({ pathname }) => pathname.endsWith('.ts') && !pathname.endsWith('metric-table.ts'))
      .map((path) => readFileSync(path, 'utf8'))
      .join('\n');
    expect(METRIC_NAMES.filter((name) => !sources.includes(`'${name}'`))).toEqual([]);
  });

  it.each(METRIC_NAMES)('%s is named as Prometheus wants it', (name) => {
    const { type, help } = metricOf(name);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
    expect(help).toMatch(/\.$/);
  });
});

describe('a process', () => {
  const open = (roles: readonly ('api' | 'relay' | 'worker')[]) =>
    createProcessMetrics({ roles, version: '1.2.3', deployment: 'main', readOwn: () => [] });

  it('tells of the 101st value of a label and all after it as `other`, and loses none', async () => {
    const { metrics, render } = open(['worker']);
    for (let n = 0; n < 150; n += 1) metrics.count('outbox_delivered_events_total', { event_type: `T${n}` });
    metrics.count('outbox_delivered_events_total', { event_type: 'T1' });
    const { body } = await render();
    const series = readSeries(body).filter(({ name }) => name === 'outbox_delivered_events_total');
    expect(series).toHaveLength(101);
    expect(readValue(body, 'outbox_delivered_events_total')).toBe(151);
    expect(readValue(body, 'outbox_delivered_events_total', { event_type: 'other' })).toBe(50);
    expect(readValue(body, 'outbox_delivered_events_total', { event_type: 'T1' })).toBe(2);
  });

  it('bounds what it reads as it does what it counts', async () => {
    const { addSource, render } = open(['worker']);
    const read = Array.from({ length: 150 }, (_, n) => sampleOf('outbox_due_events', { event_type: `T${n}` }, 2));
    addSource(createSource({ name: 'outbox_database', look: async (tell) => tell(read), log: silent }));
    const { body } = await render();
    expect(readSeries(body).filter(({ name }) => name === 'outbox_due_events')).toHaveLength(101);
    expect(readValue(body, 'outbox_due_events', { event_type: 'other' })).toBe(100);
  });

  it('begins at 0 what its roles may count, and leaves out what others do', async () => {
    const { body } = await open(['api']).render();
    expect(readValue(body, 'audit_ingest_records_total', { outcome: 'refused' })).toBe(0);
    expect(readValue(body, 'outbox_overtaken_events_total')).toBeNull();
    expect(readValue((await open(['relay']).render()).body, 'outbox_fenced_writes_total', { write: 'mark' })).toBe(0);
  });

  it('says nothing of what could not be read, and that it could not', async () => {
    const { addSource, render } = open(['worker']);
    const look: Look = async () => {
      throw new Error('away');
    };
    addSource(createSource({ name: 'outbox_database', look, log: silent }));
    const { body } = await render();
    expect(body).not.toContain('outbox_oldest_due_age_seconds');
    expect(readValue(body, 'outbox_source_up', { source: 'outbox_database' })).toBe(0);
  });

  it('escapes what a label holds', async () => {
    const { metrics, render } = open(['worker']);
    metrics.count('outbox_delivered_events_total', { event_type: 'a"b\\c\nd' });
    expect((await render()).body).toContain('{event_type="a\\"b\\\\c\\nd"} 1');
  });
});

describe('a source', () => {
  const open = (look: Look, more: { now?: () => number; withinMs?: number } = {}): MetricSource =>
    createSource({ name: 'outbox_database', look, log: silent, ...more });

  it('is looked at once for all who ask at the same time, and not again for three seconds', async () => {
    let looks = 0;
    let now = 0;
    const source = open(
      async (tell) => {
        looks += 1;
        tell(due(looks));
      },
      { now: () => now },
    );
    await Promise.all([source.read(), source.read()]);
    now = 2_999;
    expect(await source.read()).toMatchObject({ up: true, samples: due(1) });
    expect(looks).toBe(1);
    now = 3_000;
    expect(await source.read()).toMatchObject({ samples: due(2) });
  });

  it('that hangs answers what it has told so far, and no second look begins', async () => {
    let looks = 0;
    const source = open(
      async (tell) => {
        looks += 1;
        tell(due(7));
        await never;
      },
      { withinMs: 1 },
    );
    for (let n = 0; n < 3; n += 1) expect(await source.read()).toMatchObject({ up: false, samples: due(7) });
    expect(looks).toBe(1);
  });

  it('that fails is told as down, and in the log once, until it is well again', async () => {
    let [now, away] = [0, true];
    const lines: string[] = [];
    const line = (_: object, message: string) => void lines.push(message);
    const look: Look = async () => {
      if (away) throw new Error('away');
    };
    const source = createSource({
      name: 'temporal',
      look,
      log: { info: line, warn: line },
      now: () => now,
    });
    const ups: boolean[] = [];
    for (const is of [true, true, false, true]) {
      away = is;
      ups.push((await source.read()).up);
      now += 10_000;
    }
    expect(ups).toEqual([false, false, true, false]);
    expect(lines).toEqual(['metrics.source_away', 'metrics.source_back', 'metrics.source_away']);
  });
});

it('a part that fails takes no other along, but the look is not whole', async () => {
  const told: MetricSample[] = [];
  const fails = async () => {
    throw new Error('no right to it');
  };
  const look = readOutboxGauges({
    gauges: { countDue: fails, countLetters: fails, readOldestLetter: async () => 5, readTables: fails },
    overview: { measureBacklog: async () => ({ events: 1, lagSeconds: 3 }), countBooks: fails },
    destinations: { list: fails },
    readHolders: fails,
    readRetentionLag: fails,
  });
  await expect(look((samples) => void told.push(...samples))).rejects.toThrow('no right to it');
  expect(told.map(({ name, value }) => [name, value])).toEqual([
    ['outbox_oldest_due_age_seconds', 3],
    ['outbox_oldest_open_dead_letter_age_seconds', 5],
  ]);
});

it("the SDK's blocks of one metric become one, as Prometheus wants it, and nothing that is not the SDK's comes along", () => {
  const text = `# HELP temporal_a_total Of a.
# TYPE temporal_a_total counter
temporal_a_total{x="1"} 1
# HELP temporal_request Calls.
# TYPE temporal_request counter
temporal_request{operation="temporal_request"} 4
# HELP other_total Not ours.
# TYPE other_total counter
other_total 1
# TYPE temporal_b gauge
temporal_b 2
# HELP temporal_a_total Of a, again.
# TYPE temporal_a_total counter
temporal_a_total{x="2"} 3
# EOF
`;
  expect(mergeBlocks(text)).toBe(`# HELP temporal_a_total Of a.
# TYPE temporal_a_total counter
temporal_a_total{x="1"} 1
temporal_a_total{x="2"} 3
# HELP temporal_request_total Calls.
# TYPE temporal_request_total counter
temporal_request_total{operation="temporal_request"} 4
# HELP temporal_b Of Temporal's SDK.
# TYPE temporal_b gauge
temporal_b 2
`);
});
