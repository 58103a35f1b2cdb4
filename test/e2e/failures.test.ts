/**
 * What must not become a dead letter, nor a second delivery: an answer that is lost, a run that a person terminates after
 * its POST, an evening without workers. Real: api, relay and workers as processes of the built command line, PostgreSQL,
 * Temporal, HTTP. Fake: the network between worker and audit log, a gate that loses or keeps answers, and the partner, a
 * scripted HTTP server. "Later" is a time set back in the database.
 */
import { Client, Connection } from '@temporalio/client';
import type pg from 'pg';
import { type AnswerGate, openAnswerGate } from '../support/answer-gate.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli } from '../support/outbox-cli.js';
import { createTestDeployment, type StartedProcess, stop, type TestDeployment } from '../support/roles.js';
import { accept, type ScriptedDestination, startScriptedDestination } from '../support/scripted-destination.js';
import { temporalAddress } from '../support/temporal.js';

let deployment: TestDeployment;
let partner: ScriptedDestination;
let gate: AnswerGate;
let api: StartedProcess;
let relay: StartedProcess;
let connection: Connection;
let client: Client;
let environment: Record<string, string>;
let config: string;

const policies = `policies: { '*': { maxAttempts: 50, backoff: { kind: 'fixed', intervalMs: 300 } } }`;
const partnerHandler = () => `httpHandler({ routingKey: 'test.partner', url: '${partner.url}' })`;

beforeAll(async () => {
  deployment = await createTestDeployment();
  partner = await startScriptedDestination();
  api = await deployment.start('api');
  gate = await openAnswerGate(`http://127.0.0.1:${api.apiPort}`, '/integration/v1/audit/logs');
  environment = { OUTBOX_AUDIT_URL: gate.url };
  config = await deployment.configFile(partnerHandler(), policies);
  relay = await deployment.start('relay', environment, ['--config', config]);
  connection = await Connection.connect({ address: temporalAddress() });
  client = new Client({ connection });
}, 60_000);
beforeEach(() => {
  gate.mode = 'pass';
  partner.answer(accept);
});
afterEach(() => endLeftoverCli([api, relay]));
afterAll(async () => {
  await endLeftoverCli();
  await connection?.close();
  await gate?.close();
  await partner?.close();
  await deployment?.drop();
});

const startWorker = (file = config) => deployment.start('worker', environment, ['--config', file]);
const rows = async (text: string, ...values: unknown[]) => (await deployment.outbox.query(text, values)).rows;
const lettersOf = (ids: readonly string[]) =>
  rows('SELECT code FROM outbox.dead_letter WHERE event_id = ANY ($1)', ids);
const runOf = (id: string) => client.workflow.getHandle(`${deployment.name}:${id}:0`);
/** So long ago that the reconciler looks at it in its next turn. */
const setBack = (ids: readonly string[], interval: string) =>
  rows(
    `UPDATE outbox.delivery SET due_at = due_at - $2::interval, started_at = started_at - $2::interval
     WHERE event_id = ANY ($1) AND status = 'STARTED'`,
    ids,
    interval,
  );
const actionOf = async (id: string) =>
  (await deployment.audit.query(`SELECT body::jsonb->>'action' AS action FROM audit.record WHERE event_id = $1`, [id]))
    .rows;

it.each([
  ['says something else', `() => ({ action: 'order.renamed' })`],
  ['throws', `() => { throw new Error('a bug of today'); }`],
])(
  'F18, R18, R26: the answer is lost, then the mapper %s, then the retry: delivered, one record, no dead letter',
  async (_, mapper) => {
    const kept = gate.kept();
    gate.mode = 'lose';
    const first = await startWorker();
    const id = await deployment.append({});
    await eventually('two answers lost', async () => gate.kept() >= kept + 2);
    expect(await stop(first)).toBe(0);
    expect(await deployment.status(id)).toBe('STARTED');
    gate.mode = 'pass';
    const changed = await deployment.configFile(
      partnerHandler(),
      `${policies}, mappers: { 'order.order.placed': ${mapper} }`,
    );
    const second = await startWorker(changed);
    await deployment.untilStatus(id, 'DELIVERED');
    expect(await actionOf(id)).toEqual([{ action: 'order.order.placed' }]);
    expect(await lettersOf([id])).toEqual([]);
    await eventually('the run closed', async () => (await runOf(id).describe()).status.name === 'COMPLETED');
    expect(await stop(second)).toBe(0);
  },
  90_000,
);

