// /ops/v1/policies on real HTTP and two real databases: what is in force, what relays and runs have, and what it would
// do. Rows of relays and of runs are written directly. Every answer is held against the OpenAPI document. Nothing is
// fake.
import { randomUUID } from 'node:crypto';
import type { ProcessSays } from '../../src/application/delivery/monitor/ports.js';
import { hashPolicies } from '../../src/application/delivery/policy-hash.js';
import { type PoliciesInput, resolvePolicies } from '../../src/application/delivery/policy-schema.js';
import { POLICIES_PATH, POLICY_SIMULATION_PATH } from '../../src/contract/policies-api.js';
import { ERROR_CODES } from '../../src/domain/delivery/error-catalog.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createProcessStore } from '../../src/infrastructure/prisma/process-store.js';
import { createTestDatabases, type TestDatabases } from '../support/databases.js';
import { openTestOps } from '../support/ops.js';
import { expectProblem, startIngestOn, type TestIngest } from './ingest-set-up.js';

const CONFIGURED: PoliciesInput = {
  '*': { maxAttempts: 5 },
  AUTH: { codes: { 'HTTP.TLS': 'final' }, coalescing: 'always' },
  ORDER: { ordering: { by: 'aggregate', whenHeadDead: 'block' } },
};
const { hashes } = hashPolicies(resolvePolicies(CONFIGURED));

let databases: TestDatabases;
let pool: PgPool;
let ops: ReturnType<typeof openTestOps>;
let ingest: TestIngest;
let reader: string;

beforeAll(async () => {
  databases = await createTestDatabases();
  pool = createPool(databases.outboxUrl, { max: 4 });
  ops = openTestOps(pool, { config: { policies: CONFIGURED } });
  ingest = await startIngestOn(databases.auditUrl, { ops });
  reader = await ingest.key(['dlq:read']);
});
afterAll(async () => {
  await ingest.stop();
  await ops.deadLetters.close();
  await pool.end();
  await databases.drop();
});
beforeEach(() => pool.query('DELETE FROM outbox.process; DELETE FROM outbox.event_type; DELETE FROM outbox.delivery'));

const get = (path: string, key = reader) => ingest.post(null, { method: 'GET', path, key });

const SAYS: ProcessSays = {
  temporal: null,
  auditApi: null,
  namespace: 'default',
  temporalAddress: null,
  policies: hashes,
  orderings: {},
  coalescing: [],
};
const tell = (host: string, says: Partial<ProcessSays> = {}, roles: ('relay' | 'worker')[] = ['relay']) =>
  createProcessStore(pool).write({ id: randomUUID(), roles, host, pid: 7, version: '0' }, { ...SAYS, ...says });

it('explains each policy, and puts the ordering in force beside the configured one', async () => {
  await pool.query(
    `INSERT INTO outbox.event_type (name, ordering, actor) VALUES ('ORDER', 'skip', 't'), ('STOCK', 'block', 't')`,
  );
  const { status, body } = await get(POLICIES_PATH);
  expect(status).toBe(200);
  expect(body.policies.map(({ eventType }: { eventType: string }) => eventType)).toEqual([
    '*',
    'AUTH',
    'ORDER',
    'STOCK',
  ]);
  const [everyone, auth, order, stock] = body.policies;
  expect(everyone).toMatchObject({
    hash: hashes.otherwise,
    maxAttempts: { value: 5, from: 'everyone' },
    deadlineMs: { from: 'default' },
    ordering: { configured: 'none', inForce: 'none' },
  });
  expect(auth.rules).toHaveLength(ERROR_CODES.length);
  expect(auth.rules.find(({ code }: { code: string }) => code === 'HTTP.TLS')).toMatchObject({
    kind: 'final',
    from: 'type',
  });
  expect(auth.coalescing.mode).toBe('always');
  expect([order.ordering, stock.ordering]).toEqual([
    { configured: 'block', inForce: 'skip' },
    { configured: 'none', inForce: 'block' },
  ]);
});

it('tells which living relays have the same policies, and how their events travel', async () => {
  const lane = { destination: 'audit.log', eventType: 'AUTH', on: true };
  await tell('a', { coalescing: [lane] });
  await tell('b', {
    policies: { byType: { ...hashes.byType, AUTH: 'other', NEW: 'new' }, otherwise: hashes.otherwise },
  });
  await tell('c', { policies: null });
  await tell('worker', {}, ['worker']);
  await tell('gone');
  await pool.query(`UPDATE outbox.process SET seen_at = now() - interval '1 hour' WHERE host = 'gone'`);
  const { body } = await get(POLICIES_PATH);
  const relays = body.relays.sort((a: { host: string }, b: { host: string }) => (a.host < b.host ? -1 : 1));
  expect(relays).toEqual([
    { host: 'a', pid: 7, seenAt: expect.any(String), same: true, different: [], coalescing: [lane] },
    { host: 'b', pid: 7, seenAt: expect.any(String), same: false, different: ['AUTH', 'NEW'], coalescing: [] },
    { host: 'c', pid: 7, seenAt: expect.any(String), same: false, different: [], coalescing: [] },
  ]);
});

