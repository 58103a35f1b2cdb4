/**
 * What is signed, and when nothing is. Real: PostgreSQL, HTTP, Ed25519, the anchor's file. A crash is one where the insert
 * never runs; what the database has lost is taken out by its owner, past his own triggers.
 */
import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { keepLog } from '../../src/application/audit/log/keep-log.js';
import { type LogKeys, logKeys, openCheckpoint } from '../../src/application/audit/log/log-keys.js';
import { NOTE_TOOLS, sha256 } from '../../src/application/audit/log/note-tools.js';
import { LogBrokenError } from '../../src/application/audit/log/ports.js';
import { findLogTrouble, readLogStatus } from '../../src/application/audit/log/read-log-status.js';
import { writeCheckpoint } from '../../src/application/audit/log/write-checkpoint.js';
import { formatAuditNote } from '../../src/domain/audit/audit-note.js';
import { formatCheckpoint } from '../../src/domain/audit/checkpoint.js';
import { emptyRoot } from '../../src/domain/audit/merkle-hash.js';
import { renameVerifier } from '../../src/domain/audit/note-key.js';
import { openNote, signNote } from '../../src/domain/audit/signed-note.js';
import { createCheckpointStore } from '../../src/infrastructure/prisma/checkpoint-store.js';
import { createLagStore } from '../../src/infrastructure/prisma/lag-store.js';
import { event, startIngest, type TestIngest } from './ingest-set-up.js';
import { BASE, newKeys, newSigner, openLog, readLeaves, rootOf, tempAnchor, withoutTriggers } from './log-set-up.js';

let ingest: TestIngest;
let keys: LogKeys;
let file: ReturnType<typeof tempAnchor>;
beforeEach(async () => {
  ingest = await startIngest();
  keys = newKeys();
  file = tempAnchor();
});
afterEach(async () => {
  await ingest.stop();
  file.remove();
});

const open = (given: Partial<Parameters<typeof openLog>[1]> = {}) =>
  openLog(ingest.pool, { keys, anchor: file.again(), ...given });

async function grow(count: number, log = open()): Promise<void> {
  await ingest.post(Array.from({ length: count }, () => event()));
  await log.seal();
}

const stored = async () =>
  (
    await ingest.pool.query(
      'SELECT branch, size::int AS size, note, anchor FROM audit.checkpoint ORDER BY branch, size',
    )
  ).rows;
const anchored = () =>
  readFileSync(file.path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; origin: string; size: number; note: string });

/** The database as it was when the log had so many leaves: its tail is gone, and what was signed of it. */
const lose = (leaves: number) =>
  withoutTriggers(ingest.pool, ['seal', 'tile', 'checkpoint', 'record', 'record_key'], async () => {
    await ingest.pool.query('DELETE FROM audit.seal WHERE first_index >= $1', [leaves]);
    await ingest.pool.query('DELETE FROM audit.tile WHERE (index + 1) * 256 ^ (level + 1) > $1', [leaves]);
    await ingest.pool.query('DELETE FROM audit.checkpoint WHERE size > $1', [leaves]);
    await ingest.pool.query(
      `DELETE FROM audit.record r WHERE NOT EXISTS (SELECT FROM audit.seal s WHERE (s.last_tx, s.last_seq) >= (r.tx_id, r.seq))`,
    );
    await ingest.pool.query(
      'DELETE FROM audit.record_key k WHERE NOT EXISTS (SELECT FROM audit.record r WHERE r.record_id = k.record_id)',
    );
  });

