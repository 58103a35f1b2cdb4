/**
 * F31: whoever owns the database changes what is sealed, and verification finds and names it. Real: PostgreSQL, the sealer,
 * signatures, a file anchor. Each change is made by the owner with all triggers off. Fake: another cluster is one by name
 * only.
 */
import type pg from 'pg';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import type { BreakKind } from '../../src/application/audit/verify/report.js';
import { verifyLog } from '../../src/application/audit/verify/verify-log.js';
import { formatVerifierKey, type VerifierKey } from '../../src/domain/audit/note-key.js';
import { createLeafStore } from '../../src/infrastructure/prisma/leaf-store.js';
import { createVerifyStore } from '../../src/infrastructure/prisma/verify-store.js';
import { runOutboxCli } from '../support/outbox-cli.js';
import { event } from './ingest-set-up.js';
import { newKeys, newSigner, withoutTriggers } from './log-set-up.js';
import { eraseRecord, leafOf, rewrite, type SealedLog, startSealedLog } from './verify-set-up.js';

let log: SealedLog;
let order: string[];
/** A sealed record in the middle of a seal, and the one after it. */
const AT = 100;
const NEXT = 101;

beforeAll(async () => {
  log = await startSealedLog();
  for (const batch of [70, 1, 130]) {
    await log.write(batch);
    await log.seal();
    await log.checkpoint();
  }
  await log.nextEpoch();
  for (const batch of [90, 60]) {
    await log.write(batch);
    await log.seal();
    await log.checkpoint();
  }
  order = await log.order();
});
afterAll(() => log.stop());

const id = (index: number): string => order[index] as string;
const sql =
  (text: string, ...values: unknown[]) =>
  (client: pg.Client) =>
    client.query(text, values);

describe('a log that nobody touched', () => {
  it('has no break, and is signed and anchored to its end', async () => {
    expect(await log.verify()).toEqual({
      size: 351,
      from: 0,
      to: 351,
      records: 351,
      erased: 0,
      dropped: 0,
      pending: 0,
      signedSize: 351,
      anchoredSize: 351,
      acceptedLosses: [],
      counts: {},
      first: null,
      breaks: [],
    });
  });

  it('has none in any range of it, which widens to whole seals and the next signed size', async () => {
    for (const [from, to] of [
      [0, 1],
      [69, 71],
      [200, 202],
      [256, 257],
      [350, 351],
      [351, 351],
    ] as const) {
      expect(await log.verify({ from, to })).toMatchObject({ to, first: null });
    }
    const { from, records } = await log.verify({ from: 210, to: 211 });
    expect({ from, records }).toEqual({ from: 201, records: 50 });
  });

  it('has none while it is written, sealed and signed', async () => {
    const busy = await startSealedLog();
    try {
      let writing = true;
      const work = (async () => {
        for (let round = 0; writing || round < 8; round++) {
          await Promise.all([busy.write(7), busy.write(3)]);
          await busy.seal();
          await busy.checkpoint();
        }
      })();
      const reports = [];
      for (let round = 0; round < 4; round++) reports.push(await busy.verify());
      writing = false;
      await work;
      reports.push(await busy.verify());
      expect(reports.map(({ counts }) => counts)).toEqual(reports.map(() => ({})));
      expect(reports.at(-1)?.size).toBeGreaterThanOrEqual(80);
    } finally {
      await busy.stop();
    }
  });

  it('has none when all of that happens, and an erasure, right after verification has begun', async () => {
    const busy = await startSealedLog();
    try {
      const [id = ''] = await busy.write(5);
      await busy.seal();
      await busy.checkpoint();
      const store = createVerifyStore(busy.pool);
      let begun = false;
      const readHead = async () => {
        const head = await store.readHead();
        if (begun) return head;
        begun = true;
        await eraseRecord(busy, id);
        await busy.write(5);
        await busy.seal();
        await busy.checkpoint();
        return head;
      };
      const deps = { leaves: createLeafStore(busy.pool), tools: NOTE_TOOLS, keys: busy.keys, anchor: busy.anchor };
      const report = await verifyLog({ ...deps, store: { ...store, readHead } })({});
      expect(report).toMatchObject({ size: 5, first: null, erased: 1, anchoredSize: 10 });
    } finally {
      await busy.stop();
    }
  });

  it('counts what is not sealed yet, and blames nobody for it', async () => {
    const young = await startSealedLog();
    try {
      expect(await young.verify()).toMatchObject({ size: 0, pending: 0, first: null, signedSize: 0 });
      await young.write(3);
      expect(await young.verify()).toMatchObject({ size: 0, pending: 3, first: null });
      await young.seal();
      expect(await young.verify()).toMatchObject({ size: 3, pending: 0, first: null, signedSize: 0, anchoredSize: 0 });
    } finally {
      await young.stop();
    }
  });
});

