import type { ImportMapping } from '../mapping.js';

/**
 * Exchange Online message traces, one a line. `MessageTraceId` names the message, not the event: each change of its status
 * is a line of its own, so identity is the line's.
 */
export const O365_MESSAGE_TRACE: ImportMapping = {
  name: 'o365-message-trace',
  title: 'Exchange Online message traces, one a line',
  recognizes: [
    { of: '/MessageTraceId', matches: '.' },
    { of: '/Received', matches: '^\\d{4}-\\d{2}-\\d{2}T' },
    { of: '/RecipientAddress', matches: '.' },
  ],
  source: { const: 'o365:message-trace' },
  // "Received" is written without a zone and documented as UTC (MessageTrace report).
  time: { at: '/Received', assumedZone: 'Z' },
  action: { const: 'o365.message.traced' },
  category: { const: 'system' },
  operation: { const: 'other' },
  outcome: {
    of: '/Status',
    cases: [
      ['^(Delivered|Expanded|Resolved)$', 'success'],
      ['^(Failed|FilteredAsSpam|Quarantined)$', 'failure'],
    ],
  },
  outcomeReason: '/Status',
  actor: { type: { const: 'user' }, id: '/SenderAddress' },
  targets: [{ type: { const: 'mailbox' }, id: '/RecipientAddress' }],
  context: { ip: '/FromIP' },
  metadata: { messageTraceId: '/MessageTraceId', messageId: '/MessageId' },
};