it('F29, R18, R22: terminated by a person after the POST: delivered by the next turn, no dead letter', async () => {
  const kept = gate.kept();
  gate.mode = 'hold';
  const worker = await startWorker();
  const id = await deployment.append({});
  await eventually('the effect, whose answer does not come', async () => gate.kept() > kept);
  await deployment.untilStatus(id, 'STARTED');
  await runOf(id).terminate('looked stuck');
  await eventually('the next turn', async () => {
    await setBack([id], '10 min'); // once more where the attempt that goes on without its run has moved it
    return (await deployment.status(id)) !== 'STARTED';
  });
  expect(await deployment.status(id)).toBe('DELIVERED');
  expect(await lettersOf([id])).toEqual([]);
  expect(await deployment.records(id)).toBe(1);
  expect(await rows('SELECT epoch, redispatches FROM outbox.delivery WHERE event_id = $1', id)).toEqual([
    { epoch: 0, redispatches: 0 },
  ]);
  const turns = () => relay.lines().filter(({ msg, eventId }) => msg === 'reconcile.ended' && eventId === id);
  const turn = await eventually('the line of that turn', async () => turns().length > 0 && turns());
  expect(turn).toMatchObject([{ code: 'WORKFLOW.TERMINATED', outcome: 'superseded' }]);
  gate.mode = 'pass';
  expect(await stop(worker, 'SIGKILL')).toBe('SIGKILL'); // it waits for the answer yet
}, 90_000);

describe('F23: poison rows', () => {
  const EVENT = {
    eventName: 'order.order.placed.v1',
    eventType: 'ORDER',
    aggregate: { type: 'order', id: '1' },
    payload: {} as object,
  };
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

  it.each([
    ['nested too deep', { payload: JSON.parse(deep(40)) }, /payload: expected at most 32 levels/],
    ['with \\u0000', { payload: { text: 'a\u0000b' } }, /\\u0000|unsupported Unicode/],
    ['of 2.5 MB', { payload: { text: 'x'.repeat(2_500_000) } }, /payload: expected at most 49152 bytes/],
    ['of a type that is none', { eventType: 'no such type' }, /eventType: expected/],
    ['of a wrong version', { aggregate: { type: 'order', id: '1', version: -1 } }, /aggregate.version: expected/],
  ])('%s: refused where it is appended, with all of its transaction', async (_, bad, says) => {
    const before = await rows('SELECT count(*)::int AS n FROM outbox.event');
    const batch = JSON.stringify([EVENT, { ...EVENT, ...bad }, EVENT]);
    await expect(rows('SELECT outbox.record_events($1::jsonb)', batch)).rejects.toThrow(says);
    expect(await rows('SELECT count(*)::int AS n FROM outbox.event')).toEqual(before);
  });

  it('one in twenty written past that check: only those die, each with its field named; the others are delivered beside them', async () => {
    const worker = await startWorker();
    const poison: Record<string, Record<string, unknown>> = {
      deep: { payload: deep(1_000) },
      large: { payload: JSON.stringify({ text: 'x'.repeat(2_500_000) }) },
      name: { event_name: 'x'.repeat(2_000) },
      type: { event_type: 'no such\ntype' },
      version: { aggregate_version: -1 },
    };
    const good: string[] = [];
    const bad = new Map<string, string>();
    const writer = await deployment.outbox.connect();
    await writer.query('BEGIN');
    for (const [kind, fields] of Object.entries(poison)) {
      for (let i = 0; i < 19; i += 1) {
        good.push(
          (await writer.query('SELECT outbox.record_event($1::jsonb) AS id', [JSON.stringify(EVENT)])).rows[0].id,
        );
      }
      bad.set(kind, await writePast(writer, fields));
    }
    await writer.query('COMMIT');
    writer.release();
    for (const id of good) await deployment.untilStatus(id, 'DELIVERED');
    // Not one was held back by its neighbours in the claim; a timeout is the machine's.
    const heldBack = 'SELECT FROM outbox.delivery WHERE event_id = ANY ($1) AND (epoch > 0 OR start_tries > 0)';
    expect(await rows(heldBack, good)).toEqual([]);
    const failed = `SELECT code FROM outbox.delivery_attempt WHERE event_id = ANY ($1) AND code NOT IN ('HTTP.TIMEOUT', 'DELIVERY.ATTEMPT_LOST')`;
    expect(await rows(failed, good)).toEqual([]);
    expect(await lettersOf(good)).toEqual([]);
    const named = {
      deep: '/payload',
      large: '/payload',
      name: '/eventName',
      type: '/eventType',
      version: '/aggregateVersion',
    };
    for (const [kind, field] of Object.entries(named)) {
      const id = bad.get(kind) as string;
      await deployment.untilStatus(id, 'DEAD');
      const letters = await rows('SELECT code, message, state FROM outbox.dead_letter WHERE event_id = $1', id);
      // What a worker refuses is described in its attempt's row, which a machine that stands still may leave unwritten.
      const attempts = await rows('SELECT FROM outbox.delivery_attempt WHERE event_id = $1', id);
      const undescribed = attempts.length === 0 && ['deep', 'large'].includes(kind);
      const message = expect.stringContaining(undescribed ? 'does not fit its mapping' : field);
      expect({ kind, letters }).toEqual({
        kind,
        letters: [{ code: 'DISPATCH.INVALID_EVENT', message, state: 'open' }],
      });
    }
    expect(await stop(worker)).toBe(0);
  }, 90_000);

  /** As somebody with rights on the tables could write it. */
  async function writePast(writer: pg.PoolClient, fields: Record<string, unknown>): Promise<string> {
    const event = {
      event_name: EVENT.eventName,
      event_type: 'ORDER',
      aggregate_version: null,
      payload: '{}',
      ...fields,
    };
    const { rows: written } = await writer.query(
      `WITH e AS (
         INSERT INTO outbox.event (id, event_name, event_type, routing_key, source, aggregate_type, aggregate_id,
           aggregate_version, payload, content_hash, occurred_at)
         VALUES (outbox.uuid_v7(), $1, $2, 'audit.log', 'test', 'order', '1', $3, $4::jsonb, 'sha-256:' || repeat('a', 64), now())
         RETURNING id, event_type)
       INSERT INTO outbox.delivery (event_id, destination, event_type) SELECT id, 'audit.log', event_type FROM e
       RETURNING event_id AS id`,
      [event.event_name, event.event_type, event.aggregate_version, event.payload],
    );
    return written[0].id;
  }
});

