/**
 * Months that are past keeping are dropped, under a signed note, when all of them is as it was sealed and anchored. Real:
 * PostgreSQL, the sealer, signatures, a file anchor, the built command line. Fake: the time of records, and of retention.
 */

import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import { dueMonths, monthsAhead } from '../../src/application/audit/retention/months.js';
import { retainRecords } from '../../src/application/audit/retention/retain-records.js';
import { parseAuditNote } from '../../src/domain/audit/audit-note.js';
import { formatSignerKey, type SignerKey } from '../../src/domain/audit/note-key.js';
import { openNote } from '../../src/domain/audit/signed-note.js';
import { createPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createRetentionStore } from '../../src/infrastructure/prisma/retention-store.js';
import { createVerifyStore } from '../../src/infrastructure/prisma/verify-store.js';
import { createDatabaseRoles } from '../support/database-roles.js';
import { runOutboxCli } from '../support/outbox-cli.js';
import { withoutTriggers } from './log-set-up.js';
import { addMonth, type SealedLog, startSealedLog } from './verify-set-up.js';

let log: SealedLog;
beforeEach(async () => {
  log = await startSealedLog();
  for (const month of ['2025_05', '2025_06', '2026_11']) await addMonth(log.pool, month);
});
afterEach(() => log.stop());

const MAY = new Date('2025-05-31T23:59:59.900Z');
const JUNE = new Date('2025-06-01T00:00:00.100Z');
const NOW = new Date('2026-11-28T12:00:00Z');

const retain = (months: number, dryRun = false, pool = log.pool) =>
  retainRecords({
    store: createRetentionStore(pool),
    verify: createVerifyStore(pool),
    keys: log.keys,
    anchor: log.anchor,
    now: () => NOW,
  })({ months, dryRun });

async function sealAndSign(): Promise<void> {
  await log.seal();
  await log.checkpoint();
}

/** At the turn of a month the records of both lie among each other. */
async function writeTwoMonths(): Promise<void> {
  for (const now of [MAY, JUNE, MAY, MAY, JUNE, NOW]) {
    await log.write(5, undefined, now);
    await sealAndSign();
  }
}

const partitions = async () =>
  (await createRetentionStore(log.pool).listPartitions()).filter((name) => name.startsWith('record_2025'));

