/**
 * A look at a part of the log: what it costs, what it binds the part to, and that it ends when it is told to. Real:
 * PostgreSQL, the sealer, signatures, a file anchor, a lock held by another session. Whoever tampers owns the database, and
 * where it is said the signing key as well.
 */
import type pg from 'pg';
import { signCheckpoint } from '../../src/application/audit/log/log-keys.js';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import type { Anchor } from '../../src/application/audit/log/ports.js';
import { type VerifyRange, verifyLog } from '../../src/application/audit/verify/verify-log.js';
import { createLeafStore } from '../../src/infrastructure/prisma/leaf-store.js';
import { createVerifyStore } from '../../src/infrastructure/prisma/verify-store.js';
import { eventually } from '../support/eventually.js';
import { rootOf, withoutTriggers } from './log-set-up.js';
import { addMonth, eraseRecord, retain, rewrite, type SealedLog, startSealedLog } from './verify-set-up.js';

async function grow(log: SealedLog, count: number): Promise<void> {
  await log.write(count);
  await log.seal();
  await log.checkpoint();
}

/** Verification whose every question is told: a call of a store, or a note that the anchor was asked for. */
function asking(log: SealedLog, ask: (what: string) => void) {
  const telling = <T extends object>(store: T): T =>
    Object.fromEntries(
      Object.entries(store).map(([name, call]) => [
        name,
        (...given: unknown[]) => {
          ask(name);
          return call(...given);
        },
      ]),
    ) as T;
  async function* notes(way: 'readAll' | 'readBack'): ReturnType<Anchor['readAll']> {
    for await (const note of log.anchor[way]()) {
      ask(way);
      yield note;
    }
  }
  return verifyLog({
    store: telling(createVerifyStore(log.pool)),
    leaves: telling(createLeafStore(log.pool)),
    tools: NOTE_TOOLS,
    keys: log.keys,
    anchor: { readAll: () => notes('readAll'), readBack: () => notes('readBack') },
  });
}

describe('what a look costs', () => {
  it('depends on what it looks at, not on how long the log is', async () => {
    const log = await startSealedLog();
    try {
      const look = async (range: VerifyRange) => {
        const asked: string[] = [];
        const report = await asking(log, (what) => asked.push(what))(range);
        expect(report).toMatchObject({ first: null, signedSize: expect.any(Number) });
        return { asked, report };
      };
      for (let at = 0; at < 40; at++) await grow(log, 5);
      const early = await look({ from: 7, to: 8 });
      for (let at = 0; at < 160; at++) await grow(log, 5);
      const late = await look({ from: 7, to: 8 });

      expect(early.report).toMatchObject({ from: 5, records: 5, signedSize: 10, anchoredSize: 200 });
      expect(late.report).toMatchObject({ from: 5, records: 5, signedSize: 10, anchoredSize: 1_000 });
      expect(late.asked).not.toContain('readAll');
      expect(late.asked.filter((what) => what === 'readBack')).toHaveLength(64);
      // The tree is a little higher: a few more of its nodes lie beside the way.
      const statements = (asked: readonly string[]) => asked.filter((what) => what !== 'readBack').length;
      expect(statements(late.asked)).toBeLessThanOrEqual(statements(early.asked) + 10);
      expect(statements(late.asked)).toBeLessThan(50);
    } finally {
      await log.stop();
    }
  });
});

