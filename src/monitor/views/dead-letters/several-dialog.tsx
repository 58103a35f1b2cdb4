import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { DEAD_LETTERS_PATH } from '../../data/paths.js';
import { below } from '../../data/queries.js';
import { postJson } from '../../data/request.js';
import type { SeveralDiscarded, SeveralRedriven } from '../../data/types.js';
import { countOutcomes } from '../../logic/job-progress.js';
import { Dialog } from '../../parts/dialog.js';
import { Notice } from '../../parts/notice.js';
import { WordForm } from '../../parts/word-form.js';

export type SeveralVerb = 'redrive' | 'discard';

export interface SeveralDialogProps {
  readonly verb: SeveralVerb;
  /** A hundred at most. */
  readonly ids: readonly string[];
  /** They are not as they were. */
  readonly onDone: () => void;
  readonly onClose: () => void;
}

type Outcome = SeveralRedriven['results'][number]['outcome'] | SeveralDiscarded['results'][number]['outcome'];

const OUTCOME_WORDS: Readonly<Record<Outcome, string>> = {
  redriven: 'redriven',
  discarded: 'discarded',
  missing: 'no longer there',
  'not-open': 'not open any more: somebody was quicker, or it is on its way',
  edited: 'not redriven: their payload was edited; redrive each on its own page, which says what it sends',
  'effect-stands': 'not redriven: the effect of what was sent before stands',
  'not-told': 'not redriven: the destination did not say whether the effect stands; try again',
};

const VERBS = { redrive: 'Redrive', discard: 'Discard' } as const;

/** Redrives or discards letters by their ids, and says how each ended. */
export function SeveralDialog({ verb, ids, onDone, onClose }: SeveralDialogProps) {
  const [ended, setEnded] = useState<readonly Outcome[] | null>(null);
  const act = useMutation({
    mutationFn: (reason: string) =>
      postJson<SeveralRedriven | SeveralDiscarded>(below(DEAD_LETTERS_PATH, verb), { ids, reason }),
    onSuccess: ({ results }) => {
      setEnded(results.map(({ outcome }) => outcome));
    },
    // Even without an answer it may have been done.
    onSettled: onDone,
  });
  const name = `${VERBS[verb]} ${ids.length}`;
  return (
    <Dialog title={`${name} dead ${ids.length === 1 ? 'letter' : 'letters'}`} onClose={onClose}>
      {ended === null ? (
        <WordForm
          act={name}
          danger={verb === 'discard'}
          count={ids.length}
          busy={act.isPending}
          error={act.error}
          refused={verb === 'redrive' ? 'None of them is redriven by this' : 'None of them is discarded by this'}
          look="look at the list before you try again"
          onWord={act.mutate}
        >
          <p>{verb === 'redrive' ? REDRIVE_MEANS : DISCARD_MEANS}</p>
        </WordForm>
      ) : (
        <Ended outcomes={ended} />
      )}
    </Dialog>
  );
}

/** What a redrive does, wherever it is asked for. */
export const REDRIVE_MEANS =
  'Delivered anew, with a new budget and the policy of now. The idempotency key stays: who has it collapses it.';
export const DISCARD_MEANS = 'They are given up, by your name. Nothing is deleted, and it cannot be taken back.';

function Ended({ outcomes }: { readonly outcomes: readonly Outcome[] }) {
  const whole = outcomes.every((outcome) => outcome === 'redriven' || outcome === 'discarded');
  return (
    <Notice tone={whole ? 'good' : 'warn'} urgent>
      <ul>
        {countOutcomes(outcomes).map(([outcome, count]) => (
          <li key={outcome}>
            {count} {OUTCOME_WORDS[outcome as Outcome]}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
