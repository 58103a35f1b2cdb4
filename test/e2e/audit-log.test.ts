// The Merkle log on the built command line. Real: api and worker as processes, PostgreSQL, Temporal, HTTP, the anchor's
// file; a worker that is killed between the anchor and the database kills itself there (OUTBOX_TEST_FAILPOINT). Fake: nothing.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NOTE_TOOLS } from '../../src/application/audit/log/note-tools.js';
import { AUDIT_LOGS_PATH } from '../../src/contract/audit-api.js';
import { parseSignerKey, parseVerifierKey } from '../../src/domain/audit/note-key.js';
import { openNote } from '../../src/domain/audit/signed-note.js';
import { eventually } from '../support/eventually.js';
import { endLeftoverCli, runOutboxCli } from '../support/outbox-cli.js';
import { createTestDeployment, stop, type TestDeployment } from '../support/roles.js';

const ORIGIN = 'log.test/e2e';
let deployment: TestDeployment;
let folder: string;
let keys: { signer: string; verifier: string };
let signing: Record<string, string>;
let audit: Record<string, string>;

beforeAll(async () => {
  deployment = await createTestDeployment();
  folder = mkdtempSync(join(tmpdir(), 'anchor-'));
  keys = JSON.parse((await runOutboxCli(['audit', 'keygen', '--origin', ORIGIN, '--json'])).stdout);
  signing = {
    AUDIT_SIGNING_KEYS: keys.signer,
    AUDIT_ANCHOR_FILE: join(folder, 'anchor.ndjson'),
    AUDIT_CHECKPOINT_MS: '100',
  };
  audit = { AUDIT_DATABASE_URL: deployment.databases.auditUrl, ...signing };
}, 60_000);
afterEach(() => endLeftoverCli());
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await deployment.drop();
});

async function post(port: number | null): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${AUDIT_LOGS_PATH}`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${deployment.auditApiKey}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({
      specVersion: '1.0',
      eventId: randomUUID(),
      source: '/services/auth',
      action: 'auth.user.signed_in',
      actionVersion: 1,
      category: 'authentication',
      operation: 'login',
      outcome: 'success',
      occurredAt: '2026-01-02T03:04:05.678Z',
      actor: { type: 'user', id: 'u-1' },
      targets: [],
    }),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { recordId: string }).recordId;
}

const ready = async (port: number | null) => {
  const response = await fetch(`http://127.0.0.1:${port}/ready`);
  return { status: response.status, body: (await response.json()) as { warnings?: string[] } };
};
const status = async () => JSON.parse((await runOutboxCli(['audit', 'status', '--json'], audit)).stdout);
const checkpoints = async () =>
  (await deployment.audit.query('SELECT size::int AS size, note FROM audit.checkpoint ORDER BY size')).rows;
