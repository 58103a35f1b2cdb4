/**
 * One identity, one record, whatever races it. Real: PostgreSQL, HTTP, the second connections that hold keys. Fake: in one
 * test the store says "not new" once where it had not asked, since PostgreSQL itself waits for a winner in doubt.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { checkFingerprintKeys, type FingerprintKeys } from '../../src/application/audit/fingerprint.js';
import { createIngestRules } from '../../src/application/audit/ingest-rules.js';
import { recordAuditLog } from '../../src/application/audit/record-audit-log.js';
import { toAuditEvent } from '../../src/application/delivery/mappers/to-audit-event.js';
import { AUDIT_LOGS_PATH, AUDIT_LOOKUP_PATH } from '../../src/contract/audit-api.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import type { ApiKey } from '../../src/domain/audit/api-key.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { eventOf } from '../support/events.js';
import { eventually } from '../support/eventually.js';
import { openConnections } from '../support/open-connections.js';
import {
  event,
  expectProblem,
  FINGERPRINT_KEYS,
  sent,
  startIngest,
  startIngestOn,
  type TestIngest,
} from './ingest-set-up.js';

const SILENT = { error: () => undefined };
const ANY_TENANT = ['audit:write:any-tenant'] as const;
const hashA = `sha-256:${'aa'.repeat(32)}`;
const hashB = `sha-256:${'bb'.repeat(32)}`;

let ingest: TestIngest;
let outboxKey: string;

beforeAll(async () => {
  ingest = await startIngest();
  outboxKey = await ingest.key(ANY_TENANT);
});
afterAll(() => ingest.stop());

const rowsOf = async (eventId: string) =>
  (await ingest.pool.query('SELECT * FROM audit.record WHERE event_id = $1 ORDER BY seq', [eventId])).rows;

/** What the last refused request of an api was logged with. */
const causeOf = ({ logs }: TestIngest) =>
  String(logs.findLast(({ fields }) => fields['err'] !== undefined)?.fields['err']);

/** A transaction on a connection of its own that holds the identity's key, uncommitted. */
async function holdKey(one: AuditEvent): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: ingest.auditUrl });
  await client.connect();
  await client.query('BEGIN');
  await client.query(
    `INSERT INTO audit.record_key VALUES ('', $1, $2, $3, clock_timestamp(), 'k1', sha256('x'), sha256('y'))`,
    [one.source, one.eventId, randomUUID()],
  );
  return client;
}

/** Until a session of this database waits for another one's transaction. */
const somebodyWaits = (atLeast = 1) =>
  eventually(`${atLeast} statements to wait for a lock`, async () => {
    const { rows } = await ingest.pool.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO audit.record%'`,
    );
    return rows[0].n >= atLeast;
  });

