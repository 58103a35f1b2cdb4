// How often somebody may try to sign in. Real: the counters. Fake: nothing; no time passes.
import { createFailedSignIns, type SignInTry } from '../../src/http/failed-sign-ins.js';
import { HttpProblem } from '../../src/http/problem.js';

const ALICE: SignInTry = { address: '192.0.2.7', cameBefore: null, name: 'alice', key: null };
const limits = (perAddressAndMinute = 1_000) => createFailedSignIns({ perAddressAndMinute });
type Limits = ReturnType<typeof limits>;

async function admitted(of: Limits, tried: SignInTry, times: number): Promise<number> {
  let count = 0;
  for (let n = 0; n < times; n++) {
    const outcome = await of.admit(tried).catch((error: unknown) => error);
    if (outcome === undefined) count++;
    else expect(outcome).toMatchObject({ code: 'rate_limited', headers: { 'Retry-After': expect.any(String) } });
  }
  return count;
}

it('a name from one network ten times; from another network its owner goes on', async () => {
  const of = limits();
  expect(await admitted(of, ALICE, 15)).toBe(10);
  expect(await admitted(of, { ...ALICE, address: '198.51.100.1' }, 1)).toBe(1);
  expect(await admitted(of, { ...ALICE, name: 'bob' }, 1)).toBe(1);
});

it('a /64 of IPv6 is one network', async () => {
  const of = limits();
  const from = (n: number) => ({ ...ALICE, address: `2001:db8:1:2::${n.toString(16)}` });
  for (let n = 0; n < 10; n++) await of.admit(from(n));
  await expect(of.admit(from(10))).rejects.toThrow(HttpProblem);
});

it('a name from wherever two hundred times', async () => {
  const of = limits();
  let count = 0;
  for (let n = 0; n < 30; n++) count += await admitted(of, { ...ALICE, address: `10.0.0.${n}` }, 10);
  expect(count).toBe(200);
});

const KNOWN: SignInTry = { ...ALICE, cameBefore: '0197d3a0-5b10-7000-8000-00000000000b' };

it('a browser that has come before by itself, whatever others did, and no more often', async () => {
  const of = limits(15);
  expect(await admitted(of, ALICE, 20)).toBe(10);
  expect(await admitted(of, { ...ALICE, name: 'bob' }, 10)).toBe(0); // of the address
  expect(await admitted(of, KNOWN, 12)).toBe(10);
  expect(await admitted(of, { ...KNOWN, cameBefore: '0197d3a0-5b10-7000-8000-00000000000c' }, 1)).toBe(1);
});

it('a cookie that was genuine once gives nobody more of names, keys and links than an address has', async () => {
  for (const tried of [
    (n: number) => ({ name: `name-${n}` }),
    (n: number) => ({ name: null, key: `tob_${n}` }),
    () => ({ name: null }),
  ]) {
    const of = limits(15);
    let count = 0;
    for (let n = 0; n < 50; n++) count += await admitted(of, { ...KNOWN, ...tried(n) }, 1);
    expect(count).toBe(15);
  }
});

it('a right one counts for nothing, and its key goes on where others fail', async () => {
  const of = limits(3);
  const key: SignInTry = { ...ALICE, name: null, key: 'tob_right' };
  for (let n = 0; n < 10; n++) {
    await of.admit(key);
    await of.held(key);
  }
  expect(await admitted(of, { ...key, key: 'tob_wrong' }, 5)).toBe(3);
  // As often as an address: it may have been revoked since.
  expect(await admitted(of, key, 5)).toBe(3);
  expect(await admitted(of, { ...key, key: 'tob_other' }, 1)).toBe(0);
});

it('what was not looked at counts against no name; where too many try at once, it counts for the address', async () => {
  const of = limits(20);
  for (let n = 0; n < 15; n++) {
    await of.admit(ALICE);
    await of.notLookedAt(ALICE, false);
  }
  for (let n = 0; n < 15; n++) {
    await of.admit(ALICE);
    await of.notLookedAt(ALICE, true);
  }
  expect(await admitted(of, ALICE, 10)).toBe(5);
});
