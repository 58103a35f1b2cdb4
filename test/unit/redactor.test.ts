/** Pure: nothing is fake. Every secret, address and number here was made up for its format. */
import fc from 'fast-check';
import { CARD, IBAN, PHONE } from '../../src/domain/redaction/find-personal-data.js';
import { CREDENTIALS_RULE, SECRET_RULES } from '../../src/domain/redaction/find-secrets.js';
import { createRedactor, LONGEST_TEXT, type Redactor } from '../../src/domain/redaction/redactor.js';

const redactor = createRedactor();
const redact = (text: string, by: Redactor = redactor) => by.text(text, 100_000);

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLW9mLWl0';
const OWN_KEY = `tob_abcd1234_${'Ab3-'.repeat(10)}xyz`;
/** Apart, so that no scanner takes this file for a leak. */
const join = (...parts: string[]) => parts.join('');
const PEM = join('-----BEGIN RSA PRIV', 'ATE KEY-----\nMIIEowIBAAKCAQEA0\nZm9v\n-----END RSA PRIV', 'ATE KEY-----');

/** How it is written, and what may not be left of it. */
const SECRETS: readonly (readonly [text: string, secret: string])[] = [
  [`Bearer ${JWT}`, JWT],
  [JWT, JWT],
  ['Authorization: Bearer short1', 'short1'],
  ['authorization=Basic dXNlcjpwYXNz', 'dXNlcjpwYXNz'],
  ['Proxy-Authorization: Digest username="ada", response="6629fae4"', 'ada'],
  ['sent with Bearer hush-partner-key', 'hush-partner-key'],
  ['password=hunter2', 'hunter2'],
  ['password: "hunter2 and more"', 'hunter2 and more'],
  ["{ password: 'hunter2' }", 'hunter2'],
  ['{"userPassword":"hun\\"ter2"}', 'ter2'],
  ['{\\"password\\":\\"hunter2\\",\\"a\\":1}', 'hunter2'],
  ['{"token": 12345678}', '12345678'],
  ['{"credentials":{"user":"ada","list":["]}","hunter2"]},"b":1}', 'hunter2'],
  ['x-api-key: hunter2', 'hunter2'],
  ['API key: hunter2', 'hunter2'],
  ['client_secret=hunter2&grant_type=x', 'hunter2'],
  ['passphrase: correct horse battery', 'battery'],
  ['Server=db;Password=hunter2;Timeout=3', 'hunter2'],
  ['<soap:Password>hunter2</soap:Password>', 'hunter2'],
  ['Set-Cookie: sid=hunter2; Path=/; HttpOnly', 'hunter2'],
  ['cookie: a=b; session=hunter2', 'hunter2'],
  ['postgres://app:hunter2@db.example:5432/x', 'hunter2'],
  ['postgres://app:hun@ter2@db.example/x', 'ter2'],
  ['redis://:hunter2@cache', 'hunter2'],
  [PEM, 'MIIEowIBAAKCAQEA0'],
  [PEM.slice(0, 50), 'MIIEowIB'],
  [join('AK', 'IAIOSFODNN7EXAMPLE'), 'IOSFODNN7EXAMPLE'],
  [join('gh', 'p_16C7e42F292c6912E7710c838347Ae178B4a'), '16C7e42F292c6912E7710c838347Ae178B4a'],
  [join('github', '_pat_11ABCDEFG0aBcDeFgHiJkL_mnop'), '11ABCDEFG0aBcDeFgHiJkL'],
  [join('xox', 'b-123456789012-abcdefGHIJKL'), 'abcdefGHIJKL'],
  [join('sk_', 'live_4eC39HqLyjWDarjtT1zdp7dc'), '4eC39HqLyjWDarjtT1zdp7dc'],
  [join('wh', 'sec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'), 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  ['https://hooks.slack.com/services/T00/B00/XXhunter2XX', 'XXhunter2XX'],
  [OWN_KEY, OWN_KEY.slice(13)],
  ['https://x.example/?X-Amz-Signature=0badc0ffee&y=1', '0badc0ffee'],
];

const PERSONAL: readonly (readonly [text: string, data: string, marker: string])[] = [
  ['ada.lovelace+x@mail.example.com', 'lovelace', '[redacted email]'],
  ["'ada@example.com'", 'ada@', '[redacted email]'],
  ['mailto:ada%40example.com?x', 'ada', '[redacted email]'],
  ['zoë@bücher.example', 'zoë', '[redacted email]'],
  ['{"to":"\\nada@example.com"}', 'ada', '[redacted email]'],
  ['4111111111111111', '1111', '[redacted card number]'],
  ['4111 1111 1111 1111 12/29', '4111 1111', '[redacted card number]'],
  ['5555-5555-5555-4444.', '4444', '[redacted card number]'],
  ['3782 822463 10005', '822463', '[redacted card number]'],
  ['DE89 3704 0044 0532 0130 00 AND', '3704', '[redacted iban]'],
  ['GB82WEST12345698765432', 'WEST1234', '[redacted iban]'],
  ['+49 (0) 170 123-4567', '4567', '[redacted phone]'],
  ['call (+14155552671)', '4155552671', '[redacted phone]'],
  ['phone=%2B14155552671', '4155552671', 'phone=[redacted phone]'],
  ['{"email":"ada at example"}', 'ada', '"[redacted]"'],
  ['{"address":{"street":"Foo 1","city":"Bar"},"a":1}', 'Foo', '{"address":"[redacted]","a":1}'],
  ['First name: Ada Lovelace', 'Ada', '[redacted]'],
];

/** What a person needs to find a fault. */
const KEPT = [
  '0197d3a0-0000-7000-8000-000000000001',
  '12345678-4111-1111-1111-111111111111',
  'be685390-be68-5390-0754-7034be685390',
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  '2026-11-23T12:00:00.000+02:00',
  '1795435200000 and 1795435200000000000',
  'at Object.deliver (file:///app/src/token.ts:12:5)',
  'at async run (/app/node_modules/.pnpm/undici@8.12.4/node_modules/undici/index.js:102:17)',
  `sha-256:${'4'.repeat(64)}`,
  'DE89 3704 0044 0532 0130 01 and GB82WEST12345698765433 are no IBANs',
  'connect ECONNREFUSED 10.0.0.5:5432 and ::1:5432',
  '4111111111111112 is no card, 0.4111111111111111 neither, nor 41111111111111111111',
  'surveyJourneyStartedHandlerFactory monkeyJumpRopeCompetition',
  'Bearer authentication is required; maxTokens: 512; passwordChangedAt: yesterday',
  '{"hasPassword":true,"token":null,"tokenCount":3}',
  'status 422: total: 1234567890123456789, ratio 1:2, a=b',
];

describe('secrets in text', () => {
  it.each(SECRETS)('%s', (text, secret) => {
    const shown = redact(`before ${text}`);
    expect(shown).not.toContain(secret);
    expect(shown).toMatch(/^before /);
    expect(shown).toContain('[redacted');
  });

  it('names stay readable beside them, and JSON stays JSON', () => {
    expect(redact('a=1&token=x1&b=2')).toBe('a=1&token=[redacted]&b=2');
    expect(redact('postgres://app:x@db.example:5432/x?a=1')).toBe(
      'postgres://[redacted credentials]@db.example:5432/x?a=1',
    );
    expect(redact(`${PEM}\nafter`)).toBe('[redacted private key]\nafter');
    const body = { id: 7, apiKey: 'x1', pin: 1234, address: { lines: ['a'] }, ok: true, at: '2026-01-01T00:00:00Z' };
    expect(JSON.parse(redact(JSON.stringify(body)))).toEqual({
      ...body,
      apiKey: '[redacted]',
      pin: '[redacted]',
      address: '[redacted]',
    });
  });
});

describe('personal data in text', () => {
  it.each(PERSONAL)('%s', (text, data, marker) => {
    expect(redact(text)).not.toContain(data);
    expect(redact(text)).toContain(marker);
  });

  it('stays where the configuration says so, and secrets do not', () => {
    const keeping = createRedactor({ personalData: false });
    const text = 'ada@example.com +14155552671 4111111111111111 email=ada';
    expect(redact(text, keeping)).toBe(text);
    expect(redact('password=x1', keeping)).toBe('password=[redacted]');
  });
});

it.each(KEPT)('leaves alone: %s', (text) => {
  expect(redact(text)).toBe(text);
});

describe('what an event says itself', () => {
  const event = {
    payload: {
      user: { password: 'pa"ss wörd/1', city: 'Rome' },
      address: { street: 'High Street 12' },
      pin: 12345,
      tel: 'abc',
    },
    headers: { 'x-api-key': 'k'.repeat(60) },
  };
  const knowing = redactor.forEvent(event);

  it('is found wherever it is quoted, as text, JSON, ASCII JSON, URL, form, or cut short', () => {
    const quoted = [
      'got pa"ss wörd/1!',
      JSON.stringify({ why: 'pa"ss wörd/1' }),
      '{"why":"pa\\"ss w\\u00f6rd\\/1"}',
      `?q=${encodeURIComponent('pa"ss wörd/1')}`,
      `q=${encodeURIComponent('pa"ss wörd/1').replaceAll('%20', '+')}`,
      'xHigh Street 12x',
      'no 12345',
      'the text ends in pa"ss w',
      `begins with ${'k'.repeat(30)}…`,
    ];
    for (const text of quoted) {
      const shown = redact(text, knowing);
      expect(shown).toContain('[redacted]');
      expect(shown).not.toMatch(/pa\\?"ss|pa%22|High|12345|kkkk|rd/);
    }
    expect(redact('Rome, abc', knowing)).toBe('Rome, abc');
  });

  it('is known wherever it stands in an event of 56 KiB', () => {
    const payload = { password: 'hunter2-first', samples: Array(24_000).fill(1) };
    const quoted = redactor.forEvent({ payload }).text('got hunter2-first', 100);
    expect(quoted).toBe('got [redacted]');
  });

  it('is not known to the redactor of another', () => {
    expect(redact('xHigh Street 12x')).toBe('xHigh Street 12x');
  });
});

describe('values by name', () => {
  it('hides strings and numbers below a sensitive name and keeps everything else', () => {
    const value = {
      API_Key: 'a',
      'billing-address': ['b', { c: 1, d: null, e: true }],
      list: [
        { name: 'password', value: 'f' },
        { field: '/user/token', old: 'g', new: 'h' },
        { name: 'color', value: 'i' },
      ],
      text: 'mail ada@example.com',
    };
    const json = JSON.parse(JSON.stringify(value));
    expect(redactor.value(json, 1_000)).toEqual({
      API_Key: '[redacted]',
      'billing-address': ['[redacted]', { c: '[redacted]', d: null, e: true }],
      list: [
        { name: 'password', value: '[redacted]' },
        { field: '/user/token', old: '[redacted]', new: '[redacted]' },
        { name: 'color', value: 'i' },
      ],
      text: 'mail [redacted email]',
    });
    expect(json).toEqual(value);
    expect(redactor.withoutSecrets(json)).toEqual({
      value: { ...json, API_Key: '[redacted]', list: expect.anything() },
      hidden: ['/API_Key', '/list/0/value', '/list/1/old', '/list/1/new'],
    });
  });

  it('takes the names and patterns of the configuration', () => {
    const own = createRedactor({ keys: ['Diagnosis'], patterns: [/case-\d+/g] });
    expect(own.value({ last_diagnosis: 'flu', other: 'case-77' }, 100)).toEqual({
      last_diagnosis: '[redacted]',
      other: '[redacted]',
    });
    expect(own.withoutSecrets({ lastDiagnosis: 'flu' }).value).toEqual({ lastDiagnosis: '[redacted]' });
    expect(redact('diagnosis=flu, case-77', own)).toBe('diagnosis=[redacted], [redacted]');
  });

  it('takes a value of hostile depth, a circle, and keys that reach for a prototype', () => {
    let deep: unknown = 'hunter2';
    for (let n = 0; n < 10_000; n++) deep = [deep];
    expect(JSON.stringify(redactor.value(deep, 10))).not.toContain('hunter2');
    const circle: Record<string, unknown> = {};
    circle.a = [circle, circle];
    expect(() => redactor.value(circle, 10)).not.toThrow();
    const hostile = redactor.value(JSON.parse('{"__proto__":{"token":"x"}}'), 10);
    expect(Object.getPrototypeOf(hostile)).toBe(Object.prototype);
    expect(JSON.stringify(hostile)).toBe('{"__proto__":{"token":"[redacted]"}}');
  });
});

describe('whatever the text', () => {
  const fragment = fc.oneof(
    fc.constantFrom(...SECRETS.map(([text]) => text), ...PERSONAL.map(([text]) => text), ...KEPT),
    fc.constantFrom(
      '[redacted]',
      '[redacted email]',
      '[redac',
      'password',
      'token',
      'email',
      'Bearer ',
      '://',
      'pin',
      'ip',
      'e',
    ),
    fc.constantFrom(...':=@"\'\\{}[]<>&;+-._ \n%40…\u0000\ufdd0\ufdef\ud83d\ude00'.split('')),
    fc.constantFrom('4111', '1111', '+4917', 'DE89', '.co', 'eyJ', '\\n', 'hunter2'),
    fc.string({ unit: 'binary', maxLength: 12 }),
  );
  const anyText = fc.array(fragment, { maxLength: 14 }).map((parts) => parts.join(''));
  const knowing = redactor.forEvent({
    payload: { password: 'hunter2', secret: 'acted', token: '[redacted]', email: '1111' },
  });

  it('redacting twice is redacting once', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(redactor, knowing), (text, by) => {
        const once = redact(text, by);
        expect(redact(once, by)).toBe(once);
        expect(once.isWellFormed()).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('what is one word only once it is masked is looked at again', () => {
    const once = redact('://3782 822463 10005\u0000@');
    expect(redact(once)).toBe(once);
    expect(once).toBe('://[redacted credentials]@');
  });

  it('the answer is never longer than asked for, and nothing throws', () => {
    fc.assert(
      fc.property(anyText, fc.nat(200), (text, most) => {
        expect(knowing.text(text, most).length).toBeLessThanOrEqual(most);
        expect(knowing.text(text, most).isWellFormed()).toBe(true);
      }),
    );
    expect(redactor.text(undefined as never, 100)).toBe('[redacted]');
  });

  it('a secret at any offset of a long text is not shown, nor half of it at an edge', () => {
    const planted = fc.constantFrom(
      ...SECRETS.filter(([text]) => !text.includes('\n')),
      ...PERSONAL.slice(0, 13).map(([text, data]) => [text, data] as const),
      ['hunter2', 'hunter2'] as const,
    );
    const offsets = fc.oneof(
      fc.nat(2 * LONGEST_TEXT),
      fc.integer({ min: LONGEST_TEXT - 1_200, max: LONGEST_TEXT + 20 }),
      fc.integer({ min: 3_900, max: 4_100 }),
    );
    const filler = fc.constantFrom('x ', 'a@b ', '{"k":1} ', 'password=x ', '💣 ');
    fc.assert(
      fc.property(
        planted,
        offsets,
        filler,
        fc.constantFrom(50, 4_096, 100_000),
        ([text, secret], offset, unit, most) => {
          const before = unit.repeat(Math.ceil(offset / unit.length)).slice(0, offset);
          const shown = knowing.text(`${before} ${text} ${unit.repeat(100)}`, most);
          expect(shown).not.toContain(secret);
          // Half of it: its first part at the end of what is shown.
          const end = shown.replace(/…$/, '');
          const half = secret.slice(0, Math.max(6, Math.ceil(secret.length / 2)));
          if (half.length >= 6) expect(end).not.toContain(half);
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each(PERSONAL.slice(0, 13))('half of it is not shown where a long text is cut: %s', (text) => {
    for (let shownOfIt = 1; shownOfIt <= text.length; shownOfIt++) {
      const before = 'x '.repeat(LONGEST_TEXT).slice(-(LONGEST_TEXT - shownOfIt));
      expect(redact(`${before}${text} ${'x '.repeat(50)}`)).toMatch(/^[x ]+…$/);
    }
  });

  it('JSON keeps its structure', () => {
    const shape = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shape);
      if (typeof value !== 'object' || value === null) return null;
      return Object.entries(value).map(([key, child]) => [key, shape(child)]);
    };
    const key = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom('password', 'email', 'name', 'value', '__proto__'),
    );
    const json = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        fc.jsonValue({ maxDepth: 1 }),
        fc.array(tie('any')),
        fc.dictionary(key, tie('any')),
      ),
    })).any;
    fc.assert(
      fc.property(json, (value) => {
        const once = redactor.value(value, 1_000);
        expect(shape(once)).toEqual(shape(value));
        expect(redactor.value(once, 1_000)).toEqual(once);
      }),
    );
  });
});

describe('bounded work', () => {
  const patterns = [...[...SECRET_RULES, CREDENTIALS_RULE].map(({ head }) => head), IBAN, CARD, PHONE];

  // What backtracking needs to explode: a repetition without an end, or one inside of another that can share its text.
  it.each(patterns.map((pattern) => [pattern.source, pattern] as const))(
    'has no endless repetition: %s',
    (_, { source }) => {
      const plain = source
        .replace(/\\[\s\S]/g, 'E')
        .replace(/\[[^\]]*\]/g, 'C')
        .replace(/\(\?(?:<?[!=]|:)/g, '(');
      expect(plain).not.toMatch(/[*+]|\{\d+,\}/);
      // The one nesting there is: an optional separator and one unit, which can be taken in one way only.
      const nested = [...plain.matchAll(/\(([^()]*)\)[{?]/g)]
        .map(([, inner]) => inner)
        .filter((inner) => /[{?]/.test(inner ?? ''));
      for (const inner of nested) expect(inner).toMatch(/^(?: \?C|C\{0,2\}E|E1E\{3\}|E E\{3\}|EE\{3\})$/);
    },
  );

  it.each([
    ['separators', ':='.repeat(32_768)],
    ['names', 'password'.repeat(8_192)],
    ['names with separators', 'token:'.repeat(10_923)],
    ['names of two words', 'api key: '.repeat(7_282)],
    ['apostrophes', "token=a'b".repeat(7_282)],
    ['open quotes', 'token="'.repeat(9_363)],
    ['open brackets', 'token={['.repeat(8_192)],
    ['backslashes', `token=${'\\'.repeat(65_000)}`],
    ['at signs', 'a@'.repeat(32_768)],
    ['dots', `a@${'b.'.repeat(32_768)}`],
    ['digits', '4'.repeat(65_536)],
    ['groups of digits', '4111 '.repeat(13_107)],
    ['plus signs', '+1'.repeat(32_768)],
    ['heads of tokens', 'eyJ'.repeat(21_845)],
    ['heads of keys', '-----BEGIN PRIVATE KEY'.repeat(2_978)],
    ['schemes', 'bearer '.repeat(9_362)],
    ['URLs', '://'.repeat(21_845)],
    ['blanks', `password ${' '.repeat(65_000)}`],
    ['known beginnings', 'kkkkkkkkkkkkkkkkkkkkkkk '.repeat(2_730)],
  ])('takes steps in proportion to the text, on 64 KiB of %s', (_, text) => {
    const knowing = redactor.forEvent({
      payload: { secrets: Array.from({ length: 500 }, (_, n) => 'k'.repeat(24) + n) },
    });
    expect(knowing.text(text, 4_096).length).toBeLessThanOrEqual(4_096);
    const steps = (length: number) => countSteps(() => knowing.text(text.slice(0, length), 4_096));
    expect(steps(16_384)).toBeLessThan(5 * steps(4_096) + 1_000);
    expect(steps(65_536)).toBeLessThan(5 * steps(16_384));
  });
});

/** Every unit that the redactor's own loops look at. What its patterns do is bounded by their form, above. */
function countSteps(work: () => unknown): number {
  const { charAt, charCodeAt, indexOf, lastIndexOf } = String.prototype;
  let steps = 0;
  String.prototype.charAt = function (at) {
    steps++;
    return charAt.call(this, at);
  };
  String.prototype.charCodeAt = function (at) {
    steps++;
    return charCodeAt.call(this, at);
  };
  String.prototype.indexOf = function (search, from = 0) {
    const found = indexOf.call(this, search, from);
    steps += Math.max(0, found === -1 ? this.length - from : found - from);
    return found;
  };
  String.prototype.lastIndexOf = function (this: string, search, from = this.length) {
    const found = lastIndexOf.call(this, search, from);
    steps += found === -1 ? from : from - found;
    return found;
  };
  try {
    work();
  } finally {
    Object.assign(String.prototype, { charAt, charCodeAt, indexOf, lastIndexOf });
  }
  return steps;
}
