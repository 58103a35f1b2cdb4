/**
 * Classification is total: whatever a handler, the transport, PostgreSQL or Temporal throws gets a code of the catalogue,
 * and what is kept of it is bounded and storable. Properties and closed lists; the dispatcher and the describing are the
 * real ones, the network is fake here (real sockets: contract/http-client.test.ts).
 */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import {
  ActivityFailure,
  CancelledFailure,
  RetryState,
  ServerFailure,
  TerminatedFailure,
  TimeoutType,
} from '@temporalio/common';
import { ApplicationFailure, TimeoutFailure } from '@temporalio/workflow';
import fc from 'fast-check';
import { errors as undiciErrors } from 'undici';
import { classifyThrown, describeThrown } from '../../src/application/delivery/classify-thrown.js';
import { describeFailure } from '../../src/application/delivery/describe-failure.js';
import { createDispatcher } from '../../src/application/delivery/dispatcher.js';
import { httpHandler } from '../../src/application/delivery/handlers/http-handler.js';
import type { Handler } from '../../src/application/delivery/ports.js';
import { NOTHING_CARRIED } from '../../src/domain/delivery/carried-state.js';
import { classifyStatus } from '../../src/domain/delivery/classify-status.js';
import { ERROR_CODES, type ErrorCode, isErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { IntegrationError, isIntegrationError } from '../../src/domain/delivery/integration-error.js';
import { createRedactor } from '../../src/domain/redaction/redactor.js';
import { classifyTransportError } from '../../src/infrastructure/http/classify-transport-error.js';
import { FakeHttpClient } from '../../src/infrastructure/http/fake-http-client.js';
import { readSqlState, SQL_STATES } from '../../src/infrastructure/prisma/sql-states.js';
import { toStorableJson } from '../../src/infrastructure/prisma/to-storable.js';
import { readFailure } from '../../workflows/read-failure.js';
import { outboxEventOf } from '../support/events.js';

/** What a handler may end an attempt with; every other code of the catalogue is ours alone. */
const HANDLERS_OWN: readonly ErrorCode[] = [
  ...ERROR_CODES.filter((code) => code.startsWith('HTTP.')),
  'DISPATCH.INVALID_EVENT',
  'HANDLER.FAILED',
  'INGEST.INTERNAL',
];
/** undici 8. */
const UNDICI: readonly (readonly [name: string, code: ErrorCode])[] = [
  ['ConnectTimeoutError', 'HTTP.TIMEOUT'],
  ['HeadersTimeoutError', 'HTTP.TIMEOUT'],
  ['BodyTimeoutError', 'HTTP.TIMEOUT'],
  ['SocketError', 'HTTP.NETWORK'],
  ['AbortError', 'HTTP.NETWORK'],
  ['RequestAbortedError', 'HTTP.NETWORK'],
  ['InformationalError', 'HTTP.NETWORK'],
  ['ResponseContentLengthMismatchError', 'HTTP.NETWORK'],
  ['HTTPParserError', 'HTTP.BAD_RESPONSE'],
  ['HeadersOverflowError', 'HTTP.BAD_RESPONSE'],
  ['ResponseExceededMaxSizeError', 'HTTP.BAD_RESPONSE'],
  ['ClientDestroyedError', 'DELIVERY.CANCELLED'],
  ['ClientClosedError', 'DELIVERY.CANCELLED'],
  ['InvalidArgumentError', 'HANDLER.FAILED'],
  ['InvalidReturnValueError', 'HANDLER.FAILED'],
  ['NotSupportedError', 'HANDLER.FAILED'],
  ['RequestContentLengthMismatchError', 'HANDLER.FAILED'],
];
/** Of its pools, proxies, mocks, retries and WebSockets, which are not used here. */
const UNDICI_ELSEWHERE = [
  'UndiciError',
  'BalancedPoolMissingUpstreamError',
  'MaxOriginsReachedError',
  'MaxRedirectsError',
  'MessageSizeExceededError',
  'ProxyConnectionError',
  'RequestRetryError',
  'ResponseError',
  'SecureProxyConnectionError',
  'Socks5ProxyError',
  'WebAssemblyNotSupportedError',
];
const redactor = createRedactor();
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('whatever a handler throws', () => {
  it('has a code that is a handler’s, and what is kept of it is bounded and storable', () => {
    fc.assert(
      fc.property(anyThrown(), (make) => {
        const thrown = make();
        const error = classifyThrown(thrown);
        expect(HANDLERS_OWN).toContain(error.code);
        const kept = describeFailure(error, redactor);
        expect(kept.message.length).toBeLessThanOrEqual(1_000);
        expect(kept.causes.length).toBeLessThanOrEqual(8);
        expect(kept.stack?.length ?? 0).toBeLessThanOrEqual(8_000);
        expect(kept.field?.length ?? 0).toBeLessThanOrEqual(1_000);
        expect(kept.status === null || (kept.status >= 0 && kept.status <= 999)).toBe(true);
        expect(Buffer.byteLength(kept.response?.body ?? '')).toBeLessThanOrEqual(4_096);
        expect(toStorableJson(kept.causes)).not.toBeNull();
        expect(kept.response === null || toStorableJson(kept.response) !== null).toBe(true);
        expect(error.retryAfterMs === null || typeof error.retryAfterMs === 'number').toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it('never throws in its turn, not even when it is only named for the log', () => {
    fc.assert(
      fc.property(anyThrown(), (make) => {
        const thrown = make();
        expect(typeof describeThrown(thrown).name).toBe('string');
        expect(typeof isIntegrationError(thrown)).toBe('boolean');
      }),
      { numRuns: 300 },
    );
  });

  it('ends the attempt with an IntegrationError, thrown before or after the first await', async () => {
    await fc.assert(
      fc.asyncProperty(anyThrown(), fc.boolean(), async (make, late) => {
        const thrown = make();
        const deliver: Handler['deliver'] = late
          ? async () => {
              await Promise.resolve();
              throw thrown;
            }
          : () => {
              throw thrown;
            };
        const error = await failureOf({ routingKey: 'audit.log', deliver });
        expect(HANDLERS_OWN).toContain(error.code);
      }),
      { numRuns: 100 },
    );
  });

  it.each(ERROR_CODES)('an IntegrationError %s: its own code where it is a handler’s to say', (code) => {
    const expected = HANDLERS_OWN.includes(code) ? code : 'HANDLER.FAILED';
    expect(classifyThrown(new IntegrationError(code)).code).toBe(expected);
  });

  it('keeps every field of one, the response and the stack too, whichever copy of the class it is of', () => {
    const response = { status: 422, headers: { server: 'crm' }, body: 'no such contact' };
    const cause = new Error('inner');
    const fields = { status: 422, retryAfterMs: 7, field: '/payload/a', response };
    const own = new IntegrationError('HTTP.CLIENT_ERROR', { message: 'refused', cause, ...fields });
    class CrmError extends IntegrationError {}
    Object.defineProperty(CrmError.prototype, 'name', { value: 'CrmError' });
    const subclass = new CrmError('HTTP.CLIENT_ERROR', { message: 'refused', cause, ...fields });
    const foreign = Object.assign(new Error('refused', { cause }), {
      name: 'IntegrationError',
      code: 'HTTP.CLIENT_ERROR',
      ...fields,
    });
    for (const thrown of [own, subclass, foreign]) {
      const kept = classifyThrown(thrown);
      expect(kept).toMatchObject({ code: 'HTTP.CLIENT_ERROR', message: 'refused', cause, ...fields });
      expect(kept.stack).toBe(thrown.stack);
    }
  });

  it('an AggregateError tells its errors as causes; two that hold each other are told once', () => {
    const a = Object.assign(new Error('::1 refused'), { code: 'ECONNREFUSED' });
    const b = new Error('127.0.0.1 refused', { cause: a });
    const both = new AggregateError([a, b], '');
    a.cause = both;
    const { causes } = describeFailure(classifyThrown(both), redactor);
    expect(causes.map(({ message }) => message)).toEqual(['', '::1 refused', '127.0.0.1 refused']);
  });

  it('a code that the catalogue does not have cannot be thrown as one', () => {
    expect(() => new IntegrationError('HTTP.TEAPOT' as ErrorCode)).toThrow(
      new TypeError('Expected a code of docs/errors.md, got "HTTP.TEAPOT"'),
    );
  });
});

describe('an answer of the destination', () => {
  it('with any status and no receipt is classified, through handler and dispatcher', async () => {
    for (let status = 100; status <= 599; status++) {
      const http = new FakeHttpClient(() => ({ status, headers: { 'retry-after': '7' }, body: '{}' }));
      const error = await failureOf(httpHandler({ routingKey: 'audit.log', url: 'http://partner.test/' }), http);
      const expected = classifyStatus(status, { 'retry-after': '7' }) ?? 'HTTP.BAD_RESPONSE';
      expect([status, error.code, error.status, error.retryAfterMs]).toEqual([status, expected, status, 7_000]);
      expect(error.response).toMatchObject({ status, headers: { 'retry-after': '7' }, body: '{}' });
    }
  });
});

describe('whatever the transport throws', () => {
  const code = (thrown: unknown) => classifyTransportError(thrown).code;
  const coded = (name: string) => Object.assign(new Error('x'), { code: name });

  it('is total', () => {
    fc.assert(
      fc.property(anyThrown(), (make) => {
        const thrown = make();
        expect(['HANDLER.FAILED', 'DELIVERY.CANCELLED', ...HANDLERS_OWN]).toContain(code(thrown));
      }),
      { numRuns: 200 },
    );
  });

  it.each(UNDICI)('undici: %s is %s', (name, expected) => {
    const Thrown = (undiciErrors as unknown as Record<string, new (message: string) => Error>)[name];
    const thrown = Thrown === undefined ? null : new Thrown('x');
    expect(thrown).toBeInstanceOf(Error);
    expect(code(thrown)).toBe(expected);
    expect(code(new Error('wrapped', { cause: thrown }))).toBe(expected);
  });

  it('knows every error that undici exports, so that a new one is looked at', () => {
    expect(Object.keys(undiciErrors).sort()).toEqual([...UNDICI.map(([name]) => name), ...UNDICI_ELSEWHERE].sort());
  });

  /** Node 24, src/crypto: the reasons of a certificate that is refused. */
  it.each([
    ...['UNABLE_TO_GET_ISSUER_CERT', 'UNABLE_TO_GET_CRL', 'UNABLE_TO_DECRYPT_CERT_SIGNATURE'],
    ...['UNABLE_TO_DECRYPT_CRL_SIGNATURE', 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY', 'CERT_SIGNATURE_FAILURE'],
    ...['CRL_SIGNATURE_FAILURE', 'CERT_NOT_YET_VALID', 'CERT_HAS_EXPIRED', 'CRL_NOT_YET_VALID', 'CRL_HAS_EXPIRED'],
    ...['ERROR_IN_CERT_NOT_BEFORE_FIELD', 'ERROR_IN_CERT_NOT_AFTER_FIELD', 'ERROR_IN_CRL_LAST_UPDATE_FIELD'],
    ...['ERROR_IN_CRL_NEXT_UPDATE_FIELD', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
    ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CERT_CHAIN_TOO_LONG', 'CERT_REVOKED'],
    ...['INVALID_CA', 'PATH_LENGTH_EXCEEDED', 'INVALID_PURPOSE', 'CERT_UNTRUSTED', 'CERT_REJECTED'],
    ...['HOSTNAME_MISMATCH', 'UNSPECIFIED', 'EPROTO', 'ERR_TLS_CERT_ALTNAME_INVALID', 'ERR_TLS_CERT_ALTNAME_FORMAT'],
    ...[
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'ERR_OSSL_X509_CERT_ALREADY_IN_HASH_TABLE',
    ],
  ])('TLS: %s is HTTP.TLS', (name) => {
    expect(code(coded(name))).toBe('HTTP.TLS');
  });

  it('a handshake that takes too long is HTTP.TIMEOUT, not a certificate', () => {
    expect(code(coded('ERR_TLS_HANDSHAKE_TIMEOUT'))).toBe('HTTP.TIMEOUT');
  });

  it('a TLS record that breaks after the request was sent is a broken connection, a refusal by the peer is not', () => {
    const sent = (name: string) => classifyTransportError(coded(name), true).code;
    for (const name of ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'])
      expect([name, sent(name), code(coded(name))]).toEqual([name, 'HTTP.NETWORK', 'HTTP.TLS']);
    for (const name of [
      'TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'SSLV3_ALERT_CERTIFICATE_UNKNOWN',
      'TLSV1_ALERT_UNKNOWN_CA',
    ])
      expect([name, sent(`ERR_SSL_${name}`)]).toEqual([name, 'HTTP.TLS']);
    expect(sent('ECONNRESET')).toBe('HTTP.NETWORK');
  });

  it('every error of the system’s sockets and of DNS is HTTP.NETWORK, but a protocol error of TLS', () => {
    const dns = ['EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'EREFUSED', 'ETIMEOUT'];
    for (const name of [...Object.keys(constants.errno), ...dns]) {
      expect([name, code(coded(name))]).toEqual([name, name === 'EPROTO' ? 'HTTP.TLS' : 'HTTP.NETWORK']);
    }
  });

  it('reads the first address that failed where Node gives several no code of their own', () => {
    expect(code(new AggregateError([coded('CERT_HAS_EXPIRED'), coded('ECONNREFUSED')], ''))).toBe('HTTP.TLS');
  });
});

describe('SQLSTATE', () => {
  it.each([
    ...[
      '08006',
      '25006',
      '25P03',
      '25P04',
      '28P01',
      '3D000',
      '40001',
      '40P01',
      '53300',
      '55P03',
      '57014',
      '57P01',
      '58030',
    ],
  ])('%s is the environment’s: STORE.UNAVAILABLE', (state) => {
    expect(readSqlState(state).unavailable).toBe(true);
  });

  it.each([
    ['42P01', 'unmigrated'],
    ['42703', 'unmigrated'],
    ['42883', 'unmigrated'],
    ['3F000', 'unmigrated'],
    ['42501', 'refused'],
    ['22P02', 'ours'],
    ['23505', 'ours'],
    ['25001', 'ours'],
    ['42601', 'ours'],
    ['55000', 'ours'],
    ['P0001', 'ours'],
    ['XX000', 'ours'],
    ['', 'ours'],
  ])('%j is %s, and no outage', (state, kind) => {
    expect(readSqlState(state)).toMatchObject({ kind, unavailable: false });
  });

  it('docs/errors.md has exactly the rows of the table', () => {
    const doc = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const rows = doc.split('\n').filter((line) => /^\| [0-9][0-9A-Z]/.test(line));
    expect(rows).toEqual(
      SQL_STATES.map(
        ({ state, what, kind, unavailable }) => `| ${state} | ${what} | ${kind} | ${unavailable ? '503' : '500'} |`,
      ),
    );
  });
});

describe('whatever Temporal says of an activity', () => {
  const details = { code: 'HTTP.SERVER_ERROR', status: 500, attempt: 3 };
  const ours = (more: object = {}, nonRetryable = false) =>
    ApplicationFailure.create({ type: 'HTTP.SERVER_ERROR', nonRetryable, details: [{ ...details, ...more }] });
  const wrap = (cause: Error | undefined, state: RetryState = RetryState.MAXIMUM_ATTEMPTS_REACHED) =>
    new ActivityFailure('failed', 'dispatchEvent', '1', state, 'worker', cause);
  const timeout = (type: TimeoutType) => new TimeoutFailure('timeout', undefined, type);

  it.each<[string, unknown, object]>([
    ['a final failure', wrap(ours({}, true), RetryState.NON_RETRYABLE_FAILURE), { kind: 'failed', final: true }],
    ['one that would be retried', wrap(ours()), { kind: 'failed', final: false, code: 'HTTP.SERVER_ERROR' }],
    ['a bare one', ours({ delayMs: 5 }), { kind: 'failed', delayMs: 5 }],
    ['a first attempt that took no time', ours({ attempt: 0, delayMs: 0 }), { kind: 'failed', attempt: 0, delayMs: 0 }],
    [
      'one that carries what it could not write',
      ours({ carried: { unwritten: [1] } }),
      { carried: { unwritten: [1] } },
    ],
    ...[7, 'x', true, null].map((carried): [string, unknown, object] => [
      `what carries ${carried}`,
      ours({ carried }),
      { kind: 'failed', carried: NOTHING_CARRIED },
    ]),
    ['an unknown failure under no cancellation', wrap(new Error('e')), { kind: 'unknown' }],
    ['a retry that a cancellation ended', wrap(ours(), RetryState.CANCEL_REQUESTED), { kind: 'cancelled' }],
    [
      'a final failure under a cancellation',
      wrap(ours({}, true), RetryState.CANCEL_REQUESTED),
      { kind: 'failed', final: true, code: 'HTTP.SERVER_ERROR' },
    ],
    ['a cancelled activity', wrap(new CancelledFailure('c'), RetryState.CANCEL_REQUESTED), { kind: 'cancelled' }],
    ['start-to-close', wrap(timeout(TimeoutType.START_TO_CLOSE), RetryState.TIMEOUT), { kind: 'timeout' }],
    [
      'start-to-close of a local one, which comes with CANCEL_REQUESTED',
      wrap(timeout(TimeoutType.START_TO_CLOSE), RetryState.CANCEL_REQUESTED),
      { kind: 'timeout' },
    ],
    ['no heartbeat', wrap(timeout(TimeoutType.HEARTBEAT), RetryState.TIMEOUT), { kind: 'timeout' }],
    ['schedule-to-start', wrap(timeout(TimeoutType.SCHEDULE_TO_START), RetryState.TIMEOUT), { kind: 'not-started' }],
    ['schedule-to-close, which we set nowhere', wrap(timeout(TimeoutType.SCHEDULE_TO_CLOSE)), { kind: 'unknown' }],
    [
      'the server’s own failure',
      wrap(new ServerFailure('s', false), RetryState.INTERNAL_SERVER_ERROR),
      { kind: 'unknown' },
    ],
    ['a termination', wrap(new TerminatedFailure('t')), { kind: 'unknown' }],
    ['no cause', wrap(undefined), { kind: 'unknown' }],
    [
      'a type that is no code',
      wrap(ApplicationFailure.create({ type: 'TypeError', details: [details] })),
      { kind: 'unknown' },
    ],
    ['a code without details', wrap(ApplicationFailure.create({ type: 'HTTP.TLS' })), { kind: 'unknown' }],
    ['details of another code', wrap(ours({ code: 'HTTP.TLS' })), { kind: 'unknown' }],
  ])('%s', (_, error, expected) => {
    expect(readFailure(error)).toMatchObject(expected);
  });

  it('takes from another version’s details only what can be stored and slept', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), fc.anything(), (status, attempt, delayMs, carried) => {
        const read = readFailure(wrap(ours({ status, attempt, delayMs, carried })));
        expect(read.kind).toBe('failed');
        if (read.kind !== 'failed') return;
        for (const value of [read.status, read.attempt, read.delayMs]) {
          expect(value === null || (Number.isSafeInteger(value) && value >= 0)).toBe(true);
        }
      }),
    );
  });

  it('is total', () => {
    fc.assert(
      fc.property(fc.anything(), (thrown) => {
        expect(readFailure(thrown).kind).toBe('unknown');
      }),
    );
  });
});

async function failureOf(handler: Handler, http = new FakeHttpClient(() => 'hang')): Promise<IntegrationError> {
  const places = { local: 1, regular: 1 };
  const { dispatch } = createDispatcher({ handlers: [handler], http, log: silent, places });
  const options = { mode: 'regular', timeoutMs: 5_000, signal: new AbortController().signal } as const;
  return dispatch(outboxEventOf(), options).then(
    () => Promise.reject(new TypeError('expected a failure')),
    (error: unknown) => {
      if (!(error instanceof IntegrationError) || !isErrorCode(error.code)) throw error;
      return error;
    },
  );
}

/** As functions: fast-check looks into values itself. Values as they come, and those that people write once in a life: hostile getters, proxies, circles, no end. */
function anyThrown(): fc.Arbitrary<() => unknown> {
  const long = fc.integer({ min: 0, max: 20_000 }).map((length) => 'x'.repeat(length));
  const text = fc.oneof(fc.string({ unit: 'binary' }), long, fc.constant('password=hunter2'));
  const refuse = () => {
    throw new Error('no');
  };
  const hostile = fc.constantFrom<() => unknown>(
    () => new Proxy({}, { get: refuse, has: refuse, getPrototypeOf: refuse, ownKeys: refuse }),
    () => new Proxy(new Error('p'), { get: refuse, getPrototypeOf: refuse }),
    () =>
      new Proxy(new IntegrationError('HTTP.TLS'), {
        get: (on, key) => (key === 'stack' ? refuse() : Reflect.get(on, key)),
      }),
    () =>
      new Proxy(new IntegrationError('HTTP.TLS', { status: 1 }), {
        get: (_, key) => (key === 'code' ? 'HTTP.TLS' : refuse),
      }),
    () => Object.assign(() => {}, { toString: refuse, [Symbol.toPrimitive]: refuse }),
    () => new Proxy(() => {}, { get: refuse }),
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    () => {
      const { proxy, revoke } = Proxy.revocable([], {});
      revoke();
      return Object.assign(new Error('e'), { errors: proxy });
    },
    () => Object.defineProperty(new Error('m'), 'message', { get: refuse }),
    () => Object.defineProperty(new IntegrationError('HTTP.TIMEOUT'), 'response', { get: refuse }),
    () =>
      Object.assign(new IntegrationError('HTTP.TIMEOUT'), { response: new Proxy({ status: 1 }, { ownKeys: refuse }) }),
    () => {
      const one = new Error('one');
      one.cause = new Error('two', { cause: one });
      return one;
    },
    () => {
      const one = new AggregateError([], 'one');
      one.errors.push(one, one, new Error('two', { cause: one }));
      return one;
    },
    () => {
      let deep = new Error('0');
      for (let n = 0; n < 100; n++) deep = new Error(String(n), { cause: deep });
      return deep;
    },
    () => new DOMException('aborted', 'AbortError'),
  );
  const anyError = fc
    .record({ message: text, name: fc.oneof(text, fc.anything()), cause: fc.anything(), stack: fc.anything() })
    .map(({ message, ...more }) => Object.assign(new Error(message), more));
  const likeOurs = fc
    .record({
      code: fc.oneof(fc.constantFrom(...ERROR_CODES), fc.anything()),
      message: fc.oneof(text, fc.anything()),
      status: fc.anything(),
      retryAfterMs: fc.anything(),
      field: fc.oneof(text, fc.anything()),
      response: fc.oneof(
        fc.anything(),
        fc.record({
          status: fc.oneof(fc.integer(), fc.anything()),
          headers: fc.oneof(fc.dictionary(fc.string(), fc.oneof(text, fc.anything())), fc.anything()),
          body: fc.oneof(text, fc.anything()),
        }),
      ),
      cause: fc.anything(),
      stack: fc.oneof(text, fc.anything()),
    })
    .map((fields) => ({ name: 'IntegrationError', ...fields }));
  const plain = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true });
  return fc.oneof(
    fc.oneof(plain, fc.constant(Symbol('s')), anyError, likeOurs).map((value) => () => value),
    hostile,
    hostile.map((make) => () => new Error('outer', { cause: make() })),
  );
}
