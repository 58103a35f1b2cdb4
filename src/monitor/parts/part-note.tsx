import type { OverviewPart } from '../../contract/overview-api.js';
import { PART_STATE_WORDS } from '../logic/words.js';
import { Notice } from './notice.js';
import { Sentence } from './sentence.js';
import { Status } from './status.js';
import { Age } from './time.js';

/** What of a part every card of it shows. */
export type PartLike = Pick<OverviewPart, 'state' | 'at' | 'reason'>;

/** Why a part is not well, and of when its value is where it is away. Nothing of one that is well. */
export function PartNote({ part }: { readonly part: PartLike | null }) {
  if (part === null) return <p className="dim">Not told yet</p>;
  if (part.state === 'ok') return null;
  return (
    <Notice tone={part.state === 'away' ? 'unknown' : 'bad'}>
      <p>{part.reason === null ? 'No reason was given' : <Sentence text={part.reason} />}</p>
      {part.state === 'away' && (
        <p className="dim">
          {part.at === null ? (
            'There never was a value'
          ) : (
            <>
              What is shown is of <Age at={part.at} />
            </>
          )}
        </p>
      )}
    </Notice>
  );
}

/** The state of a part beside its title. */
export function PartState({ part }: { readonly part: PartLike | null }) {
  return part === null ? <span className="dim">Not told yet</span> : <Status of={PART_STATE_WORDS[part.state]} />;
}
