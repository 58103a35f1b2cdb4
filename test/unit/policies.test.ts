/** Pure: the policies section of a configuration, and the timeline that a policy makes. Nothing real, nothing fake. */

import { createHash } from 'node:crypto';
import { hashPolicies, policyHash } from '../../src/application/delivery/policy-hash.js';
import {
  findPolicyProblems,
  policiesJsonSchema,
  resolvePolicies,
} from '../../src/application/delivery/policy-schema.js';
import { catalogEntry, ERROR_CODES } from '../../src/domain/delivery/error-catalog.js';
import { DEFAULT_POLICY, REFINABLE_CODES } from '../../src/domain/delivery/policy.js';
import { simulateFailures } from '../../src/domain/delivery/simulate-failures.js';

describe('the policies of a configuration', () => {
  it.each<[string, unknown, RegExp[]]>([
    [
      'an unknown code',
      { AUTH: { codes: { 'HTTP.TEAPOT': 'final' } } },
      [/^policies\.AUTH\.codes\.HTTP\.TEAPOT: not a code/],
    ],
    ['a code that is ours', { '*': { codes: { 'STORE.UNAVAILABLE': 'final' } } }, [/STORE\.UNAVAILABLE: not a code/]],
    [
      'an interval of 0',
      { '*': { backoff: { kind: 'fixed', intervalMs: 0 } } },
      [/^policies\.\*\.backoff\.intervalMs: /],
    ],
    [
      'a maximum below the initial',
      { '*': { backoff: { kind: 'exponential', initialMs: 5_000, maximumMs: 4_999 } } },
      [/^policies\.\*\.backoff\.maximumMs: expected at least initialMs/],
    ],
    ['attempts of 0', { '*': { maxAttempts: 0 } }, [/^policies\.\*\.maxAttempts: /]],
    [
      'attempts of 0 for a code',
      { '*': { codes: { 'HTTP.TLS': { attempts: 0 } } } },
      [/^policies\.\*\.codes\.HTTP\.TLS/],
    ],
    ['an empty schedule', { '*': { backoff: { kind: 'schedule', delaysMs: [] } } }, [/delaysMs/]],
    ['a backoff of no kind', { '*': { backoff: { kind: 'linear' } } }, [/^policies\.\*\.backoff/]],
    ['a field that is none', { '*': { retries: 3 } }, [/^policies\.\*\.retries: not a field of a policy/]],
    ['a name that is no event type', { 'a b': {} }, [/^policies\.a b: /]],
    ['an ordering for all types', { '*': { ordering: 'none' } }, [/^policies\.\*\.ordering: expected under the name/]],
    [
      'an ordering of our own events',
      { OUTBOX: { ordering: { by: 'aggregate', whenHeadDead: 'skip' } } },
      [/^policies\.OUTBOX\.ordering: expected none/],
    ],
    [
      'an ordering of no kind',
      { A: { ordering: { by: 'aggregate' } }, B: { ordering: 'block' } },
      [/^policies\.A\.ordering/, /^policies\.B\.ordering/],
    ],
    [
      'a coalescing of no kind',
      { A: { coalescing: 'sometimes' }, B: { coalescing: 200 }, C: { coalescing: null }, '*': { coalescing: true } },
      ['A', 'B', 'C', '\\*'].map(
        (type) =>
          new RegExp(
            `^policies\\.${type}\\.coalescing: expected "off", "adaptive", "always" or mode, size, above and below$`,
          ),
      ),
    ],
    [
      'a coalescing without its mode, or with one that is none',
      { A: { coalescing: { size: 9 } }, B: { coalescing: { mode: 'on' } } },
      [/^policies\.A\.coalescing\.mode: /, /^policies\.B\.coalescing\.mode: .*"off"\|"adaptive"\|"always"/],
    ],
    [
      'sizes out of bounds',
      Object.fromEntries([1, 501, 2.5, '9'].map((size, at) => [`T${at}`, { coalescing: { mode: 'always', size } }])),
      [
        /^policies\.T0\.coalescing\.size: .*>=2/,
        /^policies\.T1\.coalescing\.size: .*<=500/,
        /^policies\.T2\.coalescing\.size: /,
        /^policies\.T3\.coalescing\.size: /,
      ],
    ],
    [
      'backlogs out of bounds',
      { A: { coalescing: { mode: 'adaptive', above: 100_001, below: 0 } } },
      [/^policies\.A\.coalescing\.above: .*<=100000/, /^policies\.A\.coalescing\.below: .*>=1/],
    ],
    [
      'a field of a coalescing that is none',
      { A: { coalescing: { mode: 'off', most: 9 } } },
      [/^policies\.A\.coalescing\.most: not a field of a policy/],
    ],
    [
      'a lower backlog above the upper one, beside a default, too',
      {
        A: { coalescing: { mode: 'adaptive', above: 300, below: 301 } },
        B: { coalescing: { mode: 'adaptive', above: 249 } },
        C: { coalescing: { mode: 'adaptive', below: 1_001 } },
      },
      [
        /^policies\.A\.coalescing\.below: expected at most above, which is 300, got 301/,
        /^policies\.B\.coalescing\.below: expected at most above, which is 249, got 250/,
        /^policies\.C\.coalescing\.below: expected at most above, which is 1000, got 1001/,
      ],
    ],
    [
      'a lower backlog above the upper one that it takes from "*", beside other problems',
      {
        '*': { coalescing: { mode: 'adaptive', above: 100, below: 10 } },
        A: { coalescing: { mode: 'adaptive', below: 101 }, maxAttempts: 'many' },
      },
      [/^policies\.A\.maxAttempts/, /^policies\.A\.coalescing\.below: expected at most above, which is 100, got 101/],
    ],
    ['no object', [], [/^policies: /]],
    [
      'all of them at once',
      { '*': { maxAttempts: 0, deadlineMs: 5 }, A: { maxAttempts: 1.5 } },
      [/\*\.maxAttempts/, /deadlineMs/, /A\.maxAttempts/],
    ],
  ])('refuses %s, by its path', (_, input, expected) => {
    const problems = findPolicyProblems(input);
    expect(problems).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) expect(problems[index]).toMatch(pattern);
  });

  it('takes what a policy can say', () => {
    const codes = Object.fromEntries(REFINABLE_CODES.map((code) => [code, { attempts: 3 }]));
    expect(findPolicyProblems({ '*': { codes }, ORDER: { backoff: { kind: 'schedule', delaysMs: [1, 2] } } })).toEqual(
      [],
    );
  });

  it('tells the ordered types, and keeps the ordering out of the policy that is stored', () => {
    const block = { by: 'aggregate', whenHeadDead: 'block' } as const;
    const policies = resolvePolicies({
      A: { ordering: block },
      B: { ordering: { ...block, whenHeadDead: 'skip' } },
      C: { ordering: 'none' },
      D: {},
    });
    expect([...policies.orderings]).toEqual([
      ['A', 'block'],
      ['B', 'skip'],
    ]);
    expect(policies.of('A')).toEqual(policies.otherwise);
  });

  it('R20: takes every form of a coalescing, up to its bounds', () => {
    const forms = [
      ...(['off', 'adaptive', 'always'] as const),
      ...(['off', 'adaptive', 'always'] as const).map((mode) => ({ mode })),
      { mode: 'always', size: 2 },
      { mode: 'always', size: 500 },
      { mode: 'adaptive', size: 9, above: 100_000, below: 1 },
      { mode: 'adaptive', above: 1, below: 1 },
    ];
    for (const form of forms)
      expect(findPolicyProblems({ '*': { coalescing: form }, A: { coalescing: form } })).toEqual([]);
    // What would not fit the defaults fits what "*" says.
    const all = { mode: 'adaptive', above: 5_000, below: 2_000 } as const;
    const own = { mode: 'adaptive', below: 1_500 } as const;
    expect(findPolicyProblems({ '*': { coalescing: all }, A: { coalescing: own } })).toEqual([]);
  });

  it('R20: tells what travels together: a type takes from "*" what it leaves out, "*" from the defaults', () => {
    const defaults = { size: 200, above: 1_000, below: 250 };
    expect(resolvePolicies().coalescings).toEqual({ named: new Map(), otherwise: { mode: 'off', ...defaults } });
    const { coalescings } = resolvePolicies({
      '*': { coalescing: { mode: 'adaptive', size: 50, above: 400 } },
      SAME: { maxAttempts: 3 },
      NEVER: { coalescing: 'off' },
      ALWAYS: { coalescing: 'always' },
      OWN: { coalescing: { mode: 'adaptive', below: 5 } },
    });
    const all = { mode: 'adaptive', size: 50, above: 400, below: 250 };
    expect(coalescings).toEqual({
      otherwise: all,
      named: new Map(
        Object.entries({
          SAME: all,
          NEVER: { ...all, mode: 'off' },
          ALWAYS: { ...all, mode: 'always' },
          OWN: { ...all, below: 5 },
        }),
      ),
    });
    const left = { A: { coalescing: { mode: 'adaptive', size: undefined, below: undefined } } } as never;
    expect(resolvePolicies(left).coalescings.named.get('A')).toEqual({ mode: 'adaptive', ...defaults });
    expect(resolvePolicies({ A: { coalescing: 'adaptive' } }).coalescings).toEqual({
      otherwise: { mode: 'off', ...defaults },
      named: new Map([['A', { mode: 'adaptive', ...defaults }]]),
    });
  });

  it('R20: keeps the coalescing out of the policy that is stored', () => {
    const policies = resolvePolicies({ A: { coalescing: 'always' } });
    expect(policies.of('A')).toEqual(policies.otherwise);
    expect(policies.otherwise).toEqual(DEFAULT_POLICY);
  });

  it('can refine what a destination or a handler did, and nothing of our own', () => {
    const others = ERROR_CODES.filter((code) => !(REFINABLE_CODES as readonly string[]).includes(code));
    expect(others.filter((code) => code.startsWith('HTTP.') || code.startsWith('HANDLER.'))).toEqual([]);
    expect(others).toContain('DISPATCH.EVENT_NOT_FOUND');
  });

  it('lets a type take from "*" what it leaves out, code by code', () => {
    const input = {
      '*': { maxAttempts: 4, codes: { 'HTTP.TLS': 'final' } },
      ORDER: { deadlineMs: 5_000, codes: { 'HTTP.CLIENT_ERROR': { attempts: 2 } } },
    } as const;
    expect(resolvePolicies(input).of('AUTH')).toEqual({
      ...DEFAULT_POLICY,
      maxAttempts: 4,
      codes: { 'HTTP.TLS': 'final' },
    });
    expect(resolvePolicies(input).of('ORDER')).toEqual({
      ...DEFAULT_POLICY,
      maxAttempts: 4,
      deadlineMs: 5_000,
      codes: { 'HTTP.TLS': 'final', 'HTTP.CLIENT_ERROR': { attempts: 2 } },
    });
    expect(resolvePolicies(input).named).toEqual(['ORDER']);
    expect(resolvePolicies().of('toString')).toEqual(DEFAULT_POLICY);
  });

  it('takes a growing backoff whose maximum is where it begins, and a coefficient from 1 to 100', () => {
    const backoff = { kind: 'equal-jitter', initialMs: 10, maximumMs: 10, coefficient: 100 } as const;
    expect(
      findPolicyProblems({ A: { backoff }, B: { backoff: { ...backoff, kind: 'full-jitter', coefficient: 1 } } }),
    ).toEqual([]);
    for (const coefficient of [0.99, 100.01])
      expect(findPolicyProblems({ A: { backoff: { ...backoff, coefficient } } })).toHaveLength(1);
    expect(findPolicyProblems({ '9': {} })[0]).toContain('expected an event type');
  });

  it('doubles the delay where a growing backoff names no coefficient', () => {
    const backoff = { kind: 'exponential', initialMs: 10, maximumMs: 100 } as const;
    expect(resolvePolicies({ A: { backoff } }).of('A').backoff).toEqual({ ...backoff, coefficient: 2 });
  });

  it('tells what does not fit inside a code or a backoff by its own path, and every problem at once', () => {
    const problems = findPolicyProblems({
      '*': { ordering: 'none' },
      A: {
        maxAttempts: 'many',
        ordering: 'sometimes',
        backoff: { kind: 'fixd', intervalMs: 1 },
        codes: {
          'HTTP.TIMEOUT': { attempts: '3' },
          'HTTP.NETWORK': { backoff: { kind: 'fixed', intervalMs: '60s' } },
          'HTTP.TLS': { backoff: { kind: 'full-jitter', initialMs: 5, maximumMs: 1 } },
          'HTTP.SERVER_ERROR': 'never',
          'HTTP.RATE_LIMITED': { tries: 3 },
        },
      },
    });
    expect(problems.map((problem) => problem.split(':')[0]).sort()).toEqual(
      [
        'policies.*.ordering',
        'policies.A.maxAttempts',
        'policies.A.ordering',
        'policies.A.backoff.kind',
        'policies.A.codes.HTTP.TIMEOUT.attempts',
        'policies.A.codes.HTTP.NETWORK.backoff.intervalMs',
        'policies.A.codes.HTTP.TLS.backoff.maximumMs',
        'policies.A.codes.HTTP.SERVER_ERROR',
        'policies.A.codes.HTTP.RATE_LIMITED.tries',
      ].sort(),
    );
    expect(problems.filter((problem) => problem.endsWith('Invalid input'))).toEqual([]);
  });

  it('are published as a JSON Schema that names every code', () => {
    const text = JSON.stringify(policiesJsonSchema());
    for (const code of REFINABLE_CODES) expect(text).toContain(`"${code}"`);
    expect(text).toContain('https://json-schema.org/draft/2020-12/schema');
    expect(policiesJsonSchema()).toMatchObject({ title: 'temporal-outbox policies' });
    // As it is written, not as it is read: what has a default may be left out.
    expect(text).not.toContain('"required":["kind","initialMs","coefficient"');
  });
});

