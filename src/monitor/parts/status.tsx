import type { Tone, Word } from '../logic/words.js';
import { Icon } from './icon.js';
import classes from './status.module.css';

const TONES: Readonly<Record<Tone, string | undefined>> = {
  good: classes.good,
  bad: classes.bad,
  warn: classes.warn,
  info: classes.info,
  unknown: classes.unknown,
  quiet: classes.quiet,
};

/** A state: a word, a shape and a colour. */
export function Status({ of: { word, tone, shape } }: { readonly of: Word }) {
  return (
    <span className={`${classes.status} ${TONES[tone]}`}>
      <Icon name={shape} />
      {word}
    </span>
  );
}
