/**
 * What is left of a subject when it was erased: places, hashes, signed notes, and proofs that hold. Real: PostgreSQL, HTTP,
 * the sealer, signatures, a file anchor, the built command line. Fake: a restore is the owner putting the old row back.
 */
import pg from 'pg';
import { eraseSubject } from '../../src/application/audit/erase/erase-subject.js';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import { parseAuditNote } from '../../src/domain/audit/audit-note.js';
import { formatSignerKey, type SignerKey } from '../../src/domain/audit/note-key.js';
import { openNote } from '../../src/domain/audit/signed-note.js';
import { createEraseStore } from '../../src/infrastructure/prisma/erase-store.js';
import { runOutboxCli } from '../support/outbox-cli.js';
import { event, startIngestOn } from './ingest-set-up.js';
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
      stdout: '{"records":2,"failedIngestNaming":0}\n',
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

  it('reaches what could not be stored under the same identity, and tells of what else names the subject', async () => {
    await log.write([event({ ...by, eventId: 'e-1' })]);
    const keep = (eventId: string, body: string) =>
      log.pool.query(
        `INSERT INTO audit.failed_ingest (id, tenant_id, source, event_id, body, hmac_key_id, fingerprint, code, message, key_id)
         VALUES (gen_random_uuid(), '', '/services/auth', $1, $2, 'k', sha256('x'), 'x', 'y', gen_random_uuid())`,
        [eventId, body],
      );
    await keep('e-1', '{"actor":{"id":"u-17"}}');
    await keep('e-2', '{"actor":{"id":"u-17"}}');
    await keep('e-3', '{"actor":{"id":"u-18"}}');
    const { stdout } = await cli('--tenant', '', '--actor', 'u-17', ...WORD, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ records: 1, failedIngest: 1, failedIngestNaming: 1 });
    const { rows } = await log.pool.query(
      'SELECT event_id, body, state, actor FROM audit.failed_ingest ORDER BY event_id',
    );
    expect(rows[0]).toEqual({ event_id: 'e-1', body: '', state: 'discarded', actor: 'Ada Lopez' });
    expect(rows.slice(1).map(({ state }) => state)).toEqual(['open', 'open']);
  });

  it('more than one note holds', async () => {
    await log.write(Array.from({ length: 1_200 }, () => event(by)));
    await sealAndSign();
    const { stdout } = await cli('--tenant', '', '--actor', 'u-17', ...WORD, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ records: 1_200, notes: 2 });
    expect(await log.verify()).toMatchObject({ first: null, erased: 1_200 });
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
