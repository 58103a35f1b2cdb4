import type { ReactNode } from 'react';
import type { Tone } from '../logic/words.js';
import { Icon, type IconName } from './icon.js';
import classes from './notice.module.css';

const LOOKS = {
  good: [classes.good, 'check'],
  bad: [classes.bad, 'cross'],
  warn: [classes.warn, 'warning'],
  info: [classes.info, 'clock'],
  unknown: [classes.unknown, 'question'],
  quiet: [classes.quiet, 'check'],
} as const satisfies Record<Tone, readonly [string | undefined, IconName]>;

export interface NoticeProps {
  readonly tone: Tone;
  /** Said at once by a screen reader. */
  readonly urgent?: boolean;
  readonly children: ReactNode;
}

/** A sentence that stands out. */
export function Notice({ tone, urgent = false, children }: NoticeProps) {
  const [look, shape] = LOOKS[tone];
  return (
    <div className={`${classes.notice} ${look}`} role={urgent ? 'alert' : undefined}>
      <Icon name={shape} />
      <div className={classes.body}>{children}</div>
    </div>
  );
}
