/** One notice of every kind, and texts that a producer with bad intent would append (B18). */
import type { Notice, NoticeKind } from '../../src/application/delivery/notify/ports.js';

const at = '2026-11-23T12:00:00.000Z';
const base = {
  deployment: 'main',
  at,
  monitorUrl: 'https://outbox.example/monitor/dead-letters?type=AUTH&code=HTTP.TIMEOUT',
};

export const NOTICES = {
  dead_letters: {
    ...base,
    kind: 'dead_letters',
    eventType: 'AUTH',
    code: 'HTTP.TIMEOUT',
    destination: 'audit.log',
    count: 1_000,
    firstAt: '2026-11-23T11:59:00.000Z',
    lastAt: '2026-11-23T11:59:59.000Z',
    samples: [
      {
        deadLetterId: '0199aaaa-0000-7000-8000-000000000001',
        eventId: '0199aaaa-0000-7000-8000-000000000002',
        epoch: 0,
        eventName: 'auth.user.signed_in.v1',
        tenantId: 'acme',
      },
    ],
    temporalUrl:
      'https://temporal.example/namespaces/default/workflows/main%3A0199aaaa-0000-7000-8000-000000000002%3A0',
  },
  breaker_opened: { ...base, kind: 'breaker_opened', destination: 'audit.log', code: 'HTTP.TLS', failures: 10 },
  breaker_closed: { ...base, kind: 'breaker_closed', destination: 'audit.log', openedAt: at },
  relay_batch_failed: { ...base, kind: 'relay_batch_failed', reason: 'UNAVAILABLE', count: 200 },
  lag_over_limit: { ...base, kind: 'lag_over_limit', lagSeconds: 600, limitSeconds: 300 },
  backlog_over_limit: { ...base, kind: 'backlog_over_limit', backlog: 20_000, limit: 10_000 },
  books_unbalanced: {
    ...base,
    kind: 'books_unbalanced',
    hour: '2026-11-23T10:00:00.000Z',
    differences: [{ check: 'event without delivery', count: 3 }],
  },
  workflows_stuck: { ...base, kind: 'workflows_stuck', count: 2, workflowIds: ['main:1:0', 'main:2:0'] },
  worker_missing: { ...base, kind: 'worker_missing', taskQueue: 'outbox-main', since: at },
  event_not_found: { ...base, kind: 'event_not_found', taskQueue: 'outbox-main' },
  reconciler_stopped: { ...base, kind: 'reconciler_stopped', reason: 'WORKFLOW.STUCK' },
  recovered: { ...base, kind: 'recovered', alert: 'worker_missing', subject: 'outbox-main', since: at },
} as const satisfies { [Kind in NoticeKind]: Extract<Notice, { kind: Kind }> };

export const HOSTILE_TEXTS: Readonly<Record<string, string>> = {
  'a script': '<script>alert(1)</script>',
  'an event handler': '<img src=x onerror=alert(1)>',
  'a call to everybody': '<!channel> <!here> <!everyone> @channel',
  'a mention': '<@U012AB3CD> <#C012AB3CD> <!subteam^S012AB3CD>',
  'a link that passes for ours': '<https://evil.example|Open in the monitor>',
  entities: '&lt;!channel&gt; &amp;',
  'an RTL override': 'invoice\u202Efdp.exe \u2066x\u2069 \u200F',
  'ANSI sequences': '\u001b[31mred\u001b[0m \u009b2J \u0007',
  'line breaks': 'first\r\nsecond: forged\nthird\u2028fourth\u0085fifth',
  formulas: '=cmd()|calc!A0 @SUM(1) +1 -1',
  formatting: '*bold* _it_ ~no~ `code` ```block``` :fire: > quote',
  'the end of a JSON text': '"}],"text":"forged","x":[{"',
  'what is no character': '\ud800 lone, \udfff lone, \u0000',
  'what cannot be seen': 'zero\u200bwidth \ufeff soft\u00adhyphen \u{E0041}tag',
  'too many emojis': '😀'.repeat(2_000),
  'too many brackets': '<'.repeat(10_000),
  nothing: '',
};

/** Every text that comes from events or elsewhere replaced; times and links stay, since they are ours. */
export function withText(notice: Notice, text: string): Notice {
  const ours = [
    'kind',
    'code',
    'alert',
    'at',
    'firstAt',
    'lastAt',
    'since',
    'openedAt',
    'hour',
    'monitorUrl',
    'temporalUrl',
  ];
  const change = (value: unknown, key: string): unknown => {
    if (ours.includes(key)) return value;
    if (typeof value === 'string') return text;
    if (Array.isArray(value)) return value.map((item) => change(item, key));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, change(item, name)]));
  };
  return change(notice, 'notice') as Notice;
}