describe('what a look finds', () => {
  let log: SealedLog;
  let order: string[];
  beforeAll(async () => {
    log = await startSealedLog();
    for (const count of [70, 1, 130, 90, 60]) await grow(log, count);
    order = await log.order();
  });
  afterAll(() => log.stop());
  const AT = 100;
  const range = { from: AT, to: AT + 1 };

  /** As the holder of the key: every checkpoint that has the leaf in it is signed anew, for what the leaves are now. */
  async function signAgain(client: pg.Client): Promise<void> {
    const { rows: seals } = await client.query('SELECT hashes FROM audit.seal ORDER BY first_index');
    const leaves = seals.flatMap(({ hashes }) => (hashes as Buffer).toString('hex').match(/.{64}/g) ?? []);
    const { rows } = await client.query('SELECT size::integer AS size FROM audit.checkpoint WHERE size > $1', [AT]);
    for (const { size } of rows) {
      const root = rootOf(leaves.slice(0, size));
      const note = signCheckpoint(log.keys, 1, { size, root });
      await client.query('UPDATE audit.checkpoint SET root = $2, note = $3 WHERE size = $1', [size, root, note]);
    }
  }

  it.each([true, false])(
    'everything was signed anew by the key: the anchor tells it (old tiles kept: %s)',
    async (keepTiles) => {
      const change = async (client: pg.Client) => {
        await rewrite(client, { recordId: order[AT] as string, index: AT, size: 351, keepTiles });
        await signAgain(client);
      };
      expect(await log.tampered(change, { range })).toMatchObject({
        counts: { root: 1 },
        first: { kind: 'root', what: 'expected the root that the anchor has for size 351 of branch 1' },
        anchoredSize: 0,
      });
      expect(await log.tampered(change, { range, anchor: null })).toMatchObject({ first: null });
    },
  );

  it('a record that was edited with its seal: the next signed size tells it, behind leaves that are not read', async () => {
    const change = (client: pg.Client) => rewrite(client, { recordId: order[AT] as string, index: AT, size: 351 });
    expect(await log.tampered(change, { range, anchor: null })).toMatchObject({
      counts: { root: 1 },
      first: { kind: 'root', index: 71, what: 'leaves 71 to 200: expected the root that was signed at size 201' },
      signedSize: 0,
    });
  });

  it('a log that ends before the newest anchored size', async () => {
    const change = async (client: pg.Client) => {
      await client.query('DELETE FROM audit.seal WHERE first_index >= 291');
      await client.query('DELETE FROM audit.checkpoint WHERE size > 291');
    };
    expect(await log.tampered(change, { range })).toMatchObject({
      counts: { truncated: 1 },
      first: { kind: 'truncated', index: 291, what: expect.stringContaining('leaves 291 to 350') },
      signedSize: 201,
    });
    expect(
      await log.tampered((client) => client.query('DELETE FROM audit.seal WHERE first_index >= 171'), {
        range,
        anchor: null,
      }),
    ).toMatchObject({ counts: { truncated: 1 }, first: { what: expect.stringContaining('size 201 was signed') } });
  });

  it('a false tile, or a seal that is gone, somewhere between the part and the signed sizes', async () => {
    const root = { counts: { root: 2 } }; // by the next signed size, and by the newest anchored one
    const falseTile = (client: pg.Client) => client.query(`UPDATE audit.tile SET root = sha256('x')`);
    expect(await log.tampered(falseTile, { range: { from: 300, to: 301 } })).toMatchObject(root);
    const noSeal = (client: pg.Client) => client.query('DELETE FROM audit.seal WHERE first_index = 251');
    expect(await log.tampered(noSeal, { range: { from: 210, to: 211 } })).toMatchObject(root);
  });

  it('checkpoints that nobody signed stand in nobody’s way, and are named', async () => {
    const insert = (sizes: string) => (client: pg.Client) =>
      client.query(
        `INSERT INTO audit.checkpoint (branch, size, root, note) SELECT 1, n, sha256(''), 'x' FROM generate_series(${sizes}) n`,
      );
    expect(await log.tampered(insert('190, 194'), { range })).toMatchObject({
      counts: { checkpoint: 5 },
      signedSize: 201,
    });
    expect(await log.tampered(insert('130, 190'), { range })).toMatchObject({
      counts: { checkpoint: 20 },
      signedSize: 0,
    });
  });

  it('what is newer than the newest anchored size is looked at, and said to be proven by nothing', async () => {
    const young = await startSealedLog();
    try {
      await grow(young, 5);
      await young.write(5);
      await young.seal();
      expect(await young.verify({ from: 7, to: 8 })).toMatchObject({
        from: 5,
        records: 5,
        first: null,
        signedSize: 0,
        anchoredSize: 5,
      });
      // A part that has the newest signed size within.
      expect(await young.verify({ from: 1, to: 8 })).toMatchObject({ first: null, signedSize: 5, anchoredSize: 5 });
    } finally {
      await young.stop();
    }
  });
});

