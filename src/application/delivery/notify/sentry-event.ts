import type { JsonObject } from '../../../domain/delivery/json.js';
import { describeNotice } from './describe-notice.js';
import { plainText, safeLink } from './plain-text.js';
import type { Notice } from './ports.js';

/** https://develop.sentry.dev/sdk/foundations/data-model/data-handling: Sentry cuts what is longer, tags among them. */
export const SENTRY_LIMITS = { tag: 200, message: 1_000, extra: 1_000, release: 200, environment: 64 } as const;

export interface SentryEvent {
  readonly message: string;
  readonly level: 'error' | 'warning' | 'info';
  /** Seconds. */
  readonly timestamp: number;
  /** Groups of one event type and code are one issue, whatever their counts and samples. */
  readonly fingerprint: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  readonly extra: JsonObject;
}

/** A notice as a Sentry event: names, ids, codes and counts, and no stack, request or user. */
export function toSentryEvent(notice: Notice): SentryEvent {
  const { severity, title, advice, facts, samples, links } = describeNotice(notice);
  const text = (value: string) => plainText(value, SENTRY_LIMITS.extra);
  return {
    message: plainText(title, SENTRY_LIMITS.message),
    level: severity,
    timestamp: new Date(notice.at).getTime() / 1_000,
    fingerprint: ['temporal-outbox', notice.kind, ...subjectOf(notice)].map((part) =>
      plainText(part, SENTRY_LIMITS.tag),
    ),
    tags: toTags(notice),
    extra: {
      ...Object.fromEntries(facts.map(([name, value]) => [name, text(value)])),
      ...(advice === null ? {} : { 'What to do': advice }),
      ...(samples.length === 0 ? {} : { Samples: samples.map(text) }),
      ...Object.fromEntries(
        links.flatMap(([label, url]) => {
          const safe = safeLink(url);
          return safe === null ? [] : [[label, safe]];
        }),
      ),
    },
  };
}

function subjectOf(notice: Notice): readonly string[] {
  switch (notice.kind) {
    case 'dead_letters':
      return [notice.eventType, notice.code];
    case 'breaker_opened':
    case 'breaker_closed':
      return [notice.destination];
    case 'worker_missing':
    case 'event_not_found':
      return [notice.taskQueue];
    case 'recovered':
      return [notice.alert];
    default:
      return [];
  }
}

/** Tag keys: at most 32 of letters, digits, "_", ".", ":" and "-". A tag without a value is none. */
function toTags(notice: Notice): Record<string, string> {
  const tags = {
    kind: notice.kind,
    deployment: notice.deployment,
    event_type: 'eventType' in notice ? notice.eventType : '',
    error_code: 'code' in notice ? notice.code : '',
    destination: 'destination' in notice ? notice.destination : '',
    task_queue: 'taskQueue' in notice ? notice.taskQueue : '',
    alert: 'alert' in notice ? notice.alert : '',
  };
  return Object.fromEntries(
    Object.entries(tags).flatMap(([key, value]) => (value === '' ? [] : [[key, plainText(value, SENTRY_LIMITS.tag)]])),
  );
}