describe('the name of a policy', () => {
  it('is the same for the same content, whatever the order of its fields', () => {
    const { maxAttempts, deadlineMs, backoff, codes } = DEFAULT_POLICY;
    const hash = policyHash(DEFAULT_POLICY);
    // As `{"backoff":{"coefficient":2,…},"codes":{},"deadlineMs":86400000,"maxAttempts":10}` is written by RFC 8785.
    const text =
      '{"backoff":{"coefficient":2,"initialMs":1000,"kind":"full-jitter","maximumMs":300000},"codes":{},"deadlineMs":86400000,"maxAttempts":10}';
    expect(hash).toBe(createHash('sha256').update(text).digest('hex').slice(0, 16));
    expect(policyHash({ codes, backoff, deadlineMs, maxAttempts })).toBe(hash);
    expect(policyHash({ ...DEFAULT_POLICY, maxAttempts: 9 })).not.toBe(hash);
  });

  it('is given to each event type that is named and to all others, with what stands under it', () => {
    const policies = resolvePolicies({ A: { maxAttempts: 3 }, B: {} });
    const { hashes, bodies } = hashPolicies(policies);
    const other = policyHash(DEFAULT_POLICY);
    const own = policyHash({ ...DEFAULT_POLICY, maxAttempts: 3 });
    expect(hashes).toEqual({ byType: { A: own, B: other }, otherwise: other });
    expect([...bodies]).toEqual([
      [own, policies.of('A')],
      [other, DEFAULT_POLICY],
    ]);
  });
});

