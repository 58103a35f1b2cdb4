/** Bytes to JSON by the ingest's rules. Nothing is fake. */
import { parseJsonText } from '../../src/contract/json-text.js';

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

  it('lets the items of a batch be as deep as a single event', () => {
    expect(reasonOf(`[{"data":${nested(31)}}]`)).toBeNull();
    expect(reasonOf(`[{"data":${nested(32)}}]`)).toBe('too_deep');
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
