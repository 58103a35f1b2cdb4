/** Pure: notices in the words of each channel. Nothing is faked; docs/notifications.md as it stands. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describeNotice } from '../../src/application/delivery/notify/describe-notice.js';
import { toLogLine } from '../../src/application/delivery/notify/log-line.js';
import { plainText, safeLink } from '../../src/application/delivery/notify/plain-text.js';
import type { Notice } from '../../src/application/delivery/notify/ports.js';
import { toSentryEvent } from '../../src/application/delivery/notify/sentry-event.js';
import { escapeSlack, SLACK_LIMITS, toSlackMessage } from '../../src/application/delivery/notify/slack-message.js';
import { toWebhookBody } from '../../src/application/delivery/notify/webhook-body.js';
import { ERROR_CODES } from '../../src/domain/delivery/error-catalog.js';
import { HOSTILE_TEXTS, NOTICES, withText } from '../support/notices.js';

const ALL: readonly Notice[] = Object.values(NOTICES);

/** What a terminal, a browser or a reader's eye could act upon. */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/u;

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({
    unit: fc.constantFrom('<', '>', '&', '!', '@', '|', '\n', '\u202e', '\u001b', '😀', 'a'),
    maxLength: 4_000,
  }),
  fc.constantFrom(...Object.values(HOSTILE_TEXTS)),
);
const anyNotice = fc.tuple(fc.constantFrom(...ALL), anyText).map(([notice, text]) => withText(notice, text));

/** Every text in a tree of data. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}

/** The markup that we write ourselves; the rest must have none. */
const OUR_LINKS = /<https?:[^<>|\s]+\|Open in (the monitor|Temporal)>/g;

function expectInert(text: string): void {
  expect(text).not.toMatch(ACTIVE);
  const rest = text.replaceAll(OUR_LINKS, '');
  expect(rest).not.toMatch(/[<>]/);
  expect(rest).not.toMatch(/&(?!amp;|lt;|gt;)/);
}

function expectWithinLimits(message: ReturnType<typeof toSlackMessage>): void {
  expect(message.blocks.length).toBeLessThanOrEqual(SLACK_LIMITS.blocks);
  expect(message.text.length).toBeLessThanOrEqual(SLACK_LIMITS.text);
  expect(message.text).not.toBe('');
  for (const block of message.blocks) {
    if ('fields' in block) {
      expect(block.fields.length).toBeGreaterThan(0);
      expect(block.fields.length).toBeLessThanOrEqual(SLACK_LIMITS.fields);
      for (const { text } of block.fields) expect(text.length).toBeLessThanOrEqual(SLACK_LIMITS.field);
      continue;
    }
    expect(block.text.text).not.toBe('');
    expect(block.text.text.length).toBeLessThanOrEqual(SLACK_LIMITS[block.type]);
  }
}

describe('every channel', () => {
  it.each(ALL)('has words for $kind', (notice) => {
    const { title, severity } = describeNotice(notice);
    expect(toSlackMessage(notice).text).toContain(title);
    expect(toSentryEvent(notice)).toMatchObject({ message: title, level: severity, tags: { kind: notice.kind } });
    expect(JSON.parse(toWebhookBody(notice))).toMatchObject({
      type: `temporal-outbox.${notice.kind}.v1`,
      timestamp: notice.at,
      data: { title, severity, deployment: 'main' },
    });
    expect(toLogLine(notice)).toMatchObject({ message: `notice.${notice.kind}`, fields: { notice: { title } } });
  });

  it('says for every code what happened and what to do, out of the catalogue', () => {
    for (const code of ERROR_CODES) {
      const { advice, facts } = describeNotice({ ...NOTICES.dead_letters, code });
      expect(advice).toBeTruthy();
      expect(Object.fromEntries(facts)).toMatchObject({ Code: code, 'What happened': expect.any(String) });
    }
  });

  it('shows five samples of more, and nothing that a notice carries beside its fields', () => {
    const [sample] = NOTICES.dead_letters.samples;
    const samples = Array.from({ length: 9 }, (_, index) => ({
      ...sample,
      eventId: `event-${index}`,
      email: 'a@b.example',
    }));
    const notice = {
      ...NOTICES.dead_letters,
      samples,
      payload: { iban: 'DE00' },
      lastResponse: { body: 'secret answer' },
    };
    for (const shown of [toSlackMessage, toSentryEvent, toWebhookBody, toLogLine].map((to) =>
      JSON.stringify(to(notice)),
    )) {
      expect(shown.match(/event-\d/g)).toHaveLength(5);
      expect(shown).not.toMatch(/a@b\.example|iban|DE00|secret answer/);
    }
  });

  it.each(Object.keys(HOSTILE_TEXTS))('B18: keeps %s inert', (name) => {
    const text = HOSTILE_TEXTS[name] ?? '';
    for (const notice of ALL.map((each) => withText(each, text))) {
      const message = toSlackMessage(notice);
      for (const shown of textsOf(message)) expectInert(shown);
      expectWithinLimits(message);
      for (const shown of textsOf(toSentryEvent(notice))) expect(shown).not.toMatch(ACTIVE);
      for (const shown of textsOf(toLogLine(notice))) expect(shown).not.toMatch(ACTIVE);
      const body = toWebhookBody(notice);
      expect(body).toMatch(/^[ -~]+$/);
      expect(body).not.toMatch(/[<>&]/);
    }
  });
});

