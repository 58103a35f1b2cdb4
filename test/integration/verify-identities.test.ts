/**
 * F31: identities, by which a resend is answered, of records that stand and of months that were dropped; and months that go
 * while verification is under way. Real: PostgreSQL, the sealer, signatures, a file anchor, retention. Each change is made by
 * the owner with all triggers off. Fake: the time of records, and of retention.
 */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import type { VerifyStore } from '../../src/application/audit/verify/ports.js';
import { verifyLog } from '../../src/application/audit/verify/verify-log.js';
import { type DroppedNote, formatAuditNote, parseAuditNote } from '../../src/domain/audit/audit-note.js';
import { openNote, signNote } from '../../src/domain/audit/signed-note.js';
import { createLeafStore } from '../../src/infrastructure/prisma/leaf-store.js';
import { createVerifyStore } from '../../src/infrastructure/prisma/verify-store.js';
import { addMonth, retain, type SealedLog, startSealedLog } from './verify-set-up.js';

const MAY = new Date('2025-05-31T23:59:59.900Z');
const JUNE = new Date('2025-06-01T00:00:00.100Z');
const NOW = new Date('2026-11-28T12:00:00Z');
/** May is past keeping, June is not. */
const MONTHS = 17;

/** Fifteen records of May, leaves 0 to 4 and 10 to 19, ten of June among them, five of now. */
async function startLog(): Promise<SealedLog> {
  const log = await startSealedLog();
  for (const month of ['2025_05', '2025_06', '2026_11']) await addMonth(log.pool, month);
  for (const now of [MAY, JUNE, MAY, MAY, JUNE, NOW]) {
    await log.write(5, 'acme', now);
    await log.seal();
    await log.checkpoint();
  }
  return log;
}

const sql = (text: string) => (client: pg.Client) => client.query(text);
const OF_MAY = `recorded_at < '2025-06-01Z'`;
const ONE_OF_MAY = `record_id = (SELECT record_id FROM audit.record_key WHERE ${OF_MAY} ORDER BY record_id LIMIT 1)`;
/** A row like another one but for what is given. */
const copy = (of: string, given: Readonly<Record<string, string>> = {}) => {
  const columns = 'tenant_id source event_id record_id recorded_at hmac_key_id fingerprint leaf_hash'.split(' ');
  const values = columns.map((column) => given[column] ?? (column === 'event_id' ? `'forged'` : column));
  return `INSERT INTO audit.record_key (${columns}) SELECT ${values} FROM audit.record_key WHERE ${of} ORDER BY record_id LIMIT 1`;
};

describe('F31: an identity that nobody sent', () => {
  let log: SealedLog;
  beforeAll(async () => {
    log = await startLog();
  });
  afterAll(() => log.stop());

  it('which names a record that stands, is named with it', async () => {
    const report = await log.tampered(sql(copy(`recorded_at > '2025-06-01Z'`)));
    const { rows } = await log.pool.query(
      `SELECT record_id FROM audit.record WHERE recorded_at > '2025-06-01Z' ORDER BY record_id LIMIT 1`,
    );
    expect(report).toMatchObject({
      counts: { identity: 1 },
      first: {
        kind: 'identity',
        recordId: rows[0].record_id,
        what: expect.stringContaining('another one that names it'),
      },
    });
  });

  it.each(['tenant_id', 'source', 'event_id'])('is found by its %s alone', async (column) => {
    const report = await log.tampered(sql(copy(ONE_OF_MAY, { event_id: 'event_id', [column]: `'forged'` })));
    expect(report.counts).toEqual({ identity: 1 });
  });

  it('more than can be named are counted', async () => {
    const report = await log.tampered(
      sql(`INSERT INTO audit.record_key SELECT tenant_id, source, 'forged' || n || event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash
        FROM audit.record_key, generate_series(1, 2) n`),
    );
    expect(report.counts).toEqual({ identity: 60 });
    expect(report.breaks).toHaveLength(20);
  });
});

