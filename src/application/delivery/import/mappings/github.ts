import type { ImportMapping } from '../mapping.js';

/** GitHub audit log events (organisation or enterprise, as exported or streamed), one a line. */
export const GITHUB: ImportMapping = {
  name: 'github',
  title: 'GitHub audit log events, one a line',
  recognizes: [
    { of: '/@timestamp', matches: '^[0-9]{13}$' },
    { of: '/action', matches: '^[a-z0-9_]+\\.[a-z0-9_.]+$' },
    { of: { first: ['/org', '/business', '/repo', '/_document_id'] }, matches: '.' },
  ],
  // Streamed events have it, some exports do not; then the line is the identity.
  id: '/_document_id',
  source: { const: 'github:audit-log' },
  time: { at: { first: ['/@timestamp', '/created_at'] } },
  action: { join: [{ const: 'github' }, '/action'], with: '.' },
  category: {
    of: '/action',
    cases: [
      ['(login|logout|sso_response|two_factor|passkey)', 'authentication'],
      [
        '^(org|team|user|business|enterprise|role|external_(group|identity)|personal_access_token|public_key)\\b',
        'iam',
      ],
      ['^(oauth_access|organization_role|repository_role|members_can)|\\.(add|remove|update|invite)_member', 'iam'],
      ['^(git|repo|pull_request|issues?|gist|packages?)\\b', 'data'],
      ['^(billing|payment_method|sponsors)\\b', 'billing'],
      ['^(hook|integration|integration_installation|oauth_application)\\b', 'integration'],
      ['.', 'configuration'],
    ],
  },
  operation: {
    first: [
      {
        of: '/operation_type',
        cases: [
          ['^authentication$', 'login'],
          ['^access$', 'read'],
          ['^create$', 'create'],
          ['^remove$', 'delete'],
          ['^(modify|restore|transfer)$', 'update'],
        ],
      },
      {
        of: '/action',
        cases: [
          ['(sso_response|login)$', 'login'],
          ['logout$', 'logout'],
          ['^git\\.(clone|fetch)$|\\.(access|download|export|view)[a-z_]*$', 'read'],
          ['\\.(create|import|fork|register)[a-z_]*$', 'create'],
          ['\\.(destroy|delete|revoke)[a-z_]*$', 'delete'],
          ['\\.(push|add|remove|update|change|rename|transfer|set|enable|disable|grant|invite|merge|close)', 'update'],
        ],
      },
      { const: 'other' },
    ],
  },
  outcome: {
    of: '/action',
    cases: [
      ['failed|failure', 'failure'],
      ['denied|rejected|blocked', 'denied'],
      // A response of the identity provider came; whether it let the person in, the event does not say.
      ['^(?!.*sso_response)', 'success'],
    ],
  },
  actor: {
    type: {
      first: [{ of: '/actor_is_bot', cases: [['^true$', 'service']] }, { const: 'user' }],
    },
    id: { first: ['/actor_id', '/actor'] },
    name: '/actor',
    sessionId: '/actor_session',
  },
  targets: [
    {
      // An empty name stands beside a user id of 0 where no user is meant.
      when: { of: '/user', matches: '.' },
      type: { const: 'user' },
      id: { first: ['/user_id', '/user'] },
      name: '/user',
    },
    { type: { const: 'team' }, id: { first: ['/team_id', '/team'] }, name: '/team' },
    {
      type: { const: 'repository' },
      id: { first: ['/repository_id', '/repo_id', '/repository', '/repo'] },
      name: { first: ['/repository', '/repo'] },
    },
    { type: { const: 'organization' }, id: { first: ['/org_id', '/org'] }, name: '/org' },
    { type: { const: 'enterprise' }, id: { first: ['/business_id', '/business'] }, name: '/business' },
  ],
  context: {
    ip: '/actor_ip',
    userAgent: '/user_agent',
    location: '/actor_location/country_code',
    requestId: '/request_id',
  },
  metadata: { transport: '/transport_protocol_name', accessType: '/programmatic_access_type', issuer: '/issuer' },
};
