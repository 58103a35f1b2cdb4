// Real: the tokens of sessions and the HMAC that holds them. Nothing is fake.
import fc from 'fast-check';
import type { FingerprintKeys } from '../../src/application/audit/fingerprint.js';
import type { SessionClaims } from '../../src/application/audit/monitor/ports.js';
import { sessionTokens } from '../../src/application/audit/monitor/session-token.js';

const OLD = { id: 'k1', secret: 'a1'.repeat(32) };
const NEW = { id: 'k2', secret: 'b2'.repeat(32) };
const CLAIMS: SessionClaims = {
  id: '0197d3a0-5b10-4000-8000-00000000000a',
  kind: 'user',
  credentialId: '0197d3a0-5b10-7000-8000-00000000000b',
  version: '1764288000000',
  issuedAt: 1_764_288_000_000,
  endsAt: 1_764_331_200_000,
};
const tokens = (...keys: FingerprintKeys) => sessionTokens(keys);

describe('the token of a session', () => {
  it('says what was signed, in characters that a cookie may have', () => {
    const text = tokens(OLD).write(CLAIMS);
    expect(text).toMatch(/^v1\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/);
    expect(tokens(OLD).read(text)).toEqual(CLAIMS);
  });

  it('holds nothing that the claims do not name', () => {
    const more = { ...CLAIMS, password: 'hunter2' } as SessionClaims;
    const text = tokens(OLD).write(more);
    expect(Buffer.from(text.split('.')[1] as string, 'base64url').toString()).not.toContain('hunter2');
  });

  it('is none of ours once any character of it is another', () => {
    const text = tokens(OLD).write(CLAIMS);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, char) => {
        const forged = text.slice(0, at) + char + text.slice(at + 1);
        expect(tokens(OLD).read(forged)).toEqual(forged === text ? CLAIMS : null);
      }),
    );
  });

  it('is none of ours when it is cut, longer, empty, or of claims that somebody else signed', () => {
    const text = tokens(OLD).write(CLAIMS);
    const [version, payload, signature] = text.split('.') as [string, string, string];
    const admin = Buffer.from(JSON.stringify({ ...CLAIMS, kind: 'key' })).toString('base64url');
    for (const forged of [
      '',
      'v1',
      text.slice(0, -1),
      `${text}A`,
      `${version}.${payload}`,
      `${version}..${signature}`,
      `v2.${payload}.${signature}`,
      `${version}.${admin}.${signature}`,
      `${version}.${payload}.${'A'.repeat(43)}`,
      `${version}.${'A'.repeat(2_000)}.${signature}`,
    ]) {
      expect(tokens(OLD).read(forged)).toBeNull();
    }
    expect(tokens(NEW).read(text)).toBeNull();
  });

  it('lives through a change of keys: the first one signs, all of them verify', () => {
    const before = tokens(OLD).write(CLAIMS);
    const during = tokens(NEW, OLD);
    expect(during.read(before)).toEqual(CLAIMS);
    expect(tokens(NEW).read(during.write(CLAIMS))).toEqual(CLAIMS);
    expect(tokens(OLD).read(during.write(CLAIMS))).toBeNull();
  });
});

describe('what only the page of a session knows', () => {
  it('holds for its own session, whichever key made it, and for no other', () => {
    const before = tokens(OLD).csrf(CLAIMS.id);
    expect(tokens(NEW, OLD).holdsCsrf(CLAIMS.id, before)).toBe(true);
    expect(tokens(OLD).holdsCsrf('0197d3a0-5b10-4000-8000-00000000000c', before)).toBe(false);
    expect(tokens(NEW).holdsCsrf(CLAIMS.id, before)).toBe(false);
  });

  it.each([undefined, '', 'x', 'A'.repeat(43), 'é'.repeat(22)])('is not %j', (text) => {
    expect(tokens(OLD).holdsCsrf(CLAIMS.id, text)).toBe(false);
  });

  it('is not what signs the session, nor made by the same key', () => {
    const text = tokens(OLD).write(CLAIMS);
    const signed = text.slice(0, text.lastIndexOf('.'));
    const signature = text.slice(signed.length + 1);
    expect(tokens(OLD).holdsCsrf(CLAIMS.id, signature)).toBe(false);
    expect(tokens(OLD).csrf(signed)).not.toBe(signature);
  });
});