it('R22: workers down for an evening: nothing is terminated or dispatched again, all is delivered', async () => {
  const first = await startWorker();
  partner.answer((_, response) => response.writeHead(503).end());
  const failing = await Promise.all(
    Array.from({ length: 3 }, () => deployment.append({ routingKey: 'test.partner', eventType: 'EVENING' })),
  );
  await eventually('an attempt of each', async () => failing.every((id) => partner.seen.some(({ key }) => key === id)));
  expect(await stop(first)).toBe(0);
  const waiting = await Promise.all(Array.from({ length: 20 }, () => deployment.append({})));
  const ids = [...failing, ...waiting];
  for (const id of ids) await deployment.untilStatus(id, 'STARTED');

  // Back to less than the five minutes past due that the reconciler looks for.
  const putOff = async () =>
    (await rows(`SELECT FROM outbox.delivery WHERE event_id = ANY ($1) AND due_at > now() - interval '5 min'`, ids))
      .length;
  for (const hours of [1, 5]) {
    await setBack(ids, `${hours} h`);
    await rows(
      `UPDATE outbox.delivery_attempt SET started_at = started_at - $2::interval, finished_at = finished_at - $2::interval
       WHERE event_id = ANY ($1)`,
      ids,
      `${hours} h`,
    );
    await eventually('all of them looked at and put off', async () => (await putOff()) === ids.length, 40_000);
  }

  partner.answer(accept);
  const second = await startWorker();
  for (const id of ids) await deployment.untilStatus(id, 'DELIVERED');
  for (const id of waiting) expect(await deployment.records(id)).toBe(1);
  for (const id of ids) {
    await eventually('the run closed', async () => (await runOf(id).describe()).status.name === 'COMPLETED');
  }
  expect(
    await rows(
      'SELECT epoch, redispatches, count(*)::int AS n FROM outbox.delivery WHERE event_id = ANY ($1) GROUP BY 1, 2',
      ids,
    ),
  ).toEqual([{ epoch: 0, redispatches: 0, n: ids.length }]);
  expect(await lettersOf(ids)).toEqual([]);
  expect(await stop(second)).toBe(0);
  expect(await stop(relay)).toBe(0);
  const counters = relay.lines().find(({ msg }) => msg === 'process.counters')?.counters as Record<string, number>;
  expect(counters).toMatchObject({ reconcile_put_off: expect.any(Number) });
  expect(counters).not.toHaveProperty('reconcile_redispatched');
  expect(counters).not.toHaveProperty('reconcile_terminated');
}, 120_000);
