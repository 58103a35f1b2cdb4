/**
 * Rows of the fault table that one run can show, named by their row: what a destination answers, and what
 * eight relays start. Real: the workflow, activities, dispatcher, handlers, HTTP client, PostgreSQL and Temporal.
 * Fake: the destination, an HTTP server that answers each event by its script.
 */
import type { ServerResponse } from 'node:http';
import { createDispatcher } from '../../src/application/delivery/dispatcher.js';
import { httpHandler } from '../../src/application/delivery/handlers/http-handler.js';
import { RETRY_AFTER_BOUNDS } from '../../src/domain/delivery/policy.js';
import { createHttpClient } from '../../src/infrastructure/http/create-http-client.js';
import {
  createDeliveryLine,
  createDeliveryStore,
  type DeliveryLine,
  type DeliveryStore,
  PLACES,
  silentLog,
} from '../support/delivery-line.js';
import { eventually } from '../support/eventually.js';
import { type RecordingServer, startRecordingServer } from '../support/recording-server.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';

type Answer = (response: ServerResponse) => void;

let store: DeliveryStore;
let line: DeliveryLine;
let destination: ScriptedDestination;
let elsewhere: RecordingServer;
const http = createHttpClient();
const scripts = new Map<string, Answer>();

beforeAll(async () => {
  store = await createDeliveryStore();
  destination = await startScriptedDestination();
  destination.answer((request, response) => (scripts.get(request.key) ?? (() => accept(request, response)))(response));
  elsewhere = await startRecordingServer();
  const handlers = [httpHandler({ routingKey: 'test.destination', url: destination.url })];
  line = await createDeliveryLine({
    store,
    dispatcher: createDispatcher({ handlers, http, log: silentLog, places: PLACES }),
  });
});
afterAll(async () => {
  await line?.stop();
  await http.close();
  await elsewhere?.close();
  await destination?.close();
  await store?.close();
});

/** Its run under way. */
async function send(answer: Answer): Promise<string> {
  const id = await store.append();
  scripts.set(id, answer);
  await line.start(id);
  return id;
}
const requests = (id: string) => destination.seen.filter(({ key }) => key === id).length;
async function letterOf(id: string) {
  await expect(line.run(id).result()).rejects.toThrow();
  const letters = await store.letters(id);
  expect(letters).toHaveLength(1);
  return letters[0] as Record<string, unknown>;
}

describe('F20: 429 with a Retry-After', () => {
  const inTenMinutes = new Date(Date.now() + 600_000).toUTCString();
  const { minMs, maxMs } = RETRY_AFTER_BOUNDS;
  /** What the policy of the test says by itself: one millisecond, which also comes after what was asked. */
  const byPolicy = [1, 1] as const;
  it.each([
    ['in seconds', '600', [600_001, 600_001]],
    ['as a date', inTenMinutes, [minMs + 1, 600_001]],
    ['of nothing', '0', [minMs + 1, minMs + 1]],
    ['as a date that is over', 'Sun, 06 Nov 1994 08:49:37 GMT', [minMs + 1, minMs + 1]],
    ['that is huge', '99999999999999999999', [maxMs + 1, maxMs + 1]],
    ['as a date of another century', 'Fri, 31 Dec 2199 23:59:59 GMT', [maxMs + 1, maxMs + 1]],
    ['that is negative', '-5', byPolicy],
    ['of half a second', '0.5', byPolicy],
    ['that is garbage', 'soon; or later', byPolicy],
    ['on the 31st of February', 'Sat, 31 Feb 2126 00:00:00 GMT', byPolicy],
  ] as const)('%s: honoured, clamped or left to the policy', async (_, header, [least, most]) => {
    const id = await send((response) => void response.writeHead(429, { 'retry-after': header }).end());
    const run = line.run(id);
    // Of the first failure, by which the run sleeps: its timer stands in the history before its end.
    const slept = await eventually('the first wait', async () => {
      const { events } = await run.fetchHistory();
      return events?.find(({ timerStartedEventAttributes: timer }) => timer)?.timerStartedEventAttributes;
    });
    const ms = Number(slept.startToFireTimeout?.seconds ?? 0) * 1_000 + (slept.startToFireTimeout?.nanos ?? 0) / 1e6;
    expect(ms).toBeGreaterThanOrEqual(least);
    expect(ms).toBeLessThanOrEqual(most);
    await run.terminate().catch(() => {}); // the ones that do not wait may be over
  });
});

it.each([400, 404, 410, 418, 422, 501, 505])(
  'F21: a final %i: one request, one letter, one notification',
  async (status) => {
    const id = await send((response) => void response.writeHead(status).end('no'));
    expect(await letterOf(id)).toMatchObject({
      code: 'HTTP.CLIENT_ERROR',
      response: { status, body: 'no' },
      retry_count: 1,
      state: 'open',
    });
    expect(requests(id)).toBe(1);
    expect(await store.attemptRows(id)).toEqual([{ n: 1, local: true, code: 'HTTP.CLIENT_ERROR', finished: true }]);
    expect(await store.notifications(id)).toHaveLength(1);
  },
);

describe('F22: an answer that is not the agreed one', () => {
  const JSON_TYPE = { 'content-type': 'application/json' };
  const large = `{"id":"r","more":"${'x'.repeat(10_000_000)}"}`;
  it.each([
    ['an empty 200', 200, {}, ''],
    ['a 204', 204, {}, ''],
    ['HTML', 200, { 'content-type': 'text/html' }, '<html><body>Welcome</body></html>'],
    ['10 MB', 200, JSON_TYPE, large],
    ['broken JSON', 201, JSON_TYPE, '{"id":"r-1"'],
    ['JSON without an id', 200, JSON_TYPE, '{"ok":true}'],
    ['a 202', 202, JSON_TYPE, '{"queued":true}'],
    ['a redirect', 302, 'location', ''],
    ['a redirect that keeps the method', 308, 'location', ''],
    ['a 304', 304, {}, ''],
  ] as const)('%s: final, its effect unknown; the body cut, no redirect followed', async (_, status, given, body) => {
    const headers = given === 'location' ? { location: `${elsewhere.origin}/there` } : given;
    const id = await send((response) => void response.writeHead(status, headers).end(body));
    const letter = await letterOf(id);
    expect(letter).toMatchObject({
      code: 'HTTP.BAD_RESPONSE',
      effect: 'unknown',
      retry_count: 1,
      response: { status },
    });
    expect(Buffer.byteLength(String((letter.response as { body: string }).body))).toBeLessThanOrEqual(4_096);
    expect(requests(id)).toBe(1);
    expect(elsewhere.connections()).toBe(0);
  });
});

it('F24: the same event started by eight relays at once: one run, one request', async () => {
  const relays = await Promise.all(
    Array.from({ length: 8 }, () =>
      createDeliveryLine({
        store,
        dispatcher: { dispatch: async () => 'busy' },
        run: false,
        deployment: line.deployment,
      }),
    ),
  );
  const id = await store.append();
  const answers = await Promise.all(relays.map((relay) => relay.start(id)));
  expect(answers.map(({ kind }) => kind).sort()).toEqual([...Array(7).fill('exists'), 'started']);
  expect(await line.run(id).result()).toEqual({ kind: 'delivered', receiptId: `r-${id}` });
  expect(requests(id)).toBe(1);
  await Promise.all(relays.map((relay) => relay.stop()));
});