describe('R25: identity', () => {
  it('R25: a new event is stored as sent and its receipt names the record', async () => {
    const one = event({ data: { b: 1, a: [null, 'x'] }, outcomeReason: 'fine' });
    const answer = await ingest.post(one);
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ eventId: one.eventId, replayed: false });
    const [row] = await rowsOf(one.eventId);
    expect(row).toMatchObject({
      record_id: answer.body.recordId,
      recorded_at: new Date(answer.body.recordedAt),
      tenant_id: '',
      via: 'api',
      severity: 'info',
      occurred_at: new Date(one.occurredAt),
      actor_type: 'user',
      actor_id: 'u-1',
      body: one,
    });
  });

  it('B19: the same event again is a replay of the same receipt, one row', async () => {
    const one = event();
    const first = await ingest.post(one);
    const second = await ingest.post(one);
    expect(first.headers.get('idempotency-replayed')).toBeNull();
    expect(second.status).toBe(200);
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(second.body).toEqual({ ...first.body, replayed: true });
    expect(await rowsOf(one.eventId)).toHaveLength(1);
  });

  it('B19: the same event in another order of keys is the same content', async () => {
    const one = event({ data: { a: 1, b: 2 } });
    const turned = Object.fromEntries(Object.entries({ ...one, data: { b: 2, a: 1 } }).reverse());
    expect((await ingest.post(one)).status).toBe(201);
    expect((await ingest.post(turned)).status).toBe(200);
  });

  it('B19: fifty at once make one row and agree on it', async () => {
    await openConnections(ingest.pool, 50);
    const one = event();
    const answers = await Promise.all(Array.from({ length: 50 }, () => ingest.post(one)));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(49).fill(200), 201]);
    expect(new Set(answers.map(({ body }) => `${body.recordId} ${body.hash} ${body.recordedAt}`)).size).toBe(1);
    expect(await rowsOf(one.eventId)).toHaveLength(1);
  });

  it('B20: the same identity with other content is refused by its own code and the first stands', async () => {
    const one = event({ outcome: 'success' });
    await ingest.post(one);
    const answer = await ingest.post({ ...one, outcome: 'failure' });
    expectProblem(answer, 422, 'identity_conflict');
    expect(answer.body.retryable).toBe(false);
    expect((await rowsOf(one.eventId)).map((row) => row.outcome)).toEqual(['success']);
  });

  it('B20: of fifty with other contents at once one wins and the rest are refused', async () => {
    await openConnections(ingest.pool, 50);
    const one = event();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => ingest.post({ ...one, outcomeReason: `reason ${i}` })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(49).fill(422)]);
    expect(await rowsOf(one.eventId)).toHaveLength(1);
  });

  it('B20: the same id in another tenant or of another source is another record and tells nothing', async () => {
    const one = event();
    const [t1, t2] = [await ingest.key(['audit:write'], 't-1'), await ingest.key(['audit:write'], 't-2')];
    expect((await ingest.post(one, { key: t1 })).status).toBe(201);
    expect((await ingest.post({ ...one, outcome: 'failure' }, { key: t2 })).status).toBe(201);
    expect((await ingest.post({ ...one, source: '/services/other' }, { key: t1 })).status).toBe(201);
    expect((await rowsOf(one.eventId)).map((row) => row.tenant_id)).toEqual(['t-1', 't-2', 't-1']);
  });

  it('R25: no tenant is the empty string, a bound key writes its own, the any-tenant scope any', async () => {
    const bound = await ingest.key(['audit:write'], 't-9');
    const cases = [
      { key: outboxKey, sent: {}, tenant: '' },
      { key: outboxKey, sent: { tenantId: 'anyone' }, tenant: 'anyone' },
      { key: bound, sent: {}, tenant: 't-9' },
      { key: bound, sent: { tenantId: 't-9' }, tenant: 't-9' },
    ];
    for (const { key, sent, tenant } of cases) {
      const one = event(sent);
      expect((await ingest.post(one, { key })).status).toBe(201);
      expect((await rowsOf(one.eventId)).map((row) => row.tenant_id)).toEqual([tenant]);
    }
  });

  it('R28: a record came from our outbox when the key has the any-tenant scope, whatever headers say', async () => {
    const [ours, other] = [event(), event()];
    const headers = { Via: 'outbox', 'X-Via': 'outbox', 'X-Outbox': 'true' };
    await ingest.post(ours, { key: outboxKey });
    await ingest.post(other, { headers });
    expect((await rowsOf(ours.eventId)).map((row) => row.via)).toEqual(['outbox']);
    expect((await rowsOf(other.eventId)).map((row) => row.via)).toEqual(['api']);
  });
});