describe('F31: identities of a month that was dropped', () => {
  let log: SealedLog;
  let note: DroppedNote;
  let keys: readonly Key[];
  beforeAll(async () => {
    log = await startLog();
    expect(await retain(log, { now: NOW, months: MONTHS })).toMatchObject([{ kind: 'dropped', rows: 15 }]);
    const { rows } = await log.pool.query('SELECT note FROM audit.note');
    note = parseAuditNote(openNote(NOTE_TOOLS, rows[0].note, log.keys.verifiers).text) as DroppedNote;
    keys = await readKeys(log);
  });
  afterAll(() => log.stop());

  it('are all there when nobody touched them', async () => {
    expect(await log.verify()).toMatchObject({ counts: {}, dropped: 15 });
  });

  it('are told by the signed note, as the documentation says', async () => {
    const { rows } = await log.pool.query('SELECT hashes FROM audit.seal ORDER BY first_index');
    const hashes = Buffer.concat(rows.map((row) => row.hashes));
    const leaves = [...Array(5).keys(), ...Array.from({ length: 10 }, (_, at) => 10 + at)];
    const digests = leaves.map((index) => {
      const hash = hashes.subarray(index * 32, index * 32 + 32);
      return digestOf(keys.find(({ leaf_hash }) => leaf_hash.equals(hash)) as Key);
    });
    expect(Buffer.from(note.identities ?? [])).toEqual(sha(sha(...digests)));
  });

  const removed = `DELETE FROM audit.record_key WHERE ${ONE_OF_MAY}`;
  const cases: [string, string, number][] = [
    ['one removed', removed, 1],
    ['all removed', `DELETE FROM audit.record_key WHERE ${OF_MAY}`, 15],
    [
      'one added, with a hash of its own',
      copy(ONE_OF_MAY, { record_id: 'gen_random_uuid()', leaf_hash: `sha256('x')` }),
      1,
    ],
    ['one added, with the hash of another one', copy(ONE_OF_MAY, { record_id: 'gen_random_uuid()' }), 1],
    ['one added, that names a dropped record', copy(ONE_OF_MAY), 1],
    [
      'one added, with the hash of a record that stands',
      copy(`recorded_at > '2025-06-01Z'`, { recorded_at: `'2025-05-07Z'` }),
      1,
    ],
    [
      'one in the place of another, so that their number stays',
      `${copy(ONE_OF_MAY, { leaf_hash: `sha256('x')` })}; DELETE FROM audit.record_key WHERE ${ONE_OF_MAY} AND event_id <> 'forged'`,
      2,
    ],
    ['a leaf hash changed', `UPDATE audit.record_key SET leaf_hash = sha256('x') WHERE ${ONE_OF_MAY}`, 2],
    ['one moved to another month', `UPDATE audit.record_key SET recorded_at = '2025-06-07Z' WHERE ${ONE_OF_MAY}`, 2],
  ];
  it.each(cases)('%s', async (_, statement, count) => {
    const report = await log.tampered(sql(statement));
    expect(report).toMatchObject({ counts: { identity: count }, first: { kind: 'identity' } });
    expect(Object.keys(report.counts)).toEqual(['identity']);
  });

  it('removed are named by their leaves, added ones by the record that they name', async () => {
    const gone = await log.tampered(sql(`DELETE FROM audit.record_key WHERE ${OF_MAY}`));
    expect(gone.breaks.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    const id = '00000000-0000-7000-8000-00000000c0de';
    const added = await log.tampered(sql(copy(ONE_OF_MAY, { record_id: `'${id}'`, leaf_hash: `sha256('x')` })));
    expect(added.first).toMatchObject({ recordId: id, what: expect.stringContaining('record_2025_05') });
    const alike = await log.tampered(sql(copy(ONE_OF_MAY)));
    expect(alike.first).toMatchObject({ recordId: expect.any(String), what: expect.stringContaining('beside them') });
  });

  /** What an edit of each column is; a column that is not here fails the test. */
  const EDITS: Record<string, string> = {
    tenant_id: `'other'`,
    source: `'/other'`,
    event_id: `'other'`,
    record_id: 'gen_random_uuid()',
    recorded_at: `recorded_at - interval '1 microsecond'`,
    hmac_key_id: `'other'`,
    fingerprint: `sha256('x')`,
    leaf_hash: `sha256('x')`,
  };
  it.each(Object.entries(EDITS))('%s changed is found', async (column, value) => {
    const report = await log.tampered(sql(`UPDATE audit.record_key SET ${column} = ${value} WHERE ${ONE_OF_MAY}`));
    expect(Object.keys(report.counts)).toEqual(['identity']);
  });

  it('of every column: the table above has them all', async () => {
    const { rows } = await log.pool.query(
      `SELECT column_name FROM information_schema.columns WHERE table_schema = 'audit' AND table_name = 'record_key'`,
    );
    expect(rows.map(({ column_name }) => column_name).sort()).toEqual(Object.keys(EDITS).sort());
  });

  it('under a note that says nothing of them, as old ones do: the hashes are compared, the names are nobody’s word', async () => {
    const old = signNote(NOTE_TOOLS, formatAuditNote({ ...note, identities: null }), log.keys.signers);
    const withOld = (statement: string) =>
      log.tampered(
        async (client) => {
          await client.query('UPDATE audit.note SET note = $1', [old]);
          await client.query(statement);
        },
        { anchor: null },
      );
    expect(await withOld('SELECT')).toMatchObject({ first: null });
    expect(await withOld(removed)).toMatchObject({
      counts: { identity: 1 },
      first: { kind: 'identity', index: expect.any(Number) },
    });
    expect(await withOld(`UPDATE audit.record_key SET event_id = 'other' WHERE ${ONE_OF_MAY}`)).toMatchObject({
      first: null,
    });
    // Beside a note that tells, the old one excuses nothing.
    const both = await log.tampered(async (client) => {
      await client.query(`INSERT INTO audit.note (id, kind, note) VALUES (gen_random_uuid(), 'dropped', $1)`, [old]);
      await client.query(`UPDATE audit.record_key SET event_id = 'other' WHERE ${ONE_OF_MAY}`);
    });
    expect(both.counts).toEqual({ identity: 1 });
  });
});

describe('a month that goes while verification is under way', () => {
  let log: SealedLog;
  beforeEach(async () => {
    log = await startLog();
  });
  afterEach(() => log.stop());

  const verifyWith = (replaced: (store: VerifyStore) => Partial<VerifyStore>) => {
    const store = createVerifyStore(log.pool);
    return verifyLog({
      store: { ...store, ...replaced(store) },
      leaves: createLeafStore(log.pool),
      tools: NOTE_TOOLS,
      keys: log.keys,
      anchor: log.anchor,
    })({});
  };
  const drop = (months: number) => retain(log, { now: NOW, months });
  const partitions = async () =>
    (await createVerifyStore(log.pool).readPartitions()).filter((name) => name.startsWith('record_2025'));

  it('right before the identities are looked at is no break', async () => {
    const report = await verifyWith((store) => ({
      findStrayKeys: async (months) => {
        await drop(MONTHS);
        return store.findStrayKeys(months);
      },
    }));
    expect(await partitions()).toEqual(['record_2025_06']);
    expect(report.counts).toEqual({});
  });

  it('nor are several, one after the other, each at the worst moment', async () => {
    let looks = 0;
    const report = await verifyWith((store) => ({
      findStrayKeys: async (months) => {
        looks += 1;
        await drop(looks === 1 ? MONTHS : 1);
        return store.findStrayKeys(months);
      },
    }));
    expect(await partitions()).toEqual([]);
    expect(report.counts).toEqual({});
    expect(looks).toBe(3);
  });

  it('nor one before its rows are read, and the next one between the rows and the notes', async () => {
    let readings = 0;
    const report = await verifyWith((store) => ({
      readRows: async (...of) => {
        await drop(MONTHS);
        return store.readRows(...of);
      },
      readNotes: async (...of) => {
        const notes = await store.readNotes(...of);
        // Not at the beginning, but where a window did not fit.
        readings += 1;
        if (readings === 2) await drop(1);
        return notes;
      },
    }));
    expect(await partitions()).toEqual([]);
    expect(report.counts).toEqual({});
  });
});

interface Key {
  readonly tenant_id: string;
  readonly source: string;
  readonly event_id: string;
  readonly record_id: string;
  readonly micros: string;
  readonly hmac_key_id: string;
  readonly fingerprint: Buffer;
  readonly leaf_hash: Buffer;
}

async function readKeys(log: SealedLog): Promise<Key[]> {
  const micros = '(extract(epoch FROM recorded_at) * 1000000)::bigint::text AS micros';
  return (await log.pool.query(`SELECT *, ${micros} FROM audit.record_key WHERE ${OF_MAY}`)).rows;
}

const sha = (...parts: (Buffer | string)[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** The hash of an identity, by the words of docs/audit-log.md. */
function digestOf(key: Key): Buffer {
  const micros = Buffer.alloc(8);
  micros.writeBigInt64BE(BigInt(key.micros));
  return sha(
    sha(key.tenant_id),
    sha(key.source),
    sha(key.event_id),
    Buffer.from(key.record_id.replaceAll('-', ''), 'hex'),
    micros,
    sha(key.hmac_key_id),
    key.fingerprint,
    key.leaf_hash,
  );
}
