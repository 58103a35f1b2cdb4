import type { ImportMapping } from '../mapping.js';

/** AWS CloudTrail records, one a line (CloudTrail user guide, "record contents", versions 1.05 to 1.11). */
export const CLOUDTRAIL: ImportMapping = {
  name: 'cloudtrail',
  title: 'AWS CloudTrail records, one a line',
  recognizes: [
    { of: '/eventSource', matches: '\\.amazonaws\\.com$' },
    { of: '/eventName', matches: '.' },
    { of: '/userIdentity/type', matches: '.' },
  ],
  id: '/eventID',
  source: { first: ['/eventSource', { const: 'aws:cloudtrail' }] },
  time: { at: '/eventTime' },
  action: {
    first: [
      { join: [{ const: 'aws' }, { of: '/eventSource', pick: '^([^.]+)' }, '/eventName'], with: '.' },
      { join: [{ const: 'aws' }, '/eventName'], with: '.' },
      { const: 'aws.event' },
    ],
  },
  category: {
    first: [
      { of: '/eventType', cases: [['^AwsConsoleSignIn$', 'authentication']] },
      {
        of: '/eventSource',
        cases: [
          ['^(signin|sts)\\.', 'authentication'],
          ['^(iam|sso|sso-directory|identitystore|organizations)\\.', 'iam'],
        ],
      },
      { of: '/eventCategory', cases: [['^Data$', 'data']] },
      { const: 'configuration' },
    ],
  },
  operation: {
    first: [
      {
        of: '/eventName',
        cases: [
          [
            '^(ConsoleLogin|CredentialChallenge|CredentialVerification|UserAuthentication|Federate|AssumeRole)',
            'login',
          ],
          ['^(Logout|SignOut)', 'logout'],
        ],
      },
      { of: '/readOnly', cases: [['^true$', 'read']] },
      {
        of: '/eventName',
        cases: [
          ['^(Describe|Get|List|Lookup|Head|Search|Select|BatchGet|View|Download|Check|Simulate)', 'read'],
          ['^(Create|RunInstances|Allocate|Import|Register|Request|Copy)', 'create'],
          ['^(Delete|Terminate|Deregister|Release|Purge)', 'delete'],
          ['^(Invoke|Execute|Send|Start|Stop|Reboot|Run|Publish)', 'execute'],
          ['^(Update|Put|Modify|Set|Attach|Detach|Add|Remove|Associate|Disassociate)', 'update'],
          ['^(Enable|Disable|Change|Reset|Tag|Untag|Authorize|Revoke|Restore)', 'update'],
        ],
      },
      { const: 'other' },
    ],
  },
  outcome: {
    first: [
      {
        of: '/errorCode',
        cases: [
          ['AccessDenied|Unauthorized|Forbidden', 'denied'],
          ['.', 'failure'],
        ],
      },
      {
        of: {
          first: [
            '/responseElements/ConsoleLogin',
            '/serviceEventDetails/CredentialChallenge',
            '/serviceEventDetails/CredentialVerification',
            '/serviceEventDetails/UserAuthentication',
          ],
        },
        cases: [
          ['^Success', 'success'],
          ['^Fail', 'failure'],
        ],
      },
      // CloudTrail writes errorCode for every request that was not carried out: without one it was.
      { const: 'success' },
    ],
  },
  outcomeReason: { first: [{ join: ['/errorCode', '/errorMessage'], with: ': ' }, '/errorCode', '/errorMessage'] },
  actor: {
    type: {
      first: [
        {
          of: { join: ['/userIdentity/type', '/userIdentity/invokedBy'], with: ' ' },
          cases: [['^AssumedRole .', 'service']],
        },
        {
          of: '/userIdentity/type',
          cases: [
            ['^(AWSService|AWSAccount)$', 'service'],
            ['^Unknown$', 'anonymous'],
            ['.', 'user'],
          ],
        },
        { of: '/userIdentity/invokedBy', cases: [['.', 'service']] },
        { const: 'anonymous' },
      ],
    },
    id: {
      first: [
        '/userIdentity/arn',
        '/userIdentity/onBehalfOf/userId',
        '/userIdentity/principalId',
        '/userIdentity/invokedBy',
        '/userIdentity/accountId',
      ],
    },
    name: { first: ['/userIdentity/userName', '/additionalEventData/UserName'] },
    metadata: {
      identityType: '/userIdentity/type',
      accountId: '/userIdentity/accountId',
      principalId: '/userIdentity/principalId',
      invokedBy: '/userIdentity/invokedBy',
      issuer: '/userIdentity/sessionContext/sessionIssuer/arn',
      mfa: '/userIdentity/sessionContext/attributes/mfaAuthenticated',
    },
  },
  targets: [
    { each: '/resources', type: { first: ['@/type', { const: 'resource' }] }, id: '@/ARN' },
    {
      type: { const: 'user' },
      id: { first: ['/responseElements/user/arn', '/requestParameters/userName'] },
      name: '/requestParameters/userName',
      metadata: { userId: '/responseElements/user/userId' },
    },
    {
      // A sign-in is done by a user to the user's own account.
      when: { of: '/eventSource', matches: '^signin\\.' },
      type: { const: 'user' },
      id: { first: ['/userIdentity/arn', '/userIdentity/onBehalfOf/userId', '/userIdentity/principalId'] },
      name: { first: ['/userIdentity/userName', '/additionalEventData/UserName'] },
      metadata: { userId: '/userIdentity/principalId' },
    },
    { type: { const: 'role' }, id: { first: ['/requestParameters/roleArn', '/requestParameters/roleName'] } },
    { type: { const: 'group' }, id: '/requestParameters/groupName' },
    { type: { const: 'policy' }, id: { first: ['/requestParameters/policyArn', '/requestParameters/policyName'] } },
    { type: { const: 'bucket' }, id: '/requestParameters/bucketName' },
    { type: { const: 'key' }, id: '/requestParameters/keyId' },
    { type: { const: 'function' }, id: '/requestParameters/functionName' },
    { type: { const: 'targetGroup' }, id: '/requestParameters/targetGroupArn' },
    { each: '/requestParameters/instancesSet/items', type: { const: 'instance' }, id: '@/instanceId' },
    { type: { const: 'service' }, id: '/eventSource' },
  ],
  context: { ip: '/sourceIPAddress', userAgent: '/userAgent', location: '/awsRegion', requestId: '/requestID' },
  metadata: {
    awsEventName: '/eventName',
    awsEventType: '/eventType',
    awsRegion: '/awsRegion',
    recipientAccountId: '/recipientAccountId',
    eventVersion: '/eventVersion',
  },
};
