/** Real: how the monitor's page shows and sends JSON as text. Fake: nothing. */
import fc from 'fast-check';
import { describeBackoff } from '../../src/monitor/logic/backoff-words.js';
import { editBody, setOutJson, showJson, whyNoPayload } from '../../src/monitor/logic/json-text.js';
import { readResponse } from '../../src/monitor/logic/last-response.js';

describe('JSON that is set out', () => {
  it('is what JSON.stringify would write, of whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(setOutJson(JSON.stringify(value))).toBe(JSON.stringify(value, null, 2));
      }),
    );
  });

  it('keeps numbers as they were written', () => {
    const text = '{"amount": 12345678901234567890, "rate":1.10,\n"e":1E5}';
    expect(setOutJson(text)).toBe('{\n  "amount": 12345678901234567890,\n  "rate": 1.10,\n  "e": 1E5\n}');
  });

  it('that is none comes back as it is', () => {
    expect(setOutJson('<html>{"a":1}</html>')).toBe('<html>{"a":1}</html>');
    expect(setOutJson('')).toBe('');
  });
});

describe('a payload that somebody edits', () => {
  it.each(['{"a":1}', ' { } ', '{"n":12345678901234567890}'])('may be %j', (text) => {
    expect(whyNoPayload(text)).toBeNull();
  });

  it.each(['', '{', '[]', 'null', '"x"', '1', '{"a":1}}', '{} , "reason": "x"'])('may not be %j', (text) => {
    expect(whyNoPayload(text)).toMatch(/^Expected /);
  });

  it('is sent exactly as it was written, beside its reason', () => {
    const body = editBody('{"n": 12345678901234567890}', { reason: 'a "blank"', revisions: 2, dryRun: true });
    expect(body).toBe('{"payload":{"n": 12345678901234567890},"reason":"a \\"blank\\"","revisions":2,"dryRun":true}');
    expect(JSON.parse(body)).toMatchObject({ reason: 'a "blank"', revisions: 2, dryRun: true });
  });
});

describe('what is shown of values', () => {
  it('says of what is absent that it is', () => {
    expect(showJson(undefined)).toBe('absent');
    expect(showJson(null)).toBe('null');
    expect(showJson('x')).toBe('"x"');
  });

  it('of a response is its status, headers and body, whatever form it has', () => {
    expect(readResponse(null)).toBeNull();
    expect(readResponse({ status: 422, headers: { 'content-type': 'application/json' }, body: '{"a":1}' })).toEqual({
      status: 422,
      headers: [['content-type', 'application/json']],
      body: '{\n  "a": 1\n}',
    });
    expect(readResponse({ status: 'x', body: { a: 1 }, more: 2 })).toEqual({
      status: null,
      headers: [['(more)', '{"more":2}']],
      body: '{\n  "a": 1\n}',
    });
  });

  it('of a backoff is when the next attempt comes', () => {
    const grows = { initialMs: 1_000, coefficient: 2, maximumMs: 300_000 };
    expect(describeBackoff({ kind: 'full-jitter', ...grows })).toBe('full-jitter, 1 s × 2 up to 5 min');
    expect(describeBackoff({ kind: 'fixed', intervalMs: 60_000 })).toBe('every 1 min');
    expect(describeBackoff({ kind: 'schedule', delaysMs: [1_000, 60_000] })).toBe('after 1 s, 1 min');
    expect(describeBackoff({ kind: 'wait', minMs: 1_000, spreadMs: 4_000 })).toBe(
      'after 1 s and up to 4 s more, without end',
    );
    expect(describeBackoff({ kind: 'other', x: 1 })).toBe('{"kind":"other","x":1}');
  });
});