const anchored = () =>
  readFileSync(join(folder, 'anchor.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { size: number; note: string });

it('keygen makes a key that signs, and the public one that belongs to it', async () => {
  const signer = parseSignerKey(NOTE_TOOLS, keys.signer);
  expect(signer.name).toBe(ORIGIN);
  expect(parseVerifierKey(NOTE_TOOLS, keys.verifier).publicKey).toEqual(signer.publicKey);
  const lines = (await runOutboxCli(['audit', 'keygen', '--origin', ORIGIN])).stdout.trim().split('\n');
  expect(lines).toEqual([expect.stringMatching(/^PRIVATE\+KEY\+/), expect.stringMatching(/^log\.test\/e2e\+/)]);
  expect((await runOutboxCli(['audit', 'keygen', '--origin', 'a/2'])).code).toBe(64);
  expect((await runOutboxCli(['audit', 'keygen'])).code).toBe(64);
});

it('a worker without keys seals, works, and warns', async () => {
  const started = await deployment.start('api,worker', { OUTBOX_TEST_FAILPOINT: 'nowhere' });
  await post(started.apiPort);
  await eventually('the record sealed', async () => (await status()).size === 1);
  const { status: code, body } = await ready(started.probePort);
  expect(code).toBe(200);
  expect(body.warnings).toEqual([
    expect.stringMatching(/^no AUDIT_SIGNING_KEYS/),
    expect.stringMatching(/^no AUDIT_ANCHOR_FILE/),
    'nothing is signed yet',
  ]);
  expect(await checkpoints()).toEqual([]);
  expect(await stop(started)).toBe(0);
});

it('killed between the anchor and the database, the next worker takes what was anchored, and signs on', async () => {
  const killed = await deployment.start('worker', {
    ...signing,
    OUTBOX_TEST_FAILPOINT: 'after-anchor-before-checkpoint',
  });
  expect(await killed.ended).toBe('SIGKILL');
  expect(await checkpoints()).toEqual([]);
  expect(anchored()).toMatchObject([{ size: 1 }]);
  await deployment.audit.query(`UPDATE audit.lease SET until = now()`); // its lease would have ended by itself in 15 s

  const started = await deployment.start('api,worker', signing);
  const recordId = await post(started.apiPort);
  await eventually('both records signed', async () => (await status()).checkpoint?.size === 2);
  expect((await checkpoints())[0].note).toBe(anchored()[0]?.note);
  expect((await checkpoints()).map(({ size }) => size)).toEqual([1, 2]);
  const verifier = parseVerifierKey(NOTE_TOOLS, keys.verifier);
  expect(openNote(NOTE_TOOLS, (await checkpoints())[1].note, [verifier]).text).toMatch(/^log\.test\/e2e\n2\n/);
  expect(await status()).toMatchObject({ size: 2, unsealed: { count: 0 }, checkpoint: { signed: true }, trouble: [] });
  expect((await ready(started.probePort)).body.warnings).toBeUndefined();

  const { AUDIT_DATABASE_URL } = audit as { AUDIT_DATABASE_URL: string };
  const made = await runOutboxCli(['keys', 'create', '--name', 'r', '--scope', 'audit:read', '--json'], {
    AUDIT_DATABASE_URL,
  });
  const { secret } = JSON.parse(made.stdout) as { secret: string };
  const proof = await fetch(`http://127.0.0.1:${started.apiPort}${AUDIT_LOGS_PATH}/${recordId}/proof`, {
    headers: { Authorization: `Bearer ${secret}` },
  });
  expect(await proof.json()).toMatchObject({ index: 1, size: 2, hashes: [expect.any(String)] });
  expect(await stop(started)).toBe(0);
});

it('status for people; adopt only where something is lost, by a name and for a reason', async () => {
  const shown = await runOutboxCli(['audit', 'status'], audit);
  expect(shown.code).toBe(0);
  expect(shown.stdout).toMatch(
    /^sealed +2 records\nunsealed +0\ncheckpoint +2 records, \d+ s ago, branch 1, file:.*\n +signed by a known key\n$/,
  );
  const word = ['audit', 'adopt', '--lost', '--by', 'Ada', '--reason', 'a test'];
  expect(await runOutboxCli(word, audit)).toMatchObject({
    code: 1,
    printed: expect.stringContaining('nothing is lost'),
  });
  for (const wrong of [word.slice(0, -2), word.toSpliced(3, 2), word.toSpliced(2, 1), [...word.slice(0, -1), 'a\nb']]) {
    expect((await runOutboxCli(wrong, audit)).code).toBe(64);
  }
  const { AUDIT_DATABASE_URL } = audit as { AUDIT_DATABASE_URL: string };
  expect((await runOutboxCli(word, { AUDIT_DATABASE_URL })).code).toBe(78);

  const client = deployment.audit;
  for (const table of ['seal', 'checkpoint']) await client.query(`ALTER TABLE audit.${table} DISABLE TRIGGER ALL`);
  await client.query('DELETE FROM audit.seal');
  await client.query('DELETE FROM audit.checkpoint');
  const adopted = await runOutboxCli([...word, '--json'], audit);
  expect(adopted.code).toBe(0);
  expect(JSON.parse(adopted.stdout)).toEqual({ branch: 2, kept: { branch: 1, size: 0 }, lost: { branch: 1, size: 2 } });
});

it('keys of two logs refuse the start', async () => {
  const other = JSON.parse((await runOutboxCli(['audit', 'keygen', '--origin', 'other.test', '--json'])).stdout);
  const wrong = { ...signing, AUDIT_VERIFIER_KEYS: other.verifier };
  const refused = await runOutboxCli(['audit', 'status'], { ...audit, ...wrong });
  expect(refused).toMatchObject({ code: 78, printed: expect.stringContaining('other.test') });
  expect(refused.printed).not.toContain(keys.signer.slice(-20));
});
