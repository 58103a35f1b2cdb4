// What is promised of /metrics. Real: the table, the registry, the sources, docs/metrics.md. Fake: what a source looks at, and
// its clock.
import { readdirSync, readFileSync } from 'node:fs';
import type { Holder } from '../../src/application/delivery/doctor/judge-snapshots.js';
import { METRIC_NAMES, metricOf } from '../../src/application/metrics/metric-table.js';
import { type MetricSample, sampleOf } from '../../src/application/metrics/metrics.js';
import { auditGauges, type OutboxGaugeDeps, outboxGauges } from '../../src/application/metrics/read-gauges.js';
import { createSource, type MetricSource, type SourceOptions } from '../../src/infrastructure/metrics/metric-source.js';
import { createProcessMetrics } from '../../src/infrastructure/metrics/process-metrics.js';
import { mergeBlocks } from '../../src/infrastructure/temporal/sdk-metrics.js';
import { readSeries, readValue } from '../support/scrape.js';

const root = new URL('../../', import.meta.url);
const silent = { info() {}, warn() {} };
const never = new Promise<never>(() => {});
const due = (value: number) => [sampleOf('outbox_oldest_due_age_seconds', {}, value)];
const answers = async () => undefined;
const fails = async () => {
  throw new Error('no right to it');
};

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
  const open = (roles: readonly ('api' | 'relay' | 'worker')[], eventTypes: readonly string[] = []) =>
    createProcessMetrics({ roles, version: '1.2.3', deployment: 'main', eventTypes, readOwn: () => [] });

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
    const read = Array.from({ length: 150 }, (_, n) =>
      sampleOf('outbox_due_events', { destination: 'd', event_type: `T${n}` }, 2),
    );
    const parts = [{ name: 'due', read: async () => read }];
    addSource(createSource({ name: 'outbox_database', reach: answers, parts, log: silent }));
    const { body } = await render();
    expect(readSeries(body).filter(({ name }) => name === 'outbox_due_events')).toHaveLength(101);
    expect(readValue(body, 'outbox_due_events', { event_type: 'other' })).toBe(100);
  });

  it('begins at 0 what its roles may count, and leaves out what others do', async () => {
    const { body } = await open(['api']).render();
    expect(readValue(body, 'audit_ingest_records_total', { outcome: 'refused' })).toBe(0);
    expect(readValue(body, 'outbox_overtaken_events_total')).toBeNull();
    expect(readValue((await open(['relay']).render()).body, 'outbox_fenced_writes_total', { write: 'mark' })).toBe(0);
    const worker = (await open(['worker'], ['ORDER']).render()).body;
    expect(readValue(worker, 'outbox_failed_attempts_total', { code: 'DELIVERY.ATTEMPT_LOST' })).toBe(0);
    expect(readValue(worker, 'outbox_delivered_events_total', { event_type: 'ORDER' })).toBe(0);
  });

  it('says nothing of what could not be read, and that it could not', async () => {
    const { addSource, render } = open(['worker']);
    const parts = [{ name: 'backlog', read: async () => due(1) }];
    addSource(createSource({ name: 'outbox_database', reach: fails, parts, log: silent }));
    const { body } = await render();
    expect(body).not.toContain('outbox_oldest_due_age_seconds');
    expect(body).not.toContain('outbox_source_part_up');
    expect(readValue(body, 'outbox_source_up', { source: 'outbox_database' })).toBe(0);
  });

  it('tells which part could not be read, and of a source that nobody has asked yet nothing', async () => {
    const { addSource, render } = open(['worker']);
    const parts = [
      { name: 'books', read: fails },
      { name: 'backlog', read: async () => due(1) },
    ];
    addSource(createSource({ name: 'outbox_database', reach: answers, parts, log: silent }));
    addSource(createSource({ name: 'temporal', reach: async () => ({ unknown: true }), log: silent }));
    const { body } = await render();
    const part = (name: string) => readValue(body, 'outbox_source_part_up', { source: 'outbox_database', part: name });
    expect([part('books'), part('backlog')]).toEqual([0, 1]);
    expect(readValue(body, 'outbox_source_up', { source: 'outbox_database' })).toBe(1);
    expect(readValue(body, 'outbox_source_up', { source: 'temporal' })).toBeNull();
  });

  it('puts the deployment on every series', async () => {
    const { metrics, addSource, render } = open(['relay', 'worker', 'api']);
    metrics.count('outbox_delivered_events_total', { event_type: 'T' });
    metrics.observe('outbox_claim_duration_seconds', {}, 1);
    const parts = [{ name: 'backlog', read: async () => due(1) }];
    addSource(createSource({ name: 'outbox_database', reach: answers, parts, log: silent }));
    const series = readSeries((await render()).body);
    expect(series.length).toBeGreaterThan(50);
    expect(series.filter(({ labels }) => labels.deployment !== 'main')).toEqual([]);
  });

  it('escapes what a label holds', async () => {
    const { metrics, render } = open(['worker']);
    metrics.count('outbox_delivered_events_total', { event_type: 'a"b\\c\nd' });
    expect((await render()).body).toContain('event_type="a\\"b\\\\c\\nd"');
  });
});

