/** The journal and the ledger are real files and real HTTP on loopback; nothing is fake. */
import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChaosJournal, readChaosJournal, toJournalEvent } from '../../src/main/chaos/chaos-journal.js';
import { createTraffic } from '../../src/main/chaos/chaos-traffic.js';
import { startLedger } from '../../src/main/chaos/ledger.js';
import { startNotices } from '../../src/main/chaos/notices.js';
import { hashPayload } from '../../src/main/chaos/payload-hash.js';
import { seededRandom } from '../../src/main/dev/seeded-random.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chaos-books-'));
});
afterEach(() => rm(folder, { recursive: true }));

const PLAIN = {
  routingKey: 'chaos.ledger',
  eventName: 'chaos.thing.changed.v1',
  eventType: 'CHAOS',
  tenantId: 'tenant-1',
  aggregate: { type: 'chaos', id: 'a-1' },
  payload: { n: 1, secret: 'canary' },
} as const;
const eventOf = (id: string) => toJournalEvent(id, PLAIN);

describe('the journal of a chaos run', () => {
  test('tells committed, rolled back and in doubt apart', async () => {
    const file = join(folder, 'journal');
    const journal = await openChaosJournal(file);
    const [one, two] = [await journal.intend([eventOf('a'), eventOf('b')]), await journal.intend([eventOf('c')])];
    await journal.intend([eventOf('d')], '77');
    await Promise.all([journal.end(one, 'committed'), journal.end(two, 'rolledBack')]);
    await journal.close();
    const fates = [...(await readChaosJournal(file)).values()].map(({ id, fate }) => `${id} ${fate}`);
    expect(fates.sort()).toEqual(['a committed', 'b committed', 'c rolledBack', 'd inDoubt']);
    expect((await readChaosJournal(file)).get('d')?.xid).toBe('77');
  });

  test('a line that a kill has cut is left out, and the next writer of the file is not harmed by it', async () => {
    const file = join(folder, 'journal');
    const first = await openChaosJournal(file);
    const cut = await first.intend([eventOf('a')]);
    await first.close();
    await appendFile(file, `{"tx":"${cut}","at":1,"kind":"comm`);
    const second = await openChaosJournal(file);
    await second.end(await second.intend([eventOf('b')]), 'committed');
    await second.close();
    const events = await readChaosJournal(file);
    expect([events.get('a')?.fate, events.get('b')?.fate]).toEqual(['inDoubt', 'committed']);
  });

  test('no payload and no secret stands in it', async () => {
    const journal = await openChaosJournal(join(folder, 'journal'));
    await journal.intend([eventOf('a')]);
    await journal.close();
    expect(await readFile(join(folder, 'journal'), 'utf8')).not.toContain('canary');
  });
});

describe('the traffic of a chaos run', () => {
  test('is the same for the same seed', () => {
    const take = (seed: number) => {
      const next = createTraffic({ random: seededRandom(seed), canary: 'c' });
      return Array.from({ length: 50 }, next);
    };
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
  });

  test('versions of a hot aggregate rise by one, within its destination and tenant', () => {
    const next = createTraffic({ random: seededRandom(1), canary: 'c', hotAggregates: 3 });
    const events = Array.from({ length: 2_000 }, next).flatMap(({ events }) => events);
    const lines = Map.groupBy(
      events.filter(({ eventType }) => eventType === 'CHAOS_ORDERED'),
      (event) => `${event.routingKey} ${event.tenantId} ${event.aggregate.id}`,
    );
    expect(lines.size).toBe(6);
    for (const line of lines.values()) {
      expect(line.map(({ aggregate }) => aggregate.version)).toEqual(line.map((_, at) => at + 1));
    }
  });
});

test('a payload that has no canonical form is journalled all the same, and is not held against its record', () => {
  const event = toJournalEvent('x', { ...PLAIN, payload: { n: Number.POSITIVE_INFINITY } });
  expect([event.hash, event.shown]).toEqual(['no canonical form', null]);
});

describe('the ledger', () => {
  const post = (url: string, key: string, payload: object = { n: 1 }) =>
    fetch(url, {
      method: 'POST',
      headers: { 'idempotency-key': key },
      body: JSON.stringify({ id: key, type: 'CHAOS', tenantId: 'tenant-1', payload }),
    });

  test('has one effect of a key, and answers later requests with its receipt', async () => {
    const ledger = await startLedger(join(folder, 'ledger'));
    const answers = await Promise.all(
      [1, 2, 3].map(() => post(ledger.url, 'k1').then((answer) => answer.json() as Promise<{ id: string }>)),
    );
    const found = await fetch(ledger.findUrl.replace('{id}', 'k1'));
    await ledger.close();
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    expect(await found.json()).toEqual(answers[0]);
    expect(ledger.requests.map(({ did }) => did)).toEqual(['effect', 'again', 'again']);
  });

  test('notes an effect whose answer it loses, in its file too, and refuses without one', async () => {
    const ledger = await startLedger(join(folder, 'ledger'));
    ledger.mode(({ key, n }) => (key === 'lost' && n === 1 ? { kind: 'lose' } : { kind: 'status', status: 503 }));
    await expect(post(ledger.url, 'lost')).rejects.toThrow();
    expect((await post(ledger.url, 'refused')).status).toBe(503);
    expect((await fetch(ledger.findUrl.replace('{id}', 'refused'))).status).toBe(404);
    ledger.mode(() => ({ kind: 'odd', status: 202, body: '<html>' }));
    expect(await (await post(ledger.url, 'odd')).text()).toBe('<html>');
    await ledger.close();
    const lines = (await readFile(join(folder, 'ledger'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toEqual(ledger.requests);
    expect(lines.map(({ key, did, status }) => [key, did, status])).toEqual([
      ['lost', 'effect', 201],
      ['refused', 'refused', 503],
      ['odd', 'effect', 202],
    ]);
  });

  test('knows a payload whatever the order of its keys', async () => {
    const ledger = await startLedger(join(folder, 'ledger'));
    await post(ledger.url, 'k', { note: 'x', n: 1 });
    await ledger.close();
    expect(ledger.requests[0]?.payloadHash).toBe(hashPayload({ n: 1, note: 'x' }));
  });
});

test('the notices keep what each channel got and answer as they are told', async () => {
  const notices = await startNotices();
  notices.mode((channel, n) => ({
    status: channel === 'slack' && n === 1 ? 429 : 200,
    headers: { 'retry-after': '1' },
  }));
  const { slackWebhookUrl, webhookUrl, sentryDsn } = notices.at(`127.0.0.1:${notices.port}`);
  const statuses = [];
  for (const url of [slackWebhookUrl, slackWebhookUrl, webhookUrl]) {
    statuses.push((await fetch(url, { method: 'POST', body: 'told' })).status);
  }
  await notices.close();
  expect(statuses).toEqual([429, 200, 200]);
  expect(notices.received.map(({ channel, body }) => `${channel} ${body}`)).toEqual([
    'slack told',
    'slack told',
    'webhook told',
  ]);
  expect(sentryDsn).toMatch(/^http:\/\/chaos@127\.0\.0\.1:\d+\/1$/);
});
