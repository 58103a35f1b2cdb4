import type { ImportMapping, Rule } from '../mapping.js';

/** The value after a label, to the end of its line; `-` and the null SID say that there is none. */
const VALUE = ':(?![ \\t]*(?:-[ \\t]*\\r?(?:\\n|$)|NULL SID))[ \\t]*(\\S[^\\r\\n]*)';
/** A line of the rendered text, by its label. */
const labelled = (label: string): Rule => ({ of: '/message', pick: `(?:^|\\n)[ \\t]*${label}${VALUE}` });
/** As `labelled`, below the heading of a block and before the next line that is not indented. */
const inBlock = (heading: string, label: string): Rule => ({
  of: '/message',
  pick: `(?:^|\\n)${heading} ?:[ \\t]*\\r?\\n(?:[ \\t][^\\r\\n]*\\r?\\n)*?[ \\t]+${label}${VALUE}`,
});

const SUBJECT = '(?:Creator )?Subject';
const CODE: Rule = {
  first: [
    { of: '/message', pick: 'EventCode=(\\d+)' },
    { of: '/message', pick: 'EventID\\s+(\\d+)' },
  ],
};
const COMPUTER: Rule = {
  first: [
    { of: '/message', pick: 'ComputerName=(\\S+)' },
    { of: '/message', pick: '\\n[ \\t]*Computer\\s+(\\S+)' },
  ],
};

/**
 * Windows security and Defender events as rendered text under `message`, one a line. What they hold of a time of their own is
 * taken where it names its zone (SystemTime). The text of the event viewer has a local time and no zone, nobody documents
 * one, and taking it for UTC would move the event by hours: it stands in `metadata.localTime`, beside `timeMissing`.
 * A record number starts again when a log is cleared, so it is no identity: the line is.
 */
