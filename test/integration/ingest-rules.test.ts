/**
 * What a configuration adds at the ingest: schemas by action, and redaction before anything is stored. Real: PostgreSQL, HTTP;
 * a trigger on audit.record refuses the events that a test names. Fake: nothing.
 */
import { randomUUID } from 'node:crypto';
import { leafHash } from '../../src/application/audit/leaf-hash.js';
import type { AuditEvent, JsonObject } from '../../src/contract/audit-dto.js';
import { FAILED_INGEST_PATH } from '../../src/contract/failed-ingest-api.js';
import type { IngestConfig } from '../../src/contract/ingest-config.js';
import {
  type Answer,
  event,
  expectProblem,
  FINGERPRINT_KEYS,
  startIngest,
  startIngestOn,
  type TestIngest,
} from './ingest-set-up.js';

const RULES: IngestConfig = {
  schemas: {
    'auth.user.signed_in': {
      type: 'object',
      required: ['password'],
      properties: { password: { type: 'string', minLength: 12 } },
    },
    'auth.user.signed_in@2': { type: 'object' },
  },
  redaction: { keys: ['diagnosis'], patterns: [/case-\d+/g] },
};
const SECRET = 'correct horse battery staple';
const CE = { 'Content-Type': 'application/cloudevents+json' };

let ingest: TestIngest;
let operator: string;
beforeAll(async () => {
  ingest = await startIngest({ ingest: RULES });
  operator = await ingest.key(['dlq:write']);
  await ingest.pool.query(`
    CREATE TABLE public.refused (event_id text);
    CREATE FUNCTION public.stand_in_the_way() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF EXISTS (SELECT FROM public.refused r WHERE r.event_id = NEW.event_id) THEN RAISE EXCEPTION 'refused: %', NEW.body; END IF;
      RETURN NEW;
    END $$;
    CREATE TRIGGER stand_in_the_way BEFORE INSERT ON audit.record FOR EACH ROW EXECUTE FUNCTION public.stand_in_the_way()`);
});
afterAll(() => ingest.stop());
afterEach(() => ingest.pool.query('TRUNCATE public.refused'));

const withSecret = (overrides: Partial<AuditEvent> = {}): AuditEvent =>
  event({
    action: 'user.created',
    data: { password: SECRET, diagnosis: SECRET, text: 'see case-4711', name: 'Ada' },
    changes: [{ field: '/password', old: SECRET, new: SECRET }],
    metadata: { apiKey: SECRET },
    ...overrides,
  });

const recordOf = async (eventId: string) =>
  (await ingest.pool.query('SELECT * FROM audit.record WHERE event_id = $1', [eventId])).rows[0];
const failedOf = async (eventId: string) =>
  (await ingest.pool.query('SELECT * FROM audit.failed_ingest WHERE event_id = $1', [eventId])).rows[0];
const refuse = (eventId: string) => ingest.pool.query('INSERT INTO public.refused VALUES ($1)', [eventId]);
const mend = () => ingest.pool.query('TRUNCATE public.refused');
const retry = (id: string, on = ingest): Promise<Answer> =>
  on.post({ reason: 'tested' }, { path: `${FAILED_INGEST_PATH}/${id}/retry`, key: operator });

/** Every row of every table of the schema, as text. */
async function everythingStored(): Promise<string> {
  const { rows } = await ingest.pool.query(
    `SELECT (SELECT string_agg(r::text, '') FROM audit.record r) || coalesce((SELECT string_agg(f::text, '') FROM audit.failed_ingest f), '')
       || (SELECT string_agg(k::text, '') FROM audit.record_key k) AS text`,
  );
  return rows[0].text;
}

