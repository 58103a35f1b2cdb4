/**
 * What is left of a subject when it was erased: places, hashes, signed notes, and proofs that hold. Real: PostgreSQL, HTTP,
 * the sealer, signatures, a file anchor, the built command line. Fake: a restore is the owner putting the old row back.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { eraseSubject } from '../../src/application/audit/erase/erase-subject.js';
import type { EraseStore, RecordPlace } from '../../src/application/audit/erase/ports.js';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import type { AuditEvent } from '../../src/contract/audit-dto.js';
import { parseAuditNote } from '../../src/domain/audit/audit-note.js';
import { formatSignerKey, type SignerKey } from '../../src/domain/audit/note-key.js';
import { openNote } from '../../src/domain/audit/signed-note.js';
import { createEraseStore, findStatement } from '../../src/infrastructure/prisma/erase-store.js';
import { runOutboxCli } from '../support/outbox-cli.js';
import { event, expectProblem, startIngestOn } from './ingest-set-up.js';
import { withoutTriggers } from './log-set-up.js';
import { type SealedLog, startSealedLog } from './verify-set-up.js';

let log: SealedLog;
beforeEach(async () => {
  log = await startSealedLog();
});
afterEach(() => log.stop());

const by = { actor: { type: 'user' as const, id: 'u-17' } };
const about = { targets: [{ type: 'user', id: 'u-17' }] };
const cli = (...args: string[]) =>
  runOutboxCli(['audit', 'erase', ...args], {
    AUDIT_DATABASE_URL: log.auditUrl,
    AUDIT_SIGNING_KEYS: formatSignerKey(log.keys.signers[0] as SignerKey),
    AUDIT_ANCHOR_FILE: log.anchorPath,
  });
const WORD = ['--by', 'Ada Lopez', '--reason', 'request 4711'];

/** Each record's event id with what is left of it, in the order of the log. */
async function left(): Promise<
  { body: unknown; salt: string; actor_id: string | null; erased: boolean; hash: string }[]
> {
  const { rows } = await log.pool.query(
    `SELECT body, encode(salt, 'hex') AS salt, actor_id, erased_at IS NOT NULL AS erased, encode(leaf_hash, 'hex') AS hash
     FROM audit.record ORDER BY log_epoch, tx_id, seq`,
  );
  return rows;
}

/** An open row of failed_ingest with this body; its id. */
async function keep(one: AuditEvent | string, tenantId = ''): Promise<string> {
  const [eventId, body] = typeof one === 'string' ? ['no-event', one] : [one.eventId, JSON.stringify(one)];
  const { rows } = await log.pool.query(
    `INSERT INTO audit.failed_ingest (id, tenant_id, source, event_id, body, hmac_key_id, fingerprint, code, message, key_id)
     VALUES (gen_random_uuid(), $3, '/services/auth', $1, $2, 'k', sha256(convert_to($2::text, 'UTF8')), 'x', 'y', gen_random_uuid()) RETURNING id`,
    [eventId, body, tenantId],
  );
  return rows[0].id;
}

async function failedRows(): Promise<{ id: string; body: string; state: string; actor: string; reason: string }[]> {
  const { rows } = await log.pool.query('SELECT id, body, state, actor, reason FROM audit.failed_ingest ORDER BY id');
  return rows;
}

async function sealAndSign(): Promise<void> {
  await log.seal();
  await log.checkpoint();
}