/** What an edit of each column is; a column that is not here fails the test. */
const EDITS: Record<string, string> = {
  record_id: 'gen_random_uuid()',
  recorded_at: `recorded_at + interval '1 microsecond'`,
  log_epoch: 'log_epoch + 1',
  tx_id: `(tx_id::text::bigint - 5)::text::xid8`,
  seq: 'seq + 100000',
  tenant_id: `'other'`,
  source: `'/other'`,
  event_id: `'other'`,
  action: `'a.b.c'`,
  action_version: '7',
  category: `'billing'`,
  operation: `'delete'`,
  outcome: `'failure'`,
  severity: `'critical'`,
  occurred_at: `occurred_at + interval '1 microsecond'`,
  actor_type: `'service'`,
  actor_id: `'u-2'`,
  via: `'import'`,
  key_id: 'gen_random_uuid()',
  leaf_version: '2',
  salt: `'\\x00'`,
  body: `jsonb_set(body, '{outcome}', '"failure"')`,
  leaf_hash: `sha256('x')`,
};

/** Columns that are copies of the body, or say so themselves: what differs is named. */
const IN_BODY = Object.keys(EDITS).filter(
  (column) =>
    !['record_id', 'log_epoch', 'tx_id', 'seq', 'tenant_id', 'via', 'key_id', 'leaf_version', 'salt', 'body'].includes(
      column,
    ),
);

describe('F31: a single edit by the owner', () => {
  it.each(Object.entries(EDITS))('of record.%s is found and the record named', async (column, value) => {
    const report = await log.tampered(sql(`UPDATE audit.record SET ${column} = ${value} WHERE record_id = $1`, id(AT)));
    const isPlace = ['log_epoch', 'tx_id', 'seq'].includes(column);
    const isCopy = IN_BODY.includes(column);
    expect(report.breaks).toContainEqual({
      kind: isPlace ? 'moved' : 'edited',
      index: AT,
      recordId: id(AT),
      what: isCopy ? expect.stringContaining(column) : expect.any(String),
    });
    if (!isPlace) expect(report.counts).toMatchObject({ edited: 1 });
    expect(Object.keys(report.counts).filter((kind) => !['edited', 'moved', 'identity'].includes(kind))).toEqual([]);
  });

  it('of every column: the table above has them all', async () => {
    const { rows } = await log.pool.query(
      `SELECT column_name FROM information_schema.columns WHERE table_schema = 'audit' AND table_name = 'record'`,
    );
    expect(rows.map(({ column_name }) => column_name).sort()).toEqual([...Object.keys(EDITS), 'erased_at'].sort());
  });

  it('of a number to one that JavaScript reads as the same', async () => {
    const one = await startSealedLog();
    try {
      await one.write([event({ data: { amount: 9007199254740991, price: 0.1, tiny: 5e-324 } })]);
      await one.seal();
      expect(await one.verify()).toMatchObject({ first: null, records: 1 });
      for (const [path, value] of [
        ['amount', '9007199254740991.0000001'],
        ['price', '0.1000000000000000000001'],
      ]) {
        const report = await one.tampered(
          sql(`UPDATE audit.record SET body = jsonb_set(body, $1, $2::jsonb)`, ['data', path], value),
        );
        expect(report.first).toMatchObject({ kind: 'edited', index: 0, what: expect.stringContaining('a number') });
      }
    } finally {
      await one.stop();
    }
  });

  it('that looks like an erasure, but no signed note says so', async () => {
    const change = sql(
      `UPDATE audit.record SET body = '{}', salt = '', actor_id = NULL, erased_at = now() WHERE record_id = $1`,
      id(AT),
    );
    expect(await log.tampered(change)).toMatchObject({
      counts: { erased: 1 },
      first: { kind: 'erased', index: AT, recordId: id(AT) },
    });
  });

  it.each([
    ['record_id', 'gen_random_uuid()'],
    ['recorded_at', `recorded_at + interval '1 microsecond'`],
    ['leaf_hash', `sha256('x')`],
    ['tenant_id', `'other'`],
    ['source', `'/other'`],
    ['event_id', `'other'`],
  ])('of record_key.%s', async (column, value) => {
    const report = await log.tampered(
      sql(`UPDATE audit.record_key SET ${column} = ${value} WHERE record_id = $1`, id(AT)),
    );
    expect(report.first).toMatchObject({
      kind: 'edited',
      index: AT,
      recordId: id(AT),
      what: expect.stringContaining('identity'),
    });
  });

  it('of record and identity together, hashes made anew', async () => {
    const report = await log.tampered(async (client) => {
      await client.query(
        `UPDATE audit.record SET outcome = 'failure', body = jsonb_set(body, '{outcome}', '"failure"') WHERE record_id = $1`,
        [id(AT)],
      );
      await client.query(`UPDATE audit.record SET leaf_hash = $2 WHERE record_id = $1`, [
        id(AT),
        await leafOf(client, id(AT)),
      ]);
      await client.query(`UPDATE audit.record_key SET leaf_hash = $2 WHERE record_id = $1`, [
        id(AT),
        await leafOf(client, id(AT)),
      ]);
    });
    expect(report).toMatchObject({ counts: { edited: 1 }, first: { index: AT, recordId: id(AT) } });
  });

  it('of record, identity, seal and tile together: the signed root tells, and between which sizes', async () => {
    const report = await log.tampered((client) => rewrite(client, { recordId: id(AT), index: AT, size: 351 }));
    expect(report.counts).toMatchObject({ root: 6 });
    expect(report.first).toMatchObject({ kind: 'root', index: 71, what: expect.stringContaining('leaves 71 to 200') });
  });
});