describe('a checkpoint', () => {
  it('is signed over the size and root, anchored, then stored; again only when the log has grown', async () => {
    const log = open();
    expect(await log.checkpoint()).toEqual({ kind: 'unchanged' });
    await grow(3, log);
    expect(await log.checkpoint()).toMatchObject({ kind: 'written', branch: 1, size: 3 });
    expect(await log.checkpoint()).toEqual({ kind: 'unchanged' });
    const [row] = await stored();
    const root = rootOf(await readLeaves(ingest.pool));
    expect(row).toMatchObject({ branch: 1, size: 3, anchor: `file:${file.path}` });
    expect(openNote(NOTE_TOOLS, row.note, keys.verifiers).text).toBe(formatCheckpoint({ origin: BASE, size: 3, root }));
    expect(anchored()).toEqual([{ kind: 'checkpoint', origin: BASE, size: 3, note: row.note }]);
  });

  it('tiles stand for every full subtree, and roots and proofs are the same with and without them', async () => {
    const log = open({ limit: 300 });
    for (let at = 0; at < 2; at++) await grow(500, log);
    const leaves = await readLeaves(ingest.pool);
    const before = await log.tree().root(1000);
    expect(before).toEqual(rootOf(leaves));
    await log.checkpoint();
    const { rows } = await ingest.pool.query('SELECT level, index::int AS index, root FROM audit.tile ORDER BY 1, 2');
    expect(rows).toEqual(
      [0, 1, 2].map((index) => ({
        level: 0,
        index,
        root: Buffer.from(rootOf(leaves.slice(index * 256, (index + 1) * 256))),
      })),
    );
    for (const size of [1, 255, 256, 257, 512, 767, 1000]) {
      expect(await log.tree().root(size)).toEqual(rootOf(leaves.slice(0, size)));
    }
  });

  it('after a crash between the anchor and the database the anchored one is taken', async () => {
    await grow(2);
    const crash = { insert: () => Promise.reject(new Error('killed here')) };
    await expect(open({ checkpoints: crash }).checkpoint()).rejects.toThrow('killed here');
    expect(await stored()).toEqual([]);
    await grow(1);
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', size: 2 });
    expect((await stored()).map(({ note }) => note)).toEqual([anchored()[0]?.note]);
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', size: 3 });
    expect(anchored().map(({ size }) => size)).toEqual([2, 3]);
  });

  it('waits while the anchor is away, and sealing goes on', async () => {
    await grow(2);
    const away = openLog(ingest.pool, {
      keys,
      anchor: { ...file.again(), put: file.again().put, newest: () => Promise.reject(new Error('x')) },
    });
    await expect(away.checkpoint()).rejects.toThrow('x'); // an error of its own is no answer
    rmSync(file.path, { force: true });
    writeFileSync(`${file.path}.d`, '');
    const { createFileAnchor } = await import('../../src/infrastructure/anchor/file-anchor.js');
    const unreachable = createFileAnchor(`${file.path}.d/below`);
    expect(await openLog(ingest.pool, { keys, anchor: unreachable }).checkpoint()).toMatchObject({
      kind: 'refused',
      alert: { code: 'anchor_away' },
    });
    expect(await stored()).toEqual([]);
    await grow(2);
    expect(await readLeaves(ingest.pool)).toHaveLength(4);
  });

  it('without an anchor it is stored as such; one that comes later, or was emptied, gets the newest first', async () => {
    await grow(2);
    await open({ anchor: null }).checkpoint();
    expect(await stored()).toMatchObject([{ size: 2, anchor: null }]);
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', size: 2, anchorWasBehind: true });
    await grow(1);
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', size: 3, anchorWasBehind: false });
    expect(anchored().map(({ size }) => size)).toEqual([2, 3]);
    truncateSync(file.path);
    await grow(1);
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', size: 4, anchorWasBehind: true });
    expect(anchored().map(({ size }) => size)).toEqual([3, 4]);
  });
});