describe('R26: fingerprint', () => {
  it('R26: routing and traceparent are no content', async () => {
    const one = event();
    const trace = (n: string) => ({ traceparent: `00-${n.repeat(32)}-${n.repeat(16)}-01` });
    expect((await ingest.post({ ...one, routing: { routingKey: 'audit.log' } })).status).toBe(201);
    expect((await ingest.post({ ...one, routing: { routingKey: 'other' }, context: trace('a') })).status).toBe(200);
    expect((await ingest.post({ ...one, context: trace('b') })).status).toBe(200);
    expectProblem(await ingest.post({ ...one, context: { requestId: 'r' } }), 422, 'identity_conflict');
  });

  it('R26: with a content hash the hash alone decides', async () => {
    const one = event({ contentHash: hashA });
    expect((await ingest.post(one, { key: outboxKey })).status).toBe(201);
    expect((await ingest.post({ ...one, metadata: { mapper: 2 } }, { key: outboxKey })).status).toBe(200);
    expectProblem(await ingest.post({ ...one, contentHash: hashB }, { key: outboxKey }), 422, 'identity_conflict');
  });

  it('R26: the content hash is neither stored nor shown: nobody can test a guess at a content by it', async () => {
    const one = event({ contentHash: hashA, tenantId: 't-hash', data: { pin: '1234' } });
    const receipt = (await ingest.post(one, { key: outboxKey })).body;
    const { rows } = await ingest.pool.query(
      `SELECT (SELECT string_agg(r::text, '') FROM audit.record r) || (SELECT string_agg(k::text, '') FROM audit.record_key k) AS text`,
    );
    expect(rows[0].text).not.toContain(hashA.slice('sha-256:'.length));
    const key = await ingest.key(['audit:read'], 't-hash');
    const shown = await ingest.post('', { method: 'GET', path: `${AUDIT_LOGS_PATH}/${receipt.recordId}`, key });
    const { contentHash: _, ...rest } = one;
    // What the rules took out is what the hash would have told.
    expect(shown.body).toMatchObject({ hash: receipt.hash, event: { ...rest, data: { pin: '[redacted]' } } });
    expect(JSON.stringify(shown.body)).not.toContain(hashA);
  });

  it('R26: an event delivered again after the rules of redaction changed is a replay; its record stands as first stored', async () => {
    const sent = eventOf({ id: randomUUID(), payload: { password: 'hush', diagnosis: 'flu' } });
    const before = toAuditEvent(sent, {});
    const after = toAuditEvent(sent, {}, createRedactor({ keys: ['diagnosis'] }));
    expect([before.data?.diagnosis, after.data?.diagnosis]).toEqual(['flu', '[redacted]']);
    const first = await ingest.post(before, { key: outboxKey });
    const second = await ingest.post(after, { key: outboxKey });
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body).toMatchObject({ recordId: first.body.recordId, hash: first.body.hash, replayed: true });
    const { rows } = await ingest.pool.query(
      'SELECT to_jsonb(r)::text AS text FROM audit.record r WHERE event_id = $1',
      [sent.id],
    );
    expect(rows).toEqual([{ text: expect.stringContaining('flu') }]);
    expect(rows[0].text).not.toContain('hush');
  });

  it('R26: without the any-tenant scope a content hash is refused', async () => {
    const answer = await ingest.post(event({ contentHash: hashA }));
    expectProblem(answer, 422, 'invalid_event');
  });

  it('R26: a row keeps its key: after a rotation old rows still replay and conflict, new ones use the new key', async () => {
    const [old, fresh] = [event(), event()];
    await ingest.post(old);
    const rotated = await startIngestOn(ingest.auditUrl, {
      fingerprintKeys: [{ id: 'k2', secret: 'second-secret-of-the-test' }, ...FINGERPRINT_KEYS],
    });
    const second = { id: 'k2', secret: 'second-secret-of-the-test' };
    const lost = await startIngestOn(ingest.auditUrl, { fingerprintKeys: [second] });
    try {
      expect((await rotated.post(old)).status).toBe(200);
      expectProblem(await rotated.post({ ...old, outcome: 'failure' }), 422, 'identity_conflict');
      expect((await rotated.post(fresh)).status).toBe(201);
      const { rows } = await ingest.pool.query(
        'SELECT event_id, hmac_key_id FROM audit.record_key WHERE event_id = ANY($1)',
        [[old.eventId, fresh.eventId]],
      );
      expect(new Map(rows.map((row) => [row.event_id, row.hmac_key_id]))).toEqual(
        new Map([
          [old.eventId, 'k1'],
          [fresh.eventId, 'k2'],
        ]),
      );
      // Without its key nobody can tell a replay from a conflict: to be mended here and sent again, never a guess.
      const answer = await lost.post(old);
      expectProblem(answer, 503, 'store_unavailable');
      expect([answer.body.retryable, answer.headers.get('retry-after')]).toEqual([true, '1']);
      expect(JSON.stringify(answer.body)).not.toContain('k1');
      expect(causeOf(lost)).toContain('expected the fingerprint key "k1" among the configured ones, found k2');
      expect((await lost.post(fresh)).status).toBe(200);
    } finally {
      await rotated.stop();
      await lost.stop();
    }
  });

  it('R26: another secret under a known key id compares nothing and writes nothing, and the log names the key', async () => {
    const [old, fresh] = [event(), event()];
    await ingest.post(old);
    const wrong = await startIngestOn(ingest.auditUrl, { fingerprintKeys: [{ id: 'k1', secret: 'mistyped' }] });
    try {
      for (const one of [old, fresh]) expectProblem(await wrong.post(one), 503, 'store_unavailable');
      expect(causeOf(wrong)).toContain('fingerprint key "k1": expected the secret that it was first used with');
      expect(causeOf(wrong)).not.toContain('mistyped');
      expect(await rowsOf(fresh.eventId)).toHaveLength(0);
      expect((await ingest.post(old)).status).toBe(200);
    } finally {
      await wrong.stop();
    }
  });

  it('R26: apis that meet a new key at once keep one check of it', async () => {
    const keys = (secret: string): FingerprintKeys => [{ id: `new-${ingest.port}`, secret }];
    const checks = await Promise.allSettled(
      ['a', 'a', 'b', 'b'].map((secret) => checkFingerprintKeys(ingest.store, keys(secret))),
    );
    const ended = checks.map(({ status }) => status);
    expect(ended[0]).toBe(ended[1]);
    expect(ended[2]).toBe(ended[3]);
    expect(new Set(ended)).toEqual(new Set(['fulfilled', 'rejected']));
  });

  it('R26: the fingerprint is keyed: the content alone does not give it', async () => {
    const one = event({ contentHash: hashA });
    await ingest.post(one, { key: outboxKey });
    const { rows } = await ingest.pool.query(
      `SELECT fingerprint = sha256(convert_to($2, 'UTF8')) AS plain FROM audit.record_key WHERE event_id = $1`,
      [one.eventId, hashA],
    );
    expect(rows).toEqual([{ plain: false }]);
  });
});

