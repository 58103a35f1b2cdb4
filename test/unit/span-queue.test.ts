// What the queue of spans takes, and what is said of those that it does not take. Real: the SDK's queue and its spans. Fake: the
// exporter, the clock.
import { BasicTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { createLostSpans } from '../../src/infrastructure/tracing/lost-spans.js';
import { createSpanQueue } from '../../src/infrastructure/tracing/span-queue.js';

function open(most: number) {
  const lines: { message: string; lostSpans: number }[] = [];
  const say = (fields: object, message: string) => void lines.push({ message, ...(fields as { lostSpans: number }) });
  const clock = { ms: 0 };
  const log = { debug: say, info: say, warn: say, error: say };
  const lost = createLostSpans(log, () => clock.ms);
  const posts: { readonly spans: number; answer(): void }[] = [];
  const exporter: SpanExporter = {
    export: (spans, told) => void posts.push({ spans: spans.length, answer: () => told({ code: 0 }) }),
    shutdown: async () => {},
  };
  const queue = createSpanQueue({ exporter, queue: { most, batch: 5, everyMs: 600_000 }, timeoutMs: 60_000, lost });
  const provider = new BasicTracerProvider({ spanProcessors: [queue] });
  const make = (spans: number) => {
    for (let n = 0; n < spans; n += 1) provider.getTracer('test').startSpan('work').end();
  };
  return { lines, clock, lost, posts, queue, make };
}

it('a collector that hangs fills the queue: each span after that is counted, and told at once and then once a minute', async () => {
  const { lines, clock, lost, posts, queue, make } = open(10);
  make(5); // sent at once, and not answered
  make(10); // wait
  expect([posts.map(({ spans }) => spans), queue.unsent(), lines]).toEqual([[5], 15, []]);
  make(800);
  expect(lines).toEqual([{ message: 'tracing.queue_full', lostSpans: 1 }]);
  clock.ms = 60_000;
  make(1);
  expect(lines.slice(1)).toEqual([{ message: 'tracing.queue_full', lostSpans: 800 }]);
  make(3);
  // What is left is told with the next span that finds a place, a minute later.
  posts[0]?.answer();
  await new Promise(setImmediate);
  expect(posts.map(({ spans }) => spans)).toEqual([5, 5]);
  clock.ms = 120_000;
  make(1);
  expect(lines.slice(2)).toEqual([{ message: 'tracing.queue_full', lostSpans: 3 }]);
  lost.stopped(queue.unsent());
  expect(lines.slice(3)).toEqual([{ message: 'tracing.lost_at_stop', lostSpans: 11 }]);
  const all = 5 + 10 + 800 + 1 + 3 + 1;
  expect(5 + lines.reduce((sum, { lostSpans }) => sum + lostSpans, 0)).toBe(all);
  for (let n = 0; n < posts.length; n += 1) {
    posts[n]?.answer(); // each keeps a timer of the SDK until then
    await new Promise(setImmediate);
  }
});

it('a stop that sends all that waits loses none, and says nothing', async () => {
  const { lines, lost, posts, queue, make } = open(10);
  make(7);
  const stopped = queue.shutdown();
  make(1); // nobody takes it any more
  for (let n = 0; n < posts.length || n < 2; n += 1) {
    await new Promise(setImmediate);
    posts[n]?.answer();
  }
  await stopped;
  lost.stopped(queue.unsent());
  expect([posts.map(({ spans }) => spans), queue.unsent(), lines]).toEqual([[5, 2], 0, []]);
});

it('what fails after the stop was told as unsent, and is not told again', () => {
  const { lines, lost } = open(10);
  lost.exportFailed(4, new Error('ECONNREFUSED'));
  lost.exportFailed(3, undefined);
  lost.stopped(5);
  lost.exportFailed(5, undefined);
  lost.exportWorks();
  expect(lines).toMatchObject([
    { message: 'tracing.export_failed', lostSpans: 4, reason: 'ECONNREFUSED' },
    { message: 'tracing.lost_at_stop', lostSpans: 8 },
  ]);
});