describe('nothing is signed', () => {
  const refusedAs = async (code: string, log = open()) => {
    const before = { stored: await stored(), anchored: readFileSync(file.path, 'utf8') };
    expect(await log.checkpoint()).toMatchObject({ kind: 'refused', alert: { code } });
    expect({ stored: await stored(), anchored: readFileSync(file.path, 'utf8') }).toEqual(before);
  };

  it('while the anchor is ahead of the log; resealing the same records mends it', async () => {
    await grow(2);
    await grow(2);
    await open().checkpoint();
    await withoutTriggers(ingest.pool, ['seal', 'checkpoint'], async () => {
      await ingest.pool.query('DELETE FROM audit.seal WHERE first_index = 2');
      await ingest.pool.query('DELETE FROM audit.checkpoint');
    });
    await refusedAs('anchor_ahead');
    expect(await open().seal()).toBe(2);
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', size: 4 });
  });

  it('where the tail was cut off with its checkpoints, and other records came in its place', async () => {
    await grow(2);
    await open().checkpoint();
    await grow(2);
    await open().checkpoint();
    await lose(2);
    await refusedAs('anchor_ahead');
    await grow(5);
    await refusedAs('log_forked');
  });

  it('where the database alone says that the log was changed', async () => {
    await grow(3);
    await open().checkpoint();
    await grow(2);
    await withoutTriggers(ingest.pool, ['seal'], () =>
      ingest.pool.query(`UPDATE audit.seal SET hashes = overlay(hashes placing '\\xff' from 40) WHERE first_index = 0`),
    );
    await refusedAs('log_forked', open());
    await refusedAs('log_forked', open({ anchor: null }));
  });

  it('beside a checkpoint that no known key signed, here or there; an old public key makes it known', async () => {
    await grow(2);
    await open().checkpoint();
    await grow(1);
    const rotated = logKeys({ base: BASE, signers: [newSigner()], verifiers: [] });
    await refusedAs('unknown_signature', open({ keys: rotated }));
    const forged = signNote(NOTE_TOOLS, formatCheckpoint({ origin: BASE, size: 3, root: emptyRoot(sha256) }), [
      newSigner(),
    ]);
    appendFileSync(file.path, `${JSON.stringify({ kind: 'checkpoint', origin: BASE, size: 3, note: forged })}\n`);
    await refusedAs('unknown_signature');
  });

  it('where leaves are missing in its middle', async () => {
    await grow(2);
    await open().checkpoint();
    for (const _ of [1, 2]) await grow(2);
    await withoutTriggers(ingest.pool, ['seal'], () =>
      ingest.pool.query('DELETE FROM audit.seal WHERE first_index = 2'),
    );
    await refusedAs('log_broken');
  });

  it('under another name', async () => {
    await grow(2);
    await open().checkpoint();
    await grow(1);
    const other = logKeys({ base: 'other.test', signers: [newSigner('other.test')], verifiers: [] });
    await refusedAs('other_log', open({ keys: other }));
  });
});

describe('a log with leaves missing in its middle', () => {
  it('proves the others, also from a tree that was asked for all', async () => {
    const log = open({ limit: 50 });
    await grow(300, log);
    const proof = await log.tree().inclusionProof(3, 64);
    await withoutTriggers(ingest.pool, ['seal'], () =>
      ingest.pool.query('DELETE FROM audit.seal WHERE first_index = 100'),
    );
    const tree = log.tree();
    await expect(tree.root(300)).rejects.toThrow(LogBrokenError);
    expect(await tree.inclusionProof(3, 64)).toEqual(proof);
    await expect(tree.inclusionProof(3, 300)).rejects.toThrow(LogBrokenError);
  });
});

describe('a process that goes on while its database is restored', () => {
  it('signs what the database has then, nothing that it remembers', async () => {
    const { leaves, checkpoints } = open();
    const write = writeCheckpoint({ leaves, checkpoints, anchor: null, keys });
    await grow(300);
    expect(await write()).toMatchObject({ kind: 'written', size: 300 });
    await lose(0);
    await grow(310);
    expect(await write()).toMatchObject({ kind: 'written', size: 310 });
    const root = rootOf(await readLeaves(ingest.pool));
    expect(openCheckpoint(keys, 1, (await stored())[0].note)).toMatchObject({ size: 310, root: Uint8Array.from(root) });
  });
});

describe('keys', () => {
  it('all of them sign, the old one stays known: a log goes on through a rotation', async () => {
    const [old] = keys.signers;
    const next = newSigner();
    await grow(1);
    await open().checkpoint();
    await grow(1);
    await open({ keys: logKeys({ base: BASE, signers: [next, old as typeof next], verifiers: [] }) }).checkpoint();
    await grow(1);
    const rotated = logKeys({ base: BASE, signers: [next], verifiers: keys.verifiers });
    expect(await open({ keys: rotated }).checkpoint()).toMatchObject({ kind: 'written', size: 3 });
    const signers = (await stored()).map(({ note }) =>
      openNote(NOTE_TOOLS, note, rotated.verifiers)
        .signedBy.map(({ id }) => id)
        .sort(),
    );
    expect(signers).toEqual([[old?.id], [old?.id, next.id].sort(), [next.id]]);
  });

  it('must have the name of the log', () => {
    expect(() => logKeys({ base: BASE, signers: [newSigner('other.test')], verifiers: [] })).toThrow('other.test');
    expect(() => logKeys({ base: `${BASE}/2`, signers: [newSigner(`${BASE}/2`)], verifiers: [] })).toThrow('no number');
  });
});