describe('a source', () => {
  const open = (more: Partial<SourceOptions>): MetricSource =>
    createSource({ name: 'outbox_database', reach: answers, log: silent, ...more });
  const backlog = (read: () => Promise<readonly MetricSample[]>) => ({ name: 'backlog', read });

  it('is looked at once for all who ask at the same time, and not again for three seconds', async () => {
    let looks = 0;
    let now = 0;
    const source = open({
      parts: [
        backlog(async () => {
          looks += 1;
          return due(looks);
        }),
      ],
      now: () => now,
    });
    await Promise.all([source.read(), source.read()]);
    now = 2_999;
    expect(await source.read()).toMatchObject({ up: true, samples: due(1) });
    expect(looks).toBe(1);
    now = 3_000;
    expect(await source.read()).toMatchObject({ samples: due(2) });
  });

  it('that does not answer is away, and no second look begins', async () => {
    let looks = 0;
    const reach = () => {
      looks += 1;
      return never;
    };
    const source = open({ reach, parts: [backlog(async () => due(7))], withinMs: 1 });
    for (let n = 0; n < 3; n += 1) expect(await source.read()).toEqual({ up: false, parts: [], samples: [], text: '' });
    expect(looks).toBe(1);
  });

  it('a part that hangs takes itself along alone, and the others are told until they are thirty seconds old', async () => {
    let now = 0;
    const parts = [backlog(async () => due(7)), { name: 'books', read: () => never }];
    const source = open({ parts, now: () => now, withinMs: 1 });
    const told = [
      { name: 'backlog', up: true },
      { name: 'books', up: false },
    ];
    expect(await source.read()).toEqual({ up: true, parts: told, samples: due(7), text: '' });
    now = 30_000;
    expect(await source.read()).toMatchObject({ up: true, samples: due(7) });
    now = 30_001;
    expect(await source.read()).toMatchObject({ up: false, samples: [] });
  });

  it('a part that came too late for one is told to the next, and not once it has failed', async () => {
    let [now, reads] = [0, 0];
    const late = Promise.withResolvers<readonly MetricSample[]>();
    const ended = Promise.withResolvers<void>();
    const parts = [
      backlog(async () => {
        reads += 1;
        return reads === 1 ? late.promise : fails();
      }),
      {
        name: 'books',
        read: async () => {
          ended.resolve();
          return [];
        },
      },
    ];
    const source = open({ parts, now: () => now, withinMs: 1 });
    expect(await source.read()).toMatchObject({ up: true, samples: [] });
    late.resolve(due(4));
    await ended.promise;
    expect(await source.read()).toMatchObject({ samples: due(4) });
    now = 15_000;
    expect(await source.read()).toMatchObject({ up: true, samples: [], parts: [{ up: false }, { up: true }] });
  });

  it('that fails is told as down, and in the log once, until it is well again; so is each part', async () => {
    let [now, away] = [0, true];
    const lines: string[] = [];
    const line = (_: object, message: string) => void lines.push(message);
    const read = async () => (away ? fails() : undefined);
    const log = { info: line, warn: line };
    const source = createSource({ name: 'temporal', reach: read, log, now: () => now });
    const reader = open({ parts: [backlog(async () => (await read()) ?? [])], log, now: () => now });
    const ups: (boolean | null)[] = [];
    for (const one of [source, reader]) {
      for (const is of [true, true, false, true]) {
        away = is;
        ups.push((await one.read()).up);
        now += 10_000;
      }
    }
    expect(ups).toEqual([false, false, true, false, true, true, true, true]);
    expect(lines).toEqual([
      ...['metrics.source_away', 'metrics.source_back', 'metrics.source_away'],
      ...['metrics.part_failed', 'metrics.part_back', 'metrics.part_failed'],
    ]);
  });
});

