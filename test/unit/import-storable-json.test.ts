/** Nothing here is fake: the reader and the limits are pure. */
import fc from 'fast-check';
import { countStoredBytes, fitPayload } from '../../src/application/delivery/import/fit-payload.js';
import { readForeignTime } from '../../src/application/delivery/import/foreign-time.js';
import { readNdjson } from '../../src/application/delivery/import/read-ndjson.js';
import { readStorableJson } from '../../src/application/delivery/import/storable-json.js';
import { findPrototypeKey, findUnstorable } from '../../src/contract/json-value.js';

const read = (text: string, maxDepth = 31) => {
  const result = readStorableJson(text, maxDepth);
  if (!result.ok) throw new Error(result.reason);
  return result;
};

describe('reading a line without losing anything of it', () => {
  it('reads what JSON.parse reads, for every object that is storable as it stands', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 4 })), (value) => {
        const text = JSON.stringify(value);
        const { value: got, changes } = read(text);
        fc.pre(Object.values(changes).every((list: string[]) => list.length === 0));
        expect(got).toEqual(JSON.parse(text));
      }),
    );
  });

  it('gives what the ingest can store, whatever is in the line', () => {
    const nasty = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\u0000', '\ud800', 'a\udc00b', '__proto__', 'constructor', 'prototype'),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        nasty,
        fc.double(),
        fc.bigInt().map(String),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(nasty, tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(nasty, value), (object) => {
        const { value: got } = read(JSON.stringify(object));
        expect(findUnstorable(got, 1)).toEqual([]);
        expect(findPrototypeKey(got)).toBeNull();
      }),
    );
  });

  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', '9007199254740992'],
    ['-9007199254740993', '-9007199254740993'],
    ['18446744073709551615', '18446744073709551615'],
    ['1e400', '1e400'],
    ['1e-400', '1e-400'],
    ['0.1234567890123456789', '0.1234567890123456789'],
    ['1.100000', 1.1],
    ['2.50E+1', 25],
    ['1056991898.900518', 1056991898.900518],
    ['-0.0', -0],
    ['0e99', 0],
  ])('keeps the number %s as %p', (literal, expected) => {
    const { value, changes } = read(`{"a":{"b/c":[${literal}]}}`);
    expect(value).toEqual({ a: { 'b/c': [expected] } });
    expect(changes.numbersAsStrings).toEqual(typeof expected === 'string' ? ['/a/b~1c/0'] : []);
  });

  it('writes U+0000, lone surrogates and prototype keys visibly and lists their paths', () => {
    const line = String.raw`{"a\u0000":"x\u0000y","b":"\ud83d","c":"😀","__proto__":1,"constructor":{"prototype":2}}`;
    const { value, changes } = read(line);
    expect(value).toEqual({
      'a\\u0000': 'x\\u0000y',
      b: '\\ud83d',
      c: '😀',
      '\\u005f_proto__': 1,
      '\\u0063onstructor': { prototype: 2 },
    });
    expect(changes.escaped).toEqual(['/a\u0000', '/a\u0000', '/b', '/__proto__', '/constructor']);
  });

  it('keeps a member whose name stands twice', () => {
    const { value, changes } = read('{"a":1,"a":2,"a":3,"a#2":4}');
    expect(value).toEqual({ a: 1, 'a#2': 2, 'a#3': 3, 'a#2#2': 4 });
    expect(changes.repeatedKeys).toEqual(['/a', '/a', '/a#2']);
  });

  it('keeps what nests too deep as its JSON text', () => {
    const { value, changes } = read('{"a":{"b":{"c":[1,"}]",{"d":9007199254740993}]}},"e":[[]]}', 2);
    expect(value).toEqual({ a: { b: '{"c":[1,"}]",{"d":9007199254740993}]}' }, e: ['[]'] });
    expect(changes.deepAsText).toEqual(['/a/b', '/e/0']);
  });

  it('takes a hundred thousand levels without overflowing the stack', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    expect(read(`{"a":${deep}}`).changes.deepAsText).toHaveLength(1);
  });

  it.each([['{"password":"hunter2",}'], ['{"a":NaN}'], ['{"secret'], ['[{"a":1}]'], ['null'], ['"text"'], ['42']])(
    'refuses %s without quoting it',
    (text) => {
      const result = readStorableJson(text, 31);
      expect(result.ok).toBe(false);
      expect(JSON.stringify(result)).not.toMatch(/hunter2|secret/);
    },
  );
});

