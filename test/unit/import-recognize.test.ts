/** Nothing here is fake: lines in, outbox events out. All data is invented, after the vendors' documents. */
import type { ImportMapping } from '../../src/application/delivery/import/mapping.js';
import { findMapping, IMPORT_MAPPINGS, recognize } from '../../src/application/delivery/import/mappings/index.js';
import { toImportedEvent } from '../../src/application/delivery/import/to-imported-event.js';
import { parseAuditEvent } from '../../src/contract/audit-dto.js';
import type { JsonObject } from '../../src/domain/delivery/json.js';
import { toRecord } from '../support/import-record.js';

const NOW = new Date('2026-11-23T12:00:00Z');

function record(line: object, mapping: string | null = null) {
  const context = {
    mapping: mapping === null ? null : (findMapping(mapping) as ImportMapping),
    deployment: 'main',
    tenantId: '',
    now: NOW,
  };
  const mapped = toImportedEvent(Buffer.from(JSON.stringify(line)), context);
  if (!mapped.ok) throw new Error(mapped.reason);
  const audit = toRecord(mapped.event, NOW);
  expect(parseAuditEvent(audit, NOW)).toMatchObject({ ok: true });
  return { ...audit, unrecognized: mapped.unrecognized };
}

const M365 = {
  CreationTime: '2026-03-01T10:00:00',
  Id: '0b1c1b5e-0000-0000-0000-000000000001',
  Operation: 'FileDownloaded',
  OrganizationId: 'org-1',
  RecordType: 6,
  UserType: 0,
  UserKey: 'i:0h.f|membership|1003',
  Workload: 'SharePoint',
  UserId: 'ada@example.com',
  ClientIP: '192.0.2.7',
  ObjectId: 'https://example.sharepoint.com/sites/a/plan.docx',
  ItemType: 'File',
  UserAgent: 'x',
};
const K8S = {
  kind: 'Event',
  apiVersion: 'audit.k8s.io/v1',
  auditID: 'a-1',
  stage: 'ResponseComplete',
  verb: 'create',
  requestURI: '/api/v1/namespaces/shop/pods/web-1/exec',
  user: { username: 'system:serviceaccount:ci:deployer', uid: 'u-1' },
  objectRef: { resource: 'pods', namespace: 'shop', name: 'web-1', subresource: 'exec' },
  responseStatus: { code: 101 },
  requestReceivedTimestamp: '2026-03-01T10:00:00.123456Z',
  stageTimestamp: '2026-03-01T10:00:01.654321Z',
};