describe('a loss', () => {
  const WORD = {
    id: '0198c0de-0000-7000-8000-000000000001',
    now: new Date('2026-11-28T10:00:00Z'),
    by: 'Ada',
    reason: 'the disk failed',
  };

  it('is accepted by a signed note only; then the log is signed on under a name of its own', async () => {
    await grow(2);
    await open().checkpoint();
    expect(await open().adopt(WORD)).toEqual({ kind: 'nothing_lost', checkpoints: 2 });
    await grow(3);
    await open().checkpoint();
    await lose(2);
    await grow(4);
    expect(await open().checkpoint()).toMatchObject({ kind: 'refused', alert: { code: 'log_forked' } });

    expect(await open().adopt(WORD)).toMatchObject({
      kind: 'adopted',
      note: { branch: 2, kept: { branch: 1, size: 2 }, lost: { branch: 1, size: 5 } },
    });
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', branch: 2, size: 6 });
    const [, second] = await stored();
    const renamed = keys.verifiers.map((key) => renameVerifier(sha256, key, `${BASE}/2`));
    expect(openNote(NOTE_TOOLS, second.note, renamed).text).toMatch(new RegExp(`^${BASE}/2\n6\n`));
    expect(() => openNote(NOTE_TOOLS, second.note, keys.verifiers)).toThrow();
    expect(anchored().map(({ kind, origin, size }) => [kind, origin, size])).toEqual([
      ['checkpoint', BASE, 2],
      ['checkpoint', BASE, 5],
      ['branch', BASE, 0],
      ['checkpoint', `${BASE}/2`, 6],
    ]);
    expect(await open().checkpoint()).toEqual({ kind: 'unchanged' });
    // What was given up once is not lost again.
    expect(await open().adopt(WORD)).toMatchObject({ kind: 'nothing_lost' });
  });

  it('a branch note that no key of ours signed is nobody’s word', async () => {
    await grow(2);
    await open().checkpoint();
    await lose(0);
    await grow(3);
    const root = emptyRoot(sha256);
    const text = formatAuditNote({
      kind: 'branch',
      log: BASE,
      time: '2026-11-28T10:00:00Z',
      by: 'Mallory',
      reason: 'none',
      branch: 2,
      kept: { branch: 1, size: 0, root },
      lost: { branch: 1, size: 2, root },
    });
    const insert = 'INSERT INTO audit.note (id, kind, note) VALUES (gen_random_uuid(), $1, $2)';
    await ingest.pool.query(insert, ['branch', signNote(NOTE_TOOLS, text, [newSigner()])]);
    await ingest.pool.query(insert, ['branch', text]);
    expect(await open().checkpoint()).toMatchObject({ kind: 'refused', alert: { code: 'log_forked' } });
  });

  it('what was kept must stay: a second loss behind the first one is found before anything of the branch is signed', async () => {
    for (const _ of [1, 2]) {
      await grow(2);
      await open().checkpoint();
    }
    await lose(2);
    expect(await open().adopt(WORD)).toMatchObject({ kind: 'adopted', note: { branch: 2 } });
    await lose(0);
    await grow(4);
    expect(await open().checkpoint()).toMatchObject({ kind: 'refused', alert: { code: 'log_forked' } });
    expect(await open().adopt({ ...WORD, id: '0198c0de-0000-7000-8000-000000000002' })).toMatchObject({
      kind: 'adopted',
      note: { branch: 3, kept: { size: 0 }, lost: { branch: 2, size: 2 } },
    });
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', branch: 3, size: 4 });
  });

  it('after a crash between the anchor and the note the next word begins a further branch', async () => {
    await grow(2);
    await open().checkpoint();
    await lose(0);
    await grow(3);
    const crash = { insertNote: () => Promise.reject(new Error('killed here')) };
    await expect(open({ checkpoints: crash }).adopt(WORD)).rejects.toThrow('killed here');
    expect(await open().checkpoint()).toMatchObject({ kind: 'refused' });
    expect(await open().adopt(WORD)).toMatchObject({ kind: 'adopted', note: { branch: 3 } });
    expect(await open().checkpoint()).toMatchObject({ kind: 'written', branch: 3, size: 3 });
  });
});

