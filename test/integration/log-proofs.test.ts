/**
 * Proofs over HTTP, and whether others accept them. Real: PostgreSQL, HTTP, Ed25519, and an independent implementation: a
 * small Go program (support/independent-verifier) on golang.org/x/mod/sumdb/note and github.com/transparency-dev/merkle,
 * which `go run` fetches through the Go module proxy. Without Go on the PATH that test fails and says so. Nothing is fake.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../../src/application/audit/log/note-tools.js';
import { LOG_CHECKPOINT_PATH, LOG_CONSISTENCY_PATH } from '../../src/contract/audit-api.js';
import { fromBase64 } from '../../src/domain/audit/base64.js';
import { parseCheckpoint } from '../../src/domain/audit/checkpoint.js';
import { verifyConsistency, verifyInclusion } from '../../src/domain/audit/merkle-proof.js';
import { formatVerifierKey } from '../../src/domain/audit/note-key.js';
import { readNoteText } from '../../src/domain/audit/signed-note.js';
import { event, expectProblem, startIngest, type TestIngest } from './ingest-set-up.js';
import { newKeys, openLog, withoutTriggers } from './log-set-up.js';

const keys = newKeys();
let ingest: TestIngest;
let reader: string;
const notes = new Map<number, string>();
const receipts: { recordId: string; hash: string }[] = [];
let log: ReturnType<typeof openLog>;

const get = (path: string, key: string | null = reader) => ingest.post('', { path, method: 'GET', key });
const proofOf = (recordId: string, key?: string) => get(`/integration/v1/audit/logs/${recordId}/proof`, key);

/** One more batch, sealed and signed. */
async function grow(count: number): Promise<void> {
  const { body } = await ingest.post(Array.from({ length: count }, () => event()));
  receipts.push(...body.results.map(({ receipt }: { receipt: { recordId: string; hash: string } }) => receipt));
  await log.seal();
  await log.checkpoint();
  const newest = await log.checkpoints.readNewest();
  notes.set(newest?.size as number, newest?.note as string);
}

beforeAll(async () => {
  ingest = await startIngest();
  reader = await ingest.key(['audit:read']);
  log = openLog(ingest.pool, { keys });
});
afterAll(() => ingest.stop());

it('before anything is signed there is no checkpoint, no proof, and no range to prove', async () => {
  expectProblem(await get(LOG_CHECKPOINT_PATH), 404, 'not_found');
  expectProblem(await get(`${LOG_CONSISTENCY_PATH}?from=1&to=1`), 422, 'invalid_range');
  const { body } = await ingest.post(event());
  const answer = await proofOf(body.recordId);
  expectProblem(answer, 409, 'not_signed_yet');
  expect(answer.headers.get('retry-after')).toBe('10');
  expect(answer.body.retryable).toBe(true);
  receipts.push(body);
  await log.seal();
  expectProblem(await proofOf(body.recordId), 409, 'not_signed_yet');
  await log.checkpoint();
  expect((await proofOf(body.recordId)).body).toMatchObject({ index: 0, size: 1, hashes: [] });
  notes.set(1, (await log.checkpoints.readNewest())?.note as string);
});

it('the checkpoint is the signed note itself', async () => {
  await grow(4);
  const response = await get(LOG_CHECKPOINT_PATH);
  expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(response.body).toBe(notes.get(5));
});

it('every record proves against the newest checkpoint, and all checkpoints against each other; others accept both', async () => {
  for (const count of [1, 30, 250, 300]) await grow(count);
  const total = receipts.length;
  const inclusion: object[] = [];
  for (const at of [0, 1, 4, 5, 30, 255, 256, 257, 400, total - 1]) {
    const { recordId, hash } = receipts[at] as { recordId: string; hash: string };
    const { status, body } = await proofOf(recordId);
    expect(status).toBe(200);
    expect(body).toMatchObject({ size: total, note: notes.get(total) });
    const leaf = Buffer.from(hash.slice('sha-256:'.length), 'hex');
    const { root } = parseCheckpoint(readNoteText(body.note));
    const proof = body.hashes.map((text: string) => fromBase64(text));
    expect(verifyInclusion(sha256, { index: body.index, size: total, leafHash: leaf, proof, root })).toBe(true);
    inclusion.push({
      Note: body.note,
      Index: body.index,
      Size: total,
      Leaf: leaf.toString('base64'),
      Hashes: body.hashes,
    });
  }
  const consistency: object[] = [];
  const sizes = [...notes.keys()];
  for (const from of sizes) {
    for (const to of sizes.filter((size) => size >= from)) {
      const { body } = await get(`${LOG_CONSISTENCY_PATH}?from=${from}&to=${to}`);
      const rootAt = (size: number) => parseCheckpoint(readNoteText(notes.get(size) as string)).root;
      const proof = body.hashes.map((text: string) => fromBase64(text));
      expect(verifyConsistency(sha256, { from, to, fromRoot: rootAt(from), toRoot: rootAt(to), proof })).toBe(true);
      consistency.push({ From: notes.get(from), To: notes.get(to), Hashes: body.hashes });
    }
  }
  const good = askIndependent({ inclusion, consistency });
  expect(good).toEqual({ inclusion: inclusion.map(() => ''), consistency: consistency.map(() => '') });

  // That it accepts says something only of what it refuses.
  const [first] = inclusion as [{ Index: number; Hashes: string[]; Note: string }];
  const wrong = askIndependent({
    inclusion: [
      { ...first, Index: first.Index + 1 },
      { ...first, Hashes: first.Hashes.slice(1) },
      { ...first, Note: first.Note.replace(/^(.*\n)\d+/, `$1${total + 1}`) },
    ],
    consistency: [{ ...(consistency[1] as object), From: notes.get(total) }],
  });
  expect([...wrong.inclusion, ...wrong.consistency]).toEqual(Array(4).fill(expect.stringMatching(/./)));
});

