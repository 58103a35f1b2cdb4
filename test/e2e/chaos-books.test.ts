/**
 * What a chaos run believes in: producer, ledger, receivers of notices, and the oracle that reads the books. Real: PostgreSQL,
 * Temporal, HTTP, the roles as processes of the built command line. Answers are lost by a TCP proxy and by the ledger.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readChaosJournal } from '../../src/main/chaos/chaos-journal.js';
import { type RunningProducer, startChaosProducer } from '../../src/main/chaos/chaos-producer.js';
import { createTraffic, LANES, ORDERED_TYPE, STRICT_TYPE } from '../../src/main/chaos/chaos-traffic.js';
import { type ChaosComparison, compareChaos } from '../../src/main/chaos/compare-chaos.js';
import { compareFigures } from '../../src/main/chaos/compare-figures.js';
import { findCanary } from '../../src/main/chaos/find-canary.js';
import { type RunningLedger, startLedger } from '../../src/main/chaos/ledger.js';
import { lookAtEnd } from '../../src/main/chaos/look-at-end.js';
import { lookAtRuns } from '../../src/main/chaos/look-at-runs.js';
import { type RunningNotices, startNotices } from '../../src/main/chaos/notices.js';
import type { ChaosEvent, ChaosWorld } from '../../src/main/chaos/ports.js';
import { readBooks } from '../../src/main/chaos/read-books.js';
import { verifyAuditLog } from '../../src/main/chaos/verify-audit-log.js';
import { lanesFlowingSince } from '../../src/main/chaos/watch-line.js';
import { seededRandom } from '../../src/main/dev/seeded-random.js';
import { withoutTriggers } from '../integration/log-set-up.js';
import { eventually } from '../support/eventually.js';
import { type LosingProxy, startLosingProxy } from '../support/losing-proxy.js';
import { CLI, endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { temporalAddress } from '../support/temporal.js';

const EVENTS = 200;
const CANARY = `canary-${randomBytes(12).toString('hex')}`;
const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

let folder: string;
let deployment: TestDeployment;
let proxy: LosingProxy;
let ledger: RunningLedger;
let notices: RunningNotices;
let producer: RunningProducer;
let signing: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chaos-'));
  deployment = await createTestDeployment();
  const { stdout } = await runOutboxCli(['audit', 'keygen', '--origin', 'chaos.test/log', '--json']);
  signing = {
    AUDIT_SIGNING_KEYS: (JSON.parse(stdout) as { signer: string }).signer,
    AUDIT_ANCHOR_FILE: join(folder, 'anchor.ndjson'),
    AUDIT_CHECKPOINT_MS: '100',
  };
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
    traffic: createTraffic({ random: seededRandom(9), canary: CANARY, hotAggregates: 4 }),
    appendWithinMs: 30_000,
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

/** As the runner of a chaos run has it, of processes that a test has started. */
async function worldOf(roles: StartedProcess): Promise<ChaosWorld> {
  const { printed, probePort } = roles;
  await writeFile(join(folder, 'relay-1.log'), printed());
  return {
    ...{ deployment: deployment.name, folder, canary: CANARY, notices },
    ...{ outbox: deployment.outbox, audit: deployment.audit, producer, cli: CLI },
    temporal: { address: temporalAddress(), namespace: 'default' },
    environment: { ...deployment.environment, ...signing },
    fleet: { members: [{ name: 'relay-1', role: 'relay', printed, probePort }] },
  } as unknown as ChaosWorld;
}

const event = (id: string): ChaosEvent => ({
  routingKey: 'chaos.ledger',
  eventName: 'chaos.thing.changed.v1',
  eventType: 'CHAOS',
  tenantId: 'tenant-1',
  aggregate: { type: 'chaos', id },
  payload: { n: 0, note: id, secret: CANARY },
});

test('an event whose COMMIT was not answered is in doubt, one whose COMMIT was never sent through is, too', async () => {
  proxy.lose('COMMIT', 1, 'after');
  await expect(producer.append([event('after'), event('after')], { once: true })).rejects.toThrow('in doubt');
  proxy.lose('COMMIT', 1, 'before');
  await expect(producer.append([event('before')], { once: true })).rejects.toThrow('in doubt');
  const journal = await readChaosJournal(producer.journalFile);
  expect([...journal.values()].map(({ aggregate, fate }) => `${aggregate} ${fate}`)).toEqual([
    'chaos/after inDoubt',
    'chaos/after inDoubt',
    'chaos/before inDoubt',
  ]);
  expect([producer.committed, producer.inDoubt, producer.refused.get('in doubt')]).toEqual([0, 3, 2]);
  const { inDoubt } = await compare();
  expect(inDoubt).toMatchObject({ stand: 2, gone: 1 });
});

test('an append whose connection breaks before COMMIT leaves nothing, and says so', async () => {
  proxy.lose('record_events', 1, 'before');
  await expect(producer.append([event('broken')], { once: true })).rejects.toThrow();
  await producer.append([event('rolled-back')], { rollBack: true });
  const fates = [...(await readChaosJournal(producer.journalFile)).values()].filter(({ fate }) => fate !== 'inDoubt');
  expect(fates.map(({ aggregate, fate }) => `${aggregate} ${fate}`)).toEqual(['chaos/rolled-back rolledBack']);
});

