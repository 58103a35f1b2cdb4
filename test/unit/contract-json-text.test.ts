/** Bytes to JSON by the ingest's rules. Nothing is fake. */
import { jest } from '@jest/globals';
import { parseJsonItems, parseJsonText } from '../../src/contract/json-text.js';

const parse = (text: string) => parseJsonText(new TextEncoder().encode(text), 32);
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const reasonOf = (text: string) => {
  const result = parse(text);
  return result.ok ? null : result.reason;
};

describe('JSON text', () => {
  it('reads what JSON.parse reads', () => {
    expect(parse(' {"a":[1,"[[{\\"",null]} ')).toMatchObject({ ok: true, value: { a: [1, '[[{"', null] } });
  });

  it.each(['', '{"a":1', '{"a":1,}', '[NaN]', '{} {}', '\ufeff{}', "{'a':1}", '"\u0000"'])('B5: refuses %j', (text) => {
    expect(reasonOf(text)).toBe('invalid_json');
  });

  it('B6: refuses invalid UTF-8, also a surrogate encoded by itself', () => {
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
      [0x22, 0xc0, 0x80, 0x22],
      [0x22, 0xe2, 0x82],
    ]) {
      expect(parseJsonText(Uint8Array.from(bytes), 32)).toMatchObject({ ok: false, reason: 'invalid_utf8' });
    }
  });

  it('B9: refuses 33, 5,000 and 100,000 levels, open or closed, and takes 32', () => {
    expect(reasonOf(nested(32))).toBeNull();
    for (const levels of [33, 5_000, 100_000]) {
      expect(reasonOf(nested(levels))).toBe('too_deep');
      expect(reasonOf('['.repeat(levels))).toBe('too_deep');
      expect(reasonOf(`{"data":${nested(levels - 1)}}`)).toBe('too_deep');
      expect(reasonOf('{"a":'.repeat(levels))).toBe('too_deep');
    }
  });

  it('does not take brackets inside strings for nesting', () => {
    expect(reasonOf(JSON.stringify({ a: `"\\${'['.repeat(100)}` }))).toBeNull();
  });

  it('B12: refuses keys that reach for a prototype, escaped or not, with a pointer', () => {
    expect(parse('{"data":[{"__proto__":{}}]}')).toMatchObject({
      reason: 'forbidden_key',
      pointer: '/data/0/__proto__',
    });
    expect(parse('{"\\u005f_proto__":1}')).toMatchObject({ reason: 'forbidden_key', pointer: '/__proto__' });
    expect(parse('{"a/b":{"constructor":{"prototype":{}}}}')).toMatchObject({
      reason: 'forbidden_key',
      pointer: '/a~1b/constructor/prototype',
    });
    expect(reasonOf('{"constructor":"Ferrari"}')).toBeNull();
  });
});

describe('JSON text of several', () => {
  const LIMITS = { maxDepth: 32, maxItems: 500 };
  const items = (text: string) => {
    const result = parseJsonItems(new TextEncoder().encode(text), LIMITS);
    if (!result.ok) return result.reason;
    return result.kind !== 'array'
      ? result
      : result.items.map((item) => (item.ok ? item.value : [item.reason, item.pointer]));
  };

  it('is one value, by the same rules, where it is no array', () => {
    expect(items(' {"a":[1]}')).toEqual({ ok: true, kind: 'one', value: { a: [1] } });
    expect(items('{"a":')).toBe('invalid_json');
    expect(items(`{"data":${nested(32)}}`)).toBe('too_deep');
    expect(items('{"data":{"__proto__":1}}')).toBe('forbidden_key');
    expect(parseJsonItems(Uint8Array.from([0x5b, 0xff, 0x5d]), LIMITS)).toMatchObject({ reason: 'invalid_utf8' });
  });

  it('counts the items before it makes anything of them', () => {
    const parse = jest.spyOn(JSON, 'parse');
    const many = (count: number, one: string) => `[${Array.from({ length: count }, () => one).join(',')}]`;
    for (const one of ['0', '{"__proto__":0}', `{"a":[",",[]]}`, nested(40)]) {
      expect(items(many(500, one))).toHaveLength(500);
      parse.mockClear();
      expect(items(many(501, one))).toEqual({ ok: true, kind: 'too_many' });
      expect(items(many(100_000, one))).toEqual({ ok: true, kind: 'too_many' });
      expect(parse).not.toHaveBeenCalled();
    }
    parse.mockRestore();
  });

  it('B9, B22: lets an item be as deep as a single value, and one that is deeper takes no other with it', () => {
    const other = '{"text":"]}[{\\",","data":[[1,2],{"a":[]}]}';
    const read = JSON.parse(other);
    expect(items(`[{"data":${nested(31)}}]`)).toEqual([{ data: expect.any(Array) }]);
    for (const levels of [32, 5_000, 100_000]) {
      const deep = `{"a":"x],","data":${nested(levels)}}`;
      const refused = ['too_deep', null];
      expect(items(`[${deep}]`)).toEqual([refused]);
      expect(items(` [ ${other} , ${deep} ,${other},7,${deep}, ${deep} ,"]",${other}] `)).toEqual([
        read,
        refused,
        read,
        7,
        refused,
        refused,
        ']',
        read,
      ]);
      expect(items(`[${nested(levels + 1)},1]`)).toEqual([refused, 1]);
    }
  });

  it('B9: is refused whole where what is too deep does not end', () => {
    for (const levels of [34, 5_000, 100_000]) {
      for (const text of ['['.repeat(levels), `[{},${'{"a":'.repeat(levels)}`, `[{"a":${'['.repeat(levels)}"]`]) {
        expect(items(text)).toBe('too_deep');
      }
    }
  });

  it('B5: is refused whole where it is no JSON, also beside an item that is too deep', () => {
    const deep = `{"data":${nested(40)}}`;
    const wrong = [
      ...['[', '[1,]', '[1 2]', '[{}]]', '[{}', '[1],[2]', '[,1]', '[{"a":1]', "['a']"],
      ...[`[${deep}`, `[${deep},]`, `[,${deep}]`, `[${deep} ${deep}]`, `[${deep}1]`, `[${deep}]]`, `[${deep}] 1`],
    ];
    for (const text of wrong) expect([text, items(text)]).toEqual([text, 'invalid_json']);
  });

  it('B12, B22: names the key that reaches for a prototype by its place in its own item', () => {
    expect(items('[{"a":1},{"data":{"__proto__":{}}},[{"constructor":{"prototype":1}}],{"b":2}]')).toEqual([
      { a: 1 },
      ['forbidden_key', '/data/__proto__'],
      ['forbidden_key', '/0/constructor/prototype'],
      { b: 2 },
    ]);
  });
});