it.each([
  'from=0&to=1',
  'from=2&to=1',
  'from=1&to=999999',
  'from=1',
  '',
  'from=01&to=2',
  'from=1&from=1&to=2',
  'from=-1&to=2',
])('no range: %j', async (query) => {
  expectProblem(await get(`${LOG_CONSISTENCY_PATH}?${query}`), 422, 'invalid_range');
});

it('asks for nothing but from and to', async () => {
  expectProblem(await get(`${LOG_CONSISTENCY_PATH}?from=1&to=2&hash=x`), 400, 'invalid_query');
});

it('a record of another tenant is as one that is not there', async () => {
  const acme = await ingest.key(['audit:write', 'audit:read'], 'acme');
  const other = await ingest.key(['audit:read'], 'other');
  const { body } = await ingest.post(event(), { key: acme });
  await log.seal();
  await log.checkpoint();
  expect((await proofOf(body.recordId, acme)).status).toBe(200);
  for (const key of [other, reader]) expectProblem(await proofOf(body.recordId, key), 404, 'not_found');
  for (const id of ['no-uuid', crypto.randomUUID(), 'ffffffff-ffff-7fff-bfff-ffffffffffff']) {
    const answer = await proofOf(id, other);
    expectProblem(answer, 404, 'not_found');
    expect(answer.body.detail).toBe('No such record');
  }
});

it('reading keys only', async () => {
  const writer = await ingest.key(['audit:write']);
  const outbox = await ingest.key(['audit:write:any-tenant']);
  const recordId = receipts[0]?.recordId as string;
  for (const path of [LOG_CHECKPOINT_PATH, `${LOG_CONSISTENCY_PATH}?from=1&to=1`]) {
    expectProblem(await get(path, null), 401, 'unauthorized');
    expectProblem(await get(path, writer), 403, 'scope_missing');
    expect((await fetch(`${ingest.url}${path}`, { headers: { Authorization: `Bearer ${outbox}` } })).status).toBe(200);
  }
  expectProblem(await proofOf(recordId, writer), 403, 'scope_missing');
  expectProblem(await ingest.post('', { path: LOG_CHECKPOINT_PATH, key: reader }), 405, 'method_not_allowed');
});

it('a record that is sealed behind the newest checkpoint is not signed yet', async () => {
  const { body } = await ingest.post(event());
  await log.seal();
  expectProblem(await proofOf(body.recordId), 409, 'not_signed_yet');
  await log.checkpoint();
  expect((await proofOf(body.recordId)).status).toBe(200);
});

it('a record that is in no seal although others behind it are is no proof and no 404', async () => {
  const { body } = await ingest.post(event());
  await log.seal();
  await log.checkpoint();
  await withoutTriggers(ingest.pool, ['record'], () =>
    ingest.pool.query(`UPDATE audit.record SET leaf_hash = sha256('other') WHERE record_id = $1`, [body.recordId]),
  );
  expectProblem(await proofOf(body.recordId), 500, 'internal');
});

interface Verdicts {
  readonly inclusion: string[];
  readonly consistency: string[];
}

function askIndependent(claims: { inclusion: readonly object[]; consistency: readonly object[] }): Verdicts {
  const cwd = fileURLToPath(new URL('../support/independent-verifier', import.meta.url));
  const input = JSON.stringify({ Keys: keys.verifiers.map(formatVerifierKey), ...claims });
  const { status, stdout, stderr, error } = spawnSync('go', ['run', '.'], { cwd, input, encoding: 'utf8' });
  if (error !== undefined) {
    throw new Error(`expected Go on the PATH, to run the independent verifier (${cwd}): ${error.message}`);
  }
  if (status !== 0) throw new Error(`expected the independent verifier to answer, it ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Verdicts;
}