describe('all checkpoints', () => {
  it('are read a page at a time: the greatest size first, of one size the greatest branch', async () => {
    await ingest.pool.query(`INSERT INTO audit.checkpoint (branch, size, root, note)
      SELECT branch, size, sha256(''), 'x' FROM generate_series(1, 900) AS size, generate_series(1, 3) AS branch`);
    const statements: unknown[] = [];
    const pool = new Proxy(ingest.pool, {
      get: (of, name) => {
        if (name === 'connect') statements.push(name);
        const value = Reflect.get(of, name);
        return typeof value === 'function' ? value.bind(of) : value;
      },
    });
    const read: [number, number][] = [];
    for await (const { size, branch } of createCheckpointStore(pool).list()) read.push([size, branch]);
    const expected = Array.from({ length: 2_700 }, (_, at) => [900 - Math.floor(at / 3), 3 - (at % 3)]);
    expect(read).toEqual(expected);
    expect(statements).toHaveLength(3);
  });
});

describe('the duty', () => {
  it('seals at every turn, signs when it is time, tells an alert once and that it is over', async () => {
    const log = open();
    const told: string[] = [];
    const say = (fields: object) => void told.push((fields as { event: string }).event);
    let now = 0;
    let refused = true;
    let signed = 0;
    const keeper = keepLog({
      seal: log.seal,
      checkpoint: async () => {
        signed += 1;
        if (refused) return { kind: 'refused', alert: { code: 'log_forked', message: 'm' } };
        return { kind: 'unchanged' };
      },
      checkpointMs: 1_000,
      now: () => now,
      log: { debug: () => undefined, info: say, warn: say, error: say },
    });
    const turn = () => keeper.turn(new AbortController().signal);
    await turn();
    await turn();
    expect([signed, keeper.alert()?.code, told]).toEqual([1, 'log_forked', ['audit_log.alert']]);
    now = 1_000;
    await turn();
    expect([signed, told]).toEqual([2, ['audit_log.alert']]);
    refused = false;
    now = 2_000;
    await turn();
    expect([keeper.alert(), told]).toEqual([null, ['audit_log.alert', 'audit_log.alert_over']]);
  });

  it('the status says how far it is, whether it is signed, and what is wrong', async () => {
    const log = open();
    const status = (known: LogKeys | null) =>
      readLogStatus({
        lag: createLagStore(ingest.pool),
        checkpoints: log.checkpoints,
        keys: known,
        checkpointMs: 10_000,
      })();
    await grow(2, log);
    expect(findLogTrouble(await status(keys))).toEqual(['nothing is signed yet']);
    await log.checkpoint();
    const read = await status(keys);
    expect(read).toMatchObject({
      size: 2,
      unsealed: { count: 0 },
      checkpoint: { size: 2, signed: true },
      heldBy: null,
    });
    expect(findLogTrouble(read)).toEqual([]);
    expect((await status(null)).checkpoint?.signed).toBeNull();
    expect(findLogTrouble(await status(newKeys()))).toEqual(['the newest checkpoint is signed by no known key']);
  });

  it('what has stopped is told, and a log that rests has not: only leaves that are sealed and not signed grow old', async () => {
    const log = open();
    const status = (checkpointMs: number) =>
      readLogStatus({ lag: createLagStore(ingest.pool), checkpoints: log.checkpoints, keys, checkpointMs })();
    const seal = 'UPDATE audit.seal SET sealed_at = sealed_at';
    const age = (minutes: number) =>
      withoutTriggers(ingest.pool, ['seal', 'checkpoint'], async () => {
        await ingest.pool.query(`${seal} - $1 * interval '1 minute'`, [minutes]);
        await ingest.pool.query(`UPDATE audit.checkpoint SET created_at = created_at - $1 * interval '1 minute'`, [
          minutes,
        ]);
      });
    await grow(3, log);
    await log.checkpoint();
    await age(60 * 24 * 7);
    // A week of rest: all is signed.
    expect(await status(10_000)).toMatchObject({ unsigned: { oldestSeconds: null, late: false } });
    await grow(2, log);
    // The checkpoint is a week old, and what it does not cover is of this moment.
    expect(findLogTrouble(await status(10_000))).toEqual([]);
    await age(11);
    expect(findLogTrouble(await status(10_000))).toEqual([
      expect.stringMatching(
        /^nothing is signed any more: the newest checkpoint covers 3 of 5, and the next record has been sealed for 6\d\d s$/,
      ),
    ]);
    // Where an hour lies between two of them, three hours have to pass.
    expect(findLogTrouble(await status(3_600_000))).toEqual([]);
    await log.checkpoint();
    expect(findLogTrouble(await status(10_000))).toEqual([]);
  });
});