describe('retention', () => {
  it('drops what is past keeping, under a note of exactly its leaves; all that is left verifies', async () => {
    await writeTwoMonths();
    expect(await retain(17, true)).toEqual([{ partition: 'record_2025_05', kind: 'due', rows: 15, what: null }]);
    expect(await retain(17)).toEqual([{ partition: 'record_2025_05', kind: 'dropped', rows: 15, what: null }]);
    expect(await partitions()).toEqual(['record_2025_06']);

    const { rows } = await log.pool.query('SELECT note FROM audit.note');
    const note = parseAuditNote(openNote(NOTE_TOOLS, rows[0].note, log.keys.verifiers).text);
    expect(note).toMatchObject({
      kind: 'dropped',
      partition: 'record_2025_05',
      rows: 15,
      runs: [
        { first: 0, count: 5 },
        { first: 10, count: 10 },
      ],
    });
    expect(await log.verify()).toMatchObject({ size: 30, first: null, records: 15, dropped: 15, anchoredSize: 30 });
    expect((await log.pool.query('SELECT count(*)::int AS n FROM audit.record_key')).rows).toEqual([{ n: 30 }]);
    expect(await retain(17)).toEqual([]);
    expect(await retain(1)).toMatchObject([{ partition: 'record_2025_06', kind: 'dropped', rows: 10 }]);
    expect(await log.verify()).toMatchObject({ first: null, records: 5, dropped: 25 });
  });

  it('is done by a worker that has the rights of `outbox grants` and no more', async () => {
    await writeTwoMonths();
    const roles = await createDatabaseRoles();
    const granted = await runOutboxCli(
      ['grants', '--database', 'audit', '--apply', ...roles.options('worker', 'api')],
      {
        AUDIT_DATABASE_URL: log.auditUrl,
      },
    );
    expect([granted.code, granted.printed]).toEqual([0, expect.stringContaining('statements applied')]);
    const pool = createPool(roles.urlAs('worker', log.auditUrl), { max: 1 });
    try {
      expect(await retain(1, false, pool)).toMatchObject([
        { partition: 'record_2025_05', kind: 'dropped', rows: 15 },
        { partition: 'record_2025_06', kind: 'dropped', rows: 10 },
      ]);
    } finally {
      await pool.end();
      await roles.drop([log.auditUrl]);
    }
    expect(await log.verify()).toMatchObject({ first: null, records: 5, dropped: 25 });
  });

  it('keeps what is not sealed and anchored to its last record', async () => {
    await log.write(5, undefined, MAY);
    expect(await retain(1)).toMatchObject([
      { partition: 'record_2025_05', kind: 'unproven' },
      { partition: 'record_2025_06', kind: 'dropped', rows: 0 },
    ]);
    await log.seal();
    expect(await retain(1)).toMatchObject([{ kind: 'unproven' }]);
    await log.checkpoint();
    await withoutTriggers(log.pool, ['checkpoint'], () => log.pool.query('UPDATE audit.checkpoint SET anchor = NULL'));
    expect(await retain(1)).toMatchObject([{ kind: 'unproven' }]);
    await withoutTriggers(log.pool, ['checkpoint'], () => log.pool.query(`UPDATE audit.checkpoint SET anchor = 'a'`));
    expect(await retain(1)).toMatchObject([{ kind: 'dropped', rows: 5 }]);
  });

  it('keeps a month in which one record was edited, deleted or put in', async () => {
    await writeTwoMonths();
    const changes = [
      `UPDATE audit.record_2025_05 SET outcome = 'failure' WHERE seq = (SELECT max(seq) FROM audit.record_2025_05)`,
      'DELETE FROM audit.record_2025_05 WHERE seq = (SELECT min(seq) FROM audit.record_2025_05)',
      `INSERT INTO audit.record_2025_05 SELECT * FROM (SELECT (jsonb_populate_record(r, '{"record_id": "00000000-0000-7000-8000-00000000c0de"}')).* FROM audit.record_2025_05 r LIMIT 1) c`,
    ];
    for (const change of changes) {
      const before = await partitions();
      await log.pool.query('CREATE TABLE kept AS SELECT * FROM audit.record_2025_05');
      await withoutTriggers(log.pool, ['record_2025_05'], () => log.pool.query(change));
      expect(await retain(17)).toMatchObject([{ partition: 'record_2025_05', kind: 'broken' }]);
      expect(await partitions()).toEqual(before);
      await withoutTriggers(log.pool, ['record_2025_05'], async () => {
        await log.pool.query('DELETE FROM audit.record_2025_05');
        await log.pool.query('INSERT INTO audit.record_2025_05 SELECT * FROM kept');
      });
      await log.pool.query('DROP TABLE kept');
    }
    expect((await log.pool.query('SELECT FROM audit.note')).rowCount).toBe(0);
    expect(await retain(17)).toMatchObject([{ kind: 'dropped' }]);
  });

  it('gives way to whoever reads, and comes again', async () => {
    await writeTwoMonths();
    const reader = await log.pool.connect();
    try {
      await reader.query('BEGIN');
      await reader.query('SELECT FROM audit.record LIMIT 1');
      expect(await retain(17)).toMatchObject([{ kind: 'busy', rows: 15 }]);
      expect(await partitions()).toHaveLength(2);
      await reader.query('ROLLBACK');
      expect(await log.verify()).toMatchObject({ first: null, records: 30 });
      expect(await retain(17)).toMatchObject([{ kind: 'dropped' }]);
      expect(await log.verify()).toMatchObject({ first: null, dropped: 15 });
    } finally {
      reader.release(true);
    }
  });

  it('a note whose drop never came excuses nothing', async () => {
    await writeTwoMonths();
    const reader = await log.pool.connect();
    try {
      await reader.query('BEGIN');
      await reader.query('SELECT FROM audit.record LIMIT 1');
      expect(await retain(17)).toMatchObject([{ kind: 'busy' }]);
    } finally {
      reader.release(true);
    }
    const [first] = await log.order();
    const report = await log.tampered((client) =>
      client.query('DELETE FROM audit.record WHERE record_id = $1', [first]),
    );
    expect(report.first).toMatchObject({ kind: 'deleted', index: 0, recordId: first });
  });

  it('a month dropped by hand, or whose note is gone, is a break', async () => {
    await writeTwoMonths();
    const byHand = await log.tampered((client) => client.query('DROP TABLE audit.record_2025_05'));
    expect(byHand.counts).toMatchObject({ deleted: 15, identity: 15 });
    await retain(17);
    const noNote = await log.tampered((client) => client.query('DELETE FROM audit.note'), { anchor: null });
    expect(noNote.counts).toMatchObject({ deleted: 15 });
    expect(await log.tampered((client) => client.query('DELETE FROM audit.note'))).toMatchObject({ first: null });
  });

  it('ends at a signal before anything is signed, whatever it is reading', async () => {
    await writeTwoMonths();
    const stopping = new AbortController();
    const verify = createVerifyStore(log.pool);
    const stopped = retainRecords({
      store: createRetentionStore(log.pool),
      verify: {
        ...verify,
        compareKeys: (...of) => {
          stopping.abort(new Error('enough'));
          return verify.compareKeys(...of);
        },
      },
      keys: log.keys,
      anchor: log.anchor,
      now: () => NOW,
    })({ months: 17, dryRun: false }, stopping.signal);
    await expect(stopped).rejects.toThrow('enough');
    expect(await partitions()).toHaveLength(2);
    for await (const { kind } of log.anchor.readAll()) expect(kind).toBe('checkpoint');
  });

  it('keeps a month that somebody added an identity to', async () => {
    await writeTwoMonths();
    await log.pool.query(`INSERT INTO audit.record_key (tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash)
      SELECT tenant_id, source, 'forged', record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash
      FROM audit.record_key WHERE recorded_at < '2025-06-01Z' LIMIT 1`);
    expect(await retain(17)).toMatchObject([
      { partition: 'record_2025_05', kind: 'broken', what: expect.stringContaining('0 missing and 1 others') },
    ]);
    expect(await partitions()).toHaveLength(2);
  });
});

