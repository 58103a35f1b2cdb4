/** Pure: the schemas of actions and the redaction of the ingest. Nothing is fake. */
import { compileEventSchemas, EventSchemaError } from '../../src/application/audit/event-schemas.js';
import { createIngestRules } from '../../src/application/audit/ingest-rules.js';
import { type AuditEvent, parseAuditEvent } from '../../src/contract/audit-dto.js';

function auditEvent(overrides: Partial<AuditEvent> = {}): AuditEvent {
  return {
    specVersion: '1.0',
    eventId: '1',
    source: '/s',
    action: 'auth.user.signed_in',
    actionVersion: 1,
    category: 'authentication',
    operation: 'login',
    outcome: 'success',
    occurredAt: '2026-01-02T03:04:05Z',
    actor: { type: 'user', id: 'u-1' },
    targets: [],
    ...overrides,
  };
}

describe('the schema of an action', () => {
  const schema = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    required: ['method'],
    additionalProperties: false,
    properties: {
      method: { enum: ['password', 'passkey'] },
      'a/b~c': { type: 'integer' },
      steps: { type: 'array', prefixItems: [{ type: 'string' }], items: { type: 'number', maximum: 5 } },
      at: { type: 'string', format: 'date-time', pattern: '^2' },
    },
  };
  const check = compileEventSchemas({ 'auth.user.signed_in': schema, 'auth.user.signed_in@2': { type: 'object' } });
  const pointers = (data: AuditEvent['data'], actionVersion = 1) =>
    check(auditEvent({ actionVersion, ...(data === undefined ? {} : { data }) }))
      .map(({ pointer }) => pointer)
      .sort();

  it('names all that does not fit by pointers below /data', () => {
    expect(pointers({ method: 'passkey', steps: ['a', 1, 5], 'a/b~c': 1 })).toEqual([]);
    expect(pointers({ extra: 1, 'a/b~c': 'x', steps: [1, 2, 9] })).toEqual([
      '/data/a~1b~0c',
      '/data/extra',
      '/data/method',
      '/data/steps/0',
      '/data/steps/2',
    ]);
  });

  it('takes an event without data for one with none of its fields', () => {
    expect(pointers(undefined)).toEqual(['/data/method']);
  });

  it('for a version comes before the one for all versions; another action has none', () => {
    expect(pointers({}, 2)).toEqual([]);
    expect(pointers({}, 3)).toEqual(['/data/method']);
    expect(check(auditEvent({ action: 'auth.user.signed_out', data: { x: 1 } }))).toEqual([]);
  });

  it('quotes no value that was sent', () => {
    const problems = check(auditEvent({ data: { method: 'hunter2', at: 'hunter2', steps: ['hunter2', 'hunter2'] } }));
    expect(problems.length).toBeGreaterThan(2);
    expect(JSON.stringify(problems)).not.toContain('hunter2');
  });

  it('answers with at most 100 problems and no key of more than 512 characters', () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, 1]));
    expect(check(auditEvent({ data: many }))).toHaveLength(100);
    const [problem] = check(auditEvent({ data: { method: 'password', ['x'.repeat(10_000)]: 1 } }));
    expect(problem?.pointer).toBe('/data');
  });

  it('leaves a format to be an annotation, as the draft has it', () => {
    expect(pointers({ method: 'password', at: '2' })).toEqual([]);
  });

  it.each([
    ['a type that is none', { type: 'strnig' }],
    ['a keyword that is none', { type: 'object', propertis: {} }],
    ['a reference that leads out', { $ref: 'https://example.com/elsewhere' }],
    ['a pattern that is none', { type: 'object', properties: { a: { type: 'string', pattern: '(' } } }],
    ['one that answers later', { $async: true, type: 'object' }],
  ])('with %s does not compile, and its action is named', (_, wrong) => {
    const make = () => compileEventSchemas({ 'order.placed': wrong, 'order.paid': { type: 'object' }, 'a.b@2': wrong });
    expect(make).toThrow(EventSchemaError);
    try {
      make();
    } catch (error) {
      const { problems } = error as EventSchemaError;
      expect(problems.map((problem) => problem.split(':')[0])).toEqual([
        'ingest.schemas["order.placed"]',
        'ingest.schemas["a.b@2"]',
      ]);
    }
  });

  it('may have the $id of another', () => {
    const twin = { $id: 'https://example.com/one', type: 'object' };
    expect(() => compileEventSchemas({ 'a.b': twin, 'a.c': { ...twin } })).not.toThrow();
  });
});

