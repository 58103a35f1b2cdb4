import { describeNotice } from './describe-notice.js';
import { plainText, safeLink } from './plain-text.js';
import type { Notice } from './ports.js';

/** https://docs.slack.dev/reference/block-kit: blocks of a message, lengths of a text by its place, fields of a section. */
export const SLACK_LIMITS = { blocks: 50, text: 4_000, header: 150, section: 3_000, field: 2_000, fields: 10 } as const;

interface PlainText {
  readonly type: 'plain_text';
  readonly text: string;
  /** false: `:fire:` in a name stays what it is. */
  readonly emoji: false;
}

interface MarkdownText {
  readonly type: 'mrkdwn';
  readonly text: string;
  /** Slack looks for no links, channels or people of its own accord. */
  readonly verbatim: true;
}

export type SlackBlock =
  | { readonly type: 'header'; readonly text: PlainText }
  | { readonly type: 'section'; readonly text: PlainText | MarkdownText }
  | { readonly type: 'section'; readonly fields: readonly PlainText[] };

/** The body of an incoming webhook. */
export interface SlackMessage {
  /** What a notification shows; the blocks are the message. */
  readonly text: string;
  readonly blocks: readonly SlackBlock[];
  readonly unfurl_links: false;
  readonly unfurl_media: false;
}

const SIGNS = { error: '🔴', warning: '🟠', info: '🟢' } as const;

/**
 * A notice in Block Kit. Whatever comes from events stands in `plain_text`, where Slack knows no formatting, with `&`, `<`
 * and `>` escaped (https://docs.slack.dev/messaging/formatting-message-text#escaping), so that no `<!channel>` or `<@U…>`
 * can call anybody. The only markup is the links, which are ours.
 */
export function toSlackMessage(notice: Notice): SlackMessage {
  const { severity, title, advice, facts, samples, links } = describeNotice(notice);
  const heading = `${SIGNS[severity]} ${title}`;
  const fields = facts.map(([name, value]) => plain(`${name}: ${value}`, SLACK_LIMITS.field));
  const blocks: SlackBlock[] = [{ type: 'header', text: plain(heading, SLACK_LIMITS.header) }];
  for (let first = 0; first < fields.length; first += SLACK_LIMITS.fields) {
    blocks.push({ type: 'section', fields: fields.slice(first, first + SLACK_LIMITS.fields) });
  }
  if (advice !== null) blocks.push({ type: 'section', text: plain(`What to do: ${advice}`, SLACK_LIMITS.section) });
  // One block each: an event's text cannot pass for a second line.
  for (const sample of samples) blocks.push({ type: 'section', text: plain(`• ${sample}`, SLACK_LIMITS.section) });
  const markup = toLinks(links);
  if (markup !== '') blocks.push({ type: 'section', text: { type: 'mrkdwn', text: markup, verbatim: true } });
  return {
    text: escapeSlack(plainText(heading, SLACK_LIMITS.text), SLACK_LIMITS.text),
    blocks,
    unfurl_links: false,
    unfurl_media: false,
  };
}

function plain(text: string, maxLength: number): PlainText {
  return { type: 'plain_text', text: escapeSlack(plainText(text, maxLength), maxLength), emoji: false };
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

/** Escaped, and at most `maxLength` long after that: whole characters are left out, never a part of an entity. */
export function escapeSlack(text: string, maxLength: number): string {
  const escaped = [...text].map((character) => ENTITIES[character] ?? character);
  const length = escaped.reduce((sum, part) => sum + part.length, 0);
  if (length <= maxLength) return escaped.join('');
  let room = maxLength - 1;
  const end = escaped.findIndex((part) => {
    room -= part.length;
    return room < 0;
  });
  return `${escaped.slice(0, end).join('')}…`;
}

function toLinks(links: readonly (readonly [label: string, url: string | null])[]): string {
  return links
    .flatMap(([label, url]) => {
      const safe = safeLink(url);
      return safe === null ? [] : [`<${safe.replaceAll('&', '&amp;')}|${label}>`];
    })
    .join(' · ');
}
