/**
 * R28: what the audit log cannot store for a reason of its own. Real: PostgreSQL, HTTP, and the reasons: a trigger on
 * audit.record that refuses the events a test names, locks held in a second session, sessions that the server ends. Fake:
 * in two tests the moment at which an event is kept is held back at the port, so that another request comes in between.
 */
import { randomUUID } from 'node:crypto';
import { jest } from '@jest/globals';
import pg from 'pg';
import { createIngestRules } from '../../src/application/audit/ingest-rules.js';
import type { FailedIngestStore } from '../../src/application/audit/ports.js';
import { recordAuditLog } from '../../src/application/audit/record-audit-log.js';
import { type AuditEvent, parseAuditEvent } from '../../src/contract/audit-dto.js';
import {
  FAILED_INGEST_PATH,
  failedIngestFoundSchema,
  failedIngestListSchema,
  failedIngestRetriedSchema,
} from '../../src/contract/failed-ingest-api.js';
import type { ApiKey } from '../../src/domain/audit/api-key.js';
import { eventually } from '../support/eventually.js';
import { NOT_THE_DATE } from '../support/fake-date.js';
import { openConnections } from '../support/open-connections.js';
import {
  type Answer,
  event,
  expectProblem,
  FINGERPRINT_KEYS,
  sent,
  startIngest,
  startIngestOn,
  type TestIngest,
} from './ingest-set-up.js';

let ingest: TestIngest;
let operator: string;
/** Holds the advisory locks that held events wait for. */
let holder: pg.Client;

beforeAll(async () => {
  ingest = await startIngest();
  operator = await ingest.key(['dlq:write']);
  holder = new pg.Client({ connectionString: ingest.auditUrl });
  await holder.connect();
  // What refuses is the database itself, and its sentence quotes the whole event, as sentences of triggers do.
  await ingest.pool.query(`
    CREATE TABLE public.refused (event_id text);
    CREATE TABLE public.held (event_id text);
    CREATE FUNCTION public.stand_in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM public.held h WHERE h.event_id = NEW.event_id) THEN PERFORM pg_advisory_xact_lock(28); END IF;
      IF TG_TABLE_NAME <> 'failed_ingest' AND EXISTS (SELECT FROM public.refused r WHERE r.event_id = NEW.event_id) THEN
        RAISE EXCEPTION 'refused: %', NEW.body;
      END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER stand_in_the_way BEFORE INSERT ON audit.record FOR EACH ROW EXECUTE FUNCTION public.stand_in_the_way()`);
});
afterAll(async () => {
  await holder.end();
  await ingest.stop();
});
afterEach(() => mend());

const refuse = (...events: AuditEvent[]) =>
  ingest.pool.query('INSERT INTO public.refused SELECT unnest($1::text[])', [events.map(({ eventId }) => eventId)]);
const hold = async (one: AuditEvent) => {
  await holder.query('SELECT pg_advisory_lock(28)');
  await ingest.pool.query('INSERT INTO public.held VALUES ($1)', [one.eventId]);
};
const letGo = () => holder.query('SELECT pg_advisory_unlock_all()');
async function mend(): Promise<void> {
  await ingest.pool.query('TRUNCATE public.refused, public.held');
  await letGo();
}

interface Row {
  readonly id: string;
  readonly [column: string]: unknown;
}
const rowsOf = async ({ eventId }: AuditEvent): Promise<Row[]> =>
  (await ingest.pool.query('SELECT * FROM audit.failed_ingest WHERE event_id = $1 ORDER BY id', [eventId])).rows;
const recordsOf = async ({ eventId }: AuditEvent) =>
  (await ingest.pool.query('SELECT * FROM audit.record WHERE event_id = $1', [eventId])).rows;

