import type { ImportMapping } from '../mapping.js';

/**
 * For formats that nobody has described: looks under common names and takes nothing for granted.
 *
 * Only names that mean "the id of this event" everywhere are taken for an identity. Kubernetes' `auditID` is a request's, which
 * has an event for each stage. A `uuid`, `uid`, `MessageId` or `Id` is
 * in some formats the id of a session, a message or a finding, and taking it would refuse the second event of each; such an
 * event is identified by its line instead. A mapping of its own can say better.
 */
export const DEFAULT: ImportMapping = {
  name: 'default',
  title: 'any JSON events, one a line; common names are recognised',
  id: { first: ['/eventId', '/eventID', '/event_id', { join: ['/auditID', '/stage'], with: '/' }, '/id'] },
  source: { first: ['/source', '/eventSource', { const: 'import:default' }] },
  time: {
    at: {
      first: [
        '/occurredAt',
        '/eventTime',
        '/event_time',
        '/time',
        '/timestamp',
        '/@timestamp',
        '/ts',
        '/datetime',
        '/published',
        '/requestReceivedTimestamp',
        '/query_timestamp',
        '/updatedAt',
        '/UpdatedAt',
        '/createdAt',
        '/created_at',
        '/CreatedAt',
      ],
    },
  },
  action: {
    first: [
      // Kubernetes' audit verb says little without what it was done to.
      { join: ['/objectRef/resource', '/verb'], with: '.' },
      '/action',
      '/eventName',
      '/eventType',
      '/event_type',
      '/event',
      '/operation',
      '/verb',
      '/rule',
      '/type',
      '/_path',
      { const: 'event.imported' },
    ],
  },
  category: { const: 'other' },
  operation: {
    of: { first: ['/verb', '/action', '/eventName', '/eventType', '/event_type', '/event', '/operation'] },
    cases: [
      ['(log|sign)_?(in|on)\\b|session\\.start', 'login'],
      ['(log|sign)_?(out|off)\\b|session\\.end', 'logout'],
      ['\\b(create|add|insert|register)', 'create'],
      ['\\b(delete|remove|destroy|revoke)', 'delete'],
      ['\\b(get|list|read|view|watch|describe|download)', 'read'],
      ['\\b(update|modify|patch|change|set|rename|enable|disable|lock|unlock)', 'update'],
      ['\\b(execute|run|invoke|push|send)', 'execute'],
    ],
  },
  outcome: {
    of: {
      first: ['/outcome/result', '/outcome', '/result', '/success', '/auth_success', '/status', '/Status', '/action'],
    },
    cases: [
      ['^(succe|true$|ok$|allow|delivered$)', 'success'],
      ['^(den(y|ied)|block|forbidden|unauthori[sz]ed)', 'denied'],
      ['^(fail|false$|error)', 'failure'],
    ],
  },
  outcomeReason: { first: ['/outcome/reason', '/errorMessage', '/error', '/reason'] },
  actor: {
    type: {
      of: { first: ['/actor/type', '/user/type'] },
      cases: [
        ['^(user|person|human)', 'user'],
        ['^(service|app|bot|client)', 'service'],
        ['^system', 'system'],
      ],
    },
    id: {
      first: [
        '/actor/id',
        '/actor_id',
        '/actorId',
        '/actor',
        '/user/id',
        '/user/uid',
        '/user/username',
        '/userId',
        '/user_id',
        '/username',
        '/user',
        '/SenderAddress',
      ],
    },
    name: { first: ['/actor/displayName', '/actor/name', '/actor', '/user/username', '/user/name', '/username'] },
  },
  targets: [
    { each: '/target', type: { first: ['@/type', { const: 'target' }] }, id: '@/id', name: '@/displayName' },
    { each: '/targets', type: { first: ['@/type', { const: 'target' }] }, id: '@/id', name: '@/name' },
    { each: '/Resources', type: { first: ['@/Type', { const: 'resource' }] }, id: '@/Id' },
    {
      type: '/objectRef/resource',
      id: { first: [{ join: ['/objectRef/namespace', '/objectRef/name'], with: '/' }, '/objectRef/name'] },
    },
    { type: { const: 'repository' }, id: '/repo' },
    { type: { const: 'resource' }, id: { first: ['/resource/id', '/resource', '/resourceId', '/resource_id'] } },
  ],
  context: {
    ip: { first: ['/client/ipAddress', '/actor_ip', '/sourceIPAddress', '/ip', '/sourceIPs/0', '/FromIP', '/srcaddr'] },
    userAgent: { first: ['/client/userAgent/rawUserAgent', '/userAgent', '/user_agent'] },
    requestId: { first: ['/requestId', '/requestID', '/request_id'] },
  },
};