describe('redaction before anything is stored', () => {
  it('takes secrets out of data, changes and metadata; the leaf is over what is stored', async () => {
    const one = withSecret();
    const answer = await ingest.post(one);
    expect(answer.status).toBe(201);
    const row = await recordOf(one.eventId);
    expect(row.body).toMatchObject({
      data: { password: '[redacted]', diagnosis: '[redacted]', text: 'see [redacted]', name: 'Ada' },
      changes: [{ field: '/password', old: '[redacted]', new: '[redacted]', redacted: true }],
      metadata: { apiKey: '[redacted]', redacted: '/password /diagnosis /text /metadata/apiKey' },
    });
    const hash = leafHash({
      recordId: row.record_id,
      recordedAt: row.recorded_at.toISOString(),
      tenantId: row.tenant_id,
      via: row.via,
      keyId: row.key_id,
      leafVersion: 1,
      salt: row.salt.toString('hex'),
      event: row.body,
    });
    expect(answer.body.hash).toBe(`sha-256:${hash.toString('hex')}`);
    expect(await everythingStored()).not.toContain(SECRET);
  });

  it('comes after the fingerprint: the same is a replay, another secret under the id is other content', async () => {
    const one = withSecret();
    const answer = await ingest.post(one);
    expect((await ingest.post(one)).body).toEqual({ ...answer.body, replayed: true });
    const other = { ...one, data: { ...one.data, password: 'another secret altogether' } };
    expectProblem(await ingest.post(other), 422, 'identity_conflict');
    const { results } = (await ingest.post([one, other])).body;
    expect(results.map(({ status }: { status: number }) => status)).toEqual([200, 422]);
  });

  it('by other rules, later: a resend is still a replay, and the record is as first stored', async () => {
    const one = withSecret();
    await ingest.post(one);
    const later = await startIngestOn(ingest.auditUrl, { ingest: { redaction: { keys: ['name'] } } });
    try {
      expect((await later.post(one)).status).toBe(200);
      expect((await recordOf(one.eventId)).body.data).toMatchObject({ name: 'Ada', diagnosis: '[redacted]' });
    } finally {
      await later.stop();
    }
  });

  it('is for CloudEvents, batches and our own outbox, too', async () => {
    const cloud = {
      specversion: '1.0',
      id: randomUUID(),
      source: '/s',
      type: 'user.created',
      data: { secret: SECRET },
    };
    expect((await ingest.post({ ...cloud, token: SECRET }, { headers: CE })).status).toBe(201);
    expect((await recordOf(cloud.id)).body).toMatchObject({
      data: { secret: '[redacted]' },
      metadata: { token: '[redacted]' },
    });
    const [a, b] = [withSecret(), withSecret()];
    expect((await ingest.post([a, b])).status).toBe(207);
    const outbox = withSecret({ contentHash: `sha-256:${'ab'.repeat(32)}` });
    const key = await ingest.key(['audit:write:any-tenant']);
    expect((await ingest.post(outbox, { key })).status).toBe(201);
    expect(await everythingStored()).not.toContain(SECRET);
  });
});

describe('what could not be stored', () => {
  async function failed(one: AuditEvent | JsonObject, headers = {}): Promise<string> {
    await refuse(((one as AuditEvent).eventId ?? (one as JsonObject).id) as string);
    const answer = await ingest.post(one, { headers });
    expectProblem(answer, 500, 'internal');
    return answer.body.failedIngestId;
  }

  it('R28: is kept redacted, and no log line holds what was taken out', async () => {
    const one = withSecret();
    await failed(one);
    const { body } = await failedOf(one.eventId);
    expect(JSON.parse(body)).toMatchObject({ eventId: one.eventId, data: { password: '[redacted]', name: 'Ada' } });
    expect(await everythingStored()).not.toContain(SECRET);
    expect(JSON.stringify(ingest.logs)).not.toContain(SECRET);
  });

  it("R28: gets the fingerprint of what was sent by a retry, so that the sender's resend is a replay", async () => {
    const one = withSecret();
    const id = await failed(one);
    await mend();
    const answer = await retry(id);
    expect(answer.body.outcome).toBe('stored');
    expect((await failedOf(one.eventId)).state).toBe('stored');
    expect((await ingest.post(one)).body).toMatchObject({ ...answer.body.receipt, replayed: true });
    expectProblem(await ingest.post({ ...one, data: { password: 'another' } }), 422, 'identity_conflict');
  });

  it('R28: is closed when its sender sends it again, and told by a retry where the record stood before', async () => {
    const [resent, other] = [withSecret(), withSecret()];
    const ids = [await failed(resent), await failed(other)];
    await mend();
    expect((await ingest.post(resent)).status).toBe(201);
    expect((await failedOf(resent.eventId)).state).toBe('stored');
    expectProblem(await retry(ids[0] as string), 409, 'not_open');
    await ingest.post({ ...other, data: { password: 'another' } });
    expect((await failedOf(other.eventId)).state).toBe('other_content');
  });

  it('R28: a CloudEvent without a time is stored by a retry with the time of its first sending, and its resend is a replay', async () => {
    const cloud = {
      specversion: '1.0',
      id: randomUUID(),
      source: '/s',
      type: 'user.created',
      data: { secret: SECRET },
    };
    const id = await failed(cloud, CE);
    const kept = JSON.parse((await failedOf(cloud.id)).body);
    await mend();
    expect((await retry(id)).body.outcome).toBe('stored');
    expect((await recordOf(cloud.id)).body).toEqual(kept);
    expect((await ingest.post(cloud, { headers: CE })).status).toBe(200);
  });

  it('R28: is not judged where only a redacted body and another key are left to compare by', async () => {
    const [one, plain] = [withSecret(), event({ action: 'user.created' })];
    const ids = [await failed(one), await failed(plain)] as [string, string];
    await mend();
    const rotated = await startIngestOn(ingest.auditUrl, {
      fingerprintKeys: [{ id: 'k-new', secret: 'another-secret-of-the-test' }, ...FINGERPRINT_KEYS],
    });
    try {
      for (const each of [one, plain]) expect((await rotated.post(each)).status).toBe(201);
      expectProblem(await retry(ids[0], rotated), 500, 'still_failing');
      expect(await failedOf(one.eventId)).toMatchObject({ state: 'open', code: 'IncomparableError', tries: 2 });
      expect((await retry(ids[1], rotated)).body.outcome).toBe('stored'); // its body is all that was sent
    } finally {
      await rotated.stop();
    }
  });

  it('R26: is not stored under a fingerprint whose key is gone: nobody could ever compare it', async () => {
    const one = withSecret();
    const id = await failed(one);
    await mend();
    const without = await startIngestOn(ingest.auditUrl, {
      fingerprintKeys: [{ id: 'k-only', secret: 'the-only-secret-of-the-test' }],
    });
    try {
      expectProblem(await retry(id, without), 503, 'store_unavailable');
      expect(await recordOf(one.eventId)).toBeUndefined();
    } finally {
      await without.stop();
    }
  });
});

