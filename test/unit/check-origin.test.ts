// Real: the rules for headers by which a browser tells where a request comes from. Nothing is fake.
import { createOriginCheck, isLoopback, type OriginHeaders } from '../../src/http/check-origin.js';
import { HttpProblem } from '../../src/http/problem.js';

const HTTPS = 'https://outbox.example/monitor/';

function verdict(monitorUrl: string | null, signIn: boolean, headers: OriginHeaders, changes: boolean): string {
  try {
    createOriginCheck({ monitorUrl, signIn }).admit(headers, changes);
    return 'taken';
  } catch (error) {
    if (error instanceof HttpProblem) return error.code;
    throw error;
  }
}

const FOREIGN = 'foreign_origin';

describe('a change, with a monitor URL', () => {
  it.each<[string, OriginHeaders, string]>([
    ['of its own page', { origin: 'https://outbox.example', 'sec-fetch-site': 'same-origin' }, 'taken'],
    ['of a browser without Sec-Fetch-Site', { origin: 'https://outbox.example' }, 'taken'],
    ['without Origin', {}, FOREIGN],
    ['of a sandbox', { origin: 'null' }, FOREIGN],
    ['of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, FOREIGN],
    ['of a sibling', { origin: 'https://wiki.outbox.example', 'sec-fetch-site': 'same-site' }, FOREIGN],
    ['of the same name without TLS', { origin: 'http://outbox.example' }, FOREIGN],
    ['of the same name on another port', { origin: 'https://outbox.example:8443' }, FOREIGN],
    ['of a name that begins so', { origin: 'https://outbox.example.evil.example' }, FOREIGN],
    ['with the path of the page in it', { origin: 'https://outbox.example/monitor' }, FOREIGN],
    ['that says it is of another site', { origin: 'https://outbox.example', 'sec-fetch-site': 'cross-site' }, FOREIGN],
    ['that says it is of a sibling', { origin: 'https://outbox.example', 'sec-fetch-site': 'same-site' }, FOREIGN],
    ['typed into an address bar', { origin: 'https://outbox.example', 'sec-fetch-site': 'none' }, FOREIGN],
    ['whose Host is its own and whose Origin is not', { origin: 'http://other.test', host: 'other.test' }, FOREIGN],
  ])('%s', (_, headers, expected) => {
    expect(verdict(HTTPS, true, { host: 'outbox.example', ...headers }, true)).toBe(expected);
  });
});

describe('a change, without a monitor URL', () => {
  it.each<[string, OriginHeaders, string]>([
    ['to the address that was used', { host: '10.0.0.7:8080', origin: 'http://10.0.0.7:8080' }, 'taken'],
    ['behind a proxy that ends TLS', { host: 'outbox.example', origin: 'https://outbox.example' }, 'taken'],
    ['with the port that is the usual one', { host: 'outbox.example:443', origin: 'https://outbox.example' }, 'taken'],
    ['in other letters', { host: 'OUTBOX.example', origin: 'http://outbox.example' }, 'taken'],
    ['from another port', { host: 'localhost:8080', origin: 'http://localhost:3000' }, FOREIGN],
    ['from another host', { host: '10.0.0.7:8080', origin: 'http://evil.example' }, FOREIGN],
    ['without a Host', { origin: 'http://evil.example' }, FOREIGN],
    ['with a Host that is none', { host: '/', origin: 'http://evil.example' }, FOREIGN],
  ])('%s', (_, headers, expected) => {
    expect(verdict(null, true, headers, true)).toBe(expected);
  });
});

describe('a change, with a monitor URL on this machine', () => {
  const url = 'http://127.0.0.1:8080/monitor/';
  it.each<[string, OriginHeaders, string]>([
    ['by another name of it', { host: 'localhost:8080', origin: 'http://localhost:8080' }, 'taken'],
    ['from another port of it', { host: 'localhost:8080', origin: 'http://localhost:3000' }, FOREIGN],
    ['by a name that was turned to it', { host: 'evil.example:8080', origin: 'http://evil.example:8080' }, FOREIGN],
  ])('%s', (_, headers, expected) => {
    expect(verdict(url, true, headers, true)).toBe(expected);
  });
});

describe('reading', () => {
  it.each<[string, OriginHeaders, string]>([
    ['by a script of the page', { 'sec-fetch-site': 'same-origin' }, 'taken'],
    ['by an address bar', { 'sec-fetch-site': 'none' }, 'taken'],
    ['by what is no browser', {}, 'taken'],
    ['by a page of a sibling', { 'sec-fetch-site': 'same-site' }, FOREIGN],
    ['by a page of anybody', { 'sec-fetch-site': 'cross-site' }, FOREIGN],
    ['by what says something new', { 'sec-fetch-site': 'who-knows' }, FOREIGN],
  ])('%s', (_, headers, expected) => {
    expect(verdict(HTTPS, true, { host: 'outbox.example', ...headers }, false)).toBe(expected);
  });
});

describe('where nobody signs in, a name that was turned to this machine is refused', () => {
  it.each<[string, string | undefined, string]>([
    ['this machine', '127.0.0.1:8080', 'taken'],
    ['by its name', 'localhost:8080', 'taken'],
    ['by a name below that', 'outbox.localhost', 'taken'],
    ['by IPv6', '[::1]:8080', 'taken'],
    ["the monitor URL's name", 'outbox.example', 'taken'],
    ['a foreign name', 'evil.example:8080', FOREIGN],
    ['a foreign name that begins as ours', 'localhost.evil.example', FOREIGN],
    ['a foreign name with an address in it', '127.0.0.1.evil.example', FOREIGN],
    ['another machine', '10.0.0.7', FOREIGN],
    ['no Host', undefined, FOREIGN],
  ])('%s', (_, host, expected) => {
    expect(verdict(HTTPS, false, host === undefined ? {} : { host }, false)).toBe(expected);
  });
});

it.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['localhost', true],
  ['::1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
  ['example.com', false],
])('%s is this machine alone: %s', (host, alone) => {
  expect(isLoopback(host)).toBe(alone);
});
