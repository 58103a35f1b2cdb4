import type { ImportMapping } from '../mapping.js';

/** Kubernetes audit events (audit.k8s.io/v1), one a line: the log backend's own format, EKS's, GKE's and AKS's once unwrapped. */
export const KUBERNETES_AUDIT: ImportMapping = {
  name: 'kubernetes-audit',
  title: 'Kubernetes audit events (audit.k8s.io), one a line',
  recognizes: [
    // The items of an EventList say neither; then these four, which every event has, must be there.
    {
      of: {
        first: [
          '/apiVersion',
          { join: [{ const: 'audit.k8s.io/' }, '/auditID', '/stage', '/verb', '/requestURI'], with: ' ' },
        ],
      },
      matches: '^audit\\.k8s\\.io/',
    },
    { of: { first: ['/kind', { const: 'Event' }] }, matches: '^Event$' },
    { of: '/auditID', matches: '.' },
    { of: '/stage', matches: '^(RequestReceived|ResponseStarted|ResponseComplete|Panic)$' },
  ],
  // A request has one audit id and an event at each stage.
  id: { join: ['/auditID', '/stage'], with: '/' },
  source: { const: 'kubernetes:audit' },
  time: { at: { first: ['/stageTimestamp', '/requestReceivedTimestamp'] } },
  action: {
    first: [
      { join: [{ const: 'k8s' }, '/objectRef/resource', '/objectRef/subresource', '/verb'], with: '.' },
      { join: [{ const: 'k8s' }, '/objectRef/resource', '/verb'], with: '.' },
      { join: [{ const: 'k8s.request' }, '/verb'], with: '.' },
    ],
  },
  category: {
    first: [
      {
        of: '/objectRef/resource',
        cases: [
          ['^tokenreviews$', 'authentication'],
          ['^(self)?subject(access|rules)reviews$|^localsubjectaccessreviews$', 'authorization'],
          ['^((cluster)?role(binding)?s|serviceaccounts|certificatesigningrequests)$', 'iam'],
          ['^(events|leases|endpoints|endpointslices)$', 'system'],
        ],
      },
      { of: '/objectRef/resource', cases: [['.', 'configuration']] },
      { const: 'system' },
    ],
  },
  operation: {
    first: [
      { of: '/objectRef/subresource', cases: [['^(exec|attach|portforward|proxy)$', 'execute']] },
      {
        of: '/verb',
        cases: [
          ['^create$', 'create'],
          ['^(get|list|watch|head)$', 'read'],
          ['^(update|patch|put)$', 'update'],
          ['^(delete|deletecollection)$', 'delete'],
          ['^(connect|post)$', 'execute'],
        ],
      },
      { const: 'other' },
    ],
  },
  outcome: {
    first: [
      { of: '/annotations/authorization.k8s.io~1decision', cases: [['^forbid$', 'denied']] },
      {
        // None before the response began: then nobody knows yet.
        of: '/responseStatus/code',
        cases: [
          ['^[123]', 'success'],
          ['^40[13]$', 'denied'],
          ['^[45]', 'failure'],
        ],
      },
      { of: '/stage', cases: [['^Panic$', 'failure']] },
    ],
  },
  outcomeReason: {
    first: [{ join: ['/responseStatus/reason', '/responseStatus/message'], with: ': ' }, '/responseStatus/reason'],
  },
  actor: {
    type: {
      of: '/user/username',
      cases: [
        ['^system:serviceaccount:', 'service'],
        ['^system:anonymous$', 'anonymous'],
        ['^system:', 'system'],
        ['.', 'user'],
      ],
    },
    id: '/user/username',
    name: '/user/username',
    metadata: {
      uid: '/user/uid',
      impersonated: '/impersonatedUser/username',
      sessionName: '/user/extra/sessionName/0',
    },
  },
  targets: [
    {
      type: '/objectRef/resource',
      id: {
        first: [
          { join: ['/objectRef/namespace', '/objectRef/name'], with: '/' },
          '/objectRef/name',
          { join: ['/objectRef/namespace', '/responseObject/metadata/name'], with: '/' },
          '/objectRef/namespace',
          '/requestURI',
        ],
      },
    },
    { type: { const: 'request' }, id: '/requestURI' },
  ],
  context: { ip: '/sourceIPs/0', userAgent: '/userAgent', requestId: '/auditID' },
  metadata: {
    stage: '/stage',
    level: '/level',
    code: '/responseStatus/code',
    namespace: '/objectRef/namespace',
    apiGroup: '/objectRef/apiGroup',
    decision: '/annotations/authorization.k8s.io~1decision',
  },
};