describe('outbox audit erase', () => {
  it('leaves place, hash and note of what a subject did, and every proof', async () => {
    const ids = await log.write([event(), event(by), event(), event({ ...by, tenantId: 'acme' })], 'acme');
    await log.write([event(by)]);
    await sealAndSign();
    const before = await left();
    expect(await cli('--tenant', 'acme', '--actor', 'u-17', '--dry-run', '--json')).toMatchObject({
      code: 0,
      stdout: '{"records":2,"failedIngest":0,"failedIngestNaming":0}\n',
    });
    expect(await left()).toEqual(before);

    const { code, stdout } = await cli('--tenant', 'acme', '--actor', 'u-17', ...WORD);
    expect({ code, first: stdout.split('\n')[0] }).toEqual({
      code: 0,
      first: '2 records erased under 1 signed note, 0 of failed-ingest',
    });
    const after = await left();
    const order = await log.order();
    const erased = [ids[1], ids[3]].map((id) => order.indexOf(id as string)).sort();
    expect(after.flatMap((row, at) => (row.erased ? [{ ...row, at }] : []))).toEqual(
      erased.map((at) => ({ body: {}, salt: '', actor_id: null, erased: true, hash: before[at]?.hash, at })),
    );
    expect(after.map(({ hash }) => hash)).toEqual(before.map(({ hash }) => hash));
    expect(await log.verify()).toMatchObject({ first: null, records: 5, erased: 2, signedSize: 5, anchoredSize: 5 });

    const { rows } = await log.pool.query('SELECT kind, note FROM audit.note');
    expect(rows).toHaveLength(1);
    const note = parseAuditNote(openNote(NOTE_TOOLS, rows[0].note, log.keys.verifiers).text);
    expect(note).toMatchObject({ kind: 'erased', by: 'Ada Lopez', reason: 'request 4711' });
    expect(note.kind === 'erased' && note.records.map(({ recordId }) => recordId).sort()).toEqual(
      [ids[1], ids[3]].sort(),
    );
  });

  it('of a target, in every tenant but the one named nothing', async () => {
    await log.write([event(about)], 'acme');
    await log.write([event({ targets: [{ type: 'order', id: 'u-17' }] })], 'acme');
    await log.write([event(about)], 'other');
    expect(await cli('--tenant', 'acme', '--target', 'user/u-17', ...WORD)).toMatchObject({ code: 0 });
    expect((await left()).map(({ erased }) => erased)).toEqual([true, false, false]);
  });

  it('before a record was sealed: it is sealed by its hash all the same', async () => {
    const [id = ''] = await log.write([event(by), event()]);
    expect(await cli('--tenant', '', '--record', id, ...WORD)).toMatchObject({ code: 0 });
    await sealAndSign();
    expect(await log.verify()).toMatchObject({ first: null, records: 2, erased: 1 });
  });

  it('again changes nothing, and a replay answers as before', async () => {
    const ingest = await startIngestOn(log.auditUrl);
    try {
      const sent = event(by);
      const first = await ingest.post(sent);
      await sealAndSign();
      await cli('--tenant', '', '--actor', 'u-17', ...WORD);
      const { stdout } = await cli('--tenant', '', '--actor', 'u-17', ...WORD, '--json');
      expect(JSON.parse(stdout)).toEqual({ records: 0, failedIngest: 0, notes: 0, failedIngestNaming: 0 });
      const again = await ingest.post(sent);
      expect(again.status).toBe(200);
      expect(again.headers.get('idempotency-replayed')).toBe('true');
      expect(again.body).toMatchObject({ recordId: first.body.recordId, hash: first.body.hash });
      const other = await ingest.post({ ...sent, outcome: 'failure' });
      expect(other.status).toBe(422);
    } finally {
      await ingest.stop();
    }
  });

  it('reaches what is open of failed_ingest: by actor, target or id; tells of what names the subject elsewhere', async () => {
    await log.write([event({ ...by, eventId: 'e-1' })]);
    const other = { type: 'user' as const, id: 'u-18' };
    const ids = {
      sameIdentity: await keep(event({ eventId: 'e-1' })),
      ofActor: await keep(event(by)),
      naming: await keep(event({ actor: other, data: { sentTo: 'u-17' } })),
      onBehalf: await keep(event({ actor: { ...other, onBehalfOf: { type: 'user', id: 'u-17' } } })),
      ofTarget: await keep(event({ actor: other, ...about })),
      anotherTarget: await keep(event({ actor: other, targets: [{ type: 'order', id: 'u-17' }] })),
      noEvent: await keep('{"actor":{"id":"u-17"'),
      ofOther: await keep(event({ actor: other })),
      ofTenant: await keep(event(by), 'acme'),
    };
    const dry = await cli('--tenant', '', '--actor', 'u-17', '--dry-run', '--json');
    expect(JSON.parse(dry.stdout)).toEqual({ records: 1, failedIngest: 2, failedIngestNaming: 5 });
    const { stdout } = await cli('--tenant', '', '--actor', 'u-17', ...WORD, '--json');
    expect(JSON.parse(stdout)).toEqual({ records: 1, failedIngest: 2, notes: 2, failedIngestNaming: 5 });
    const word = { body: '', state: 'discarded', actor: 'Ada Lopez', reason: 'request 4711' };
    const emptied = async () => (await failedRows()).filter(({ state }) => state === 'discarded');
    expect((await emptied()).map(({ id }) => id)).toEqual([ids.sameIdentity, ids.ofActor].sort());
    expect(await emptied()).toMatchObject([word, word]);

    expect(await cli('--tenant', '', '--target', 'user/u-17', ...WORD)).toMatchObject({
      stdout: expect.stringMatching(/^0 records erased under 1 signed note, 1 of failed-ingest\n.*discarded and empty/),
    });
    const byId = ['--failed-ingest', ids.naming] as const;
    expect(await cli('--tenant', 'acme', ...byId, ...WORD)).toMatchObject({
      stdout: expect.stringMatching(/^0 records erased under 0 signed notes, 0 of/),
    });
    expect(await cli('--tenant', '', ...byId, ...WORD)).toMatchObject({ code: 0 });
    const left = [ids.onBehalf, ids.anotherTarget, ids.noEvent, ids.ofOther, ids.ofTenant];
    expect((await failedRows()).filter(({ body }) => body !== '').map(({ id }) => id)).toEqual(left.sort());
    expect(await log.verify()).toMatchObject({ first: null });
  });

  it('an open row of failed_ingest that was erased is closed: not retried, listed as discarded, shown without its body', async () => {
    const ingest = await startIngestOn(log.auditUrl);
    try {
      const operator = await ingest.key(['dlq:write']);
      const id = await keep(event(by));
      await cli('--tenant', '', '--actor', 'u-17', ...WORD);
      const ask = (path: string) =>
        ingest.post('', { method: 'GET', path: `/ops/v1/failed-ingest${path}`, key: operator });
      expect((await ask(`/${id}`)).body).toMatchObject({ id, state: 'discarded', body: null, reason: 'request 4711' });
      expect((await ask('?state=open')).body.items).toEqual([]);
      expect((await ask('?state=discarded')).body.items).toMatchObject([{ id, actor: 'Ada Lopez' }]);
      const retry = await ingest.post({ reason: 'x' }, { path: `/ops/v1/failed-ingest/${id}/retry`, key: operator });
      expectProblem(retry, 409, 'not_open');
    } finally {
      await ingest.stop();
    }
  });

  it('the note names the rows, and after a restore --again empties them by it', async () => {
    const id = await keep(event(by));
    await cli('--tenant', '', '--actor', 'u-17', ...WORD);
    const { rows } = await log.pool.query("SELECT note FROM audit.note WHERE kind = 'erased'");
    expect(parseAuditNote(openNote(NOTE_TOOLS, rows[0].note, log.keys.verifiers).text)).toMatchObject({
      records: [],
      failedIngestIds: [id],
    });
    await log.pool.query(
      "UPDATE audit.failed_ingest SET state = 'open', state_at = NULL, actor = NULL, reason = NULL, body = $1",
      [JSON.stringify(event(by))],
    );
    expect(await cli('--again')).toMatchObject({
      stdout: '0 erased again, 1 of failed-ingest, by the notes at the anchor\n',
    });
    expect(await failedRows()).toMatchObject([{ id, body: '', state: 'discarded', reason: 'request 4711' }]);
    expect(await cli('--again', '--json')).toMatchObject({ stdout: '{"records":0,"failedIngest":0}\n' });
  });

  it('more open rows than one note holds, and more than one page of bodies', async () => {
    await log.pool.query(
      `INSERT INTO audit.failed_ingest (id, tenant_id, source, event_id, body, hmac_key_id, fingerprint, code, message, key_id)
       SELECT gen_random_uuid(), '', 's', n::text, CASE WHEN n % 4 = 0 THEN '{"actor":{"id":"u-18"},"x":"u-17"}' ELSE '{"actor":{"id":"u-17"}}' END,
         'k', sha256('x'), 'x', 'y', gen_random_uuid() FROM generate_series(1, 1600) n`,
    );
    const { stdout } = await cli('--tenant', '', '--actor', 'u-17', ...WORD, '--json');
    expect(JSON.parse(stdout)).toEqual({ records: 0, failedIngest: 1_200, notes: 2, failedIngestNaming: 400 });
  });

  /** A record, and more open rows under its identity than one note holds. */
  async function writeWithMany(): Promise<string> {
    const [recordId = ''] = await log.write([event({ ...by, source: 's', eventId: '1' })]);
    await sealAndSign();
    await log.pool.query(
      `INSERT INTO audit.failed_ingest (id, tenant_id, source, event_id, body, hmac_key_id, fingerprint, code, message, key_id)
       SELECT gen_random_uuid(), '', 's', '1', '{}', 'k', sha256(n::text::bytea), 'x', 'y', gen_random_uuid() FROM generate_series(1, 1001) n`,
    );
    return recordId;
  }

  it('more open rows under one record than one note holds', async () => {
    const recordId = await writeWithMany();
    const dry = await cli('--tenant', '', '--record', recordId, '--dry-run', '--json');
    expect(JSON.parse(dry.stdout)).toMatchObject({ records: 1, failedIngest: 1_001 });
    const { stdout } = await cli('--tenant', '', '--record', recordId, ...WORD, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ records: 1, failedIngest: 1_001, notes: 2 });
    expect(await log.verify()).toMatchObject({ first: null });
  });

  it('ended between the notes of one record, it is done again: the record, by which the rest is found, stands whole', async () => {
    const recordId = await writeWithMany();
    const store = createEraseStore(log.pool);
    let calls = 0;
    const once: typeof store.erase = (of) => (++calls > 1 ? Promise.reject(new Error('crash')) : store.erase(of));
    const deps = { keys: log.keys, anchor: log.anchor, now: () => new Date(), newId: () => crypto.randomUUID() };
    const request = { tenantId: '', subject: { kind: 'record', id: recordId }, by: 'a', reason: 'b' } as const;
    await expect(eraseSubject({ ...deps, store: { ...store, erase: once } })(request)).rejects.toThrow('crash');
    expect((await failedRows()).filter(({ body }) => body !== '')).toHaveLength(1);
    expect(await eraseSubject({ ...deps, store })(request)).toEqual({ records: 1, failedIngest: 1, notes: 1 });
    expect((await failedRows()).filter(({ body }) => body !== '')).toEqual([]);
  });

  it('more than one note holds', async () => {
    await log.write(Array.from({ length: 1_200 }, () => event(by)));
    await sealAndSign();
    const { stdout } = await cli('--tenant', '', '--actor', 'u-17', ...WORD, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ records: 1_200, notes: 2 });
    expect(await log.verify()).toMatchObject({ first: null, erased: 1_200 });
  });

  it('pages behind the last place, by the indexes: what was erased is not looked at again', async () => {
    // The subject is every third record: by the actor and by a target.
    await log.pool.query(
      `INSERT INTO audit.record (record_id, recorded_at, tenant_id, source, event_id, action, action_version, category, operation,
         outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt, body, leaf_hash)
       SELECT gen_random_uuid(), clock_timestamp() + n * interval '1 microsecond', '', 's', n::text, 'a.b', 1, 'data', 'read', 'success', 'info',
         now(), 'user', id, 'api', gen_random_uuid(), 1, '\\x00', jsonb_build_object('actor', jsonb_build_object('type', 'user', 'id', id),
           'targets', jsonb_build_array(jsonb_build_object('type', 'user', 'id', id))), sha256(n::text::bytea)
       FROM (SELECT n, CASE n % 3 WHEN 0 THEN 'u-17' ELSE 'u-' || n + 100 END AS id FROM generate_series(1, 33000) n) made`,
    );
    await log.pool.query('VACUUM ANALYZE audit.record');
    const month = (await log.pool.query("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY_MM') AS name"))
      .rows[0].name;
    const subjects = [{ kind: 'actor', id: 'u-101' } as const, { kind: 'target', type: 'user', id: 'u-101' } as const];
    for (const subject of subjects) {
      const { text, values } = findStatement(subject);
      const { rows } = await log.pool.query(`EXPLAIN ${text}`, ['', '-infinity', randomUUID(), 10_000, ...values]);
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toContain(`record_${month}_${subject.kind === 'actor' ? 'tenant_id_actor_id' : 'target_keys'}`);
      expect(plan).not.toContain(`Seq Scan on record_${month} `);
    }

    const store = createEraseStore(log.pool);
    const asked: { after: RecordPlace | null; found: readonly RecordPlace[] }[] = [];
    const find: EraseStore['find'] = async (of, after, limit) => {
      const found = await store.find(of, after, limit);
      asked.push({ after, found });
      return found;
    };
    const deps = { keys: log.keys, anchor: null, now: () => new Date(), newId: randomUUID };
    const erase = eraseSubject({ ...deps, store: { ...store, find } });
    const done = await erase({ tenantId: '', subject: { kind: 'actor', id: 'u-17' }, by: 'a', reason: 'b' });
    expect(done).toEqual({ records: 11_000, failedIngest: 0, notes: 11 });
    expect(asked.map(({ found }) => found.length)).toEqual([10_000, 1_000, 0]);
    expect(asked[1]?.after).toMatchObject({ recordId: asked[0]?.found.at(-1)?.recordId });
    const { rows } = await log.pool.query('SELECT count(*)::int AS n FROM audit.record WHERE erased_at IS NOT NULL');
    expect(rows).toEqual([{ n: 11_000 }]);
  });

  it('what a transaction that ended late puts behind a place that was passed is found, too', async () => {
    await log.write([event(by)]);
    const store = createEraseStore(log.pool);
    let late = true;
    const find: EraseStore['find'] = async (of, after, limit) => {
      const found = await store.find(of, after, limit);
      if (late) await log.write([event(by)], undefined, new Date(Date.now() - 1_000));
      late = false;
      return found;
    };
    const deps = { keys: log.keys, anchor: null, now: () => new Date(), newId: randomUUID };
    const erase = eraseSubject({ ...deps, store: { ...store, find } });
    const done = await erase({ tenantId: '', subject: { kind: 'actor', id: 'u-17' }, by: 'a', reason: 'b' });
    expect(done).toEqual({ records: 2, failedIngest: 0, notes: 2 });
  });

  it('a command line that names no subject, or two, is refused', async () => {
    for (const args of [
      [],
      ['--actor', 'a', '--record', '0198c0de-0000-7000-8000-000000000001'],
      ['--target', 'user'],
    ]) {
      expect(await cli('--tenant', 'x', ...args, ...WORD)).toMatchObject({ code: 64 });
    }
    expect(await cli('--tenant', 'x', '--actor', 'a')).toMatchObject({ code: 64 });
    expect(await cli('--actor', 'a', ...WORD)).toMatchObject({ code: 64 });
    expect(await cli('--tenant', 'x', '--actor', 'a', '--by', 'a\nb', '--reason', 'r')).toMatchObject({ code: 64 });
  });
});