describe('F31: records taken out, put in, changed about', () => {
  it('a deleted record is named by its identity', async () => {
    const report = await log.tampered(sql('DELETE FROM audit.record WHERE record_id = $1', id(AT)));
    expect(report).toMatchObject({
      counts: { deleted: 1, identity: 1 },
      first: { kind: 'deleted', index: AT, recordId: id(AT) },
    });
  });

  it('one deleted with its identity is named by its place', async () => {
    const report = await log.tampered(async (client) => {
      await client.query('DELETE FROM audit.record WHERE record_id = $1', [id(AT)]);
      await client.query('DELETE FROM audit.record_key WHERE record_id = $1', [id(AT)]);
    });
    expect(report).toMatchObject({ counts: { deleted: 1 }, first: { kind: 'deleted', index: AT, recordId: null } });
  });

  it('a deleted identity', async () => {
    const report = await log.tampered(sql('DELETE FROM audit.record_key WHERE record_id = $1', id(AT)));
    expect(report).toMatchObject({ counts: { edited: 1 }, first: { kind: 'edited', index: AT, recordId: id(AT) } });
  });

  it('an identity without a record', async () => {
    const report = await log.tampered(sql(COPY_KEY, id(AT)));
    expect(report).toMatchObject({ counts: { identity: 1 }, first: { kind: 'identity' } });
  });

  it('an inserted record among the sealed', async () => {
    const report = await log.tampered(async (client) => {
      await client.query(COPY_KEY, [id(AT)]);
      await client.query(COPY_RECORD, [id(AT)]);
    });
    expect(report.counts).toEqual({ inserted: 1 });
    expect(report.first).toMatchObject({ kind: 'inserted', index: expect.any(Number) });
    expect([AT, NEXT]).toContain(report.first?.index);
    expect(order).not.toContain(report.first?.recordId);
  });

  it.each(['0', '-3', '9'])('an inserted record of the epoch %s, which there is none of', async (epoch) => {
    const report = await log.tampered(async (client) => {
      await client.query(COPY_KEY, [id(AT)]);
      await client.query(COPY_RECORD.replace('r.log_epoch', `${epoch}`), [id(AT)]);
    });
    expect(report.counts).toEqual({ inserted: 1 });
    expect(order).not.toContain(report.first?.recordId);
  });

  it('one behind the head, of a transaction that has not begun: no sealer ever comes to it', async () => {
    const report = await log.tampered(async (client) => {
      await client.query(COPY_KEY, [id(AT)]);
      await client.query(COPY_RECORD.replace('r.log_epoch', '2').replace('r.tx_id', `'99999999'::xid8`), [id(AT)]);
    });
    expect(report.counts).toEqual({ inserted: 1 });
  });

  it.each([
    [AT, NEXT],
    [3, 200],
    [100, 300],
  ])('records %i and %i, each at the place of the other', async (a, b) => {
    const report = await log.tampered((client) => swap(client, id(a), id(b)));
    const named = report.breaks.map(({ kind, recordId }) => (kind === 'moved' ? recordId : null));
    // Of two neighbours one is in order.
    expect([id(a), id(b)].filter((one) => named.includes(one))).toHaveLength(b === a + 1 ? 1 : 2);
    expect(Object.keys(report.counts)).toEqual(['moved']);
  });

  it('more than can be named are counted', async () => {
    const report = await log.tampered(sql(`UPDATE audit.record SET severity = 'low'`));
    expect(report.counts).toEqual({ edited: 351 });
    expect(report.breaks).toHaveLength(20);
    expect(report.breaks.map(({ index }) => index)).toEqual(Array.from({ length: 20 }, (_, at) => at));
  });
});

