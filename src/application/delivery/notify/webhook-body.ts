import { toNoticeData } from './notice-data.js';
import type { Notice } from './ports.js';

/**
 * The body of a webhook (docs/notifications.md): `type` names kind and version, `timestamp` when it was noticed, `data` the
 * notice. A version only gains fields. The values are exact for whoever parses it; the text itself is printable ASCII
 * without `<`, `>` and `&`, so that whatever shows it raw shows it only.
 */
export function toWebhookBody(notice: Notice): string {
  const body = { type: `temporal-outbox.${notice.kind}.v1`, timestamp: notice.at, data: toNoticeData(notice) };
  return JSON.stringify(body).replaceAll(/[^ -~]|[<>&]/g, escapeUnit);
}

/** Without the `u` flag an astral character is two units, as JSON wants it. */
function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