describe('what a look accounts for', () => {
  it('erased records and dropped months, by notes that it reads when it comes to them', async () => {
    const log = await startSealedLog();
    try {
      await addMonth(log.pool, '2025_05');
      await log.write(5, undefined, new Date('2025-05-07Z'));
      await log.seal();
      const [id = ''] = await log.write(5);
      await log.seal();
      await grow(log, 5);
      expect(await retain(log, { now: new Date(), months: 1 })).toMatchObject([{ kind: 'dropped' }]);
      await eraseRecord(log, id);
      expect(await log.verify({ from: 0, to: 1 })).toMatchObject({ first: null, records: 0, dropped: 5 });
      expect(await log.verify({ from: 5, to: 6 })).toMatchObject({ first: null, records: 5, erased: 1 });
      // By the anchor's, where the database has lost its own.
      const noNotes = (client: pg.Client) => client.query('DELETE FROM audit.note');
      for (const range of [
        { from: 0, to: 1 },
        { from: 5, to: 6 },
      ]) {
        expect(await log.tampered(noNotes, { range })).toMatchObject({ first: null });
        expect(await log.tampered(noNotes, { range, anchor: null })).toMatchObject({ first: expect.anything() });
      }
    } finally {
      await log.stop();
    }
  });

  it('a loss that a person has accepted', async () => {
    const log = await startSealedLog();
    try {
      for (const count of [5, 5]) await grow(log, count);
      const lost = (await log.order()).slice(5);
      await withoutTriggers(log.pool, ['record', 'record_key', 'seal', 'checkpoint'], async () => {
        await log.pool.query('DELETE FROM audit.record WHERE record_id = ANY ($1)', [lost]);
        await log.pool.query('DELETE FROM audit.record_key WHERE record_id = ANY ($1)', [lost]);
        await log.pool.query('DELETE FROM audit.seal WHERE first_index >= 5');
      });
      for (const count of [2, 5]) {
        await log.write(count);
        await log.seal();
      }
      const range = { from: 5, to: 6 };
      expect(await log.verify(range)).toMatchObject({ counts: { root: 2 } });
      await log.adopt({ id: crypto.randomUUID(), now: new Date(), by: 'Ada Lopez', reason: 'the disk' });
      await log.checkpoint();
      expect(await log.verify(range)).toMatchObject({
        first: null,
        signedSize: 12,
        anchoredSize: 12,
        acceptedLosses: [expect.stringContaining('given up by Ada Lopez')],
      });
      const noNote = (client: pg.Client) => client.query('DELETE FROM audit.note');
      expect(await log.tampered(noNote, { range })).toMatchObject({ first: null, anchoredSize: 12 });
    } finally {
      await log.stop();
    }
  });
});

describe('the signal', () => {
  let log: SealedLog;
  beforeAll(async () => {
    log = await startSealedLog();
    for (let at = 0; at < 2; at++) await grow(log, 140);
    await log.write(3);
  });
  afterAll(() => log.stop());

  it.each([
    ['all', {}],
    ['a look', { from: 70, to: 71 }],
  ])('of verification of %s is heard at every question, and nothing is asked behind it', async (_, range) => {
    let questions = 0;
    await asking(log, () => {
      questions += 1;
    })(range);
    expect(questions).toBeGreaterThan(15);
    for (let last = 1; last <= questions; last++) {
      const stopping = new AbortController();
      let asked = 0;
      const verify = asking(log, () => {
        asked += 1;
        if (asked === last) stopping.abort(new Error('enough'));
      });
      await expect(verify(range, { signal: stopping.signal })).rejects.toThrow('enough');
      expect(asked).toBe(last);
    }
  });

  it('does not wait for a statement that waits', async () => {
    const other = await log.pool.connect();
    try {
      const busy = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()`;
      await eventually('an end of what was given up before', async () => (await other.query(busy)).rowCount === 0);
      await other.query('BEGIN');
      await other.query('LOCK TABLE audit.record IN ACCESS EXCLUSIVE MODE');
      const stopping = new AbortController();
      const verifying = asking(log, () => undefined)({}, { signal: stopping.signal });
      const waits = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
      await eventually('a statement that waits', async () => (await other.query(waits)).rowCount === 1);
      stopping.abort(new Error('enough'));
      await expect(verifying).rejects.toThrow('enough');
      // The statement waits on, which is how we know that it was not waited for.
      expect((await other.query(waits)).rowCount).toBe(1);
    } finally {
      await other.query('ROLLBACK');
      other.release();
    }
  });
});