describe('what is read', () => {
  const outbox = (more: Partial<OutboxGaugeDeps>) =>
    outboxGauges({
      gauges: { countDue: fails, countLetters: fails, readOldestLetter: fails, readTables: fails },
      overview: { measureBacklog: fails, countBooks: fails },
      ...{ destinations: { list: fails }, countOverdue: fails, readHolders: fails, readRetentionLag: fails },
      ...more,
    });
  const valuesOf = async (parts: ReturnType<typeof outbox>, name: string) => {
    const samples = (await parts.find((part) => part.name === name)?.read()) ?? [];
    return Object.fromEntries(samples.map((sample) => [sample.name, sample.value]));
  };
  const session = { kind: 'session', pid: 1, user: 'u', database: 'd', application: '', behind: 5 } as const;
  const idle = { ...session, backend: 'client backend', state: 'idle in transaction', seconds: 40 };
  const hidden = { ...session, backend: null, state: null, seconds: null, behind: 1_000 };
  const held = (...holders: readonly Holder[]) => valuesOf(outbox({ readHolders: async () => holders }), 'snapshots');

  it('of snapshots is the oldest, and how far the furthest lies behind', async () => {
    expect(await held()).toEqual({ outbox_held_snapshot_seconds: 0, outbox_held_snapshot_transactions: 0 });
    const slot = { kind: 'slot', name: 's', active: false, behind: 9_000 } as const;
    expect(await held(idle, { ...slot, holdsRows: true }, { ...slot, holdsRows: false, behind: 9_999 })).toEqual({
      outbox_held_snapshot_seconds: 40,
      outbox_held_snapshot_transactions: 9_000,
    });
  });

  it('of snapshots is no age where one may not be looked at, unless one that may be is old by itself', async () => {
    expect(await held(idle, hidden)).toEqual({ outbox_held_snapshot_transactions: 1_000 });
    expect(await held({ ...idle, seconds: 300 }, hidden)).toMatchObject({ outbox_held_snapshot_seconds: 300 });
    expect(await held(idle, { ...hidden, behind: 999 })).toMatchObject({ outbox_held_snapshot_seconds: 40 });
  });

  it('of books that nobody ever looked at is how late they are, and no time of a look', async () => {
    const books = { hours: 0, withGaps: 0, oldestGap: null, checkedAt: null, waitsFor: null };
    const late = (lateSince: string | null) =>
      valuesOf(
        outbox({ overview: { measureBacklog: fails, countBooks: async () => ({ ...books, lateSince }) } }),
        'books',
      );
    expect(await late(null)).toEqual({ outbox_unbalanced_books: 0, outbox_books_late_seconds: 0 });
    expect((await late('2026-01-01T00:00:00.000Z')).outbox_books_late_seconds).toBeGreaterThan(86_400);
  });

  it('of a log that was never verified is for how long, once something is sealed', async () => {
    const never = { latest: null, done: null, brokenPart: null, waitingSeconds: null };
    const unverified = (unverifiedSeconds: number | null) =>
      auditGauges({
        gauges: { readTables: fails },
        status: fails,
        verifications: { readLatest: async () => ({ ...never, unverifiedSeconds }) },
      })
        .find(({ name }) => name === 'verification')
        ?.read();
    expect(await unverified(null)).toEqual([]);
    expect(await unverified(90)).toEqual([sampleOf('audit_unverified_seconds', {}, 90)]);
  });

  it('tell how long nothing was signed, that a checkpoint covers more than there is, and nothing of a log that never was', async () => {
    const unsigned = async (size: number, covered: number | null, oldestSeconds: number | null) => {
      const checkpoint = { branch: 1, ageSeconds: 5, anchor: null, signed: null };
      const parts = auditGauges({
        gauges: { readTables: fails },
        status: async () => ({
          size,
          unsealed: { count: 0, countedUpTo: 10_000, oldestSeconds: null },
          checkpoint: covered === null ? null : { ...checkpoint, size: covered },
          unsigned: { oldestSeconds, late: false },
          everAnchored: false,
          heldBy: null,
        }),
        verifications: { readLatest: fails },
      });
      const { audit_unsigned_seconds: seconds, audit_unsigned_records: records } = await valuesOf(parts, 'sealing');
      return [seconds, records];
    };
    expect(await unsigned(50, 30, 700)).toEqual([700, 20]);
    expect(await unsigned(50, 50, null)).toEqual([0, 0]);
    expect(await unsigned(20, 50, null)).toEqual([0, -30]);
    expect(await unsigned(50, null, 700)).toEqual([undefined, undefined]);
  });
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
