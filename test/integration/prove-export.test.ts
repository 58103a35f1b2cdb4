/**
 * An export that proves itself, read by the shipped verifier in a process of its own, by Node alone, from a folder with
 * nothing else in it. Real: PostgreSQL, the sealer, signatures, the built command line. Fake: nothing.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogTree } from '../../src/application/audit/log/log-tree.js';
import { NOTE_TOOLS, sha256 } from '../../src/application/audit/log/note-tools.js';
import { exportProofs } from '../../src/application/audit/prove/export-proofs.js';
import { formatAuditNote } from '../../src/domain/audit/audit-note.js';
import {
  formatSignerKey,
  formatVerifierKey,
  type SignerKey,
  type VerifierKey,
} from '../../src/domain/audit/note-key.js';
import { signNote } from '../../src/domain/audit/signed-note.js';
import { createCheckpointStore } from '../../src/infrastructure/prisma/checkpoint-store.js';
import { createEraseStore } from '../../src/infrastructure/prisma/erase-store.js';
import { createLeafStore } from '../../src/infrastructure/prisma/leaf-store.js';
import type { PgPool } from '../../src/infrastructure/prisma/pg-pool.js';
import { createProvableStore } from '../../src/infrastructure/prisma/provable-store.js';
import { CLI, runOutboxCli } from '../support/outbox-cli.js';
import { event } from './ingest-set-up.js';
import { BASE } from './log-set-up.js';
import { type SealedLog, startSealedLog } from './verify-set-up.js';

let log: SealedLog;
let folder: string;
beforeAll(async () => {
  log = await startSealedLog();
  folder = mkdtempSync(join(tmpdir(), 'offline-'));
  copyFileSync('dist/src/offline/outbox-verify.mjs', join(folder, 'outbox-verify.mjs'));
  await log.write(300, 'acme');
  await log.write([event({ data: { z: 1e-7, é: '\u20ac \u2028', 10: 1, 9: -0, deep: [[{ a: null }]] } })]);
  await log.seal();
  await log.nextEpoch();
  await log.write(330);
  await log.write(5, 'acme');
  await log.seal();
  await log.checkpoint();
  await log.write(4); // in no checkpoint
  await log.seal();
});
afterAll(async () => {
  await log.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Not by lines, which end at U+2028 for Node's readline. */
function exported(...args: string[]): { code: number | null; stdout: string } {
  const { status, stdout } = spawnSync(process.execPath, [CLI, 'audit', 'prove-export', ...args], {
    encoding: 'utf8',
    env: { AUDIT_DATABASE_URL: log.auditUrl },
    maxBuffer: 64 * 1024 * 1024,
  });
  return { code: status, stdout };
}

function verify(text: string, ...args: string[]): { code: number | null; verdict: Record<string, unknown> } {
  writeFileSync(join(folder, 'export.ndjson'), text);
  const key = formatVerifierKey(log.keys.verifiers[0] as VerifierKey);
  const { status, stdout } = spawnSync(
    process.execPath,
    ['outbox-verify.mjs', 'export.ndjson', '--origin', BASE, '--key', key, '--json', ...args],
    { cwd: folder, encoding: 'utf8', env: {} },
  );
  return { code: status, verdict: JSON.parse(stdout) };
}