describe('R27: one statement', () => {
  it('R27: waits for a winner in doubt and writes when it rolls back', async () => {
    const one = event();
    const winner = await holdKey(one);
    const answer = ingest.post(one);
    await somebodyWaits();
    await winner.query('ROLLBACK');
    expect((await answer).status).toBe(201);
    await winner.end();
    expect(await rowsOf(one.eventId)).toHaveLength(1);
  });

  it('R27: a loser reads in a second statement the winner that the first could not see', async () => {
    const one = event();
    const winner = await holdKey(one);
    const answer = ingest.post(one);
    await somebodyWaits();
    await winner.query('COMMIT');
    expectProblem(await answer, 422, 'identity_conflict');
    await winner.end();
    expect(await rowsOf(one.eventId)).toHaveLength(0);
  });

  it('R27: a loser that finds no winner is tried once more, and only once', async () => {
    const key: ApiKey = {
      id: randomUUID(),
      name: 'x',
      prefix: 'x',
      scopes: ['audit:write'],
      tenantId: null,
      ratePerMinute: null,
    };
    const request = { key, now: new Date(), events: [sent(event())] };
    const losing = (times: number) => {
      let lost = 0;
      return recordAuditLog({
        fingerprintKeys: FINGERPRINT_KEYS,
        failedIngest: ingest.failedIngest,
        rules: createIngestRules(),
        log: SILENT,
        store: {
          ...ingest.store,
          insertNew: async (records) => (lost++ < times ? new Set() : ingest.store.insertNew(records)),
        },
      });
    };
    expect(await losing(2)(request)).toMatchObject([{ kind: 'failed', failedIngestId: expect.any(String) }]);
    expect(await losing(1)(request)).toMatchObject([{ kind: 'created' }]);
  });

  it('R27: keys and records are one statement: a record that cannot be written leaves no key', async () => {
    const one = event();
    await ingest.pool.query(
      'ALTER TABLE audit.record ADD CONSTRAINT never CHECK (event_id <> $1)'.replace('$1', `'${one.eventId}'`),
    );
    try {
      expectProblem(await ingest.post(one), 500, 'internal');
      const { rows } = await ingest.pool.query('SELECT 1 FROM audit.record_key WHERE event_id = $1', [one.eventId]);
      expect(rows).toEqual([]);
    } finally {
      await ingest.pool.query('ALTER TABLE audit.record DROP CONSTRAINT never');
    }
    expect((await ingest.post(one)).status).toBe(201);
  });

  it('R27: batches that overlap in opposite orders neither deadlock nor double', async () => {
    const events = Array.from({ length: 200 }, () => event());
    const before = await deadlocks();
    // All are inside their statements before any can end: each waits for the one in the middle or for another batch.
    const middle = await holdKey(events[100] as AuditEvent);
    const posts = Array.from({ length: 6 }, (_, i) => ingest.post(i % 2 === 0 ? events : events.toReversed()));
    await somebodyWaits(6);
    await middle.query('ROLLBACK');
    await middle.end();
    const answers = await Promise.all(posts);
    const statuses = answers.flatMap(({ body }) => body.results.map((result: { status: number }) => result.status));
    expect(statuses.filter((status) => status === 201)).toHaveLength(200);
    expect(statuses.filter((status) => status === 200)).toHaveLength(5 * 200);
    expect(await deadlocks()).toBe(before);
  });

  it('R27: a batch is written in the order of its identities, whatever order it came in', async () => {
    const ids = ['b', 'a', 'Z', 'é', 'c'].map((id) => `${id}-${randomUUID()}`);
    await ingest.post(ids.map((eventId) => event({ eventId })));
    const { rows } = await ingest.pool.query(
      'SELECT event_id FROM audit.record WHERE event_id = ANY($1) ORDER BY seq',
      [ids],
    );
    const byBytes = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(rows.map((row) => row.event_id)).toEqual(byBytes);
  });

  it('R27: a deadlock with a stranger is retried', async () => {
    // PostgreSQL ends whichever of the two looks after the circle closed: again, until that was the batch.
    for (let ended = 'the stranger'; ended === 'the stranger'; ) {
      const [first, second] = [event({ eventId: `1-${randomUUID()}` }), event({ eventId: `2-${randomUUID()}` })];
      const stranger = await holdKey(second);
      const answer = ingest.post([first, second]);
      await somebodyWaits();
      // The stranger now wants the key that the batch holds, in the other order.
      ended = await stranger
        .query(
          `INSERT INTO audit.record_key VALUES ('', $1, $2, $3, clock_timestamp(), 'k1', sha256('x'), sha256('y'))`,
          [first.source, first.eventId, randomUUID()],
        )
        .then(
          () => 'the batch',
          (error: pg.DatabaseError) => (error.code === '40P01' ? 'the stranger' : Promise.reject(error)),
        );
      await stranger.query('ROLLBACK');
      await stranger.end();
      expect((await answer).body.results.map((result: { status: number }) => result.status)).toEqual([201, 201]);
    }
  });

  it('R27: duplicates inside a batch are settled against the one that stands', async () => {
    const [fresh, standing] = [event(), event()];
    const key: ApiKey = {
      id: randomUUID(),
      name: 'x',
      prefix: 'x',
      scopes: ['audit:write'],
      tenantId: null,
      ratePerMinute: null,
    };
    const asked: string[][] = [];
    const insertNew: TestIngest['store']['insertNew'] = (records) => {
      asked.push(records.map(({ identity }) => identity.eventId));
      return ingest.store.insertNew(records);
    };
    const { failedIngest } = ingest;
    const store = { ...ingest.store, insertNew };
    const deps = { fingerprintKeys: FINGERPRINT_KEYS, store, failedIngest, rules: createIngestRules(), log: SILENT };
    const twice = event();
    await recordAuditLog(deps)({ key, now: new Date(), events: [sent(twice), sent(twice)] });
    expect(asked).toEqual([[twice.eventId]]);

    await ingest.post(standing);
    const other = { outcome: 'failure' as const };
    const answer = await ingest.post([
      fresh,
      { ...fresh },
      { ...fresh, ...other },
      { ...standing, ...other },
      { ...standing },
    ]);
    expect(answer.status).toBe(207);
    expect(answer.body.results.map((result: { status: number }) => result.status)).toEqual([201, 200, 422, 422, 200]);
    expect(answer.body.results[1].receipt.recordId).toBe(answer.body.results[0].receipt.recordId);
    expect(answer.body.results[2].problem.code).toBe('identity_conflict');
  });

  it('B22: one bad of N is named and the rest stored; an empty batch, and one over the maximum, are refused', async () => {
    const [good, alsoGood] = [event(), event()];
    const answer = await ingest.post([
      good,
      { ...event(), outcome: 'x' },
      event({ tenantId: 'not-mine' }),
      7,
      alsoGood,
    ]);
    expect(answer.status).toBe(207);
    expect(answer.body.results.map((result: { status: number }) => result.status)).toEqual([201, 422, 403, 400, 201]);
    expect(answer.body.results[1].problem.errors).toEqual([expect.objectContaining({ pointer: '/outcome' })]);
    expect(answer.body.results[4].receipt.eventId).toBe(alsoGood.eventId);
    expectProblem(await ingest.post([]), 400, 'empty_batch');
    expectProblem(await ingest.post(Array.from({ length: 501 }, () => ({}))), 413, 'batch_too_long');
    const headers = { 'Idempotency-Key': good.eventId };
    expectProblem(await ingest.post([good], { headers }), 422, 'idempotency_key_mismatch');
  });

  async function deadlocks(): Promise<number> {
    await ingest.pool.query('SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()');
    const { rows } = await ingest.pool.query(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    );
    return rows[0].deadlocks;
  }
});