const COPY_KEY = `
INSERT INTO audit.record_key (tenant_id, source, event_id, record_id, recorded_at, hmac_key_id, fingerprint, leaf_hash)
SELECT tenant_id, source, 'copy', '00000000-0000-7000-8000-00000000c0de', recorded_at, hmac_key_id, fingerprint, leaf_hash
FROM audit.record_key WHERE record_id = $1`;
const COPY_RECORD = `
INSERT INTO audit.record (record_id, recorded_at, log_epoch, tx_id, seq, tenant_id, source, event_id, action,
  action_version, category, operation, outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt,
  body, leaf_hash)
SELECT '00000000-0000-7000-8000-00000000c0de', recorded_at, r.log_epoch, r.tx_id, r.seq, tenant_id, source, 'copy', action,
  action_version, category, operation, outcome, severity, occurred_at, actor_type, actor_id, via, key_id, leaf_version, salt,
  body || '{"eventId": "copy"}', leaf_hash
FROM audit.record r WHERE record_id = $1`;

describe('F31: the seals, tiles, checkpoints, notes and epochs themselves', () => {
  const cases: [string, string, BreakKind][] = [
    [
      'a sealed hash',
      `UPDATE audit.seal SET hashes = set_byte(hashes, 32 * 20, get_byte(hashes, 32 * 20) # 1) WHERE first_index = 71`,
      'edited',
    ],
    ['a seal taken away', 'DELETE FROM audit.seal WHERE first_index = 71', 'seal'],
    [
      'the last seal taken away',
      'DELETE FROM audit.seal WHERE first_index = (SELECT max(first_index) FROM audit.seal)',
      'truncated',
    ],
    ['a seal that begins elsewhere', 'UPDATE audit.seal SET first_index = 72 WHERE first_index = 71', 'seal'],
    [
      'a seal of fewer records',
      'UPDATE audit.seal SET size = size - 1, hashes = substring(hashes FROM 33) WHERE first_index = 71',
      'seal',
    ],
    ["a seal's last sequence", 'UPDATE audit.seal SET last_seq = last_seq + 1 WHERE first_index = 71', 'seal'],
    ["a seal's last transaction", `UPDATE audit.seal SET last_tx = '1' WHERE first_index = 71`, 'seal'],
    ["a seal's epoch", 'UPDATE audit.seal SET epoch = 2 WHERE first_index = 71', 'seal'],
    ['a tile', `UPDATE audit.tile SET root = sha256('x') WHERE level = 0 AND index = 0`, 'tile'],
    ['a tile taken away', 'DELETE FROM audit.tile WHERE level = 0 AND index = 0', 'tile'],
    ['a tile too early', `INSERT INTO audit.tile VALUES (0, 7, sha256('x'))`, 'tile'],
    ["a checkpoint's root", `UPDATE audit.checkpoint SET root = sha256('x') WHERE size = 71`, 'checkpoint'],
    ["a checkpoint's size", 'UPDATE audit.checkpoint SET size = 72 WHERE size = 71', 'checkpoint'],
    ["a checkpoint's branch", 'UPDATE audit.checkpoint SET branch = 2 WHERE size = 71', 'checkpoint'],
    [
      "a checkpoint's note",
      `UPDATE audit.checkpoint SET note = replace(note, E'\\n71\\n', E'\\n72\\n') WHERE size = 71`,
      'checkpoint',
    ],
    [
      'a note that nobody signed',
      `INSERT INTO audit.note (id, kind, note) VALUES (gen_random_uuid(), 'dropped', E'x\\n\\n— a b\\n')`,
      'note',
    ],
    ['an epoch taken away', 'DELETE FROM audit.epoch WHERE epoch = 1', 'epoch'],
  ];
  it.each(cases)('%s', async (_, statement, kind) => {
    const report = await log.tampered(sql(statement));
    expect(Object.keys(report.counts)).toContain(kind);
  });

  it('a sealed hash is named with its record, which agrees with its identity', async () => {
    const [, statement] = cases[0] as (typeof cases)[number];
    const report = await log.tampered(sql(statement));
    expect(report.breaks[1] ?? report.first).toBeDefined();
    expect(report.breaks).toContainEqual(
      expect.objectContaining({ kind: 'edited', index: 91, recordId: id(91), what: expect.stringContaining('agree') }),
    );
  });
});

