import type { Letter } from '../../data/types.js';
import { plainText } from '../../logic/hostile.js';
import { ActButton } from '../../parts/act-button.js';
import { Hostile } from '../../parts/hostile.js';
import { Notice } from '../../parts/notice.js';

export interface MeanwhileNoticeProps {
  readonly letter: Letter;
  /** How often it had been edited when somebody looked. */
  readonly seen: number;
  /** What an edit by somebody else means for what is under way here. */
  readonly means: string;
  readonly again?: { readonly act: string; readonly busy: boolean; readonly do: () => void };
}

/** What others have done to a letter while a form of it is open; nothing where that is nothing. */
export function MeanwhileNotice({ letter, seen, means, again }: MeanwhileNoticeProps) {
  const closed = whyClosed(letter);
  if (closed !== null) {
    return (
      <Notice tone="warn" urgent>
        <p>{closed}.</p>
      </Notice>
    );
  }
  const by = letter.revisions.at(-1)?.actor ?? null;
  if (letter.revisions.length <= seen || by === null) return null;
  return (
    <Notice tone="warn" urgent>
      <p>
        Its payload has been edited meanwhile by <Hostile text={by} />. {means}
      </p>
      {again !== undefined && (
        <div>
          <ActButton busy={again.busy} onClick={again.do}>
            {again.act}
          </ActButton>
        </div>
      )}
    </Notice>
  );
}

/** Why nothing can be done with a letter any more; null: it is open. */
export function whyClosed({ state, actor }: Letter): string | null {
  if (state === 'open') return null;
  const by = actor === null ? '' : ` by ${plainText(actor)}`;
  return `It is ${state}${by}: only an open letter can be acted on`;
}
