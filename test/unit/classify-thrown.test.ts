/** Pure: what is read off whatever was thrown, field by field. Properties over anything at all: classification.test.ts. */
import { classifyThrown, describeThrown } from '../../src/application/delivery/classify-thrown.js';
import { IntegrationError } from '../../src/domain/delivery/integration-error.js';
import { LONGEST_TEXT } from '../../src/domain/redaction/redactor.js';
import { classifyTransportError } from '../../src/infrastructure/http/classify-transport-error.js';

const thrower = () => {
  throw new Error('no');
};

describe('what was thrown', () => {
  it('is told by name, message, stack, cause and the first three errors', () => {
    const cause = new RangeError('why');
    const errors = [new Error('1'), undefined, null, new Error('4')];
    const error = Object.assign(new TypeError('what', { cause }), { errors });
    expect(describeThrown(error)).toEqual({
      name: 'TypeError',
      message: 'what',
      stack: error.stack,
      cause,
      errors: [errors[0]],
    });
    expect(describeThrown(Object.assign(new Error('e'), { errors: [null, new Error('2'), undefined] })).errors).toEqual(
      [new Error('2')],
    );
  });

  it.each([
    [null, 'Thrown null', 'null'],
    [undefined, 'Thrown undefined', 'undefined'],
    [7, 'Thrown number', '7'],
    ['text', 'Thrown string', 'text'],
    [Symbol('s'), 'Thrown symbol', 'Symbol(s)'],
  ])('%p has no fields', (thrown, name, message) => {
    expect(describeThrown(thrown)).toEqual({ name, message, stack: null, cause: undefined, errors: [] });
  });

  it('without a name, or with one that is none, is told by its kind', () => {
    const plain = { name: 'Thrown object', message: '', stack: null, cause: undefined, errors: [] };
    expect(describeThrown({})).toEqual(plain);
    expect(describeThrown({ name: '', message: 7, stack: 7, errors: 'no' })).toEqual(plain);
    expect(describeThrown({ name: 7, errors: Object.assign(() => {}, ['in a function']) })).toEqual(plain);
    // A function has fields, and its toString may be anybody's.
    const called = Object.assign(function named() {}, { message: 'm', toString: thrower });
    expect(describeThrown(called)).toMatchObject({ name: 'named', message: 'm' });
    expect(describeThrown(Object.defineProperty(() => {}, 'name', { value: '' })).name).toBe('Thrown function');
  });

  it('is read up to one character more than a redactor looks at, which thereby sees that it was cut', () => {
    const long = 'x'.repeat(LONGEST_TEXT * 2);
    const { name, message, stack } = describeThrown({ name: long, message: long, stack: long });
    expect([name.length, message.length, stack?.length]).toEqual(Array(3).fill(LONGEST_TEXT + 1));
    expect(describeThrown(long).message).toHaveLength(LONGEST_TEXT + 1);
  });

  it('is read past what throws', () => {
    const hostile = Object.defineProperties(new Error('m'), { name: { get: thrower }, cause: { get: thrower } });
    expect(describeThrown(hostile)).toMatchObject({ name: 'Thrown object', message: 'm', cause: undefined });
  });
});

describe('what a handler threw', () => {
  it('is HANDLER.FAILED with its name and message, and itself as the cause', () => {
    const error = new TypeError('no contact');
    const failed = classifyThrown(error);
    expect(failed).toMatchObject({ code: 'HANDLER.FAILED', message: 'TypeError: no contact' });
    expect(failed.cause).toBe(error);
  });

  it('stands as it is where it is an IntegrationError of a handler, in a copy', () => {
    const cause = new Error('why');
    const response = { status: 500, headers: { server: 'x' }, body: 'no' };
    const thrown = new IntegrationError('HTTP.SERVER_ERROR', {
      message: 'their words',
      status: 500,
      retryAfterMs: 5,
      field: '/payload/a',
      response,
      cause,
    });
    const copy = classifyThrown(thrown);
    expect(copy).not.toBe(thrown);
    expect(copy).toMatchObject({
      code: 'HTTP.SERVER_ERROR',
      message: 'their words',
      status: 500,
      retryAfterMs: 5,
      field: '/payload/a',
      response,
      stack: thrown.stack,
    });
    expect(copy.cause).toBe(cause);
  });

  it('stands by its class or by its name, and by nothing else', () => {
    class Theirs extends IntegrationError {
      override readonly name = 'Theirs' as never;
    }
    expect(classifyThrown(new Theirs('HTTP.TIMEOUT')).code).toBe('HTTP.TIMEOUT');
    expect(classifyThrown({ name: 'IntegrationError', code: 'HTTP.TIMEOUT' }).code).toBe('HTTP.TIMEOUT');
    expect(classifyThrown({ name: 'Other', code: 'HTTP.TIMEOUT' }).code).toBe('HANDLER.FAILED');
    expect(classifyThrown({ name: 'IntegrationError', code: 'HTTP.NOTHING' }).code).toBe('HANDLER.FAILED');
    const unreadable = new Proxy({}, { getPrototypeOf: thrower, get: (_, key) => (key === 'code' ? 'HTTP.TLS' : '') });
    expect(classifyThrown(unreadable).code).toBe('HANDLER.FAILED');
  });

  it('keeps of its fields only what has the right type', () => {
    const odd = { name: 'IntegrationError', code: 'HTTP.TIMEOUT' };
    const wrong = { ...odd, message: 7, status: '500', retryAfterMs: '5', field: 7, response: 'r', stack: 7 };
    const copy = classifyThrown(wrong);
    expect(copy).toMatchObject({ status: null, retryAfterMs: null, field: null, response: null });
    expect(copy.message).toBe(new IntegrationError('HTTP.TIMEOUT').message);
    expect(copy.stack).toContain('Error');
    const responses = [{ status: 'x' }, { status: 1.5 }, null, () => {}];
    for (const response of responses) expect(classifyThrown({ ...odd, response }).response).toBeNull();
    const half = classifyThrown({ ...odd, response: { status: 502, headers: { a: 'b', c: 7 }, body: 7 } }).response;
    expect(half).toEqual({ status: 502, headers: { a: 'b' }, body: '' });
    expect(classifyThrown({ ...odd, response: { status: 502, headers: 'a=b' } }).response).toMatchObject({
      headers: {},
    });
    const hostile = new Proxy({ a: 'b' }, { ownKeys: thrower });
    expect(classifyThrown({ ...odd, response: { status: 502, headers: hostile } }).response?.headers).toEqual({});
  });
});