it('counts what runs under way have, of every destination and in batches, too', async () => {
  await pool.query(
    `INSERT INTO outbox.delivery (event_id, status, destination, event_type, policy_hash, carrier, receipt)
     SELECT gen_random_uuid(), s.status, 'd.' || n % 3, CASE WHEN n % 2 = 0 THEN 'AUTH' ELSE 'CRM' END,
       CASE WHEN n % 6 = 0 THEN NULL ELSE 'h' || n % 2 END, CASE WHEN n % 5 = 0 THEN 'main:batch:x' END, '{}'
     FROM generate_series(1, 30) n, unnest(ARRAY['STARTED', 'PENDING', 'DELIVERED']) AS s(status)`,
  );
  expect((await get(POLICIES_PATH)).body.inRuns).toEqual([
    { eventType: 'AUTH', hash: null, runs: 5 },
    { eventType: 'AUTH', hash: 'h0', runs: 10 },
    { eventType: 'CRM', hash: 'h1', runs: 15 },
  ]);
});

it('simulates by what decides in production, the same for the same seed', async () => {
  const simulate = (query: string) => get(`${POLICY_SIMULATION_PATH}?${query}`);
  const { body } = await simulate('code=HTTP.SERVER_ERROR&eventType=AUTH&seed=5&attemptMs=100');
  expect(body).toMatchObject({ eventType: 'AUTH', code: 'HTTP.SERVER_ERROR', hash: hashes.byType.AUTH });
  expect(body.finalCode).toBe('HTTP.SERVER_ERROR');
  expect(body.attempts).toHaveLength(5);
  expect(body.attempts.at(-1)).toMatchObject({ attempt: 5, delayMs: null });
  expect((await simulate('code=HTTP.SERVER_ERROR&eventType=AUTH&seed=5&attemptMs=100')).body).toEqual(body);
  expect((await simulate('code=HTTP.TLS&eventType=AUTH')).body.attempts).toHaveLength(1);
  expect((await simulate('code=HTTP.TLS')).body).toMatchObject({ eventType: '*', hash: hashes.otherwise });
  expect((await simulate('code=DESTINATION.OPEN')).body.finalCode).toBeNull();
  const asked = await simulate('code=HTTP.RATE_LIMITED&retryAfter=7');
  expect(asked.body.attempts[0].delayMs).toBeGreaterThanOrEqual(7_000);
  for (const [query, pointer] of [
    ['', '/code'],
    ['code=HTTP.TEAPOT', '/code'],
    ['code=HTTP.TLS&seed=-1', '/seed'],
    ['code=HTTP.TLS&attemptMs=600001', '/attemptMs'],
    ['code=HTTP.TLS&retryAfter=1.5', '/retryAfter'],
  ]) {
    const refused = await simulate(query as string);
    if (query === 'code=HTTP.TEAPOT') expectProblem(refused, 422, 'invalid_filter');
    else expectProblem(refused, 400, 'invalid_query');
    expect([query, refused.body.errors[0].pointer]).toEqual([query, pointer]);
  }
});

it("policies are everybody's: a key of one tenant sees none", async () => {
  const bound = await ingest.key(['dlq:write'], 'acme');
  const none = await ingest.key(['audit:write']);
  for (const path of [POLICIES_PATH, `${POLICY_SIMULATION_PATH}?code=HTTP.TLS`]) {
    expectProblem(await get(path, bound), 403, 'tenant_forbidden');
    expectProblem(await get(path, none), 403, 'scope_missing');
  }
});

it('what cannot be looked up is said to be so, and hides nothing of the configuration', async () => {
  const away = createPool('postgresql://nobody@127.0.0.1:9/none', { max: 1, connectTimeoutMs: 500 });
  const without = openTestOps(away, { config: { policies: CONFIGURED } });
  const other = await startIngestOn(databases.auditUrl, { ops: without });
  try {
    const { status, body } = await other.post(null, { method: 'GET', path: POLICIES_PATH, key: reader });
    expect([status, body.relays, body.inRuns]).toEqual([200, null, null]);
    expect(body.policies[2]).toMatchObject({ eventType: 'ORDER', ordering: { configured: 'block', inForce: null } });
    const said = other.logs.filter(({ fields }) => fields.event === 'policies.part_away');
    expect(said.map(({ fields }) => fields.part).sort()).toEqual(['orderings', 'relays', 'runs']);
  } finally {
    await other.stop();
    await without.deadLetters.close();
    await away.end();
  }
});