/** The session of the api that waits for the holder. */
const waitingSession = () =>
  eventually('a statement of the api to wait for the holder', async () => {
    const { rows } = await ingest.pool.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`,
    );
    return rows[0]?.pid;
  });
const endSession = async (pid: number) => {
  await ingest.pool.query('SELECT pg_terminate_backend($1)', [pid]);
};

function expectFailed(answer: Answer): string {
  expectProblem(answer, 500, 'internal');
  expect(answer.body.retryable).toBe(true);
  return answer.body.failedIngestId;
}

/** An event that could not be stored, under its id. */
async function failed(one = event(), key?: string): Promise<{ one: AuditEvent; id: string }> {
  await refuse(one);
  return { one, id: expectFailed(await ingest.post(one, key === undefined ? {} : { key })) };
}

const ask = (path: string, key = operator) =>
  ingest.post('', { method: 'GET', path: `${FAILED_INGEST_PATH}${path}`, key });
const act = (id: string, verb: string, body: unknown = { reason: 'tested' }, key = operator) =>
  ingest.post(body, { path: `${FAILED_INGEST_PATH}/${id}/${verb}`, key });

describe('R28: an event that cannot be stored', () => {
  it('R28: is answered 500, retryable, with the id under which it is kept as it was sent', async () => {
    const key = await ingest.key(['audit:write'], 't-1');
    const one = event({ data: { text: '</script><b>\u202e', n: 0.1 } });
    const { id } = await failed(one, key);
    expect(await recordsOf(one)).toEqual([]);
    const [row, ...more] = await rowsOf(one);
    expect(more).toEqual([]);
    expect(row).toMatchObject({
      id,
      tenant_id: 't-1',
      source: one.source,
      code: 'P0001',
      message: 'PostgreSQL: SQLSTATE P0001, function stand_in_the_way',
      tries: 1,
      state: 'open',
      state_at: null,
    });
    expect(JSON.parse(row?.body as string)).toEqual(one);
    const { rows } = await ingest.pool.query('SELECT prefix FROM audit.api_key WHERE id = $1', [row?.key_id]);
    expect(rows).toEqual([{ prefix: key.slice(4, 12) }]);
  });

  it('R28: leaves no word of it in the log and the answer, though the error quotes it', async () => {
    const secret = 'hunter2-secret';
    const { id } = await failed(event({ outcomeReason: secret, data: { [secret]: [secret] } }));
    const lines = ingest.logs.filter(({ fields }) => fields.failedIngestId === id);
    expect(lines).toMatchObject([{ level: 'error', fields: { event: 'ingest.failed', failure: { code: 'P0001' } } }]);
    expect(lines[0]?.fields.frames).toContainEqual(expect.stringMatching(/^at /));
    const { rows } = await ingest.pool.query('SELECT message, code FROM audit.failed_ingest WHERE id = $1', [id]);
    expect(JSON.stringify([ingest.logs, rows])).not.toContain(secret);
  });

  it('R28: sent again it is the same row, counted', async () => {
    const { one, id } = await failed();
    expect(expectFailed(await ingest.post(one))).toBe(id);
    expect(await rowsOf(one)).toMatchObject([{ id, tries: 2, state: 'open' }]);
  });

  it('R28: is kept whole where its JSON is four times as long as what was sent, and can be stored from there', async () => {
    const one = event({ data: { n: [] } });
    await refuse(one);
    const sent = JSON.stringify(one).replace('"n":[]', `"n":[${Array.from({ length: 13_000 }, () => '9e15').join()}]`);
    const id = expectFailed(await ingest.post(sent));
    expect(String((await rowsOf(one))[0]?.body).length).toBeGreaterThan(200_000);
    await mend();
    expect((await act(id, 'retry')).body.outcome).toBe('stored');
    expect((await ingest.post(sent)).status).toBe(200);
  });

  it('R28: twenty at once are one row under one id', async () => {
    await openConnections(ingest.pool, 20);
    const one = event();
    await refuse(one);
    const ids = await Promise.all(Array.from({ length: 20 }, async () => expectFailed(await ingest.post(one))));
    expect(await rowsOf(one)).toMatchObject([{ id: ids[0], tries: 20 }]);
    expect(new Set(ids).size).toBe(1);
  });

  it('R28: in a batch only the culprits fail and are kept, each by its own content', async () => {
    const good = Array.from({ length: 7 }, () => event());
    const [culprit, other] = [event(), event()];
    const otherContent = { ...culprit, outcome: 'failure' as const };
    await refuse(culprit, other);
    const batch = [good[0], culprit, good[1], good[2], otherContent, good[3], good[4], other, good[5], good[6], {}];
    const answer = await ingest.post(batch);
    expect(answer.status).toBe(207);
    const results = answer.body.results as { status: number; problem?: { code: string; failedIngestId?: string } }[];
    expect(results.map(({ status }) => status)).toEqual([201, 500, 201, 201, 500, 201, 201, 500, 201, 201, 422]);
    const kept = [...(await rowsOf(culprit)), ...(await rowsOf(other))];
    expect(kept.map(({ body }) => JSON.parse(body as string))).toEqual([culprit, otherContent, other]);
    const ids = results.filter(({ status }) => status === 500).map(({ problem }) => problem?.failedIngestId);
    expect(ids).toEqual(kept.map(({ id }) => id));
    for (const one of good) {
      expect(await recordsOf(one)).toHaveLength(1);
      expect(await rowsOf(one)).toEqual([]);
    }
  });

  it('R28: from our own outbox is answered 500 and not kept: its dead letters keep it', async () => {
    const key = await ingest.key(['audit:write:any-tenant']);
    const [one, good] = [event(), event()];
    await refuse(one);
    expect(expectFailed(await ingest.post(one, { key }))).toBeUndefined();
    const answer = await ingest.post([one, good], { key });
    expect(answer.body.results.map(({ status }: { status: number }) => status)).toEqual([500, 201]);
    expect(await rowsOf(one)).toEqual([]);
    expect(ingest.logs.at(-1)?.fields).toMatchObject({ event: 'ingest.failed', failedIngestId: null });
  });

  it('R28: no header makes a caller our outbox, or an operator', async () => {
    const one = event();
    await refuse(one);
    const headers = { Via: 'outbox', 'X-Outbox': 'true', 'X-Scope': 'audit:write:any-tenant dlq:write' };
    expect(expectFailed(await ingest.post(one, { headers }))).toEqual(expect.any(String));
    expectProblem(await ingest.post('', { method: 'GET', path: FAILED_INGEST_PATH, headers }), 403, 'scope_missing');
  });

  it('R28: that cannot be kept either is told so without an id, and stops nothing else of its batch', async () => {
    const [one, good] = [event(), event()];
    await refuse(one);
    await ingest.pool.query(
      `ALTER TABLE audit.failed_ingest ADD CONSTRAINT never CHECK (event_id <> '${one.eventId}')`,
    );
    try {
      const answer = await ingest.post([one, good]);
      expect(answer.body.results).toMatchObject([{ status: 500, problem: { code: 'internal' } }, { status: 201 }]);
      expect(answer.body.results[0].problem).not.toHaveProperty('failedIngestId');
    } finally {
      await ingest.pool.query('ALTER TABLE audit.failed_ingest DROP CONSTRAINT never');
    }
    expect(ingest.logs.at(-1)).toMatchObject({ level: 'error', fields: { keeping: { code: '23514' } } });
  });
});

describe('R28: the database goes away', () => {
  it('R28: in the middle of the write: 503 with Retry-After, nothing stored and nothing kept', async () => {
    const one = event();
    await hold(one);
    const answer = ingest.post(one);
    await endSession(await waitingSession());
    expectProblem(await answer, 503, 'store_unavailable');
    expect((await answer).headers.get('retry-after')).toMatch(/^\d+$/);
    expect([await recordsOf(one), await rowsOf(one)]).toEqual([[], []]);
  });

  it('R28: while the event is being kept: 503 with Retry-After, no id of a row that is not there', async () => {
    const one = event();
    await refuse(one);
    await hold(one);
    // Only keeping waits: the record is refused before.
    await ingest.pool.query(`
      ALTER TABLE audit.record DISABLE TRIGGER stand_in_the_way;
      ALTER TABLE audit.record ADD CONSTRAINT refused CHECK (event_id <> '${one.eventId}');
      CREATE TRIGGER stand_in_the_way BEFORE INSERT ON audit.failed_ingest
        FOR EACH ROW EXECUTE FUNCTION public.stand_in_the_way()`);
    try {
      const answer = ingest.post(one);
      await endSession(await waitingSession());
      expectProblem(await answer, 503, 'store_unavailable');
      expect((await answer).headers.get('retry-after')).toMatch(/^\d+$/);
      expect(await rowsOf(one)).toEqual([]);
      await letGo();
      const id = expectFailed(await ingest.post(one));
      expect(await rowsOf(one)).toMatchObject([{ id, tries: 1, code: '23514' }]);
    } finally {
      await ingest.pool.query(`
        DROP TRIGGER stand_in_the_way ON audit.failed_ingest;
        ALTER TABLE audit.record DROP CONSTRAINT refused;
        ALTER TABLE audit.record ENABLE TRIGGER stand_in_the_way`);
    }
  });
});

describe('R28: once it can be stored', () => {
  it('R28: the transaction that stores the record closes the row, and nothing else does', async () => {
    const { one, id } = await failed();
    await mend();
    await hold(one);
    const cut = ingest.post(one);
    const session = await waitingSession();
    expect(await rowsOf(one)).toMatchObject([{ state: 'open' }]);
    await endSession(session);
    expectProblem(await cut, 503, 'store_unavailable');
    expect([await recordsOf(one), await rowsOf(one)]).toMatchObject([[], [{ id, state: 'open', tries: 1 }]]);

    await mend();
    expect((await ingest.post([event(), one])).body.results[1].status).toBe(201);
    const { rows } = await ingest.pool.query(
      `SELECT f.state, f.state_at IS NOT NULL AS dated, f.xmin::text = r.xmin::text AS one_transaction
       FROM audit.failed_ingest f JOIN audit.record r USING (event_id) WHERE f.id = $1`,
      [id],
    );
    expect(rows).toEqual([{ state: 'stored', dated: true, one_transaction: true }]);
    expect((await ingest.post(one)).status).toBe(200);
  });

  it('R28: another content that takes the identity closes the row as other_content', async () => {
    const { one, id } = await failed();
    await mend();
    expect((await ingest.post({ ...one, outcome: 'failure' })).status).toBe(201);
    expect(await rowsOf(one)).toMatchObject([{ id, state: 'other_content' }]);
    expectProblem(await act(id, 'retry'), 409, 'not_open');
    expectProblem(await ingest.post(one), 422, 'identity_conflict');
  });

  it('R28: the same id in another tenant closes nothing', async () => {
    const { one } = await failed();
    await mend();
    expect((await ingest.post(one, { key: await ingest.key(['audit:write'], 't-other') })).status).toBe(201);
    expect(await rowsOf(one)).toMatchObject([{ state: 'open' }]);
  });

  const key: ApiKey = {
    id: randomUUID(),
    name: 'x',
    prefix: 'x',
    scopes: ['audit:write'],
    tenantId: null,
    ratePerMinute: null,
  };
  const keepingAfter = (meanwhile: () => Promise<unknown>) => {
    const keep: FailedIngestStore['keep'] = async (kept) => {
      await meanwhile();
      return ingest.failedIngest.keep(kept);
    };
    const failedIngest = { ...ingest.failedIngest, keep };
    return recordAuditLog({
      store: ingest.store,
      failedIngest,
      fingerprintKeys: FINGERPRINT_KEYS,
      rules: createIngestRules(),
      log: { error: () => undefined },
    });
  };

  it('R28: a request that failed while another one stored the event answers as a replay and keeps nothing', async () => {
    const one = event();
    await refuse(one);
    let first: Promise<Answer> | undefined;
    const record = keepingAfter(async () => {
      await mend();
      first ??= ingest.post(one);
      expect((await first).status).toBe(201);
    });
    const other = { ...one, outcome: 'failure' as const };
    const outcomes = await record({ key, now: new Date(), events: [sent(one), sent(other)] });
    expect(outcomes.map(({ kind }) => kind)).toEqual(['replayed', 'conflict']);
    expect(await rowsOf(one)).toEqual([]);
  });

  it('R28: what was kept while its record was under way stays open, and its retry says that it stands', async () => {
    const one = event();
    await refuse(one);
    let stored: Promise<Answer> | undefined;
    const record = keepingAfter(async () => {
      await mend();
      await hold(one);
      stored = ingest.post(one);
      await waitingSession();
    });
    const [outcome] = await record({ key, now: new Date(), events: [sent(one)] });
    await letGo();
    expect((await stored)?.status).toBe(201);
    expect(await rowsOf(one)).toMatchObject([{ state: 'open' }]);
    const id = (outcome as { failedIngestId: string }).failedIngestId;
    expect((await act(id, 'retry')).body).toMatchObject({
      outcome: 'stored',
      receipt: (({ replayed, ...receipt }) => receipt)((await stored)?.body),
    });
    expect(await rowsOf(one)).toMatchObject([{ state: 'stored' }]);
  });

  it('R28: after a change of the fingerprint key the retry tells the same content from another', async () => {
    const [same, other] = [await failed(), await failed()];
    await mend();
    const rotated = await startIngestOn(ingest.auditUrl, {
      fingerprintKeys: [{ id: 'k28', secret: 'another-secret-of-the-test' }, ...FINGERPRINT_KEYS],
    });
    try {
      expect((await rotated.post(same.one)).status).toBe(201);
      expect((await rotated.post({ ...other.one, outcome: 'failure' })).status).toBe(201);
      const path = (id: string) => ({ path: `${FAILED_INGEST_PATH}/${id}/retry`, key: operator });
      expect((await rotated.post({ reason: 'x' }, path(same.id))).body.outcome).toBe('stored');
      expect((await rotated.post({ reason: 'x' }, path(other.id))).body).toEqual({ outcome: 'other_content' });
      expect(await rowsOf(other.one)).toMatchObject([{ state: 'other_content' }]);
    } finally {
      await rotated.stop();
    }
  });
});

describe('R28: retry', () => {
  it('R28: stores it as its sender did, in one transaction with the row, and writes down who asked', async () => {
    const sender = await ingest.key(['audit:write'], 't-sender');
    const { one, id } = await failed(event(), sender);
    await mend();
    const answer = await act(id, 'retry', { reason: 'the trigger is gone' });
    expect(answer.status).toBe(200);
    const retried = failedIngestRetriedSchema.parse(answer.body);
    const [record] = await recordsOf(one);
    expect(retried).toMatchObject({ outcome: 'stored', receipt: { recordId: record.record_id, eventId: one.eventId } });
    const [row] = await rowsOf(one);
    expect(record).toMatchObject({ tenant_id: 't-sender', via: 'api', key_id: row?.key_id, body: one });
    expect(row).toMatchObject({ state: 'stored', reason: 'the trigger is gone' });
    expect(row?.actor).toMatch(/^api-key:[0-9a-f-]{36}$/);
    expect(row?.actor).not.toBe(`api-key:${row?.key_id}`);
    // The sender's own resend finds it.
    expect((await ingest.post(one, { key: sender })).body).toMatchObject({
      recordId: record.record_id,
      replayed: true,
    });
  });

  it('R28: that fails again is a 500 with the id, counted, and leaves it open', async () => {
    const { one, id } = await failed();
    const again = await act(id, 'retry');
    expectProblem(again, 500, 'still_failing');
    expect([again.body.failedIngestId, again.body.retryable]).toEqual([id, true]);
    expect(await rowsOf(one)).toMatchObject([
      { state: 'open', tries: 2, reason: 'tested', message: expect.any(String) },
    ]);
  });

  it('R28: ten at once make one record, and all say so', async () => {
    const { one, id } = await failed();
    await mend();
    const answers = await Promise.all(Array.from({ length: 10 }, () => act(id, 'retry')));
    const stored = answers.filter(({ status }) => status === 200);
    expect(stored.length).toBeGreaterThan(0);
    for (const answer of answers.filter(({ status }) => status !== 200)) expectProblem(answer, 409, 'not_open');
    expect(new Set(stored.map(({ body }) => body.receipt.recordId)).size).toBe(1);
    expect(await recordsOf(one)).toHaveLength(1);
    expect(await rowsOf(one)).toMatchObject([{ state: 'stored' }]);
  });

  it.each([
    ['no JSON', '{"eventId":', ''],
    ['no event', '{"eventId":7}', '/specVersion'],
  ])('R28: of a row whose body is %s is refused by name, and leaves it open', async (_, body, pointer) => {
    const { one, id } = await failed();
    await mend();
    await ingest.pool.query('UPDATE audit.failed_ingest SET body = $2 WHERE id = $1', [id, body]);
    const answer = await act(id, 'retry');
    expectProblem(answer, 422, 'invalid_event');
    expect(answer.body.errors.map((error: { pointer: string }) => error.pointer)).toContain(pointer);
    expect(await rowsOf(one)).toMatchObject([{ state: 'open', tries: 1 }]);
  });
});

describe('R28: discard', () => {
  it('R28: closes the row with who and why, and deletes nothing; failing again is a row of its own', async () => {
    const { one, id } = await failed();
    const answer = await act(id, 'discard', { reason: 'a test run' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id, state: 'discarded', reason: 'a test run' });
    expect(await rowsOf(one)).toMatchObject([{ id, state: 'discarded', body: '' }]);
    for (const verb of ['discard', 'retry']) expectProblem(await act(id, verb), 409, 'not_open');
    const again = expectFailed(await ingest.post(one));
    expect(await rowsOf(one)).toMatchObject([
      { id, state: 'discarded' },
      { id: again, state: 'open' },
    ]);
  });

  it.each([
    ['no reason', {}],
    ['an empty one', { reason: '' }],
    ['one of 1,001 characters', { reason: 'x'.repeat(1_001) }],
    ['a number', { reason: 7 }],
    ['one that PostgreSQL cannot hold', { reason: 'a\u0000b' }],
    ['an actor of its own', { reason: 'x', actor: 'me' }],
  ])('R28: %s is answered 422 and does nothing', async (_, body) => {
    const { one, id } = await failed();
    for (const verb of ['discard', 'retry']) expectProblem(await act(id, verb, body), 422, 'invalid_request');
    expect(await rowsOf(one)).toMatchObject([{ state: 'open', actor: null }]);
  });
});

describe('R28: looking', () => {
  it('R28: pages through a state from the newest, without bodies, and shows one with its body as text', async () => {
    const tenant = `t-${randomUUID()}`;
    const sender = await ingest.key(['audit:write'], tenant);
    const reader = await ingest.key(['dlq:read'], tenant);
    const all: { one: AuditEvent; id: string }[] = [];
    for (let i = 0; i < 5; i++) all.push(await failed(event({ data: { text: '<script>\u2028\u202e' } }), sender));
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let next: string | null = ''; next !== null; ) {
      const page: Answer = await ask(`?limit=2${next === '' ? '' : `&before=${next}`}`, reader);
      const { items, next: after } = failedIngestListSchema.parse(page.body);
      expect(page.body.items[0]).not.toHaveProperty('body');
      seen.push(...items.map(({ id }) => id));
      sizes.push(items.length);
      next = after;
    }
    expect(seen).toEqual(all.map(({ id }) => id).reverse());
    expect(sizes).toEqual([2, 2, 1]);
    expect((await ask('?state=stored', reader)).body).toEqual({ items: [], next: null });

    const [first] = all;
    const answer = await ask(`/${first?.id}`, reader);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const found = failedIngestFoundSchema.parse(answer.body);
    expect(found).toMatchObject({ id: first?.id, tenantId: tenant, state: 'open', tries: 1 });
    expect(JSON.parse(found.body ?? '')).toEqual(first?.one);
  });

  it.each(['?limit=0', '?limit=201', '?limit=x', '?state=gone', '?before=x', '?tenant=t', '?state=open&state=stored'])(
    'R28: the query %s is answered 400',
    async (query) => expectProblem(await ask(query), 400, 'invalid_query'),
  );

  it('R28: a key bound to a tenant sees and touches its own only; one bound to none, everybody’s', async () => {
    const { one, id } = await failed(event(), await ingest.key(['audit:write'], 't-mine'));
    const [mine, others] = [await ingest.key(['dlq:write'], 't-mine'), await ingest.key(['dlq:write'], 't-others')];
    const listed = async (key: string) =>
      (await ask('?limit=200', key)).body.items.some((item: { id: string }) => item.id === id);
    expect([await listed(mine), await listed(operator), await listed(others)]).toEqual([true, true, false]);
    expectProblem(await ask(`/${id}`, others), 404, 'not_found');
    for (const verb of ['retry', 'discard'])
      expectProblem(await act(id, verb, { reason: 'x' }, others), 404, 'not_found');
    expect(await rowsOf(one)).toMatchObject([{ state: 'open', actor: null }]);
    expect((await act(id, 'discard', { reason: 'x' }, mine)).status).toBe(200);
  });

  it('R28: needs dlq:read, and dlq:write to change anything', async () => {
    const { one, id } = await failed();
    expectProblem(await ingest.post('', { method: 'GET', path: FAILED_INGEST_PATH, key: null }), 401, 'unauthorized');
    const writer = await ingest.key(['audit:write', 'audit:read']);
    for (const path of ['', `/${id}`]) expectProblem(await ask(path, writer), 403, 'scope_missing');
    const reader = await ingest.key(['dlq:read']);
    for (const path of ['', `/${id}`]) expect((await ask(path, reader)).status).toBe(200);
    for (const verb of ['retry', 'discard']) {
      for (const key of [writer, reader])
        expectProblem(await act(id, verb, { reason: 'x' }, key), 403, 'scope_missing');
    }
    expect(await rowsOf(one)).toMatchObject([{ state: 'open', actor: null }]);
  });

  it('R28: what is not there is a 404, another method a 405', async () => {
    for (const id of [randomUUID(), 'x', "'"]) {
      expectProblem(await ask(`/${id}`), 404, 'not_found');
      for (const verb of ['retry', 'discard']) expectProblem(await act(id, verb), 404, 'not_found');
    }
    for (const [path, allow] of [
      ['', 'GET, HEAD'],
      [`/${randomUUID()}`, 'GET, HEAD'],
      [`/${randomUUID()}/retry`, 'POST'],
      [`/${randomUUID()}/discard`, 'POST'],
    ]) {
      const answer = await ingest.post('', { method: 'DELETE', path: `${FAILED_INGEST_PATH}${path}`, key: operator });
      expectProblem(answer, 405, 'method_not_allowed');
      expect(answer.headers.get('allow')).toBe(allow);
    }
  });
});

describe('R28: what a person did is an audit record', () => {
  const acts = async (id: string) =>
    (
      await ingest.pool.query(
        `SELECT action, tenant_id, actor_type, actor_id, via, key_id, body->>'outcomeReason' AS reason, body->'data' AS data
         FROM audit.record WHERE source = '/audit/failed-ingest' AND body->'targets'->0->>'id' = $1 ORDER BY recorded_at, record_id`,
        [id],
      )
    ).rows;

  it("R28: each retry and discard, of the row's tenant, with who and why; what changed nothing is none", async () => {
    const { one, id } = await failed(event(), await ingest.key(['audit:write'], 't-acts'));
    await act(id, 'retry', { reason: 'too early' });
    await act(id, 'discard', { reason: 'x'.repeat(1_000) });
    expectProblem(await act(id, 'discard'), 409, 'not_open');
    const [row] = await rowsOf(one);
    const keyId = String(row?.actor).replace('api-key:', '');
    const common = {
      tenant_id: 't-acts',
      actor_type: 'apiKey',
      actor_id: `api-key:${keyId}`,
      key_id: keyId,
      via: 'api',
    };
    expect(await acts(id)).toMatchObject([
      { ...common, action: 'audit.failed_ingest.retried', reason: 'too early' },
      { ...common, action: 'audit.failed_ingest.discarded', reason: 'x'.repeat(256) },
    ]);
    expect((await acts(id))[0].data).toEqual({ source: one.source, eventId: one.eventId, code: 'P0001', tries: 1 });
  });

  it('R28: the record is one like any other, and can be read by DTO v1', async () => {
    const { id } = await failed();
    await act(id, 'discard', { reason: 'r' });
    const { rows } = await ingest.pool.query(
      `SELECT r.body, k.leaf_hash FROM audit.record r JOIN audit.record_key k USING (record_id) WHERE r.body->'targets'->0->>'id' = $1`,
      [id],
    );
    expect(parseAuditEvent(rows[0].body, new Date())).toMatchObject({ ok: true });
    expect(rows[0].leaf_hash).toHaveLength(32);
  });

  it("R28: the record has the database's time, whatever this host's clock says", async () => {
    const { one, id } = await failed();
    const { rows: before } = await ingest.pool.query('SELECT clock_timestamp() AS at');
    jest.useFakeTimers({ now: Date.now() - 40 * 86_400_000, doNotFake: NOT_THE_DATE });
    try {
      expect((await act(id, 'retry')).status).toBe(500);
      expect((await act(id, 'discard')).status).toBe(200);
    } finally {
      jest.useRealTimers();
    }
    const { rows } = await ingest.pool.query(
      `SELECT recorded_at, (body->>'occurredAt')::timestamptz AS occurred_at, clock_timestamp() AS after FROM audit.record
       WHERE source = '/audit/failed-ingest' AND body->'targets'->0->>'id' = $1`,
      [id],
    );
    expect(rows).toHaveLength(2);
    for (const { recorded_at, occurred_at, after } of rows) {
      expect(recorded_at).toEqual(occurred_at);
      expect(recorded_at >= before[0].at && recorded_at <= after).toBe(true);
    }
    expect(await rowsOf(one)).toMatchObject([{ state: 'discarded' }]);
  });

  it('R28: nobody acts unrecorded: where the record cannot be written, nothing is changed', async () => {
    const { one, id } = await failed();
    await ingest.pool.query(
      `ALTER TABLE audit.record ADD CONSTRAINT none CHECK (source <> '/audit/failed-ingest') NOT VALID`,
    );
    try {
      for (const verb of ['retry', 'discard']) expect((await act(id, verb)).status).toBe(500);
    } finally {
      await ingest.pool.query('ALTER TABLE audit.record DROP CONSTRAINT none');
    }
    expect(await rowsOf(one)).toMatchObject([{ state: 'open', actor: null, tries: 1 }]);
  });
});

describe('R28: by a filter', () => {
  const many = (verb: string, body: object, key = operator) =>
    ingest.post({ reason: 'mended', ...body }, { path: `${FAILED_INGEST_PATH}/${verb}`, key });
  const NONE = { stored: 0, otherContent: 0, discarded: 0, failed: 0, invalid: 0, notOpen: 0, next: null };
  const source = () => `/sources/${randomUUID()}`;

  it('R28: lists by code, source and time', async () => {
    const [mine, other] = [source(), source()];
    const { id } = await failed(event({ source: mine }));
    await failed(event({ source: other }));
    const at = (await ingest.pool.query('SELECT first_at FROM audit.failed_ingest WHERE id = $1', [id])).rows[0]
      .first_at;
    const ids = async (query: string) =>
      (await ask(`?source=${encodeURIComponent(mine)}&${query}`)).body.items.map((item: { id: string }) => item.id);
    const time = (shiftMs: number) => encodeURIComponent(new Date(at.getTime() + shiftMs).toISOString());
    for (const query of [
      '',
      'code=P0001',
      `since=${time(-1)}`,
      `until=${time(1)}`,
      `since=${time(-1)}&until=${time(1)}`,
    ])
      expect([query, await ids(query)]).toEqual([query, [id]]);
    for (const query of ['code=23514', `since=${time(1)}`, `until=${time(-1)}`])
      expect([query, await ids(query)]).toEqual([query, []]);
    for (const query of ['?since=today', '?code=', '?until=2026-01-01'])
      expectProblem(await ask(query), 400, 'invalid_query');
  });

  it('R28: retries what matches, the oldest first, and counts how each ended', async () => {
    const mine = source();
    const id = randomUUID();
    // Two contents of one identity: the first one is stored.
    const twice = [
      event({ source: mine, eventId: id, data: { n: 1 } }),
      event({ source: mine, eventId: id, data: { n: 2 } }),
    ];
    for (const one of twice) await failed(one);
    const [well, odd] = [await failed(event({ source: mine })), await failed(event({ source: mine }))];
    const { one: elsewhere } = await failed(event());
    await ingest.pool.query(`UPDATE audit.failed_ingest SET body = '7' WHERE id = $1`, [odd.id]);
    await mend();
    const still = await failed(event({ source: mine }));
    expect((await many('retry', { filter: { source: mine }, dryRun: true })).body).toEqual({ ...NONE, matched: 5 });
    expect(await recordsOf(well.one)).toHaveLength(0);
    const begun = (await many('retry', { filter: { source: mine }, cap: 1 })).body;
    expect(begun).toEqual({ ...NONE, matched: 1, next: expect.any(String), stored: 1 });
    // The second content: what stands has the identity, as the store that wrote it has said already.
    expect((await many('retry', { filter: { source: mine } })).body).toEqual({
      ...NONE,
      matched: 3,
      stored: 1,
      failed: 1,
      invalid: 1,
    });
    expect((await rowsOf(twice[0] as AuditEvent)).map(({ state }) => state)).toEqual(['stored', 'other_content']);
    expect((await recordsOf(twice[0] as AuditEvent))[0].body.data).toEqual({ n: 1 });
    for (const one of [still.one, odd.one, elsewhere]) expect(await rowsOf(one)).toMatchObject([{ state: 'open' }]);
    // What fails again stays the oldest: `next` leads past it.
    const second = (await many('retry', { filter: { source: mine }, after: begun.next, cap: 1 })).body;
    expect(second).toEqual({ ...NONE, matched: 1, next: odd.id, invalid: 1 });
    expect((await many('retry', { filter: { source: mine }, after: second.next, cap: 1 })).body).toEqual({
      ...NONE,
      matched: 1,
      failed: 1,
    });
  });

  it('R28: discards what matches; of its tenant only, with dlq:write, and by a filter that says something', async () => {
    const mine = source();
    const sender = await ingest.key(['audit:write'], 't-many');
    const [own, other] = [await failed(event({ source: mine }), sender), await failed(event({ source: mine }))];
    const body = { filter: { source: mine } };
    expectProblem(await many('discard', body, await ingest.key(['dlq:read'])), 403, 'scope_missing');
    const bound = await ingest.key(['dlq:write'], 't-many');
    expect((await many('discard', body, bound)).body).toEqual({ ...NONE, matched: 1, discarded: 1 });
    expect(await rowsOf(own.one)).toMatchObject([{ state: 'discarded', reason: 'mended' }]);
    expect(await rowsOf(other.one)).toMatchObject([{ state: 'open' }]);
    for (const wrong of [
      {},
      { filter: {} },
      { filter: { all: true } },
      { ...body, cap: 0 },
      { ...body, cap: 1_001 },
      { ...body, after: 'x' },
      { ...body, reason: '' },
    ])
      expectProblem(await many('discard', wrong), 422, 'invalid_request');
    expect(await rowsOf(other.one)).toMatchObject([{ state: 'open' }]);
  });
});
