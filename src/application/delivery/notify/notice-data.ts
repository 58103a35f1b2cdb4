import type { JsonObject } from '../../../domain/delivery/json.js';
import { describeNotice } from './describe-notice.js';
import { cutText, safeLink } from './plain-text.js';
import { type Notice, SHOWN_SAMPLES } from './ports.js';

/** Longer than any id or name that an event may have (`EVENT_LIMITS`). */
const TEXT_LENGTH = 512;

/**
 * A notice as data, for machines: the fields of its kind by name and nothing else that the object may carry, lists cut at
 * five, texts bounded. The values are exact, not neutralised. docs/notifications.md shows it.
 */
export function toNoticeData(notice: Notice): JsonObject {
  const { title, advice, severity } = describeNotice(notice);
  const texts = { deployment: notice.deployment, severity, title, advice, ...ownFields(notice) };
  return {
    ...mapTexts(texts, (text) => cutText(text, TEXT_LENGTH)),
    // Not cut, since a cut link leads elsewhere: it is whole or null.
    monitorUrl: safeLink(notice.monitorUrl),
    ...(notice.kind === 'dead_letters' ? { temporalUrl: safeLink(notice.temporalUrl) } : {}),
  };
}

function ownFields(notice: Notice): JsonObject {
  switch (notice.kind) {
    case 'dead_letters':
      return {
        ...pick(notice, ['eventType', 'code', 'destination', 'count', 'firstAt', 'lastAt']),
        samples: notice.samples
          .slice(0, SHOWN_SAMPLES)
          .map((sample) => pick(sample, ['deadLetterId', 'eventId', 'epoch', 'eventName', 'tenantId'])),
      };
    case 'breaker_opened':
      return pick(notice, ['destination', 'code', 'failures']);
    case 'breaker_closed':
      return pick(notice, ['destination', 'openedAt']);
    case 'relay_batch_failed':
      return pick(notice, ['reason', 'count']);
    case 'lag_over_limit':
      return pick(notice, ['lagSeconds', 'limitSeconds']);
    case 'backlog_over_limit':
      return pick(notice, ['backlog', 'limit']);
    case 'books_unbalanced':
      return {
        hour: notice.hour,
        differences: notice.differences
          .slice(0, SHOWN_SAMPLES)
          .map((difference) => pick(difference, ['check', 'count'])),
      };
    case 'workflows_stuck':
      return { count: notice.count, workflowIds: notice.workflowIds.slice(0, SHOWN_SAMPLES) };
    case 'worker_missing':
      return pick(notice, ['taskQueue', 'since']);
    case 'event_not_found':
      return pick(notice, ['taskQueue']);
    case 'reconciler_stopped':
      return pick(notice, ['reason']);
    case 'recovered':
      return pick(notice, ['alert', 'subject', 'since']);
  }
}

function pick<From, Key extends keyof From & string>(from: From, keys: readonly Key[]): JsonObject {
  return Object.fromEntries(keys.map((key) => [key, from[key] as string | number | null]));
}

/** Every text of a tree of plain data, changed. */
export function mapTexts<Value>(value: Value, change: (text: string) => string): Value {
  if (typeof value === 'string') return change(value) as Value;
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, change)) as Value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, change)])) as Value;
}