describe('Slack messages', () => {
  it('property: no raw <, > or & and nothing invisible of an event gets through', () => {
    fc.assert(fc.property(anyNotice, (notice) => textsOf(toSlackMessage(notice)).forEach(expectInert)));
  });

  it("property: blocks and texts are within Slack's limits, and none is empty", () => {
    fc.assert(fc.property(anyNotice, (notice) => expectWithinLimits(toSlackMessage(notice))));
  });

  it('property: escaping loses nothing but what is too long, and cuts no entity', () => {
    fc.assert(
      fc.property(anyText, fc.integer({ min: 10, max: 200 }), (text, maxLength) => {
        const escaped = escapeSlack(text, maxLength);
        expect(escaped.length).toBeLessThanOrEqual(maxLength);
        const back = escaped.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
        if (back !== text) expect(text.startsWith(back.replace(/…$/, ''))).toBe(true);
      }),
    );
  });

  it('writes markup for links only, of http and https, without a way out of them', () => {
    const links = (monitorUrl: string) =>
      toSlackMessage({ ...NOTICES.dead_letters, monitorUrl, temporalUrl: null }).blocks.filter(
        (block) => 'text' in block && block.text.type === 'mrkdwn',
      );
    expect(links('https://m.example/a?b=1&c=2')).toMatchObject([
      { text: { text: '<https://m.example/a?b=1&amp;c=2|Open in the monitor>', verbatim: true } },
    ]);
    expect(links('https://m.example/|x><!channel>')).toMatchObject([
      { text: { text: '<https://m.example/%7Cx%3E%3C!channel%3E|Open in the monitor>' } },
    ]);
    for (const url of ['javascript:alert(1)', 'data:text/html,x', 'not a url', 'https://user:pass@m.example/']) {
      expect(links(url)).toEqual([]);
    }
  });
});

describe('Sentry events', () => {
  it('R24: of one event type and code are one issue, whatever else differs', () => {
    const fingerprint = (more: object) => toSentryEvent({ ...NOTICES.dead_letters, ...more }).fingerprint;
    const one = fingerprint({});
    expect(one).toEqual(['temporal-outbox', 'dead_letters', 'AUTH', 'HTTP.TIMEOUT']);
    expect(fingerprint({ count: 1, samples: [], destination: 'other', at: '2026-11-24T00:00:00.000Z' })).toEqual(one);
    expect(fingerprint({ eventType: 'ORDER' })).not.toEqual(one);
    expect(fingerprint({ code: 'HTTP.TLS' })).not.toEqual(one);
  });

  it('property: tags are within 200 characters on one line', () => {
    fc.assert(
      fc.property(anyNotice, (notice) => {
        for (const [key, value] of Object.entries(toSentryEvent(notice).tags)) {
          expect(key).toMatch(/^[a-zA-Z0-9_.:-]{1,32}$/);
          expect(value).toMatch(/^.{1,200}$/s);
          expect(value).not.toMatch(ACTIVE);
        }
      }),
    );
  });
});

describe('webhook bodies', () => {
  const doc = readFileSync(new URL('../../docs/notifications.md', import.meta.url), 'utf8');

  it('are as docs/notifications.md shows them', () => {
    const example = /```json\n([\s\S]+?)```/.exec(doc)?.[1] ?? '';
    expect(JSON.parse(toWebhookBody(NOTICES.dead_letters))).toEqual(JSON.parse(example));
  });

  it('have exactly the fields of the table there, for every kind', () => {
    const common = ['deployment', 'severity', 'title', 'advice', 'monitorUrl'];
    const rows = ALL.map((notice) => {
      const { type, data } = JSON.parse(toWebhookBody(notice)) as { type: string; data: object };
      const own = Object.keys(data).filter((key) => !common.includes(key));
      return `| \`${type}\` | ${own.map((key) => `\`${key}\``).join(', ')} |`;
    });
    expect(doc.split('\n').filter((line) => line.startsWith('| `temporal-outbox.'))).toEqual(rows);
  });

  it('keep short values exact for whoever parses them, and stay under 20 KiB', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
        const notice = withText(NOTICES.dead_letters, text);
        const body = toWebhookBody(notice);
        expect(JSON.parse(body).data.samples[0].eventName).toBe(text);
      }),
    );
    const [sample] = NOTICES.dead_letters.samples;
    const notice = { ...NOTICES.dead_letters, samples: [sample, sample, sample, sample, sample] };
    expect(toWebhookBody(withText(notice, 'x'.repeat(10_000))).length).toBeLessThan(20 * 1024);
  });
});

describe('plain text', () => {
  it('is one line: breaks become a space, what cannot be seen becomes visible', () => {
    expect(plainText('a\r\nb\tc\u2028d', 100)).toBe('a b c d');
    expect(plainText('\u001b[31mx\u202e\u200b\ud800', 100)).toBe('\uFFFD[31mx\uFFFD\uFFFD\uFFFD');
  });

  it('is cut between characters', () => {
    expect(plainText('😀😀😀', 4)).toBe('😀…');
    expect(plainText('😀😀😀', 6)).toBe('😀😀😀');
  });

  it('takes no link that is too long to be kept whole', () => {
    expect(safeLink(`https://m.example/${'x'.repeat(1_000)}`)).toBeNull();
  });
});