describe('F31: the end of the log, with everything that says how long it was', () => {
  const truncate = (from: number) => async (client: pg.Client) => {
    const { rows } = await client.query('SELECT record_id FROM audit.record ORDER BY log_epoch, tx_id, seq OFFSET $1', [
      from,
    ]);
    const ids = rows.map(({ record_id }) => record_id);
    await client.query('DELETE FROM audit.record WHERE record_id = ANY ($1)', [ids]);
    await client.query('DELETE FROM audit.record_key WHERE record_id = ANY ($1)', [ids]);
    await client.query('DELETE FROM audit.seal WHERE first_index >= $1', [from]);
    await client.query('DELETE FROM audit.checkpoint WHERE size > $1', [from]);
    await client.query('DELETE FROM audit.tile');
  };

  it('the anchor tells which leaves are gone', async () => {
    expect(await log.tampered(truncate(201))).toMatchObject({
      size: 201,
      counts: { truncated: 2 },
      first: { kind: 'truncated', index: 201, what: expect.stringContaining('leaves 201 to 290') },
    });
  });

  it('without an anchor nobody can tell', async () => {
    expect(await log.tampered(truncate(201), { anchor: null })).toMatchObject({ size: 201, first: null });
  });
});

describe('a restore to an earlier time', () => {
  it('is a break until a person has accepted the loss by a signed note, and told ever after', async () => {
    const restored = await startSealedLog();
    try {
      for (const count of [5, 5]) {
        await restored.write(count);
        await restored.seal();
        await restored.checkpoint();
      }
      const lost = (await restored.order()).slice(5);
      await withoutTriggers(restored.pool, ['record', 'record_key', 'seal', 'checkpoint'], async () => {
        await restored.pool.query('DELETE FROM audit.record WHERE record_id = ANY ($1)', [lost]);
        await restored.pool.query('DELETE FROM audit.record_key WHERE record_id = ANY ($1)', [lost]);
        await restored.pool.query('DELETE FROM audit.seal WHERE first_index >= 5');
        await restored.pool.query('DELETE FROM audit.checkpoint WHERE size > 5');
      });
      expect(await restored.verify()).toMatchObject({ counts: { truncated: 1 }, first: { index: 5 } });
      await restored.write(7);
      await restored.seal();
      expect(await restored.verify()).toMatchObject({ counts: { root: 1 } });

      await restored.adopt({ id: crypto.randomUUID(), now: new Date(), by: 'Ada Lopez', reason: 'the disk' });
      await restored.checkpoint();
      expect(await restored.verify()).toMatchObject({
        first: null,
        size: 12,
        signedSize: 12,
        anchoredSize: 12,
        acceptedLosses: [
          expect.stringMatching(/^leaves 5 to 9 of branch 1, given up by Ada Lopez at .*; branch 2 goes on$/),
        ],
      });
      const noNote = await restored.tampered((client) => client.query('DELETE FROM audit.note'), { anchor: null });
      expect(noNote).toMatchObject({ counts: { checkpoint: 1 }, first: { what: expect.stringContaining('branch 2') } });
    } finally {
      await restored.stop();
    }
  });
});

