import { CopyButton } from './copy-button.js';
import { Hostile } from './hostile.js';
import classes from './json-block.module.css';

export interface JsonBlockProps {
  /** What it is, for whoever copies it: "payload". */
  readonly what: string;
  /** As it is shown and copied. */
  readonly text: string;
}

/** Text with the blanks that it has. */
export function JsonBlock({ what, text }: JsonBlockProps) {
  return (
    <div className={classes.block}>
      <pre>
        <Hostile text={text} code />
      </pre>
      <CopyButton text={text} what={what} />
    </div>
  );
}
