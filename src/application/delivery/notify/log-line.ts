import { mapTexts, toNoticeData } from './notice-data.js';
import { plainText } from './plain-text.js';
import type { Notice } from './ports.js';

export interface LogLine {
  readonly level: 'error' | 'warn' | 'info';
  readonly fields: object;
  readonly message: string;
}

const LEVELS = { error: 'error', warning: 'warn', info: 'info' } as const;

/** A notice as one line of the log: `notice.<kind>`, its data under `notice`, printable in a terminal. */
export function toLogLine(notice: Notice): LogLine {
  const data = toNoticeData(notice);
  return {
    level: LEVELS[data.severity as keyof typeof LEVELS],
    fields: { notice: { at: notice.at, ...mapTexts(data, (text) => plainText(text, text.length + 1)) } },
    message: `notice.${notice.kind}`,
  };
}