describe('the signed note', () => {
  it('is at the anchor before anything is erased; a crash in between is named, and the same call mends it', async () => {
    const [id] = await log.write([event(by), event()]);
    await sealAndSign();
    const store = createEraseStore(log.pool);
    const deps = { keys: log.keys, anchor: log.anchor, now: () => new Date(), newId: () => crypto.randomUUID() };
    const request = { tenantId: '', subject: { kind: 'actor', id: 'u-17' }, by: 'a', reason: 'b' } as const;
    const crashing = eraseSubject({ ...deps, store: { ...store, erase: () => Promise.reject(new Error('crash')) } });
    await expect(crashing(request)).rejects.toThrow('crash');
    expect(await log.verify()).toMatchObject({
      counts: { not_erased: 1 },
      first: { kind: 'not_erased', recordId: id },
    });
    expect(await eraseSubject({ ...deps, store })(request)).toEqual({ records: 1, failedIngest: 0, notes: 1 });
    expect(await log.verify()).toMatchObject({ first: null, erased: 1 });
  });

  it('outlives a restore, which brings the erased back: verification names them, --again erases them', async () => {
    const [id] = await log.write([event(by), event()]);
    await sealAndSign();
    const { rows } = await log.pool.query('SELECT body, salt, actor_id FROM audit.record WHERE record_id = $1', [id]);
    await cli('--tenant', '', '--actor', 'u-17', ...WORD);
    await withoutTriggers(log.pool, ['record', 'note'], async () => {
      await log.pool.query('DELETE FROM audit.note');
      await log.pool.query(
        'UPDATE audit.record SET body = $2, salt = $3, actor_id = $4, erased_at = NULL WHERE record_id = $1',
        [id, rows[0].body, rows[0].salt, rows[0].actor_id],
      );
    });
    expect(await log.verify()).toMatchObject({ counts: { not_erased: 1 }, first: { recordId: id } });
    expect(await cli('--again')).toMatchObject({ code: 0, stdout: '1 erased again, by the notes at the anchor\n' });
    expect(await log.verify()).toMatchObject({ first: null, erased: 1 });
    expect(await log.verify({}, { anchor: null })).toMatchObject({ first: null, erased: 1 });
    expect(await cli('--again')).toMatchObject({ stdout: '0 erased again, by the notes at the anchor\n' });
  });

  it('of another record, or signed by a stranger, excuses no erasure', async () => {
    const [one, two] = await log.write([event(by), event({ actor: { type: 'user', id: 'u-18' } })]);
    await sealAndSign();
    await cli('--tenant', '', '--record', one as string, ...WORD);
    const report = await log.tampered((client) =>
      client.query(
        `UPDATE audit.record SET body = '{}', salt = '', actor_id = NULL, erased_at = now() WHERE record_id = $1`,
        [two],
      ),
    );
    expect(report).toMatchObject({ counts: { erased: 1 }, first: { kind: 'erased', recordId: two } });
    const gone = await log.tampered((client) => client.query('DELETE FROM audit.note'), { anchor: null });
    expect(gone).toMatchObject({ counts: { erased: 1 }, first: { kind: 'erased', recordId: one } });
  });
});

describe("the records' trigger", () => {
  it('lets an erasure through, and refuses whatever is more or less', async () => {
    const [id] = await log.write([event()]);
    const client = new pg.Client({ connectionString: log.auditUrl });
    await client.connect();
    try {
      const erased = `body = '{}', salt = '', actor_id = NULL, erased_at = now()`;
      for (const set of [`${erased}, outcome = 'failure'`, `${erased}, leaf_hash = sha256('x')`, `body = '{}'`]) {
        await expect(client.query(`UPDATE audit.record SET ${set} WHERE record_id = $1`, [id])).rejects.toMatchObject({
          code: '23001',
        });
      }
      await client.query(`UPDATE audit.record SET ${erased} WHERE record_id = $1`, [id]);
      await expect(client.query(`UPDATE audit.record SET ${erased} WHERE record_id = $1`, [id])).rejects.toMatchObject({
        code: '23001',
      });
    } finally {
      await client.end();
    }
  });
});