export const WINDOWS_SECURITY: ImportMapping = {
  name: 'windows-security',
  title: 'Windows security and Defender events as text under "message", one a line',
  recognizes: [
    {
      of: '/message',
      matches: 'LogName=Security\\b|ProviderName\\s+Microsoft-Windows-(Security-Auditing|Windows Defender)\\b',
    },
    { of: CODE, matches: '.' },
  ],
  source: { first: [{ join: [{ const: 'windows' }, COMPUTER], with: ':' }, { const: 'windows' }] },
  time: { at: { of: '/message', pick: '\\[ SystemTime\\]\\s+(\\S+Z)' } },
  action: {
    first: [
      {
        of: CODE,
        cases: [
          ['^4624$', 'windows.logon.succeeded'],
          ['^4625$', 'windows.logon.failed'],
          ['^46(34|47)$', 'windows.logon.ended'],
          ['^4648$', 'windows.logon.explicit_credentials_used'],
          ['^4656$|^4661$', 'windows.object.handle_requested'],
          ['^4660$', 'windows.object.deleted'],
          ['^4663$', 'windows.object.accessed'],
          ['^467[34]$', 'windows.privilege.used'],
          ['^4688$', 'windows.process.created'],
          ['^4689$', 'windows.process.exited'],
          ['^4720$', 'windows.user.created'],
          ['^4722$', 'windows.user.enabled'],
          ['^472[34]$', 'windows.user.password_changed'],
          ['^4725$', 'windows.user.disabled'],
          ['^4726$', 'windows.user.deleted'],
          ['^47(28|32|56)$', 'windows.group.member_added'],
          ['^47(29|33|57)$', 'windows.group.member_removed'],
          ['^4740$', 'windows.user.locked'],
          ['^4719$', 'windows.audit_policy.changed'],
          ['^1102$', 'windows.log.cleared'],
          ['^1116$', 'windows.malware.detected'],
        ],
      },
      { join: [{ const: 'windows.event' }, CODE], with: '.' },
    ],
  },
  category: {
    of: CODE,
    cases: [
      ['^46(24|25|34|47|48)$|^47(68|69|71|76)$', 'authentication'],
      ['^467[234]$', 'authorization'],
      ['^47[2-6]\\d$', 'iam'],
      ['^46(56|60|61|63)$', 'data'],
      ['^(4719|4739|1102)$', 'configuration'],
      ['.', 'system'],
    ],
  },
  operation: {
    first: [
      {
        of: CODE,
        cases: [
          ['^46(24|25|48)$|^47(68|76)$', 'login'],
          ['^46(34|47)$', 'logout'],
          ['^47(20|27|31)$', 'create'],
          ['^47(26|30|34)$|^4660$|^1102$', 'delete'],
          ['^47(19|2[2-9]|3[2-9]|40|5[67])$', 'update'],
          ['^46(73|74|88)$', 'execute'],
        ],
      },
      { const: 'other' },
    ],
  },
  outcome: {
    of: '/message',
    cases: [
      ['Keywords=Audit Success', 'success'],
      ['Keywords=Audit Failure', 'failure'],
    ],
  },
  outcomeReason: labelled('Failure Reason'),
  severity: {
    of: CODE,
    cases: [
      ['^(1102|1116|4719)$', 'high'],
      ['^(4625|4740)$', 'medium'],
      ['.', 'info'],
    ],
  },
  actor: {
    type: {
      first: [
        {
          of: { first: [inBlock(SUBJECT, 'Security ID'), { of: '/message', pick: '\\[ UserID\\]\\s+(S-[\\d-]+)' }] },
          cases: [['^NT AUTHORITY|^S-1-5-(18|19|20)$', 'system']],
        },
        { of: inBlock(SUBJECT, 'Security ID'), cases: [['.', 'user']] },
        { const: 'anonymous' },
      ],
    },
    id: { first: [inBlock(SUBJECT, 'Security ID'), { of: '/message', pick: '\\[ UserID\\]\\s+(S-[\\d-]+)' }] },
    name: inBlock(SUBJECT, 'Account Name'),
    sessionId: inBlock(SUBJECT, 'Logon ID'),
    metadata: { domain: inBlock(SUBJECT, 'Account Domain') },
  },
  targets: [
    {
      type: { const: 'user' },
      id: {
        first: [
          inBlock('New Logon', 'Security ID'),
          inBlock('Account For Which Logon Failed', 'Account Name'),
          inBlock('Target Account', 'Security ID'),
          inBlock('Member', 'Security ID'),
        ],
      },
      name: {
        first: [
          inBlock('New Logon', 'Account Name'),
          inBlock('Account For Which Logon Failed', 'Account Name'),
          inBlock('Target Account', 'Account Name'),
          inBlock('Member', 'Account Name'),
        ],
      },
    },
    { type: { first: [inBlock('Object', 'Object Type'), { const: 'object' }] }, id: inBlock('Object', 'Object Name') },
    {
      when: { of: CODE, matches: '^468[89]$' },
      type: { const: 'process' },
      id: { first: [labelled('New Process Name'), labelled('Process Name')] },
    },
    { type: { const: 'group' }, id: inBlock('Group', 'Security ID'), name: inBlock('Group', '(?:Group|Account) Name') },
    {
      type: { const: 'threat' },
      id: { of: '/message', pick: '\\n[ \\t]*Threat Name (\\S+)' },
      metadata: { path: { of: '/message', pick: '\\n[ \\t]*Path (\\S.*)' } },
    },
    { type: { const: 'computer' }, id: COMPUTER },
  ],
  context: { ip: labelled('Source Network Address') },
  metadata: {
    eventCode: CODE,
    recordNumber: {
      first: [
        { of: '/message', pick: 'RecordNumber=(\\d+)' },
        { of: '/message', pick: 'EventRecordID\\s+(\\d+)' },
      ],
    },
    localTime: { of: '/message', pick: '^(\\d{2}/\\d{2}/\\d{4} [\\d:]{8} [AP]M)' },
    logonType: labelled('Logon Type'),
    process: labelled('Process Name'),
    privileges: labelled('Privileges'),
    status: labelled('Status'),
  },
};