test('what a fault appends is tried again where nothing of it stands; what stands in doubt is taken for appended', async () => {
  proxy.lose('record_events', 1, 'before');
  await producer.append([event('tried-again')]);
  proxy.lose('COMMIT', 1, 'after');
  await producer.append([event('stands-in-doubt')]);
  const fates = [...(await readChaosJournal(producer.journalFile)).values()].map(
    ({ aggregate, fate }) => `${aggregate} ${fate}`,
  );
  expect(fates).toEqual(expect.arrayContaining(['chaos/tried-again committed', 'chaos/stands-in-doubt inDoubt']));
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
    `notifiers: [webhookNotifier({ url: '${notices.at(`127.0.0.1:${notices.port}`).webhookUrl}', secret: '${WEBHOOK_SECRET}', allowHosts: ['127.0.0.1'] })],
     policies: { '*': { backoff: { kind: 'full-jitter', initialMs: 100, coefficient: 2, maximumMs: 1000 } } }`,
  );
  const api = await deployment.start('api');
  const more = {
    ...signing,
    OUTBOX_NOTICE_WINDOW_MS: '100',
    OUTBOX_BREAKER_OPEN_MS: '500',
    OUTBOX_AUDIT_URL: `http://127.0.0.1:${api.apiPort}`,
  };
  const roles = await deployment.start('relay,worker', more, ['--config', config]);
  const beganAt = performance.now();
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
  // Both lanes have flowed, and none within the last no time: what a run waits for after each fault.
  expect(await lanesFlowingSince(deployment.outbox, performance.now() - beganAt)).toBe(LANES.length);
  expect(await lanesFlowingSince(deployment.outbox, 0)).toBe(0);
  const world = await worldOf(roles);
  const seenAtEnd = await lookAtEnd(world, await readBooks(deployment, { source: null }));
  expect({ ...seenAtEnd, looked: seenAtEnd.looked.length }).toEqual({ looked: 6, problems: [], missing: [] });
  await findsWhatIsSpoilt(world);
  expect([await stop(roles), await stop(api)]).toEqual([0, 0]);
});

/** Of each look something that no comparison of rows would tell. */
async function findsWhatIsSpoilt(world: ChaosWorld): Promise<void> {
  const { outbox, audit } = deployment;
  const books = await readBooks(deployment, { source: null });
  const [letter] = books.letters;
  const letters = books.letters.filter(({ id }) => id !== letter?.id);
  // Temporal's list of runs comes a little later than their ends.
  const runs = await eventually('the failed run without its letter', async () => {
    const found = await lookAtRuns({ ...world, canary: letter?.eventId as string }, { ...books, letters });
    return found.problems.some((problem) => problem.includes(`I4 ${letter?.eventId}: expected a dead`)) && found;
  });
  // A notice names some of the events that it tells of: this one's may be among those that are read.
  const holding = runs.problems.filter((problem) => problem.startsWith('I9') && !problem.includes(':notify:'));
  expect(holding).toEqual([
    `I9 ${deployment.name}:${letter?.eventId}:0: expected no secret in its history, it holds it`,
  ]);

  await outbox.query('UPDATE outbox.dead_letter SET message = $2 WHERE id = $1', [letter?.id, `said ${CANARY}`]);
  const { webhookUrl } = notices.at(`127.0.0.1:${notices.port}`);
  await fetch(webhookUrl, { method: 'POST', body: Buffer.from(` ${CANARY} `).toString('base64') });
  // One that is in the fleet no more.
  const printed = `{"level":"info"}\n{"body":"${Buffer.from(CANARY).toString('hex')}"}`;
  await writeFile(join(world.folder, 'worker-1.log'), printed);
  expect((await findCanary(world)).problems).toEqual([
    'I9 worker-1: expected no secret in what it prints, line 2 holds it',
    `I9 webhook: expected no secret in a notice, notice ${notices.received.length} holds it`,
    'I9 outbox.dead_letter: expected no secret outside of the payload, 1 rows hold it',
  ]);

  const parts = ['due', 'destinations', 'letters'].map(
    (part) => `outbox_source_part_up{source="outbox_database",part="${part}"} 1\n`,
  );
  const liar = createServer((_, response) =>
    response.end(`${parts.join('')}outbox_open_dead_letters{code="X"} 4711\n`),
  );
  await new Promise<void>((resolve) => liar.listen(0, '127.0.0.1', () => resolve()));
  const { port } = liar.address() as AddressInfo;
  const lying = { members: [{ name: 'relay-1', role: 'relay', probePort: port }] } as unknown as ChaosWorld['fleet'];
  const lie = `I10 /metrics of relay-1: expected ${books.letters.length} letters, as SQL counts them, came 4711`;
  try {
    // The monitor's own figures are some seconds old.
    await eventually(`nothing but "${lie}"`, async () => {
      const { problems } = await compareFigures({ ...world, fleet: lying }, 0);
      if (problems.length === 1 && problems[0] === lie) return true;
      throw new Error(problems.join('; '));
    });
  } finally {
    liar.close();
  }

  await withoutTriggers(audit, ['record', ...(await partitions())], async () => {
    await audit.query(`UPDATE audit.record SET action = 'chaos.thing.hidden' WHERE record_id = $1`, [
      books.records[0]?.recordId,
    ]);
  });
  expect((await verifyAuditLog(world)).problems).toEqual([
    expect.stringContaining(`I8 ${books.records[0]?.recordId}: edited`),
  ]);
}

async function partitions(): Promise<string[]> {
  const { rows } = await deployment.audit.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE i.inhparent = 'audit.record'::regclass`,
  );
  return rows.map(({ name }) => name);
}

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
  await withoutTriggers(audit, ['record', ...(await partitions())], async () => {
    await audit.query('DELETE FROM audit.record WHERE event_id = $1', [audited]);
    await audit.query(
      `UPDATE audit.record SET tenant_id = 'tenant-x' WHERE record_id = (SELECT record_id FROM audit.record LIMIT 1)`,
    );
  });
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
  // The three events, and the two identities whose records are gone or another tenant's.
  expect(lost).toHaveLength(5);
});