describe('a line that one mapping recognises', () => {
  it('is read by it, as if it had been named', () => {
    const found = record(M365);
    expect(found.unrecognized).toBeUndefined();
    expect(found).toEqual(record(M365, 'microsoft-365'));
    expect(found).toMatchObject({
      action: 'm365.share_point.file_downloaded',
      category: 'data',
      operation: 'read',
      outcome: 'success',
      occurredAt: '2026-03-01T10:00:00.000Z',
      source: 'm365:SharePoint',
      actor: { type: 'user', id: 'ada@example.com' },
      targets: [{ type: 'File', id: M365.ObjectId }],
      context: { ip: '192.0.2.7' },
      metadata: { sourceEventId: M365.Id, importMapping: 'microsoft-365' },
    });
  });

  it('of Microsoft 365 tells sign-ins, failures, administrators and applications', () => {
    const of = (more: object) => record({ ...M365, ...more });
    const signIn = { Workload: 'AzureActiveDirectory', RecordType: 15, ObjectId: 'app' };
    expect(
      of({ ...signIn, Operation: 'UserLoginFailed', LogonError: 'InvalidUserNameOrPassword', ResultStatus: 'Success' }),
    ).toMatchObject({
      category: 'authentication',
      operation: 'login',
      outcome: 'failure', // what succeeded is the writing of the record
      outcomeReason: 'InvalidUserNameOrPassword',
    });
    expect(of({ ...signIn, Operation: 'UserLoginFailed' })).toMatchObject({ outcome: 'failure' });
    expect(of({ ...signIn, Operation: 'Add member to role.', UserType: 6, ResultStatus: 'Failed' })).toMatchObject({
      action: 'm365.azure_active_directory.add_member_to_role',
      category: 'iam',
      operation: 'create',
      outcome: 'failure',
      actor: { type: 'service' },
    });
    expect(of({ Workload: 'Exchange', RecordType: 1, Operation: 'Set-Mailbox', ResultStatus: 'True' })).toMatchObject({
      category: 'configuration',
      operation: 'update',
      outcome: 'success',
    });
  });

  it('of Kubernetes has one identity for each stage, and tells who was refused', () => {
    const exec = record(K8S);
    expect(exec).toMatchObject({
      action: 'k8s.pods.exec.create',
      category: 'configuration',
      operation: 'execute',
      outcome: 'success',
      occurredAt: '2026-03-01T10:00:01.654Z',
      actor: { type: 'service', id: 'system:serviceaccount:ci:deployer' },
      targets: [{ type: 'pods', id: 'shop/web-1' }, { type: 'request' }],
      metadata: { sourceEventId: 'a-1/ResponseComplete' },
    });
    expect(record({ ...K8S, stage: 'RequestReceived', responseStatus: undefined })).toMatchObject({
      outcome: 'unknown',
      eventId: expect.not.stringMatching(exec.eventId),
    });
    const forbidden = {
      user: { username: 'system:anonymous' },
      responseStatus: { code: 403, reason: 'Forbidden', message: 'no' },
      objectRef: { resource: 'clusterroles', apiGroup: 'rbac.authorization.k8s.io' },
      verb: 'list',
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    };
    expect(record({ ...K8S, ...forbidden })).toMatchObject({
      action: 'k8s.clusterroles.list',
      category: 'iam',
      operation: 'read',
      outcome: 'denied',
      outcomeReason: 'Forbidden: no',
      actor: { type: 'anonymous' },
    });
    expect(record({ ...K8S, objectRef: undefined, verb: 'get' })).toMatchObject({
      action: 'k8s.request.get',
      targets: [{ type: 'request' }],
    });
  });

  it('of Kubernetes may be an item of an EventList, which does not say what it is', () => {
    const { kind: _, apiVersion: __, ...item } = K8S;
    const stages = ['RequestReceived', 'ResponseComplete'].map((stage) => record({ ...item, stage }));
    for (const one of stages) {
      expect(one.unrecognized).toBeUndefined();
      expect(one).toMatchObject({ action: 'k8s.pods.exec.create', metadata: { importMapping: 'kubernetes-audit' } });
    }
    expect(stages[0]?.eventId).not.toBe(stages[1]?.eventId);
    for (const name of ['auditID', 'stage', 'verb', 'requestURI']) {
      expect(record({ ...item, [name]: undefined })).toMatchObject({ unrecognized: 'none' });
    }
    expect(record({ ...item, kind: 'Pod' })).toMatchObject({ unrecognized: 'none' });
    expect(record({ ...item, apiVersion: 'v1' })).toMatchObject({ unrecognized: 'none' });
  });

  it('of Windows says what its code says, and takes no time without a zone', () => {
    const message = [
      '03/12/2021 10:48:14 AM',
      'LogName=Security',
      'EventCode=4732',
      'ComputerName=dc-1',
      'Keywords=Audit Success',
      'Message=A member was added to a security-enabled local group.',
      '',
      'Subject:',
      '\tSecurity ID:\t\tCORP\\ada',
      '\tAccount Name:\t\tada',
      '',
      'Member:',
      '\tSecurity ID:\t\tS-1-5-21-1-2-3-1001',
      '\tAccount Name:\t\t-',
      '',
      'Group:',
      '\tSecurity ID:\t\tBUILTIN\\Administrators',
      '\tGroup Name:\t\tAdministrators',
    ];
    for (const end of ['\n', '\r\n']) {
      expect(record({ message: message.join(end) })).toMatchObject({
        action: 'windows.group.member_added',
        category: 'iam',
        operation: 'update',
        outcome: 'success',
        occurredAt: NOW.toISOString(),
        actor: { type: 'user', id: 'CORP\\ada', name: 'ada' },
        targets: [
          { type: 'user', id: 'S-1-5-21-1-2-3-1001' },
          { type: 'group', id: 'BUILTIN\\Administrators', name: 'Administrators' },
          { type: 'computer', id: 'dc-1' },
        ],
        metadata: { timeMissing: true, localTime: '03/12/2021 10:48:14 AM', eventCode: '4732' },
      });
    }
    const unknown = record({ message: 'LogName=Security\nEventCode=5140\nKeywords=Audit Failure' });
    expect(unknown).toMatchObject({ action: 'windows.event.5140', category: 'system', outcome: 'failure' });
  });

  it('of GitHub is known by its own name for its time, action and organisation', () => {
    const line = {
      '@timestamp': 1729176166108,
      action: 'personal_access_token.access_revoked',
      org: 'acme',
      actor: 'ada',
      actor_id: 1,
    };
    expect(record(line)).toMatchObject({ action: 'github.personal_access_token.access_revoked', category: 'iam' });
    expect(record({ ...line, operation_type: 'remove', actor_is_bot: true })).toMatchObject({
      operation: 'delete',
      actor: { type: 'service' },
    });
    expect(record({ ...line, org: undefined })).toMatchObject({
      unrecognized: 'none',
      metadata: { importMapping: 'default' },
    });
  });
});

