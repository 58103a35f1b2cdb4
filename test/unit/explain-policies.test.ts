/**
 * Pure: where each value of a policy comes from, held against what decides in production. Nothing real, nothing fake.
 */
import { differentPolicies, explainPolicies } from '../../src/application/delivery/explain-policies.js';
import { policyHash } from '../../src/application/delivery/policy-hash.js';
import { type PoliciesInput, resolvePolicies } from '../../src/application/delivery/policy-schema.js';
import { ERROR_CATALOG, ERROR_CODES, type ErrorCode } from '../../src/domain/delivery/error-catalog.js';
import { DEFAULT_POLICY } from '../../src/domain/delivery/policy.js';
import { simulateFailures } from '../../src/domain/delivery/simulate-failures.js';

const INPUT: PoliciesInput = {
  '*': {
    maxAttempts: 7,
    codes: { 'HTTP.TLS': { attempts: 3 }, 'HTTP.TIMEOUT': 'final', 'HTTP.NETWORK': { attempts: 2 } },
    coalescing: 'adaptive',
  },
  AUTH: {
    backoff: { kind: 'fixed', intervalMs: 5_000 },
    codes: { 'HTTP.TLS': 'final', 'HTTP.TIMEOUT': { attempts: 4, backoff: { kind: 'fixed', intervalMs: 1_000 } } },
  },
  ORDER: { maxAttempts: 2, ordering: { by: 'aggregate', whenHeadDead: 'block' }, coalescing: { mode: 'off' } },
};

const explained = (input = INPUT, inForce: Parameters<typeof explainPolicies>[1] = new Map()) =>
  Object.fromEntries(explainPolicies(input, inForce).map((one) => [one.eventType, one]));
const ruleOf = (eventType: string, code: ErrorCode, input = INPUT) =>
  explained(input)[eventType]?.rules.find((rule) => rule.code === code);

it("tells of each value whether it is the type's, of all, or the default", () => {
  const { '*': everyone, AUTH, ORDER } = explained();
  expect(everyone).toMatchObject({
    maxAttempts: { value: 7, from: 'everyone' },
    deadlineMs: { value: DEFAULT_POLICY.deadlineMs, from: 'default' },
    backoff: { value: DEFAULT_POLICY.backoff, from: 'default' },
  });
  expect(AUTH).toMatchObject({
    maxAttempts: { value: 7, from: 'everyone' },
    deadlineMs: { from: 'default' },
    backoff: { value: { kind: 'fixed', intervalMs: 5_000 }, from: 'type' },
  });
  expect(ORDER).toMatchObject({ maxAttempts: { value: 2, from: 'type' }, backoff: { from: 'default' } });
});

it('names each policy as runs do', () => {
  const policies = resolvePolicies(INPUT);
  for (const { eventType, hash, text } of explainPolicies(INPUT, null)) {
    expect([eventType, hash]).toEqual([eventType, policyHash(policies.of(eventType))]);
    expect(text).toMatch(/^up to \d+ attempts within 24 h; /);
  }
});

it('has a rule for every code of the catalogue, with its words', () => {
  for (const { rules } of explainPolicies({}, null)) {
    expect(rules.map(({ code }) => code)).toEqual(ERROR_CODES);
    for (const { code, when, advice, from, kind } of rules) {
      expect({ when, advice, from, kind }).toEqual({
        when: ERROR_CATALOG[code].when,
        advice: ERROR_CATALOG[code].advice,
        from: 'catalogue',
        kind: ERROR_CATALOG[code].rule.kind,
      });
    }
  }
});

it("a type's word on a code replaces that of all", () => {
  expect(ruleOf('*', 'HTTP.TLS')).toMatchObject({ kind: 'retry', attempts: 3, from: 'everyone' });
  expect(ruleOf('AUTH', 'HTTP.TLS')).toMatchObject({ kind: 'final', attempts: null, backoff: null, from: 'type' });
  expect(ruleOf('*', 'HTTP.TIMEOUT')).toMatchObject({ kind: 'final', from: 'everyone' });
  expect(ruleOf('AUTH', 'HTTP.TIMEOUT')).toMatchObject({
    kind: 'retry',
    attempts: 4,
    backoff: { kind: 'fixed', intervalMs: 1_000 },
    from: 'type',
  });
  expect(ruleOf('AUTH', 'HTTP.NETWORK')).toMatchObject({ attempts: 2, from: 'everyone' });
  expect(ruleOf('AUTH', 'HTTP.SERVER_ERROR')).toMatchObject({
    attempts: null,
    backoff: null,
    honoursRetryAfter: true,
    from: 'catalogue',
  });
});

it('a wait is told as one: nothing of the policy bounds it', () => {
  expect(ruleOf('ORDER', 'DESTINATION.OPEN')).toMatchObject({
    kind: 'wait',
    attempts: null,
    backoff: { kind: 'wait', minMs: 1_000, spreadMs: 4_000 },
    from: 'catalogue',
  });
});

it('tells as many attempts as the simulation makes', () => {
  const policies = resolvePolicies(INPUT);
  for (const { eventType, rules, maxAttempts } of explainPolicies(INPUT, null)) {
    for (const { code, kind, attempts } of rules) {
      // How often a run is begun again is the reconciler's to count.
      if (kind !== 'retry' || code.startsWith('WORKFLOW.')) continue;
      const simulated = simulateFailures({ policy: policies.of(eventType), code, random: () => 0.5 });
      expect([eventType, code, simulated.attempts.length]).toEqual([eventType, code, attempts ?? maxAttempts.value]);
    }
  }
});

it('puts the ordering that is configured beside the one in force, also where the configuration knows nothing of it', () => {
  const inForce = new Map<string, 'block' | 'skip'>([
    ['ORDER', 'skip'],
    ['STOCK', 'block'],
  ]);
  const all = explained(INPUT, inForce);
  expect(Object.keys(all)).toEqual(['*', 'AUTH', 'ORDER', 'STOCK']);
  expect(all.ORDER?.ordering).toEqual({ configured: 'block', inForce: 'skip' });
  expect(all.STOCK).toMatchObject({
    ordering: { configured: 'none', inForce: 'block' },
    maxAttempts: { value: 7, from: 'everyone' },
  });
  expect(all.AUTH?.ordering).toEqual({ configured: 'none', inForce: 'none' });
  expect(explained(INPUT, null).ORDER?.ordering).toEqual({ configured: 'block', inForce: null });
});

it('tells how events travel together', () => {
  const { '*': everyone, AUTH, ORDER } = explained();
  expect(everyone?.coalescing).toMatchObject({ mode: 'adaptive', size: 200, above: 1_000, below: 250 });
  expect(AUTH?.coalescing.mode).toBe('adaptive');
  expect(ORDER?.coalescing.mode).toBe('off');
});

it('compares two configurations by what each type gets, named or not', () => {
  const ours = { byType: { A: '1', B: '2' }, otherwise: '0' };
  expect(differentPolicies(ours, ours)).toEqual([]);
  expect(differentPolicies(ours, { byType: { A: '1', B: '2', C: '0' }, otherwise: '0' })).toEqual([]);
  expect(differentPolicies(ours, { byType: { A: '1' }, otherwise: '0' })).toEqual(['B']);
  expect(differentPolicies(ours, { byType: { A: '1', B: '2' }, otherwise: '9' })).toEqual(['*']);
  expect(differentPolicies(ours, { byType: { C: '3' }, otherwise: '9' })).toEqual(['*', 'A', 'B', 'C']);
});