describe('keys', () => {
  it('a log signed by nobody that is known has no good checkpoint', async () => {
    const report = await log.verify({}, { keys: newKeys() });
    expect(report).toMatchObject({ counts: { checkpoint: 5 }, signedSize: 0, anchoredSize: 0 });
  });

  it('an old key among several is enough', async () => {
    const keys = { base: log.keys.base, verifiers: [newSigner(), ...log.keys.verifiers] };
    expect(await log.verify({}, { keys })).toMatchObject({ first: null, signedSize: 351 });
  });
});

describe('outbox audit verify', () => {
  const run = (args: string[], settings: Record<string, string> = {}) =>
    runOutboxCli(['audit', 'verify', ...args], {
      AUDIT_DATABASE_URL: log.auditUrl,
      AUDIT_VERIFIER_KEYS: formatVerifierKey(log.keys.verifiers[0] as VerifierKey),
      AUDIT_ANCHOR_FILE: log.anchorPath,
      ...settings,
    });

  it('ends with 0 and says what is proven; of a range and a record, too', async () => {
    const all = await run([]);
    expect(all).toMatchObject({ code: 0, stdout: expect.stringContaining('no break') });
    expect(all.stdout).toMatch(/leaves 0 to 350 of 351: 351 records looked at\nsigned up to 351\nanchored up to 351\n/);
    const one = await run(['--record', id(AT), '--json']);
    expect(JSON.parse(one.stdout)).toMatchObject({ from: 71, to: 72, records: 50, first: null });
    expect(await run(['--record', '0198c0de-0000-7000-8000-000000000001'])).toMatchObject({ code: 1 });
  });

  it('takes keys and anchor from its options, and refuses to go without keys', async () => {
    const key = formatVerifierKey(log.keys.verifiers[0] as VerifierKey);
    const none = { AUDIT_VERIFIER_KEYS: '', AUDIT_ANCHOR_FILE: '' };
    expect(await run(['--key', key, '--anchor', log.anchorPath], none)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('anchored up to 351'),
    });
    expect((await run(['--key', key], none)).stdout).toContain('no anchor');
    expect(await run([], none)).toMatchObject({ code: 78 });
    expect(await run(['--key', 'nonsense'], none)).toMatchObject({ code: 64 });
  });

  it('ends with 1 and names the first broken record', async () => {
    const broken = await startSealedLog();
    try {
      const ids = await broken.write(9);
      await broken.seal();
      await broken.checkpoint();
      await withoutTriggers(broken.pool, ['record'], () =>
        broken.pool.query(`UPDATE audit.record SET outcome = 'failure' WHERE record_id = ANY ($1)`, [ids]),
      );
      const [first] = await broken.order();
      const key = formatVerifierKey(broken.keys.verifiers[0] as VerifierKey);
      const settings = {
        AUDIT_DATABASE_URL: broken.auditUrl,
        AUDIT_VERIFIER_KEYS: key,
        AUDIT_ANCHOR_FILE: broken.anchorPath,
      };
      const { code, stdout } = await run([], settings);
      expect(code).toBe(1);
      expect(stdout).toContain(`edited: leaf 0 record ${first}: expected the leaf that was sealed (differs: outcome)`);
      expect(stdout).toContain('BROKEN: 9 edited');
    } finally {
      await broken.stop();
    }
  });
});

async function swap(client: pg.Client, a: string, b: string): Promise<void> {
  await client.query(
    `UPDATE audit.record x SET log_epoch = y.log_epoch, tx_id = y.tx_id, seq = y.seq FROM audit.record y
     WHERE x.record_id = ANY ($1) AND y.record_id = ANY ($1) AND x.record_id <> y.record_id`,
    [[a, b]],
  );
}
