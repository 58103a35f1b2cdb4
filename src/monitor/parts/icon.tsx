import type { Shape } from '../logic/words.js';
import classes from './icon.module.css';

/** Drawn in a box of sixteen, by lines. */
const DRAWN = {
  check: 'M3 8.5 6.5 12 13 4.5',
  cross: 'm4 4 8 8m0-8-8 8',
  warning: 'M8 2.2 14.6 13.5H1.4zM8 6.5v3.2m0 1.8v.1',
  clock: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2m0 3v3.2l2 1.4',
  play: 'M5 3.5v9L12 8z',
  repeat: 'M13 6A5.4 5.4 0 1 0 13.4 9M13.4 2.6V6H10',
  pause: 'M5.5 3.5v9m5-9v9',
  slash: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M3.8 12.2l8.4-8.4',
  question: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M6.2 6.4A1.9 1.9 0 1 1 8 8.3v.9m0 1.9v.1',
  lock: 'M3.8 7.2h8.4v6H3.8zm1.7 0V5a2.5 2.5 0 0 1 5 0v2.2',
  half: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2m0 0v12M8 5h4.5M8 8h6M8 11h4.5',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  close: 'm4.5 4.5 7 7m0-7-7 7',
  outside: 'M9.5 2.5h4v4m0-4-6 6m4 1v4h-9v-9h4',
  light: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6M8 1.5v1m0 11v1M1.5 8h1m11 0h1M3.4 3.4l.7.7m7.8 7.8.7.7m0-9.2-.7.7M4 12l-1 1',
  dark: 'M13.4 9.6A5.6 5.6 0 0 1 6.4 2.6a5.6 5.6 0 1 0 7 7z',
} as const satisfies Record<Shape, string> & Record<string, string>;

export type IconName = keyof typeof DRAWN;

/** Beside a word that says the same: nobody needs to see it. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg className={classes.icon} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={DRAWN[name]} />
    </svg>
  );
}
