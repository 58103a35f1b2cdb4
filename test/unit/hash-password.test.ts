// Real: scrypt, with the costs that are used where the text says so and with small ones elsewhere. Nothing is fake.
import {
  createPasswordHasher,
  findPasswordProblem,
  PasswordsBusyError,
} from '../../src/application/audit/monitor/hash-password.js';

const CHEAP = { ln: 4, r: 8, p: 1 };
const hasher = createPasswordHasher(CHEAP);
const PASSWORD = 'correct horse battery staple';

it('holds for the password that was hashed, with the costs of OWASP, and for no other', async () => {
  const real = createPasswordHasher();
  const hash = await real.hash(PASSWORD);
  expect(hash).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  expect(await real.holds(PASSWORD, hash)).toBe(true);
  expect(await real.holds(`${PASSWORD} `, hash)).toBe(false);
});

it('makes another hash of the same password each time', async () => {
  expect(await hasher.hash(PASSWORD)).not.toBe(await hasher.hash(PASSWORD));
});

it('reads the costs of the hash, so that others may come', async () => {
  const hash = await createPasswordHasher({ ln: 5, r: 8, p: 2 }).hash(PASSWORD);
  expect(await hasher.holds(PASSWORD, hash)).toBe(true);
});

it('takes the same characters for the same, however they were typed', async () => {
  const composed = 'pr\u00e9sentation du soir';
  expect(await hasher.holds('pre\u0301sentation du soir', await hasher.hash(composed))).toBe(true);
});

it.each([
  ['nobody of that name', null],
  ['no hash', ''],
  ['another kind', '$argon2id$v=19$m=65536,t=3,p=4$AAAA$AAAA'],
  ['costs that would take the memory of the machine', `$scrypt$ln=30,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`],
  ['no costs', `$scrypt$ln=0,r=0,p=0$${'A'.repeat(22)}$${'A'.repeat(43)}`],
])('never holds for %s', async (_, hash) => {
  expect(await hasher.holds(PASSWORD, hash)).toBe(false);
});

it('looks at two at once and lets eight wait; whoever comes beyond that is told so at once', async () => {
  const asked = Array.from({ length: 11 }, () => hasher.holds(PASSWORD, null));
  const ended = await Promise.allSettled(asked);
  expect(ended.map(({ status }) => status)).toEqual([...Array.from({ length: 10 }, () => 'fulfilled'), 'rejected']);
  expect((ended[10] as PromiseRejectedResult).reason).toBeInstanceOf(PasswordsBusyError);
  // Their places are free again.
  expect(await Promise.all(asked.slice(0, 10).map(() => hasher.holds(PASSWORD, null)))).toHaveLength(10);
});

it('whoever came before finds a place where strangers have taken all of theirs', async () => {
  const strangers = Array.from({ length: 10 }, () => hasher.holds(PASSWORD, null));
  const known = Array.from({ length: 8 }, () => hasher.holds(PASSWORD, null, true));
  const tooMany = await Promise.allSettled([hasher.holds(PASSWORD, null), hasher.holds(PASSWORD, null, true)]);
  expect(tooMany.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await Promise.all([...strangers, ...known])).toHaveLength(18);
});

it.each([
  ['a'.repeat(11), false],
  ['a'.repeat(12), true],
  ['😀'.repeat(12), true],
  ['😀'.repeat(200), true],
  ['😀'.repeat(201), false],
  ['with a\u0000 control', false],
  [`with a lone \ud800 half`, false],
])('a password of its length and characters: %j', (password, fits) => {
  expect(findPasswordProblem(password) === null).toBe(fits);
});
