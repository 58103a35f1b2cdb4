/** Pure: the addresses that notices, runs and the monitor link to. Nothing real, nothing fake. */
import fc from 'fast-check';
import { monitorEventUrl, monitorLettersUrl } from '../../src/domain/delivery/monitor-links.js';
import { temporalRunUrl } from '../../src/domain/delivery/temporal-links.js';
import { batchRunId, eventRunId } from '../../src/domain/delivery/workflow-ids.js';

const EVENT = '0197d3a0-0000-7000-8000-000000000001';
const workflowId = eventRunId({ deployment: 'main', eventId: EVENT, epoch: 2 });

describe('a run in the Web UI', () => {
  it.each([
    ['https://temporal.example', 'https://temporal.example'],
    ['https://temporal.example/', 'https://temporal.example'],
    ['https://example.com/ui', 'https://example.com/ui'],
    ['https://example.com/ui//', 'https://example.com/ui'],
    ['https://example.com/ui/?a=/b#c', 'https://example.com/ui'],
  ])('lies below %s', (url, base) => {
    const path = `namespaces/default/workflows/main%3A${EVENT}%3A2`;
    expect(temporalRunUrl({ url, namespace: 'default' }, { workflowId, runId: null })).toBe(`${base}/${path}`);
  });

  it('is the very run where its id is known, of a batch, too', () => {
    const run = { workflowId: batchRunId({ deployment: 'main', id: EVENT }), runId: 'r-1' };
    expect(temporalRunUrl({ url: 'https://t.example', namespace: 'a/b' }, run)).toBe(
      `https://t.example/namespaces/a%2Fb/workflows/main%3Abatch%3A${EVENT}/r-1`,
    );
  });

  it('has no more segments than it names, whatever they hold', () => {
    // A segment of dots alone is a step to every reader of URLs, however it is written: no name of ours is one.
    const name = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => !/^\.{1,2}$/.test(text));
    fc.assert(
      fc.property(name, name, name, (namespace, workflow, runId) => {
        const url = new URL(
          temporalRunUrl({ url: 'https://t.example/ui', namespace }, { workflowId: workflow, runId }),
        );
        expect([url.origin, url.search, url.hash]).toEqual(['https://t.example', '', '']);
        expect(url.pathname.split('/').slice(1).map(decodeURIComponent)).toEqual([
          'ui',
          'namespaces',
          namespace.toWellFormed(),
          'workflows',
          workflow.toWellFormed(),
          runId.toWellFormed(),
        ]);
      }),
    );
  });
});

describe('a page of the monitor', () => {
  it.each(['https://outbox.example/monitor', 'https://outbox.example/monitor/'])('lies below %s', (monitorUrl) => {
    expect(monitorEventUrl(monitorUrl, EVENT)).toBe(`https://outbox.example/monitor/events/${EVENT}`);
    expect(monitorLettersUrl(monitorUrl, { eventType: 'AUTH', code: 'HTTP.TIMEOUT' })).toBe(
      'https://outbox.example/monitor/dead-letters?type=AUTH&code=HTTP.TIMEOUT',
    );
  });

  it('reads back what it was asked for', () => {
    const kind = { eventType: 'A&B=c d#é', code: '?' };
    const { searchParams } = new URL(monitorLettersUrl('https://outbox.example/monitor', kind));
    expect(Object.fromEntries(searchParams)).toEqual({ type: kind.eventType, code: kind.code });
  });
});