describe('simulateFailures', () => {
  const simulate = (code: Parameters<typeof simulateFailures>[0]['code'], more = {}) =>
    simulateFailures({ policy: DEFAULT_POLICY, code, random: () => 0.5, ...more });

  it('tells the attempts of a code until its dead letter', () => {
    expect(simulate('HTTP.TLS')).toEqual({
      attempts: [0, 1, 2, 3, 4].map((n) => ({ attempt: n + 1, atMs: n * 60_000, delayMs: n === 4 ? null : 60_000 })),
      finalCode: 'HTTP.TLS',
      totalMs: 240_000,
    });
    expect(simulate('HTTP.NETWORK').attempts.map(({ delayMs }) => delayMs)).toEqual([
      500,
      1_000,
      2_000,
      4_000,
      8_000,
      16_000,
      32_000,
      64_000,
      128_000,
      null,
    ]);
  });

  it('ends at the deadline where that comes first', () => {
    const policy = { ...DEFAULT_POLICY, deadlineMs: 3_000 };
    const { attempts, finalCode, totalMs } = simulate('HTTP.TIMEOUT', { policy, attemptMs: 1_000 });
    expect({ n: attempts.length, finalCode, totalMs }).toEqual({
      n: 3,
      finalCode: 'DELIVERY.DEADLINE',
      totalMs: 4_500,
    });
  });

  it('ends a crash loop at the third loss', () => {
    const { attempts, finalCode } = simulate('DELIVERY.ATTEMPT_LOST');
    expect({ n: attempts.length, finalCode }).toEqual({ n: 3, finalCode: 'DELIVERY.CRASH_LOOP' });
  });

  it('ends for every code: at its dead letter, or cut where it would go on without end', () => {
    for (const code of ERROR_CODES) {
      const { attempts, finalCode } = simulate(code, { maxSteps: 5 });
      const endless = !catalogEntry(code).spends && code !== 'DELIVERY.ATTEMPT_LOST';
      if (catalogEntry(code).rule.kind === 'final') expect(attempts).toHaveLength(1);
      else if (endless) expect({ n: attempts.length, finalCode }).toEqual({ n: 5, finalCode: null });
      else expect(finalCode).not.toBeNull();
    }
  });
});
