/**
 * What a chaos run believes in: producer, ledger, receivers of notices, and the oracle that reads the books. Real: PostgreSQL,
 * Temporal, HTTP, the roles as processes of the built command line. Answers are lost by a TCP proxy and by the ledger.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readChaosJournal } from '../../src/main/chaos/chaos-journal.js';
import { type RunningProducer, startChaosProducer } from '../../src/main/chaos/chaos-producer.js';
import { createTraffic, ORDERED_TYPE, STRICT_TYPE } from '../../src/main/chaos/chaos-traffic.js';
import { type ChaosComparison, compareChaos } from '../../src/main/chaos/compare-chaos.js';
import { type RunningLedger, startLedger } from '../../src/main/chaos/ledger.js';
import { type RunningNotices, startNotices } from '../../src/main/chaos/notices.js';
import type { ChaosEvent } from '../../src/main/chaos/ports.js';
import { readBooks } from '../../src/main/chaos/read-books.js';
import { seededRandom } from '../../src/main/dev/seeded-random.js';
import { eventually } from '../support/eventually.js';
import { type LosingProxy, startLosingProxy } from '../support/losing-proxy.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';

const EVENTS = 300;
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

let folder: string;
let deployment: TestDeployment;
let proxy: LosingProxy;
let ledger: RunningLedger;
let notices: RunningNotices;
let producer: RunningProducer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chaos-'));
  deployment = await createTestDeployment();
  await deployment.outbox.query(`INSERT INTO outbox.event_type (name, ordering, actor) VALUES ($1, 'skip', 'test')`, [
    ORDERED_TYPE,
  ]);
  const url = new URL(deployment.databases.outboxUrl);
  proxy = await startLosingProxy({ host: url.hostname, port: Number(url.port) });
  ledger = await startLedger(join(folder, 'ledger'));
  notices = await startNotices();
  url.host = `127.0.0.1:${proxy.port}`;
  producer = await startChaosProducer({
    url: url.href,
    journalFile: join(folder, 'journal'),
    traffic: createTraffic({ random: seededRandom(9), canary: 'canary', hotAggregates: 4 }),
  });
});
afterAll(async () => {
  await producer.stop();
  await endLeftoverCli();
  await Promise.all([proxy.close(), ledger.close(), notices.close()]);
  await deployment.drop();
  await rm(folder, { recursive: true, force: true });
});

async function compare(): Promise<ChaosComparison> {
  const journal = await readChaosJournal(producer.journalFile);
  const books = await readBooks(deployment, { source: null });
  return compareChaos({ journal, requests: ledger.requests, books, notices: notices.received });
}

const event = (id: string): ChaosEvent => ({
  routingKey: 'chaos.ledger',
  eventName: 'chaos.thing.changed.v1',
  eventType: 'CHAOS',
  tenantId: 'tenant-1',
  aggregate: { type: 'chaos', id },
  payload: { n: 0, note: id, secret: 'canary' },
});

test('an event whose COMMIT was not answered is in doubt, one whose COMMIT was never sent through is, too', async () => {
  proxy.lose('COMMIT', 1, 'after');
  await expect(producer.append([event('after'), event('after')])).rejects.toThrow('in doubt');
  proxy.lose('COMMIT', 1, 'before');
  await expect(producer.append([event('before')])).rejects.toThrow('in doubt');
  const journal = await readChaosJournal(producer.journalFile);
  expect([...journal.values()].map(({ aggregate, fate }) => `${aggregate} ${fate}`)).toEqual([
    'chaos/after inDoubt',
    'chaos/after inDoubt',
    'chaos/before inDoubt',
  ]);
  expect([producer.committed, producer.inDoubt, producer.refused.get('in doubt')]).toEqual([0, 3, 2]);
  const { inDoubt } = await compare();
  expect(inDoubt).toEqual({ stand: 2, gone: 1 });
});

test('an append whose connection breaks before COMMIT leaves nothing, and says so', async () => {
  proxy.lose('record_events', 1, 'before');
  await expect(producer.append([event('broken')])).rejects.toThrow();
  await producer.append([event('rolled-back')], { rollBack: true });
  const fates = [...(await readChaosJournal(producer.journalFile)).values()].filter(({ fate }) => fate !== 'inDoubt');
  expect(fates.map(({ aggregate, fate }) => `${aggregate} ${fate}`)).toEqual(['chaos/rolled-back rolledBack']);
});

test('what the roles did with lost answers, refusals and outages of the ledger balances, by every account', async () => {
  ledger.mode(({ eventId, eventType, n }) => {
    if (eventType === STRICT_TYPE) return { kind: 'status', status: 422 };
    const kind = Number.parseInt(eventId.slice(-2), 16) % 8;
    if (n === 1 && kind === 0) return { kind: 'lose' };
    if (n === 1 && kind === 1) return { kind: 'status', status: 503 };
    return { kind: 'take' };
  });
  const config = await deployment.configFile(
    `httpHandler({ routingKey: 'chaos.ledger', url: '${ledger.url}', findUrl: '${ledger.findUrl}' })`,
    `notifiers: [webhookNotifier({ url: '${notices.at(`127.0.0.1:${notices.port}`).webhookUrl}', secret: '${WEBHOOK_SECRET}', allowHosts: ['127.0.0.1'] })]`,
  );
  const api = await deployment.start('api');
  const more = { OUTBOX_NOTICE_WINDOW_MS: '100', OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}` };
  const roles = await deployment.start('relay,worker', more, ['--config', config]);
  producer.rate(100);
  await eventually('some are appended', async () => producer.committed >= EVENTS / 3);
  proxy.lose('COMMIT', 3, 'after');
  await eventually('all are appended', async () => producer.committed >= EVENTS, 60_000);
  producer.rate(0);
  const open = async () => {
    const { rows } = await deployment.outbox.query<{ n: number }>(
      `SELECT (SELECT count(*) FROM outbox.delivery WHERE status IN ('PENDING', 'STARTED'))::int
        + (SELECT count(*) FROM outbox.notification WHERE done_at IS NULL)::int AS n`,
    );
    return rows[0]?.n;
  };
  await eventually('all are settled', async () => (await open()) === 0, 120_000);
  const found = await compare();
  expect(found.violations).toEqual([]);
  expect(found.committed).toBe(producer.committed);
  expect(found.delivered + found.dead).toBe(found.committed + found.inDoubt.stand);
  expect(proxy.left()).toBe(0);
  // Each part of the run has happened: nothing was compared in vain.
  const seen = [found.dead, found.rolledBack, found.inDoubt.stand, found.duplicates.ledger, notices.received.length];
  expect(seen.map((count) => count > 0)).toEqual([true, true, true, true, true]);
  expect([await stop(roles), await stop(api)]).toEqual([0, 0]);
});

test('what is spoilt in the databases is found there', async () => {
  const journal = await readChaosJournal(producer.journalFile);
  const standing = [...journal.values()].filter(({ fate, eventType }) => fate === 'committed' && eventType === 'CHAOS');
  const [first, second, third] = standing.filter(({ routingKey }) => routingKey === 'chaos.ledger').map(({ id }) => id);
  const audited = standing.find(({ routingKey }) => routingKey === 'audit.log')?.id;
  const { outbox, audit } = deployment;
  await outbox.query('DELETE FROM outbox.delivery WHERE event_id = $1', [first]);
  await outbox.query(`UPDATE outbox.delivery SET status = 'STARTED', receipt = NULL WHERE event_id = $1`, [second]);
  await outbox.query(`UPDATE outbox.delivery SET receipt = jsonb_set(receipt, '{id}', '"x"') WHERE event_id = $1`, [
    third,
  ]);
  await outbox.query(`UPDATE outbox.dead_letter SET retry_count = retry_count + 7`);
  await audit.query(`SET session_replication_role = replica; DELETE FROM audit.record WHERE event_id = '${audited}';
    UPDATE audit.record SET tenant_id = 'tenant-x' WHERE record_id = (SELECT max(record_id::text)::uuid FROM audit.record WHERE event_id <> '${audited}')`);
  const { violations, lost } = await compare();
  const parts = [
    `I1 ${first}: expected one delivery row`,
    `I1 ${second}: expected an end, came STARTED; epoch 0`,
    `I1 ${third}: expected the receipt effect-`,
    `I1 ${audited}: DELIVERED: expected one effect, came 0 audit records`,
    'expected retryCount 1, as many attempts have spent; came 8',
    'came tenant-x',
  ];
  for (const part of parts) expect(violations).toEqual(expect.arrayContaining([expect.stringContaining(part)]));
  expect(lost).toHaveLength(3);
});