describe('the redaction of the ingest', () => {
  const whole = auditEvent({
    data: { password: 'p', deep: [{ apiKey: 7, text: 'card case-17' }], email: 'ada@example.com' },
    changes: [
      { field: '/password', old: 'a', new: 'b' },
      { field: '/plan', old: { token: 't' }, new: 'case-18' },
      { field: '/name', old: 'Ada', new: 'Grace' },
    ],
    metadata: { secret: 'x', note: 'case-19', kept: 1 },
    actor: { type: 'user', id: 'u-1', metadata: { sessionKey: 's' } },
    targets: [{ type: 't', id: 'i', metadata: { pin: 1234 } }],
  });

  it('takes out the built-in names of secrets, whatever is configured, and keeps personal data', () => {
    const stored = createIngestRules().redact(whole);
    expect(stored).toEqual({
      ...whole,
      data: {
        password: '[redacted]',
        deep: [{ apiKey: '[redacted]', text: 'card case-17' }],
        email: 'ada@example.com',
      },
      changes: [
        { field: '/password', old: '[redacted]', new: '[redacted]', redacted: true },
        { field: '/plan', old: { token: '[redacted]' }, new: 'case-18', redacted: true },
        { field: '/name', old: 'Ada', new: 'Grace' },
      ],
      metadata: {
        secret: '[redacted]',
        note: 'case-19',
        kept: 1,
        redacted: '/password /deep/0/apiKey /metadata/secret /actor/sessionKey /targets/0/pin',
      },
      actor: { type: 'user', id: 'u-1', metadata: { sessionKey: '[redacted]' } },
      targets: [{ type: 't', id: 'i', metadata: { pin: '[redacted]' } }],
    });
    expect(parseAuditEvent(stored, new Date())).toMatchObject({ ok: true });
  });

  it('adds its own names and patterns: for all, for a category, for an action, for a version of it', () => {
    const { redact } = createIngestRules({
      redaction: {
        keys: ['diagnosis'],
        patterns: [/case-\d+/g],
        byCategory: { iam: { keys: ['note'] } },
        byAction: { 'user.created': { keys: ['plan'] }, 'user.created@2': { patterns: [/\bGrace\b/g] } },
      },
    });
    const data = { lastDiagnosis: 'd', note: 'n', plan: 'p', text: 'Grace has case-1 and case-2' };
    const of = (parts: Partial<AuditEvent>) => redact(auditEvent({ data, ...parts })).data;
    const all = { ...data, lastDiagnosis: '[redacted]', text: 'Grace has [redacted] and [redacted]' };
    expect(of({})).toEqual(all);
    expect(of({ category: 'iam' })).toEqual({ ...all, note: '[redacted]' });
    expect(of({ action: 'user.created', actionVersion: 1 })).toEqual({ ...all, plan: '[redacted]' });
    expect(of({ action: 'user.created', actionVersion: 2 })).toEqual({
      ...all,
      text: '[redacted] has [redacted] and [redacted]',
    });
    expect(of({})).toEqual(all); // what one event asked for stays its own
  });

  it('tells where a text lost a part of it, also where nothing else was hidden', () => {
    const { redact } = createIngestRules({ redaction: { patterns: [/case-\d+/g] } });
    const stored = redact(auditEvent({ data: { text: 'see case-4711' } }));
    expect(stored).toMatchObject({ data: { text: 'see [redacted]' }, metadata: { redacted: '/text' } });
  });

  it('gives back the very event where nothing is to be hidden, and changes nothing the second time', () => {
    const { redact } = createIngestRules({ redaction: { patterns: [/case-\d+/g] } });
    const plain = auditEvent({ data: { a: 1 } });
    expect(redact(plain)).toBe(plain);
    const once = redact(whole);
    expect(redact(once)).toBe(once);
  });

  it('lists beside what our outbox has listed, and finds room for it or leaves it out', () => {
    const { redact } = createIngestRules();
    const noted = redact(auditEvent({ data: { a: { secret: 1 } }, metadata: { redacted: '/password' } }));
    expect(noted.metadata).toEqual({ redacted: '/password /a/secret' });
    const full = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, index]));
    const crowded = redact(auditEvent({ data: { secret: 1 }, metadata: full }));
    expect(crowded).toMatchObject({ data: { secret: '[redacted]' }, metadata: full });
    expect(parseAuditEvent(crowded, new Date())).toMatchObject({ ok: true });
  });

  it('walks an event whole, and apart what is stated beside its data, however many values these have', () => {
    const event = auditEvent({
      data: { samples: Array(20_100).fill(1), more: { kept: [1, { token: 't' }] } },
      metadata: { region: 'eu', token: 't' },
      actor: { type: 'user', id: 'u-1', metadata: { team: 'red' } },
      targets: [{ type: 't', id: 'i', metadata: { zone: 'b' } }],
    });
    expect(createIngestRules().redact(event)).toEqual({
      ...event,
      data: { ...event.data, more: { kept: [1, { token: '[redacted]' }] } },
      metadata: { region: 'eu', token: '[redacted]', redacted: '/more/kept/1/token /metadata/token' },
    });
    const plain = auditEvent({ data: { samples: Array(21_000).fill([]), more: { kept: {} } } });
    expect(createIngestRules().redact(plain)).toBe(plain);
  });

  it('keeps metadata within their limits although a marker is longer than what it stands for', () => {
    const { redact } = createIngestRules({ redaction: { patterns: [/x/g] } });
    const stored = redact(auditEvent({ metadata: { a: 'x'.repeat(500) } }));
    expect(parseAuditEvent(stored, new Date())).toMatchObject({ ok: true });
  });
});