describe('what the transport threw', () => {
  const coded = (code: unknown, message = '') => Object.assign(new Error(message), { code });

  it('is told by the sentence of its code and the code it came with, and kept as the cause', () => {
    const error = coded('ECONNRESET', 'secret=1');
    const classified = classifyTransportError(error);
    expect(classified.message).toBe('The connection to the destination failed (ECONNRESET)');
    expect(classified.cause).toBe(error);
    expect(classifyTransportError(coded('CERT_HAS_EXPIRED')).message).toBe(
      'The certificate of the destination was refused (CERT_HAS_EXPIRED)',
    );
    expect(classifyTransportError(coded('ERR_INVALID_CHAR'))).toMatchObject({
      code: 'HANDLER.FAILED',
      message: 'The request could not be sent as it is (ERR_INVALID_CHAR)',
    });
  });

  it('without a code is a failed connection, of which nothing is kept', () => {
    for (const thrown of [
      new Error('secret'),
      null,
      undefined,
      'ECONNRESET',
      coded(7),
      coded('lower_case'),
      coded('X y'),
    ]) {
      const classified = classifyTransportError(thrown);
      expect(classified).toMatchObject({ code: 'HTTP.NETWORK', message: 'The transport failed without a code' });
      expect(classified.cause).toBeUndefined();
    }
  });

  it.each([
    ['ERR_INVALID_URL', 'HANDLER.FAILED'],
    ['ERR_HTTP_INVALID_HEADER_VALUE', 'HANDLER.FAILED'],
    ['ERR_UNESCAPED_CHARACTERS', 'HANDLER.FAILED'],
    ['HPE_INVALID_CONSTANT', 'HTTP.BAD_RESPONSE'],
    ['HPE_CLOSED_CONNECTION', 'HTTP.NETWORK'],
    ['HPE_INVALID_EOF_STATE', 'HTTP.NETWORK'],
    ['ENOTFOUND', 'HTTP.NETWORK'],
    ['ANYTHING_ELSE', 'HTTP.NETWORK'],
    ['toString', 'HTTP.NETWORK'],
  ])('%s is %s', (name, code) => {
    expect(classifyTransportError(coded(name)).code).toBe(code);
  });

  it('an answer that undici tells of as a broken socket is one outside the agreement', () => {
    for (const message of ['bad response', 'bad upgrade']) {
      expect(classifyTransportError(coded('UND_ERR_SOCKET', message)).code).toBe('HTTP.BAD_RESPONSE');
      expect(classifyTransportError(coded('UND_ERR_INFO', message)).code).toBe('HTTP.NETWORK');
    }
    expect(classifyTransportError(coded('UND_ERR_SOCKET', 'other side closed')).code).toBe('HTTP.NETWORK');
    expect(classifyTransportError(Object.assign(new Error('x'), { name: 'HTTPParserError' }))).toMatchObject({
      code: 'HTTP.BAD_RESPONSE',
      message: expect.stringContaining('HPE_UNKNOWN'),
    });
  });

  it('is the first code along five causes, or the first of several errors', () => {
    const nested = (depth: number): unknown =>
      depth === 0 ? coded('CERT_HAS_EXPIRED') : new Error('outer', { cause: nested(depth - 1) });
    expect(classifyTransportError(nested(4)).code).toBe('HTTP.TLS');
    expect(classifyTransportError(nested(5)).message).toBe('The transport failed without a code');
    expect(classifyTransportError(new AggregateError([coded('CERT_HAS_EXPIRED'), coded('EPIPE')])).code).toBe(
      'HTTP.TLS',
    );
  });
});
