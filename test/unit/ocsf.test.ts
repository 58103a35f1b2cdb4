/** Real: the mapping, on records made up here. Nothing is fake. */
import { toOcsf } from '../../src/application/audit/ocsf/to-ocsf.js';
import { type AuditEvent, CATEGORIES, OPERATIONS, OUTCOMES, SEVERITIES } from '../../src/contract/audit-dto.js';
import type { RecordView } from '../../src/contract/audit-records-api.js';

function record(overrides: Partial<AuditEvent> = {}): RecordView {
  const event: AuditEvent = {
    specVersion: '1.0',
    eventId: 'e-1',
    source: '/services/auth',
    action: 'auth.user.signed_in',
    actionVersion: 1,
    category: 'authentication',
    operation: 'login',
    outcome: 'success',
    occurredAt: '2026-01-02T03:04:05.678+02:00',
    actor: { type: 'user', id: 'u-1', name: 'Erika', sessionId: 's-1' },
    targets: [{ type: 'file', id: 'f-1', name: 'a' }],
    context: { ip: '203.0.113.7', userAgent: 'curl', requestId: 'r-1', correlationId: 'c-1' },
    ...overrides,
  };
  return {
    recordId: '0198c0de-0000-7000-8000-000000000001',
    recordedAt: '2026-01-02T03:04:06.000Z',
    tenantId: 'acme',
    via: 'api',
    hash: `sha-256:${'ab'.repeat(32)}`,
    event,
  };
}

it('a sign-in is Authentication, with who signed in and from where', () => {
  expect(toOcsf(record())).toEqual({
    class_uid: 3002,
    class_name: 'Authentication',
    category_uid: 3,
    category_name: 'Identity & Access Management',
    activity_id: 1,
    activity_name: 'Logon',
    type_uid: 300201,
    type_name: 'Authentication: Logon',
    severity_id: 1,
    severity: 'Informational',
    status_id: 1,
    status: 'Success',
    time: Date.UTC(2026, 0, 2, 1, 4, 5, 678),
    metadata: {
      version: '1.4.0',
      product: { name: '/services/auth', vendor_name: 'temporal-outbox' },
      uid: 'e-1',
      event_code: 'auth.user.signed_in',
      original_time: '2026-01-02T03:04:05.678+02:00',
      logged_time: Date.UTC(2026, 0, 2, 3, 4, 6),
      tenant_uid: 'acme',
      correlation_uid: 'c-1',
    },
    actor: { user: { type_id: 1, type: 'User', uid: 'u-1', name: 'Erika' }, session: { uid: 's-1' } },
    src_endpoint: { ip: '203.0.113.7' },
    http_request: { user_agent: 'curl' },
    user: { type_id: 1, type: 'User', uid: 'u-1', name: 'Erika' },
    api: { operation: 'auth.user.signed_in', service: { name: '/services/auth' }, request: { uid: 'r-1' } },
    unmapped: expect.objectContaining({ recordId: '0198c0de-0000-7000-8000-000000000001', via: 'api' }),
  });
});

it('whoever was signed in by another is the user of it', () => {
  const targets = [
    { type: 'session', id: 's-2' },
    { type: 'user', id: 'u-2' },
  ];
  expect(toOcsf(record({ targets }))).toMatchObject({ user: { uid: 'u-2' }, actor: { user: { uid: 'u-1' } } });
});

it.each([
  ['authentication', 'logout', 3002, 2],
  ['authentication', 'update', 3002, 99],
  ['data', 'create', 6003, 1],
  ['configuration', 'read', 6003, 2],
  ['iam', 'update', 6003, 3],
  ['billing', 'delete', 6003, 4],
  ['integration', 'execute', 6003, 99],
  ['authorization', 'login', 6003, 99],
  ['system', 'create', 0, 99],
  ['other', 'other', 0, 99],
] as const)('%s, %s: class %d, activity %d', (category, operation, classUid, activityId) => {
  expect(toOcsf(record({ category, operation }))).toMatchObject({ class_uid: classUid, activity_id: activityId });
});

it('every category, operation, outcome and severity becomes an event with what its class requires', () => {
  for (const category of CATEGORIES) {
    for (const operation of OPERATIONS) {
      for (const outcome of OUTCOMES) {
        for (const severity of SEVERITIES) {
          const { context: _, ...bare } = (record() as unknown as { event: AuditEvent }).event;
          const view = { ...record(), event: { ...bare, category, operation, outcome, severity } } as RecordView;
          const ocsf = toOcsf(view) as Record<string, unknown>;
          expect(ocsf.type_uid).toBe((ocsf.class_uid as number) * 100 + (ocsf.activity_id as number));
          expect(ocsf).toMatchObject({
            time: expect.any(Number),
            metadata: { product: {}, version: '1.4.0' },
            src_endpoint: {},
          });
          expect(ocsf.severity_id).toBe(SEVERITIES.indexOf(severity) + 1);
          if (ocsf.class_uid === 6003)
            expect(ocsf).toMatchObject({ actor: {}, api: { operation: 'auth.user.signed_in' } });
          if (ocsf.class_uid === 3002) expect(ocsf).toMatchObject({ user: { uid: 'u-1' } });
          expect(JSON.stringify(ocsf)).not.toContain('null');
        }
      }
    }
  }
});

it.each([
  ['denied', undefined, 2, 'denied'],
  ['failure', 'wrong password', 2, 'wrong password'],
  ['unknown', undefined, 0, undefined],
] as const)('the outcome %s, with the reason %s: status %d', (outcome, outcomeReason, statusId, detail) => {
  const ocsf = toOcsf(record({ outcome, ...(outcomeReason === undefined ? {} : { outcomeReason }) }));
  expect(ocsf.status_id).toBe(statusId);
  expect(ocsf.status_detail).toBe(detail);
});

it('an erased record says which one it was and nothing else', () => {
  const { recordId, recordedAt } = record();
  expect(toOcsf({ recordId, recordedAt, hash: null, erased: true })).toEqual({
    class_uid: 0,
    class_name: 'Base Event',
    category_uid: 0,
    category_name: 'Uncategorized',
    activity_id: 99,
    activity_name: 'Other',
    type_uid: 99,
    type_name: 'Base Event: Other',
    severity_id: 0,
    time: Date.parse(recordedAt),
    metadata: { version: '1.4.0', product: { name: 'temporal-outbox', vendor_name: 'temporal-outbox' } },
    unmapped: { recordId, hash: null, erased: true },
  });
});
