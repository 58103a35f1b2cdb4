/**
 * How far the proofs of a page of records have come, over HTTP. Real: PostgreSQL, HTTP, the sealer, signatures. Nothing is
 * fake; what an owner does to a seal is done with its triggers off.
 */
import { randomUUID } from 'node:crypto';
import { PROOF_STATES_PATH } from '../../src/contract/verifications-api.js';
import { event, expectProblem, startIngest, type TestIngest } from './ingest-set-up.js';
import { newKeys, openLog, withoutTriggers } from './log-set-up.js';

const keys = newKeys();
let ingest: TestIngest;
let log: ReturnType<typeof openLog>;
let reader: string;

beforeAll(async () => {
  ingest = await startIngest();
  reader = await ingest.key(['audit:read']);
  // Small seals, so that a page stands in several.
  log = openLog(ingest.pool, { keys, limit: 3 });
});
afterAll(() => ingest.stop());

const states = (recordIds: unknown, key: string | null = reader) =>
  ingest.post({ recordIds }, { path: PROOF_STATES_PATH, key });
async function record(count: number, key?: string): Promise<string[]> {
  const { body } = await ingest.post(
    Array.from({ length: count }, () => event()),
    key === undefined ? {} : { key },
  );
  return body.results.map(({ receipt }: { receipt: { recordId: string } }) => receipt.recordId);
}
const indexOf = async (recordId: string): Promise<number> => {
  const path = `/integration/v1/audit/logs/${recordId}/proof`;
  return (await ingest.post('', { method: 'GET', path, key: reader })).body.index;
};

it('signed, sealed, not sealed, not known: each in the order asked, with the index that its proof has', async () => {
  const signed = await record(7);
  await log.seal();
  await log.checkpoint();
  const sealed = await record(4);
  await log.seal();
  const unsealed = await record(2);
  const strangers = [randomUUID(), 'ffffffff-ffff-7fff-bfff-ffffffffffff', '0197d3a0-5b10-7000-8000-00000000000a'];
  const { status, body } = await states([...unsealed, ...strangers, ...signed, ...sealed]);
  expect(status).toBe(200);
  const proven = await Promise.all(signed.map(indexOf));
  expect(body.items).toEqual([
    ...unsealed.map((recordId) => ({ recordId, state: 'unsealed', index: null })),
    ...strangers.map((recordId) => ({ recordId, state: 'unknown', index: null })),
    ...signed.map((recordId, at) => ({ recordId, state: 'signed', index: proven[at] })),
    ...sealed.map((recordId) => ({ recordId, state: 'sealed', index: expect.any(Number) })),
  ]);
  await log.checkpoint();
  const later = await Promise.all(sealed.map(indexOf));
  expect([...later].sort((a, b) => a - b)).toEqual([7, 8, 9, 10]);
  expect((await states(sealed)).body.items).toEqual(
    sealed.map((recordId, at) => ({ recordId, state: 'signed', index: later[at] })),
  );
  // What was said of them before, too.
  expect(body.items.slice(-4).map(({ index }: { index: number }) => index)).toEqual(later);
});

it('the same one twice, and in capitals, is the same one', async () => {
  const [id = ''] = await record(1);
  const asked = [id, id.toUpperCase(), id];
  expect((await states(asked)).body.items).toEqual(
    asked.map((recordId) => ({ recordId, state: 'unsealed', index: null })),
  );
});

it('another tenant’s is as one that is not there', async () => {
  const acme = await ingest.key(['audit:write', 'audit:read'], 'acme');
  const [id = ''] = await record(1, acme);
  await log.seal();
  await log.checkpoint();
  const stateFor = async (key: string) => (await states([id], key)).body.items[0].state;
  expect(await stateFor(acme)).toBe('signed');
  expect(await stateFor(await ingest.key(['audit:read:any-tenant']))).toBe('signed');
  for (const key of [reader, await ingest.key(['audit:read'], 'other')]) expect(await stateFor(key)).toBe('unknown');
});

it('a record whose leaf is not in its seal is not said to be proven', async () => {
  const [id = ''] = await record(1);
  await log.seal();
  await log.checkpoint();
  expect((await states([id])).body.items).toMatchObject([{ state: 'signed' }]);
  await withoutTriggers(ingest.pool, ['record'], () =>
    ingest.pool.query('UPDATE audit.record SET leaf_hash = sha256(leaf_hash) WHERE record_id = $1', [id]),
  );
  expect((await states([id])).body.items).toEqual([{ recordId: id, state: 'unknown', index: null }]);
});

it('a record keeps its index where others of its seal are gone, as after a dropped month', async () => {
  const ids = await record(3);
  await log.seal();
  const before = (await states(ids)).body.items;
  // As after a drop: rows before it in its seal are gone, their hashes stay.
  await withoutTriggers(ingest.pool, ['record'], () =>
    ingest.pool.query(`DELETE FROM audit.record WHERE record_id = ANY ($1::uuid[])`, [ids.slice(0, 2)]),
  );
  const after = (await states(ids)).body.items;
  expect(after.slice(0, 2)).toMatchObject([{ state: 'unknown' }, { state: 'unknown' }]);
  expect(after[2]).toEqual(before[2]);
});

it('takes 1 to 200 ids, and reading keys', async () => {
  const ids = Array.from({ length: 200 }, () => randomUUID());
  expect((await states(ids)).body.items).toHaveLength(200);
  for (const wrong of [[], [...ids, randomUUID()], ['x'], [7], 'x', null]) {
    expectProblem(await states(wrong), 422, 'invalid_request');
  }
  for (const scope of ['audit:write', 'audit:write:any-tenant', 'dlq:write'] as const) {
    expectProblem(await states(ids, await ingest.key([scope])), 403, 'scope_missing');
  }
  expectProblem(await states(ids, null), 401, 'unauthorized');
});
