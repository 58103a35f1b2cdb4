/**
 * An export that proves itself, read by the shipped verifier in a process of its own, by Node alone, from a folder with
 * nothing else in it. Real: PostgreSQL, the sealer, signatures, the built command line. Fake: nothing.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  formatSignerKey,
  formatVerifierKey,
  type SignerKey,
  type VerifierKey,
} from '../../src/domain/audit/note-key.js';
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
    expect(Object.keys(line)).toEqual(['type', 'index', 'proof', 'recordId', 'recordedAt', 'hash', 'note']);
    expect(verify(stdout)).toMatchObject({ code: 0, verdict: { records: 635, erased: 1, complete: true } });
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