describe('the schema of an action', () => {
  const good = { password: 'twelve letters' };
  const pointersOf = (problem: { errors: { pointer: string }[] }) => problem.errors.map(({ pointer }) => pointer);

  it('refuses what does not fit, by pointers and without its values, and stores nothing of it', async () => {
    const one = event({ data: { password: 'hunter2' } });
    const answer = await ingest.post(one);
    expectProblem(answer, 422, 'invalid_event');
    expect(answer.body.retryable).toBe(false);
    expect(pointersOf(answer.body)).toEqual(['/data/password']);
    expect(pointersOf((await ingest.post(event())).body)).toEqual(['/data/password']);
    expect(JSON.stringify([answer.body, ingest.logs])).not.toContain('hunter2');
    expect(await recordOf(one.eventId)).toBeUndefined();
    expect(await failedOf(one.eventId)).toBeUndefined();
  });

  it('is held against what was sent, before it is redacted', async () => {
    const one = event({ data: good });
    expect((await ingest.post(one)).status).toBe(201);
    expect((await recordOf(one.eventId)).body.data).toEqual({ password: '[redacted]' });
  });

  it('is by version, and another action has none', async () => {
    expect((await ingest.post(event({ actionVersion: 2, data: {} }))).status).toBe(201);
    expect((await ingest.post(event({ action: 'auth.user.signed_out', data: {} }))).status).toBe(201);
  });

  it('answers for one item of a batch, and in the terms of the format', async () => {
    const { results } = (await ingest.post([event({ data: good }), event({ data: {} })])).body;
    expect(results).toMatchObject([{ status: 201 }, { status: 422, problem: { code: 'invalid_event' } }]);
    const cloud = { specversion: '1.0', id: randomUUID(), source: '/s', type: 'auth.user.signed_in.v1', data: {} };
    expect(pointersOf((await ingest.post(cloud, { headers: CE })).body)).toEqual(['/data/password']);
    const dto = event({ data: {}, eventId: cloud.id, source: '/s' });
    const wrapped = { ...cloud, dataschema: 'urn:temporal-outbox:audit:v1', data: dto };
    expect(pointersOf((await ingest.post(wrapped, { headers: CE })).body)).toEqual(['/data/data/password']);
  });

  it('is our own outbox’s, too; a foreign tenant is told before it', async () => {
    const key = await ingest.key(['audit:write:any-tenant']);
    expectProblem(await ingest.post(event({ data: {} }), { key }), 422, 'invalid_event');
    expectProblem(await ingest.post(event({ data: {}, tenantId: 't-x' })), 403, 'tenant_forbidden');
  });
});