describe('a line that none recognises, or more than one', () => {
  it('is left to the default mapping, and says why', () => {
    expect(record({ id: 'e-1', action: 'thing.create', time: '2026-01-01T00:00:00Z' })).toMatchObject({
      unrecognized: 'none',
      metadata: { importMapping: 'default' },
    });
    // Everything that Okta and Kubernetes are known by, in one line.
    const both = { ...K8S, eventType: 'user.session.start', published: '2026-01-01T00:00:00Z', uuid: 'u' };
    expect(record(both)).toMatchObject({ unrecognized: 'several', metadata: { importMapping: 'default' } });
  });

  it('has an event for each stage of an audit id under the default mapping, too', () => {
    const stages = ['RequestReceived', 'ResponseComplete'].map((stage) => record({ ...K8S, stage }, 'default').eventId);
    expect(new Set(stages).size).toBe(2);
    const bare = [1, 2].map((code) => record({ auditID: 'a-1', verb: 'get', code }, 'default').eventId);
    expect(new Set(bare).size).toBe(2);
  });

  it('is never read by a mapping that has nothing to know it by', () => {
    const bare = IMPORT_MAPPINGS.map(({ recognizes: _, ...mapping }) => mapping);
    expect(recognize(K8S as unknown as JsonObject, bare)).toMatchObject({ unrecognized: 'none' });
    const empty = IMPORT_MAPPINGS.map((mapping) => ({ ...mapping, recognizes: [] }));
    expect(recognize(K8S as unknown as JsonObject, empty)).toMatchObject({ unrecognized: 'none' });
  });

  it('every mapping but the default one has something that it is known by', () => {
    expect(IMPORT_MAPPINGS.filter(({ recognizes }) => recognizes === undefined).map(({ name }) => name)).toEqual([
      'default',
    ]);
  });

  it('is judged in time linear in its length, whatever it holds', () => {
    const hostile = `LogName=Security\nEventCode=1\nSubject:\n${`${' '.repeat(30)}x\n`.repeat(1_000)}`;
    expect(record({ message: hostile })).toMatchObject({ actor: { type: 'anonymous' } });
  });
});