describe('lookup', () => {
  const path = AUDIT_LOOKUP_PATH;

  it("R23: says which identities stand, in the order asked, with the receipt's id and hash", async () => {
    const one = event({ tenantId: 'look' });
    const { body: receipt } = await ingest.post(one, { key: outboxKey });
    const { source, eventId } = one;
    const answer = await ingest.post(
      {
        identities: [
          { source, eventId },
          { source, eventId, tenantId: 'look' },
          { source: '/x', eventId },
        ],
      },
      { path, key: outboxKey },
    );
    const { recordId, recordedAt, hash } = receipt;
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      results: [{ found: false }, { found: true, recordId, recordedAt, hash }, { found: false }],
    });
  });

  it('R23: takes 1,000 pairs and no more, and names what is wrong', async () => {
    const identities = Array.from({ length: 1_000 }, () => ({ source: '/s', eventId: randomUUID() }));
    expect((await ingest.post({ identities }, { path })).body.results).toHaveLength(1_000);
    expectProblem(await ingest.post({ identities: [...identities, identities[0]] }, { path }), 422, 'invalid_lookup');
    for (const bad of [
      {},
      { identities: [] },
      { identities: [{ source: '/s' }] },
      { identities: [{ source: '/s', eventId: '\u0000' }] },
    ]) {
      expectProblem(await ingest.post(bad, { path }), 422, 'invalid_lookup');
    }
  });

  it('R18: says whether what stands has the content asked for, to our own outbox alone', async () => {
    const contentHash = `sha-256:${'a1'.repeat(32)}`;
    const other = `sha-256:${'b2'.repeat(32)}`;
    const [ours, stranger] = [event({ contentHash }), event()];
    await ingest.post(ours, { key: outboxKey });
    await ingest.post(stranger);
    const ask = (one: { source: string; eventId: string }, hash: string) => ({
      identities: [{ source: one.source, eventId: one.eventId, contentHash: hash }],
    });
    const same = async (one: { source: string; eventId: string }, hash: string) =>
      (await ingest.post(ask(one, hash), { path, key: outboxKey })).body.results[0];
    expect(await same(ours, contentHash)).toMatchObject({ found: true, sameContent: true });
    expect(await same(ours, other)).toMatchObject({ found: true, sameContent: false });
    expect(await same(stranger, contentHash)).toMatchObject({ found: true, sameContent: false });
    expect(await same(event(), contentHash)).toEqual({ found: false });
    const guess = await ingest.post(ask(stranger, contentHash), { path });
    expectProblem(guess, 422, 'invalid_lookup');
    expect(guess.body.errors[0].pointer).toBe('/identities/0/contentHash');
  });

  it('a bound key asks about its own tenant only', async () => {
    const one = event();
    const key = await ingest.key(['audit:write', 'audit:read'], 't-look');
    await ingest.post(one, { key });
    const { source, eventId } = one;
    expect((await ingest.post({ identities: [{ source, eventId }] }, { path, key })).body.results[0].found).toBe(true);
    const answer = await ingest.post({ identities: [{ source, eventId, tenantId: 'other' }] }, { path, key });
    expectProblem(answer, 403, 'tenant_forbidden');
    expect(answer.body.errors[0].pointer).toBe('/identities/0/tenantId');
  });
});