describe('audit.drop_partition', () => {
  const drop = (partition: string, note: string) =>
    log.pool.query('SELECT audit.drop_partition($1, $2)', [partition, note]);
  const noteOf = (partition: string) => `x\nkind dropped\nlog l\npartition ${partition}\nrows 5\n`;

  it('looks for itself at what must hold, whoever calls', async () => {
    const month = `record_${new Date().toISOString().slice(0, 7).replace('-', '_')}`;
    await expect(drop(month, noteOf(month))).rejects.toMatchObject({ code: '55000' });
    await expect(drop('record_2025_05', noteOf('record_2025_06'))).rejects.toMatchObject({ code: '22023' });
    await expect(drop('record_2025_05; DROP', noteOf('record_2025_05'))).rejects.toMatchObject({ code: '22023' });
    await expect(drop('record_2024_05', noteOf('record_2024_05'))).rejects.toMatchObject({ code: '42P01' });
    await log.write(5, undefined, MAY);
    await expect(drop('record_2025_05', noteOf('record_2025_05'))).rejects.toMatchObject({ code: '55000' });
    await sealAndSign();
    await log.write(1, undefined, MAY);
    await expect(drop('record_2025_05', noteOf('record_2025_05'))).rejects.toMatchObject({ code: '55000' });
    expect(await partitions()).toHaveLength(2);
  });

  it('is executed by nobody who was not granted it', async () => {
    const { rows } = await log.pool.query(
      `SELECT proacl::text AS acl, prosecdef FROM pg_proc WHERE oid = 'audit.drop_partition(text, text)'::regprocedure`,
    );
    expect(rows[0].prosecdef).toBe(true);
    expect(rows[0].acl).not.toMatch(/[{,]=/);
  });
});

describe('outbox audit retention', () => {
  it('shows what is due, and drops it', async () => {
    await writeTwoMonths();
    const settings = {
      AUDIT_DATABASE_URL: log.auditUrl,
      AUDIT_SIGNING_KEYS: formatSignerKey(log.keys.signers[0] as SignerKey),
      AUDIT_ANCHOR_FILE: log.anchorPath,
      AUDIT_RETENTION_MONTHS: '3',
    };
    const run = (...args: string[]) => runOutboxCli(['audit', 'retention', ...args], settings);
    expect(await run('--dry-run')).toMatchObject({
      code: 0,
      stdout: 'record_2025_05: 15 records, would be dropped\nrecord_2025_06: 10 records, would be dropped\n',
    });
    expect(await partitions()).toHaveLength(2);
    expect(await run()).toMatchObject({ code: 0, stdout: expect.stringContaining('dropped, under a signed note') });
    expect(await partitions()).toEqual([]);
    expect(await run()).toMatchObject({ code: 0, stdout: 'no month is past 3 months of keeping\n' });
  });
});

describe('months', () => {
  const at = (text: string) => new Date(`${text}Z`);

  it('are due when they and the months of keeping are over, and one at the least', () => {
    const all = ['record_2026_11', 'record_2026_10', 'record_2026_09', 'record_2025_12', 'record_2025_11'];
    expect(dueMonths(all, at('2026-11-30T23:59:59'), 1)).toEqual([
      'record_2025_11',
      'record_2025_12',
      'record_2026_09',
    ]);
    expect(dueMonths(all, at('2026-12-01T00:00:00'), 1)).toContain('record_2026_10');
    expect(dueMonths(all, at('2026-11-28T00:00:00'), 11)).toEqual(['record_2025_11']);
    expect(dueMonths(all, at('2026-12-01T00:00:00'), 11)).toEqual(['record_2025_11', 'record_2025_12']);
  });

  it('ahead are counted without a gap', () => {
    const all = ['record_2026_11', 'record_2026_12', 'record_2027_01', 'record_2027_03'];
    expect(monthsAhead(all, at('2026-11-28T00:00:00'))).toBe(2);
    expect(monthsAhead(all, at('2027-01-01T00:00:00'))).toBe(0);
    expect(monthsAhead([], at('2027-01-01T00:00:00'))).toBe(0);
  });
});