describe('outbox audit prove-export', () => {
  it('of all is proven, and complete to the checkpoint', async () => {
    const { code, stdout } = exported();
    expect(code).toBe(0);
    expect(stdout.split('\n')).toHaveLength(636 + 3);
    expect(verify(stdout)).toEqual({
      code: 0,
      verdict: { ok: true, origin: BASE, size: 636, records: 636, erased: 0, complete: true },
    });
  });

  it('of a tenant is proven, and known to be a part', async () => {
    const { stdout } = exported('--tenant', 'acme');
    expect(verify(stdout)).toMatchObject({ code: 0, verdict: { records: 305, complete: false } });
  });

  it('cut off, or with a word changed, is not', async () => {
    const { stdout } = exported('--tenant', 'acme');
    expect(verify(`${stdout.split('\n').slice(0, 50).join('\n')}\n`)).toMatchObject({
      code: 1,
      verdict: { ok: false, error: expect.stringContaining('cut off') },
    });
    expect(verify(stdout.replace('"outcome":"success"', '"outcome":"failure"'))).toMatchObject({
      code: 1,
      verdict: {
        ok: false,
        error: expect.stringMatching(/^line 2: leaf \d+: the proof does not lead from it to the signed root$/),
      },
    });
  });

  it('shows an erased record by its signed note alone', async () => {
    const [id = ''] = await log.order();
    const erased = await runOutboxCli(
      ['audit', 'erase', '--tenant', 'acme', '--record', id, '--by', 'a', '--reason', 'b'],
      {
        AUDIT_DATABASE_URL: log.auditUrl,
        AUDIT_SIGNING_KEYS: formatSignerKey(log.keys.signers[0] as SignerKey),
        AUDIT_ANCHOR_FILE: log.anchorPath,
      },
    );
    expect(erased.code).toBe(0);
    const { stdout } = exported();
    const line = JSON.parse(stdout.split('\n').find((text) => text.includes('"type":"erased"')) ?? '{}');
    expect(Object.keys(line)).toEqual(['type', 'index', 'proof', 'recordId', 'recordedAt', 'hash']);
    expect(verify(stdout)).toMatchObject({ code: 0, verdict: { records: 635, erased: 1, complete: true } });
  });

  it('has a note once, however many it says were erased', async () => {
    const ids = (await log.order()).slice(2, 9);
    const { rows } = await log.pool.query(
      'SELECT record_id, recorded_at::text AS at, leaf_hash FROM audit.record WHERE record_id = ANY ($1)',
      [ids],
    );
    const records = rows.map((row) => ({ recordId: row.record_id as string, leafHash: row.leaf_hash as Buffer }));
    const places = rows.map((row) => ({ recordId: row.record_id as string, recordedAt: row.at as string }));
    const head = { log: BASE, time: new Date().toISOString(), by: 'a', reason: 'b' };
    const text = formatAuditNote({ kind: 'erased', ...head, records, failedIngestIds: [] });
    const note = signNote(NOTE_TOOLS, text, log.keys.signers);
    const noteId = '0198c0de-0000-7000-8000-000000000001';
    await createEraseStore(log.pool).erase({
      noteId,
      note,
      records: places,
      failedIngestIds: [],
      by: 'a',
      reason: 'b',
    });
    const { stdout } = exported();
    const types = stdout.split('\n').flatMap((text) => /^\{"type":"(note|erased)"/.exec(text)?.[1] ?? []);
    // The one erased before has a note of its own.
    expect(types.filter((type) => type === 'note')).toHaveLength(2);
    expect(types.filter((type) => type === 'erased')).toHaveLength(8);
    expect(verify(stdout)).toMatchObject({ code: 0, verdict: { erased: 8, complete: true } });
  });

  it('of a log that nobody signed is refused', async () => {
    const young = await startSealedLog();
    try {
      const { code, printed } = await runOutboxCli(['audit', 'prove-export'], { AUDIT_DATABASE_URL: young.auditUrl });
      expect({ code, printed }).toEqual({ code: 1, printed: expect.stringContaining('nothing is signed yet') });
    } finally {
      await young.stop();
    }
  });
});

describe('the lines of an export', () => {
  /** What the database is asked, and all lines. */
  async function exportOf(of: SealedLog, tenantId: string | null) {
    const asked: { readonly name: string; readonly text: string; readonly values: unknown[] }[] = [];
    const connect = async () => {
      const client = await of.pool.connect();
      const query = (config: (typeof asked)[number]) => {
        asked.push(config);
        return client.query(config);
      };
      return { query, release: (broken?: boolean) => client.release(broken) };
    };
    const pool = { connect } as unknown as PgPool;
    const tree = createLogTree({ store: createLeafStore(pool), sha256 });
    const deps = { store: createProvableStore(pool), checkpoints: createCheckpointStore(pool), tree };
    const lines: string[] = [];
    for await (const line of exportProofs(deps, { tenantId })) lines.push(line);
    return { asked, lines };
  }

  let wide: SealedLog;
  beforeAll(async () => {
    wide = await startSealedLog({ limit: 500 });
    // Of one instant, so that time alone divides no pages.
    const now = new Date();
    await wide.write(1_203, 'acme', now);
    await wide.write(3, 'rare', now);
    await wide.write(1_100, 'acme', now);
    await wide.seal();
    await wide.checkpoint();
    await wide.pool.query('ANALYZE');
  });
  afterAll(() => wide.stop());

  it('are proven from what was read for their neighbours', async () => {
    const { asked, lines } = await exportOf(wide, null);
    expect(lines).toHaveLength(2_306 + 2);
    // Five pages with their seals, nine slices of the tree, and few more.
    expect(asked.length).toBeLessThan(40);
  });

  it('of a tenant are found without a look at what others have stored, each once', async () => {
    const { asked, lines } = await exportOf(wide, 'rare');
    expect(lines).toHaveLength(3 + 2);
    const page = asked.find(({ name }) => name.includes('page_of_tenant'));
    // As it is planned once it was asked a few times: for any tenant.
    const client = await wide.pool.connect();
    const explained = await (async () => {
      try {
        await client.query('SET plan_cache_mode = force_generic_plan');
        await client.query(`PREPARE page AS ${page?.text}`);
        return await client.query(
          `EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE page ('rare', NULL, '00000000-0000-0000-0000-000000000000', 500)`,
        );
      } finally {
        client.release(true);
      }
    })();
    const plan = JSON.stringify(explained.rows[0]);
    expect(plan).toContain('Actual Rows');
    expect(plan.match(/"Rows Removed by [^"]*": ?[1-9]/g) ?? []).toEqual([]);

    const { lines: many } = await exportOf(wide, 'acme');
    const indexes = many.slice(1, -1).map((line) => JSON.parse(line).index as number);
    expect(new Set(indexes).size).toBe(2_303);
    expect(many.at(-1)).toBe('{"type":"end","records":2303}');
  });
});
