import type { ImportMapping } from '../mapping.js';

/** Microsoft 365 unified audit records (Office 365 Management Activity API, common schema), one a line. */
export const MICROSOFT_365: ImportMapping = {
  name: 'microsoft-365',
  title: 'Microsoft 365 unified audit records, one a line',
  recognizes: [
    { of: '/CreationTime', matches: '^\\d{4}-\\d{2}-\\d{2}T' },
    { of: '/Operation', matches: '.' },
    { of: '/Workload', matches: '.' },
    { of: '/RecordType', matches: '^\\d+$' },
  ],
  id: '/Id',
  source: { join: [{ const: 'm365' }, '/Workload'], with: ':' },
  // Written without a zone and documented as UTC (common schema, CreationTime).
  time: { at: '/CreationTime', assumedZone: 'Z' },
  action: { join: [{ const: 'm365' }, '/Workload', '/Operation'], with: '.' },
  category: {
    first: [
      {
        of: '/Operation',
        cases: [['^User(LoggedIn|LoginFailed|LoggedOut)|^(MailboxLogin|TeamsSessionStarted)$', 'authentication']],
      },
      { of: '/Workload', cases: [['^AzureActiveDirectory$', 'iam']] },
      // ExchangeAdmin: what an administrator set.
      { of: '/RecordType', cases: [['^1$', 'configuration']] },
      { of: '/Workload', cases: [['^(Exchange|SharePoint|OneDrive|MicrosoftTeams)$', 'data']] },
      { const: 'configuration' },
    ],
  },
  operation: {
    first: [
      {
        of: '/Operation',
        cases: [
          ['LoggedIn|LoginFailed|^MailboxLogin|SessionStarted', 'login'],
          ['LoggedOut', 'logout'],
          ['Accessed|Downloaded|Viewed|Previewed|^(Get|Search|View)\\b', 'read'],
          ['Deleted|Removed|Recycled|^(Remove|Delete|HardDelete|SoftDelete)', 'delete'],
          ['Uploaded|Created|^(Add|New|Create)\\b', 'create'],
          [
            'Modified|Updated|Renamed|Moved|Changed|Set\\b|^(Set|Update|Change|Reset|Enable|Disable|Grant)\\b',
            'update',
          ],
          ['^(Send|Start|Run)|Sent', 'execute'],
        ],
      },
      { const: 'other' },
    ],
  },
  outcome: {
    first: [
      // Before the status, which such records are written with as if they had succeeded.
      { of: '/Operation', cases: [['Failed', 'failure']] },
      {
        of: '/ResultStatus',
        cases: [
          ['^(Succeeded|Success|PartiallySucceeded|True)$', 'success'],
          ['^(Failed|Failure|False)$', 'failure'],
        ],
      },
      // These write what was done, and no status.
      { of: '/Workload', cases: [['^(SharePoint|OneDrive)$', 'success']] },
    ],
  },
  outcomeReason: { first: ['/LogonError', '/ResultStatusDetail'] },
  actor: {
    type: {
      of: '/UserType',
      cases: [
        ['^(4|7|8)$', 'system'],
        ['^(5|6)$', 'service'],
        ['.', 'user'],
      ],
    },
    id: '/UserId',
    metadata: { userKey: '/UserKey', userType: '/UserType' },
  },
  targets: [
    { type: { const: 'mailbox' }, id: '/MailboxOwnerUPN' },
    { type: { first: ['/ItemType', { const: 'object' }] }, id: '/ObjectId' },
  ],
  context: {
    ip: { first: ['/ClientIP', '/ClientIPAddress', '/ActorIpAddress'] },
    userAgent: { first: ['/UserAgent', '/ClientInfoString'] },
    requestId: { first: ['/CorrelationId', '/InterSystemsId'] },
  },
  metadata: {
    recordType: '/RecordType',
    organizationId: '/OrganizationId',
    resultStatus: '/ResultStatus',
    site: '/SiteUrl',
  },
};
