/**
 * How the audit log stands, over HTTP and as the overview's parts. Real: PostgreSQL, HTTP, the sealer, signatures; roles of
 * PostgreSQL. Verifications are rows as a worker leaves them.
 */
import { randomUUID } from 'node:crypto';
import type { AuditOverview } from '../../src/application/audit/monitor/read-audit-overview.js';
import { overviewPartSchema } from '../../src/contract/overview-api.js';
import { AUDIT_STATUS_PATH } from '../../src/contract/verifications-api.js';
import { createPool, type PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { openAuditOverview } from '../../src/main/open-log-monitor.js';
import { createDatabaseRoles } from '../support/database-roles.js';
import { event, expectProblem, startIngest, type TestIngest } from './ingest-set-up.js';
import { newKeys, openLog, tempAnchor, withoutTriggers } from './log-set-up.js';

const keys = newKeys();
const SETTINGS = { auditCheckpointMs: 10_000, auditVerifyHours: 24 };
let ingest: TestIngest;
let reader: string;
let anchored: ReturnType<typeof tempAnchor>;

beforeEach(async () => {
  ingest = await startIngest();
  reader = await ingest.key(['audit:read']);
  anchored = tempAnchor();
});
afterEach(async () => {
  await ingest.stop();
  anchored.remove();
});

const status = (key: string | null = reader) => ingest.post('', { method: 'GET', path: AUDIT_STATUS_PATH, key });
const many = (count: number) => Array.from({ length: count }, () => event());
/** As if they had been recorded a while ago, which is longer than anything waits for the sealer. */
const ageRecords = () =>
  withoutTriggers(ingest.pool, ['record'], () =>
    ingest.pool.query(`UPDATE audit.record SET recorded_at = recorded_at - interval '15 seconds'`),
  );

describe('GET /integration/v1/audit/log/status', () => {
  it('says how many are sealed and how many wait, the newest checkpoint, and nothing else while all is well', async () => {
    expect((await status()).body).toEqual({
      size: 0,
      unsealed: { count: 0, countedUpTo: 10_000, oldestSeconds: null },
      checkpoint: null,
      trouble: [],
      notes: [],
    });
    const log = openLog(ingest.pool, { keys, anchor: anchored.anchor });
    await ingest.post(many(5));
    expect((await status()).body).toMatchObject({ size: 0, unsealed: { count: 5, oldestSeconds: expect.any(Number) } });
    await log.seal();
    await log.checkpoint();
    await ingest.post(many(2));
    expect((await status()).body).toEqual({
      size: 5,
      unsealed: { count: 2, countedUpTo: 10_000, oldestSeconds: expect.any(Number) },
      checkpoint: { branch: 1, size: 5, ageSeconds: expect.any(Number), anchor: anchored.anchor.name },
      trouble: [],
      notes: [],
    });
  });

  it('says what is not as it should be: not sealed for long, not signed, not anchored any more; that it never was, is a note', async () => {
    await ingest.post(many(3));
    await ageRecords();
    const [stalled] = (await status()).body.trouble;
    expect(stalled).toMatch(/^3 records are not sealed, the oldest for \d\d+ s$/);
    const log = openLog(ingest.pool, { keys });
    await log.seal();
    expect((await status()).body).toMatchObject({ unsealed: { count: 0 }, trouble: ['nothing is signed yet'] });
    await log.checkpoint();
    const never = (await status()).body;
    expect([never.trouble, never.notes]).toEqual([[], [expect.stringMatching(/^no checkpoint was ever anchored: /)]]);
    const anchoring = openLog(ingest.pool, { keys, anchor: anchored.anchor });
    await ingest.post(many(1));
    await anchoring.seal();
    await anchoring.checkpoint();
    expect((await status()).body).toMatchObject({ trouble: [], notes: [] });
    await ingest.post(many(1));
    await log.seal();
    await log.checkpoint();
    const stopped = (await status()).body;
    expect([stopped.trouble, stopped.notes]).toEqual([
      ['the newest checkpoint is not anchored, and older ones are'],
      [],
    ]);
  });

  it('is for reading keys of no tenant: who holds up the log is no tenant’s to know', async () => {
    expect((await status(await ingest.key(['audit:read:any-tenant']))).status).toBe(200);
    expectProblem(await status(await ingest.key(['admin'], 'acme')), 403, 'tenant_forbidden');
    for (const scope of ['audit:write', 'dlq:write', 'audit:write:any-tenant'] as const) {
      expectProblem(await status(await ingest.key([scope])), 403, 'scope_missing');
    }
    expectProblem(await status(null), 401, 'unauthorized');
  });
});

describe('the parts of the overview', () => {
  let overview: AuditOverview;
  beforeEach(() => {
    overview = openAuditOverview(ingest.pool, SETTINGS);
  });

  const readAll = async (of: AuditOverview) => {
    const parts = [await of.auditDatabase(), await of.seal(), await of.verification()];
    for (const part of parts) expect(overviewPartSchema.parse(part)).toEqual(part);
    return parts;
  };
  const verified = (fields: Record<string, unknown>) => {
    const row = { id: randomUUID(), asked_by: 'ada', ...fields };
    const names = Object.keys(row);
    const places = names.map((_, at) => `$${at + 1}`);
    return ingest.pool.query(
      `INSERT INTO audit.verification (${names.join(', ')}) VALUES (${places.join(', ')})`,
      Object.values(row),
    );
  };
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  const report = (counts: Record<string, number>) =>
    JSON.stringify({
      ...{ from: 0, to: 9, records: 9, erased: 0, dropped: 0, pending: 0, signedSize: 9, anchoredSize: 9 },
      ...{ counts, breaks: [] },
    });
  const whole = { state: 'done', outcome: 'whole', report: report({}) };
  const broken = { state: 'done', outcome: 'broken', report: report({ deleted: 2, edited: 1 }) };

  it('are ok with their values while all is well; of a log that was never verified there is none', async () => {
    const log = openLog(ingest.pool, { keys, anchor: anchored.anchor });
    await ingest.post(many(4));
    await log.seal();
    await log.checkpoint();
    const [database, seal, verification] = await readAll(overview);
    expect(database).toMatchObject({ name: 'auditDatabase', state: 'ok', value: { tookMs: expect.any(Number) } });
    expect(seal).toMatchObject({
      state: 'ok',
      reason: null,
      value: {
        size: 4,
        unsealed: 0,
        countedUpTo: 10_000,
        oldestSeconds: null,
        checkpoint: { size: 4 },
        trouble: [],
        notes: [],
      },
    });
    expect(verification).toMatchObject({ state: 'ok', reason: null, value: null });
    expect(typeof verification?.at).toBe('string');
  });

  it('say what is wrong with the sealing', async () => {
    await ingest.post(many(3));
    await openLog(ingest.pool, { keys }).seal();
    expect(await overview.seal()).toMatchObject({
      state: 'failing',
      reason: 'nothing is signed yet',
      value: { size: 3, checkpoint: null, trouble: ['nothing is signed yet'] },
    });
  });

  it('are away with the reason where the database does not answer, or does not permit it, and never empty again', async () => {
    const nowhere = createPool('postgresql://postgres@127.0.0.1:1/none', { max: 3 });
    for (const part of await readAll(openAuditOverview(nowhere, SETTINGS))) {
      expect(part).toMatchObject({ state: 'away', at: null, value: null });
      expect(part.reason).toMatch(/^the audit database does not answer: .*ECONNREFUSED/);
    }
    await nowhere.end();

    const roles = await createDatabaseRoles();
    const stranger = createPool(roles.urlAs('viewer', ingest.auditUrl), { max: 3 });
    for (const part of await readAll(openAuditOverview(stranger, SETTINGS))) {
      expect(part).toMatchObject({ state: 'away', reason: expect.stringContaining('run `outbox grants` again') });
    }
    await stranger.end();
    await roles.drop([ingest.auditUrl]);

    await ingest.post(many(3));
    const own: PgPool = createPool(ingest.auditUrl, { max: 3 });
    const lasting = openAuditOverview(own, SETTINGS);
    const { value, at } = await lasting.seal();
    expect(value).toMatchObject({ unsealed: 3 });
    await own.end();
    expect(await lasting.seal()).toMatchObject({ state: 'away', at, value });
  });

  it('what a verification of the whole log has found stands until another one has ended', async () => {
    const value = async () => (await overview.verification()).value;
    await verified({ ...whole, asked_at: minutesAgo(9), ended_at: minutesAgo(8) });
    // Of a record's part, from before: says nothing of the whole.
    await verified({ ...broken, record_id: randomUUID(), asked_at: minutesAgo(10), ended_at: minutesAgo(7) });
    expect(await overview.verification()).toMatchObject({
      state: 'ok',
      value: { state: 'done', outcome: 'whole', records: 9, endedAt: expect.any(String) },
    });
    await verified({ ...broken, asked_at: minutesAgo(6), ended_at: minutesAgo(5) });
    await verified({ state: 'running', asked_at: minutesAgo(4), beat_at: new Date(), holder: randomUUID() });
    expect(await overview.verification()).toMatchObject({
      state: 'failing',
      reason: expect.stringMatching(/^the log is broken: 2 deleted, 1 edited; /),
      value: { state: 'done', outcome: 'broken' },
    });
    await ingest.pool.query(
      `UPDATE audit.verification SET state = 'failed', ended_at = now(), error = 'no anchor' WHERE state = 'running'`,
    );
    const { state, reason } = await overview.verification();
    expect([state, reason]).toEqual([
      'failing',
      expect.stringMatching(/^the log is broken: .*; the latest verification could not be done: no anchor$/),
    ]);
    // What is broken is shown above what could not be done.
    expect(await value()).toMatchObject({ state: 'done', outcome: 'broken', records: 9 });
    await verified({ ...whole, ended_at: new Date() });
    expect(await overview.verification()).toMatchObject({ state: 'ok', reason: null, value: { outcome: 'whole' } });
  });

  it('a part that was found broken stands until the whole log was found whole', async () => {
    const record = randomUUID();
    await verified({ ...whole, asked_at: minutesAgo(9), ended_at: minutesAgo(8) });
    await verified({ ...broken, record_id: record, asked_at: minutesAgo(7), ended_at: minutesAgo(6) });
    // Another part, and one that could not be done, say nothing of it.
    await verified({ ...whole, record_id: randomUUID(), asked_at: minutesAgo(5), ended_at: minutesAgo(5) });
    await verified({ state: 'failed', error: 'no anchor', asked_at: minutesAgo(4), ended_at: minutesAgo(4) });
    expect(await overview.verification()).toMatchObject({
      state: 'failing',
      reason: expect.stringContaining(`a part of the log is broken, that of record ${record}: 2 deleted, 1 edited; `),
      value: { state: 'done', outcome: 'broken' },
    });
    await verified({ ...whole, asked_at: minutesAgo(3), ended_at: minutesAgo(2) });
    expect(await overview.verification()).toMatchObject({ state: 'ok', reason: null, value: { outcome: 'whole' } });
  });

  it('that none was done for twice as long as one should be is said, of a log that has records', async () => {
    expect(await overview.verification()).toMatchObject({ state: 'ok', value: null });
    await ingest.post(many(1));
    await openLog(ingest.pool, { keys, anchor: anchored.anchor }).seal();
    expect(await overview.verification()).toMatchObject({ state: 'ok', value: null });
    await withoutTriggers(ingest.pool, ['seal'], () =>
      ingest.pool.query(`UPDATE audit.seal SET sealed_at = now() - interval '50 hours'`),
    );
    expect(await overview.verification()).toMatchObject({
      state: 'failing',
      reason: expect.stringMatching(
        /^the whole log was never verified, in 50 h since .*, expected every 24 h \(AUDIT_VERIFY_HOURS\): /,
      ),
      value: null,
    });
    const seldom = openAuditOverview(ingest.pool, { ...SETTINGS, auditVerifyHours: 0 });
    expect(await seldom.verification()).toMatchObject({ state: 'ok' });
    await verified({ ...whole, asked_at: minutesAgo(49 * 60), ended_at: minutesAgo(49 * 60) });
    expect(await overview.verification()).toMatchObject({
      state: 'failing',
      reason: expect.stringMatching(/^the whole log was verified last 49 h ago, /),
      value: { outcome: 'whole' },
    });
    await verified({ ...whole, ended_at: new Date() });
    expect(await overview.verification()).toMatchObject({ state: 'ok', reason: null });
  });

  it('one that nobody takes is said so after a minute, unless another one is under way', async () => {
    await verified({ asked_at: minutesAgo(0.5) });
    expect(await overview.verification()).toMatchObject({ state: 'ok', value: { state: 'asked', endedAt: null } });
    await ingest.pool.query('UPDATE audit.verification SET asked_at = $1', [minutesAgo(2)]);
    expect(await overview.verification()).toMatchObject({
      state: 'failing',
      reason: expect.stringMatching(/^a verification was asked for 1\d\d s ago, and nobody takes it: /),
    });
    const busy = { state: 'running', record_id: randomUUID(), beat_at: new Date(), holder: randomUUID() };
    await verified(busy);
    expect(await overview.verification()).toMatchObject({ state: 'ok', reason: null });
  });
});
