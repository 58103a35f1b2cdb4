import type { ImportMapping } from '../mapping.js';

/** Okta System Log events (API v1), one a line. */
export const OKTA: ImportMapping = {
  name: 'okta',
  title: 'Okta System Log events, one a line',
  recognizes: [
    { of: '/eventType', matches: '^[a-z0-9_]+(\\.[a-z0-9_]+)+$' },
    { of: '/published', matches: '^\\d{4}-\\d{2}-\\d{2}T' },
    { of: '/uuid', matches: '.' },
  ],
  id: '/uuid',
  source: { const: 'okta:system-log' },
  time: { at: '/published' },
  action: { first: [{ join: [{ const: 'okta' }, '/eventType'], with: '.' }, { const: 'okta.event' }] },
  category: {
    first: [
      {
        of: '/eventType',
        cases: [
          ['^user\\.(session|authentication|mfa)', 'authentication'],
          ['^(user|group|application\\.user_membership|system\\.api_token)\\b', 'iam'],
          ['^policy\\.', 'configuration'],
        ],
      },
      { const: 'system' },
    ],
  },
  operation: {
    first: [
      {
        of: '/eventType',
        cases: [
          ['session\\.start$', 'login'],
          ['session\\.end$', 'logout'],
          ['\\.(create|add|grant)$', 'create'],
          ['\\.(delete|remove|revoke)$', 'delete'],
          ['\\.(update|lock|unlock|activate|deactivate|suspend|reset)', 'update'],
        ],
      },
      { const: 'other' },
    ],
  },
  outcome: {
    of: '/outcome/result',
    cases: [
      ['^(SUCCESS|ALLOW)$', 'success'],
      ['^DENY$', 'denied'],
      ['^(FAILURE|ABANDONED|RATE_LIMIT)$', 'failure'],
    ],
  },
  outcomeReason: '/outcome/reason',
  severity: {
    of: '/severity',
    cases: [
      ['^WARN$', 'medium'],
      ['^ERROR$', 'high'],
      ['.', 'info'],
    ],
  },
  actor: {
    type: {
      first: [
        {
          of: '/actor/type',
          cases: [
            ['^User$', 'user'],
            ['^SystemPrincipal$', 'system'],
            ['^IP address$', 'anonymous'],
          ],
        },
        { const: 'service' },
      ],
    },
    id: '/actor/id',
    name: '/actor/displayName',
    sessionId: '/authenticationContext/externalSessionId',
  },
  targets: [{ each: '/target', type: { first: ['@/type', { const: 'target' }] }, id: '@/id', name: '@/displayName' }],
  context: { ip: '/client/ipAddress', userAgent: '/client/userAgent/rawUserAgent', requestId: '/transaction/id' },
  metadata: { message: '/displayMessage' },
};
