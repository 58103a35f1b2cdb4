import type { StreamMessage } from '../../contract/monitor-api.js';
import type { OverviewPart, OverviewPartName } from '../../contract/overview-api.js';

/** What the stream has told. */
export interface News {
  readonly parts: ReadonlyMap<OverviewPartName, OverviewPart>;
  /** The server's clock ahead of the browser's, as of the latest message with a time. */
  readonly skewMs: number;
  /** Of the api; null: not told yet. */
  readonly version: string | null;
}

export const NO_NEWS: News = { parts: new Map(), skewMs: 0, version: null };

/** `now`: the browser's clock. What a newer api may say besides changes nothing. */
export function withMessage(news: News, message: StreamMessage, now: number): News {
  switch (message.type) {
    case 'snapshot':
      return {
        parts: new Map(message.parts.map((part) => [part.name, part])),
        skewMs: skewOf(message.at, now),
        version: message.version,
      };
    case 'part':
      return { ...news, parts: new Map(news.parts).set(message.part.name, message.part) };
    case 'tick':
      return { ...news, skewMs: skewOf(message.at, now) };
    default:
      return news;
  }
}

function skewOf(at: string, now: number): number {
  const skew = Date.parse(at) - now;
  return Number.isNaN(skew) ? 0 : skew;
}