describe('fitting an original', () => {
  it('counts as many bytes as jsonb text has for small numbers', () => {
    expect(countStoredBytes({ a: [1e-7, -1.5e-10, 0.5], ü: 'x' })).toBe(
      Buffer.byteLength('{"a": [0.0000001, -0.00000000015, 0.5], "ü": "x"}'),
    );
  });

  it('keeps whole members of an oversized original, its hash and its length', () => {
    const original = { id: 'a', blob: 'x'.repeat(60_000), after: 1 };
    const { payload, truncated } = fitPayload(original, 49_152, { sha256: 'f00', bytes: 60_040 });
    expect(truncated).toBe(true);
    expect(payload).toEqual({
      truncated: true,
      sha256: 'f00',
      bytes: 60_040,
      head: { id: 'a', after: 1 },
      omitted: ['blob'],
      omittedCount: 1,
    });
  });
});

describe('a foreign time', () => {
  const now = new Date('2026-11-23T12:00:00Z');
  it.each([
    ['2024-08-13T15:58:20.353Z', '2024-08-13T15:58:20.353Z'],
    ['2023-01-03T15:11:39.558068644Z', '2023-01-03T15:11:39.558Z'],
    ['2024-08-13 15:58:20+0200', '2024-08-13T13:58:20.000Z'],
    ['1056991898.900518', '2003-06-30T16:51:38.900Z'],
    ['1729176166108', '2024-10-17T14:42:46.108Z'],
    ['1729176166108000', '2024-10-17T14:42:46.108Z'],
    ['1729176166108000000', '2024-10-17T14:42:46.108Z'],
    ['0', '1970-01-01T00:00:00.000Z'],
  ])('%s is %s', (raw, occurredAt) => {
    expect(readForeignTime(raw, undefined, now)).toEqual({ ok: true, occurredAt });
  });

  it.each([
    ['2024-10-18T14:54:36.3616847', 'its time has no zone'],
    ['2024-10-18 14:54', 'its time has no zone'],
    ['2026-02-30T00:00:00Z', 'its time is not an RFC 3339 date-time on a day that exists'],
    ['03/12/2021 10:48:14 AM', 'its time is not an RFC 3339 date-time on a day that exists'],
    ['2026-11-23T12:06:00Z', 'its time lies more than five minutes ahead of this clock'],
    ['-5', 'its time is not an RFC 3339 date-time on a day that exists'],
    ['99999999999999999999999999', 'its time is not a time since 1970'],
  ])('%s is refused: %s', (raw, reason) => {
    expect(readForeignTime(raw, undefined, now)).toEqual({ ok: false, reason });
  });

  it('without a zone is read in the zone that the mapping knows', () => {
    const time = readForeignTime('2024-10-18T14:54:36.3616847', 'Z', now);
    expect(time).toEqual({ ok: true, occurredAt: '2024-10-18T14:54:36.361Z' });
  });
});

describe('reading lines', () => {
  const lines = async (chunks: string[], maxLineBytes?: number) => {
    const stream = (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk, 'latin1');
    })();
    const found = [];
    for await (const line of readNdjson(stream, maxLineBytes)) found.push(line);
    return found;
  };

  it('numbers lines from 1, takes CRLF, a byte order mark, blank lines and a last line without an end', async () => {
    const found = await lines(['\u00ef\u00bb\u00bf{"a"', ':1}\r\n', '\n  \n{}', '\n{"b":2}']);
    expect(found.map((line) => [line.number, line.kind === 'line' && line.bytes.toString(), line.end])).toEqual([
      [1, '{"a":1}', 12],
      [4, '{}', 19],
      [5, '{"b":2}', 26],
    ]);
  });

  it('passes over a line that is too long without keeping it', async () => {
    const found = await lines(['{"a":1}\n', 'x'.repeat(30), 'x'.repeat(30), '\n{}\n'], 40);
    expect(found).toMatchObject([
      { kind: 'line', number: 1 },
      { kind: 'too-long', number: 2, length: 60 },
      { kind: 'line', number: 3, end: 72 },
    ]);
  });

  it('gives the same lines however the stream is cut', async () => {
    const text = '{"a":"ü"}\r\n\n{}\n{"b":[1,2]}';
    const bytes = Buffer.from(text).toString('latin1');
    const whole = await lines([bytes]);
    expect(await lines([...bytes])).toEqual(whole);
  });
});
